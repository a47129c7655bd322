//! The versioned store: many tables become visible in one atomic step, and stay as they are.
//!
//! The types that matter: [`Store`], [`Version`] (one published state), [`Staging`] (tables that are being published),
//! [`tables`] (their definitions), [`StoreError`] (with its exit code).
//!
//! Layout of a store: `FORMAT`, `PIPELINES` (the pipelines that publish here), `commits/` (the source of truth),
//! `data/as_of=…/run=…/TABLE.parquet` (immutable), `inputs/` (lists of input files), `artifacts/` (what was learned from data),
//! `expired/` (versions whose data may have been deleted), `pins/` (versions that someone still needs), `LATEST` and `latest` (hints), `INDEX` (parts of every commit: a hint),
//! `catalog.parquet`, `views/` and `reports/` (can be rebuilt), `LOCK`, `tmp/`.
//!
//! Where to look: `publish` is the protocol step by step, `gate` decides between an interrupt and a commit, `format` creates a
//! store, `store` finds versions, `succession` relates them, `owners` records the pipelines, `lock` is taken by publishers,
//! `hints`, `index` and `catalogue` make versions easy to find, `drafts` replaces many small files together, `verify` checks,
//! `lost` finds commits that are missing, `remedy` says what makes a damaged file again, `artifacts` keeps what was learned from
//! data, `reports` keeps HTML reports, `gc` removes versions (`retention` decides which, `expiry` marks them, `sweep` removes files),
//! `writer` makes the Parquet files, `step` is where tests inject faults.

mod artifacts;
mod by_day;
mod catalogue;
mod commit;
mod delta;
mod drafts;
mod error;
mod expiry;
mod folder;
mod format;
mod gate;
mod gc;
mod hints;
mod identity;
mod index;
mod inputs;
mod leftovers;
mod listed;
mod lock;
mod lookup;
mod lost;
mod owners;
mod pins;
mod publish;
mod remedy;
mod reports;
mod retention;
mod step;
mod store;
mod succession;
mod sweep;
pub mod tables;
mod txid;
mod verify;
mod version;
mod writer;

#[cfg(test)]
mod tests;

pub use artifacts::{NewArtifact, artifact_id};
pub use commit::{
    Commit, CommittedArtifact, CommittedColumn, CommittedFile, CommittedTable, Replaced,
};
pub use error::{Lost, StoreError};
pub use format::EXAMPLES;
pub use gate::{Gate, Stopped};
pub use gc::{Collected, Judged, Policy, State};
pub use identity::RunIdentity;
pub use leftovers::Leftovers;
pub use listed::{Listed, ListedFile, Standing};
pub use owners::Owner;
pub use publish::{Published, Staging};
pub use remedy::remedy;
pub use retention::{Reason, Retention};
pub use store::{Options, Store};
pub use txid::check_clock;
pub use verify::{Depth, Replacement, VerifyReport};
pub use version::{OpenVersion, Version};
pub use writer::write_rows;
