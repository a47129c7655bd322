//! One scheme applied to every customer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use tessera_model::cluster::{ClusterWarning, NamedFeature};
use tessera_spec::pipeline::{Criteria, Naming, Scheme};
use tessera_spec::shown::grouped;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::SegmentError;
use crate::fit::Fit;
use crate::parameter::Parameter;
use crate::quality::Quality;
use crate::rule_reasons::RuleReasons;
use crate::rules_lint::RulesWarning;
use crate::wording::{counted, percent};

/// Mean Jaccard similarity from which a cluster counts as stable (Hennig 2007).
pub(crate) const STABLE: f64 = 0.75;

/// What a scheme may need beside the customers' features.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra<'a> {
    /// Seed of every random step.
    pub seed: u64,
    /// `rules`: per customer the index (from 0) of the first rule that is true, `None` where no rule is. Enough to assign, not
    /// enough to find rules that overlap.
    pub rule_hits: Option<&'a [Option<u32>]>,
    /// `rules`: per rule, in order, whether it is true for each customer; null is not true. Used instead of `rule_hits`; with
    /// it the rules are also checked, see [`crate::RulesLint`].
    pub rule_matches: Option<&'a [BooleanArray]>,
    /// `rules`: the conditions of the rules, evaluated for each customer, for reasons with the customer's own values; without
    /// them the reasons are the rules as written.
    pub rule_reasons: Option<&'a Arc<RuleReasons>>,
    /// Clusters: the units of the features, from which clusters are named; a feature that is not among them is treated as a
    /// plain number.
    pub named_features: &'a [NamedFeature],
    /// What an earlier version learned, which is applied; without it this run learns its own.
    pub learned: Option<&'a Fit>,
    /// Limits that the scheme's own rows of `quality` are held against; the defaults without.
    pub criteria: Option<&'a Criteria>,
    /// Clusters: which of them continue earlier ones; without it ids follow from names.
    pub identity: Option<&'a dyn ClusterIdentity>,
}

/// Gives clusters the ids and names under which they are known.
pub trait ClusterIdentity: fmt::Debug + Sync {
    /// Id and name of each cluster. `cluster_of` is the cluster of every customer, in table order; `names` are the names of the
    /// clusters without a history.
    fn clusters(
        &self,
        scheme: &Scheme,
        cluster_of: &[u32],
        names: Vec<String>,
    ) -> Vec<(i64, String)>;
}

/// The segment of every customer under one scheme, with the reason.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Name of the scheme.
    pub scheme: String,
    /// Name of its kind, as in [`crate::KINDS`].
    pub kind: &'static str,
    /// The segments, in the scheme's own order; a declared segment without customers is among them.
    pub segments: Vec<SegmentInfo>,
    /// Per customer, in table order: index into `segments`.
    pub segment_of: Vec<u32>,
    /// Why each customer is in its segment.
    pub reasons: Reasons,
    /// Whether a stated rule or a fitted model decided.
    pub assigned_by: AssignedBy,
    /// Customers who are in another segment than the scheme says, by row.
    pub held: BTreeMap<u32, Held>,
    /// Further columns for the `customers` table, such as `<scheme>_score`.
    pub columns: Vec<ExtraColumn>,
    /// Rows for the `models` table.
    pub parameters: Vec<Parameter>,
    /// Findings that do not stop the run.
    pub warnings: Vec<Warning>,
    /// Rows for the `quality` table.
    pub quality: Vec<Quality>,
    /// What was learned from these customers.
    pub fit: Fit,
}

/// One segment of a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Permanent id, see [`segment_id`].
    pub id: i64,
    /// Name shown.
    pub name: String,
    /// The rule as text, where there is one.
    pub rule: Option<String>,
}

/// Why a customer is in another segment than the scheme says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What decided.
    pub by: AssignedBy,
    /// Why, with what the scheme says.
    pub reason: String,
}

/// What decided the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignedBy {
    /// A stated rule.
    Rule,
    /// A fitted model.
    Model,
    /// A person, by a pin.
    Pin,
    /// A minimum stay, limits of entering and leaving, or an earlier definition.
    Held,
}

/// A further column of the `customers` table, one value per customer in table order.
#[derive(Debug, Clone)]
pub struct ExtraColumn {
    /// Name of the column.
    pub name: String,
    /// Utf8, Int64 or Float64.
    pub values: ArrayRef,
}

