//! The declarations of all published tables: each is a file of this folder and a line of [`TABLES`].

mod actions;
mod backtest;
mod calibration;
mod cohorts;
mod customers;
mod drift;
mod experiments;
mod features;
mod memberships;
mod merged_keys;
mod migrations;
mod models;
mod moves;
mod profiles;
mod quality;
mod reject_rules;
mod rejects;
mod score_intervals;
mod segment_events;
mod segment_ledger;
mod segments;
mod sources;

use super::{Column, Table, Ty};

const fn must(name: &'static str, ty: Ty, doc: &'static str) -> Column {
    Column {
        name,
        ty,
        nullable: false,
        unit: "",
        doc,
    }
}

const fn may(name: &'static str, ty: Ty, doc: &'static str) -> Column {
    Column {
        name,
        ty,
        nullable: true,
        unit: "",
        doc,
    }
}

impl Column {
    const fn counts(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }
}

const AS_OF: Column = must(
    "as_of",
    Ty::Date,
    "State of the customer base at the close of this day.",
);

/// Every published table, sorted by name.
pub static TABLES: &[Table] = &[
    actions::TABLE,
    backtest::TABLE,
    calibration::TABLE,
    cohorts::TABLE,
    customers::TABLE,
    drift::TABLE,
    experiments::TABLE,
    features::TABLE,
    memberships::TABLE,
    merged_keys::TABLE,
    migrations::TABLE,
    models::TABLE,
    moves::TABLE,
    profiles::TABLE,
    quality::TABLE,
    reject_rules::TABLE,
    rejects::TABLE,
    score_intervals::TABLE,
    segment_events::TABLE,
    segment_ledger::TABLE,
    segments::TABLE,
    sources::TABLE,
];
