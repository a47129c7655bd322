//! Passes of several dates read the files once, and make the tables and counts that each makes alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tessera_expr::rel::{
    Agg, AggOp, Aggregate, Dedup, FileGroup, RowCheck, RowCounts, RowOutcome, Sample, Scan,
    ScanColumn, ScanFormat, SourceRows, Stored, Unconverted, Window,
};
use tessera_expr::{BinaryOp, Expr, Literal, Type};
use tessera_spec::pipeline::ColumnForm;

use super::super::run_together;
use crate::budget::Budget;

/// A row of a file: customer, day and day on which it became known after 2026-01-01, amount, and a note.
type Row = (u8, Option<u8>, Option<u8>, Option<i16>, Option<u8>);

/// A date and what its plan does with the rows: a sample, an earliest day, an amount that is filtered, repeated rows.
type Date = (u8, bool, Option<u8>, Option<i16>, bool);

const MICROS_PER_DAY: i64 = 86_400_000_000;
const FIRST_DAY: i64 = 20_454;

fn micros(day: Option<u8>) -> Option<i64> {
    day.map(|day| (FIRST_DAY + i64::from(day)) * MICROS_PER_DAY + 12 * 3_600_000_000)
}

fn day(after: u8) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::Days::new(u64::from(after))
}

/// A file with row groups of seven rows, so that bounds on its times keep some of them out.
fn write(path: &Path, rows: &[Row], has_note: bool) {
    let texts: StringArray = rows.iter().map(|row| Some(format!("c{}", row.0))).collect();
    let times: TimestampMicrosecondArray = rows.iter().map(|row| micros(row.1)).collect();
    let known: TimestampMicrosecondArray = rows.iter().map(|row| micros(row.2)).collect();
    let amounts = rows.iter().map(|row| row.3.map(|x| f64::from(x) / 7.0));
    let notes = rows
        .iter()
        .map(|row| row.4.map(|x| format!("note {}", x % 9)));
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(texts)),
        ("at", Arc::new(times)),
        ("known", Arc::new(known)),
        ("amount", Arc::new(amounts.collect::<Float64Array>())),
    ];
    if has_note {
        columns.push(("note", Arc::new(notes.collect::<StringArray>())));
    }
    let with_nulls = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(with_nulls).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(7))
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn scan(files: &[PathBuf], has_note: &[bool]) -> Scan {
    let time = || Stored::Timestamp {
        ticks_per_second: 1_000_000,
        zone: None,
    };
    let columns = [
        ("id", Type::String, Stored::String),
        ("at", Type::Timestamp, time()),
        ("known", Type::Timestamp, time()),
        ("amount", Type::Float, Stored::Float { bits: 64 }),
        ("note", Type::String, Stored::String),
    ];
    let group = |has_note: &bool| FileGroup {
        files: 1,
        stored: columns
            .iter()
            .map(|(name, _, stored)| (*name != "note" || *has_note).then(|| stored.clone()))
            .collect(),
        has_gaps: false,
    };
    Scan {
        source: "orders".to_owned(),
        files: files.to_vec(),
        origins: Vec::new(),
        stamps: Vec::new(),
        footers: Vec::new(),
        format: ScanFormat::Parquet,
        groups: has_note.iter().map(group).collect(),
        columns: columns
            .iter()
            .map(|(name, ty, stored)| ScanColumn {
                name: (*name).to_owned(),
                ty: *ty,
                stored: stored.clone(),
                may_break: false,
                bounds: None,
                form: ColumnForm::default(),
            })
            .collect(),
        path_values: vec![Vec::new(); files.len()],
        timezone: chrono_tz::Tz::Europe__Berlin,
        naive_zone: Some(chrono_tz::Tz::UTC),
        derive: Vec::new(),
        joins: Vec::new(),
    }
}

