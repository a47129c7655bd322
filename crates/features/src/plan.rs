//! From the features of a pipeline to one pass per source and the expressions behind it.

mod aged;
mod attributes;
mod catalogue;
mod declared;
mod derived;
mod later;
mod pass;

use std::collections::{BTreeMap, BTreeSet};

use tessera_expr::rel::{Agg, Aggregate, SourceRows};
use tessera_expr::{Expr, Schema, Type, columns, condition_at};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{Base, Description, Direction, LifecycleLimits, Source, Span, Unit};

use crate::catalogue::find;
pub use aged::{Aged, AgedSource};
pub use attributes::holds_at_as_of;
pub use catalogue::orders;
use derived::Pending;
pub use later::Later;

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
    /// Something is wrong with the source: its columns of no type have a mistake.
    pub is_wrong: bool,
}

impl SourceInput {
    /// Whether an expression reads a column with a mistake, so that nothing is known of its type.
    fn is_refused(&self, expr: &Expr) -> bool {
        let mut read = columns(expr).into_iter();
        self.is_wrong && read.any(|name| self.schema.get(name) == Some(Type::Null))
    }
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
    /// What people call it.
    pub label: String,
    /// Which values are good.
    pub direction: Direction,
    /// Where it comes from, in words.
    pub definition: String,
    /// The source whose rows it is made of; none for what is made of other columns.
    pub source: Option<String>,
}

impl FeatureInfo {
    /// With the label and the direction that the pipeline states.
    #[must_use]
    pub fn described(mut self, description: &Description) -> Self {
        if let Some(label) = &description.label {
            self.label.clone_from(label);
        }
        if let Some(direction) = &description.direction {
            self.direction = direction.value;
        }
        self
    }
}

/// A name as people read it, where nobody states a label: `orders_90d` is "orders 90 days".
pub fn label_of(name: &str) -> String {
    let word = |word: &str| match word.strip_suffix('d') {
        Some(days) if !days.is_empty() && days.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{days} days")
        }
        _ => word.to_owned(),
    };
    let words: Vec<String> = name
        .split('_')
        .filter(|w| !w.is_empty())
        .map(word)
        .collect();
    words.join(" ")
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
    /// The aggregate that counts the used rows of a key.
    pub rows: String,
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
    /// Names with a mistake.
    refused: BTreeSet<String>,
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

/// Plans the features of `pipeline` over the sources in `inputs`, and says all that is wrong with them. A feature with a mistake, or of
/// a source that is not there, is among the published ones without a type, so that what reads it is not reported as well.
pub fn plan(
    pipeline: &Pipeline,
    inputs: &BTreeMap<String, SourceInput>,
) -> (FeaturePlan, Vec<Diagnostic>) {
    let mut planner = Planner {
        pipeline,
        inputs,
        aggs: BTreeMap::new(),
        known: Schema::default(),
        pending: Vec::new(),
        published: Vec::new(),
        refused: BTreeSet::new(),
        problems: Vec::new(),
    };
    planner.catalogue();
    planner.attributes();
    planner.declared();
    let (derived, late) = planner.resolve();
    planner.described();
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
    let plan = FeaturePlan {
        passes,
        derived,
        base_gap,
        late,
        published: planner.published,
        kept: Vec::new(),
    };
    (plan, planner.problems)
}

impl Planner<'_> {
    fn add_agg(&mut self, source: &str, agg: Agg, ty: Type) {
        self.known.columns.push((agg.name.clone(), ty));
        self.aggs.entry(source.to_owned()).or_default().push(agg);
    }

    /// Makes the name of a feature with a mistake known without a type, so that what uses it is not reported as well.
    fn refused(&mut self, name: &str) {
        self.name_refused(name);
        let found = find(name);
        self.published.push(FeatureInfo {
            name: name.to_owned(),
            ty: Type::Null,
            unit: Unit::Number,
            base: Base::Behavioural,
            label: label_of(name),
            direction: found.map_or(Direction::None, |found| found.direction),
            definition: String::new(),
            source: None,
        });
    }

    /// The same of a name that is not published.
    fn name_refused(&mut self, name: &str) {
        self.known.columns.push((name.to_owned(), Type::Null));
        self.refused.insert(name.to_owned());
    }

    /// Publishes what the file declares at this place.
    fn publish_declared(&mut self, info: FeatureInfo, description: &Description, place: &Span) {
        self.problems.extend(without_numbers(&info, place));
        self.publish(info, description);
    }

    fn publish(&mut self, info: FeatureInfo, description: &Description) {
        if let Some(direction) = &description.direction {
            self.problems
                .extend(without_ends(&info, &direction.span, direction.value));
        }
        self.published.push(info.described(description));
    }

    /// Labels and directions that the pipeline states of features of the catalogue.
    fn described(&mut self) {
        for (name, description) in &self.pipeline.features.described {
            let published = self.published.iter().position(|f| f.name == name.value);
            let in_catalogue = find(&name.value).is_some();
            let Some(place) = published.filter(|_| in_catalogue) else {
                let names: Vec<&str> = self.published.iter().map(|f| f.name.as_str()).collect();
                let names: Vec<&str> = names
                    .into_iter()
                    .filter(|name| find(name).is_some())
                    .collect();
                let what = "published catalogue feature";
                let problem = unknown_name("TS-F009", what, &name.value, name.span.clone(), &names);
                self.problems.push(match in_catalogue {
                    true => problem.with_help(format!(
                        "a label is for what is published: add \"{}\" to `use` of [features]",
                        name.value
                    )),
                    false => problem,
                });
                continue;
            };
            let info = &self.published[place];
            if let Some(direction) = &description.direction {
                self.problems
                    .extend(without_ends(info, &direction.span, direction.value));
            }
            self.published[place] = info.clone().described(description);
        }
    }
}

/// What is wrong with a unit of numbers of something that is no number.
fn without_numbers(info: &FeatureInfo, place: &Span) -> Option<Diagnostic> {
    let of_numbers = match info.unit {
        Unit::Days | Unit::Count | Unit::Currency | Unit::Ratio | Unit::Score | Unit::Number => {
            true
        }
        Unit::Date | Unit::Label => false,
    };
    let wrong = of_numbers && !info.ty.is_number() && info.ty != Type::Null;
    wrong.then(|| {
        let message = format!(
            "`{}` is {}, but its unit says that it is {}",
            info.name,
            info.ty,
            info.unit.words()
        );
        let help = match (&info.source, info.ty) {
            (Some(source), Type::String) => format!(
                "declare the column as a number in `columns` of [sources.{source}.contract], or take `unit` out: in a text file every column that is not declared is text"
            ),
            _ => "take `unit` out, or make a number of it".to_owned(),
        };
        Diagnostic::error("TS-F011", message, place.clone()).with_help(help)
    })
}

/// What is wrong with a direction of something that is no number.
fn without_ends(info: &FeatureInfo, place: &Span, direction: Direction) -> Option<Diagnostic> {
    let wrong = direction != Direction::None && !info.ty.is_number() && info.ty != Type::Null;
    wrong.then(|| {
        let message = format!(
            "`{}` is {}, and only numbers are high or low",
            info.name, info.ty
        );
        Diagnostic::error("TS-F010", message, place.clone()).with_help("take `direction` out")
    })
}

fn default_unit(ty: Type) -> Unit {
    match ty {
        Type::Int | Type::Float | Type::Decimal { .. } => Unit::Number,
        Type::Date | Type::Timestamp => Unit::Date,
        Type::String | Type::Bool | Type::Null => Unit::Label,
    }
}
