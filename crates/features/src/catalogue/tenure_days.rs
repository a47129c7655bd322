//! `tenure_days`

use super::{Base, Definition, Direction, Example, Feature, Unit};

/// Days from the customer's first order to `as_of`.
pub(super) const TENURE_DAYS: Feature = Feature {
    name: "tenure_days",
    group: Some("rfm"),
    unit: Unit::Days,
    base: Base::Lifecycle,
    label: "days since the first order",
    direction: Direction::None,
    doc: "Days from the customer's first order to `as_of`.",
    notes: "T of the buy-till-you-die literature, in days.",
    missing: "no visible order: null",
    definition: Definition::Derived("date_diff('day', first_order_day, as_of())"),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-20 7.00",
        as_of: "2011-12-01",
        expect: "12",
    }),
};
