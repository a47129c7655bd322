//! Checks that the names in scores, schemes, the goal, `[actions]` and exports exist and have a suitable type.

use std::collections::BTreeMap;

use tessera_expr::{Expr, Schema, Type, condition_at};
use tessera_features::{FeatureInfo, FeaturePlan};
use tessera_segments::RulesScheme;
use tessera_snapshot::tables::{self, TABLES, Ty};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics, unknown_name};
use tessera_spec::pipeline::{
    At, Direction, Experiment, FeatureBody, Role, Scheme, SchemeInput, Score, Target, Wanted,
};

use super::limits;
use crate::base;
use crate::intervals;
use crate::labels::{Labels, type_of};
use crate::scores;

/// Checks the features that scores name, and that no column is both a feature and a score.
pub(super) fn score_inputs(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    found: &mut Diagnostics,
) {
    for score in &pipeline.scores {
        for (feature, wanted) in scores::of(&score.kind).inputs() {
            check_input(feature, wanted, published, found);
        }
        for column in score.columns() {
            if published.iter().any(|feature| feature.name == column.name) {
                let message = format!(
                    "`{}` is a feature and a column of the score `{}`, but can be only one column of `customers`",
                    column.name, score.name.value
                );
                found.extend([
                    Diagnostic::error("TS-G005", message, score.name.span.clone())
                        .with_help("rename the feature or the score"),
                ]);
            }
        }
    }
}

/// Checks the features that schemes name and parses the predicates of rules.
pub(super) fn schemes(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    labels: &mut Labels,
    found: &mut Diagnostics,
) -> BTreeMap<String, Vec<Expr>> {
    let mut known = Schema {
        columns: published.iter().map(|f| (f.name.clone(), f.ty)).collect(),
    };
    let mut rules = BTreeMap::new();
    for scheme in &pipeline.schemes {
        check_inputs(scheme, published, found);
        if let Some(exprs) = predicates(scheme, &known, labels, found) {
            rules.insert(scheme.name.value.clone(), exprs);
        }
        if published.iter().any(|f| f.name == scheme.name.value) {
            found.extend([Diagnostic::error(
                "TS-G004",
                format!(
                    "`{}` is a feature or score and a scheme, but can be only one column of `customers`",
                    scheme.name.value
                ),
                scheme.name.span.clone(),
            )
            .with_help("rename the scheme")]);
        }
        labels.take_scheme(scheme, &pipeline.features.lifecycle);
        known.columns.extend(columns_of(scheme));
    }
    limits::check(pipeline, found);
    limits::check_margins(pipeline, found);
    rules
}

/// Checks the features that a scheme names.
fn check_inputs(scheme: &Scheme, published: &[FeatureInfo], found: &mut Diagnostics) {
    for input in scheme.kind.settings().inputs() {
        match input {
            SchemeInput::Stated { feature, wanted } => {
                check_input(feature, wanted, published, found);
            }
            SchemeInput::Implied {
                feature,
                missing,
                help,
            } => {
                if !published.iter().any(|info| info.name == feature) {
                    let span = scheme.name.span.clone();
                    let problem = Diagnostic::error("TS-G003", missing, span);
                    found.extend([problem.with_help(help)]);
                }
            }
        }
    }
}

/// The columns of a scheme, which later rules may read.
fn columns_of(scheme: &Scheme) -> impl Iterator<Item = (String, Type)> {
    let columns = scheme.columns().into_iter();
    columns.map(|column| (column.name, type_of(column.holds)))
}

/// The predicates of an earlier definition of a scheme of the pipeline, none where it has no rules; or why it does not fit today's
/// columns.
pub(super) fn fitting(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    scheme: &Scheme,
) -> Result<Option<Vec<Expr>>, String> {
    let mut found = Diagnostics::default();
    check_inputs(scheme, published, &mut found);
    let name = scheme.name.value.as_str();
    let schemes = pipeline.schemes.iter();
    let earlier = schemes.take_while(|known| known.name.value != name);
    let features = published.iter().map(|f| (f.name.clone(), f.ty));
    let known = Schema {
        columns: features.chain(earlier.flat_map(columns_of)).collect(),
    };
    let exprs = predicates(scheme, &known, &Labels::default(), &mut found);
    let problems: Vec<&str> = found.iter().map(|one| one.message.as_str()).collect();
    match problems.is_empty() {
        true => Ok(exprs),
        false => Err(problems.join(", ")),
    }
}

/// Checks the texts that declared features and populations of scores compare labels with.
pub(super) fn expressions(
    pipeline: &Pipeline,
    features: &FeaturePlan,
    labels: &Labels,
    found: &mut Diagnostics,
) {
    let planned = features.derived.iter().chain(&features.late);
    let planned: BTreeMap<&str, &Expr> = planned.map(|(name, e)| (name.as_str(), e)).collect();
    for feature in &pipeline.features.declared {
        if let FeatureBody::Expr(text) = &feature.body
            && let Some(expr) = planned.get(feature.name.value.as_str())
        {
            labels.check(text, expr, found);
        }
    }
    if let (Some(text), Some(expr)) = (&pipeline.customer.active, planned.get(base::CONDITION)) {
        labels.check(text, expr, found);
    }
    for score in &pipeline.scores {
        let (name, model) = (&score.name.value, scores::of(&score.kind));
        let conditions = [
            (model.population(), scores::condition_name(name)),
            (model.label(), scores::label_name(name)),
        ];
        for (text, column) in conditions {
            if let (Some(text), Some(expr)) = (text, planned.get(column.as_str())) {
                labels.check(text, expr, found);
            }
        }
    }
}

