//! Doubts about a score are shown at every number made from it; segments of customers who have left are marked as lost, with the
//! value of winning one of them back.

use std::collections::BTreeMap;
use std::path::Path;

use crate::program::{public_data, root, run};
use crate::table::Table;

/// Status and reason of each name under `made from scores` in `quality`.
fn made_from_scores(latest: &Path) -> BTreeMap<String, (String, String)> {
    let quality = Table::read(&latest.join("quality.parquet"));
    let (schemes, criteria) = (quality.texts("scheme"), quality.texts("criterion"));
    let (metrics, reasons) = (quality.texts("metric"), quality.texts("reason"));
    (0..quality.rows())
        .filter(|&row| criteria[row].as_deref() == Some("made from scores"))
        .map(|row| {
            let told = (metrics[row].clone().unwrap(), reasons[row].clone().unwrap());
            (schemes[row].clone().unwrap(), told)
        })
        .collect()
}

/// Runs a pipeline of a name; returns the folder of its tables and its output.
fn shipped(
    (name, file): (&str, &str),
    as_of: &str,
    lake: &Path,
    out: &Path,
) -> (std::path::PathBuf, String) {
    let (lake, store) = (lake.display().to_string(), out.display().to_string());
    let (lake, store) = (format!("lake={lake}"), format!("out={store}"));
    let shown = run(
        &[
            "run", file, "--as-of", as_of, "--var", &lake, "--var", &store,
        ],
        0,
    );
    let told = String::from_utf8_lossy(&shown.stdout).into_owned()
        + &String::from_utf8_lossy(&shown.stderr);
    (out.join(name).join("latest"), told)
}

#[test]
fn a_lifetime_model_that_lets_everyone_live_marks_the_value_of_online_retail() {
    let Some(data) = public_data("online_retail") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    // Value that is made from it; that of the shipped pipeline is not.
    let shown = std::fs::read_to_string(root().join("pipelines/online_retail.toml")).unwrap();
    let future = r#"future = "greatest(spend_182d - cancelled_182d, 0)""#;
    assert!(shown.contains(future));
    let file = out.path().join("online_retail.toml");
    std::fs::write(&file, shown.replace(future, r#"future = "clv""#)).unwrap();
    let file = file.display().to_string();
    let name = ("online_retail", file.as_str());
    let (latest, told) = shipped(name, "2011-12-09", &data, out.path());
    let quality = Table::read(&latest.join("quality.parquet"));
    let (metrics, values) = (quality.texts("metric"), quality.floats("value"));
    let (status, reasons) = (quality.texts("status"), quality.texts("reason"));
    let metric = "probability of being alive of those silent longest";
    let row = metrics
        .iter()
        .position(|m| m.as_deref() == Some(metric))
        .unwrap();
    assert_eq!(status[row].as_deref(), Some("flagged"));
    assert!(values[row].unwrap() > 0.95, "{:?}", values[row]);
    println!("{}", reasons[row].as_ref().unwrap());
    let made = made_from_scores(&latest);
    assert_eq!(made["value_future"].0, "flagged");
    assert_eq!(made["value_at_risk"].0, "flagged");
    // Tiers are by past spend, which is not in doubt.
    assert!(!made.contains_key("value_tier"));
    assert!(told.contains("To be read with care"), "{told}");
}

#[test]
fn a_base_rate_marks_the_kpi_of_ravenstack_and_meets_no_target() {
    let Some(data) = public_data("ravenstack") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let (latest, told) = shipped(
        ("ravenstack", "pipelines/ravenstack.toml"),
        "2024-12-31",
        &data,
        out.path(),
    );
    let segments = Table::read(&latest.join("segments.parquet"));
    let (status, reason) = (segments.texts("kpi_status"), segments.texts("kpi_reason"));
    for row in 0..segments.rows() {
        assert_eq!(status[row].as_deref(), Some("base rate"));
        let reason = reason[row].as_deref().unwrap();
        assert!(
            reason.starts_with("score `churn`: no model is used"),
            "{reason}"
        );
    }
    assert!(!told.contains(": met"), "{told}");
    assert!(made_from_scores(&latest)["value_at_risk"].0 == "base rate");
}

/// How many columns the dictionary marks. It says the same of every column as the segments do, and the report shows no other reason.
fn marked_columns(dir: &Path, made: &BTreeMap<String, (String, String)>) -> usize {
    let latest = dir.join("store/demo/latest");
    let segments = Table::read(&latest.join("segments.parquet"));
    let features = Table::read(&latest.join("features.parquet"));
    let (names, status) = (features.texts("name"), features.texts("status"));
    let reasons = features.texts("status_reason");
    let kpi = (segments.texts("kpi_status"), segments.texts("kpi_reason"));
    let report = std::fs::read_to_string(dir.join("store/demo/reports/version-1.html"));
    let report = report.unwrap();
    let mut marked = 0;
    for row in 0..features.rows() {
        let name = names[row].as_deref().unwrap();
        let told = (status[row].clone(), reasons[row].clone());
        if let Some((status, reason)) = made.get(name) {
            assert_eq!(told, (Some(status.clone()), Some(reason.clone())), "{name}");
        }
        if name == "churn_probability" {
            assert_eq!(told, (kpi.0[0].clone(), kpi.1[0].clone()));
        }
        if let Some(reason) = &reasons[row] {
            let (_, why) = reason.split_once("`: ").unwrap();
            let first = why.split(';').next().unwrap().replace('\'', "&#x27;");
            let first: String = first.chars().take(100).collect();
            assert!(
                report.contains(first.trim_end_matches('.')),
                "{name}: {first}"
            );
            marked += 1;
        }
    }
    marked
}

#[test]
fn segments_of_the_demo_name_who_has_left_and_tiers_take_the_mark_of_their_score() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 3_000);
    let latest = dir.path().join("store/demo/latest");
    let customers = Table::read(&latest.join("customers.parquet"));
    let excluded = customers.texts("churn_excluded");
    let (past, tenure) = (
        customers.floats("value_past"),
        customers.ints("tenure_days"),
    );
    let recency = customers.ints("recency_days");
    // Who has left the shop and subscribes can still be lost.
    let at_risk = customers.floats("value_at_risk");
    let segments = Table::read(&latest.join("segments.parquet"));
    let (schemes, names) = (segments.texts("scheme"), segments.texts("segment"));
    let (standing, left) = (segments.texts("standing"), segments.ints("left_customers"));
    let worth = segments.floats("win_back_value");
    let mut lost = 0;
    for row in 0..segments.rows() {
        let member = customers.texts(schemes[row].as_ref().unwrap());
        let members = (0..customers.rows()).filter(|&c| member[c] == names[row]);
        let (mut gone, mut living, mut brought) = (0, 0, 0.0);
        for customer in members {
            match excluded[customer].as_deref() {
                None => living += 1,
                // Who never bought may have a subscription that runs.
                Some(_) if at_risk[customer].is_some() => living += 1,
                Some("churned before") => {
                    gone += 1;
                    let days = (tenure[customer].unwrap() - recency[customer].unwrap()) as f64;
                    // From the first order until a horizon of the score after the last one.
                    let month = 365.25 / 12.0;
                    brought += past[customer].unwrap() * month / (days + 90.0);
                }
                Some(_) => {}
            }
        }
        let expected = if gone > living { "lost" } else { "living" };
        assert_eq!(standing[row].as_deref(), Some(expected), "{:?}", names[row]);
        assert_eq!(left[row], Some(gone));
        match worth[row] {
            Some(worth) => {
                let mean = brought / gone as f64;
                assert!(
                    (worth - mean).abs() <= 1e-9 * mean.abs().max(1.0),
                    "{worth} {mean}"
                );
            }
            None => assert_eq!(gone, 0),
        }
        lost += i32::from(expected == "lost");
    }
    assert!(lost > 2, "{lost}");
    let made = made_from_scores(&latest);
    let status = segments.texts("scheme_status");
    for row in 0..segments.rows() {
        let expected = made.get(schemes[row].as_ref().unwrap());
        let expected = expected.map_or("ok", |(status, _)| status.as_str());
        assert_eq!(status[row].as_deref(), Some(expected));
    }
    let marked = marked_columns(dir.path(), &made);
    assert!(marked > 3, "{marked}");
    // The tiers are by `value_future`, and the rules read the tiers.
    assert_eq!(made.get("value_tier"), made.get("value_future"));
}

