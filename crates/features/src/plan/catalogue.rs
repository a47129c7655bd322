//! Features of the catalogue: those that are asked for and those that these need.

use std::collections::BTreeMap;

use tessera_expr::aggregate::AggOp;
use tessera_expr::aggregates::{
    COUNT, COUNT_DAYS, COUNT_DISTINCT, FIRST_DAY, LAST_DAY, SUM_AS_FLOAT, SUM_ON_FIRST_DAY,
};
use tessera_expr::rel::Agg;
use tessera_expr::{Expr, Type};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{At, Description, LifecycleLimits, Source, SourceKind, Span};

use super::derived::Pending;
use super::{FeatureInfo, Planner};
use crate::catalogue::{self, CATALOGUE, Definition};

/// The source that catalogue features read: the one that the pipeline names, else its only source of events, else `orders`; none
/// where no catalogue feature is asked for.
pub fn orders(pipeline: &Pipeline) -> Option<&Source> {
    if pipeline.features.catalogue.is_empty() {
        return None;
    }
    let named = pipeline.features.orders.as_ref();
    let wanted = named.map_or("orders", |name| name.value.as_str());
    let mut of_name = events(pipeline).filter(|source| source.name.value == wanted);
    let mut all = events(pipeline);
    match (named, all.next(), all.next()) {
        (None, Some(only), None) => Some(only),
        _ => of_name.next(),
    }
}

fn events(pipeline: &Pipeline) -> impl Iterator<Item = &Source> {
    let sources = pipeline.sources.iter();
    sources.filter(|source| source.kind == SourceKind::Events)
}

impl Planner<'_> {
    /// Catalogue features that are used, and those that they need.
    pub(super) fn catalogue(&mut self) {
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
        let (orders, inputs) = (self.orders(&place), self.inputs);
        let input = orders
            .as_ref()
            .and_then(|orders| inputs.get(&orders.name.value));
        let purchase = input
            .zip(orders.as_ref())
            .map(|(input, orders)| super::purchase(orders, &input.schema));
        let (orders, purchase) = match (orders, purchase) {
            (Some(orders), Some(Ok(purchase))) => (orders, purchase),
            (_, purchase) => {
                let problems = purchase.and_then(Result::err);
                self.problems.extend(problems.into_iter().flatten());
                // Those that are asked for are columns, the others only names.
                for feature in CATALOGUE {
                    match wanted.iter().any(|(name, _)| *name == feature.name) {
                        true => self.refused(feature.name),
                        false => self.name_refused(feature.name),
                    }
                }
                return;
            }
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
                self.catalogue_feature(feature, published, (&orders, &purchase), &place);
            }
        }
    }

    /// The source that catalogue features read.
    fn orders(&mut self, place: &Span) -> Option<Source> {
        if let Some(found) = orders(self.pipeline) {
            return Some(found.clone());
        }
        let events: Vec<&Source> = events(self.pipeline).collect();
        match (&self.pipeline.features.orders, events.as_slice()) {
            (Some(name), _) => {
                let names: Vec<&str> = events.iter().map(|s| s.name.value.as_str()).collect();
                self.problems.push(unknown_name(
                    "TS-F002",
                    "events source",
                    &name.value,
                    name.span.clone(),
                    &names,
                ));
            }
            (None, many) => {
                let help = match many {
                    [] => "declare a source with `kind = \"events\"`".to_owned(),
                    [first, ..] => format!(
                        "name one: `orders = \"{}\"` in [features]",
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
        }
        None
    }

    fn catalogue_feature(
        &mut self,
        feature: &'static catalogue::Feature,
        published: bool,
        (orders, purchase): (&Source, &Option<Expr>),
        place: &Span,
    ) {
        let source = &orders.name.value;
        match feature.definition {
            Definition::Aggregate(what) => {
                let Some(func) = self.catalogue_aggregate(what, orders, place) else {
                    self.refused(feature.name);
                    return;
                };
                let ty = func.output_type();
                // Refunds are netted; all else is of purchases.
                let of_purchases = what != catalogue::Aggregate::Spend;
                let filter = purchase.clone().filter(|_| of_purchases);
                self.add_agg(
                    source,
                    Agg {
                        name: feature.name.to_owned(),
                        func,
                        window: None,
                        filter,
                    },
                    ty,
                );
                if published {
                    let info = FeatureInfo {
                        name: feature.name.to_owned(),
                        ty,
                        unit: feature.unit,
                        base: feature.base,
                        label: feature.label.to_owned(),
                        direction: feature.direction,
                        definition: format!("{} From `{source}`.", feature.doc),
                        source: Some(source.clone()),
                    };
                    self.publish(info, &Description::default());
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
            description: Description::default(),
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
            A::Days => COUNT_DAYS.of_rows(),
            A::FirstDay => FIRST_DAY.of_rows(),
            A::LastDay => LAST_DAY.of_rows(),
            A::Orders => match &orders.order_id {
                Some(id) => {
                    COUNT_DISTINCT.of(Expr::column(&id.value, input.schema.get(&id.value)?))
                }
                None => COUNT.of_rows(),
            },
            A::Spend | A::FirstDaySpend => {
                let name = orders
                    .amount
                    .as_ref()
                    .map_or("amount", |amount| amount.value.as_str());
                let ty = input.schema.get(name);
                // That is reported where the source is planned.
                let is_stated = orders.amount.is_some();
                if input.is_wrong && (ty == Some(Type::Null) || (ty.is_none() && is_stated)) {
                    return None;
                }
                let Some(ty) = ty.filter(|ty| ty.is_number()) else {
                    let found = ty.map_or_else(
                        || format!("source `{}` has no column `{name}`", orders.name.value),
                        |ty| format!("`{name}` is {ty}"),
                    );
                    let source = &orders.name.value;
                    let help = match ty {
                        Some(Type::String) => format!(
                            "declare `{name}` as a number in [sources.{source}.contract], where its form can be stated, such as `{name} = {{ type = \"f64\", decimal = \".\", thousands = \",\" }}` for texts like 1,234.50"
                        ),
                        _ => format!(
                            "add `amount = \"…\"` to [sources.{source}] with the name of a column, or a derived column such as `derive = {{ amount = \"quantity * unit_price\" }}`"
                        ),
                    };
                    let problem = Diagnostic::error(
                        "TS-F004",
                        format!("features of money need an `amount`, but {found}"),
                        place.clone(),
                    )
                    .with_help(help);
                    if !self.problems.iter().any(|p| p.code == "TS-F004") {
                        self.problems.push(problem);
                    }
                    return None;
                };
                let of = Expr::column(name, ty);
                if what == A::Spend {
                    SUM_AS_FLOAT.of(of)
                } else {
                    SUM_ON_FIRST_DAY.of(of)
                }
            }
        })
    }
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
