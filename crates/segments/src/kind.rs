//! One way of assigning the customers: everything there is to know about it. The kinds are in `kinds/`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tessera_spec::SchemeSyntax;
use tessera_spec::pipeline::{LifecycleLimits, Scheme, SchemeKind, SchemeSettings};

use crate::assignment::{Assignment, Extra};
use crate::cells::Cells;
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;

/// One kind of scheme.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name, which is also that of its source file, its keys in the pipeline file, and how they are read.
    pub syntax: SchemeSyntax,
    /// How it decides, what happens to missing values, and what it publishes.
    pub docs: &'static str,
    /// How customers are assigned, for readers of a report who do not know the pipeline file.
    pub words: &'static str,
    /// Its keys in an example, for the documentation.
    pub example: &'static str,
    /// How the smallest change of one column that leads to another segment is found.
    pub nearest: Nearest,
    /// Its settings, from the canonical form in which commits state them.
    pub(crate) declared: fn(&str, &Value) -> serde_json::Result<SchemeKind>,
    /// Assigns the customers to segments.
    pub(crate) assign: Assign,
    /// What it learns from the customers, if it may.
    pub learning: Option<Learning>,
    /// The segment of that name, where the kind has segments that an assignment lacks while nobody is in them.
    pub(crate) vacant: fn(&Scheme, &LifecycleLimits, &str) -> Option<Vacant>,
}

/// A segment of a scheme that an assignment has only where somebody is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vacant {
    /// The settings say that there is such a segment; its rule.
    Stated(String),
    /// Any text can be one: only the past tells which there are; its rule.
    Label(String),
}

impl Vacant {
    /// The rule as text.
    pub fn rule(&self) -> &str {
        match self {
            Self::Stated(rule) | Self::Label(rule) => rule,
        }
    }
}

/// Kinds that do not look for a number of clusters.
pub(crate) fn never_too_few(_: &Scheme, _: &Fit) -> Option<usize> {
    None
}

/// Kinds whose assignments have every segment that they can have.
pub(crate) fn none_vacant(_: &Scheme, _: &LifecycleLimits, _: &str) -> Option<Vacant> {
    None
}

/// How the smallest change of one column that leads to another segment is found.
#[derive(Debug, Clone, Copy)]
pub enum Nearest {
    /// It cannot be told, and why.
    Untold(&'static str),
    /// At the constants with which rules compare columns.
    Rules,
    /// At the limits of columns, from the settings, the limits of lifecycle stages and what was learned; nothing where nothing was
    /// learned.
    Limits(fn(&Scheme, &LifecycleLimits, &Fit) -> Result<Option<Cells>, SegmentError>),
    /// Where another of the learned centres becomes the nearest.
    Centres,
}

/// Assigns the customers to segments.
pub(crate) type Assign = fn(&Scheme, &Customers, &Extra<'_>) -> Result<Assignment, SegmentError>;

/// What a kind does with what it learns.
#[derive(Debug, Clone, Copy)]
pub struct Learning {
    /// The name of the form in which it is stored; kinds that learn the same have the same.
    pub form: &'static str,
    /// Beginnings of the paths of the files of the program that learn and apply it, beside those that everything depends on.
    pub files: &'static [&'static str],
    /// Gives what was read from a store its type.
    pub(crate) restore: fn(&str, &Value) -> serde_json::Result<Fit>,
    /// Of clusters: how many were found, where fewer were found than the scheme asks for.
    pub(crate) too_few: fn(&Scheme, &Fit) -> Option<usize>,
    /// Assigns customers in another state by what an assignment learned.
    pub(crate) apply:
        fn(&Assignment, &Scheme, &Customers, &Extra<'_>) -> Result<Assignment, SegmentError>,
}

/// Settings of one type, from their canonical form.
pub(crate) fn declared<S>(name: &str, stored: &Value) -> serde_json::Result<SchemeKind>
where
    S: SchemeSettings + Serialize + DeserializeOwned,
{
    let settings = S::deserialize(stored)?;
    let known = crate::kind(name).map_or("", |kind| kind.syntax.name);
    Ok(SchemeKind::new(known, settings))
}

/// The settings of a scheme, which must be of this kind.
pub(crate) fn settings<'s, S: SchemeSettings>(
    kind: &Kind,
    scheme: &'s Scheme,
) -> Result<&'s S, SegmentError> {
    let kind = kind.syntax.name;
    scheme.kind.of().ok_or(SegmentError::WrongKind { kind })
}

impl Assignment {
    /// What this assignment learned, which must be of this kind.
    pub(crate) fn learned<T: 'static>(&self, kind: &Kind) -> Result<&T, SegmentError> {
        let kind = kind.syntax.name;
        self.fit.get().ok_or(SegmentError::WrongKind { kind })
    }
}
