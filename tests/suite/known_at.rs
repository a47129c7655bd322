//! A source with `known_at`, which states when its rows became known: a past run can be repeated with what was known then.

use std::path::Path;

use crate::program::run;
use crate::table::Table;

const PIPELINE: &str = r#"
spec_version = 1
name = "replay"
timezone = "UTC"
currency = "EUR"
store = "${out}/replay"
[vars]
lake = "."
out = "."
[customer]
key = "customer_id"
[sources.orders]
kind = "events"
path = "${lake}/orders.csv"
key = "customer_id"
time = "ordered_on"
known_at = "loaded_on"
[sources.orders.contract]
columns = { customer_id = "string", ordered_on = "date", loaded_on = "date", amount = "f64" }
missing_key = "fail"
duplicates = "keep"
[features]
use = ["rfm"]
"#;

/// Writes the pipeline and its lake; returns its file and the arguments for the folders of lake and store.
fn shop(dir: &Path, pipeline: &str) -> [String; 3] {
    std::fs::write(dir.join("replay.toml"), pipeline).unwrap();
    std::fs::write(
        dir.join("orders.csv"),
        "customer_id,ordered_on,loaded_on,amount\n\
         a,2026-05-01,2026-05-02,10\n\
         a,2026-05-20,2026-06-10,20\n\
         a,2026-05-25,2026-07-01,40\n",
    )
    .unwrap();
    [
        dir.join("replay.toml").display().to_string(),
        format!("lake={}", dir.display()),
        format!("out={}", dir.display()),
    ]
}

/// Another `--known-as-of` gives another version; the day of the run is the default.
#[test]
fn the_day_up_to_which_rows_are_known_can_be_stated() {
    let dir = tempfile::tempdir().unwrap();
    let [file, lake, out] = shop(dir.path(), PIPELINE);
    let day = |known: Option<&str>, code: i32| {
        let mut arguments = vec![
            "run",
            &file,
            "--as-of",
            "2026-05-31",
            "--var",
            &lake,
            "--var",
            &out,
            "--quiet",
        ];
        arguments.extend(known.map(|_| "--known-as-of"));
        arguments.extend(known);
        run(&arguments, code)
    };
    for (known, spend, unknown, state) in [
        (None, 10.0, 2, "published: version 1 "),
        (Some("2026-05-31"), 10.0, 2, "already published: version 1 "),
        (Some("2026-06-30"), 30.0, 1, "published: version 2 "),
        (Some("2026-11-01"), 70.0, 0, "published: version 3 "),
        (Some("2026-11-01"), 70.0, 0, "already published: version 3 "),
    ] {
        let stdout = day(known, 0).stdout;
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        assert!(stdout.starts_with(state), "{known:?}: {stdout}");
        let customers = Table::read(&dir.path().join("replay/latest/customers.parquet"));
        assert_eq!(customers.floats("spend_total"), [Some(spend)], "{known:?}");
        let sources = Table::read(&dir.path().join("replay/latest/sources.parquet"));
        assert_eq!(sources.ints("unknown"), [Some(unknown)], "{known:?}");
    }
    let told = String::from_utf8(day(Some("2999-01-01"), 2).stderr).unwrap();
    assert!(told.contains("an earlier `--known-as-of`"), "{told}");
    // An earlier day than that of the run leaves out the latest rows.
    day(Some("2026-05-01"), 3);
    let without = PIPELINE.replace("known_at = \"loaded_on\"\n", "");
    shop(dir.path(), &without);
    let told = String::from_utf8(day(Some("2026-06-30"), 2).stderr).unwrap();
    assert!(told.contains("no source states `known_at`"), "{told}");
}

/// Two orders of May were delivered late, in June and July: a run of May does not see them, one of June sees the first.
#[test]
fn rows_that_were_known_later_are_invisible() {
    let dir = tempfile::tempdir().unwrap();
    let [file, lake, out] = shop(dir.path(), PIPELINE);
    for (as_of, spend, orders) in [
        ("2026-05-31", 10.0, 1),
        ("2026-06-30", 30.0, 2),
        ("2026-07-31", 70.0, 3),
    ] {
        let arguments = [
            "run", &file, "--as-of", as_of, "--var", &lake, "--var", &out, "--quiet",
        ];
        run(&arguments, 0);
        let customers = Table::read(&dir.path().join("replay/latest/customers.parquet"));
        assert_eq!(customers.floats("spend_total"), [Some(spend)], "{as_of}");
        assert_eq!(customers.ints("order_count"), [Some(orders)], "{as_of}");
    }
}
