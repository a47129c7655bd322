//! `repeat_spend_mean`

use super::{Base, Definition, Direction, Example, Feature, Unit};

/// Mean money per occasion after the first: m of the Gamma-Gamma model.
pub(super) const REPEAT_SPEND_MEAN: Feature = Feature {
    name: "repeat_spend_mean",
    group: Some("rfm"),
    unit: Unit::Currency,
    base: Base::Value,
    label: "mean money of a day with an order after the first",
    direction: Direction::High,
    doc: "Mean money per occasion after the first: m of the Gamma-Gamma model.",
    notes: "(`spend_total` - `first_day_spend`) / `repeat_occasions` (Fader and Hardie 2013). Refunds are subtracted whatever they pay back: a refund of the \
            first order makes it smaller, or negative.",
    missing: "no repeat occasion: null",
    definition: Definition::Derived(
        "(spend_total - first_day_spend) / nullif(repeat_occasions, 0)",
    ),
    example: Some(Example {
        orders: "2011-11-19 5.00; 2011-11-22 7.00; 2011-11-25 9.00",
        as_of: "2011-12-01",
        expect: "8",
    }),
};
