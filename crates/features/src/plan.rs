//! From the features of a pipeline to one pass per source and the expressions behind it.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use tessera_expr::rel::{Agg, AggOp, Aggregate, SourceRows, Window};
use tessera_expr::{BinaryOp, ErrorKind, Expr, Node, Schema, Type};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{
    AggFunc, At, Base, ExprText, FeatureBody, LifecycleLimits, Source, SourceKind, Span, Unit,
};

use crate::catalogue::{self, CATALOGUE, Definition};

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
    /// Its keys belong to the base of customers.
    pub in_base: bool,
    /// Counts and sums, which are 0 for a customer without rows.
    pub zero_when_absent: Vec<String>,
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
    /// Published features, in the order of their columns.
    pub published: Vec<FeatureInfo>,
}

/// Expressions by the name of what they compute, in order.
type Named = Vec<(String, Expr)>;

/// A feature that waits for its expression to be parsed.
struct Pending {
    name: String,
    text: ExprText,
    late: bool,
    unit: Option<Unit>,
    base: Base,
    published: bool,
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
    })
}

impl FeaturePlan {
    /// Adds aggregates to the pass over `source`, whose columns are computed beside the features and not published. Sources
    /// without a pass are left alone.
    pub fn add_hidden(&mut self, source: &str, aggs: Vec<Agg>) {
        let Some(pass) = self.passes.iter_mut().find(|pass| pass.source == source) else {
            return;
        };
        let zeros = aggs.iter().filter(|agg| is_zero_when_absent(&agg.func));
        pass.zero_when_absent
            .extend(zeros.map(|agg| agg.name.clone()));
        let all = &mut pass.aggregate;
        all.aggs.extend(aggs);
        if all.rows.not_before.is_some() {
            all.rows.not_before = oldest_day(&all.aggs, all.rows.as_of);
        }
    }
}