fn aggregates() -> Vec<Agg> {
    let amount = || Expr::column("amount", Type::Float);
    let note = || Expr::column("note", Type::String);
    let window = Window {
        days: Some(30),
        offset_days: 2,
    };
    let ops = [
        (AggOp::CountRows, None),
        (AggOp::LastDay, None),
        (AggOp::Sum(amount()), None),
        (AggOp::Std(amount()), Some(window)),
        (AggOp::CountDistinct(note()), None),
        (AggOp::First(note()), Some(window)),
    ];
    let numbered = ops.into_iter().enumerate();
    let named = numbered.map(|(number, (func, window))| Agg {
        name: format!("column_{number}"),
        func,
        window,
        filter: None,
    });
    named.collect()
}

fn plan(scan: &Scan, &(as_of, sampled, not_before, least, dedup): &Date) -> Aggregate {
    let filter = least.map(|least| RowCheck {
        rule: "filter".to_owned(),
        bad_when: Expr::column("amount", Type::Float).condition(
            BinaryOp::Less,
            Expr::literal(Literal::Float(f64::from(least)), Type::Float),
        ),
        outcome: RowOutcome::Filter,
        conversion: false,
    });
    let rows = SourceRows {
        scan: scan.clone(),
        key: "id".to_owned(),
        time: Some("at".to_owned()),
        until: None,
        known_at: Some("known".to_owned()),
        as_of: day(as_of),
        known_by: day(as_of),
        not_before: not_before.map(day),
        in_range: BTreeSet::from(["at".to_owned(), "known".to_owned()]),
        unconverted: Unconverted::TakesOut(RowOutcome::Quarantine),
        checks: filter.into_iter().collect(),
        dedup: dedup.then(|| Dedup {
            columns: vec!["id".to_owned(), "at".to_owned()],
            outcome: RowOutcome::Drop,
        }),
        sample: None,
        only: sampled.then_some(Sample { share: 0.5 }),
        amount: Some(Expr::column("amount", Type::Float)),
    };
    let aggs = aggregates();
    Aggregate { rows, aggs }
}

/// The bytes of the tables, and the counts.
fn tables(plans: &[Aggregate], budget: &Budget, folder: &Path) -> Vec<(Vec<u8>, RowCounts)> {
    let numbered = plans.iter().enumerate();
    let paths: Vec<PathBuf> = numbered
        .map(|(number, _)| folder.join(format!("table-{number}.parquet")))
        .collect();
    let passes: Vec<_> = plans
        .iter()
        .zip(&paths)
        .map(|(plan, path)| (plan, path.as_path()))
        .collect();
    let made = run_together(&passes, 2, budget).unwrap().unwrap();
    let read = |(path, (_, counts))| (std::fs::read(path).unwrap(), counts);
    paths.iter().zip(made).map(read).collect()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let soon = prop::option::weighted(0.95, 0..120_u8);
    let later = prop::option::weighted(0.9, 0..120_u8);
    let amount = prop::option::weighted(0.9, -99..400_i16);
    let note = prop::option::weighted(0.8, any::<u8>());
    let row = (0..12_u8, soon, later, amount, note);
    // Times tend to rise within a file, so that row groups lie on one side of a date.
    prop::collection::vec(row, 0..60).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.1.map(|day| day / 8));
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn several_dates_together_are_what_each_is_alone(
        files in prop::collection::vec((rows(), any::<bool>()), 1..4),
        dates in prop::collection::vec(
            (
                0..130_u8,
                any::<bool>(),
                prop::option::of(0..60_u8),
                prop::option::of(-20..60_i16),
                any::<bool>(),
            ),
            2..5,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (number, (rows, has_note)) in files.iter().enumerate() {
            let path = folder.path().join(format!("{number}.parquet"));
            write(&path, rows, *has_note);
            paths.push(path);
        }
        let has_note: Vec<bool> = files.iter().map(|(_, has_note)| *has_note).collect();
        let scan = scan(&paths, &has_note);
        let plans: Vec<Aggregate> = dates.iter().map(|date| plan(&scan, date)).collect();
        let budget = Budget::unlimited(folder.path());
        let together = tables(&plans, &budget, folder.path());
        for (plan, together) in plans.iter().zip(together) {
            let alone = tables(std::slice::from_ref(plan), &budget, folder.path()).remove(0);
            prop_assert!(alone.0 == together.0, "as of {}", plan.rows.as_of);
            prop_assert_eq!(alone.1, together.1);
        }
    }
}
