//! `tessera export`: lists are what the published tables say, changes lead from one list to the next, and a file is there whole or not
//! at all.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::oracle::python;
use crate::program::{bounded, json, root, run, tessera};
use crate::shop::{ORDERS, Shop, random, said};

/// Compares the lists of all versions of a store with DuckDB's reading; returns what was seen.
fn compared(python: &Path, pipeline: &str, store: &str, columns: &str, vars: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python)
        .arg(root().join("tests/oracle/export.py"))
        .args([env!("CARGO_BIN_EXE_tessera"), pipeline, store])
        .arg(folder.path())
        .arg(columns)
        .args(vars)
        .current_dir(root())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    json(&output)
}

#[test]
fn lists_and_changes_of_the_demo_are_those_of_its_tables() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    run(&["demo", &path, "--customers", "800", "--quiet"], 0);
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/store"));
    let seen = compared(
        &python,
        "pipelines/demo.toml",
        &format!("{path}/store/demo"),
        "recency_days,spend_total,attitude",
        &["--var", &lake, "--var", &out],
    );
    assert!(seen["rows"].as_u64() > Some(1_000), "{seen}");
    assert!(seen["changes"].as_u64() > Some(500), "{seen}");
}

const KNOWN: &str = r#"
[sources.crm]
kind = "attributes"
path = "${lake}/crm"
key = "customer_id"
[sources.crm.attributes]
mail = { base = "engagement" }
status = { base = "firmographic" }
note = { base = "needs" }
balance = { base = "value" }
since = { base = "lifecycle" }
[sources.crm.contract]
columns = { customer_id = "string", mail = "bool", status = "string", note = "string", balance = "decimal(12, 2)", since = "date" }
missing_key = "quarantine"

[sources.merged]
kind = "lookup"
path = "${lake}/merged"
key = "old_id"
[sources.merged.contract]
columns = { old_id = "string", customer_id = "string" }
missing_key = "quarantine"
"#;

const CONTRACT: &str = r#"
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64" }
missing_key = "quarantine"
"#;

const OF_CUSTOMER: &str = "from = [\"orders\", \"crm\"]\nidentity = { from = \"merged\", to = \"customer_id\" }\n\
                           active = \"status is distinct from 'closed'\"\n";

const SCHEME: &str = r#"
[features]
use = ["rfm"]

[schemes.spend]
kind = "rules"
rules = [{ segment = "much", when = "spend_total > 300" }, { segment = "some", when = "spend_total > 60" }]
otherwise = "little"

[gates.actionable]
reachable = "mail"

[actions]
columns = ["note", "balance"]
"#;

const PLAYBOOKS: &str = r#"
[playbooks.call]
scheme = "spend"
segment = "much"
channel = "phone, \"direct\""

[playbooks.some]
scheme = "spend"
goal = "sell\nmore"
"#;

/// Texts that break formats which do not quote them.
const NOTES: [&str; 12] = [
    "plain",
    "a,b",
    "say \"no\"",
    "\"",
    "two\nlines",
    "=1+1",
    "007",
    "ünïcödé €",
    "tab\tin",
    "'quoted'",
    "null",
    "\\N {}",
];

fn key(number: u64) -> String {
    match number {
        0 => "a,b".to_owned(),
        1 => "q\"x\"".to_owned(),
        2 => "é€".to_owned(),
        3 => "-5".to_owned(),
        4 => "1e3".to_owned(),
        5 => "0.50".to_owned(),
        _ => format!("{number:04}"),
    }
}

