//! Features: those of the catalogue and the pipeline's own are planned as one pass per source.
//!
//! The types that matter: [`catalogue::Feature`] (the description of one), [`FeaturePlan`] (the plan that computes them), which is
//! independent of the engine.

pub mod catalogue;
mod plan;

pub use plan::{
    Aged, AgedSource, BASE_GAP_DAYS, BaseGap, FeatureInfo, FeaturePlan, Later, PRIOR_GAPS, Pass,
    SourceInput, holds_at_as_of, label_of, orders, plan, purchase,
};
