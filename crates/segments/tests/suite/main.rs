//! Tests of the crate's public interface: published references, properties of every kind, the tables.

mod borders;
mod conformance;
mod customer_base;
mod documents;
mod kmeans;
mod profile_identities;
mod published_tables;
mod rfm_reference;
mod rules_lint;
mod scheme_kinds;