impl Planner<'_> {
    /// Catalogue features that are used, and those that they need.
    fn catalogue(&mut self) {
        let mut wanted: Vec<(&'static str, bool)> = Vec::new();
        for entry in &self.pipeline.features.catalogue {
            let members: Vec<&'static str> = CATALOGUE
                .iter()
                .filter(|f| f.group == Some(entry.value.as_str()) || f.name == entry.value)
                .map(|f| f.name)
                .collect();
            if members.is_empty() {
                let mut names = catalogue::groups();
                names.extend(CATALOGUE.iter().map(|f| f.name));
                self.problems.push(unknown_name(
                    "TS-F001",
                    "catalogue feature",
                    &entry.value,
                    entry.span.clone(),
                    &names,
                ));
            }
            wanted.extend(members.into_iter().map(|name| (name, true)));
        }
        if wanted.is_empty() {
            return;
        }
        let place = self.pipeline.features.catalogue[0].span.clone();
        let Some(orders) = self.orders(&place) else {
            return;
        };
        let mut done: BTreeMap<&'static str, bool> = BTreeMap::new();
        while let Some((name, published)) = wanted.pop() {
            let entry = done.entry(name).or_insert(false);
            *entry |= published;
            for needed in needs(name, &self.pipeline.features.lifecycle) {
                if !done.contains_key(needed) && !wanted.iter().any(|(n, _)| *n == needed) {
                    wanted.push((needed, false));
                }
            }
        }
        for feature in CATALOGUE {
            if let Some(&published) = done.get(feature.name) {
                self.catalogue_feature(feature, published, &orders, &place);
            }
        }
    }

    /// The source that catalogue features read.
    fn orders(&mut self, place: &Span) -> Option<Source> {
        let events: Vec<&Source> = self
            .pipeline
            .sources
            .iter()
            .filter(|s| s.kind == SourceKind::Events)
            .collect();
        match (&self.pipeline.features.orders, events.as_slice()) {
            (Some(name), _) => match self.pipeline.source(&name.value) {
                Some(source) if source.kind == SourceKind::Events => Some(source.clone()),
                _ => {
                    let names: Vec<&str> = events.iter().map(|s| s.name.value.as_str()).collect();
                    self.problems.push(unknown_name(
                        "TS-F002",
                        "events source",
                        &name.value,
                        name.span.clone(),
                        &names,
                    ));
                    None
                }
            },
            (None, [only]) => Some((*only).clone()),
            (None, many) => {
                let named = many
                    .iter()
                    .find(|s| s.name.value == "orders")
                    .map(|s| (*s).clone());
                if named.is_none() {
                    let help = match many {
                        [] => "declare a source with `kind = \"events\"`".to_owned(),
                        [first, ..] => format!(
                            "say which one: `orders = \"{}\"` in [features]",
                            first.name.value
                        ),
                    };
                    self.problems.push(
                        Diagnostic::error(
                            "TS-F003",
                            format!(
                                "catalogue features need one events source, found {}",
                                many.len()
                            ),
                            place.clone(),
                        )
                        .with_help(help),
                    );
                }
                named
            }
        }
    }

    fn catalogue_feature(
        &mut self,
        feature: &'static catalogue::Feature,
        published: bool,
        orders: &Source,
        place: &Span,
    ) {
        let source = &orders.name.value;
        match feature.definition {
            Definition::Aggregate(what) => {
                let Some(func) = self.catalogue_aggregate(what, orders, place) else {
                    return;
                };
                let ty = output_type(&func);
                self.add_agg(
                    source,
                    Agg {
                        name: feature.name.to_owned(),
                        func,
                        window: None,
                        filter: None,
                    },
                    ty,
                );
                if published {
                    self.publish(
                        feature.name,
                        ty,
                        feature.unit,
                        feature.base,
                        format!("{} From `{source}`.", feature.doc),
                    );
                }
            }
            Definition::Derived(sql) => {
                self.catalogue_expression(feature, sql.to_owned(), false, published)
            }
            Definition::Late(sql) => {
                self.catalogue_expression(feature, sql.to_owned(), true, published)
            }
            Definition::Stage => {
                let (sql, late) = stage(&self.pipeline.features.lifecycle);
                self.catalogue_expression(feature, sql, late, published);
            }
        }
    }

    fn catalogue_expression(
        &mut self,
        feature: &'static catalogue::Feature,
        sql: String,
        late: bool,
        published: bool,
    ) {
        self.pending.push(Pending {
            name: feature.name.to_owned(),
            text: At::new(sql, 0..0),
            late,
            unit: Some(feature.unit),
            base: feature.base,
            published,
        });
    }

    fn catalogue_aggregate(
        &mut self,
        what: catalogue::Aggregate,
        orders: &Source,
        place: &Span,
    ) -> Option<AggOp> {
        use catalogue::Aggregate as A;
        let input = self.inputs.get(&orders.name.value)?;
        Some(match what {
            A::Days => AggOp::CountDistinctDays,
            A::FirstDay => AggOp::FirstDay,
            A::LastDay => AggOp::LastDay,
            A::Orders => match &orders.order_id {
                Some(id) => AggOp::CountDistinct(column(&id.value, input.schema.get(&id.value)?)),
                None => AggOp::CountRows,
            },
            A::Spend | A::FirstDaySpend => {
                let name = orders
                    .amount
                    .as_ref()
                    .map_or("amount", |amount| amount.value.as_str());
                let ty = input.schema.get(name);
                let Some(ty @ (Type::Int | Type::Float)) = ty else {
                    let found = ty.map_or_else(
                        || format!("source `{}` has no column `{name}`", orders.name.value),
                        |ty| format!("`{name}` is {ty}"),
                    );
                    let problem = Diagnostic::error("TS-F004", format!("features of money need an amount, but {found}"), place.clone())
                        .with_help(format!(
                            "add `amount = \"…\"` to [sources.{0}] with the name of a column, or a derived column such as `derive = {{ amount = \"quantity * unit_price\" }}`",
                            orders.name.value
                        ));
                    if !self.problems.iter().any(|p| p.code == "TS-F004") {
                        self.problems.push(problem);
                    }
                    return None;
                };
                let of = float(column(name, ty));
                if what == A::Spend {
                    AggOp::Sum(of)
                } else {
                    AggOp::SumOnFirstDay(of)
                }
            }
        })
    }

    /// Columns of attribute sources: the latest row that holds at `as_of`.
    fn attributes(&mut self) {
        let pipeline = self.pipeline;
        for source in pipeline
            .sources
            .iter()
            .filter(|s| s.kind == SourceKind::Attributes)
        {
            let Some(input) = self.inputs.get(&source.name.value) else {
                continue;
            };
            let holds = source.until.as_ref().and_then(|until| {
                let ty = input.schema.get(&until.value)?;
                Some(holds_at_as_of(&until.value, ty))
            });
            for attribute in &source.attributes {
                let name = &attribute.column.value;
                let Some(ty) = input.schema.get(name) else {
                    continue;
                };
                let func = AggOp::Last(column(name, ty));
                self.add_agg(
                    &source.name.value,
                    Agg {
                        name: name.clone(),
                        func,
                        window: None,
                        filter: holds.clone(),
                    },
                    ty,
                );
                let unit = attribute.unit.unwrap_or(default_unit(ty));
                self.publish(
                    name,
                    ty,
                    unit,
                    attribute.base,
                    format!(
                        "`{name}` of `{}`, the row that holds at `as_of`.",
                        source.name.value
                    ),
                );
            }
        }
    }

    fn declared(&mut self) {
        let pipeline = self.pipeline;
        for feature in &pipeline.features.declared {
            if self.known.get(&feature.name.value).is_some()
                || self.pending.iter().any(|p| p.name == feature.name.value)
            {
                self.problems.push(
                    Diagnostic::error("TS-F005", format!("there is already a feature `{}`", feature.name.value), feature.name.span.clone())
                        .with_help("choose another name: catalogue features, what they need, and attributes keep theirs"),
                );
                continue;
            }
            match &feature.body {
                FeatureBody::Expr(text) => self.pending.push(Pending {
                    name: feature.name.value.clone(),
                    text: text.clone(),
                    late: false,
                    unit: feature.unit,
                    base: feature.base,
                    published: true,
                }),
                FeatureBody::Aggregate {
                    from,
                    agg,
                    of,
                    window_days,
                    offset_days,
                    filter,
                } => {
                    let Some(input) = self.inputs.get(&from.value) else {
                        continue;
                    };
                    let of = of.as_ref().map(|of| parse(of, &input.schema));
                    let filter = filter
                        .as_ref()
                        .map(|filter| condition(filter, &input.schema));
                    let func = of.transpose().and_then(|of| aggregate(agg, of, &from.span));
                    match (func, filter.transpose()) {
                        (Ok(func), Ok(filter)) => {
                            let ty = output_type(&func);
                            let window = window_of(
                                window_days.as_ref().map(|days| days.value),
                                *offset_days,
                            );
                            let words = words(
                                agg.value,
                                &from.value,
                                window_days.as_ref().map(|days| days.value),
                                *offset_days,
                            );
                            let unit = feature.unit.unwrap_or(aggregate_unit(agg.value, ty));
                            self.add_agg(
                                &from.value,
                                Agg {
                                    name: feature.name.value.clone(),
                                    func,
                                    window,
                                    filter,
                                },
                                ty,
                            );
                            self.publish(&feature.name.value, ty, unit, feature.base, words);
                        }
                        (func, filter) => {
                            self.problems.extend(func.err().into_iter().flatten());
                            self.problems.extend(filter.err().into_iter().flatten());
                        }
                    }
                }
            }
        }
    }

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

    /// Parses the waiting expressions as soon as all they use is known; what never becomes known is unknown or a circle.
    fn resolve(&mut self) -> (Named, Named) {
        self.known
            .columns
            .push((BASE_GAP_DAYS.to_owned(), Type::Float));
        self.known
            .columns
            .push((PRIOR_GAPS.to_owned(), Type::Float));
        let (mut derived, mut late): (Named, Named) = (Vec::new(), Vec::new());
        let mut waiting = std::mem::take(&mut self.pending);
        loop {
            let names: Vec<String> = waiting.iter().map(|p| p.name.clone()).collect();
            let mut rest = Vec::new();
            for mut pending in waiting {
                match tessera_expr::parse(&pending.text.value, &self.known) {
                    Ok(expr) => {
                        pending.late |= tessera_expr::columns(&expr)
                            .iter()
                            .any(|c| late.iter().any(|(name, _)| name == c));
                        self.known.columns.push((pending.name.clone(), expr.ty));
                        self.publish_derived(&pending, &expr);
                        if pending.late {
                            &mut late
                        } else {
                            &mut derived
                        }
                        .push((pending.name, expr));
                    }
                    Err(errors) if errors.iter().all(|e| waits_for(e, &names)) => {
                        rest.push(pending)
                    }
                    Err(_) => {
                        // The names that will be known later are not what is wrong.
                        self.report(&pending, &names);
                    }
                }
            }
            if rest.len() == names.len() || rest.is_empty() {
                self.report_circle(&rest);
                return (derived, late);
            }
            waiting = rest;
        }
    }

    fn publish_derived(&mut self, pending: &Pending, expr: &Expr) {
        if pending.published {
            let unit = pending.unit.unwrap_or(default_unit(expr.ty));
            let definition = catalogue::find(&pending.name)
                .map_or_else(|| format!("`{}`", pending.text.value), |f| f.doc.to_owned());
            self.publish(&pending.name, expr.ty, unit, pending.base, definition);
        }
    }

    fn report(&mut self, pending: &Pending, waiting: &[String]) {
        let mut schema = self.known.clone();
        schema.columns.retain(|(name, _)| !name.starts_with("__"));
        schema
            .columns
            .extend(waiting.iter().map(|name| (name.clone(), Type::Null)));
        if let Err(problems) = tessera_expr::parse_at(&pending.text, &schema) {
            self.problems.extend(problems);
        } else if let Err(problems) = tessera_expr::parse_at(&pending.text, &self.known) {
            self.problems.extend(problems);
        }
    }

    fn report_circle(&mut self, rest: &[Pending]) {
        // Expressions that only wait for a broken one are not reported again.
        if let (Some(first), true) = (rest.first(), self.problems.is_empty()) {
            let names: Vec<&str> = rest.iter().map(|p| p.name.as_str()).collect();
            self.problems.push(
                Diagnostic::error(
                    "TS-F006",
                    format!("features need each other: {}", names.join(", ")),
                    first.text.span.clone(),
                )
                .with_label(format!(
                    "`{}` cannot be computed before the others",
                    first.name
                ))
                .with_help("write one of them without the others"),
            );
        }
    }

    fn pass(&self, source: &Source) -> Option<Pass> {
        let input = self.inputs.get(&source.name.value)?;
        let aggs = self
            .aggs
            .get(&source.name.value)
            .cloned()
            .unwrap_or_default();
        let in_base = self.pipeline.customer.from.is_empty()
            || self
                .pipeline
                .customer
                .from
                .iter()
                .any(|name| name.value == source.name.value);
        let zero_when_absent = aggs
            .iter()
            .filter(|agg| is_zero_when_absent(&agg.func))
            .map(|agg| agg.name.clone())
            .collect();
        let mut rows = input.rows.clone();
        if !in_base && source.kind == SourceKind::Events {
            rows.not_before = oldest_day(&aggs, rows.as_of);
        }
        Some(Pass {
            source: source.name.value.clone(),
            aggregate: Aggregate { rows, aggs },
            in_base,
            zero_when_absent,
        })
    }
}

