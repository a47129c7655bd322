//! The demo lake: same seed same bytes, dirt where the summary says, and the planted truth recoverable from the sources.

#![allow(clippy::unwrap_used)] // test code outside of #[test] functions

mod bytes;
mod dirt;
mod rows;
mod truth;
