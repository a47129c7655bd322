//! Tests of the crate's public interface: published references, properties of every kind, the tables.

// Clippy takes the functions beside `#[test]` ones for production code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod customer_base;
mod documents;
mod profile_identities;
mod published_tables;
mod rfm_reference;
mod rules_lint;
mod scheme_kinds;
