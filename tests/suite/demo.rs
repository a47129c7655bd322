//! The demo: a lake with known true parameters, its pipeline, its report.

use std::collections::BTreeMap;

use crate::program::{json, run};
use crate::table::Table;

#[test]
fn the_demo_ends_with_report_and_tables_and_a_second_run_publishes_nothing_new() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let first = json(&run(
        &[
            "demo",
            &path,
            "--months",
            "1",
            "--customers",
            "3000",
            "--json",
            "--quiet",
        ],
        0,
    ));
    assert_eq!(
        (
            first["version"].as_u64(),
            first["already_published"].as_bool()
        ),
        (Some(1), Some(false))
    );
    let html = std::fs::read_to_string(first["report"].as_str().unwrap()).unwrap();
    assert!(
        html.starts_with("<!")
            && !html.contains("http://")
            && !html.contains("<script src")
            && !html.contains("<link"),
        "the report must need no network"
    );

    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/store"));
    let again = [
        "run",
        "pipelines/demo.toml",
        "--as-of",
        "2026-10-31",
        "--var",
        &lake,
        "--var",
        &out,
        "--json",
        "--quiet",
    ];
    let second = json(&run(&again, 0));
    assert_eq!(
        (
            second["version"].as_u64(),
            second["already_published"].as_bool()
        ),
        (Some(1), Some(true))
    );

    let later = json(&run(
        &[
            "run",
            "pipelines/demo.toml",
            "--as-of",
            "2026-10-30",
            "--var",
            &lake,
            "--var",
            &out,
            "--json",
            "--quiet",
        ],
        0,
    ));
    assert_eq!(later["version"].as_u64(), Some(2));
    let store = format!("{path}/store/demo");
    let versions = json(&run(&["snapshots", &store, "--json"], 0));
    assert_eq!(versions.as_array().map(Vec::len), Some(2));
    assert_eq!(
        json(&run(&["verify", &store, "--json"], 0))["sound"].as_bool(),
        Some(true)
    );
}

#[test]
fn every_customer_has_exactly_one_segment_of_every_scheme_and_every_row_of_every_source_one_fate() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 2_000);
    let latest = dir.path().join("store/demo/latest");
    let customers = Table::read(&latest.join("customers.parquet"));
    let memberships = Table::read(&latest.join("memberships.parquet"));
    let (keys, schemes, reasons) = (
        memberships.texts("customer_id"),
        memberships.texts("scheme"),
        memberships.texts("reason"),
    );
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in 0..memberships.rows() {
        *seen
            .entry((keys[row].clone().unwrap(), schemes[row].clone().unwrap()))
            .or_default() += 1;
        assert!(!reasons[row].as_ref().unwrap().is_empty());
    }
    let scheme_count = seen
        .keys()
        .map(|(_, scheme)| scheme)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    assert!(scheme_count >= 6);
    assert_eq!(seen.len(), customers.rows() * scheme_count);
    assert!(seen.values().all(|count| *count == 1));

    let sources = Table::read(&latest.join("sources.parquet"));
    let number = |name: &str| sources.ints(name);
    let (rows, used, filtered, quarantined, dropped) = (
        number("rows"),
        number("used"),
        number("filtered"),
        number("quarantined"),
        number("dropped"),
    );
    for row in 0..sources.rows() {
        let sum = used[row].unwrap()
            + filtered[row].unwrap()
            + quarantined[row].unwrap()
            + dropped[row].unwrap();
        assert_eq!(rows[row], Some(sum), "{:?}", sources.texts("source")[row]);
    }
    let rejects = Table::read(&latest.join("rejects.parquet"));
    assert_eq!(
        rejects.rows() as i64,
        quarantined.iter().flatten().sum::<i64>()
    );
}

/// Three monthly versions: each follows the one before and applies what the first learned, so that nobody moves because a model is
/// another one, and the last report shows moves.
#[test]
fn the_demo_shows_who_moved_in_three_months() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    run(&["demo", &path, "--customers", "200", "--quiet"], 0);
    let store = format!("{path}/store/demo");
    let listed = json(&run(&["snapshots", &store, "--json"], 0));
    let days: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["as_of"].as_str().unwrap())
        .collect();
    assert_eq!(days, ["2026-08-31", "2026-09-30", "2026-10-31"]);
    let migrations = Table::read(&dir.path().join("store/demo/latest/migrations.parquet"));
    assert!(migrations.rows() > 20);
    let (schemes, causes) = (migrations.texts("scheme"), migrations.texts("cause"));
    let moves: std::collections::BTreeSet<(Option<String>, Option<String>)> =
        schemes.into_iter().zip(causes).collect();
    let moved = |scheme: &str, cause: &str| {
        moves.contains(&(Some(scheme.to_owned()), Some(cause.to_owned())))
    };
    assert!(
        moved("behaviour", "ageing") && moved("behaviour", "activity"),
        "{moves:?}"
    );
    assert!(!moved("behaviour", "model"), "{moves:?}");
    // What was learned is applied from then on. Some scores need more customers than there are in the first month.
    let mut learned: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    for commit in 1..=3 {
        let commit = dir
            .path()
            .join(format!("store/demo/commits/{commit:020}.json"));
        let commit: serde_json::Value =
            serde_json::from_slice(&std::fs::read(commit).unwrap()).unwrap();
        for artifact in commit["artifacts"].as_array().unwrap() {
            let of = artifact["of"].as_str().unwrap();
            if of.starts_with("scores.") || of == "schemes.behaviour" {
                let first = learned
                    .entry(of.to_owned())
                    .or_insert_with(|| artifact["id"].clone());
                assert_eq!(artifact["id"], *first, "{artifact}");
            }
        }
    }
    assert!(learned.len() > 2, "{learned:?}");
}