/// Who subscribes and no longer orders is not lost, also where `risk` forgets the subscription; that it does is said.
#[test]
fn who_can_be_lost_in_another_line_of_business_has_not_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 1_500);
    let file = dir.path().join("demo.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.starts_with("risk ")).unwrap();
    std::fs::write(&file, text.replace(line, "risk = \"churn_probability\"")).unwrap();
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/other"));
    let output = run(
        &[
            "run",
            &file.display().to_string(),
            "--as-of",
            "2026-10-31",
            "--var",
            &lake,
            "--var",
            &out,
        ],
        0,
    );
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("customers can be lost by `leaving_probability` and have a future value"),
        "{told}"
    );
    let latest = dir.path().join("other/demo/latest");
    let customers = Table::read(&latest.join("customers.parquet"));
    let excluded = customers.texts("churn_excluded");
    let runs = customers.floats("leaving_probability");
    let gone =
        |row: &usize| excluded[*row].as_deref() == Some("churned before") && runs[*row].is_none();
    let gone = (0..customers.rows()).filter(gone).count() as i64;
    let stay =
        |row: &usize| excluded[*row].as_deref() == Some("churned before") && runs[*row].is_some();
    assert!(gone > 0 && (0..customers.rows()).any(|row| stay(&row)));
    let segments = Table::read(&latest.join("segments.parquet"));
    let (schemes, left) = (segments.texts("scheme"), segments.ints("left_customers"));
    let of_market = schemes
        .iter()
        .zip(left)
        .filter(|row| row.0.as_deref() == Some("market"));
    assert_eq!(of_market.filter_map(|row| row.1).sum::<i64>(), gone);
}
