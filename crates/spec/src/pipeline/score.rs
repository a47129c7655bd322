//! What `[scores.NAME]` means, and the columns that a score adds to the customers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, Direction, ExprText, Refit, Unit};

/// `[scores.NAME]`: a model's output per customer.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    /// Name of the score: its rows in `models` and `calibration`, and the beginning of its columns.
    pub name: At<String>,
    /// What is modelled, and how.
    pub kind: ScoreKind,
    /// How long what it learned is used before it is learned again.
    pub refit: Refit,
}

/// Kinds of scores.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ScoreKind {
    /// Probability of no event, or of the end of the contract, within a horizon; learnt from the past.
    Supervised(SupervisedScore),
    /// Buy till you die, and spend: alive, purchases, lifetime value.
    Clv(ClvScore),
    /// Renewal of contracts: survival and remaining lifetime.
    Contractual(ContractualScore),
    /// Weighted components from 0 to 100.
    Health(HealthScore),
}

/// `kind = "supervised"`.
#[derive(Debug, Clone, Serialize)]
pub struct SupervisedScore {
    /// Churned are, with events, customers without a row within the horizon; with intervals, customers whose last interval
    /// ends within it.
    pub from: At<String>,
    /// Condition over features that says who has churned, where the data states it: what the models learn, from all customers as
    /// they are today and tested on other customers, not at a later date.
    pub label: Option<ExprText>,
    /// Days after an observation date in which churn is looked for; 0 with a label.
    pub horizon_days: u32,
    /// Condition over features that says who can churn at a date; when absent, who is alive by the label's own definition: an
    /// event within the horizon before the date, or a running interval.
    pub population: Option<ExprText>,
    /// Features the models see; every published feature when empty.
    pub features: Vec<At<String>>,
    /// Models that are compared; the recency rule and the base rate always are.
    pub models: Vec<At<SupervisedModel>>,
    /// Observation dates before `as_of`, the newest a horizon before it; 4 by default, none with a label.
    pub observations: u32,
    /// Days between observation dates; the horizon by default, so that labels do not overlap.
    pub every_days: u32,
    /// How raw probabilities are corrected on a held-out slice.
    pub calibration: Calibration,
}

/// Models of churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SupervisedModel {
    /// Logistic regression.
    Logistic,
    /// Random forest.
    RandomForest,
    /// Days since the last event alone.
    RecencyRule,
}

/// Correction of raw probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// A logistic curve through the log-odds (Platt 1999).
    Platt,
    /// A rising step function (pool adjacent violators).
    Isotonic,
    /// No correction.
    None,
}

/// `kind = "clv"`.
#[derive(Debug, Clone, Serialize)]
pub struct ClvScore {
    /// Events source whose rows are purchases.
    pub from: At<String>,
    /// Purchase models, at least one: the first is used, the others are fitted and reported for comparison.
    pub purchases: Vec<At<PurchaseModel>>,
    /// Whether spend and lifetime value are modelled (Gamma-Gamma).
    pub spend: bool,
    /// Unit in which time is counted; weeks by default.
    pub time_unit: PurchaseTimeUnit,
    /// Days that are predicted.
    pub horizon_days: u32,
    /// Days before `as_of` that are held out for the backtest; half of the observed time, at most the horizon, when absent.
    pub holdout_days: Option<u32>,
    /// Discount per year; 0.1 by default.
    pub discount_per_year: f64,
    /// Share of spend that is margin; 1 by default, so that lifetime value is spend.
    pub margin: f64,
    /// Prefix of the names of its columns; empty by default.
    pub prefix: String,
}

/// Models of how often customers buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseModel {
    /// Fader, Hardie & Lee 2005.
    BgNbd,
    /// Batislam, Denizel & Filiztekin 2007.
    MbgNbd,
    /// Schmittlein, Morrison & Colombo 1987.
    ParetoNbd,
    /// Ehrenberg 1959: nobody leaves.
    Nbd,
}

/// Time unit of a purchase model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PurchaseTimeUnit {
    Days,
    Weeks,
}

/// `kind = "contractual"`.
#[derive(Debug, Clone, Serialize)]
pub struct ContractualScore {
    /// Intervals source with the contracts.
    pub from: At<String>,
    /// Renewal models, at least one: the first is used, the others are fitted and reported for comparison.
    pub models: Vec<At<RenewalKind>>,
    /// Days of one renewal period; 30 by default.
    pub period_days: u32,
    /// Days that are predicted.
    pub horizon_days: u32,
    /// Discount per year; 0.1 by default.
    pub discount_per_year: f64,
    /// Numeric feature with the money of one period; without it only time is predicted.
    pub value: Option<At<String>>,
}