/// Writes another lake: customers come, go, are closed, merged, and agree to be contacted or not.
fn write_lake(shop: &Shop, random: &mut impl FnMut(u64) -> u64) {
    let (mut orders, mut crm, mut merged) = (
        String::new(),
        String::new(),
        "old_id,customer_id\n".to_owned(),
    );
    for number in 0..120 {
        let key = key(number);
        let (is_gone, is_merged) = (random(12) == 0, number > 60 && random(10) == 0);
        for _ in 0..random(4) {
            let (day, cents) = (1 + random(28), random(20_000));
            let amount = cents as f64 / 100.0;
            if !is_gone {
                let order = json!({"customer_id": key, "ordered_at": format!("2026-01-{day:02}"), "amount": amount});
                orders.push_str(&format!("{order}\n"));
            }
        }
        let note = NOTES[random(NOTES.len() as u64) as usize];
        let known = json!({
            "customer_id": key, "mail": random(4) != 0, "status": if random(9) == 0 { "closed" } else { "open" },
            "note": if random(6) == 0 { Value::Null } else { note.into() },
            "balance": format!("{}.{:02}", random(900), random(100)),
            "since": format!("202{}-0{}-1{}", random(6), 1 + random(9), random(10)),
        });
        if is_merged && !is_gone {
            merged.push_str(&format!("{key},00{}\n", 10 + random(10)));
        } else if !is_gone {
            crm.push_str(&format!("{known}\n"));
        }
    }
    shop.file("orders/o.ndjson", &orders);
    shop.file("crm/c.ndjson", &crm);
    shop.file("merged/m.csv", &merged);
}

/// A store with versions of three days over three lakes.
fn three_versions(seed: u64) -> Shop {
    let (shop, mut random) = (Shop::new(), random(seed));
    for day in ["2026-02-01", "2026-02-02", "2026-02-03"] {
        write_lake(&shop, &mut random);
        let parts = [OF_CUSTOMER, ORDERS, CONTRACT, KNOWN, SCHEME, PLAYBOOKS];
        said(&shop.run_on(&parts, day, &["--quiet"]), 0);
    }
    shop
}

fn vars(shop: &Shop) -> [String; 4] {
    let folder = |name: &str| shop.path(name).display().to_string();
    let var = "--var".to_owned();
    [
        var.clone(),
        format!("lake={}", folder("lake")),
        var,
        format!("out={}", folder("store")),
    ]
}

fn command(shop: &Shop, verb: &str, more: &[&str]) -> Command {
    let mut command = tessera();
    command.arg(verb).arg(shop.path("shop.toml"));
    command.args(vars(shop)).args(more);
    command
}

/// Exports, which must end with this exit code.
#[track_caller]
fn export(shop: &Shop, more: &[&str], code: i32) -> Output {
    let output = bounded(&mut command(shop, "export", more));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    output
}