/// The first day that any aggregate looks at; none where one looks at all of history.
fn oldest_day(aggs: &[Agg], as_of: NaiveDate) -> Option<NaiveDate> {
    let reach = aggs
        .iter()
        .map(|agg| {
            agg.window.and_then(|w| {
                w.days
                    .map(|days| u64::from(days) + u64::from(w.offset_days))
            })
        })
        .collect::<Option<Vec<_>>>()?;
    as_of.checked_sub_days(Days::new(reach.into_iter().max()? - 1))
}

fn is_zero_when_absent(func: &AggOp) -> bool {
    matches!(
        func,
        AggOp::CountRows
            | AggOp::Count(_)
            | AggOp::CountDistinct(_)
            | AggOp::CountDistinctDays
            | AggOp::Sum(_)
            | AggOp::SumOnFirstDay(_)
    )
}

/// What a catalogue feature needs, itself aside.
fn needs(name: &str, limits: &LifecycleLimits) -> Vec<&'static str> {
    let Some(feature) = catalogue::find(name) else {
        return Vec::new();
    };
    let sql = match feature.definition {
        Definition::Aggregate(_) => return Vec::new(),
        Definition::Derived(sql) | Definition::Late(sql) => sql.to_owned(),
        Definition::Stage => stage(limits).0,
    };
    let words: Vec<&str> = sql
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let mut needed: Vec<&'static str> = CATALOGUE
        .iter()
        .map(|f| f.name)
        .filter(|candidate| *candidate != name && words.contains(candidate))
        .collect();
    if matches!(feature.definition, Definition::Late(_)) {
        needed.extend(["t_x_days", "repeat_occasions"]);
    }
    needed
}

