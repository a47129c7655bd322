//! `t_x_days`

use super::{Base, Definition, Direction, Example, Feature, Unit};

/// Days from the first to the last occasion: t_x of the buy-till-you-die literature.
pub(super) const T_X_DAYS: Feature = Feature {
    name: "t_x_days",
    group: Some("rfm"),
    unit: Unit::Days,
    base: Base::Behavioural,
    label: "days from the first to the last order",
    direction: Direction::None,
    doc: "Days from the first to the last occasion: t_x of the buy-till-you-die literature.",
    notes: "Grows with activity, while `recency_days` falls.",
    missing: "no visible order: null",
    definition: Definition::Derived("date_diff('day', first_order_day, last_order_day)"),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-22 7.00",
        as_of: "2011-12-01",
        expect: "3",
    }),
};
