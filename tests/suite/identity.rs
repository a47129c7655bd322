//! Identity of runs: a change that affects a published byte changes the idempotency key, and other changes do not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::program::{findings, json, root, run};

/// Runs a text of a pipeline in a store of its own: its key, and the bytes of every published table.
fn publish(
    dir: &Path,
    name: &str,
    text: &str,
    lake: &Path,
    as_of: &str,
) -> (String, BTreeMap<String, Vec<u8>>) {
    let file = dir.join(format!("{name}.toml"));
    std::fs::write(&file, text).unwrap();
    let out = dir.join(format!("store-{name}"));
    let (lake, out) = (
        format!("lake={}", lake.display()),
        format!("out={}", out.display()),
    );
    let file = file.display().to_string();
    let arguments = [
        "run", &file, "--as-of", as_of, "--var", &lake, "--var", &out, "--quiet", "--json",
    ];
    let published = json(&run(&arguments, 0));
    let tables = PathBuf::from(published["tables"].as_str().unwrap());
    let store = tables.ancestors().nth(3).unwrap();
    let commit = std::fs::read(store.join(format!("commits/{:020}.json", 1))).unwrap();
    let commit: serde_json::Value = serde_json::from_slice(&commit).unwrap();
    let files = std::fs::read_dir(&tables).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    });
    let key = commit["idempotency_key"].as_str().unwrap().to_owned();
    (key, files.collect())
}

/// The tables of a pipeline file: header and text of each, the keys of the file itself first.
fn tables(text: &str) -> Vec<(String, String)> {
    let mut tables = vec![(String::new(), String::new())];
    for line in text.lines() {
        if line.starts_with('[') {
            tables.push((line.to_owned(), String::new()));
        }
        let last = tables.last_mut().unwrap();
        last.1.push_str(line);
        last.1.push('\n');
    }
    tables
}

/// The entries of a table in reverse order; an entry ends where the next one begins.
fn reversed_entries(table: &str) -> String {
    let mut entries: Vec<String> = Vec::new();
    let mut head = String::new();
    for line in table.lines() {
        match entries.last_mut() {
            _ if line.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                entries.push(format!("{line}\n"));
            }
            Some(entry) => entry.push_str(&format!("{line}\n")),
            None => head.push_str(&format!("{line}\n")),
        }
    }
    entries.reverse();
    head + &entries.concat()
}

/// The same pipeline in another order. Schemes keep their order, because rules use the schemes above them; so do the components
/// of a health score, which are summed in that order.
fn permuted(text: &str) -> String {
    let mut all = tables(text);
    for (header, table) in &mut all {
        if !header.starts_with("[scores.health.components]") {
            *table = reversed_entries(table);
        }
    }
    let first = all.remove(0);
    let (schemes, mut others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(header, _)| header.starts_with("[schemes."));
    others.reverse();
    let parts = std::iter::once(first).chain(schemes).chain(others);
    parts.map(|(_, table)| table).collect()
}

#[test]
fn order_comments_and_place_change_neither_bytes_nor_identity() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 300);
    let lake = dir.path().join("lake");
    let text = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let day = "2026-10-31";
    let one = publish(dir.path(), "one", &text, &lake, day);
    let changed = permuted(&text);
    assert_ne!(changed, text);
    let uncommented: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}   # as before\n\n"))
        .collect();
    let moved = dir.path().join("elsewhere/other");
    std::fs::create_dir_all(moved.parent().unwrap()).unwrap();
    copy(&lake, &moved);
    for (name, text, lake) in [
        ("permuted", changed.as_str(), lake.as_path()),
        ("commented", uncommented.as_str(), &lake),
        ("moved", &text, &moved),
    ] {
        let other = publish(dir.path(), name, text, lake, day);
        for (table, bytes) in &one.1 {
            assert!(other.1[table] == *bytes, "{name}: {table} has other bytes");
        }
        assert_eq!(other.1.len(), one.1.len(), "{name}");
        assert_eq!(other.0, one.0, "{name}: another identity");
    }
}

