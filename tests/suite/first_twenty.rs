//! The first customers by value at risk: by what happens to them then, more is lost with them than with those whom other orders put
//! first, and as much as it says.

use crate::oracle::{python, script};
use crate::program::{public_data, run};

/// What is asserted, and how far chance reaches, is in `first_twenty.py`. On one lake two or three of the twenty decide, and most of the
/// money is with a few subscribers, so chance hides on it by how much the twenty are better than the twenty with most value now. Ten
/// lakes of 20,000 customers on the same four days (200,000 customers of `tessera demo --seed 11` in ten parts) show it; losses
/// relative to those of the first twenty by value now, with standard errors over the lakes:
///
/// | the first twenty by | a month | planted | better a month, planted |
/// |---|---|---|---|
/// | value at risk | 1.25 ± 0.04 | 1.15 ± 0.04 | 10 and 8 of 10 |
/// | boosted trees on all features, learned from 160,000 of these customers on the same days | 1.28 ± 0.09 | 1.21 ± 0.08 | 9 and 9 |
/// | the planted rate and dropout of each customer, which nobody knows | 1.68 ± 0.09 | 1.41 ± 0.10 | 10 and 9 |
/// | what then happens | 3.27 | 3.27 | 10 and 10 |
#[test]
fn more_is_lost_with_the_first_twenty_by_value_at_risk_than_with_any_other_twenty() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 20_000);
    // The lake ends 90 days after the last of these days.
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/then"));
    let days = [
        "--from",
        "2025-11-02",
        "--to",
        "2026-08-02",
        "--every",
        "3mo",
    ];
    let from = ["--var", &lake, "--var", &out, "--quiet"];
    run(
        &[&["backfill", "pipelines/demo.toml"], &days[..], &from].concat(),
        0,
    );
    let (lake, store) = (format!("{path}/lake"), format!("{path}/then/demo"));
    script(
        &python,
        "first_twenty.py",
        &[&lake, &store, "pipelines/demo.toml"],
    );
}

/// Orders of Online Retail on two days whose next 90 are in the data. Money is net of cancellations; what is asserted is in
/// `first_of_shop.py`. With `clv` as future value less is lost with the first than with those by value now.
#[test]
fn more_is_lost_with_the_first_of_online_retail_by_value_at_risk_than_with_any_others() {
    let (Some(data), Some(python)) = (public_data("online_retail"), python()) else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let (data, out) = (data.display().to_string(), out.path().display().to_string());
    let (lake, store) = (format!("lake={data}"), format!("out={out}"));
    let to = ["--var", &lake, "--var", &store, "--quiet"];
    for day in ["2011-06-12", "2011-09-10"] {
        let day = ["run", "pipelines/online_retail.toml", "--as-of", day];
        run(&[&day[..], &to].concat(), 0);
    }
    let store = format!("{out}/online_retail");
    script(&python, "first_of_shop.py", &[&data, &store]);
}