/// The reasons of an assignment, written on demand so that a million customers need not hold a million texts.
#[derive(Clone)]
pub enum Reasons {
    /// The same reason for every customer of a segment; one per segment.
    PerSegment(Vec<String>),
    /// One of a few reasons; per customer the index of its text.
    PerCode {
        /// Per customer: index into `texts`.
        codes: Vec<u32>,
        /// The reasons.
        texts: Vec<String>,
    },
    /// A reason written from the customer's own numbers: row of the customer table, text to append to.
    Written(Arc<ReasonWriter>),
}

/// Appends the reason of the customer in a row to a text.
pub type ReasonWriter = dyn Fn(usize, &mut String) + Send + Sync;

/// A finding about a scheme that does not stop the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// Fewer distinct values than scores, so that some scores stay empty.
    FewDistinctValues {
        /// The feature.
        feature: String,
        /// Its distinct values.
        distinct: usize,
        /// Scores asked for.
        scores: u8,
    },
    /// The worst value of a feature has a score in the middle or above.
    WorstValue(WorstValue),
    /// Edges of scores that are equal because many customers have one value, so that some scores stay empty.
    EqualEdges {
        /// The feature.
        feature: String,
        /// The value.
        value: f64,
        /// Edges that are this value.
        equal: usize,
        /// Edges in all.
        edges: usize,
        /// Scores that no customer has.
        empty: Vec<u8>,
    },
    /// A value of a label that is called as the segment of customers without a value, or of those with rare values.
    SharedSegment {
        /// The segment.
        segment: String,
        /// Customers who have the value.
        with_value: u64,
        /// The others.
        others: u64,
        /// Whether the others have rare values; otherwise they have none.
        rare: bool,
    },
    /// Cells of the grid that no line covers; their customers are `Others`.
    UncoveredCells {
        /// Cells.
        cells: usize,
        /// Customers in them.
        customers: u64,
    },
    /// Lines of the grid whose cells are all covered by earlier lines.
    DeadLines {
        /// Their segments.
        segments: Vec<String>,
    },
    /// Tiers without a customer.
    EmptyTiers {
        /// Their names.
        tiers: Vec<String>,
        /// Why nobody is in them.
        why: WhyEmpty,
    },
    /// A warning of the clustering.
    Clusters(ClusterWarning),
    /// A warning about a list of rules.
    Rules(RulesWarning),
    /// The silhouette is no higher than that of rows without clusters by construction.
    NoClusters {
        /// Clusters looked for.
        k: usize,
        /// Mean silhouette of the customers in the sample.
        silhouette: f64,
        /// Mean silhouette over sets of rows without clusters, of the null model that explains the customers best.
        without_clusters: f64,
        /// Share of those sets that reach the silhouette of the customers.
        p_value: f64,
    },
    /// Clusters that are not found again when customers are resampled.
    UnstableClusters {
        /// Name and mean Jaccard similarity.
        clusters: Vec<(String, f64)>,
    },
}

/// The worst value of a feature, which so many customers have that their score is in the middle or above.
#[derive(Debug, Clone, PartialEq)]
pub struct WorstValue {
    /// The feature.
    pub feature: String,
    /// The value.
    pub value: f64,
    /// Customers who have it.
    pub customers: u64,
    /// Customers with a score.
    pub scored: u64,
    /// The score that all of them get.
    pub score: u8,
    /// Scores asked for.
    pub scores: u8,
}

/// Why nobody is in a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyEmpty {
    /// Customers with equal values are in the same tier.
    Ties,
    /// Its share is too small for so many customers.
    Share {
        /// Customers with a value.
        customers: u64,
    },
    /// Nobody was in it when it was fitted.
    Fit,
}

impl Warning {
    /// Whether it is about the customers of whom the scheme learned, who may be others now.
    pub fn is_of_fit(&self) -> bool {
        match self {
            // Of those to whom the clusters are applied.
            Self::Clusters(ClusterWarning::BelowZero { .. }) => false,
            Self::Clusters(_) | Self::NoClusters { .. } | Self::UnstableClusters { .. } => true,
            Self::EmptyTiers { .. }
            | Self::FewDistinctValues { .. }
            | Self::WorstValue(_)
            | Self::EqualEdges { .. }
            | Self::SharedSegment { .. }
            | Self::UncoveredCells { .. }
            | Self::DeadLines { .. }
            | Self::Rules(_) => false,
        }
    }
}

