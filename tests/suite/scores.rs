//! Scores through the pipeline: figures of the literature, true parameters of the demo, and scores for which the data is not
//! enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::program::{public_data, run};
use crate::table::Table;

/// Runs a pipeline file with its store in `out`.
fn run_pipeline(file: &str, as_of: &str, lake: &Path, out: &Path) {
    let (lake, store) = (
        format!("lake={}", lake.display()),
        format!("out={}", out.display()),
    );
    let arguments = [
        "run", file, "--as-of", as_of, "--var", &lake, "--var", &store, "--quiet",
    ];
    run(&arguments, 0);
}

/// The rows of `models` of one score, by model and name.
fn parameters(
    store: &Path,
    score: &str,
) -> BTreeMap<(String, String), (Option<f64>, Option<String>)> {
    let models = Table::read(&store.join("latest/models.parquet"));
    let (scores, names) = (models.texts("score"), models.texts("name"));
    let (model, values, texts) = (
        models.texts("model"),
        models.floats("value"),
        models.texts("text"),
    );
    (0..models.rows())
        .filter(|&row| scores[row].as_deref() == Some(score))
        .map(|row| {
            let key = (model[row].clone().unwrap(), names[row].clone().unwrap());
            (key, (values[row], texts[row].clone()))
        })
        .collect()
}

#[test]
fn cdnow_models_hold_the_published_parameters_in_weeks() {
    let Some(data) = public_data("cdnow") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    run_pipeline("pipelines/cdnow.toml", "1997-09-30", &data, out.path());
    let found = parameters(&out.path().join("cdnow"), "value");
    // Fader, Hardie & Lee 2005; Batislam et al. 2007; Schmittlein et al. 1987; Fader & Hardie 2013, on the unrounded table.
    let published = [
        ("bg_nbd", "r", 0.24259, 1e-3),
        ("bg_nbd", "alpha", 4.4136, 1e-3),
        ("bg_nbd", "a", 0.79292, 1e-3),
        ("bg_nbd", "b", 2.4259, 1e-3),
        ("mbg_nbd", "r", 0.52484, 1e-3),
        ("mbg_nbd", "alpha", 6.18309, 1e-3),
        ("mbg_nbd", "a", 0.89136, 1e-3),
        ("mbg_nbd", "b", 1.61400, 1e-3),
        ("pareto_nbd", "r", 0.55328, 1e-3),
        ("pareto_nbd", "alpha", 10.5777, 1e-3),
        ("pareto_nbd", "s", 0.60624, 1e-3),
        ("pareto_nbd", "beta", 11.6687, 1e-2),
        ("gamma_gamma", "p", 6.2496, 1e-3),
        ("gamma_gamma", "q", 3.7442, 1e-3),
        ("gamma_gamma", "gamma", 15.4435, 1e-3),
        ("gamma_gamma", "correlation", 0.11388, 1e-3),
    ];
    for (model, name, value, relative) in published {
        let found = found[&(model.to_owned(), name.to_owned())].0.unwrap();
        assert!(
            (found / value - 1.0).abs() <= relative,
            "{model} {name}: {found} is not {value}"
        );
    }
    for (model, value) in [
        ("bg_nbd", -9_582.429),
        ("mbg_nbd", -9_582.136),
        ("pareto_nbd", -9_594.976),
        ("gamma_gamma", -4_055.918),
    ] {
        let key = (model.to_owned(), "log_likelihood".to_owned());
        let found = found[&key].0.unwrap();
        assert!(
            (found - value).abs() <= 1e-2,
            "{model}: {found} is not {value}"
        );
    }
    let unit = &found[&("mbg_nbd".to_owned(), "time_unit".to_owned())].1;
    assert_eq!(unit.as_deref(), Some("weeks"));
}

