//! `last_order_day`

use super::{Aggregate, Base, Definition, Direction, Example, Feature, Unit};

/// Local date of the last order up to `as_of`.
pub(super) const LAST_ORDER_DAY: Feature = Feature {
    name: "last_order_day",
    group: None,
    unit: Unit::Date,
    base: Base::Lifecycle,
    label: "date of the last order",
    direction: Direction::None,
    doc: "Local date of the last order up to `as_of`.",
    notes: "",
    missing: "no visible order: null",
    definition: Definition::Aggregate(Aggregate::LastDay),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-22 7.00",
        as_of: "2011-12-01",
        expect: "2011-11-22",
    }),
};