/// The lifecycle stage as an expression, and whether it needs the base's mean gap.
fn stage(limits: &LifecycleLimits) -> (String, bool) {
    match limits {
        LifecycleLimits::Fixed { active_days, at_risk_days, dormant_days } => (
            format!(
                "case when recency_days is null then null when tenure_days <= {active_days} then 'new' \
                 when recency_days <= {active_days} then 'active' when recency_days <= {at_risk_days} then 'at risk' \
                 when recency_days <= {dormant_days} then 'dormant' else 'churned' end"
            ),
            false,
        ),
        LifecycleLimits::Cadence { .. } => (
            "case when overdue_ratio is null then null when overdue_ratio <= 1 then 'active' when overdue_ratio <= 2 then 'slipping' \
             when overdue_ratio <= 3 then 'at risk' else 'lapsed' end"
                .to_owned(),
            true,
        ),
    }
}

fn waits_for(error: &tessera_expr::ExprError, names: &[String]) -> bool {
    matches!(&error.kind, ErrorKind::UnknownColumn { name, .. } if names.contains(name))
}

fn parse(text: &ExprText, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    tessera_expr::parse_at(text, schema)
}

fn condition(text: &ExprText, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    tessera_expr::condition_at(text, schema)
}

fn aggregate(agg: &At<AggFunc>, of: Option<Expr>, from: &Span) -> Result<AggOp, Vec<Diagnostic>> {
    let Some(of) = of else {
        return if agg.value == AggFunc::Count {
            Ok(AggOp::CountRows)
        } else {
            let problem = Diagnostic::error("TS-F007", "this aggregate needs `of`", from.clone());
            Err(vec![problem.with_help(
                "add `of = \"…\"`, an expression over the source's columns",
            )])
        };
    };
    let needs_number = matches!(
        agg.value,
        AggFunc::Sum | AggFunc::Mean | AggFunc::Std | AggFunc::Median
    );
    let needs_order = matches!(agg.value, AggFunc::Min | AggFunc::Max);
    let number = matches!(of.ty, Type::Int | Type::Float);
    if (needs_number && !number)
        || (needs_order && matches!(of.ty, Type::String | Type::Bool | Type::Null))
    {
        let wanted = if needs_number {
            "a number"
        } else {
            "a number, a date or a timestamp"
        };
        let problem = Diagnostic::error(
            "TS-F008",
            format!("this aggregate takes {wanted}, but `of` is {}", of.ty),
            agg.span.clone(),
        );
        return Err(vec![problem.with_help(
            "`count`, `count_distinct`, `first` and `last` take any type",
        )]);
    }
    Ok(match agg.value {
        AggFunc::Count => AggOp::Count(of),
        AggFunc::CountDistinct => AggOp::CountDistinct(of),
        AggFunc::Sum => AggOp::Sum(of),
        AggFunc::Mean => AggOp::Mean(of),
        AggFunc::Min => AggOp::Min(of),
        AggFunc::Max => AggOp::Max(of),
        AggFunc::Std => AggOp::Std(float(of)),
        AggFunc::Median => AggOp::Median(float(of)),
        AggFunc::First => AggOp::First(of),
        AggFunc::Last => AggOp::Last(of),
    })
}

