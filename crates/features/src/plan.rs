//! From the features of a pipeline to one pass per source and the expressions behind it.

mod attributes;
mod catalogue;
mod declared;
mod derived;
mod pass;

use std::collections::BTreeMap;

use tessera_expr::rel::{Agg, Aggregate, SourceRows};
use tessera_expr::{Expr, Schema, Type, condition_at};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{Base, LifecycleLimits, Source, Unit};

pub use attributes::holds_at_as_of;
use derived::Pending;

/// Name of the constant with the base's mean gap between occasions.
pub const BASE_GAP_DAYS: &str = "__base_gap_days";

/// Name of the constant with the weight of that gap.
pub const PRIOR_GAPS: &str = "__prior_gaps";

/// The rows of a source and the names its expressions may use.
#[derive(Debug, Clone)]
pub struct SourceInput {
    /// What is read.
    pub rows: SourceRows,
    /// Columns and derived columns.
    pub schema: Schema,
}

/// What is published of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureInfo {
    /// Name of its column.
    pub name: String,
    /// Type of its values.
    pub ty: Type,
    /// What a number counts.
    pub unit: Unit,
    /// What kind of knowledge it is.
    pub base: Base,
    /// Where it comes from, in words.
    pub definition: String,
}

/// One pass over one source.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Name of the source.
    pub source: String,
    /// What is computed.
    pub aggregate: Aggregate,
    /// Its rows are joined to those of other sources: they are counted, and their table is no part of the customers'.
    pub is_lookup: bool,
    /// Its keys belong to the base of customers.
    pub in_base: bool,
    /// Counts and sums, which are 0 for a customer without rows.
    pub zero_when_absent: Vec<String>,
    /// The aggregate that counts the used rows of a key, for sources outside the base.
    pub rows: Option<String>,
}

/// The mean gap between occasions over the whole base, Σ t_x_days / Σ repeat_occasions, which cadence-relative features need.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseGap {
    /// Weight of the base's gap, in gaps.
    pub prior_gaps: f64,
}

/// Everything that computes the features of a pipeline.
#[derive(Debug, Clone)]
pub struct FeaturePlan {
    /// One pass per source, in file order.
    pub passes: Vec<Pass>,
    /// Expressions over what the passes made, in order.
    pub derived: Vec<(String, Expr)>,
    /// Needed before `late`, if anything is.
    pub base_gap: Option<BaseGap>,
    /// Expressions that also use [`BASE_GAP_DAYS`] and [`PRIOR_GAPS`], in order.
    pub late: Vec<(String, Expr)>,
    /// Published features, in the order of their columns: those of the catalogue in its order, then attributes, aggregates and
    /// expressions by name.
    pub published: Vec<FeatureInfo>,
    /// Columns that are computed at every date the features are wanted at, and not published.
    pub kept: Vec<String>,
}

struct Planner<'a> {
    pipeline: &'a Pipeline,
    inputs: &'a BTreeMap<String, SourceInput>,
    aggs: BTreeMap<String, Vec<Agg>>,
    known: Schema,
    pending: Vec<Pending>,
    published: Vec<FeatureInfo>,
    problems: Vec<Diagnostic>,
}

/// Which rows of an events source are purchases, parsed; none where every row is one.
///
/// # Errors
/// What is wrong with the condition.
pub fn purchase(source: &Source, schema: &Schema) -> Result<Option<Expr>, Vec<Diagnostic>> {
    let purchase = source.purchase.as_ref();
    purchase.map(|text| condition_at(text, schema)).transpose()
}

/// Plans the features of `pipeline` over the sources in `inputs`, or says all that is wrong with them.
pub fn plan(
    pipeline: &Pipeline,
    inputs: &BTreeMap<String, SourceInput>,
) -> Result<FeaturePlan, Vec<Diagnostic>> {
    let mut planner = Planner {
        pipeline,
        inputs,
        aggs: BTreeMap::new(),
        known: Schema::default(),
        pending: Vec::new(),
        published: Vec::new(),
        problems: Vec::new(),
    };
    planner.catalogue();
    planner.attributes();
    planner.declared();
    let (derived, late) = planner.resolve();
    if !planner.problems.is_empty() {
        return Err(planner.problems);
    }
    let base_gap = (!late.is_empty()).then_some(BaseGap {
        prior_gaps: match pipeline.features.lifecycle {
            LifecycleLimits::Cadence { prior_gaps } => prior_gaps,
            LifecycleLimits::Fixed { .. } => 3.0,
        },
    });
    let passes = pipeline
        .sources
        .iter()
        .filter_map(|source| planner.pass(source))
        .collect();
    Ok(FeaturePlan {
        passes,
        derived,
        base_gap,
        late,
        published: planner.published,
        kept: Vec::new(),
    })
}

impl Planner<'_> {
    fn add_agg(&mut self, source: &str, agg: Agg, ty: Type) {
        self.known.columns.push((agg.name.clone(), ty));
        self.aggs.entry(source.to_owned()).or_default().push(agg);
    }

    fn publish(&mut self, name: &str, ty: Type, unit: Unit, base: Base, definition: String) {
        self.published.push(FeatureInfo {
            name: name.to_owned(),
            ty,
            unit,
            base,
            definition,
        });
    }
}

fn default_unit(ty: Type) -> Unit {
    match ty {
        Type::Int | Type::Float | Type::Decimal { .. } => Unit::Number,
        Type::Date | Type::Timestamp => Unit::Date,
        Type::String | Type::Bool | Type::Null => Unit::Label,
    }
}
