//! `spend_total`

use super::{Aggregate, Base, Definition, Direction, Example, Feature, Unit};

/// Money of all orders up to `as_of`.
pub(super) const SPEND_TOTAL: Feature = Feature {
    name: "spend_total",
    group: Some("rfm"),
    unit: Unit::Currency,
    base: Base::Value,
    label: "money of all orders so far",
    direction: Direction::High,
    doc: "Money of all orders up to `as_of`.",
    notes: "Sum of the source's `amount`, exact and rounded once.",
    missing: "no visible order: 0",
    definition: Definition::Aggregate(Aggregate::Spend),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-20 7.00",
        as_of: "2011-12-01",
        expect: "12",
    }),
};
