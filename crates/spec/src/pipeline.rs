//! What a pipeline file means once it has been checked.
//!
//! [`Pipeline`] holds no TOML and touches no data. Everything that a later check may complain about (a column that the lake
//! lacks, an expression that does not parse) carries its [`Span`], so that the complaint can point at the file again.
//! Comments and spans are not serialised; [`crate::canonical`] also removes the order of tables.
//! Its plain enums are written as in the file: parser, JSON Schema and canonical form read their values from here.

mod expect;
mod experiment;
mod export;
mod feature;
mod form;
mod gates;
mod identity;
mod join;
mod memberships;
mod refit;
mod renewal;
mod scheme;
mod score;
mod source;
mod value;

use std::ops::Range;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

pub use crate::time_format::TimeFormat;
pub use expect::{Bounds, Condition, Expect, Scalar, Subject};
pub use experiment::{Experiment, SegmentOf, Variant};
pub use export::{Export, ExportFormat};
pub use feature::{
    Arguments, Base, Description, Direction, FeatureBody, FeatureDecl, Features, LifecycleLimits,
    Unit,
};
pub use form::{Column, ColumnForm, DecimalSign, EpochUnit, Header, TextSettings, ThousandsSign};
pub use gates::{Criteria, Gates, LimitValue, OnFail, StatedLimit};
pub use identity::Identity;
pub use join::Join;
pub use memberships::{Memberships, TierLimits};
pub use refit::Refit;
pub use renewal::RenewalPeriod;
pub use scheme::{
    KChoice, Learns, Naming, Role, Scheme, SchemeColumn, SchemeColumnKind, SchemeInput, SchemeKind,
    SchemeSettings, Transform, Wanted,
};
pub use score::{
    INTERVAL_ENDS, Line, Loss, Meaning, Score, ScoreColumn, ScoreInterval, ScoreKind, ScoreSettings,
};
pub use source::{
    Attribute, ColumnType, Contract, DEFAULT_KEEP_REJECTS, DEFAULT_LIMIT_FROM_ROWS,
    DEFAULT_MAX_REJECTED, Duplicates, Format, Freshness, Limit, Limits, OnBadRow, OnBadValue, Rule,
    Several, Source, SourceKind,
};
pub use value::{
    Period, VALUE_AT_RISK, VALUE_COLUMNS, VALUE_FUTURE, VALUE_NOW, VALUE_PAST, Value, ValueColumn,
};

/// Byte range in the text of the pipeline file.
pub type Span = Range<usize>;

/// A value together with the place it was written at. Serialises as the value alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the file.
    #[serde(skip)]
    pub span: Span,
}

impl<T> At<T> {
    /// A value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// An SQL expression as written: unparsed, since the grammar belongs to the `expr` crate. The span is that of the text
/// inside its quotes, so that a place in the expression is a place in the file (exact for plain one-line strings).
pub type ExprText = At<String>;

/// One checked pipeline file.
#[derive(Debug, Clone, Serialize)]
pub struct Pipeline {
    /// Name of the pipeline: letters, digits, `_`, `-`.
    pub name: String,
    /// Time zone whose calendar days the pipeline counts in.
    #[serde(serialize_with = "as_text")]
    pub timezone: chrono_tz::Tz,
    /// ISO 4217 code shown with money.
    pub currency: String,
    /// Folder of the snapshot store, variables resolved.
    #[serde(skip)]
    pub store: String,
    /// Whether the store may hold versions of other pipelines that say so too.
    #[serde(skip)]
    pub shared_store: bool,
    /// The name under which the store knows the pipeline, where it was renamed.
    #[serde(skip)]
    pub was: Option<String>,
    /// Seed of every random step.
    pub seed: u64,
    /// Why the pipeline exists.
    pub goal: Option<Goal>,
    /// The entity.
    pub customer: Customer,
    /// Sources in file order.
    pub sources: Vec<Source>,
    /// Catalogue groups and declared features.
    pub features: Features,
    /// What customers are worth.
    pub value: Option<Value>,
    /// Scores in file order.
    pub scores: Vec<Score>,
    /// Schemes in file order.
    pub schemes: Vec<Scheme>,
    /// Playbooks in file order.
    pub playbooks: Vec<Playbook>,
    /// Who stays in a segment, and who is put into one.
    pub memberships: Memberships,
    /// What schemes and segments must be like.
    pub gates: Gates,
    /// What must hold before a version is published, in file order. No part of the canonical form: it decides whether there are
    /// bytes, not which.
    #[serde(skip)]
    pub expect: Vec<Expect>,
    /// Columns of `customers` that the table `actions` has beside its own, in file order.
    pub action_columns: Vec<At<String>>,
    /// Experiments in file order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<Experiment>,
    /// The conditions under which a run may publish. No part of the canonical form: it decides whether there are bytes, not
    /// which.
    #[serde(skip)]
    pub run: RunSettings,
    /// What messages and logs may show. No part of the canonical form: it decides no published byte.
    #[serde(skip)]
    pub log: Log,
    /// What the report shows. No part of the canonical form: a version can be rendered again with other settings.
    #[serde(skip)]
    pub report: Report,
}

impl Pipeline {
    /// The source of that name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|s| s.name.value == name)
    }