/// Models of renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenewalKind {
    /// Shifted beta-geometric (Fader & Hardie 2007).
    Sbg,
    /// Beta discrete Weibull: hazards may rise or fall (Fader, Hardie et al. 2018).
    Bdw,
}

/// `kind = "health"`.
#[derive(Debug, Clone, Serialize)]
pub struct HealthScore {
    /// Components in file order.
    pub components: Vec<HealthComponent>,
    /// Least share of the weight that must be known, otherwise the score is null; 0.6 by default.
    pub min_coverage: f64,
    /// Bands from worst to best with the upper limit (exclusive) of each but the last, whose limit is 100 and belongs to it;
    /// red 36, yellow 71, green 100 by default.
    pub bands: Vec<(String, f64)>,
    /// Source whose events or intervals say who churned, for the backtest at 30, 60 and 90 days.
    pub from: At<String>,
}

/// One component of a health score.
#[derive(Debug, Clone, Serialize)]
pub struct HealthComponent {
    /// Name of the component.
    pub name: At<String>,
    /// The numeric feature of the component.
    pub feature: At<String>,
    /// Weight, > 0.
    pub weight: f64,
    /// How the feature becomes 0 to 100.
    pub scale: HealthScale,
}

/// How a number becomes a component of 0 to 100.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthScale {
    /// `worst` is 0, `best` is 100, a straight line between, flat outside; `worst` may lie above `best`.
    Linear {
        /// The value of 0.
        worst: f64,
        /// The value of 100.
        best: f64,
    },
    /// 100 times the mid-distribution rank among the customers; reversed where small is good.
    Percentile {
        /// Small values are good.
        small_is_good: bool,
    },
    /// Steps of limit and points, limits rising: a value has the points of the first step whose limit lies above it; the
    /// limit of the last is infinite.
    Steps(Vec<(f64, f64)>),
}

/// A column that a score adds to `customers`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub unit: Unit,
    /// Its definition, as text.
    pub about: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// Which values are good.
    pub direction: Direction,
    /// It only qualifies another column (the end of an interval, a reason): segments are not profiled by it.
    pub detail: bool,
}

impl ScoreColumn {
    /// Whether it holds text rather than a float.
    pub fn is_text(&self) -> bool {
        self.unit == Unit::Label
    }
}

/// The expected values of a `clv` score, each published with its 80 and 95% interval.
pub const CLV_ESTIMATES: [(&str, Unit, Meaning); 5] = [
    (
        "alive_probability",
        Unit::Ratio,
        (
            "probability that the customer will buy again at all",
            "probability of buying again",
            Direction::High,
        ),
    ),
    (
        "expected_purchases",
        Unit::Count,
        (
            "expected purchases within the horizon",
            "expected purchases",
            Direction::High,
        ),
    ),
    (
        "no_purchase_probability",
        Unit::Ratio,
        (
            "probability of no purchase within the horizon",
            "probability of no purchase",
            Direction::Low,
        ),
    ),
    (
        "expected_spend",
        Unit::Currency,
        (
            "expected spend per purchase",
            "expected money of a purchase",
            Direction::High,
        ),
    ),
    (
        "clv",
        Unit::Currency,
        (
            "residual lifetime value within the horizon: margin, discounted",
            "lifetime value",
            Direction::High,
        ),
    ),
];

/// What a column means, what people call it, and which of its values are good.
pub type Meaning = (&'static str, &'static str, Direction);

/// Ends of the 80 and 95% intervals, as the ends of column names.
pub const INTERVAL_ENDS: [&str; 4] = ["low_95", "low_80", "high_80", "high_95"];

impl ScoreColumn {
    fn new(name: String, unit: Unit, (about, label, direction): Meaning) -> Self {
        Self {
            name,
            unit,
            about,
            label,
            direction,
            detail: false,
        }
    }

    /// Marks it as a column that only qualifies another one.
    fn detail(mut self) -> Self {
        self.detail = true;
        self
    }
}

/// An estimate with the columns that hold the ends of its 80 and 95% intervals: to features and rules they are columns of the
/// customers, and published they are a row of `score_intervals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreInterval {
    /// Column of the estimate.
    pub estimate: String,
    /// Columns of the ends, in the order of [`INTERVAL_ENDS`].
    pub ends: [String; 4],
}

impl Score {
    /// Its estimates that have intervals.
    pub fn intervals(&self) -> Vec<ScoreInterval> {
        match &self.kind {
            ScoreKind::Clv(clv) => clv.intervals(),
            ScoreKind::Supervised(_) | ScoreKind::Contractual(_) | ScoreKind::Health(_) => {
                Vec::new()
            }
        }
    }

