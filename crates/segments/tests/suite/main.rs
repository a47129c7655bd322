//! Tests of the crate's public face: published references, properties of every kind, the tables.

mod conformance;
mod customer_base;
mod profile_identities;
mod published_tables;
mod rfm_reference;
mod scheme_kinds;