impl Assignment {
    /// Number of customers assigned.
    pub fn len(&self) -> usize {
        self.segment_of.len()
    }

    /// Whether there is no customer.
    pub fn is_empty(&self) -> bool {
        self.segment_of.is_empty()
    }

    /// The segment of the customer in a row of the customer table.
    pub fn segment(&self, row: usize) -> &SegmentInfo {
        &self.segments[self.segment_of[row] as usize]
    }

    /// The reason of the customer in a row of the customer table.
    pub fn reason(&self, row: usize) -> String {
        let mut text = String::new();
        self.write_reason(row, &mut text);
        text
    }

    /// Appends the reason of the customer in a row of the customer table.
    pub fn write_reason(&self, row: usize, to: &mut String) {
        if let Some(held) = self.held.get(&(row as u32)) {
            to.push_str(&held.reason);
            return;
        }
        match &self.reasons {
            Reasons::PerSegment(texts) => to.push_str(&texts[self.segment_of[row] as usize]),
            Reasons::PerCode { codes, texts } => to.push_str(&texts[codes[row] as usize]),
            Reasons::Written(write) => write(row, to),
        }
    }

    /// Who decided on the customer in a row of the customer table.
    pub fn decided_by(&self, row: usize) -> AssignedBy {
        let held = self.held.get(&(row as u32));
        held.map_or(self.assigned_by, |held| held.by)
    }

    /// Puts the customer of a row into a segment, which is added where the assignment does not have it.
    pub fn put(&mut self, row: usize, segment: &SegmentInfo) {
        let known = self
            .segments
            .iter()
            .position(|own| own.name == segment.name);
        let place = known.unwrap_or_else(|| {
            self.segments.push(segment.clone());
            self.segments.len() - 1
        });
        self.segment_of[row] = place as u32;
    }

    /// Gives segments that an earlier definition found the names that they have been given since, one rename after the other.
    pub fn rename(&mut self, naming: &Naming) {
        for (name, was) in &naming.was {
            if self.segments.iter().any(|segment| segment.name == *name) {
                continue;
            }
            let mut segments = self.segments.iter_mut();
            if let Some(segment) = segments.find(|segment| segment.name == *was) {
                segment.name.clone_from(name);
            }
        }
    }

    /// Customers per segment, in the order of `segments`.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.segments.len()];
        for &segment in &self.segment_of {
            counts[segment as usize] += 1;
        }
        counts
    }

    /// An assignment by the names of segments alone: what was learned from other customers, applied to these.
    pub(crate) fn by_names<'a>(
        scheme: &str,
        kind: &'static str,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut places: BTreeMap<&str, u32> = BTreeMap::new();
        let mut segments = Vec::new();
        let segment_of = names
            .map(|name| {
                *places.entry(name).or_insert_with(|| {
                    segments.push(SegmentInfo::new(scheme, name, None));
                    segments.len() as u32 - 1
                })
            })
            .collect();
        Self::bare(scheme, kind, segments, segment_of)
    }

    /// An assignment without reasons, parameters or anything else that describes it.
    pub(crate) fn bare(
        scheme: &str,
        kind: &'static str,
        segments: Vec<SegmentInfo>,
        segment_of: Vec<u32>,
    ) -> Self {
        Self {
            scheme: scheme.to_owned(),
            kind,
            segments,
            segment_of,
            reasons: Reasons::PerSegment(Vec::new()),
            assigned_by: AssignedBy::Model,
            held: BTreeMap::new(),
            columns: Vec::new(),
            parameters: Vec::new(),
            warnings: Vec::new(),
            quality: Vec::new(),
            fit: Fit::default(),
        }
    }

    /// Rejects two segments with the same id.
    pub(crate) fn checked(self) -> Result<Self, SegmentError> {
        let mut ids: Vec<(i64, &str)> = self
            .segments
            .iter()
            .map(|s| (s.id, s.name.as_str()))
            .collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(SegmentError::IdCollision {
                first: pair[0].1.to_owned(),
                second: pair[1].1.to_owned(),
            });
        }
        Ok(self)
    }
}

