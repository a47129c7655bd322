//! Schemes: how customers are assigned to segments.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::{At, Direction, LifecycleLimits, Refit, Unit};

/// `[schemes.NAME]`.
#[derive(Debug, Clone, Serialize)]
pub struct Scheme {
    /// Name of the scheme, and of its column in `customers`.
    pub name: At<String>,
    /// How customers are assigned.
    pub kind: SchemeKind,
    /// How long what it learned from the customers is used before it is learned again.
    pub refit: Refit,
    /// Names that people gave.
    #[serde(skip_serializing_if = "Naming::is_empty")]
    pub naming: Naming,
}

/// Names that people gave to the segments of a scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naming {
    /// Renamed segments: the name, and the one before, whose id they keep.
    pub was: Vec<(String, String)>,
    /// Names of clusters, by id.
    pub by_id: Vec<(i64, String)>,
}

impl Naming {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.was.is_empty() && self.by_id.is_empty()
    }

    /// These names for segments that an earlier definition found, whose own renames came before.
    #[must_use]
    pub fn after(&self, earlier: &Self) -> Self {
        let mut was = earlier.was.clone();
        let new = self.was.iter().filter(|renamed| !was.contains(renamed));
        let new: Vec<_> = new.cloned().collect();
        was.extend(new);
        Self {
            was,
            by_id: self.by_id.clone(),
        }
    }

    /// Clusters with the names that people gave to their ids; another cluster that would be called the same has its id behind it.
    pub fn named(&self, ids: &[i64], names: Vec<String>) -> Vec<String> {
        let given = |id: i64| self.by_id.iter().find(|(known, _)| *known == id);
        let is_taken = |name: &String| {
            let mut taken = self.by_id.iter();
            taken.any(|(id, known)| known == name && ids.contains(id))
        };
        let named = ids.iter().zip(names).map(|(&id, name)| match given(id) {
            Some((_, given)) => given.clone(),
            None if is_taken(&name) => format!("{name} {id}"),
            None => name,
        });
        named.collect()
    }

    /// The earlier name of a segment.
    pub fn was(&self, segment: &str) -> Option<&str> {
        let mut renamed = self.was.iter();
        let found = renamed.find(|(name, _)| name == segment);
        found.map(|(_, was)| was.as_str())
    }
}

/// A column that a scheme adds to `customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemeColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: SchemeColumnKind,
}

/// What a column of a scheme holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemeColumnKind {
    /// The name of the segment: text.
    Segment,
    /// The permanent id of the segment: an integer.
    SegmentId,
    /// The scores of recency, frequency and monetary value as one text, such as `545`.
    Scores,
    /// One of the three scores: an integer.
    Score,
    /// The weighted sum of the scores: a number.
    Weighted,
}

/// End of the name of the column with the ids of the segments.
const SEGMENT_ID: &str = "_segment_id";

impl Scheme {
    /// The columns that the scheme adds to `customers`, its own first.
    pub fn columns(&self) -> Vec<SchemeColumn> {
        let column = |ending: &str, holds| SchemeColumn {
            name: format!("{}{ending}", self.name.value),
            holds,
        };
        let mut columns = vec![
            column("", SchemeColumnKind::Segment),
            column(SEGMENT_ID, SchemeColumnKind::SegmentId),
        ];
        let own = self.kind.settings().columns().into_iter();
        columns.extend(own.map(|(ending, holds)| column(ending, holds)));
        columns
    }

    /// Whether its segments are found in the data, so that they have no name of their own by which they are known again.
    pub fn finds_clusters(&self) -> bool {
        self.kind.settings().max_unmatched().is_some()
    }

    /// Whether a column of `customers` is one of [`Self::columns`].
    pub fn has_column(&self, column: &str) -> bool {
        let ending = column.strip_prefix(self.name.value.as_str());
        ending.is_some_and(|ending| match ending {
            "" | SEGMENT_ID => true,
            _ => self
                .kind
                .settings()
                .columns()
                .iter()
                .any(|own| own.0 == ending),
        })
    }
}

/// How a scheme assigns the customers: the settings of one kind. What kinds there are is not known here: each is a file of the
/// crate that assigns customers, which gives the parser its [`crate::SchemeSyntax`].
#[derive(Debug, Clone)]
pub struct SchemeKind {
    name: &'static str,
    settings: Arc<dyn SchemeSettings>,
    canonical: Value,
}

impl SchemeKind {
    /// The settings of a scheme of this kind.
    pub fn new<S: SchemeSettings + Serialize>(name: &'static str, settings: S) -> Self {
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
    pub fn settings(&self) -> &dyn SchemeSettings {
        self.settings.as_ref()
    }

    /// The settings that decide what is learned.
    pub fn learned_by(&self) -> Value {
        let own = self.settings.learned_by();
        json!([self.name, own.as_ref().unwrap_or(&self.canonical)])
    }

    /// The settings, if they are of this type.
    pub fn of<S: SchemeSettings>(&self) -> Option<&S> {
        let any: &dyn Any = self.settings.as_ref();
        any.downcast_ref()
    }
}

impl Serialize for SchemeKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.canonical.serialize(serializer)
    }
}

/// What is asked about the settings of a scheme, whatever its kind.
pub trait SchemeSettings: Any + Debug + Send + Sync {
    /// Features that the scheme reads; not those in predicates, which only the caller can tell apart.
    fn inputs(&self) -> Vec<SchemeInput<'_>>;

