//! `latest` names the newest day, whatever the order in which days are run.

use std::path::Path;

use crate::program::{json, run};
use crate::table::Table;

/// A pipeline over a few orders; returns its file.
pub(crate) fn shop(dir: &Path) -> String {
    std::fs::create_dir_all(dir.join("lake")).unwrap();
    std::fs::write(
        dir.join("lake/orders.csv"),
        "customer_id,ordered_at,amount\na,2026-07-01,1\na,2026-10-20,2\nb,2026-09-15,4\nc,2026-08-20,8\n",
    )
    .unwrap();
    let file = dir.join("shop.toml");
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

[sources.orders.contract]
columns = {{ customer_id = "string", ordered_at = "date", amount = "f64" }}
missing_key = "quarantine"

[features]
use = ["rfm"]
"#,
        dir = dir.display()
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn an_older_day_run_later_does_not_move_latest_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let store = dir.path().join("store").display().to_string();
    let day = |as_of: &str| {
        let stdout = run(&["run", &file, "--as-of", as_of, "--quiet"], 0).stdout;
        String::from_utf8(stdout)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let shown = || {
        let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
        (customers.rows(), customers.floats("spend_total")[0])
    };
    let stays = "version 2 of 2026-08-31; latest is still 2026-10-31 (version 1)";
    assert_eq!(day("2026-10-31"), "published: version 1 of 2026-10-31");
    assert_eq!(day("2026-08-31"), format!("published: {stays}"));
    assert_eq!(shown(), (3, Some(3.0)), "the dashboard still shows October");
    assert_eq!(day("2026-08-31"), format!("already published: {stays}"));
    let repaired = run(&["repair", &store], 0).stdout;
    assert_eq!(
        String::from_utf8_lossy(&repaired),
        "latest is version 1 of 2026-10-31\n"
    );

    // A version of August is now before that of October, so October is outdated until it is run again.
    let versions = json(&run(&["snapshots", &store, "--json"], 0));
    assert_eq!(versions[0]["outdated"], true);
    assert_eq!(versions[1]["outdated"], false);
    assert_eq!(day("2026-10-31"), "published: version 3 of 2026-10-31");
    assert_eq!(
        day("2026-10-31"),
        "already published: version 3 of 2026-10-31"
    );
    let versions = json(&run(&["snapshots", &store, "--json"], 0));
    assert_eq!(versions[0]["superseded_by"], 3);
    assert_eq!(
        (&versions[2]["latest"], &versions[2]["outdated"]),
        (&true.into(), &false.into())
    );
    assert_eq!(shown(), (3, Some(3.0)));
    run(&["verify", &store], 0);
}
