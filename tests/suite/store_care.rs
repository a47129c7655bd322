//! Maintenance of a store: damaged versions, two pipelines, a held lock, missing reports.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::latest::shop;
use crate::program::{json, run};
use crate::table::Table;

fn versions(store: &str) -> serde_json::Value {
    json(&run(&["snapshots", store, "--json"], 0))
}

fn folder(store: &str, version: usize) -> PathBuf {
    PathBuf::from(versions(store)[version - 1]["folder"].as_str().unwrap())
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The bytes of every table of a version.
fn tables(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_version_with_missing_or_short_files_is_published_again_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let store = dir.path().join("store").display().to_string();
    let publish = |day: &str, code| run(&["run", &file, "--as-of", day, "--quiet"], code);
    publish("2026-09-30", 0);
    publish("2026-10-31", 0);
    let whole = tables(&folder(&store, 1));
    fs::remove_file(folder(&store, 1).join("segments.parquet")).unwrap();
    assert_eq!(
        json(&run(&["verify", &store, "--json", "--quick"], 4))["sound"],
        false
    );
    assert!(
        stdout(&publish("2026-09-30", 0))
            .contains("version 3 of 2026-09-30 in place of version 1, which is damaged")
    );
    assert_eq!(tables(&folder(&store, 3)), whole, "the same bytes");
    let listed = versions(&store);
    assert_eq!(listed[0]["damaged_replaced_by"], 3);
    assert_eq!(
        listed[1]["outdated"], false,
        "its previous version is the same"
    );
    assert_eq!(listed[1]["latest"], true);
    assert!(stdout(&publish("2026-09-30", 0)).contains("already published: version 3"));
    assert!(stdout(&publish("2026-10-31", 0)).contains("already published: version 2"));
    for depth in [&[][..], &["--deep"], &["--quick"]] {
        let verified = run(&[&["verify", &store, "--json"], depth].concat(), 0);
        let verified = json(&verified);
        assert_eq!(
            (&verified["sound"], &verified["replaced"][0]["by"]),
            (&true.into(), &3.into())
        );
    }
    run(&["verify", &store, "--version", "1"], 4);
    let sql = fs::read_to_string(dir.path().join("store/views/duckdb.sql")).unwrap();
    let run_of = |version| {
        folder(&store, version)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    assert!(sql.contains(&run_of(3)) && !sql.contains(&run_of(1)));

    // A truncated file is found too; for the newest day `latest` moves to the new version.
    let path = folder(&store, 2).join("customers.parquet");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    run(&["path", &store], 4);
    assert!(
        stdout(&publish("2026-10-31", 0)).contains("version 4 of 2026-10-31 in place of version 2")
    );
    let shown = PathBuf::from(stdout(&run(&["path", &store], 0)).trim_end());
    assert_eq!(shown, folder(&store, 4).canonicalize().unwrap());
}

#[test]
fn a_flipped_byte_is_found_by_verify_and_replaced_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let store = dir.path().join("store").display().to_string();
    let publish = |more: &[&str]| {
        run(
            &[&["run", &file, "--as-of", "2026-09-30", "--quiet"], more].concat(),
            0,
        )
    };
    publish(&[]);
    assert!(stdout(&publish(&["--replace-damaged"])).contains("already published: version 1"));
    // The report does not show this table, so a run does not find the damage by itself.
    let flip = |version, table: &str| {
        let path = folder(&store, version).join(format!("{table}.parquet"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[60] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    flip(1, "rejects");
    run(&["verify", &store, "--quick"], 0);
    for depth in [&[][..], &["--deep"]] {
        let output = run(&[&["verify", &store], depth].concat(), 4);
        assert!(stderr(&output).contains("its sha256 is not that of the commit"));
    }
    assert!(
        stdout(&publish(&[])).contains("already published: version 1"),
        "only sizes are looked at"
    );
    let output = publish(&["--replace-damaged"]);
    assert!(stdout(&output).contains("version 2 of 2026-09-30 in place of version 1"));
    assert!(stderr(&output).contains("rejects.parquet"));
    run(&["verify", &store, "--deep"], 0);
    // Damage in tables that the report reads is found by every run, and the version is replaced without the option.
    flip(2, "customers");
    assert!(stdout(&publish(&[])).contains("version 3 of 2026-09-30 in place of version 2"));
    run(&["verify", &store, "--deep"], 0);
}

#[test]
fn a_second_pipeline_is_refused_unless_both_share_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let text = fs::read_to_string(&file).unwrap();
    let pipeline = |name: &str, more: &str| {
        let file = dir.path().join(format!("{name}.toml"));
        let own = format!("name = \"{name}\"\n{more}");
        fs::write(&file, text.replace("name = \"shop\"", &own)).unwrap();
        file.display().to_string()
    };
    let publish = |file: &str, code| {
        stderr(&run(
            &["run", file, "--as-of", "2026-09-30", "--quiet"],
            code,
        ))
    };
    publish(&file, 0);
    let other = pipeline("other", "");
    let message = publish(&other, 2);
    assert!(
        message.contains("`shop`") && message.contains("shared_store = true"),
        "{message}"
    );
    let shared = pipeline("other", "shared_store = true\n");
    publish(&shared, 2);
    let first = pipeline("shop", "shared_store = true\n");
    publish(&first, 0);
    publish(&shared, 0);
    publish(&first, 0);
    // Its commits say whose the store is, and that both share it.
    let record = dir.path().join("store/PIPELINES");
    let written = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    publish(&shared, 0);
    publish(&first, 0);
    assert_eq!(fs::read(&record).unwrap(), written);
    // A pipeline that was renamed says so once.
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    publish(&file, 0);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name = \"shop\"", "name = \"store\"")).unwrap();
    publish(&file, 2);
    fs::write(
        &file,
        text.replace("name = \"shop\"", "name = \"store\"\nwas = \"shop\""),
    )
    .unwrap();
    publish(&file, 0);
    fs::write(&file, text.replace("name = \"shop\"", "name = \"store\"")).unwrap();
    publish(&file, 0);
}

#[test]
fn a_pipeline_that_was_renamed_twice_keeps_its_history_on_every_day() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let text = fs::read_to_string(&file).unwrap()
        + "[schemes.tier]\nkind = \"quantile\"\nby = \"spend_total\"\ntiers = { top = 0.5, rest = 1.0 }\n";
    let store = dir.path().join("store").display().to_string();
    let named = |lines: &str| {
        fs::write(&file, text.replace("name = \"shop\"", lines)).unwrap();
    };
    let publish = |day: &str| stderr(&run(&["run", &file, "--as-of", day, "--quiet"], 0));
    named("name = \"shop\"");
    publish("2026-09-28");
    named("name = \"b\"\nwas = \"shop\"");
    publish("2026-09-29");
    named("name = \"c\"\nwas = \"b\"");
    publish("2026-09-30");
    // A day before the second renaming, also where the file no longer says that there was one.
    for lines in ["name = \"c\"\nwas = \"b\"", "name = \"c\""] {
        named(lines);
        let said = publish("2026-09-29");
        assert!(!said.contains("another pipeline"), "{said}");
        let newest = versions(&store).as_array().unwrap().len();
        let members = Table::read(&folder(&store, newest).join("memberships.parquet"));
        let entered = members.days("entered_on");
        let first = Some("2026-09-28".to_owned());
        assert!(!entered.is_empty() && entered.iter().all(|day| *day == first));
        for pair in [["1", "3"], ["1", &newest.to_string()]] {
            let found = json(&run(&["diff", &store, pair[0], pair[1], "--json"], 0));
            assert_eq!(found["same_pipeline"], true, "{found}");
        }
    }
}