#[test]
fn whatever_changes_bytes_changes_the_identity() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 300);
    let lake = dir.path().join("lake");
    let text = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let (day, other_day) = ("2026-10-31", "2026-10-30");
    let mut known = vec![("one", publish(dir.path(), "one", &text, &lake, day))];
    let rules = [
        "  { segment = \"listen\",     when = \"attitude = 'detractor' or urgent_180d >= 2\" },\n",
        "  { segment = \"win-back\",   when = \"lifecycle_stage = 'churned'\" },\n",
    ];
    let edits = [
        (
            "seed",
            "spec_version = 1".to_owned(),
            "spec_version = 1\nseed = 7".to_owned(),
        ),
        (
            "zone",
            "\ntimezone = \"Europe/Berlin\"".to_owned(),
            "\ntimezone = \"Asia/Tokyo\"".to_owned(),
        ),
        ("rules", rules.concat(), format!("{}{}", rules[1], rules[0])),
        (
            "window",
            "window = \"28d\", base".to_owned(),
            "window = \"29d\", base".to_owned(),
        ),
        ("tiers", "top = 0.05,".to_owned(), "top = 0.06,".to_owned()),
        (
            "filter",
            "quantity > 0 and unit_price".to_owned(),
            "quantity > 1 and unit_price".to_owned(),
        ),
        (
            "playbook",
            "segment = \"tech-touch\"\ngoal    = \"stay in mind\"\ntouch   = \"tech\"".to_owned(),
            "segment = \"tech-touch\"\ngoal    = \"stay in mind\"\ntouch   = \"low\"".to_owned(),
        ),
    ];
    for (name, from, to) in &edits {
        assert_eq!(text.matches(from.as_str()).count(), 1, "{name}: {from}");
        let edited = text.replace(from.as_str(), to);
        known.push((name, publish(dir.path(), name, &edited, &lake, day)));
    }
    known.push(("day", publish(dir.path(), "day", &text, &lake, other_day)));
    let orders = lake.join("orders/month=2026-01/part-0.parquet");
    std::fs::rename(&orders, lake.join("orders/month=2026-01/part-1.parquet")).unwrap();
    known.push(("file", publish(dir.path(), "file", &text, &lake, day)));
    for (number, (name, (key, bytes))) in known.iter().enumerate() {
        for (other, (other_key, other_bytes)) in &known[..number] {
            assert_ne!(key, other_key, "{name} and {other}");
            if *name != "file" {
                assert!(
                    bytes != other_bytes,
                    "{name} and {other} have the same bytes"
                );
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A pipeline that scores by frozen edges.
fn frozen(dir: &Path, method: &str, amounts: [u32; 6]) -> String {
    std::fs::create_dir_all(dir.join("lake")).unwrap();
    let mut rows = String::from("customer_id,ordered_at,amount\n");
    for (number, amount) in amounts.iter().enumerate() {
        for order in 0..=number {
            rows.push_str(&format!(
                "c{number},2026-0{}-1{order},{amount}\n",
                number + 1
            ));
        }
    }
    std::fs::write(dir.join("lake/orders.csv"), rows).unwrap();
    let text = format!(
        r#"
spec_version = 1
name = "shop"
timezone = "UTC"
currency = "EUR"
store = "{dir}/store"
[customer]
key = "customer_id"
[sources.orders]
kind = "events"
path = "{dir}/lake"
key = "customer_id"
time = "ordered_at"
contract = {{ columns = {{ customer_id = "string", ordered_at = "date", amount = "f64" }}, missing_key = "quarantine" }}
[features]
use = ["rfm"]
[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
score_method = {method}
"#,
        dir = dir.display()
    );
    let file = dir.join("shop.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn key_of(dir: &Path, version: u64) -> String {
    let commit = std::fs::read(dir.join(format!("store/commits/{version:020}.json"))).unwrap();
    let commit: serde_json::Value = serde_json::from_slice(&commit).unwrap();
    commit["idempotency_key"].as_str().unwrap().to_owned()
}

#[test]
fn frozen_edges_are_part_of_the_identity_and_a_day_run_twice_is_one_version() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let day = |file: &str, as_of: &str| {
        let done = json(&run(
            &["run", file, "--as-of", as_of, "--json", "--quiet"],
            0,
        ));
        (
            done["version"].as_u64().unwrap(),
            done["already_published"].as_bool().unwrap(),
        )
    };
    let file = frozen(&first, "\"frozen\"", [10, 20, 30, 40, 50, 60]);
    assert_eq!(day(&file, "2026-07-31"), (1, false));
    assert_eq!(
        day(&file, "2026-07-31"),
        (1, true),
        "its own edges are not taken again"
    );
    let again = frozen(&first, "\"frozen\"", [11, 22, 33, 44, 55, 66]);
    assert_eq!(day(&again, "2026-08-31"), (2, false));
    assert_eq!(day(&again, "2026-08-31"), (2, true));
    let edges = |dir: &Path| {
        let models = crate::table::Table::read(&dir.join("store/latest/models.parquet"));
        let names = models.texts("name");
        let values = models.floats("value");
        let edge = |name: &Option<String>| {
            name.as_deref()
                .is_some_and(|n| n.starts_with("monetary_edge"))
        };
        let found = names.iter().zip(values).filter(|(name, _)| edge(name));
        found.map(|(_, value)| value.unwrap()).collect::<Vec<f64>>()
    };
    let old = edges(&first);
    assert!(
        old.len() == 4 && old.iter().all(|edge| *edge % 10.0 == 0.0 || *edge < 400.0),
        "{old:?}"
    );
    // Another store, where the first version had other edges: the same day with the same lake is another run.
    let other = frozen(&second, "\"frozen\"", [1, 2, 3, 4, 5, 6]);
    assert_eq!(day(&other, "2026-07-31"), (1, false));
    let other = frozen(&second, "\"frozen\"", [11, 22, 33, 44, 55, 66]);
    assert_eq!(day(&other, "2026-08-31"), (2, false));
    assert_ne!(edges(&second), old);
    assert_ne!(key_of(&first, 2), key_of(&second, 2));
}

#[test]
fn a_version_of_frozen_edges_that_is_not_there_is_found_by_check_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let plain = frozen(dir.path(), "\"midrank\"", [1, 2, 3, 4, 5, 6]);
    let said = |arguments: &[&str]| {
        let text = findings(&run(arguments, 2));
        assert!(text.contains("TS-G006"), "{text}");
        text
    };
    let file = frozen(
        dir.path(),
        "{ kind = \"frozen\", version = 7 }",
        [1, 2, 3, 4, 5, 6],
    );
    let missing = said(&["check", &file]);
    assert!(missing.contains("there is no store"), "{missing}");
    assert_eq!(
        missing,
        said(&["run", &file, "--as-of", "2026-07-31"]),
        "check and run say the same"
    );
    assert!(!dir.path().join("store").exists(), "nothing was made");
    frozen(dir.path(), "\"midrank\"", [1, 2, 3, 4, 5, 6]);
    run(&["run", &plain, "--as-of", "2026-07-31", "--quiet"], 0);
    let stated = |version: u64| {
        let method = format!("{{ kind = \"frozen\", version = {version} }}");
        frozen(dir.path(), &method, [1, 2, 3, 4, 5, 6])
    };
    let file = stated(7);
    let found = said(&["check", &file]);
    assert!(found.contains("has no version 7"), "{found}");
    assert_eq!(found, said(&["run", &file, "--as-of", "2026-07-31"]));
    // Ranks have edges too: those that give the same scores.
    run(&["check", &stated(1)], 0);
}

/// The program's own hash is that of the files of the repository and their paths.
#[test]
fn the_identity_covers_the_sources_of_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = frozen(dir.path(), "\"midrank\"", [1, 2, 3, 4, 5, 6]);
    run(&["run", &file, "--as-of", "2026-07-31", "--quiet"], 0);
    let store = dir.path().join("store").display().to_string();
    let versions = json(&run(&["snapshots", &store, "--json"], 0));
    let program = versions[0]["program"].as_str().unwrap();

    let root = root();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut folders = vec![root.join("crates")];
    let mut found = vec![root.join("Cargo.toml"), root.join("Cargo.lock")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let parts: Vec<&str> = name.split('/').collect();
            let built = !matches!(parts.get(2), Some(&"tests" | &"examples" | &"benches"));
            let last = parts[parts.len() - 1];
            match path.is_dir() {
                _ if !built || last.starts_with('.') || last.ends_with('~') => {}
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    for path in found {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        files.insert(name, std::fs::read(path).unwrap());
    }
    let mut hash = Sha256::new();
    for (name, bytes) in &files {
        hash.update(format!("{name}\n{}\n", bytes.len()));
        hash.update(bytes);
    }
    let digits: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        program,
        format!("tessera {}, sources {digits}", env!("CARGO_PKG_VERSION")),
        "build again if sources changed since"
    );
}
