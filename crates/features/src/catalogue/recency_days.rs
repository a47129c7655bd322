//! `recency_days`

use super::{Base, Definition, Direction, Example, Feature, Unit};

/// Days from the customer's last order to `as_of`.
pub(super) const RECENCY_DAYS: Feature = Feature {
    name: "recency_days",
    group: Some("rfm"),
    unit: Unit::Days,
    base: Base::Behavioural,
    label: "days since the last order",
    direction: Direction::Low,
    doc: "Days from the customer's last order to `as_of`.",
    notes: "Marketing recency: small is good. The t_x of buy-till-you-die models is different, from first to last order: see `t_x_days`.",
    missing: "no visible order: null",
    definition: Definition::Derived("date_diff('day', last_order_day, as_of())"),
    example: Some(Example {
        orders: "2011-11-19 5.00",
        as_of: "2011-12-01",
        expect: "12",
    }),
};
