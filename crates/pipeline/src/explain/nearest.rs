//! The smallest change of one column that leads a customer to another segment. Other columns are kept as they are, also those
//! that are made from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde::Serialize;
use serde_json::{Value, json};
use tessera_expr::{BinaryOp, Expr, Literal, Node, children, columns};
use tessera_snapshot::Version;

use super::rows::{number, value};
use super::rules::{Rules, holding};
use super::{Explained, SchemeExplained};
use crate::error::PipelineError;
use crate::history::numbers;

/// A change of one column that leads to another segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The column.
    pub column: String,
    /// Its value now.
    pub from: Value,
    /// The nearest value with another segment, or the limit that must be passed.
    pub to: Value,
    /// How it is meant: `at least`, `at most`, `more than`, `less than`, `is`, or `is not named` for any text that no rule names.
    pub bound: &'static str,
    /// The difference of numbers.
    pub change: Option<f64>,
    /// The difference in standard deviations of the column over all customers, by which changes are compared.
    pub deviations: Option<f64>,
    /// The segment that it leads to.
    pub segment: String,
}

/// A value that a column is tried with.
#[derive(Debug, Clone, PartialEq)]
enum Tried {
    Null,
    Integer(i64),
    Float {
        value: f64,
        limit: f64,
    },
    Text(String),
    /// A text that no rule names.
    Other,
}

/// A text that no rule can name by accident.
const OTHER: &str = "\u{1}";

/// Fills in the nearest changes of every scheme that states how it decides.
pub(super) fn explain(
    explained: &Explained<'_>,
    kinds: &[(String, String)],
    schemes: &mut BTreeMap<String, Vec<SchemeExplained>>,
) -> Result<(), PipelineError> {
    for (scheme, kind) in kinds {
        let mut of_scheme: BTreeMap<&String, &mut SchemeExplained> = BTreeMap::new();
        for (key, own) in &mut *schemes {
            of_scheme.extend(
                own.iter_mut()
                    .find(|own| own.scheme == *scheme)
                    .map(|own| (key, own)),
            );
        }
        match kind.as_str() {
            "rules" => match Rules::of(explained, scheme) {
                Some(rules) => of_rules(explained, &rules, of_scheme)?,
                None => note(of_scheme, "the version does not state its rules"),
            },
            "quantile" => of_tiers(explained, scheme, of_scheme)?,
            "rfm_grid" => of_grid(explained, scheme, of_scheme)?,
            other => {
                let text = tessera_segments::kind(other).and_then(|kind| kind.nearest);
                note(
                    of_scheme,
                    text.unwrap_or("this program does not know its kind"),
                );
            }
        }
    }
    Ok(())
}

fn note(schemes: BTreeMap<&String, &mut SchemeExplained>, text: &str) {
    for own in schemes.into_values() {
        own.nearest_note = Some(text.to_owned());
    }
}

/// Tries the values at which a condition changes, one column at a time.
fn of_rules(
    explained: &Explained<'_>,
    rules: &Rules,
    schemes: BTreeMap<&String, &mut SchemeExplained>,
) -> Result<(), PipelineError> {
    let table = &explained.customers.batch;
    let mut limits: BTreeMap<String, Vec<Tried>> = BTreeMap::new();
    let mut read = BTreeSet::new();
    for rule in &rules.rules {
        read.extend(columns(&rule.expr));
        collect(&rule.expr, table, &mut limits);
    }
    let untried: Vec<&str> = read
        .into_iter()
        .filter(|name| !limits.contains_key(*name))
        .collect();
    let mut tried: Vec<(usize, &String, &Tried)> = Vec::new();
    for key in schemes.keys() {
        let row = explained.customers.of(key)[0];
        for (column, values) in &limits {
            tried.extend(values.iter().map(|value| (row, column, value)));
        }
    }
    let candidates = candidates(table, &tried)?;
    let exprs: Vec<Expr> = rules.rules.iter().map(|rule| rule.expr.clone()).collect();
    let truths = holding(explained.version, &candidates, &exprs)?;
    let mut spreads = Spreads::new(explained.version);
    let per_customer = tried.len() / schemes.len().max(1);
    for (place, (_, own)) in schemes.into_iter().enumerate() {
        let mut found: Vec<Change> = Vec::new();
        let own_tried = place * per_customer..(place + 1) * per_customer;
        for at in own_tried {
            let Some(&(row, column, to)) = tried.get(at) else {
                continue;
            };
            let segment = rules.segment(&truths, at);
            let Some(values) = table.column_by_name(column) else {
                continue;
            };
            if segment != own.segment {
                found.push(change(values, row, column, to, segment, &mut spreads)?);
            }
        }
        own.nearest = nearest(found);
        if !untried.is_empty() {
            own.nearest_note = Some(format!(
                "not tried: {}, which the rules do not compare with a constant",
                untried.join(", ")
            ));
        }
    }
    Ok(())
}