    /// The columns that the score adds to the customers, in order; those of [`Score::intervals`] are published apart.
    pub fn columns(&self) -> Vec<ScoreColumn> {
        let name = &self.name.value;
        match &self.kind {
            ScoreKind::Supervised(_) => churn_columns(name),
            ScoreKind::Clv(clv) => clv.columns(),
            ScoreKind::Contractual(contractual) => contractual.columns(name),
            ScoreKind::Health(_) => health_columns(name),
        }
    }
}

fn churn_columns(name: &str) -> Vec<ScoreColumn> {
    let mut columns = vec![
        ScoreColumn::new(
            format!("{name}_probability"),
            Unit::Ratio,
            (
                "probability of churn within the horizon; null for who cannot churn",
                "probability of churn",
                Direction::Low,
            ),
        ),
        ScoreColumn::new(
            format!("{name}_excluded"),
            Unit::Label,
            (
                "why there is no probability: who never bought or churned before cannot churn",
                "why there is no probability of churn",
                Direction::None,
            ),
        )
        .detail(),
    ];
    columns.extend((1..=3).map(|rank| {
        let name = format!("{name}_reason_{rank}");
        let about = "what moves the probability most away from that of a typical customer";
        let label = match rank {
            1 => "first reason of the probability of churn",
            2 => "second reason of the probability of churn",
            _ => "third reason of the probability of churn",
        };
        ScoreColumn::new(name, Unit::Label, (about, label, Direction::None)).detail()
    }));
    columns.push(
        ScoreColumn::new(
            format!("{name}_reasons_direction"),
            Unit::Label,
            (
                "`raises` where the probability is at least the base rate and the reasons raise it, else `lowers`",
                "whether the reasons raise or lower the probability of churn",
                Direction::None,
            ),
        )
        .detail(),
    );
    columns
}

fn health_columns(name: &str) -> Vec<ScoreColumn> {
    let column = |end: &str, unit, meaning| ScoreColumn::new(format!("{name}{end}"), unit, meaning);
    vec![
        column(
            "",
            Unit::Score,
            ("health from 0 to 100", "health", Direction::High),
        ),
        column(
            "_band",
            Unit::Label,
            ("band of the health", "band of the health", Direction::None),
        ),
        column(
            "_coverage",
            Unit::Ratio,
            (
                "share of the weight that is present",
                "known share of the health's weight",
                Direction::None,
            ),
        ),
    ]
}

impl ContractualScore {
    fn columns(&self, name: &str) -> Vec<ScoreColumn> {
        let mut columns = vec![
            ScoreColumn::new(
                format!("{name}_survival_probability"),
                Unit::Ratio,
                (
                    "probability that a current contract outlasts the horizon",
                    "probability that the contract goes on",
                    Direction::High,
                ),
            ),
            ScoreColumn::new(
                format!("{name}_remaining_days"),
                Unit::Days,
                (
                    "expected remaining lifetime within the horizon",
                    "expected remaining days of the contract",
                    Direction::High,
                ),
            ),
        ];
        if self.value.is_some() {
            columns.push(ScoreColumn::new(
                format!("{name}_residual_value"),
                Unit::Currency,
                (
                    "expected discounted value of the remaining lifetime",
                    "expected value of the remaining contract",
                    Direction::High,
                ),
            ));
        }
        columns
    }
}

impl ClvScore {
    /// What is modelled: of [`CLV_ESTIMATES`] all, or those without money.
    fn estimates(&self) -> &'static [(&'static str, Unit, Meaning)] {
        &CLV_ESTIMATES[..if self.spend { 5 } else { 3 }]
    }

    fn intervals(&self) -> Vec<ScoreInterval> {
        let interval = |(name, _, _): &(&str, Unit, Meaning)| {
            let estimate = format!("{}{name}", self.prefix);
            ScoreInterval {
                ends: INTERVAL_ENDS.map(|end| format!("{estimate}_{end}")),
                estimate,
            }
        };
        self.estimates().iter().map(interval).collect()
    }

    fn columns(&self) -> Vec<ScoreColumn> {
        let prefix = &self.prefix;
        let mut columns = Vec::new();
        for (interval, (_, unit, meaning)) in self.intervals().into_iter().zip(self.estimates()) {
            let column = |name: String| ScoreColumn::new(name, *unit, *meaning);
            columns.push(column(interval.estimate));
            columns.extend(interval.ends.map(|end| column(end).detail()));
        }
        if self.spend {
            columns.push(ScoreColumn::new(
                format!("{prefix}past_value"),
                Unit::Currency,
                (
                    "margin of what was spent so far",
                    "margin so far",
                    Direction::High,
                ),
            ));
        }
        columns.push(
            ScoreColumn::new(
                format!("{prefix}model_fallback"),
                Unit::Label,
                (
                    "the model of purchases that served: the first of the pipeline, or its fallback model",
                    "model of purchases",
                    Direction::None,
                ),
            )
            .detail(),
        );
        columns
    }
}