/// What an export that must fail says.
#[track_caller]
fn refused(shop: &Shop, more: &[&str], code: i32) -> String {
    let output = export(shop, more, code);
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn lists_and_changes_of_generated_stores_are_those_of_their_tables() {
    let Some(python) = python() else { return };
    let mut reasons = std::collections::BTreeSet::new();
    for seed in [7, 8] {
        let shop = three_versions(seed);
        let folder = |name: &str| shop.path(name).display().to_string();
        let vars = vars(&shop);
        let vars: Vec<&str> = vars.iter().map(String::as_str).collect();
        let (file, store) = (folder("shop.toml"), folder("store"));
        let seen = compared(
            &python,
            &file,
            &store,
            "since,spend_total,mail,status,note",
            &vars,
        );
        let found = seen["reasons"].as_array().unwrap().iter();
        reasons.extend(found.map(|reason| reason.as_str().unwrap().to_owned()));
    }
    let wanted = [
        "closed",
        "left_segment",
        "merged",
        "not_in_base",
        "not_reachable",
    ];
    assert!(reasons.iter().eq(wanted), "{reasons:?}");
}

#[test]
fn counts_say_who_is_left_out_and_why() {
    let shop = three_versions(7);
    let output = export(&shop, &["--playbook", "call", "--since", "2026-02-01"], 0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("(who may not be contacted, or of whom that is not known)"),
        "{told}"
    );
    assert!(told.contains("since version 1 (2026-02-01): "), "{told}");
    let file = shop.path("list.csv").display().to_string();
    let counts = json(&export(
        &shop,
        &["--playbook", "call", "--json", "--out", &file],
        0,
    ));
    assert_eq!(counts["not_reachable"], counts["left_out"]);
    assert!(counts["left_out"].as_u64() > Some(0));
    assert_eq!(counts["changes"], Value::Null);
    let lines = std::fs::read_to_string(&file).unwrap();
    assert!(
        lines.starts_with("as_of,customer_id,scheme,segment,playbook,goal,"),
        "{lines}"
    );
    // Against itself nothing changes: the header alone.
    let none = export(
        &shop,
        &[
            "--playbook",
            "call",
            "--since",
            "3",
            "--columns",
            "customer_id",
        ],
        0,
    );
    assert_eq!(none.stdout, b"change,change_reason,customer_id\n");
}

#[test]
fn what_is_wrong_is_said_with_what_there_is() {
    let shop = three_versions(7);
    for (more, code, told) in [
        (
            &["--playbook", "cal"][..],
            2,
            "there is no playbook `cal` (did you mean `call`?); version 3 of 2026-02-03 has playbooks `call`, `some`",
        ),
        (
            &["--playbook", "call", "--columns", "customer_id,noet"],
            2,
            "has no column `noet` (did you mean `note`?)",
        ),
        (
            &["--playbook", "call", "--columns", "note,customer_id,note"],
            2,
            "column `note` is asked for twice",
        ),
        (
            &["--playbook", "call", "--columns", "note,since"],
            2,
            "the columns lack the customer's key `customer_id`",
        ),
        (
            &["--playbook", "call", "--version", "9"],
            2,
            "has no version 9; it has versions 1 to 3",
        ),
        (
            &["--playbook", "call", "--since", "2026-03-01"],
            2,
            "has no version of 2026-03-01",
        ),
        (
            &["--playbook", "call", "--format", "parquet"],
            2,
            "name the file with `--out`",
        ),
        (
            &["--playbook", "call", "--format", "xls"],
            2,
            "expected one of csv, ndjson, parquet",
        ),
        (
            &["--playbook", "call", "--format", "ndjson", "--spreadsheet"],
            2,
            "`--spreadsheet` is for csv",
        ),
        (&["--all", "--out", "-"], 2, "`--all` needs a folder"),
        (
            &["--playbook", "call", "--out", "/no/such/folder/list.csv"],
            4,
            "/no/such/folder/list.csv: No such file or directory",
        ),
        (
            &["--playbook", "call", "--out", "/dev/full"],
            4,
            "/dev/full: No space left on device",
        ),
        (&["--playbook", "call", "--out", "/tmp"], 4, "/tmp: "),
    ] {
        let said = refused(&shop, more, code);
        assert!(said.contains(told), "{said}");
    }
    let output = export(&shop, &["--playbook", "call", "--json"], 2);
    assert!(
        json(&output)["diagnostics"][0]["message"]
            .as_str()
            .unwrap()
            .contains("`--out FILE`")
    );
}

/// A playbook that was added after a version was published, and one whose segment is another one since.
#[test]
fn versions_before_a_playbook_say_so() {
    let (shop, mut random) = (Shop::new(), random(7));
    write_lake(&shop, &mut random);
    let without = [OF_CUSTOMER, ORDERS, CONTRACT, KNOWN, SCHEME];
    let (call, some) = PLAYBOOKS.split_at(PLAYBOOKS.find("[playbooks.some]").unwrap());
    said(
        &shop.run_on(
            &[&without[..], &[call]].concat(),
            "2026-02-01",
            &["--quiet"],
        ),
        0,
    );
    said(
        &shop.run_on(
            &[&without[..], &[call, some]].concat(),
            "2026-02-02",
            &["--quiet"],
        ),
        0,
    );
    let told = refused(&shop, &["--playbook", "some", "--version", "1"], 2);
    assert!(told.contains("version 1 of 2026-02-01 was published without playbook `some`, which the pipeline file has; it has playbook `call`"), "{told}");
    let output = export(&shop, &["--playbook", "some", "--since", "1"], 0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("published before playbook `some` was in the pipeline, so that everybody counts as added"), "{told}");
    let rows = String::from_utf8(output.stdout).unwrap();
    assert!(
        rows.matches("\nadded,").count() > 5 && !rows.contains("\nupdated,"),
        "{rows}"
    );
    let file = shop.path("shop.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("segment = \"much\"", "segment = \"little\""),
    )
    .unwrap();
    let output = export(&shop, &["--playbook", "call"], 0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains(
            "the pipeline file has playbook `call` for segment `little` of scheme `spend`"
        ),
        "{told}"
    );
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains(",spend,much,call,")
    );
}

