//! What models say of customers: estimates with their intervals, reasons, and how far they can be relied on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use tessera_snapshot::Version;

use super::rows::Rows;
use crate::error::PipelineError;

/// Ends of the names of columns that hold an interval.
const ENDS: [&str; 4] = ["low_95", "low_80", "high_80", "high_95"];

/// The table of intervals, in versions that have it.
const INTERVALS: &str = "score_intervals";

/// What a score says of a customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreExplained {
    /// The score.
    pub score: String,
    /// Its columns.
    pub estimates: Vec<Estimate>,
    /// What moves it most, as published.
    pub reasons: Vec<String>,
    /// Whether these raise or lower it: `raises` or `lowers`; none where the score does not state it.
    pub reasons_direction: Option<String>,
    /// What is known against it, from `quality`.
    pub doubts: Vec<String>,
}

/// A column of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The column.
    pub column: String,
    /// What people call it.
    pub label: String,
    /// The customer's value.
    pub value: Value,
    /// Why there is none.
    pub missing: Option<String>,
    /// Ends of its intervals, such as `low_95`; only where they were computed.
    pub interval: BTreeMap<String, f64>,
}

/// A column of a score in the commit.
struct Column {
    name: String,
    label: String,
    notes: String,
}

/// The scores of a version.
pub(super) struct Scores {
    /// Columns by score, in the order of the commit.
    columns: Vec<(String, Vec<Column>)>,
    doubts: BTreeMap<String, Vec<String>>,
    not_computed: BTreeMap<String, String>,
    intervals: Rows,
}

impl Scores {
    /// Reads what a version says of its scores, and the intervals of these customers.
    pub(super) fn read(version: &Version, keys: &BTreeSet<String>) -> Result<Self, PipelineError> {
        let mut columns: Vec<(String, Vec<Column>)> = Vec::new();
        let features = version.commit().pipeline["features"].as_array();
        for feature in features.into_iter().flatten() {
            let text = |name: &str| feature[name].as_str().unwrap_or_default().to_owned();
            if feature["score"].is_null() {
                continue;
            }
            let score = text("score");
            let column = Column {
                name: text("name"),
                label: text("label"),
                notes: text("notes"),
            };
            match columns.iter_mut().find(|known| known.0 == score) {
                Some(known) => known.1.push(column),
                None => columns.push((score, vec![column])),
            }
        }
        let (mut doubts, mut not_computed) = (BTreeMap::new(), BTreeMap::new());
        for batch in version.read("quality")? {
            let rows = Rows::of_batch(batch);
            for row in 0..rows.len() {
                let text = |name: &str| rows.text(name, row).unwrap_or_default();
                let (score, status) = (text("scheme"), text("status"));
                let reason = format!("{}: {}", text("metric"), text("reason"));
                match status.as_str() {
                    "flagged" => doubts.entry(score).or_insert_with(Vec::new).push(reason),
                    "not computed" => drop(not_computed.insert(score, text("reason"))),
                    _ => {}
                }
            }
        }
        let intervals = match version.has(INTERVALS) {
            true => Rows::read(version, INTERVALS, keys)?,
            false => Rows::default(),
        };
        Ok(Self {
            columns,
            doubts,
            not_computed,
            intervals,
        })
    }

    /// What they say of a customer.
    pub(super) fn of(&self, customers: &Rows, key: &str, row: usize) -> Vec<ScoreExplained> {
        let of = |(score, columns): &(String, Vec<Column>)| {
            let direction = format!("{score}_reasons_direction");
            let is_reason = |column: &Column| {
                column.name != direction && column.name.starts_with(&format!("{score}_reason"))
            };
            let (reasons, others): (Vec<&Column>, Vec<&Column>) =
                columns.iter().partition(|column| is_reason(column));
            let is_end = |column: &Column| {
                let of = |end: &&str| column.name.strip_suffix(end)?.strip_suffix('_');
                let base = ENDS.iter().find_map(of);
                base.is_some_and(|base| columns.iter().any(|known| known.name == base))
            };
            let others = others.into_iter();
            let others = others.filter(|column| column.name != direction && !is_end(column));
            let excluded = customers.text(&format!("{score}_excluded"), row);
            let estimates = others.map(|column| {
                let value = customers.value(&column.name, row);
                let missing = value
                    .is_null()
                    .then(|| self.missing(score, column, &excluded));
                Estimate {
                    interval: self.interval(customers, key, row, column),
                    column: column.name.clone(),
                    label: column.label.clone(),
                    value,
                    missing,
                }
            });
            let texts = reasons
                .iter()
                .filter_map(|column| customers.text(&column.name, row));
            ScoreExplained {
                score: score.clone(),
                estimates: estimates.collect(),
                reasons: texts.collect(),
                reasons_direction: customers.text(&direction, row),
                doubts: self.doubts.get(score).cloned().unwrap_or_default(),
            }
        };
        self.columns.iter().map(of).collect()
    }

    fn missing(&self, score: &str, column: &Column, excluded: &Option<String>) -> String {
        if let Some(why) = excluded {
            return why.clone();
        }
        let not_computed = self.not_computed.get(score);
        not_computed.map_or_else(
            || column.notes.clone(),
            |why| format!("not computed: {why}"),
        )
    }

    /// The ends of the intervals of a column: a row of the table of intervals, else columns of `customers`.
    fn interval(
        &self,
        customers: &Rows,
        key: &str,
        row: usize,
        column: &Column,
    ) -> BTreeMap<String, f64> {
        let number = |rows: &Rows, name: &str, row: usize| {
            rows.column(name)
                .and_then(|column| super::rows::number(column, row))
        };
        let own = self.intervals.of(key).iter().copied();
        let mut own = own.filter(|&row| {
            self.intervals.text("column_name", row).as_deref() == Some(column.name.as_str())
        });
        let found = own.next();
        let of = |end: &&str| {
            let value = match found {
                Some(row) => number(&self.intervals, end, row),
                None => number(customers, &format!("{}_{end}", column.name), row),
            };
            Some(((*end).to_owned(), value?))
        };
        ENDS.iter().filter_map(of).collect()
    }
}

/// Every feature and value of a customer, without the columns of scores and schemes.
pub(super) fn features(version: &Version, customers: &Rows, row: usize) -> BTreeMap<String, Value> {
    let features = version.commit().pipeline["features"].as_array();
    let features = features
        .into_iter()
        .flatten()
        .filter(|feature| feature["score"].is_null());
    let names = features.filter_map(|feature| feature["name"].as_str());
    names
        .map(|name| (name.to_owned(), customers.value(name, row)))
        .collect()
}
