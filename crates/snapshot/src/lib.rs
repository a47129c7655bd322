//! The versioned store: many tables become visible in one atomic step, and stay as they are.
//!
//! The types that matter: [`Store`], [`Version`] (one published state), [`Staging`] (tables on their way in), [`tables`] (what
//! is published), [`StoreError`] (with its exit code).
//!
//! Layout of a store: `FORMAT`, `PIPELINES` (whose versions these are), `commits/` (the truth), `data/as_of=…/run=…/TABLE.parquet` (immutable), `inputs/` (what versions were made of, held once), `expired/` (versions
//! whose data may be gone), `LATEST` and `latest` (hints), `INDEX` (what is needed of every commit: a hint), `catalog.parquet`, `views/` and `reports/` (rebuildable), `LOCK`,
//! `tmp/`.
//!
//! Where to look: `publish` is the protocol step by step, `gate` is where an interrupt and a commit meet, `format` founds a store, `store` finds versions, `succession` relates
//! them, `owners` says whose versions a store holds, `lock` is taken by publishers, `hints`, `index` and `catalogue` make them easy to find, `verify` checks, `reports` keeps pages for people, `writer` makes the Parquet files, `step` is where tests break things.

mod catalogue;
mod commit;
mod error;
mod folder;
mod format;
mod gate;
mod hints;
mod index;
mod inputs;
mod lock;
mod owners;
mod publish;
mod reports;
mod step;
mod store;
mod succession;
pub mod tables;
mod txid;
mod verify;
mod version;
mod writer;

#[cfg(test)]
mod tests;

pub use commit::{Commit, CommittedColumn, CommittedFile, CommittedTable, Replaced};
pub use error::StoreError;
pub use gate::{Gate, Stopped};
pub use owners::Owner;
pub use publish::{Published, RunIdentity, Staging};
pub use store::{Listed, ListedFile, ListedTable, Options, Store};
pub use succession::Standing;
pub use verify::{Depth, Replacement, VerifyReport};
pub use version::{OpenVersion, Version};
