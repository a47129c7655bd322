//! Scores as they are read: stated settings, defaults, and the examples of docs/scores.md.

use std::path::Path;
use tessera_segments::syntax;

use tessera_spec::pipeline::{
    Calibration, HealthScale, PurchaseModel, PurchaseTimeUnit, RenewalKind, Score, ScoreKind,
    SupervisedModel,
};

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

fn only(text: &str) -> ScoreKind {
    let mut scores = scores(text);
    assert_eq!(scores.len(), 1);
    scores.pop().unwrap().kind
}

#[test]
fn what_a_supervised_score_leaves_out() {
    let text = "[scores.a]\nkind = \"supervised\"\nfrom = \"contracts\"\nhorizon = \"4w\"";
    let ScoreKind::Supervised(score) = only(text) else {
        panic!("supervised");
    };
    assert_eq!((score.horizon_days, score.every_days), (28, 28));
    assert_eq!(score.observations, 4);
    assert!(score.features.is_empty());
    assert_eq!(score.calibration, Calibration::Platt);
    let models: Vec<SupervisedModel> = score.models.iter().map(|m| m.value).collect();
    assert_eq!(
        models,
        [
            SupervisedModel::Logistic,
            SupervisedModel::RandomForest,
            SupervisedModel::RecencyRule
        ]
    );
}

#[test]
fn a_label_has_no_dates() {
    let text =
        "[scores.a]\nkind = \"supervised\"\nfrom = \"accounts\"\nlabel = \"churned = 'Yes'\"";
    let ScoreKind::Supervised(score) = only(text) else {
        panic!("supervised");
    };
    assert_eq!(score.label.unwrap().value, "churned = 'Yes'");
    assert_eq!(
        (score.horizon_days, score.every_days, score.observations),
        (0, 0, 0)
    );
}

#[test]
fn what_a_clv_score_leaves_out() {
    let text =
        "[scores.a]\nkind = \"clv\"\nfrom = \"orders\"\nhorizon = \"90d\"\nmodels = [\"bg_nbd\"]";
    let ScoreKind::Clv(score) = only(text) else {
        panic!("clv");
    };
    assert!(!score.spend);
    assert_eq!(score.time_unit, PurchaseTimeUnit::Weeks);
    assert_eq!(score.holdout_days, None);
    assert_eq!((score.discount_per_year, score.margin), (0.1, 1.0));
    assert_eq!(score.prefix, "");
}

#[test]
fn the_first_model_of_purchases_serves_wherever_spend_stands() {
    let text = "[scores.a]\nkind = \"clv\"\nfrom = \"orders\"\nhorizon = \"90d\"\n\
                models = [\"gamma_gamma\", \"pareto_nbd\", \"mbg_nbd\"]";
    let ScoreKind::Clv(score) = only(text) else {
        panic!("clv");
    };
    assert!(score.spend);
    let models: Vec<PurchaseModel> = score.purchases.iter().map(|m| m.value).collect();
    assert_eq!(models, [PurchaseModel::ParetoNbd, PurchaseModel::MbgNbd]);
}

#[test]
fn what_a_contractual_score_leaves_out() {
    let text = "[scores.a]\nkind = \"contractual\"\nfrom = \"contracts\"\nhorizon = \"365d\"";
    let ScoreKind::Contractual(score) = only(text) else {
        panic!("contractual");
    };
    assert_eq!((score.period_days, score.horizon_days), (30, 365));
    assert_eq!(score.discount_per_year, 0.1);
    assert_eq!(score.value, None);
    let models: Vec<RenewalKind> = score.models.iter().map(|m| m.value).collect();
    assert_eq!(models, [RenewalKind::Bdw, RenewalKind::Sbg]);
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
    let ScoreKind::Health(score) = only(text) else {
        panic!("health");
    };
    assert_eq!(score.min_coverage, 0.6);
    let bands: Vec<(&str, f64)> = score.bands.iter().map(|b| (b.0.as_str(), b.1)).collect();
    assert_eq!(bands, [("red", 36.0), ("yellow", 71.0), ("green", 100.0)]);
    let components = score.components.iter();
    let read: Vec<(&str, f64, HealthScale)> = components
        .map(|c| (c.name.value.as_str(), c.weight, c.scale.clone()))
        .collect();
    let percentile = |small_is_good| HealthScale::Percentile { small_is_good };
    let linear = HealthScale::Linear {
        worst: 9.0,
        best: -1.5,
    };
    let steps = HealthScale::Steps(vec![(-1.0, 0.0), (2.0, 60.0), (f64::INFINITY, 100.0)]);
    assert_eq!(
        read,
        [
            ("z", 1.0, linear),
            ("y", 2.0, percentile(false)),
            ("x", 3.0, percentile(true)),
            ("w", 4.0, steps)
        ]
    );
}

#[test]
fn examples_of_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scores.md");
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let scores = scores(&blocks.concat());
    assert_eq!(scores.len(), blocks.len());
    let kinds: Vec<&str> = scores
        .iter()
        .map(|score| match score.kind {
            ScoreKind::Supervised(_) => "supervised",
            ScoreKind::Clv(_) => "clv",
            ScoreKind::Contractual(_) => "contractual",
            ScoreKind::Health(_) => "health",
        })
        .collect();
    assert_eq!(
        kinds,
        ["supervised", "supervised", "clv", "contractual", "health"]
    );
    // Every column of `customers` is named; the ends of intervals are rows of `score_intervals`.
    for column in scores.iter().flat_map(Score::columns) {
        let end = column.name.contains("_low_") || column.name.contains("_high_");
        let named = page.contains(&format!("`{}`", column.name));
        assert!(named || end, "{}", column.name);
    }
}
