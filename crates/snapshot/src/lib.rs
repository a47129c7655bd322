//! The versioned store: many tables become visible in one atomic step, and stay as they are.
//!
//! The types that matter: [`Store`], [`Version`] (one published state), [`Staging`] (tables on their way in), [`tables`] (what
//! is published), [`StoreError`] (with its exit code).
//!
//! Layout of a store: `FORMAT`, `commits/` (the truth), `data/as_of=…/run=…/TABLE.parquet` (immutable), `LATEST` and `latest`
//! (hints), `catalog.parquet` and `views/duckdb.sql` (rebuildable), `LOCK`, `tmp/`.
//!
//! Where to look: `publish` is the protocol step by step, `store` finds versions and keeps the hints, `verify` checks.

mod catalogue;
mod commit;
mod error;
mod folder;
mod publish;
mod store;
pub mod tables;
mod txid;
mod verify;
mod version;
mod writer;

pub use commit::{Commit, CommittedFile, CommittedTable};
pub use error::StoreError;
pub use publish::{Published, RunIdentity, Staging};
pub use store::Store;
pub use verify::VerifyReport;
pub use version::Version;
