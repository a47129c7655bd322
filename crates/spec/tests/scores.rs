//! Scores as they are read: stated settings and defaults, in the canonical form.

use serde_json::{Value, json};
use tessera_pipeline::syntax;
use tessera_spec::pipeline::Score;

/// A pipeline with the sources that scores read.
const FRAME: &str = r#"spec_version = 1
name = "p"
timezone = "UTC"
currency = "EUR"
store = "s"
[customer]
key = "id"
[sources.orders]
kind = "events"
path = "p"
key = "id"
time = "at"
contract = { missing_key = "drop" }
[sources.contracts]
kind = "intervals"
path = "p"
key = "id"
time = "began"
until = "ended"
contract = { missing_key = "drop" }
[sources.accounts]
kind = "attributes"
path = "p"
key = "id"
contract = { missing_key = "drop" }
"#;

/// The scores of a text below the frame.
fn scores(text: &str) -> Vec<Score> {
    let (pipeline, found) =
        tessera_spec::parse(&format!("{FRAME}{text}"), "p.toml", &[], &syntax());
    assert!(found.is_empty(), "{}", found.render(false));
    pipeline.unwrap().scores
}

/// The settings of the only score of a text.
fn only(text: &str) -> Value {
    let mut scores = scores(text);
    assert_eq!(scores.len(), 1);
    json!(scores.pop().unwrap().kind)
}

#[test]
fn what_a_supervised_score_leaves_out() {
    let text = "[scores.a]\nkind = \"supervised\"\nfrom = \"contracts\"\nhorizon = \"4w\"";
    let wanted = json!({
        "kind": "supervised", "from": "contracts", "label": null, "horizon_days": 28, "population": null, "features": [],
        "models": ["logistic", "random_forest", "recency_rule"], "observations": 4, "every_days": 28, "calibration": "platt",
    });
    assert_eq!(only(text), wanted);
}

#[test]
fn a_label_has_no_dates() {
    let text =
        "[scores.a]\nkind = \"supervised\"\nfrom = \"accounts\"\nlabel = \"churned = 'Yes'\"";
    let score = only(text);
    assert_eq!(score["label"], "churned = 'Yes'");
    for days in ["horizon_days", "every_days", "observations"] {
        assert_eq!(score[days], 0, "{days}");
    }
}

#[test]
fn what_a_clv_score_leaves_out() {
    let text =
        "[scores.a]\nkind = \"clv\"\nfrom = \"orders\"\nhorizon = \"90d\"\nmodels = [\"bg_nbd\"]";
    let wanted = json!({
        "kind": "clv", "from": "orders", "purchases": ["bg_nbd"], "spend": false, "time_unit": "weeks", "horizon_days": 90,
        "holdout_days": null, "discount_per_year": 0.1, "margin": 1.0, "prefix": "",
    });
    assert_eq!(only(text), wanted);
}

#[test]
fn the_first_model_of_purchases_serves_wherever_spend_stands() {
    let text = "[scores.a]\nkind = \"clv\"\nfrom = \"orders\"\nhorizon = \"90d\"\n\
                models = [\"gamma_gamma\", \"pareto_nbd\", \"mbg_nbd\"]";
    let score = only(text);
    assert_eq!(score["spend"], true);
    assert_eq!(score["purchases"], json!(["pareto_nbd", "mbg_nbd"]));
}

#[test]
fn what_a_contractual_score_leaves_out() {
    let text = "[scores.a]\nkind = \"contractual\"\nfrom = \"contracts\"\nhorizon = \"365d\"";
    let wanted = json!({
        "kind": "contractual", "from": "contracts", "models": ["bdw", "sbg"], "period_months": 1, "horizon_days": 365,
        "discount_per_year": 0.1, "value": null,
    });
    assert_eq!(only(text), wanted);
}

#[test]
fn scales_of_health_in_file_order() {
    let text = r#"[scores.a]
kind = "health"
from = "orders"
[scores.a.components]
z = { feature = "f", weight = 1, worst = 9, best = -1.5 }
y = { feature = "f", weight = 2, percentile = "high" }
x = { feature = "f", weight = 3, percentile = "low" }
w = { feature = "f", weight = 4, steps = [{ below = -1, points = 0 }, { below = 2, points = 60 }, { points = 100 }] }
"#;
    let component = |name, weight, scale| json!({"name": name, "feature": "f", "weight": weight, "scale": scale});
    let percentile = |small_is_good: bool| json!({"percentile": {"small_is_good": small_is_good}});
    // The last step has no limit.
    let steps = json!({"steps": [[-1.0, 0.0], [2.0, 60.0], [null, 100.0]]});
    let wanted = json!({
        "kind": "health",
        "components": [
            component("z", 1.0, json!({"linear": {"worst": 9.0, "best": -1.5}})),
            component("y", 2.0, percentile(false)),
            component("x", 3.0, percentile(true)),
            component("w", 4.0, steps),
        ],
        "min_coverage": 0.6,
        "bands": [["red", 36.0], ["yellow", 71.0], ["green", 100.0]],
        "from": "orders",
    });
    assert_eq!(only(text), wanted);
}

/// The score that says who has left, of two, in both orders of their tables.
#[test]
fn who_has_left_is_said_by_the_score_that_risk_reads_else_by_the_first_by_name() {
    const EARLY: &str =
        "[scores.early]\nkind = \"supervised\"\nfrom = \"orders\"\nhorizon = \"30d\"\n";
    const LATE: &str =
        "[scores.late]\nkind = \"supervised\"\nfrom = \"orders\"\nhorizon = \"90d\"\n";
    const RATE: &str =
        "[features]\nlate_probability_rate = { from = \"orders\", agg = \"count\" }\n";
    for (value, wanted) in [
        ("", "early"),
        ("[value]\npast = \"1\"\n", "early"),
        (
            "[value]\nfuture = \"1\"\nrisk = \"late_probability\"\n",
            "late",
        ),
        (
            "[value]\nfuture = \"1\"\nrisk = \"1 - (1-late_probability)*(1-early_probability)\"\n",
            "early",
        ),
        (
            "[value]\nfuture = \"1\"\nrisk = \"late_probability_rate\"\n",
            "early",
        ),
    ] {
        let told = [[EARLY, LATE], [LATE, EARLY]].map(|scores| {
            let text = format!("{FRAME}{RATE}{value}{}", scores.concat());
            let (pipeline, _) = tessera_spec::parse(&text, "p.toml", &[], &syntax());
            let pipeline = pipeline.unwrap();
            let name = pipeline.says_who_left().unwrap().name.value.clone();
            (name, pipeline.risk(), tessera_spec::canonical(&pipeline))
        });
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0].0, wanted, "{value}");
    }
}
