//! Scores without values, scores that no test could judge, and KPIs in which nobody differs.

use crate::versions::Case;

const BODY: &str = r#"
[value]
future = "coalesce(clv, 0)"

[scores.v]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "gamma_gamma"]
horizon = "365d"

[scores.health]
kind = "health"
from = "orders"
[scores.health.components]
recency = { feature = "recency_days", weight = 1, worst = 90, best = 0 }

[schemes.size]
kind = "rules"
rules = [{ segment = "much", when = "order_value_mean > 500" }]
otherwise = "little"

[gates]
distinguishable = { kpis = ["value_future", "spend_total"] }
"#;

/// Nobody has bought twice, and all came in the last weeks.
#[test]
fn what_has_no_values_and_what_could_not_be_judged_say_so() {
    let case = Case::new();
    case.pipeline(BODY);
    case.day("2026-02-01");
    let features = case.table("features");
    let (names, status) = (features.texts("name"), features.texts("status"));
    let of = |name: &str| {
        let row = names
            .iter()
            .position(|known| known.as_deref() == Some(name));
        status[row.unwrap()].clone().unwrap()
    };
    for name in ["clv", "expected_purchases", "value_future"] {
        assert_eq!(of(name), "not computed", "{name}");
    }
    assert_eq!(of("health"), "not validated");
    // Everybody is worth nothing in the future: that is no KPI, and spend is the only one.
    let quality = case.table("quality");
    let (metrics, status) = (quality.texts("metric"), quality.texts("status"));
    let limits = quality.floats("threshold");
    let rows = (0..quality.rows()).filter(|row| metrics[*row].as_deref() == Some("kpis_apart"));
    let found: Vec<_> = rows
        .map(|row| (status[row].clone().unwrap(), limits[row]))
        .collect();
    assert_eq!(found, vec![("ok".to_owned(), Some(1.0)); 2]);
}