/// Type of an aggregate's values.
pub fn output_type(func: &AggOp) -> Type {
    match func {
        AggOp::CountRows | AggOp::Count(_) | AggOp::CountDistinct(_) | AggOp::CountDistinctDays => {
            Type::Int
        }
        AggOp::FirstDay | AggOp::LastDay => Type::Date,
        AggOp::SumOnFirstDay(_) | AggOp::Mean(_) | AggOp::Std(_) | AggOp::Median(_) => Type::Float,
        AggOp::Sum(of) => {
            if of.ty == Type::Float {
                Type::Float
            } else {
                Type::Int
            }
        }
        AggOp::Min(of) | AggOp::Max(of) | AggOp::First(of) | AggOp::Last(of) => of.ty,
    }
}

fn window_of(days: Option<u32>, offset_days: u32) -> Option<Window> {
    (days.is_some() || offset_days > 0).then_some(Window { days, offset_days })
}

fn aggregate_unit(agg: AggFunc, ty: Type) -> Unit {
    match agg {
        AggFunc::Count | AggFunc::CountDistinct => Unit::Count,
        _ => default_unit(ty),
    }
}

fn default_unit(ty: Type) -> Unit {
    match ty {
        Type::Int | Type::Float => Unit::Number,
        Type::Date | Type::Timestamp => Unit::Date,
        Type::String | Type::Bool | Type::Null => Unit::Label,
    }
}

