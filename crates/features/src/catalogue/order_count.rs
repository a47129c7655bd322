//! `order_count`

use super::{Aggregate, Base, Definition, Direction, Example, Feature, Unit};

/// Number of orders up to `as_of`.
pub(super) const ORDER_COUNT: Feature = Feature {
    name: "order_count",
    group: Some("rfm"),
    unit: Unit::Count,
    base: Base::Behavioural,
    label: "orders so far",
    direction: Direction::High,
    doc: "Number of orders up to `as_of`.",
    notes: "Distinct values of the source's `order_id`; rows if the source has none.",
    missing: "no visible order: 0",
    definition: Definition::Aggregate(Aggregate::Orders),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-20 7.00",
        as_of: "2011-12-01",
        expect: "2",
    }),
};
