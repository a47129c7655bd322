//! `repeat_occasions`

use super::{Base, Definition, Direction, Example, Feature, Unit};

/// Occasions after the first: x of the buy-till-you-die literature.
pub(super) const REPEAT_OCCASIONS: Feature = Feature {
    name: "repeat_occasions",
    group: Some("rfm"),
    unit: Unit::Count,
    base: Base::Behavioural,
    label: "days with an order after the first",
    direction: Direction::High,
    doc: "Occasions after the first: x of the buy-till-you-die literature.",
    notes: "`occasions` - 1.",
    missing: "no visible order: null",
    definition: Definition::Derived("case when occasions > 0 then occasions - 1 end"),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-20 7.00",
        as_of: "2011-12-01",
        expect: "1",
    }),
};