/// The values of each column at which a condition of an expression changes.
fn collect(expr: &Expr, table: &RecordBatch, to: &mut BTreeMap<String, Vec<Tried>>) {
    let column = |expr: &Expr| match &expr.node {
        Node::Column(name) => Some(name.clone()),
        Node::Cast(inner) => match &inner.node {
            Node::Column(name) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    };
    let mut add = |name: String, values: Vec<Tried>| {
        let known = to.entry(name).or_default();
        for value in values {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    };
    let ty = |name: &str| {
        table
            .column_by_name(name)
            .map(|column| column.data_type().clone())
    };
    match &expr.node {
        Node::Binary(
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual
            | BinaryOp::IsDistinctFrom
            | BinaryOp::IsNotDistinctFrom,
            left,
            right,
        ) => {
            let sides = [(column(left), right), (column(right), left)];
            for (name, other) in sides {
                if let Some((name, ty)) = name.and_then(|name| ty(&name).map(|ty| (name, ty))) {
                    let values = around(other, &ty);
                    if !values.is_empty() {
                        add(name, values);
                    }
                }
            }
        }
        Node::In { of, list, .. } => {
            if let Some((name, ty)) = column(of).and_then(|name| ty(&name).map(|ty| (name, ty))) {
                add(name, list.iter().flat_map(|one| around(one, &ty)).collect());
            }
        }
        Node::IsNull { of, .. } => {
            if let Some(name) = column(of) {
                add(name, vec![Tried::Null]);
            }
        }
        _ => {}
    }
    children(expr)
        .into_iter()
        .for_each(|child| collect(child, table, to));
}

/// A constant and its neighbours, as values of a column of this type; nothing for what is no constant.
fn around(constant: &Expr, ty: &DataType) -> Vec<Tried> {
    let limit = match &constant.node {
        Node::Literal(Literal::Int(number)) => *number as f64,
        Node::Literal(Literal::Float(number)) => *number,
        Node::Literal(Literal::Decimal(whole)) => match constant.ty {
            tessera_expr::Type::Decimal { scale } => *whole as f64 / 10_f64.powi(i32::from(scale)),
            _ => return Vec::new(),
        },
        Node::Literal(Literal::String(text)) if *ty == DataType::Utf8 => {
            return vec![Tried::Text(text.clone()), Tried::Other];
        }
        _ => return Vec::new(),
    };
    match ty {
        DataType::Int64 => {
            let (low, high) = (limit.floor() as i64, limit.ceil() as i64);
            let mut whole = vec![low.saturating_sub(1), low, high, high.saturating_add(1)];
            whole.dedup();
            whole.into_iter().map(Tried::Integer).collect()
        }
        DataType::Float64 => [limit, limit.next_up(), limit.next_down()]
            .map(|value| Tried::Float { value, limit })
            .to_vec(),
        _ => Vec::new(),
    }
}

/// The customers' rows, each with one value replaced.
fn candidates(
    table: &RecordBatch,
    tried: &[(usize, &String, &Tried)],
) -> Result<RecordBatch, PipelineError> {
    let rows: UInt32Array = tried.iter().map(|one| Some(one.0 as u32)).collect();
    let mut columns = Vec::new();
    for (place, field) in table.schema().fields().iter().enumerate() {
        let taken = take(table.column(place), &rows, None)?;
        let own = |at: usize| (tried[at].1 == field.name()).then_some(tried[at].2);
        columns.push(match field.data_type() {
            _ if !tried.iter().any(|one| one.1 == field.name()) => taken,
            DataType::Int64 => integers(&taken, own),
            DataType::Float64 => floats(&taken, own),
            DataType::Utf8 => texts(&taken, own),
            _ => taken,
        });
    }
    let schema = table.schema();
    let fields = schema.fields().iter();
    let fields: Vec<_> = fields
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Ok(RecordBatch::try_new(
        Arc::new(arrow::datatypes::Schema::new(fields)),
        columns,
    )?)
}

fn integers<'t>(taken: &ArrayRef, own: impl Fn(usize) -> Option<&'t Tried>) -> ArrayRef {
    let values = taken.as_primitive::<Int64Type>();
    let of = |row: usize| match own(row) {
        Some(Tried::Integer(number)) => Some(*number),
        Some(_) => None,
        None => values.is_valid(row).then(|| values.value(row)),
    };
    Arc::new((0..values.len()).map(of).collect::<Int64Array>())
}

fn floats<'t>(taken: &ArrayRef, own: impl Fn(usize) -> Option<&'t Tried>) -> ArrayRef {
    let values = taken.as_primitive::<Float64Type>();
    let of = |row: usize| match own(row) {
        Some(Tried::Float { value, .. }) => Some(*value),
        Some(_) => None,
        None => values.is_valid(row).then(|| values.value(row)),
    };
    Arc::new((0..values.len()).map(of).collect::<Float64Array>())
}

