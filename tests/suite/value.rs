//! Value and value at risk, per customer and per segment.

use std::collections::BTreeMap;

use crate::program::{root, run};
use crate::table::Table;

const WORTH: [&str; 4] = ["value_now", "value_future", "value_past", "value_at_risk"];

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(1.0)
}

#[test]
fn value_at_risk_is_probability_times_future_value_and_segments_sum_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 3_000);
    let latest = dir.path().join("store/demo/latest");
    let customers = Table::read(&latest.join("customers.parquet"));
    let of = |name: &str| customers.floats(name);
    let (clv, residual) = (of("clv"), of("renewal_residual_value"));
    let (purchases, spend) = (of("expected_purchases"), of("expected_spend"));
    let (mrr, total, churn) = (of("mrr_now"), of("spend_total"), of("churn_probability"));
    let leaving = of("leaving_probability");
    let worth = WORTH.map(of);
    let mut at_risk = 0;
    for row in 0..customers.rows() {
        let bought = purchases[row]
            .zip(spend[row])
            .map_or(0.0, |(n, each)| n * each);
        let now = mrr[row].unwrap() + bought / 12.0;
        let future = clv[row].unwrap_or(0.0) + residual[row].unwrap_or(0.0);
        assert!(close(worth[0][row].unwrap(), now), "now of row {row}");
        assert!(close(worth[1][row].unwrap(), future), "future of row {row}");
        assert_eq!(worth[2][row], total[row]);
        // Lost by the end of the subscription; who has none, in the shop.
        let risk = leaving[row].or(churn[row]);
        assert_eq!(worth[3][row].is_some(), risk.is_some());
        if let (Some(found), Some(risk)) = (worth[3][row], risk) {
            assert!(close(found, risk * future), "at risk of row {row}");
            at_risk += 1;
        }
    }
    assert!(at_risk > 500 && at_risk < customers.rows());

    let segments = Table::read(&latest.join("segments.parquet"));
    let (schemes, names) = (segments.texts("scheme"), segments.texts("segment"));
    let (value, counted) = (segments.floats("value"), segments.ints("kpi_customers"));
    for (place, name) in WORTH.into_iter().enumerate() {
        let published = segments.floats(name);
        for row in 0..segments.rows() {
            let member = customers.texts(schemes[row].as_ref().unwrap());
            let own: Vec<f64> = (0..customers.rows())
                .filter(|&customer| member[customer] == names[row])
                .filter_map(|customer| worth[place][customer])
                .collect();
            let sum: f64 = own.iter().sum();
            assert_eq!(published[row].is_some(), !own.is_empty());
            assert!(
                close(published[row].unwrap_or(0.0), sum),
                "{name} of row {row}"
            );
            if place == 0 {
                assert_eq!(value[row].unwrap_or(0.0), published[row].unwrap_or(0.0));
            }
            let known = (0..customers.rows())
                .filter(|&customer| member[customer] == names[row] && churn[customer].is_some());
            assert_eq!(counted[row], Some(known.count() as i64), "the KPI's");
        }
    }
}

#[test]
fn without_a_declaration_the_choice_is_stated_with_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 500);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let (before, rest) = shipped.split_once("[value]\n").unwrap();
    let (_, after) = rest.split_once("# The customer base").unwrap();
    let text = format!("{before}# The customer base{after}")
        .replace("\"value_future\"", "\"clv\"")
        .replace("\"value_now\", ", "");
    let file = format!("{path}/demo.toml");
    std::fs::write(&file, text).unwrap();
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/store"));
    let arguments = [
        "run",
        &file,
        "--as-of",
        "2026-10-30",
        "--var",
        &lake,
        "--var",
        &out,
    ];
    let said = String::from_utf8_lossy(&run(&arguments, 0).stderr).into_owned();
    assert!(
        said.contains("no [value] is declared") && said.contains("`spend_total`"),
        "{said}"
    );
    let folder = dir.path().join("store/demo/data/as_of=2026-10-30");
    let folder = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let segments = Table::read(&folder.path().join("segments.parquet"));
    assert!(segments.floats("value").iter().all(Option::is_some));
    assert!(segments.floats("value_at_risk").iter().all(Option::is_none));
    let sums: BTreeMap<_, _> = segments
        .texts("scheme")
        .into_iter()
        .zip(segments.floats("value"))
        .collect();
    assert!(!sums.is_empty());
}
