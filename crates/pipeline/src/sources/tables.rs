//! The tables `sources`, `reject_rules` and `rejects`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use serde_json::{Value, json};
use tessera_engine::Reject;
use tessera_expr::rel::RowOutcome;
use tessera_ingest::Inventory;
use tessera_spec::pipeline::{Limit, SourceKind};

use super::warned::one_a_line;
use super::{RuleCount, SourceOutcome, Weight};
use crate::error::PipelineError;

/// Days since 1970-01-01.
pub(crate) fn epoch_day(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default()).num_days() as i32
}

/// Columns by name, each with whether it may be null.
type Columns = Vec<(&'static str, bool, ArrayRef)>;

fn batch(columns: Columns) -> Result<RecordBatch, PipelineError> {
    let field = |(name, null, column): &(&'static str, bool, ArrayRef)| {
        Field::new(*name, column.data_type().clone(), *null)
    };
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let columns = columns.into_iter().map(|(_, _, column)| column).collect();
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

fn dates(as_of: NaiveDate, rows: usize) -> ArrayRef {
    Arc::new(Date32Array::from(vec![epoch_day(as_of); rows]))
}

/// The table `sources`, by name.
pub(crate) fn sources_table(
    as_of: NaiveDate,
    outcomes: &[SourceOutcome],
) -> Result<RecordBatch, PipelineError> {
    let mut rows: Vec<&SourceOutcome> = outcomes.iter().collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let ints = |value: fn(&SourceOutcome) -> u64| -> ArrayRef {
        let values = rows.iter().map(|row| value(row) as i64);
        Arc::new(Int64Array::from_iter_values(values))
    };
    let texts = |value: fn(&SourceOutcome) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|row| value(row)),
        ))
    };
    let newest = rows.iter().map(|r| r.counts.newest_micros);
    let ages = rows.iter().map(|r| r.age_hours);
    let mut columns: Columns = vec![
        ("as_of", false, dates(as_of, rows.len())),
        ("source", false, texts(|r| &r.name)),
        ("kind", false, texts(|r| kind(r.kind))),
        ("files", false, ints(|r| r.files)),
        ("bytes", false, ints(|r| r.bytes)),
        ("rows", false, ints(SourceOutcome::rows)),
        ("used", false, ints(|r| r.counts.used)),
        ("filtered", false, ints(|r| r.filtered)),
        ("quarantined", false, ints(|r| r.quarantined)),
        ("dropped", false, ints(|r| r.dropped)),
        ("duplicates", false, ints(|r| r.counts.repeated)),
        (
            "newest_event",
            true,
            Arc::new(newest.collect::<TimestampMicrosecondArray>()),
        ),
        ("age_hours", true, Arc::new(ages.collect::<Float64Array>())),
        ("status", false, texts(|r| r.status)),
    ];
    columns.extend(accounts(&rows));
    columns.extend(doubts(&rows));
    batch(columns)
}

/// Columns with the rows that are not visible, and with findings about the others.
fn accounts(rows: &[&SourceOutcome]) -> Columns {
    let ints = |value: fn(&SourceOutcome) -> Option<u64>| -> ArrayRef {
        let values = rows.iter().map(|row| value(row).map(|n| n as i64));
        Arc::new(values.collect::<Int64Array>())
    };
    let floats = |value: fn(&SourceOutcome) -> Option<f64>| -> ArrayRef {
        let values = rows.iter().map(|row| value(row));
        Arc::new(values.collect::<Float64Array>())
    };
    let notes = rows.iter().map(|row| one_a_line(row.notes.iter()));
    vec![
        (
            "files_passed_over",
            true,
            ints(|r| Some(r.files_passed_over)),
        ),
        ("columns_absent", true, ints(|r| Some(r.columns_absent))),
        ("file_rows", true, ints(|r| Some(r.file_rows))),
        ("future", true, ints(|r| Some(r.counts.unseen.future))),
        ("unknown", true, ints(|r| Some(r.counts.unseen.unknown))),
        ("pruned", true, ints(|r| Some(r.counts.unseen.pruned))),
        (
            "nulled",
            true,
            ints(|r| Some(r.counts.nulled.iter().map(|(_, n)| n).sum())),
        ),
        (
            "rejected_share",
            true,
            floats(|r| share(r.rejected(), r.rows())),
        ),
        (
            "negative_share",
            true,
            floats(|r| share(r.counts.money?.negative_rows, r.counts.used)),
        ),
        (
            "negative_value_share",
            true,
            floats(|r| {
                let money = r.counts.money?;
                (money.positive > 0.0).then(|| money.negative / money.positive)
            }),
        ),
        (
            "keys_without_customer",
            true,
            ints(|r| r.outside.as_ref().map(|o| o.keys_outside)),
        ),
        (
            "rows_without_customer",
            true,
            ints(|r| r.outside.as_ref().and_then(|o| o.rows_outside)),
        ),
        (
            "customers_with_several",
            true,
            ints(|r| r.several.as_ref().map(|s| s.keys)),
        ),
        ("notes", true, Arc::new(notes.collect::<StringArray>())),
        (
            "unmatched",
            true,
            ints(|r| {
                let unmatched = r.counts.unmatched.iter().map(|(_, n)| n).sum();
                (!r.counts.unmatched.is_empty()).then_some(unmatched)
            }),
        ),
    ]
}

