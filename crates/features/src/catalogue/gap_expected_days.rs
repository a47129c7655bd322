//! `gap_expected_days`

use super::{Base, Definition, Direction, Feature, Unit};

/// Expected days between two occasions of this customer.
pub(super) const GAP_EXPECTED_DAYS: Feature = Feature {
    name: "gap_expected_days",
    group: None,
    unit: Unit::Days,
    base: Base::Lifecycle,
    label: "expected days between two orders",
    direction: Direction::Low,
    doc: "Expected days between two occasions of this customer.",
    notes: "The customer's own gaps, shrunk towards the mean gap of all customers, which has the weight of `prior_gaps` gaps.",
    missing: "no visible order, or no customer ordered twice: null",
    definition: Definition::Late(
        "(t_x_days + __prior_gaps * __base_gap_days) / (repeat_occasions + __prior_gaps)",
    ),
    example: None,
};