fn texts<'t>(taken: &ArrayRef, own: impl Fn(usize) -> Option<&'t Tried>) -> ArrayRef {
    let values = taken.as_string::<i32>();
    let of = |row: usize| match own(row) {
        Some(Tried::Text(text)) => Some(text.clone()),
        Some(Tried::Other) => Some(OTHER.to_owned()),
        Some(_) => None,
        None => values.is_valid(row).then(|| values.value(row).to_owned()),
    };
    Arc::new((0..values.len()).map(of).collect::<StringArray>())
}

/// A value that leads to a segment, as it is told.
fn change(
    values: &ArrayRef,
    row: usize,
    column: &str,
    to: &Tried,
    segment: &str,
    spreads: &mut Spreads<'_>,
) -> Result<Change, PipelineError> {
    let from = number(values, row);
    let (value_to, target) = match to {
        Tried::Null | Tried::Other => (Value::Null, None),
        Tried::Text(text) => (json!(text), None),
        Tried::Integer(whole) => (json!(whole), Some(*whole as f64)),
        Tried::Float { limit, .. } => (json!(limit), Some(*limit)),
    };
    let difference = from.zip(target).map(|(from, to)| to - from);
    let bound = match (to, difference) {
        (Tried::Other, _) => "is not named",
        (Tried::Float { value, limit }, _) if value > limit => "more than",
        (Tried::Float { value, limit }, _) if value < limit => "less than",
        (_, Some(difference)) if difference > 0.0 => "at least",
        (_, Some(_)) => "at most",
        (_, None) => "is",
    };
    let spread = match difference {
        Some(_) => spreads.of(column)?,
        None => None,
    };
    Ok(Change {
        column: column.to_owned(),
        from: value(values, row),
        to: value_to,
        bound,
        change: difference,
        deviations: difference
            .zip(spread)
            .map(|(difference, spread)| difference.abs() / spread),
        segment: segment.to_owned(),
    })
}