fn words(agg: AggFunc, source: &str, window_days: Option<u32>, offset_days: u32) -> String {
    let name = format!("{agg:?}").to_lowercase();
    let window = match (window_days, offset_days) {
        (None, 0) => "all of history".to_owned(),
        (None, offset) => format!("all up to {offset} days before `as_of`"),
        (Some(days), 0) => format!("the last {days} days"),
        (Some(days), offset) => format!("{days} days ending {offset} days before `as_of`"),
    };
    format!("{name} over `{source}`, {window}.")
}

fn column(name: &str, ty: Type) -> Expr {
    Expr {
        node: Node::Column(name.to_owned()),
        ty,
        span: 0..0,
    }
}

fn float(of: Expr) -> Expr {
    if of.ty == Type::Float {
        of
    } else {
        Expr {
            span: of.span.clone(),
            ty: Type::Float,
            node: Node::Cast(Box::new(of)),
        }
    }
}

/// `until is null or until > as_of()`
fn holds_at_as_of(until: &str, ty: Type) -> Expr {
    let boolean = |node| Expr {
        node,
        ty: Type::Bool,
        span: 0..0,
    };
    let null = boolean(Node::IsNull {
        of: Box::new(column(until, ty)),
        negated: false,
    });
    let day = if ty == Type::Date {
        column(until, ty)
    } else {
        Expr {
            node: Node::Cast(Box::new(column(until, ty))),
            ty: Type::Date,
            span: 0..0,
        }
    };
    let as_of = Expr {
        node: Node::AsOf,
        ty: Type::Date,
        span: 0..0,
    };
    let later = boolean(Node::Binary(
        BinaryOp::Greater,
        Box::new(day),
        Box::new(as_of),
    ));
    boolean(Node::Binary(BinaryOp::Or, Box::new(null), Box::new(later)))
}
