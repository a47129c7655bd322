//! `order_value_mean`

use super::{Base, Definition, Direction, Example, Feature, Unit};

/// Mean money per order.
pub(super) const ORDER_VALUE_MEAN: Feature = Feature {
    name: "order_value_mean",
    group: Some("rfm"),
    unit: Unit::Currency,
    base: Base::Value,
    label: "mean money of an order",
    direction: Direction::High,
    doc: "Mean money per order.",
    notes: "`spend_total` / `order_count`.",
    missing: "no visible order: null",
    definition: Definition::Derived("spend_total / nullif(order_count, 0)"),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-20 7.00",
        as_of: "2011-12-01",
        expect: "6",
    }),
};