#[test]
fn a_store_of_an_earlier_program_knows_its_pipeline_by_its_commits() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    run(&["run", &file, "--as-of", "2026-09-30", "--quiet"], 0);
    let record = dir.path().join("store/PIPELINES");
    fs::write(&record, "{").unwrap();
    let again = ["run", &file, "--as-of", "2026-09-30", "--quiet"];
    let said = stderr(&run(&again, 4));
    assert!(
        said.contains("remove it: the next run writes it from the commits"),
        "{said}"
    );
    fs::remove_file(&record).unwrap();
    run(&again, 0);
    fs::remove_file(&record).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name = \"shop\"", "name = \"other\"")).unwrap();
    run(&["run", &file, "--as-of", "2026-10-31", "--quiet"], 2);
}

#[test]
fn a_held_lock_is_named_and_only_writers_can_hold_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    run(&["run", &file, "--as-of", "2026-09-30", "--quiet"], 0);
    let path = dir.path().join("store/LOCK");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let arguments = ["run", &file, "--as-of", "2026-10-31", "--lock-wait", "1s"];
    let message = stderr(&run(&arguments, 5));
    let own = format!("held by process {}", std::process::id());
    assert!(
        message.contains(&own) && message.contains("nothing was published"),
        "{message}"
    );
    assert!(message.contains("--lock-wait"), "{message}");
    drop(held);
    run(&arguments, 0);
    assert_eq!(
        mode(&path),
        0o600,
        "a lock of an earlier program is closed to readers"
    );
}

