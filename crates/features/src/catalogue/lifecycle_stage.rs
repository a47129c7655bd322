//! `lifecycle_stage`

use super::{Base, Definition, Direction, Feature, Unit};

/// The customer's lifecycle stage.
pub(super) const LIFECYCLE_STAGE: Feature = Feature {
    name: "lifecycle_stage",
    group: Some("lifecycle"),
    unit: Unit::Label,
    base: Base::Lifecycle,
    label: "stage of the lifecycle",
    direction: Direction::None,
    doc: "The customer's lifecycle stage.",
    notes: "Fixed limits: `new` (first order within `active_days`), `active`, `at risk`, `dormant`, `churned` by `recency_days`. Cadence: `active`, `slipping`, `at risk`, `lapsed` by `overdue_ratio`.",
    missing: "no visible order: null; by cadence also where no customer of the base ordered twice",
    definition: Definition::Stage,
    example: None,
};