/// Of every column and segment the smallest change, nearest first; changes of labels stand last.
fn nearest(found: Vec<Change>) -> Vec<Change> {
    let size = |one: &Change| one.change.map_or(f64::INFINITY, f64::abs);
    let mut kept: BTreeMap<(String, String), Change> = BTreeMap::new();
    for one in found {
        let of = (one.column.clone(), one.segment.clone());
        match kept.get(&of) {
            Some(known) if size(known) <= size(&one) => {}
            _ => drop(kept.insert(of, one)),
        }
    }
    let mut changes: Vec<Change> = kept.into_values().collect();
    let rank = |one: &Change| one.deviations.unwrap_or(f64::INFINITY);
    changes.sort_by(|a, b| {
        rank(a)
            .total_cmp(&rank(b))
            .then(size(a).total_cmp(&size(b)))
    });
    changes
}

/// Standard deviations of columns over all customers of a version.
struct Spreads<'a> {
    version: &'a Version,
    known: BTreeMap<String, Option<f64>>,
}

impl<'a> Spreads<'a> {
    fn new(version: &'a Version) -> Self {
        Self {
            version,
            known: BTreeMap::new(),
        }
    }

    fn of(&mut self, column: &str) -> Result<Option<f64>, PipelineError> {
        if let Some(known) = self.known.get(column) {
            return Ok(*known);
        }
        let values = numbers(&whole(self.version, column)?);
        let known: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let squares: f64 = known.iter().map(|value| (value - mean).powi(2)).sum();
        let spread = (squares / known.len().max(1) as f64).sqrt();
        let spread = (spread > 0.0).then_some(spread);
        self.known.insert(column.to_owned(), spread);
        Ok(spread)
    }
}

/// A column of all customers.
fn whole(version: &Version, column: &str) -> Result<ArrayRef, PipelineError> {
    let batches = version.read_columns("customers", |name| name == column)?;
    let parts: Vec<&dyn Array> = batches
        .iter()
        .filter_map(|batch| batch.columns().first())
        .map(AsRef::as_ref)
        .collect();
    match parts.is_empty() {
        true => Ok(Arc::new(StringArray::from(Vec::<&str>::new()))),
        false => Ok(concat(&parts)?),
    }
}

/// The smallest and the largest value of a column, by what another column says.
fn ranges(
    version: &Version,
    column: &str,
    by: &str,
) -> Result<BTreeMap<String, (f64, f64)>, PipelineError> {
    let (values, groups) = (numbers(&whole(version, column)?), whole(version, by)?);
    let mut ranges: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (row, value) in values.into_iter().enumerate() {
        if let Some(group) = value_text(&groups, row).filter(|_| value.is_finite()) {
            let range = ranges.entry(group).or_insert((value, value));
            *range = (range.0.min(value), range.1.max(value));
        }
    }
    Ok(ranges)
}

fn value_text(column: &ArrayRef, row: usize) -> Option<String> {
    let valid = row < column.len() && column.is_valid(row);
    valid
        .then(|| arrow::util::display::array_value_to_string(column, row).ok())
        .flatten()
}

/// What a scheme says of itself in the pipeline.
fn declared<'a>(explained: &'a Explained<'_>, scheme: &str) -> &'a Value {
    let schemes = explained.declared["schemes"].as_array();
    let found = schemes
        .into_iter()
        .flatten()
        .find(|known| known["name"] == scheme);
    found.map_or(&Value::Null, |found| &found["kind"])
}