/// The customer of DEFINITIONS §9: x = 2, t_x = 30.43 weeks, T = 38.86 weeks under MBG/NBD.
#[test]
fn cdnow_customers_have_the_published_expectations() {
    let Some(data) = public_data("cdnow") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    run_pipeline("pipelines/cdnow.toml", "1997-09-30", &data, out.path());
    let customers = Table::read(&out.path().join("cdnow/latest/customers.parquet"));
    let (x, t_x, tenure) = (
        customers.ints("repeat_occasions"),
        customers.ints("t_x_days"),
        customers.ints("tenure_days"),
    );
    let row = (0..customers.rows())
        .find(|&row| (x[row], t_x[row], tenure[row]) == (Some(2), Some(213), Some(272)))
        .unwrap();
    let alive = customers.floats("alive_probability")[row].unwrap();
    let purchases = customers.floats("expected_purchases")[row].unwrap();
    assert!((alive - 0.70620).abs() < 1e-3, "{alive}");
    assert!((purchases - 1.26296).abs() < 1e-3, "{purchases}");
    let once = (0..customers.rows())
        .find(|&row| (x[row], tenure[row]) == (Some(0), Some(272)))
        .unwrap();
    let alive = customers.floats("alive_probability")[once].unwrap();
    assert!((alive - 0.38974).abs() < 1e-3, "{alive}");
    // Every estimate is within its intervals, and the 80% interval within the 95% interval.
    let intervals = Table::read(&out.path().join("cdnow/latest/score_intervals.parquet"));
    let (keys, columns) = (
        intervals.ints("customer_id"),
        intervals.texts("column_name"),
    );
    let estimates = intervals.floats("estimate");
    let ends = ["low_95", "low_80", "high_80", "high_95"].map(|end| intervals.floats(end));
    let ids = customers.ints("customer_id");
    let names: BTreeSet<&str> = columns.iter().flatten().map(String::as_str).collect();
    let published: BTreeMap<&str, _> = names.iter().map(|n| (*n, customers.floats(n))).collect();
    let mut seen = BTreeMap::new();
    for row in 0..intervals.rows() {
        let name = columns[row].as_deref().unwrap();
        let ends = ends.each_ref().map(|end| end[row].unwrap());
        let estimate = estimates[row].unwrap();
        let customer = ids.binary_search(&keys[row]).unwrap();
        assert!(ends.is_sorted(), "{name} of row {row}: {ends:?}");
        assert!(
            ends[0] <= estimate && estimate <= ends[3],
            "{name} of row {row}"
        );
        assert_eq!(
            published[name][customer],
            Some(estimate),
            "{name} of row {row}"
        );
        *seen.entry(name).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(
        seen.values().all(|&rows| rows == customers.rows()),
        "{seen:?}"
    );
}

#[test]
fn ravenstack_the_base_rate_serves_and_the_report_says_why() {
    let Some(data) = public_data("ravenstack") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    run_pipeline("pipelines/ravenstack.toml", "2024-12-31", &data, out.path());
    let store = out.path().join("ravenstack");
    let found = parameters(&store, "churn");
    let text = |name: &str| {
        let key = ("choice".to_owned(), name.to_owned());
        found[&key].1.clone().unwrap()
    };
    assert_eq!(text("served"), "base_rate", "{}", text("reason"));
    let customers = Table::read(&store.join("latest/customers.parquet"));
    let mut probabilities = customers.floats("churn_probability");
    probabilities.retain(Option::is_some);
    probabilities.dedup();
    assert_eq!(
        probabilities.len(),
        1,
        "everyone still there has the base rate"
    );
    let report = std::fs::read_to_string(store.join("reports/version-1.html")).unwrap();
    let said = text("reason").replace('\'', "&#x27;");
    assert!(
        report.contains("base rate"),
        "the report names what is used"
    );
    assert!(
        report.contains("not validated: no model is used") && !report.contains("meets the target"),
        "a KPI from a base rate meets no target"
    );
    assert!(
        report.contains(&said) || report.contains(said.trim_end_matches('.')),
        "the report gives the reason: {said}"
    );
    // The health score does not predict churn here, and is flagged.
    let quality = Table::read(&store.join("latest/quality.parquet"));
    let (schemes, status) = (quality.texts("scheme"), quality.texts("status"));
    let health = (0..quality.rows()).find(|&row| schemes[row].as_deref() == Some("health"));
    assert_eq!(status[health.unwrap()].as_deref(), Some("flagged"));
}

/// An end after `as_of` is not known yet: its row is valid, and the interval is running.
#[test]
fn ravenstack_contracts_that_end_later_are_running() {
    let Some(data) = public_data("ravenstack") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    run_pipeline("pipelines/ravenstack.toml", "2024-06-30", &data, out.path());
    let store = out.path().join("ravenstack");
    let sources = Table::read(&store.join("latest/sources.parquet"));
    let names = sources.texts("source");
    let row = names
        .iter()
        .position(|name| name.as_deref() == Some("subscriptions"));
    assert_eq!(sources.ints("quarantined")[row.unwrap()], Some(0));
    let text = std::fs::read_to_string(data.join("ravenstack_subscriptions.csv")).unwrap();
    let running = text.lines().skip(1).filter(|line| {
        let mut fields = line.split(',').skip(2);
        let (start, end) = (fields.next().unwrap(), fields.next().unwrap());
        start <= "2024-06-30" && (end.is_empty() || end > "2024-06-30")
    });
    let customers = Table::read(&store.join("latest/customers.parquet"));
    let forecast = customers.floats("renewal_survival_probability");
    assert_eq!(forecast.iter().flatten().count(), running.count());
}

/// Compared with the demo's truth: who is still a customer at the end of the lake, and the mean value of their orders. Chance
/// would give an area of 0.5 and a correlation of 0.
#[test]
fn demo_scores_recover_the_planted_truth() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 5_000);
    let customers = Table::read(&dir.path().join("store/demo/latest/customers.parquet"));
    let truth = Table::read(&dir.path().join("lake/truth/customers.parquet"));
    let stays: BTreeMap<_, _> = truth
        .texts("customer_id")
        .into_iter()
        .zip(
            truth
                .numbers("alive_at_end")
                .into_iter()
                .zip(truth.floats("order_value_expected")),
        )
        .collect();
    let keys = customers.texts("customer_id");
    let (alive, churn, spend) = (
        customers.floats("alive_probability"),
        customers.floats("churn_probability"),
        customers.floats("expected_spend"),
    );
    let (mut by_alive, mut by_churn, mut spends) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..customers.rows() {
        let Some(&(Some(stayed), Some(worth))) = stays.get(&keys[row]) else {
            continue;
        };
        if let (Some(alive), Some(spend)) = (alive[row], spend[row]) {
            by_alive.push((alive, stayed == 1.0));
            spends.push((spend, worth));
        }
        // Of those who can churn.
        by_churn.extend(churn[row].map(|churn| (-churn, stayed == 1.0)));
    }
    assert!(by_alive.len() > 4_000);
    assert!(area(&by_alive) > 0.8, "alive: {}", area(&by_alive));
    assert!(by_churn.len() > 1_500 && by_churn.len() < by_alive.len());
    assert!(area(&by_churn) > 0.7, "churn: {}", area(&by_churn));
    assert!(
        correlation(&spends) > 0.75,
        "spend: {}",
        correlation(&spends)
    );
}

