//! What `[scores.NAME]` means, and the columns that a score adds to the customers.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{At, Direction, Refit, Unit};

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

impl Score {
    /// Its estimates that have intervals.
    pub fn intervals(&self) -> Vec<ScoreInterval> {
        self.kind.settings().intervals(&self.name.value)
    }

    /// The columns that the score adds to the customers, in order; those of [`Score::intervals`] are published apart.
    pub fn columns(&self) -> Vec<ScoreColumn> {
        self.kind.settings().columns(&self.name.value)
    }

    /// Its columns about losing a customer, if that is what it predicts.
    pub fn loss(&self) -> Option<Loss> {
        self.kind.settings().loss(&self.name.value)
    }

    /// How it tells who can be lost to the business whose rows it reads, if it does.
    pub fn line(&self) -> Option<Line> {
        self.kind.settings().line(&self.name.value)
    }
}

/// What a score models: the settings of one kind. What kinds there are is not known here: each is a file of the crate that computes
/// scores, which gives the parser its [`crate::ScoreSyntax`].
#[derive(Debug, Clone)]
pub struct ScoreKind {
    name: &'static str,
    settings: Arc<dyn ScoreSettings>,
    canonical: Value,
}

impl ScoreKind {
    /// The settings of a score of this kind.
    pub fn new<S: ScoreSettings + Serialize>(name: &'static str, settings: S) -> Self {
        let mut canonical = serde_json::Map::new();
        canonical.insert("kind".to_owned(), json!(name));
        if let Value::Object(own) = json!(settings) {
            canonical.extend(own);
        }
        Self {
            name,
            settings: Arc::new(settings),
            canonical: Value::Object(canonical),
        }
    }

    /// `kind = "…"`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What every kind can be asked.
    pub fn settings(&self) -> &dyn ScoreSettings {
        self.settings.as_ref()
    }

    /// The settings, if they are of this type.
    pub fn of<S: ScoreSettings>(&self) -> Option<&S> {
        let any: &dyn Any = self.settings.as_ref();
        any.downcast_ref()
    }
}

impl Serialize for ScoreKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.canonical.serialize(serializer)
    }
}

/// What is asked about the settings of a score, whatever its kind. `name` is the name of the score.
pub trait ScoreSettings: Any + Debug + Send + Sync {
    /// The columns that the score adds to the customers, in order.
    fn columns(&self, name: &str) -> Vec<ScoreColumn>;

    /// Its estimates that have intervals, whose ends are among the columns.
    fn intervals(&self, name: &str) -> Vec<ScoreInterval> {
        let _ = name;
        Vec::new()
    }

    /// Its columns about losing a customer, if that is what it predicts.
    fn loss(&self, name: &str) -> Option<Loss> {
        let _ = name;
        None
    }

    /// How it tells who can be lost to the business whose rows it reads, if it does.
    fn line(&self, name: &str) -> Option<Line> {
        let _ = name;
        None
    }

    /// The key that says how the names of its columns begin, where that is not the name of the score.
    fn prefix_key(&self) -> Option<&'static str> {
        None
    }
}

/// The columns of a score that predicts who will be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Holds the probability of losing a customer.
    pub probability: String,
    /// Holds why there is no such probability; null where there is one.
    pub excluded: String,
    /// Days within which customers are lost.
    pub horizon_days: u32,
}

/// A line of business, and who can be lost to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The source of its rows.
    pub source: String,
    /// The column that has a value for the customers who can be lost, and for no others.
    pub known: String,
}

/// A column that a score adds to `customers`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub unit: Unit,
    /// Its definition, as text.
    pub about: String,
    /// What people call it.
    pub label: String,
    /// Which values are good.
    pub direction: Direction,
    /// It only qualifies another column (the end of an interval, a reason): segments are not profiled by it.
    pub detail: bool,
    /// It states what has happened, as data: it can be relied on where the estimates of the score cannot.
    pub observed: bool,
    /// How many days it looks ahead, if it does.
    pub ahead_days: Option<u32>,
}

/// What a column means, what people call it, and which of its values are good.
pub type Meaning = (&'static str, &'static str, Direction);

impl ScoreColumn {
    /// A column that segments are profiled by.
    pub fn new(name: String, unit: Unit, (about, label, direction): Meaning) -> Self {
        Self {
            name,
            unit,
            about: about.to_owned(),
            label: label.to_owned(),
            direction,
            detail: false,
            observed: false,
            ahead_days: None,
        }
    }

    /// Marks it as a column of what has happened.
    #[must_use]
    pub fn observed(mut self) -> Self {
        self.observed = true;
        self
    }

    /// States how far it looks ahead, `word` before the days: its label ends with them, and its definition has them for the horizon.
    #[must_use]
    pub fn ahead(mut self, word: &str, days: u32) -> Self {
        self.label = format!("{} {word} {days} days", self.label);
        self.about = self.about.replace("the horizon", &format!("{days} days"));
        self.ahead_days = Some(days);
        self
    }

    /// Marks it as a column that only qualifies another one.
    #[must_use]
    pub fn detail(mut self) -> Self {
        self.detail = true;
        self
    }

    /// The smallest and the largest value that it can have: scores give shares and probabilities, and points out of 100.
    pub fn range(&self) -> Option<(f64, f64)> {
        match self.unit {
            Unit::Ratio => Some((0.0, 1.0)),
            Unit::Score => Some((0.0, 100.0)),
            _ => None,
        }
    }

    /// Whether it holds text rather than a float.
    pub fn is_text(&self) -> bool {
        self.unit == Unit::Label
    }
}

/// Ends of the 80 and 95% intervals, as the ends of column names.
pub const INTERVAL_ENDS: [&str; 4] = ["low_95", "low_80", "high_80", "high_95"];

/// An estimate with the columns that hold the ends of its 80 and 95% intervals: to features and rules they are columns of the
/// customers, and published they are a row of `score_intervals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreInterval {
    /// Column of the estimate.
    pub estimate: String,
    /// Columns of the ends, in the order of [`INTERVAL_ENDS`].
    pub ends: [String; 4],
}

impl ScoreInterval {
    /// The interval of an estimate.
    pub fn of(estimate: String) -> Self {
        Self {
            ends: INTERVAL_ENDS.map(|end| format!("{estimate}_{end}")),
            estimate,
        }
    }
}