/// Columns of what is doubtful in the rows.
fn doubts(rows: &[&SourceOutcome]) -> Columns {
    let warnings = rows.iter().map(|row| row.warnings.lines());
    let worst = rows.iter().map(|row| row.warnings.worst());
    let worst: StringArray = worst.map(|worst| worst.map(Weight::word)).collect();
    let gap_days = rows
        .iter()
        .map(|row| row.gap_days().map(|days| days as i64));
    vec![
        (
            "warnings",
            true,
            Arc::new(warnings.collect::<StringArray>()),
        ),
        ("worst_warning", true, Arc::new(worst)),
        ("gap_days", true, Arc::new(gap_days.collect::<Int64Array>())),
    ]
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn kind(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Events => "events",
        SourceKind::Attributes => "attributes",
        SourceKind::Intervals => "intervals",
        SourceKind::Lookup => "lookup",
    }
}

/// The table `reject_rules`: every rule that took a row out, by source and rule.
pub(crate) fn reject_rules_table(
    as_of: NaiveDate,
    outcomes: &[SourceOutcome],
) -> Result<RecordBatch, PipelineError> {
    let mut rows: Vec<(&SourceOutcome, &RuleCount)> = Vec::new();
    for outcome in outcomes {
        let met = outcome.rules.iter().filter(|rule| rule.rows > 0);
        rows.extend(met.map(|rule| (outcome, rule)));
    }
    rows.sort_by_key(|(outcome, rule)| (&outcome.name, &rule.rule));
    let limit = |(outcome, rule): &(&SourceOutcome, &RuleCount)| match rule.limit? {
        Limit::Share(share) => Some(share),
        Limit::Rows(rows) => share(rows, outcome.rows()),
    };
    let first = rows.iter().map(|(_, rule)| rule.first.as_ref());
    let found = first
        .clone()
        .map(|first| first.and_then(|f| Some(f.found.as_ref()?.values.clone())));
    let file = first.clone().map(|first| first.map(|f| f.file.clone()));
    let row_number = first.map(|first| first.map(|f| f.row_number as i64));
    let ints = |value: fn(&RuleCount) -> u64| -> ArrayRef {
        let values = rows.iter().map(|(_, rule)| value(rule) as i64);
        Arc::new(Int64Array::from_iter_values(values))
    };
    let texts = |value: fn(&(&SourceOutcome, &RuleCount)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
    };
    let shares = rows
        .iter()
        .map(|(outcome, rule)| share(rule.rows, outcome.rows()));
    batch(vec![
        ("as_of", false, dates(as_of, rows.len())),
        ("source", false, texts(|(outcome, _)| outcome.name.clone())),
        ("rule", false, texts(|(_, rule)| rule.rule.clone())),
        (
            "outcome",
            false,
            texts(|(_, rule)| word(rule.outcome).to_owned()),
        ),
        ("rows", false, ints(|rule| rule.rows)),
        ("share", true, Arc::new(shares.collect::<Float64Array>())),
        (
            "limit",
            true,
            Arc::new(rows.iter().map(limit).collect::<Float64Array>()),
        ),
        ("kept", false, ints(|rule| rule.kept)),
        ("example", true, Arc::new(found.collect::<StringArray>())),
        ("file", true, Arc::new(file.collect::<StringArray>())),
        (
            "row_number",
            true,
            Arc::new(row_number.collect::<Int64Array>()),
        ),
    ])
}

fn word(outcome: RowOutcome) -> &'static str {
    match outcome {
        RowOutcome::Quarantine | RowOutcome::Fail => "quarantined",
        RowOutcome::Drop => "dropped",
        RowOutcome::Filter => "filtered",
    }
}

/// A rejected row for `rejects`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RejectRow {
    source: String,
    file: String,
    row_number: i64,
    rule: String,
    row: String,
}

impl RejectRow {
    pub(super) fn new(inventory: &Inventory, rule: &RuleCount, reject: Reject) -> Self {
        Self {
            source: inventory.source.clone(),
            file: inventory.relative(&reject.file),
            row_number: reject.row_number as i64,
            rule: rule.rule.clone(),
            row: reject.row,
        }
    }

    /// The row as a line of NDJSON.
    pub(super) fn line(&self) -> String {
        let row: Value =
            serde_json::from_str(&self.row).unwrap_or_else(|_| self.row.clone().into());
        json!({
            "source": self.source, "file": self.file, "row_number": self.row_number, "rule": self.rule, "row": row,
        })
        .to_string()
    }
}

/// Schema of the table `rejects`.
pub(crate) fn rejects_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        Field::new("as_of", DataType::Date32, false),
        text("source"),
        text("file"),
        Field::new("row_number", DataType::Int64, false),
        text("rule"),
        text("row"),
    ]))
}

/// The table `rejects`, by source, file and row number.
pub(crate) fn rejects_tables(
    as_of: NaiveDate,
    mut rows: Vec<RejectRow>,
) -> Result<Vec<RecordBatch>, PipelineError> {
    rows.sort();
    let batch = |rows: &[RejectRow]| -> Result<RecordBatch, PipelineError> {
        let texts = |value: fn(&RejectRow) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
        };
        let numbers = rows.iter().map(|r| r.row_number);
        Ok(RecordBatch::try_new(
            rejects_schema(),
            vec![
                dates(as_of, rows.len()),
                texts(|r| &r.source),
                texts(|r| &r.file),
                Arc::new(Int64Array::from_iter_values(numbers)),
                texts(|r| &r.rule),
                texts(|r| &r.row),
            ],
        )?)
    };
    rows.chunks(1 << 16).map(batch).collect()
}
