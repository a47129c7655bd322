//! Assigning customers to segments: schemes, the segment of every customer with its reason, and profiles of the segments.
//!
//! Everything here is a pure function over Arrow columns: one row per customer goes in, an [`Assignment`] comes out. Nothing
//! reads files, evaluates expressions or names an engine.
//!
//! The types that matter: [`Customers`] (the checked input), [`Assignment`] (one scheme applied to every customer) and
//! [`Kind`] (one kind of scheme, an entry of [`KINDS`]).
//!
//! Where to look:
//!
//! | question | file |
//! |---|---|
//! | how does one kind of scheme decide, what may its table hold? | `kinds/KIND.rs` |
//! | what is a kind? | `kind.rs` |
//! | which cells belong to which RFM segment? do a grid's intervals overlap? | `grid.rs`, `grid/` |
//! | how does a value become a score from 1 to k? | `score.rs` |
//! | which rules overlap, which decide no customer? | `rules_lint.rs` |
//! | can a scheme be relied on? | `quality.rs`, `cluster_evidence.rs` |
//! | which segments follow from limits of columns? | `cells.rs` |
//! | what does a scheme keep of its clusters, of its edges? | `clusters.rs`, `edges.rs` |
//! | what is a scheme held against, and what asks for more than a flag? | `gates.rs`, `gates/CRITERION.rs` |
//! | what was learned from the customers, and how is it applied to others? | `fit.rs` |
//! | what is a row of `models`? | `parameter.rs` |
//! | what is published per segment? | `profiles.rs`, `summary.rs`, `tables.rs` |

mod actions;
mod assignment;
mod cells;
mod centres;
mod cluster_evidence;
mod clusters;
mod customers;
mod edges;
mod error;
mod fit;
mod gates;
mod grid;
mod kind;
mod kinds;
mod label_targets;
mod moments;
mod parameter;
mod profiles;
mod quality;
mod rank;
mod rfm;
mod rule_list;
mod rule_reasons;
mod rules_lint;
mod score;
mod summary;
mod tables;
mod wording;

pub use actions::{ActionBatches, Listed, actions, for_nobody, without_playbook};
pub use assignment::{
    AssignedBy, Assignment, ClusterIdentity, Extra, ExtraColumn, Held, Reasons, SegmentInfo,
    Warning, WhyEmpty, WorstValue, segment_id,
};
pub use cells::{Axis, Cells};
pub use centres::{Centres, Change, Compared, Needed, Position};
pub use clusters::Clusters;
pub use customers::{ColumnKind, Customers, Labels, Numeric};
pub use edges::FrozenEdges;
pub use error::SegmentError;
pub use fit::Fit;
pub use gates::actionable::WHO_MAY_BE_CONTACTED;
pub use gates::distinguishable::KPIS;
pub use gates::{GATES, Gate, Judged, Measure, Since, failed, judge, markdown as gates_markdown};
pub use grid::{CellMap, GridLint, lint};
pub use kind::{Kind, Learning, Nearest, Vacant};
pub use kinds::{
    AttributeScheme, KINDS, KmeansScheme, LifecycleScheme, NO_STAGE, QuantileScheme, Tiers,
    WithinLimits, assign, cells_within, declared, kind, markdown, restored, syntax, tiers_within,
    too_few_clusters, vacant, within_limits, within_margin,
};
pub use parameter::Parameter;
pub use profiles::{LABEL_VALUES, OTHER_LABEL, Profile, profiles};
pub use quality::{Quality, QualityStatus, Side, Threshold};
pub use rfm::{CODE_WEIGHTS, Closed, Grid, GridInterval, NOT_SCORED, RfmGrid, ScoreMethod};
pub use rule_list::{RulesScheme, SegmentRule};
pub use rule_reasons::{RuleClauses, RuleReasons};
pub use rules_lint::{RuleName, RulesLint, RulesWarning, repeated_rules};
pub use summary::{SegmentSummary, summarise};
pub use tables::{
    MembershipBatches, Stay, customer_columns, memberships, model_rows, models_schema,
    models_table, profiles_schema, profiles_table, segments_schema, segments_table,
};
pub use tessera_model::cluster::NamedFeature;
pub use wording::write_number;