impl SegmentInfo {
    /// A segment with its permanent id.
    pub(crate) fn new(scheme: &str, name: &str, rule: Option<String>) -> Self {
        Self {
            id: segment_id(scheme, name),
            name: name.to_owned(),
            rule,
        }
    }
}

/// Permanent id of a segment: the low 53 bits of xxh3-64 over scheme, a zero byte and segment.
///
/// A pure function of the two names, so that it never changes with the data; 53 bits, so that it survives tools that read
/// every number as a float.
pub fn segment_id(scheme: &str, segment: &str) -> i64 {
    let name = [scheme.as_bytes(), &[0], segment.as_bytes()].concat();
    (xxh3_64(&name) & ((1 << 53) - 1)) as i64
}

impl AssignedBy {
    /// The value in the `memberships` table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Model => "model",
            Self::Pin => "pin",
            Self::Held => "held",
        }
    }
}

impl fmt::Debug for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSegment(texts) => f.debug_tuple("PerSegment").field(texts).finish(),
            Self::PerCode { texts, .. } => f
                .debug_struct("PerCode")
                .field("texts", texts)
                .finish_non_exhaustive(),
            Self::Written(_) => f.write_str("Written(..)"),
        }
    }
}

impl fmt::Display for WhyEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ties => f.write_str("customers with equal values are in the same tier"),
            Self::Share { customers } => {
                let all = counted(*customers, "customer");
                write!(f, "their share of {all} is less than one")
            }
            Self::Fit => f.write_str("nobody was in them when they were fitted"),
        }
    }
}

impl fmt::Display for WorstValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is {}, the worst value, for {} of {} ({}), who all get score {} of {}: names of segments that speak of it, such as `Loyal` of frequency, are wrong for them; `score_method = {{ kind = \"threshold\", … }}` states which values get which score",
            self.feature,
            self.value,
            grouped(self.customers),
            counted(self.scored, "customer"),
            percent(self.customers as f64 / self.scored as f64),
            self.score,
            self.scores
        )
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewDistinctValues {
                feature,
                distinct,
                scores,
            } => write!(
                f,
                "`{feature}` has {}, fewer than the {scores} scores; equal values get equal scores, so some scores are empty",
                counted(*distinct as u64, "distinct value")
            ),
            Self::WorstValue(found) => found.fmt(f),
            Self::EqualEdges {
                feature,
                value,
                equal,
                edges,
                empty,
            } => {
                let empty: Vec<String> = empty.iter().map(u8::to_string).collect();
                write!(
                    f,
                    "{equal} of the {edges} edges of `{feature}` are {value}, because many customers have the same value; no customer has score {}",
                    empty.join(", ")
                )
            }
            Self::SharedSegment {
                segment,
                with_value,
                others,
                rare,
            } => {
                let (which, setting) = match rare {
                    true => ("with rare values", "other"),
                    false => ("without a value", "missing"),
                };
                write!(
                    f,
                    "segment `{segment}` has {with_value} customers with the value `{segment}` and {others} {which}; `{setting} = \"…\"` gives these a segment with another name"
                )
            }
            Self::UncoveredCells { cells, customers } => write!(
                f,
                "no line of the grid covers {cells} cells; their {customers} customers are in `Others`"
            ),
            Self::DeadLines { segments } => write!(
                f,
                "segments without customers, because earlier lines of the grid cover all their cells: {}",
                segments.join(", ")
            ),
            Self::EmptyTiers { tiers, why } => write!(
                f,
                "tiers without customers, because {why}: {}",
                tiers.join(", ")
            ),
            Self::Clusters(warning) => warning.fmt(f),
            Self::Rules(warning) => warning.fmt(f),
            Self::NoClusters {
                k,
                silhouette,
                without_clusters,
                p_value,
            } => write!(
                f,
                "no evidence of clusters: {k} clusters have a silhouette of {silhouette:.2}, and in rows without clusters it is \
                 {without_clusters:.2} (p = {p_value:.2}); the clusters split a continuum or single features, and their borders are \
                 arbitrary"
            ),
            Self::UnstableClusters { clusters } => {
                let named: Vec<String> = clusters
                    .iter()
                    .map(|(name, jaccard)| format!("`{name}` ({jaccard:.2})"))
                    .collect();
                write!(
                    f,
                    "clusters that are not found again when customers are resampled (mean Jaccard similarity below {STABLE}): {}",
                    named.join(", ")
                )
            }
        }
    }
}
