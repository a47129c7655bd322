//! `[scores.NAME]`

use super::{GOOD, family_below, messages};

/// Scores of every kind without mistakes, below the good file.
const SCORES: &str = r#"
[sources.contracts]
kind = "intervals"
path = "${lake}/contracts"
key = "customer_id"
time = "began"
until = "ended"
contract = { missing_key = "drop" }

[scores.churn]
kind = "supervised"
from = "orders"
horizon = "90d"
features = ["recency_days", "spend_90d"]
models = ["logistic", "random_forest"]
observations = 6
calibration = "isotonic"

[scores.value]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "pareto_nbd", "gamma_gamma"]
time_unit = "days"
horizon = "52w"
holdout = "180d"
margin = 0.3

[scores.renewal]
kind = "contractual"
from = "contracts"
period = "4w"
horizon = "365d"
discount_per_year = 0.08
value = "spend_rate"

[scores.health]
kind = "health"
from = "orders"
min_coverage = 0.5
bands = { poor = 40, fair = 75, good = 100 }

[scores.health.components]
recency = { feature = "recency_days", weight = 40, worst = 180, best = 7 }
spend = { feature = "spend_90d", weight = 30, percentile = "high" }
orders = { feature = "order_count", weight = 30.5, steps = [{ below = 1, points = 0 }, { below = 5, points = 60 }, { points = 100 }] }
"#;

fn scores(cases: &[(&str, &str, &str)]) -> String {
    family_below(GOOD, SCORES, cases)
}

#[test]
fn good_scores_get_no_message() {
    assert_eq!(messages(&format!("{GOOD}{SCORES}"), &[]), "");
}

#[test]
fn kinds() {
    assert_told!(scores(&[
        ("no kind", "kind = \"clv\"\n", ""),
        ("a misspelt kind", "kind = \"clv\"", "kind = \"ltv\""),
        (
            "a score that is a text",
            "[scores.churn]\n",
            "[scores]\nrisk = \"high\"\n\n[scores.churn]\n"
        ),
        (
            "a name with a dash",
            "[scores.renewal]",
            "[scores.renewal-rate]"
        ),
        (
            "a key of another kind",
            "holdout = \"180d\"",
            "holdout = \"180d\"\nperiod = \"30d\""
        ),
        (
            "a misspelt key",
            "holdout = \"180d\"",
            "hold_out = \"180d\""
        ),
    ]));
}

#[test]
fn sources() {
    assert_told!(scores(&[
        (
            "no source",
            "kind = \"supervised\"\nfrom = \"orders\"\n",
            "kind = \"supervised\"\n"
        ),
        (
            "a misspelt source",
            "kind = \"supervised\"\nfrom = \"orders\"\n",
            "kind = \"supervised\"\nfrom = \"order\"\n"
        ),
        (
            "churn of attributes",
            "kind = \"supervised\"\nfrom = \"orders\"\n",
            "kind = \"supervised\"\nfrom = \"accounts\"\n"
        ),
        (
            "purchases of contracts",
            "kind = \"clv\"\nfrom = \"orders\"\n",
            "kind = \"clv\"\nfrom = \"contracts\"\n"
        ),
        (
            "renewals of orders",
            "kind = \"contractual\"\nfrom = \"contracts\"\n",
            "kind = \"contractual\"\nfrom = \"orders\"\n"
        ),
        (
            "health without a source",
            "kind = \"health\"\nfrom = \"orders\"\n",
            "kind = \"health\"\n"
        ),
    ]));
}

#[test]
fn supervised() {
    assert_told!(scores(&[
        ("no horizon", "horizon = \"90d\"\n", ""),
        (
            "a label and a horizon",
            "horizon = \"90d\"\n",
            "horizon = \"90d\"\nlabel = \"spend_90d = 0\"\n"
        ),
        (
            "a horizon in months",
            "horizon = \"90d\"",
            "horizon = \"3mo\""
        ),
        (
            "labels that overlap",
            "observations = 6",
            "observations = 6\nevery = \"30d\""
        ),
        ("one observation", "observations = 6", "observations = 1"),
        (
            "a misspelt model",
            "models = [\"logistic\", \"random_forest\"]",
            "models = [\"logistic\", \"random_forrest\"]"
        ),
        (
            "a model twice",
            "models = [\"logistic\", \"random_forest\"]",
            "models = [\"logistic\", \"logistic\"]"
        ),
        (
            "no models",
            "models = [\"logistic\", \"random_forest\"]",
            "models = []"
        ),
        (
            "a model that is no list",
            "models = [\"logistic\", \"random_forest\"]",
            "models = \"logistic\""
        ),
        (
            "an unknown calibration",
            "calibration = \"isotonic\"",
            "calibration = \"beta\""
        ),
    ]));
}