#[test]
fn a_report_is_made_again_where_it_is_gone_empty_or_anothers() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let publish = |code| run(&["run", &file, "--as-of", "2026-09-30", "--quiet"], code);
    publish(0);
    let report = dir.path().join("store/reports/version-1.html");
    let whole = fs::read(&report).unwrap();
    let table = dir.path().join("store/latest/customers.parquet");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&report), mode(&table), "readable as the tables are");
    for other in [
        None,
        Some(&b""[..]),
        Some(b"<html>of another version</html>"),
        Some(&whole[..999]),
    ] {
        fs::remove_file(&report).unwrap();
        if let Some(other) = other {
            fs::write(&report, other).unwrap();
        }
        publish(0);
        assert!(fs::read(&report).unwrap() == whole);
    }
    // If the folder of reports is a link, nothing is written through it.
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(dir.path().join("store/reports"), &elsewhere).unwrap();
    symlink(&elsewhere, dir.path().join("store/reports")).unwrap();
    fs::remove_file(elsewhere.join("version-1.html")).unwrap();
    let message = stderr(&publish(6));
    assert!(
        message.contains("version 1 was published already; the report could not be written"),
        "{message}"
    );
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn what_killed_runs_left_is_counted_and_after_a_week_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let store = dir.path().join("store");
    let text = store.display().to_string();
    run(&["run", &file, "--as-of", "2026-09-30", "--quiet"], 0);
    let whole = tables(&folder(&text, 1));
    let leftovers = |code| json(&run(&["verify", &text, "--json"], code))["leftovers"].clone();
    assert_eq!(leftovers(0)["files"], 0);

    // Runs of 2020: one wrote its last file then, the other an hour ago. And drafts, one of them old.
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    let write = |path: PathBuf, is_old: bool| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "draft").unwrap();
        if is_old {
            for path in [path.as_path(), path.parent().unwrap()] {
                fs::File::open(path)
                    .unwrap()
                    .set_modified(long_ago)
                    .unwrap();
            }
        }
        path
    };
    let of_run = |day: &str, run: &str| store.join(format!("data/as_of={day}/run={run}/a.parquet"));
    let old = [
        write(of_run("2026-09-29", "0174876e8000-00000001-00000001"), true),
        write(of_run("2026-09-30", "0174876e8000-00000001-00000002"), true),
        write(store.join("tmp/1-2.json"), true),
    ];
    let young = [
        write(
            of_run("2026-09-30", "0174876e8000-00000001-00000003"),
            false,
        ),
        write(store.join("tmp/1-3.json"), false),
    ];
    // Of a name that no run has.
    let other = write(store.join("data/as_of=2026-09-30/mine/a.parquet"), true);
    assert_eq!(leftovers(0)["files"], 5);
    let said = stderr(&run(&["verify", &text], 0));
    assert!(
        said.contains("5 files (25 bytes) are of no version"),
        "{said}"
    );

    let removed = json(&run(&["repair", &text, "--json"], 0))["removed"].clone();
    assert_eq!(
        (&removed["files"], &removed["bytes"]),
        (&3.into(), &15.into())
    );
    assert!(old.iter().all(|path| !path.exists()));
    assert!(!store.join("data/as_of=2026-09-29").exists());
    assert!(young.iter().chain([&other]).all(|path| path.exists()));
    assert_eq!(tables(&folder(&text, 1)), whole);
    assert_eq!(leftovers(0)["files"], 2);
}

