//! A published version as a report: one HTML file that needs no network, and a summary for the terminal.
//!
//! The report reads published tables only, so that any old version can be rendered again: the same version gives the same
//! bytes. It computes no statistics of its own; it counts, sorts, formats and draws.
//!
//! | type | what it is |
//! |---|---|
//! | [`ReportInput`] | the tables of one version, and what the report says about the pipeline ([`ReportMeta`]) |
//! | [`Options`] | templates that replace the embedded ones, and how much is shown |
//! | [`ReportError`] | why no report could be made |
//!
//! *Where to look*: a part of the report is one file of `section/` with a template of the same name in
//! `templates/sections/`, and one line in the registry of `section.rs`. `facts.rs` reads the tables once for all sections;
//! `score.rs` collects the rows of each score; `number.rs` formats numbers; `chart.rs` computes coordinates of charts;
//! `templates/style.css` is the style of the page; `version.rs` opens a version of a store. `export.rs` has the lists of playbooks for
//! other systems.

mod by_model;
mod chart;
mod column;
mod comparable;
mod due;
mod error;
pub mod export;
mod facts;
mod input;
mod key;
mod mark;
mod number;
mod page;
mod profile;
mod record;
mod score;
mod section;
mod sql;
mod summary;
mod text;
mod version;

pub use error::ReportError;
pub use input::{Before, FeatureMeta, GoalMeta, ReportInput, ReportMeta, SchemeMeta, TargetMeta};
pub use page::{Options, render, template_names};
pub use summary::summary;
pub use version::from_version;