#[test]
fn clv() {
    const MODELS: &str = "models = [\"mbg_nbd\", \"pareto_nbd\", \"gamma_gamma\"]";
    assert_told!(scores(&[
        (
            "no models",
            "models = [\"mbg_nbd\", \"pareto_nbd\", \"gamma_gamma\"]\n",
            ""
        ),
        ("spend alone", MODELS, "models = [\"gamma_gamma\"]"),
        (
            "a misspelt model",
            MODELS,
            "models = [\"bgnbd\", \"gamma_gamma\"]"
        ),
        ("a margin without spend", MODELS, "models = [\"mbg_nbd\"]"),
        (
            "a unit of months",
            "time_unit = \"days\"",
            "time_unit = \"months\""
        ),
        ("a margin in percent", "margin = 0.3", "margin = 30"),
        ("no margin left", "margin = 0.3", "margin = 0"),
        (
            "a negative discount",
            "margin = 0.3",
            "discount_per_year = -0.1"
        ),
        (
            "a discount in percent",
            "margin = 0.3",
            "discount_per_year = 10"
        ),
        (
            "a prefix that begins no name",
            "margin = 0.3",
            "prefix = \"1st_\""
        ),
        ("an empty prefix", "margin = 0.3", "prefix = \"\""),
    ]));
}

#[test]
fn contractual() {
    assert_told!(scores(&[
        ("no horizon", "horizon = \"365d\"\n", ""),
        ("a discount without money", "value = \"spend_rate\"\n", ""),
        (
            "an unknown model",
            "period = \"4w\"",
            "models = [\"weibull\"]"
        ),
        ("a period of a month", "period = \"4w\"", "period = \"1m\""),
    ]));
}

#[test]
fn health() {
    assert_told!(scores(&[
        (
            "a coverage in percent",
            "min_coverage = 0.5",
            "min_coverage = 60"
        ),
        (
            "no components",
            "[scores.health.components]\nrecency = { feature = \"recency_days\", weight = 40, worst = 180, best = 7 }\nspend = { feature = \"spend_90d\", weight = 30, percentile = \"high\" }\norders = { feature = \"order_count\", weight = 30.5, steps = [{ below = 1, points = 0 }, { below = 5, points = 60 }, { points = 100 }] }\n",
            ""
        ),
        (
            "empty components",
            "[scores.health.components]\nrecency = { feature = \"recency_days\", weight = 40, worst = 180, best = 7 }\nspend = { feature = \"spend_90d\", weight = 30, percentile = \"high\" }\norders = { feature = \"order_count\", weight = 30.5, steps = [{ below = 1, points = 0 }, { below = 5, points = 60 }, { points = 100 }] }\n",
            "components = {}\n"
        ),
        ("no feature", "feature = \"spend_90d\", ", ""),
        ("no weight", "weight = 40, ", ""),
        ("a weight of nothing", "weight = 40", "weight = 0"),
        ("no scale", ", percentile = \"high\"", ""),
        (
            "two scales",
            "percentile = \"high\"",
            "percentile = \"high\", best = 9"
        ),
        ("half a line", "worst = 180, ", ""),
        ("a line without slope", "best = 7", "best = 180"),
        (
            "an unknown end",
            "percentile = \"high\"",
            "percentile = \"top\""
        ),
        ("a misspelt key", "best = 7", "best = 7, wheight = 2"),
    ]));
}

#[test]
fn steps_of_health() {
    const STEPS: &str = "[{ below = 1, points = 0 }, { below = 5, points = 60 }, { points = 100 }]";
    assert_told!(scores(&[
        ("one step", STEPS, "[{ points = 50 }]"),
        ("limits that fall", "below = 5", "below = 0"),
        (
            "a last step with a limit",
            "{ points = 100 }",
            "{ below = 9, points = 100 }"
        ),
        ("a step without a limit in between", "below = 5, ", ""),
        ("a step without points", "{ points = 100 }", "{}"),
        ("points above 100", "points = 60", "points = 600"),
        ("a step that is a number", "{ points = 100 }", "100"),
    ]));
}

