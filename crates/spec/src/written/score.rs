//! `[scores.NAME]`: what may be written.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::word::{ClvModel, GoodEnd};
use crate::pipeline::{Calibration, PurchaseTimeUnit, RenewalKind, SupervisedModel};

/// A model's output per customer: columns of `customers` that schemes, rules and the KPI can name.
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) enum ScoreTable {
    /// Probability of churn within a horizon, learnt from the past.
    Supervised {
        /// Churned are, with events, customers without a row within the horizon; with intervals, customers whose last interval
        /// ends within it.
        from: String,
        /// How far ahead it looks: whole days or weeks, such as `90d`, `12w`. Required without `label`.
        #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
        horizon: Option<String>,
        /// Condition over features that says who has churned, such as `churned = 'Yes'`, where the data states it. `from` is then the
        /// source that does, and there are no dates: models learn from all customers as they are, and are tested on other customers.
        label: Option<String>,
        /// Condition over features that says who can churn, at the date of the run and at each observation date: by default
        /// who had an event within one horizon before the date, or has a running interval. Who never bought is never among them.
        population: Option<String>,
        /// Features the models see; every published feature by default.
        #[schemars(extend("uniqueItems" = true))]
        features: Option<Vec<String>>,
        /// Models that are compared with the recency rule and the base rate; all three by default. The one with the best log
        /// loss out of time is used.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        models: Option<Vec<SupervisedModel>>,
        /// Observation dates before `as_of`, the newest a horizon before it; 4 by default.
        #[schemars(range(min = 2, max = 24))]
        observations: Option<u32>,
        /// Time from one observation date to the next, at least the horizon; the horizon by default.
        #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
        every: Option<String>,
        /// How raw probabilities are corrected on a held-out slice; `platt` by default.
        calibration: Option<Calibration>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `1mo` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
    },
    /// Buy till you die, and spend: alive, purchases, lifetime value.
    Clv {
        /// Events source whose rows are purchases.
        from: String,
        /// At least one model of purchases: the first is used, the others are reported for comparison; `gamma_gamma` adds spend and lifetime value.
        #[schemars(length(min = 1), extend("uniqueItems" = true, "contains" = {"enum": ["bg_nbd", "mbg_nbd", "pareto_nbd", "nbd"]}))]
        models: Vec<ClvModel>,
        /// Unit in which the models count time; `weeks` by default.
        time_unit: Option<PurchaseTimeUnit>,
        /// How far ahead it looks: whole days or weeks, such as `365d`, `52w`.
        #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
        horizon: String,
        /// Time before `as_of` that is held out for the backtest; by default half of the observed time, at most the horizon.
        #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
        holdout: Option<String>,
        /// Discount of money per year; 0.1 by default. Only with `gamma_gamma`.
        #[schemars(range(min = 0))]
        discount_per_year: Option<f64>,
        /// Share of spend that is margin; 1 by default, so that lifetime value is spend. Only with `gamma_gamma`.
        #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
        margin: Option<f64>,
        /// Prefix of its column names (`clv`, `alive_probability`, …), so that one pipeline can have two such scores; none by
        /// default.
        #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_]*$"))]
        prefix: Option<String>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `1mo` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
    },
    /// Renewal of contracts: survival and remaining lifetime.
    Contractual {
        /// Intervals source with the contracts.
        from: String,
        /// Models of renewal: the first is used, others are reported for comparison; [bdw, sbg] by default.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        models: Option<Vec<RenewalKind>>,
        /// One renewal period: whole days or weeks; `30d` by default.
        #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
        period: Option<String>,
        /// How far ahead it looks: whole days or weeks, such as `365d`, `52w`.
        #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
        horizon: String,
        /// Discount of money per year; 0.1 by default. Only with `value`.
        #[schemars(range(min = 0))]
        discount_per_year: Option<f64>,
        /// Numeric feature with the money of one period; without it only time is predicted.
        value: Option<String>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `1mo` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
    },
    /// Weighted components from 0 to 100.
    Health {
        /// Events or intervals that say who churned, for the backtest.
        from: String,
        /// What health is made of, by name.
        #[schemars(extend("minProperties" = 1))]
        components: BTreeMap<String, ComponentTable>,
        /// Least share of the weight whose features are known, otherwise the score is null; 0.6 by default.
        #[schemars(range(min = 0, max = 1))]
        min_coverage: Option<f64>,
        /// Names with upper limits, worst first, rising, the last 100: { red = 36, yellow = 71, green = 100 } by default. Below 36 is red.
        #[schemars(extend("minProperties" = 1, "additionalProperties" = {"type": "number", "exclusiveMinimum": 0, "maximum": 100}))]
        bands: Option<BTreeMap<String, f64>>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `1mo` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
    },
}

/// One component of a health score: a feature, and how it becomes 0 to 100.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum ComponentTable {
    Linear(LinearTable),
    Percentile(PercentileTable),
    Steps(StepsTable),
}

/// A straight line from the worst value to the best, constant outside.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct LinearTable {
    /// The numeric feature of the component.
    feature: String,
    /// Its weight relative to the other components.
    #[schemars(extend("exclusiveMinimum" = 0))]
    weight: f64,
    /// The value of 0 points; above `best` where small values are good.
    worst: f64,
    /// The value of 100 points.
    best: f64,
}

/// The rank among the customers: 100 times the mid-distribution rank.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct PercentileTable {
    /// The numeric feature of the component.
    feature: String,
    /// Its weight relative to the other components.
    #[schemars(extend("exclusiveMinimum" = 0))]
    weight: f64,
    /// Which values are good: `high` or `low`.
    percentile: GoodEnd,
}

/// Points by steps.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct StepsTable {
    /// The numeric feature of the component.
    feature: String,
    /// Its weight relative to the other components.
    #[schemars(extend("exclusiveMinimum" = 0))]
    weight: f64,
    /// Steps with increasing limits: the first whose `below` is greater than the value decides; the last has no `below` and
    /// takes the rest.
    #[schemars(length(min = 2))]
    steps: Vec<StepTable>,
}

/// One step.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct StepTable {
    /// Values below this get the points.
    below: Option<f64>,
    /// Points from 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    points: f64,
}
