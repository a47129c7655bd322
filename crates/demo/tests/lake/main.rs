//! The demo lake: the same seed gives the same bytes, bad rows are as many as the summary states, and the true parameters can be
//! recovered from the sources.

mod bytes;
mod dirt;
mod rows;
mod truth;
