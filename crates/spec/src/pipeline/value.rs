//! What `[value]` means: what customers are worth now, in the future and in the past, and what of it is at risk.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Direction, ExprText, Pipeline, Score, Unit};

/// `[value]`: each an expression over features and scores; the unit is money.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Value {
    /// What a customer pays or spends per period at `as_of`.
    pub now: Option<ExprText>,
    /// The period of `now`.
    pub per: Option<Period>,
    /// What a customer will bring.
    pub future: Option<ExprText>,
    /// What a customer has brought.
    pub past: Option<ExprText>,
    /// Probability of losing a customer; that of the supervised score when absent, of which there is one then.
    pub risk: Option<ExprText>,
}

/// Periods of which money is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
    /// A quarter of a year.
    Quarter,
    /// A year.
    Year,
}

impl Period {
    /// As TOML and tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Its days, on average.
    pub fn days(self) -> f64 {
        match self {
            Self::Day => 1.0,
            Self::Week => 7.0,
            Self::Month => 365.25 / 12.0,
            Self::Quarter => 365.25 / 4.0,
            Self::Year => 365.25,
        }
    }
}

/// A column of `customers` that says what a customer is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueColumn {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What it means, as text.
    pub about: String,
    /// What people call it.
    pub label: String,
    /// Which values are good.
    pub direction: Direction,
    /// The expression.
    pub text: String,
}

/// What is paid or spent per period now.
pub const VALUE_NOW: &str = "value_now";
/// What will be brought.
pub const VALUE_FUTURE: &str = "value_future";
/// What was brought.
pub const VALUE_PAST: &str = "value_past";
/// What of the future is expected to be lost.
pub const VALUE_AT_RISK: &str = "value_at_risk";

/// The columns in the order of tables.
pub const VALUE_COLUMNS: [&str; 4] = [VALUE_NOW, VALUE_FUTURE, VALUE_PAST, VALUE_AT_RISK];

/// Where among the words of an expression a column is named first; `None` where it is not named.
fn place(text: &str, column: &str) -> Option<usize> {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.position(|word| word == column)
}

impl Pipeline {
    /// The scores that predict who is lost, by their names, so that their order in the file does not matter.
    pub fn predict_loss(&self) -> Vec<&Score> {
        let scores = self.scores.iter();
        let mut scores: Vec<&Score> = scores.filter(|score| score.loss().is_some()).collect();
        scores.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        scores
    }

    /// The score that says who has left: the first by name of those whose probability `risk` of `[value]` reads, else of all that
    /// predict who is lost.
    pub fn says_who_left(&self) -> Option<&Score> {
        let read = self.risk_scores().into_iter();
        let first = read.min_by(|a, b| a.name.value.cmp(&b.name.value));
        first.or_else(|| self.predict_loss().into_iter().next())
    }

    /// The probability of losing a customer, as an expression: that of `[value]`, else that of the score that has one.
    pub fn risk(&self) -> Option<String> {
        let of_score = || Some(self.says_who_left()?.loss()?.probability);
        self.stated_risk().map(str::to_owned).or_else(of_score)
    }

    /// The scores that predict who is lost and whose probability `risk` of `[value]` reads, in the order in which it names them.
    pub fn risk_scores(&self) -> Vec<&Score> {
        let risk = self.stated_risk().unwrap_or_default();
        let named = |score| Some((place(risk, &Score::loss(score)?.probability)?, score));
        let mut scores: Vec<(usize, &Score)> = self.scores.iter().filter_map(named).collect();
        scores.sort_by_key(|(place, _)| *place);
        scores.into_iter().map(|(_, score)| score).collect()
    }

    /// How many days the probabilities that `risk` of `[value]` reads look ahead, with their names.
    pub(crate) fn risk_horizons(&self) -> BTreeSet<(u32, String)> {
        let risk = self.stated_risk().unwrap_or_default();
        let columns = self.scores.iter().flat_map(Score::columns);
        let read = columns.filter(|c| c.unit == Unit::Ratio && place(risk, &c.name).is_some());
        read.filter_map(|column| Some((column.ahead_days?, column.name)))
            .collect()
    }

    fn stated_risk(&self) -> Option<&str> {
        let stated = self.value.as_ref()?.risk.as_ref()?;
        Some(stated.value.as_str())
    }

    /// The columns that `[value]` adds to `customers`; none without it.
    pub fn value_columns(&self) -> Vec<ValueColumn> {
        let Some(value) = &self.value else {
            return Vec::new();
        };
        let per = value.per.map_or("period", Period::name);
        let stated = [
            (
                VALUE_NOW,
                &value.now,
                "now",
                format!("paid or spent per {per}"),
            ),
            (
                VALUE_FUTURE,
                &value.future,
                "future",
                "to be expected".to_owned(),
            ),
            (VALUE_PAST, &value.past, "past", "brought so far".to_owned()),
        ];
        let column = |(name, text, tense, about): (_, &Option<ExprText>, &str, String)| {
            let text = text.as_ref()?.value.trim().to_owned();
            Some(ValueColumn {
                name,
                unit: Unit::Currency,
                about: format!("Value {about}: {text}."),
                label: match tense {
                    "now" => format!("value per {per}"),
                    _ => format!("{tense} value"),
                },
                direction: Direction::High,
                text,
            })
        };
        let mut columns: Vec<ValueColumn> = stated.into_iter().filter_map(column).collect();
        if let (Some(future), Some(risk)) = (&value.future, self.risk()) {
            let future = future.value.trim();
            columns.push(ValueColumn {
                name: VALUE_AT_RISK,
                unit: Unit::Currency,
                about: format!("Probability of churn ({risk}) x future value ({future})."),
                label: "value at risk".to_owned(),
                direction: Direction::Low,
                text: format!("({risk}) * ({future})"),
            });
        }
        columns
    }
}