#[test]
fn a_store_in_the_folder_of_a_source_is_refused_before_the_first_night() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let text = fs::read_to_string(&file).unwrap();
    let own = format!("store = \"{}/store\"", dir.path().display());
    let with = |store: String| {
        assert!(text.contains(&own));
        fs::write(&file, text.replace(&own, &format!("store = \"{store}\""))).unwrap();
    };
    symlink(dir.path().join("lake"), dir.path().join("link")).unwrap();
    for inside in [
        "lake",
        "lake/store",
        "lake/a/b",
        "link/store",
        "lake/../lake/store",
    ] {
        with(format!("{}/{inside}", dir.path().display()));
        for command in [
            &["check", &file][..],
            &["run", &file, "--as-of", "2026-09-30"],
            &["plan", &file, "--as-of", "2026-09-30"],
        ] {
            let said = stderr(&run(command, 2));
            assert!(
                said.contains("lies in the folder of source `orders`")
                    && said.contains("shop.toml:"),
                "{said}"
            );
        }
    }
    assert_eq!(fs::read_dir(dir.path().join("lake")).unwrap().count(), 1);
    // Beside it, or where no source reads.
    for outside in ["lake-store", "lake/.store"] {
        with(format!("{}/{outside}", dir.path().display()));
        for day in ["2026-09-30", "2026-10-31"] {
            run(&["run", &file, "--as-of", day, "--quiet"], 0);
        }
    }
}

#[test]
fn a_store_in_what_a_pattern_would_match_after_the_first_night_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let text = fs::read_to_string(&file).unwrap();
    let own = format!("store = \"{}/store\"", dir.path().display());
    symlink(dir.path().join("lake"), dir.path().join("link")).unwrap();
    let whole = format!("path = \"{}/lake\"", dir.path().display());
    let matched = |pattern: &str, store: &str| {
        let path = format!("path = \"{}/{pattern}\"", dir.path().display());
        let store = format!("store = \"{}/{store}\"", dir.path().display());
        fs::write(&file, text.replace(&whole, &path).replace(&own, &store)).unwrap();
    };
    fs::create_dir(dir.path().join("lake/a")).unwrap();
    fs::copy(
        dir.path().join("lake/orders.csv"),
        dir.path().join("lake/a/orders.csv"),
    )
    .unwrap();
    for (pattern, store) in [
        ("lake/*", "lake/store"),
        ("lake/**", "lake/store"),
        // A table below is found whatever its files are called.
        ("lake/**/*.csv", "lake/store"),
        ("lake/*/*", "lake/store"),
        ("link/*/*", "lake/store"),
        ("./lake/*/*", "lake/store"),
        ("lake/*/*", "link/a"),
        ("l[a]ke/*", "lake/store"),
        ("lake/*/*.[cp]*", "lake/store"),
        ("*/*/*", "lake"),
        ("**/*.*", "store"),
    ] {
        matched(pattern, store);
        let said = stderr(&run(&["check", &file], 2));
        let expected = "lies in the path of source `orders`";
        assert!(said.contains(expected), "{pattern} {store}: {said}");
    }
    for (pattern, store) in [
        ("lake/*/*.csv", "lake/store"),
        ("lake/a/*", "lake/store"),
        ("lake/[a]/*", "lake/_store"),
        ("lake/*.csv", "lake/other"),
    ] {
        matched(pattern, store);
        for day in ["2026-09-30", "2026-10-31"] {
            run(&["run", &file, "--as-of", day, "--quiet"], 0);
        }
    }
}
