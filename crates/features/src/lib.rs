//! What each number means: the catalogue and the pipeline's own features become one fused pass per source.
//!
//! The types that matter: [`catalogue::Feature`] (all there is to say of one), [`FeaturePlan`] (what computes them). No engine
//! is named here.

pub mod catalogue;
mod plan;

pub use plan::{
    Aged, AgedSource, BASE_GAP_DAYS, BaseGap, FeatureInfo, FeaturePlan, PRIOR_GAPS, Pass,
    SourceInput, holds_at_as_of, label_of, plan, purchase,
};
