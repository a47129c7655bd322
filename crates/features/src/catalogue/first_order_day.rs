//! `first_order_day`

use super::{Aggregate, Base, Definition, Direction, Example, Feature, Unit};

/// Local date of the first order.
pub(super) const FIRST_ORDER_DAY: Feature = Feature {
    name: "first_order_day",
    group: None,
    unit: Unit::Date,
    base: Base::Lifecycle,
    label: "date of the first order",
    direction: Direction::None,
    doc: "Local date of the first order.",
    notes: "",
    missing: "no visible order: null",
    definition: Definition::Aggregate(Aggregate::FirstDay),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-22 7.00",
        as_of: "2011-12-01",
        expect: "2011-11-19",
    }),
};
