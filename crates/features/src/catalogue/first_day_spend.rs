//! `first_day_spend`

use super::{Aggregate, Base, Definition, Direction, Example, Feature, Unit};

/// Money of the first occasion.
pub(super) const FIRST_DAY_SPEND: Feature = Feature {
    name: "first_day_spend",
    group: None,
    unit: Unit::Currency,
    base: Base::Value,
    label: "money of the first day with an order",
    direction: Direction::High,
    doc: "Money of the first occasion (the first day with an order).",
    notes: "",
    missing: "no visible order: 0",
    definition: Definition::Aggregate(Aggregate::FirstDaySpend),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-19 1.00; 2011-11-22 7.00",
        as_of: "2011-12-01",
        expect: "6",
    }),
};