/// The limits between tiers are those between the customers of this version.
fn of_tiers(
    explained: &Explained<'_>,
    scheme: &str,
    schemes: BTreeMap<&String, &mut SchemeExplained>,
) -> Result<(), PipelineError> {
    let Some(by) = declared(explained, scheme)["by"].as_str() else {
        note(schemes, "the version does not state its tiers");
        return Ok(());
    };
    let ranges = ranges(explained.version, by, scheme)?;
    let mut spreads = Spreads::new(explained.version);
    for (key, own) in schemes {
        let row = explained.customers.of(key)[0];
        let Some(values) = explained.customers.column(by) else {
            continue;
        };
        let Some(from) = number(values, row) else {
            own.nearest_note = Some(format!("`{by}` is missing"));
            continue;
        };
        let mut found = Vec::new();
        for (segment, (low, high)) in ranges
            .iter()
            .filter(|(segment, _)| **segment != own.segment)
        {
            let limit = if *low > from { *low } else { *high };
            let to = Tried::Float {
                value: limit,
                limit,
            };
            found.push(change(values, row, by, &to, segment, &mut spreads)?);
        }
        own.nearest = nearest(found);
        own.nearest_note = Some("limits are those between the customers of this version; ranks move with everybody else".to_owned());
    }
    Ok(())
}

/// Another score of one of the three, the others kept; cells that no customer of this version is in are not looked at.
fn of_grid(
    explained: &Explained<'_>,
    scheme: &str,
    schemes: BTreeMap<&String, &mut SchemeExplained>,
) -> Result<(), PipelineError> {
    let config = declared(explained, scheme);
    let named = ["recency", "frequency", "monetary"].map(|name| config[name].as_str());
    let [Some(recency), Some(frequency), Some(monetary)] = named else {
        note(schemes, "the version does not state its columns");
        return Ok(());
    };
    let version = explained.version;
    let axes = [(recency, "_r"), (frequency, "_f"), (monetary, "_m")];
    let mut scores = Vec::new();
    for (column, ending) in axes {
        scores.push(ranges(version, column, &format!("{scheme}{ending}"))?);
    }
    let cells = cells(version, scheme)?;
    let mut spreads = Spreads::new(version);
    for (key, own) in schemes {
        let row = explained.customers.of(key)[0];
        let text = |ending: &str| explained.customers.text(&format!("{scheme}{ending}"), row);
        let [Some(r), Some(f), Some(m)] = ["_r", "_f", "_m"].map(text) else {
            own.nearest_note = Some("a score is missing".to_owned());
            continue;
        };
        let mut found = Vec::new();
        for (axis, (column, _)) in axes.iter().enumerate() {
            let Some(values) = explained.customers.column(column) else {
                continue;
            };
            let Some(from) = number(values, row) else {
                continue;
            };
            for (score, (low, high)) in &scores[axis] {
                let mut cell = [&r, &f, &m];
                cell[axis] = score;
                let segment = cells.get(&cell.map(String::clone));
                let Some(segment) = segment.filter(|segment| **segment != own.segment) else {
                    continue;
                };
                let to = if *low > from { *low } else { *high };
                let to = match values.data_type() {
                    DataType::Int64 => Tried::Integer(to as i64),
                    _ => Tried::Float {
                        value: to,
                        limit: to,
                    },
                };
                found.push(change(values, row, column, &to, segment, &mut spreads)?);
            }
        }
        own.nearest = nearest(found);
        own.nearest_note = Some("limits are those between the customers of this version; cells without a customer are not looked at".to_owned());
    }
    Ok(())
}

/// The segment of every cell that has a customer.
fn cells(version: &Version, scheme: &str) -> Result<BTreeMap<[String; 3], String>, PipelineError> {
    let columns = ["_r", "_f", "_m"].map(|ending| whole(version, &format!("{scheme}{ending}")));
    let [r, f, m] = columns;
    let (r, f, m, segments) = (r?, f?, m?, whole(version, scheme)?);
    let mut cells = BTreeMap::new();
    for row in 0..segments.len() {
        let scores = [&r, &f, &m].map(|column| value_text(column, row));
        if let ([Some(r), Some(f), Some(m)], Some(segment)) = (scores, value_text(&segments, row)) {
            cells.insert([r, f, m], segment);
        }
    }
    Ok(cells)
}