    /// Whether it learns from the customers.
    fn learns(&self) -> Learns {
        Learns::Nothing("nothing is learned from the customers")
    }

    /// Segments that the file itself names; none where they depend on data or on what a name stands for.
    fn declared(&self) -> Option<Vec<&str>> {
        None
    }

    /// Every segment that customers can get, in the order in which a report shows them; none where they depend on the data.
    fn segments(&self, _: &LifecycleLimits) -> Option<Vec<String>> {
        let declared = self.declared()?;
        Some(declared.into_iter().map(str::to_owned).collect())
    }

    /// Ends of the names of its columns in `customers`, beside the segment and its id, and what they hold.
    fn columns(&self) -> Vec<(&'static str, SchemeColumnKind)> {
        Vec::new()
    }

    /// The columns that define the segments, so that a profile by them only shows the definition. Empty for clusters, which are
    /// described by the very features they are made of.
    fn made_of(&self) -> Vec<&str> {
        self.inputs().iter().map(SchemeInput::name).collect()
    }

    /// The settings that decide what is learned, where others only decide what is done with it.
    fn learned_by(&self) -> Option<Value> {
        None
    }

    /// Of segments that are found in the data: the largest share of customers in segments that continue none of the previous
    /// version, up to which a refit is used. None of segments that are known by their names.
    fn max_unmatched(&self) -> Option<f64> {
        None
    }
}

/// A feature that a scheme reads.
#[derive(Debug, Clone)]
pub enum SchemeInput<'a> {
    /// The file names it.
    Stated {
        /// Its name, with the place.
        feature: &'a At<String>,
        /// What it must be.
        wanted: Wanted,
    },
    /// The kind needs it.
    Implied {
        /// Its name.
        feature: &'static str,
        /// What a message says where the pipeline does not have it.
        missing: &'static str,
        /// How to get it.
        help: &'static str,
    },
}

impl<'a> SchemeInput<'a> {
    /// A number that the file names.
    pub fn number(feature: &'a At<String>) -> Self {
        let wanted = Wanted::Number;
        Self::Stated { feature, wanted }
    }

    /// What the file names for a role, such as the recency of customers.
    pub fn role(feature: &'a At<String>, role: Role) -> Self {
        let wanted = Wanted::Role(role);
        Self::Stated { feature, wanted }
    }

    /// A label that the file names.
    pub fn label(feature: &'a At<String>) -> Self {
        let wanted = Wanted::Label;
        Self::Stated { feature, wanted }
    }

    /// The name of the feature.
    pub fn name(&self) -> &'a str {
        match self {
            Self::Stated { feature, .. } => &feature.value,
            Self::Implied { feature, .. } => feature,
        }
    }
}

/// What is needed of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A number.
    Number,
    /// A text, a truth value or a whole number.
    Label,
    /// Anything.
    Any,
    /// A number that counts what its role needs.
    Role(Role),
}

/// What a number is used as. A feature whose unit or direction is known to be another one is a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Time since something happened: small is good.
    Recency,
    /// How often something happened: high is good.
    Frequency,
    /// Money that a customer has brought or will bring: high is good.
    Monetary,
    /// Money of one period, of which values are computed.
    Money,
    /// Any number, of which this end is the better one.
    Good(Direction),
}

impl Role {
    /// What it needs, as text.
    pub fn words(self) -> &'static str {
        match self {
            Self::Recency => "days since something, of which few are good",
            Self::Frequency => "a number of things, of which many are good",
            Self::Monetary => "money, of which much is good",
            Self::Money => "money",
            Self::Good(Direction::High) => "a number of which high values are better",
            Self::Good(Direction::Low) => "a number of which low values are better",
            Self::Good(Direction::None) => "a number",
        }
    }

    /// Whether numbers of a unit can have the role. A number without a declared unit can have any.
    pub fn takes(self, unit: Unit) -> bool {
        let units: &[Unit] = match self {
            Self::Recency => &[Unit::Days, Unit::Ratio],
            Self::Frequency => &[Unit::Count, Unit::Ratio],
            Self::Monetary | Self::Money => &[Unit::Currency],
            Self::Good(_) => return true,
        };
        unit == Unit::Number || units.contains(&unit)
    }

    /// The direction that contradicts the role.
    pub fn against(self) -> Option<Direction> {
        match self {
            Self::Recency | Self::Good(Direction::Low) => Some(Direction::High),
            Self::Frequency | Self::Monetary | Self::Good(Direction::High) => Some(Direction::Low),
            Self::Money | Self::Good(Direction::None) => None,
        }
    }
}

/// Whether a scheme learns from the customers, by its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learns {
    /// Again whenever `refit` is due.
    Again,
    /// Once: `refit` has no effect, for this reason.
    Once(&'static str),
    /// Nothing: `refit` has no effect, for this reason.
    Nothing(&'static str),
}

/// How many clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KChoice {
    /// That many.
    Fixed(u32),
    /// The best mean silhouette from, to (inclusive); `"auto"` is 2 to 10.
    Range(u32, u32),
}

/// Transform of a number before it is standardised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// `log1p` where skewness is above 4 and nothing is negative, `asinh` where skewed with negatives, else none.
    Auto,
    /// Values as they are.
    None,
    /// ln(1 + x); refused where x < 0.
    Log1p,
    /// asinh(x).
    Asinh,
}
