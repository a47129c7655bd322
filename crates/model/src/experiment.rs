//! Experiments: which group a customer is in, and whether the groups differ.
//!
//! [`bucket`] and [`variant_of`] assign a customer to a group by the names alone. [`sample_ratio_p`] tests that the groups have the
//! sizes that their shares say. [`readout()`] compares each group with the first one, control; [`verdict()`] says what that shows.
//! Nothing here knows of versions or dates.
//!
//! Where to look: `experiment/assignment.rs`, `experiment/sample_ratio.rs`, `experiment/readout.rs` (means, adjusted by
//! `experiment/adjustment.rs`), `experiment/uplift.rs` (intervals), `experiment/verdict.rs`.

mod adjustment;
mod arm;
mod assignment;
mod readout;
mod sample_ratio;
mod uplift;
mod verdict;

pub use arm::{Arm, ExperimentError};
pub use assignment::{bucket, variant_of};
pub use readout::{ArmReadout, Readout, readout};
pub use sample_ratio::sample_ratio_p;
pub use uplift::{NotComputed, Uplift};
pub use verdict::{Circumstances, UNEVEN_BELOW, Verdict, verdict};