fn predicates(
    scheme: &Scheme,
    known: &Schema,
    labels: &Labels,
    found: &mut Diagnostics,
) -> Option<Vec<Expr>> {
    let rules: &RulesScheme = scheme.kind.of()?;
    let (mut exprs, mut problems) = (Vec::new(), Vec::new());
    for rule in &rules.rules {
        match condition_at(&rule.when, known) {
            Ok(expr) => {
                labels.check(&rule.when, &expr, found);
                exprs.push(expr);
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    found.extend(problems);
    Some(exprs)
}

fn check_input(
    feature: &At<String>,
    wanted: Wanted,
    published: &[FeatureInfo],
    found: &mut Diagnostics,
) {
    let names: Vec<&str> = published.iter().map(|f| f.name.as_str()).collect();
    let Some(info) = published.iter().find(|f| f.name == feature.value) else {
        found.extend([unknown_name(
            "TS-G001",
            "feature",
            &feature.value,
            feature.span.clone(),
            &names,
        )]);
        return;
    };
    let number = info.ty.is_number();
    let fits = match wanted {
        Wanted::Number | Wanted::Role(_) => number,
        Wanted::Label => matches!(info.ty, Type::String | Type::Bool | Type::Int),
        Wanted::Any => true,
    };
    if info.ty == Type::Null {
        // It has a mistake itself.
        return;
    }
    if !fits {
        let (what, help) = match wanted {
            Wanted::Number | Wanted::Any | Wanted::Role(_) => {
                ("a number", "choose a numeric feature, or declare one")
            }
            Wanted::Label => (
                "a label",
                "choose a feature of text, or assign numbers with kind = \"quantile\"",
            ),
        };
        found.extend([Diagnostic::error(
            "TS-G002",
            format!("`{}` is {}, not {what}", feature.value, info.ty),
            feature.span.clone(),
        )
        .with_help(help)]);
    } else if let Wanted::Role(role) = wanted {
        found.extend(unlike(feature, info, role));
    }
}

/// What contradicts the role in which a feature is used: its unit, or which of its values are good.
fn unlike(feature: &At<String>, info: &FeatureInfo, role: Role) -> Option<Diagnostic> {
    let name = &feature.value;
    let (is, help) = if !role.takes(info.unit) {
        let unit = info.unit.words();
        let help = format!(
            "name another feature; if its numbers are right here, declare one without `unit`: `{name}_used = {{ expr = \"{name}\" }}` in [features]"
        );
        (format!("it is {unit}"), help)
    } else if role.against() == Some(info.direction) {
        let help = "name another feature, or state its `direction` in [features]".to_owned();
        (format!("of it {}", info.direction.name()), help)
    } else {
        return None;
    };
    let message = format!("`{name}` is used as {}, but {is}", role.words());
    let problem = Diagnostic::error("TS-G022", message, feature.span.clone());
    Some(problem.with_help(help))
}

/// Checks the columns of `[actions]`: features, scores, values and columns of schemes and experiments.
pub(super) fn action_columns(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    found: &mut Diagnostics,
) {
    let names = columns_of_customers(pipeline, published);
    let asked = pipeline.action_columns.iter();
    found.extend(unknown(asked, "column of `customers`", &names));
}

/// Checks the columns of exports: those of `actions` and of `customers`.
pub(super) fn export_columns(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    found: &mut Diagnostics,
) {
    let own = tables::find("actions").map_or(&[][..], |table| table.columns);
    let own = own.iter().filter(|column| column.ty != Ty::Any);
    let own = own.map(|column| match column.ty {
        Ty::Key => pipeline.customer.key.clone(),
        _ => column.name.to_owned(),
    });
    let mut names: Vec<String> = own.collect();
    names.extend(columns_of_customers(pipeline, published));
    if pipeline.customer.active.is_some() {
        names.push(base::ACTIVE.to_owned());
    }
    let playbooks = pipeline.playbooks.iter();
    let asked = playbooks.flat_map(|playbook| playbook.export.columns.iter().flatten());
    found.extend(unknown(asked, "column of `actions` or `customers`", &names));
}

/// The columns of `customers` behind the key: features, scores, values and columns of schemes and experiments.
fn columns_of_customers(pipeline: &Pipeline, published: &[FeatureInfo]) -> Vec<String> {
    let features = published.iter().map(|feature| feature.name.clone());
    let schemes = pipeline.schemes.iter().flat_map(Scheme::columns);
    let drawn = pipeline.experiments.iter().flat_map(Experiment::columns);
    let of_schemes = schemes.map(|column| column.name);
    features.chain(of_schemes).chain(drawn).collect()
}

/// Messages about those of the columns that are not among the names.
fn unknown<'a>(
    columns: impl Iterator<Item = &'a At<String>>,
    what: &str,
    names: &[String],
) -> Vec<Diagnostic> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    columns
        .filter(|column| !names.contains(&column.value.as_str()))
        .map(|column| unknown_name("TS-G001", what, &column.value, column.span.clone(), &names))
        .collect()
}

/// Checks the metrics of experiments: numbers that `customers` has.
pub(super) fn experiments(pipeline: &Pipeline, published: &[FeatureInfo], found: &mut Diagnostics) {
    let ends = intervals::ends(pipeline);
    let in_customers = published.iter().filter(|info| !ends.contains(&info.name));
    let in_customers: Vec<FeatureInfo> = in_customers.cloned().collect();
    for experiment in &pipeline.experiments {
        check_input(&experiment.metric, Wanted::Number, &in_customers, found);
    }
}

pub(super) fn kpi(pipeline: &Pipeline, published: &[FeatureInfo], found: &mut Diagnostics) {
    if let Some(goal) = &pipeline.goal {
        check_input(&goal.kpi, Wanted::Number, published, found);
        let info = published.iter().find(|info| info.name == goal.kpi.value);
        found.extend(
            goal.target
                .as_ref()
                .and_then(|target| unreachable(pipeline, &goal.kpi, target)),
        );
        let against = match (&goal.target, info.map(|info| info.direction)) {
            (Some(Target::Below(_)), Some(Direction::High)) => Some("below"),
            (Some(Target::Above(_)), Some(Direction::Low)) => Some("above"),
            _ => None,
        };
        if let (Some(side), Some(info)) = (against, info) {
            let message = format!(
                "the target of `{}` is to be {side} a limit, but of it {}",
                info.name,
                info.direction.name()
            );
            let warning = Diagnostic::warning("TS-G018", message, goal.kpi.span.clone());
            found
                .extend([warning
                    .with_help("turn the target round, or state the `direction` of the feature")]);
        }
    }
}

/// Finds a key of the customer with the name of a column that a published table has beside it.
pub(crate) fn customer_key(pipeline: &Pipeline, found: &mut Diagnostics) {
    let key = &pipeline.customer.key;
    for table in TABLES {
        let mut columns = table.columns.iter();
        let has_key = columns.clone().any(|column| column.ty == Ty::Key);
        let same = columns.find(|column| column.name.eq_ignore_ascii_case(key));
        if let (true, Some(same)) = (has_key, same) {
            let message = format!(
                "`{key}` cannot be the key: table `{}` has a column `{}`",
                table.name, same.name
            );
            let problem = Diagnostic::error("TS-P007", message, pipeline.customer.key_span.clone());
            found.extend([problem.with_help(
                "`key` of [customer] is the name that the key has in the published tables; choose another one, such as `customer_id`, and \
                 name the column of each source there: `key = \"…\"` in [sources.…]",
            )]);
            return;
        }
    }
}

/// Finds rules of contracts that are called like something else that takes rows out.
pub(super) fn rules(pipeline: &Pipeline, features: &FeaturePlan, found: &mut Diagnostics) {
    for pass in &features.passes {
        let Some(source) = pipeline.source(&pass.source) else {
            continue;
        };
        let names = tessera_engine::rule_names(&pass.aggregate.rows);
        for rule in &source.contract.rules {
            let name = &rule.name;
            let of_all = names.iter().filter(|known| **known == name.value).count();
            let mut own = source.contract.rules.iter();
            if of_all
                > own
                    .by_ref()
                    .filter(|known| known.name.value == name.value)
                    .count()
            {
                let message = format!(
                    "a rule cannot be called \"{}\": rows that break what is checked anyway are called so",
                    name.value
                );
                let problem = Diagnostic::error("TS-P022", message, name.span.clone());
                found.extend([problem.with_help(
                    "rejected rows show the name of their rule; give this one a name of its own, or leave it out if it says the same",
                )]);
            }
        }
    }
}

/// A target that every value of the KPI meets, or none.
fn unreachable(pipeline: &Pipeline, kpi: &At<String>, target: &Target) -> Option<Diagnostic> {
    let column = pipeline.scores.iter().flat_map(Score::columns);
    let mut column = column.filter(|column| column.name == kpi.value);
    let (from, to) = column.next()?.range()?;
    let limit = target.limit();
    let (key, inside) = match target {
        Target::Below(limit) => ("below", limit.value > from && limit.value <= to),
        Target::Above(limit) => ("above", limit.value >= from && limit.value < to),
    };
    if inside {
        return None;
    }
    let message = format!(
        "the target of `{}` is `{key} = {}`, but its values are from {from} to {to}",
        kpi.value, limit.value
    );
    let help = match to > 1.0 {
        true => format!("state a number between {from} and {to}"),
        false => "state a share of 1: 0.5 is 50%".to_owned(),
    };
    Some(Diagnostic::error("TS-G025", message, limit.span.clone()).with_help(help))
}