/// An edit of `export` is no other pipeline: nothing would move and nothing is published; the next export follows it.
#[test]
fn settings_of_exports_make_no_version() {
    let shop = three_versions(7);
    let parts = [OF_CUSTOMER, ORDERS, CONTRACT, KNOWN, SCHEME, PLAYBOOKS];
    let before = std::fs::read_dir(shop.path("store/commits"))
        .unwrap()
        .count();
    let settings = "export = { format = \"ndjson\", columns = [\"customer_id\", \"since\"] }\n";
    let edited = [&parts[..], &[settings]].concat();
    said(&shop.run_on(&edited, "2026-02-03", &["--quiet"]), 0);
    assert_eq!(
        std::fs::read_dir(shop.path("store/commits"))
            .unwrap()
            .count(),
        before
    );
    let plan = json(&bounded(&mut command(&shop, "plan", &["--json"])));
    assert_eq!(plan["empty"], true, "{plan}");
    let lines = String::from_utf8(export(&shop, &["--playbook", "some"], 0).stdout).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        first.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["customer_id", "since"]
    );
    let csv = export(&shop, &["--playbook", "some", "--format", "csv"], 0);
    assert!(csv.stdout.starts_with(b"customer_id,since\n"));
    let wrong = [
        &parts[..],
        &["export = { columns = [\"customer_id\", \"sinse\"] }\n"],
    ]
    .concat();
    let told = said(&shop.run_on(&wrong, "2026-02-03", &["--quiet"]), 2);
    assert!(
        told.contains("unknown column `sinse` of `actions` or `customers`")
            && told.contains("did you mean `since`?"),
        "{told}"
    );
}

#[test]
fn a_spreadsheet_gets_no_formula_and_a_program_every_text_as_it_is() {
    let shop = three_versions(7);
    let of = |more: &[&str]| {
        let columns = ["--playbook", "some", "--columns", "customer_id,note"];
        String::from_utf8(export(&shop, &[&columns[..], more].concat(), 0).stdout).unwrap()
    };
    let (exact, guarded) = (of(&[]), of(&["--spreadsheet"]));
    assert!(
        exact.starts_with("customer_id,note\n") && exact.contains(",=1+1\n"),
        "{exact}"
    );
    let unmarked = guarded.strip_prefix('\u{feff}').unwrap();
    assert_eq!(
        unmarked
            .replace(",'=1+1\n", ",=1+1\n")
            .replace("\n'-5,", "\n-5,"),
        exact
    );
    assert_ne!(unmarked, exact);
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    use std::os::unix::fs::PermissionsExt;
    let shop = three_versions(7);
    let folder = shop.path("lists");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("some.csv");
    std::fs::write(&file, "before").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let out = file.display().to_string();
    let names = || {
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    // A file may have 512 bytes: the list has more. The shell ignores the signal, so that the program sees an error.
    let export_of = command(&shop, "export", &["--playbook", "some", "--out", &out]);
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"]);
    limited
        .arg(export_of.get_program())
        .args(export_of.get_args());
    let output = bounded(limited.current_dir(root()));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("some.csv: File too large"), "{told}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "before");
    assert_eq!(names(), ["some.csv"]);
    let link = folder.join("link.csv");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let whole = export(&shop, &["--playbook", "some"], 0).stdout;
    assert!(whole.len() > 1_024);
    export(
        &shop,
        &["--playbook", "some", "--out", &link.display().to_string()],
        0,
    );
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    assert!(link.is_symlink());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "who may read the list stays");
    assert_eq!(names(), ["link.csv", "some.csv"]);
    // Every playbook, each into a file of its name.
    let all = shop.path("all/of/them").display().to_string();
    let counts = json(&export(
        &shop,
        &["--all", "--out", &all, "--json", "--format", "parquet"],
        0,
    ));
    let files: Vec<&str> = counts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        [format!("{all}/call.parquet"), format!("{all}/some.parquet")]
    );
    assert!(files.iter().all(|file| Path::new(file).is_file()));
}