    /// The scheme of that name.
    pub fn scheme(&self, name: &str) -> Option<&Scheme> {
        self.schemes.iter().find(|s| s.name.value == name)
    }

    /// The scheme that adds a column to `customers`: its segment, its id, or what else [`Scheme::columns`] has.
    pub fn scheme_of_column(&self, column: &str) -> Option<&Scheme> {
        self.schemes.iter().find(|scheme| scheme.has_column(column))
    }

    /// Whether a source joins a lookup; the map of keys is not joined by that alone.
    pub fn is_joined(&self, lookup: &str) -> bool {
        let mut joins = self.sources.iter().flat_map(|source| &source.joins);
        joins.any(|join| join.from.value == lookup)
    }

    /// Leaves out the map of keys, with its lookup where no source joins that, and returns both. Which key belongs to which customer
    /// defines no feature.
    pub fn take_identity(&mut self) -> Option<(Identity, Vec<Source>)> {
        let identity = self.customer.identity.take()?;
        let map = &identity.from.value;
        let joined = self.is_joined(map);
        let is_map = |source: &Source| source.name.value == *map;
        let lookup = self.sources.iter().filter(|source| is_map(source));
        let lookup = lookup.cloned().collect();
        self.sources.retain(|source| joined || !is_map(source));
        Some((identity, lookup))
    }
}

/// `[run]`: when a run may be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunSettings {
    /// The day through which every source of events must be complete; a source may state its own.
    pub data_through: Option<Through>,
}

/// The day through which a source must be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// So many days before the day of the run; 0 is the day itself.
    DaysBefore(u32),
    /// None is waited for.
    Any,
}

/// `[log]`: what messages and logs may show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Log {
    /// Values of customers' rows as they are; otherwise as [`crate::shown::example`] has them.
    pub values: bool,
}

/// `[report]`: what the report shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Customers on the first page; 0 shows none.
    pub customers: usize,
}

impl Default for Report {
    fn default() -> Self {
        Self { customers: 20 }
    }
}

/// `[goal]`: the goal of the segmentation.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// What is to be achieved.
    pub objective: Objective,
    /// A feature or score, shown per segment.
    pub kpi: At<String>,
    /// Where the KPI should be.
    pub target: Option<Target>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When the segmentation is due for review.
    #[serde(serialize_with = "as_optional_text")]
    pub review_by: Option<NaiveDate>,
}

/// Objectives of a segmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Objective {
    Retention,
    Upsell,
    Adoption,
    Acquisition,
}

/// A target for the KPI's mean over all customers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The mean should be below this.
    Below(At<f64>),
    /// The mean should be above this.
    Above(At<f64>),
}

impl Target {
    /// The number, with its place.
    pub fn limit(&self) -> &At<f64> {
        match self {
            Self::Below(limit) | Self::Above(limit) => limit,
        }
    }
}

/// `[customer]`: the entity whose segments are published.
#[derive(Debug, Clone, Serialize)]
pub struct Customer {
    /// Name of the key column in the published tables.
    pub key: String,
    /// Where it is stated.
    #[serde(skip)]
    pub key_span: Span,
    /// Sources whose keys make up the base, in file order; all sources by default.
    pub from: Vec<At<String>>,
    /// Share of the customers that the run is limited to, above 0 and below 1; all customers by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<f64>,
    /// Keys that belong to another customer now; no key does by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Condition over features: where it is false, an account is closed and has left the base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<ExprText>,
    /// The table `cohorts` is counted: the orders of the months it lacks are read once more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cohorts: bool,
}

/// `[playbooks.NAME]`: what to do with a segment.
#[derive(Debug, Clone, Serialize)]
pub struct Playbook {
    /// Name of the playbook.
    pub name: At<String>,
    /// The scheme its segment belongs to.
    pub scheme: At<String>,
    /// The segment; the playbook's own name by default.
    pub segment: At<String>,
    /// What is to be achieved.
    pub goal: Option<String>,
    /// high, low or tech touch.
    pub touch: Option<String>,
    /// Through what channel.
    pub channel: Option<String>,
    /// Who acts.
    pub owner: Option<String>,
    /// How its customers are exported. No part of the canonical form: it decides no published byte.
    #[serde(skip)]
    pub export: Export,
}

/// Serialises what prints as its canonical text, such as a time zone.
fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn as_optional_text<T: std::fmt::Display, S: Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}