/// Share of pairs of a customer who stayed and one who left in which the first has the higher score; ties count half.
fn area(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut left, mut won, mut stayed) = (0.0, 0.0, 0.0);
    for tie in sorted.chunk_by(|a, b| a.0 == b.0) {
        let good = tie.iter().filter(|row| row.1).count() as f64;
        let bad = tie.len() as f64 - good;
        won += good * (left + bad / 2.0);
        (left, stayed) = (left + bad, stayed + good);
    }
    won / (left * stayed)
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (a, b) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let both = sum(&|p| (p.0 - a) * (p.1 - b));
    both / (sum(&|p| (p.0 - a).powi(2)) * sum(&|p| (p.1 - b).powi(2))).sqrt()
}

#[test]
fn rows_after_as_of_change_no_byte_of_a_score() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 2_000);
    let lake = dir.path().join("lake");
    let tables = |out: &str| -> Vec<Vec<u8>> {
        let out = dir.path().join(out);
        run_pipeline("pipelines/demo.toml", "2026-08-31", &lake, &out);
        [
            "customers",
            "memberships",
            "segments",
            "profiles",
            "models",
            "calibration",
            "quality",
        ]
        .map(|table| std::fs::read(out.join(format!("demo/latest/{table}.parquet"))).unwrap())
        .into()
    };
    let before = tables("before");
    for month in ["2026-09", "2026-10"] {
        std::fs::remove_dir_all(lake.join(format!("orders/month={month}"))).unwrap();
    }
    assert!(before == tables("after"), "the future shows in a table");
}

#[test]
fn what_the_data_cannot_carry_is_null_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("orders.csv");
    std::fs::write(
        &lake,
        "customer_id,ordered_at,amount\na,2026-01-02,10\nb,2026-01-03,20\n",
    )
    .unwrap();
    let pipeline = folder.path().join("tiny.toml");
    let text = r#"
spec_version = 1
name = "tiny"
timezone = "UTC"
currency = "EUR"
store = "${out}/tiny"
[vars]
lake = "."
out = "."
[customer]
key = "customer_id"
[sources.orders]
kind = "events"
path = "${lake}/orders.csv"
key = "customer_id"
time = "ordered_at"
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64" }
missing_key = "fail"
[features]
use = ["rfm"]
[scores.churn]
kind = "supervised"
from = "orders"
horizon = "30d"
[scores.value]
kind = "clv"
from = "orders"
models = ["pareto_nbd", "gamma_gamma"]
horizon = "90d"
"#;
    std::fs::write(&pipeline, text).unwrap();
    let file = pipeline.display().to_string();
    run_pipeline(&file, "2026-01-31", folder.path(), folder.path());
    let store = folder.path().join("tiny");
    let customers = Table::read(&store.join("latest/customers.parquet"));
    assert_eq!(customers.floats("churn_probability"), [None, None]);
    assert_eq!(customers.floats("clv"), [None, None]);
    let quality = Table::read(&store.join("latest/quality.parquet"));
    let (schemes, status, reasons) = (
        quality.texts("scheme"),
        quality.texts("status"),
        quality.texts("reason"),
    );
    for score in ["churn", "value"] {
        let said = (0..quality.rows()).any(|row| {
            schemes[row].as_deref() == Some(score)
                && status[row].as_deref() == Some("not computed")
                && reasons[row]
                    .as_ref()
                    .is_some_and(|reason| reason.len() > 20)
        });
        assert!(said, "{score} says why it was not computed");
    }
    let report = std::fs::read_to_string(store.join("reports/version-1.html")).unwrap();
    assert!(report.contains("not computed") || report.contains("Not computed"));
}
