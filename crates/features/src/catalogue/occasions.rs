//! `occasions`

use super::{Aggregate, Base, Definition, Direction, Example, Feature, Unit};

/// Number of distinct local days with an order.
pub(super) const OCCASIONS: Feature = Feature {
    name: "occasions",
    group: Some("rfm"),
    unit: Unit::Count,
    base: Base::Behavioural,
    label: "days with an order",
    direction: Direction::High,
    doc: "Number of distinct local days with an order.",
    notes: "Several orders on one day are one occasion (Fader, Hardie and Lee 2005).",
    missing: "no visible order: 0",
    definition: Definition::Aggregate(Aggregate::Days),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-19 7.00",
        as_of: "2011-12-01",
        expect: "1",
    }),
};
