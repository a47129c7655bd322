//! The rules of a scheme, evaluated for the customers.

use std::collections::BTreeMap;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;
use tessera_engine::{Budget, PolarsEngine};
use tessera_expr::{Expr, Schema, Type, columns, parse};
use tessera_segments::RuleClauses;
use tessera_snapshot::Version;

use super::{Explained, SchemeExplained};
use crate::error::PipelineError;
use crate::truths;
use crate::work::WorkFolder;

/// A rule with what the customer's values say of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleExplained {
    /// Its number, from 1.
    pub number: usize,
    /// The segment that it names.
    pub segment: String,
    /// The rule as written.
    pub when: String,
    /// Whether it is true; a rule that is null is not.
    pub holds: bool,
    /// Its conditions, taken apart at `and` and `or`.
    pub conditions: Vec<ConditionExplained>,
}

/// A condition with the customer's values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConditionExplained {
    /// As written.
    pub text: String,
    /// Whether it is true; null where a value that it needs is missing.
    pub holds: Option<bool>,
    /// The columns that it reads.
    pub values: BTreeMap<String, Value>,
}

/// The rules of a scheme, parsed.
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
}

/// One rule.
pub(super) struct Rule {
    segment: String,
    when: String,
    pub(super) expr: Expr,
    conditions: Vec<Expr>,
}

impl Rules {
    /// The rules that a version states for a scheme; nothing where it states none, or they do not fit its columns.
    pub(super) fn of(explained: &Explained<'_>, scheme: &str) -> Option<Self> {
        let schemes = explained.declared["schemes"].as_array()?;
        let found = schemes.iter().find(|known| known["name"] == scheme)?;
        let schema = schema(&explained.customers.batch);
        let mut rules = Vec::new();
        for rule in found["kind"]["rules"].as_array()? {
            let (segment, when) = (rule["segment"].as_str()?, rule["when"].as_str()?);
            let expr = parse(when, &schema).ok()?;
            let clauses = RuleClauses::new(std::iter::once((segment, when, &expr)));
            rules.push(Rule {
                segment: segment.to_owned(),
                when: when.to_owned(),
                conditions: clauses.conditions().to_vec(),
                expr,
            });
        }
        Some(Self { rules })
    }

    /// Per rule its own expression, and then its conditions.
    fn exprs(&self) -> Vec<Expr> {
        let of = |rule: &Rule| std::iter::once(rule.expr.clone()).chain(rule.conditions.clone());
        self.rules.iter().flat_map(of).collect()
    }
}

/// Names and types of the columns of a table of customers, as expressions see them.
fn schema(batch: &RecordBatch) -> Schema {
    let ty = |ty: &DataType| match ty {
        DataType::Int64 => Some(Type::Int),
        DataType::Float64 => Some(Type::Float),
        DataType::Utf8 => Some(Type::String),
        DataType::Date32 => Some(Type::Date),
        DataType::Timestamp(..) => Some(Type::Timestamp),
        DataType::Boolean => Some(Type::Bool),
        _ => None,
    };
    let fields = batch.schema();
    let known = fields.fields().iter();
    let known = known.filter_map(|field| Some((field.name().clone(), ty(field.data_type())?)));
    Schema {
        columns: known.collect(),
    }
}

/// What expressions say of each row of a table of customers.
fn holding(
    version: &Version,
    table: &RecordBatch,
    exprs: &[Expr],
) -> Result<Vec<BooleanArray>, PipelineError> {
    let work = WorkFolder::new(None)?;
    let engine = PolarsEngine::new(1, Budget::unlimited(work.path()));
    truths::evaluate(&engine, table, place(version), exprs)
}

/// The day and the time zone of a version.
pub(super) fn place(version: &Version) -> (NaiveDate, Tz) {
    let zone = version.commit().pipeline["timezone"].as_str();
    let zone = zone.and_then(|zone| zone.parse().ok());
    (version.as_of(), zone.unwrap_or(Tz::UTC))
}

/// Every scheme of every customer, with its rules.
pub(super) fn explain(
    explained: &Explained<'_>,
    kinds: &[(String, String)],
) -> Result<BTreeMap<String, Vec<SchemeExplained>>, PipelineError> {
    let memberships = &explained.memberships;
    let mut found: BTreeMap<String, Vec<SchemeExplained>> = BTreeMap::new();
    for (scheme, kind) in kinds {
        let rules = Rules::of(explained, scheme).filter(|_| kind == "rules");
        let truths = match &rules {
            Some(rules) => holding(
                explained.version,
                &explained.customers.batch,
                &rules.exprs(),
            )?,
            None => Vec::new(),
        };
        for (row, key) in keyed(explained, scheme) {
            let text = |name: &str| memberships.text(name, row);
            let customer = explained.customers.of(&key)[0];
            let rules = rules
                .as_ref()
                .map(|rules| of_customer(explained, rules, &truths, customer));
            found.entry(key).or_default().push(SchemeExplained {
                scheme: scheme.clone(),
                kind: kind.clone(),
                segment: text("segment").unwrap_or_default(),
                segment_id: memberships.integer("segment_id", row).unwrap_or_default(),
                reason: text("reason").unwrap_or_default(),
                assigned_by: text("assigned_by").unwrap_or_default(),
                entered_on: text("entered_on"),
                previous_segment: text("previous_segment"),
                cause: text("cause"),
                leaves_on: text("leaves_on"),
                leaves_to: text("leaves_to"),
                rule: None,
                rules: rules.unwrap_or_default(),
                nearest: Vec::new(),
                nearest_note: None,
                playbooks: Vec::new(),
                stays: Vec::new(),
            });
        }
    }
    Ok(found)
}

/// The rows of `memberships` of a scheme with their keys.
fn keyed(explained: &Explained<'_>, scheme: &str) -> Vec<(usize, String)> {
    let memberships = &explained.memberships;
    let key = crate::diff::key_of(explained.version);
    (0..memberships.len())
        .filter(|&row| memberships.text("scheme", row).as_deref() == Some(scheme))
        .filter_map(|row| Some((row, memberships.text(key, row)?)))
        .collect()
}

/// The rules up to the first that is true.
fn of_customer(
    explained: &Explained<'_>,
    rules: &Rules,
    truths: &[BooleanArray],
    row: usize,
) -> Vec<RuleExplained> {
    let holds = |place: usize| {
        let truth = truths.get(place).filter(|truth| truth.is_valid(row));
        truth.map(|truth| truth.value(row))
    };
    let mut place = 0;
    let mut said = Vec::new();
    for (number, rule) in rules.rules.iter().enumerate() {
        let own = holds(place) == Some(true);
        place += 1;
        let mut conditions = Vec::new();
        for condition in &rule.conditions {
            let values = columns(condition).into_iter();
            let values = values.map(|name| (name.to_owned(), explained.customers.value(name, row)));
            let written = rule.when.get(condition.span.clone()).map(str::trim);
            let text = written.unwrap_or(&rule.when).to_owned();
            // `between` is two conditions of one text.
            let whole = conditions
                .last_mut()
                .filter(|last: &&mut ConditionExplained| last.text == text);
            match whole {
                Some(whole) => whole.holds = both(whole.holds, holds(place)),
                None => conditions.push(ConditionExplained {
                    text,
                    holds: holds(place),
                    values: values.collect(),
                }),
            }
            place += 1;
        }
        said.push(RuleExplained {
            number: number + 1,
            segment: rule.segment.clone(),
            when: rule.when.clone(),
            holds: own,
            conditions,
        });
        if own {
            break;
        }
    }
    said
}

/// Whether two conditions are both true: not, if one of them is false; unknown, if that is open.
fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}
