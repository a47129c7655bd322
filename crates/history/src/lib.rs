//! How one version relates to the one before it: which segment is which, who moved, and why.
//!
//! Everything here is a pure function over columns of two versions. Nothing reads files, a store or a pipeline.
//!
//! The types that matter: [`Before`] (the segments of the previous version), [`Alignment`] (who is in both versions), [`Ledger`]
//! (every segment id ever given), [`Moves`] (the steps between the two versions).
//!
//! Where to look:
//!
//! | question | file |
//! |---|---|
//! | which cluster is which earlier cluster? | `matching.rs` |
//! | what id and name does a segment have? what happened to it? | `ledger.rs`, `events.rs` |
//! | who was there before, and who is gone? | `before.rs` |
//! | how many customers moved where, and why? | `moves.rs` |
//! | is a column or the mix of segments distributed as before? | `drift.rs` |
//! | how much do samples of one distribution differ by chance? | `critical.rs` |
//! | do the customers of a month come back? | `cohorts.rs` |
//! | what is published of it? | `tables.rs`, `drift_table.rs` |

mod before;
mod cohorts;
mod columns;
mod critical;
mod drift;
mod drift_table;
mod error;
mod events;
mod ledger;
mod matching;
mod moves;
mod tables;

pub use before::{ASSIGNED_BY, Alignment, Before, SchemeBefore};
pub use cohorts::{Cell, Cohorts, Month, cohorts_table};
pub use critical::{LEVEL, chi_squared_critical, kolmogorov_critical};
pub use drift::{Drift, DriftStatus, MODERATE, SEVERE, Shape, of_counts, of_numbers, psi};
pub use drift_table::{DriftRow, drift_table};
pub use error::HistoryError;
pub use events::{Event, EventKind, events};
pub use ledger::{Declared, Entry, Ledger, Unapplied, WhyUnapplied};
pub use matching::{Overlap, match_clusters};
pub use moves::{ABSENT, Cause, Causes, Migration, Moves, Step, migrations, net};
pub use tables::{events_table, ledger_table, migrations_table, moves_table};
