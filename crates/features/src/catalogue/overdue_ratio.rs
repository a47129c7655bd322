//! `overdue_ratio`

use super::{Base, Definition, Direction, Feature, Unit};

/// Days since the last order, divided by the expected gap.
pub(super) const OVERDUE_RATIO: Feature = Feature {
    name: "overdue_ratio",
    group: None,
    unit: Unit::Ratio,
    base: Base::Lifecycle,
    label: "days since the last order, in expected gaps",
    direction: Direction::Low,
    doc: "Days since the last order, divided by the expected gap.",
    notes: "`recency_days` / `gap_expected_days`: up to 1 on time, above 3 lapsed.",
    missing: "as `gap_expected_days`",
    definition: Definition::Late("recency_days / nullif(gap_expected_days, 0)"),
    example: None,
};