#[test]
fn bands_of_health() {
    const BANDS: &str = "bands = { poor = 40, fair = 75, good = 100 }";
    assert_told!(scores(&[
        ("bands that fall", "fair = 75", "fair = 30"),
        ("bands that end early", "good = 100", "good = 90"),
        ("bands beyond the best", "good = 100", "good = 101"),
        ("a band of nothing", "poor = 40", "poor = 0"),
        ("no bands", BANDS, "bands = {}"),
        ("bands as a list", BANDS, "bands = [40, 75, 100]"),
    ]));
}

#[test]
fn columns_of_scores() {
    const PURCHASES: &str =
        "kind = \"clv\"\nfrom = \"orders\"\nhorizon = \"90d\"\nmodels = [\"bg_nbd\"]";
    let twice = format!("[scores.soon]\n{PURCHASES}\n\n[scores.renewal]");
    let named = format!("[scores.soon]\n{PURCHASES}\nprefix = \"health_\"\n\n[scores.renewal]");
    assert_told!(scores(&[
        ("two of lifetime value", "[scores.renewal]", &twice),
        (
            "a scheme named as a score",
            "[scores.renewal]",
            "[schemes.health]\nkind = \"lifecycle\"\n\n[scores.renewal]"
        ),
        (
            "a scheme named as a column of lifetime value",
            "[scores.renewal]",
            "[schemes.clv]\nkind = \"lifecycle\"\n\n[scores.renewal]"
        ),
        (
            "a score named as the grid's scores",
            "[scores.health]\nkind = \"health\"\nfrom = \"orders\"\nmin_coverage = 0.5\nbands = { poor = 40, fair = 75, good = 100 }\n\n[scores.health.components]",
            "[scores.rfm_score]\nkind = \"health\"\nfrom = \"orders\"\n\n[scores.rfm_score.components]"
        ),
        (
            "a score named as a feature, but for case",
            "[scores.health]\nkind = \"health\"\nfrom = \"orders\"\nmin_coverage = 0.5\nbands = { poor = 40, fair = 75, good = 100 }\n\n[scores.health.components]",
            "[scores.Spend_90d]\nkind = \"health\"\nfrom = \"orders\"\n\n[scores.Spend_90d.components]"
        ),
        (
            "a score named as a column of lifetime value",
            "[scores.health]\nkind = \"health\"\nfrom = \"orders\"\nmin_coverage = 0.5\nbands = { poor = 40, fair = 75, good = 100 }\n\n[scores.health.components]",
            "[scores.clv]\nkind = \"health\"\nfrom = \"orders\"\n\n[scores.clv.components]"
        ),
    ]));
    let prefixed = SCORES.replace("[scores.renewal]", &named);
    assert_eq!(messages(&format!("{GOOD}{prefixed}"), &[]), "");
}

/// A risk within no time: one of its probabilities is of 90 days, the other of another horizon.
#[test]
fn the_risk_of_different_horizons() {
    let value = "[value]\nfuture = \"clv\"\nrisk = \"1 - (1 - churn_probability) * renewal_survival_probability\"\n\n[scores.renewal]";
    assert_told!(scores(&[("two horizons", "[scores.renewal]", value)]));
    // Money has a time of its own.
    let one = SCORES.replace(
        "[scores.renewal]",
        &value.replace("renewal_survival_probability", "clv"),
    );
    assert_eq!(messages(&format!("{GOOD}{one}"), &[]), "");
}

/// By which of two scores the future value is at risk must be stated: neither their order nor their names decide it.
#[test]
fn the_risk_of_several_scores() {
    let second = "[scores.leaving]\nkind = \"supervised\"\nfrom = \"orders\"\nhorizon = \"30d\"\n\n[scores.renewal]";
    let value = "[value]\nfuture = \"clv\"\n";
    let case = format!("{value}\n{second}");
    assert_told!(scores(&[("two scores of loss", "[scores.renewal]", &case)]));
    let stated = case.replace(value, &format!("{value}risk = \"leaving_probability\"\n"));
    let no_future = case.replace(value, "[value]\npast = \"spend_90d\"\n");
    for text in [stated, no_future, second.to_owned()] {
        let file = SCORES.replace("[scores.renewal]", &text);
        assert_eq!(messages(&format!("{GOOD}{file}"), &[]), "");
    }
}
