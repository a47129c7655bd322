//! What came in: the tables `sources` and `rejects`, and the rules that stop a run.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{Days, NaiveDate, NaiveTime};
use tessera_engine::{Engine, Reject};
use tessera_expr::rel::{RowCounts, RowOutcome, SourceRows};
use tessera_ingest::Inventory;
use tessera_spec::pipeline::{Freshness, Source, SourceKind};

use crate::error::PipelineError;

/// Days since 1970-01-01.
pub(crate) fn epoch_day(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default()).num_days() as i32
}

/// What became of one source.
#[derive(Debug, Clone)]
pub struct SourceOutcome {
    /// Name of the source.
    pub name: String,
    /// What its rows are.
    pub kind: SourceKind,
    /// Number of files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// What became of the visible rows.
    pub counts: RowCounts,
    /// Hours from the newest used row to the end of `as_of`.
    pub age_hours: Option<f64>,
    /// `ok`, `stale` or `empty`.
    pub status: &'static str,
}

/// Counts and freshness of a source, or the limit that it breaks.
pub(crate) fn outcome(
    source: &Source,
    inventory: &Inventory,
    counts: RowCounts,
    as_of: NaiveDate,
) -> Result<SourceOutcome, PipelineError> {
    let age_hours = counts.newest_micros.and_then(|newest| {
        let end = as_of
            .checked_add_days(Days::new(1))?
            .and_time(NaiveTime::MIN)
            .and_utc()
            .timestamp_micros();
        (source.kind == SourceKind::Events).then(|| (end - newest) as f64 / 3.6e9)
    });
    let name = source.name.value.clone();
    let mut status = if counts.used == 0 { "empty" } else { "ok" };
    if let (
        Some(age_hours),
        Some(Freshness {
            warn_hours,
            fail_hours,
        }),
    ) = (age_hours, source.freshness)
    {
        if let Some(limit_hours) = fail_hours.filter(|limit| age_hours > *limit) {
            return Err(PipelineError::Stale {
                name,
                age_hours,
                limit_hours,
            });
        }
        if warn_hours.is_some_and(|limit| age_hours > limit) {
            status = "stale";
        }
    }
    Ok(SourceOutcome {
        name,
        kind: source.kind,
        files: inventory.files.len() as u64,
        bytes: inventory.bytes(),
        counts,
        age_hours,
        status,
    })
}

/// What became of the rows of a source, in words; of the rules, by which of them it was most often.
pub(crate) fn outcome_text(engine: &dyn Engine, rows: &SourceRows, counts: &RowCounts) -> String {
    let name = &rows.scan.source;
    if counts.rows == 0 {
        return format!("source `{name}` has no row up to then");
    }
    let refused = counts.quarantined + counts.dropped;
    let rules = engine.check_names(rows);
    let most = counts.by_check.iter().zip(&rules).max_by_key(|(n, _)| **n);
    let most = most.filter(|(n, _)| **n > 0);
    let most = most.map_or_else(String::new, |(n, rule)| format!(" ({n} for `{rule}`)"));
    format!(
        "of {} rows of source `{name}`, {} were used, {} filtered, {refused} set aside or dropped{most}",
        counts.rows, counts.used, counts.filtered
    )
}

/// The first rule with `on_fail = "fail"` that rows broke, as an error with the first such row.
pub(crate) fn broken_contract(
    engine: &dyn Engine,
    rows: &SourceRows,
    counts: &RowCounts,
) -> Result<(), PipelineError> {
    let names = engine.check_names(rows);
    let offset = names.len() - rows.checks.len();
    let by_check = rows
        .checks
        .iter()
        .enumerate()
        .filter(|(_, check)| check.outcome == RowOutcome::Fail);
    let mut broken = by_check
        .map(|(i, check)| {
            (
                check.rule.clone(),
                counts.by_check.get(offset + i).copied().unwrap_or(0),
            )
        })
        .find(|(_, count)| *count > 0);
    if broken.is_none()
        && rows
            .dedup
            .as_ref()
            .is_some_and(|dedup| dedup.outcome == RowOutcome::Fail)
        && counts.duplicates > 0
    {
        broken = Some(("not a duplicate".to_owned(), counts.duplicates));
    }
    let Some((rule, count)) = broken else {
        return Ok(());
    };
    let mut first: Option<Reject> = None;
    engine.rejects(rows, &mut |reject| {
        if first.is_none() && reject.rule == rule {
            first = Some(reject);
        }
    })?;
    let example = first.map_or_else(String::new, |r| {
        format!(
            "; the first is {} row {}: {}",
            r.file.display(),
            r.row_number,
            r.row
        )
    });
    Err(PipelineError::Contract {
        name: rows.scan.source.clone(),
        rule,
        rows: count,
        example,
    })
}

/// The table `sources`, by name.
pub(crate) fn sources_table(
    as_of: NaiveDate,
    outcomes: &[SourceOutcome],
) -> Result<RecordBatch, PipelineError> {
    let mut rows: Vec<&SourceOutcome> = outcomes.iter().collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let ints = |value: fn(&SourceOutcome) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| value(row) as i64),
        ))
    };
    let kind = |kind: SourceKind| match kind {
        SourceKind::Events => "events",
        SourceKind::Attributes => "attributes",
        SourceKind::Intervals => "intervals",
    };
    let columns: Vec<(&str, bool, ArrayRef)> = vec![
        (
            "as_of",
            false,
            Arc::new(Date32Array::from(vec![epoch_day(as_of); rows.len()])),
        ),
        (
            "source",
            false,
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.name))),
        ),
        (
            "kind",
            false,
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|r| kind(r.kind)),
            )),
        ),
        ("files", false, ints(|r| r.files)),
        ("bytes", false, ints(|r| r.bytes)),
        ("rows", false, ints(|r| r.counts.rows)),
        ("used", false, ints(|r| r.counts.used)),
        ("filtered", false, ints(|r| r.counts.filtered)),
        ("quarantined", false, ints(|r| r.counts.quarantined)),
        ("dropped", false, ints(|r| r.counts.dropped)),
        ("duplicates", false, ints(|r| r.counts.duplicates)),
        (
            "newest_event",
            true,
            Arc::new(
                rows.iter()
                    .map(|r| r.counts.newest_micros)
                    .collect::<TimestampMicrosecondArray>(),
            ),
        ),
        (
            "age_hours",
            true,
            Arc::new(rows.iter().map(|r| r.age_hours).collect::<Float64Array>()),
        ),
        (
            "status",
            false,
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.status))),
        ),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, null, column)| Field::new(*name, column.data_type().clone(), *null))
        .collect();
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.into_iter().map(|(_, _, column)| column).collect(),
    )?)
}

/// A row set aside, on its way into `rejects`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RejectRow {
    source: String,
    file: String,
    row_number: i64,
    rule: String,
    row: String,
}

impl RejectRow {
    pub(crate) fn new(inventory: &Inventory, reject: Reject) -> Self {
        Self {
            source: inventory.source.clone(),
            file: inventory.relative(&reject.file),
            row_number: reject.row_number as i64,
            rule: reject.rule,
            row: reject.row,
        }
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
        Ok(RecordBatch::try_new(
            rejects_schema(),
            vec![
                Arc::new(Date32Array::from(vec![epoch_day(as_of); rows.len()])),
                texts(|r| &r.source),
                texts(|r| &r.file),
                Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|r| r.row_number),
                )),
                texts(|r| &r.rule),
                texts(|r| &r.row),
            ],
        )?)
    };
    rows.chunks(1 << 16).map(batch).collect()
}
