//! The order of work: from a pipeline file to a published version.
//!
//! The types that matter: [`Prepared`] (a checked pipeline against its lake), [`Stage`] (a step; a run is a list of them),
//! [`Published`] (the version that came of it), [`PipelineError`] (with its exit code).
//!
//! Where to look: `prepare` checks everything before a row is read, `changed_lake` whether mistakes are the lake's, `stage` lists the steps, `compute` executes them up to the
//! finished tables, `run` publishes these, `table` computes the features at any date, `scores` the scores, `labels` finds which
//! texts and numbers columns can have, `units` which columns an expression has the values of, `identity` identifies a run, `defining`
//! knows what of a pipeline defines rows and columns,
//! `name` knows the versions of a pipeline that was renamed, `lines` who can be lost in which line of business,
//! `history` compares with the previous version, `experiments` draws customers into variants and compares these, `held` keeps an earlier definition of a scheme in use, `leaves` finds when
//! customers leave by time alone, `nearest` the smallest change that would move them, `publish` makes tables, version and report,
//! `work` holds the files of a run outside the store, `store_place` refuses a store in the folder of a source, `monitor` writes metrics and lineage, `diff` compares two versions,
//! `draft` writes a first pipeline file for a lake, `explain` states why customers are in their segments, `export` lists the customers of playbooks, `backfill` which past days are to be run, `plan` what a run would
//! change.

mod artifacts;
pub mod backfill;
mod base;
mod changed_lake;
mod check;
mod cohorts;
mod compute;
mod customers;
mod defining;
mod dictionary;
pub mod diff;
mod digits;
pub mod draft;
mod error;
mod expect;
mod experiments;
pub mod explain;
pub mod export;
mod gates;
mod held;
mod history;
mod identity;
mod intervals;
mod labels;
mod leaves;
mod lines;
mod marks;
mod memory;
mod merged;
mod monitor;
mod name;
mod nearest;
mod options;
mod pins;
mod pipeline_file;
pub mod plan;
mod prepare;
mod prepared;
mod program;
mod publish;
pub mod readout;
mod reliance;
mod run;
mod scores;
mod sources;
mod stage;
mod store_place;
mod table;
mod times;
mod truths;
mod units;
mod unmet;
mod untimed;
mod value;
mod work;

pub use changed_lake::prepare_run;
pub use check::{Checked, Day, check, day};
pub use compute::{Computed, compute};
pub use error::PipelineError;
pub use memory::{Hooks, Memory};
pub use monitor::{Finished, Monitor};
pub use options::RunOptions;
pub use pipeline_file::{load, schema_text, syntax};
pub use prepare::{Reading, Records, prepare};
pub use prepared::Prepared;
pub use publish::{Page, Published, WrittenTable, render};
pub use run::{publish, run, set_threads};
pub use scores::markdown as scores_markdown;
pub use sources::{SourceOutcome, Warnings, Weight};
pub use stage::{Observer, Silent, Stage, StageReport, stages};
pub use tessera_expr::aggregates::{markdown as aggregates_markdown, written as aggregates};
pub use tessera_features::catalogue;
pub use tessera_ingest::formats_markdown;
pub use tessera_segments::{gates_markdown, markdown as schemes_markdown};
pub use unmet::Unmet;
pub use work::{WorkFolder, remove_left};
