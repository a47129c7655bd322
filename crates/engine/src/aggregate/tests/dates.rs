//! Passes of several dates read the files once, and make the tables and counts that each makes alone. `TESSERA_DATES` sets for how many
//! generated lakes that is shown.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tessera_expr::aggregates::{self, COUNT, COUNT_DISTINCT, FIRST, LAST_DAY};
use tessera_expr::rel::{
    Agg, Aggregate, Dedup, Drawn, FileGroup, Join, RowCheck, RowOutcome, Sample, Scan, ScanColumn,
    ScanFormat, SourceRows, Stored, Unconverted, Window,
};
use tessera_expr::{BinaryOp, Expr, Literal, Type};
use tessera_spec::pipeline::{ColumnForm, Several};
use xxhash_rust::xxh3::xxh3_64;

use crate::budget::{Budget, PROGRAM_BYTES};
use crate::{Engine, Materialized, PolarsEngine};

/// A row of a file: customer, day and day on which it became known after 2026-01-01, amount, and a note.
type Row = (u8, Option<u8>, Option<u8>, Option<i16>, Option<u8>);

/// A date and what its plan does with the rows: which customers it keeps, an earliest day, an amount that is filtered, repeated rows,
/// and an amount of which customers must have had a row by then.
type Date = (
    u8,
    Option<Drawn>,
    Option<u8>,
    Option<i16>,
    bool,
    Option<i16>,
);

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
    write_columns(path, with_nulls.collect(), 7);
}

fn write_columns(path: &Path, columns: Vec<(&str, ArrayRef, bool)>, group_rows: usize) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
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
    let written = |name| aggregates::find(name).unwrap();
    let ops = [
        (COUNT.of_rows(), None),
        (LAST_DAY.of_rows(), None),
        (written("sum").of(amount()), None),
        (written("std").of(amount()), Some(window)),
        (COUNT_DISTINCT.of(note()), None),
        (FIRST.of(note()), Some(window)),
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

/// A rule that filters amounts below this one.
fn at_least(amount: i16) -> RowCheck {
    RowCheck {
        rule: "filter".to_owned(),
        bad_when: Expr::column("amount", Type::Float).condition(
            BinaryOp::Less,
            Expr::literal(Literal::Float(f64::from(amount)), Type::Float),
        ),
        outcome: RowOutcome::Filter,
        conversion: false,
    }
}

fn plan(scan: &Scan, &(as_of, only, not_before, least, dedup, known): &Date) -> Aggregate {
    let mut rows = SourceRows {
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
        checks: least.map(at_least).into_iter().collect(),
        leading: 0,
        read_as_null: Vec::new(),
        dedup: dedup.then(|| Dedup {
            columns: vec!["id".to_owned(), "at".to_owned()],
            outcome: RowOutcome::Drop,
        }),
        sample: None,
        only,
        amount: Some(Expr::column("amount", Type::Float)),
    };
    if let Some(known) = known {
        keep_keys(&mut rows, known);
    }
    let aggs = aggregates();
    Aggregate {
        rows,
        aggs,
        sparse: None,
    }
}

/// Keeps the rows of customers with such an amount, as `only_keys_of` another source does.
fn keep_keys(rows: &mut SourceRows, amount: i16) {
    let id = || Expr::column("id", Type::String);
    let join = Join {
        name: "only_keys_of".to_owned(),
        after: 0,
        on: vec![(id(), id())],
        lookup: Arc::new(SourceRows {
            checks: vec![at_least(amount)],
            leading: 0,
            dedup: None,
            only: None,
            amount: None,
            ..rows.clone()
        }),
        as_of: None,
        several: Several::First,
        columns: Vec::new(),
        is_chained: false,
    };
    rows.checks.push(RowCheck {
        rule: "only_keys_of".to_owned(),
        bad_when: Expr::column(&join.matched(), Type::Bool).negated(),
        outcome: RowOutcome::Filter,
        conversion: false,
    });
    rows.scan.joins.push(join);
}

/// The tables of the plans, in this folder, and the counts.
fn tables(plans: &[Aggregate], budget: &Budget, folder: &Path) -> Vec<Materialized> {
    std::fs::create_dir_all(folder).unwrap();
    let numbered = plans.iter().enumerate();
    let paths: Vec<PathBuf> = numbered
        .map(|(number, _)| folder.join(format!("table-{number}.parquet")))
        .collect();
    let passes: Vec<_> = plans
        .iter()
        .zip(&paths)
        .map(|(plan, path)| (plan, path.as_path()))
        .collect();
    let engine = PolarsEngine::new(2, budget.clone());
    engine.materialize_all(&passes).unwrap()
}

/// Of a table of all customers those with the lowest hashes, and the lowest hash of the others.
fn lowest(all: &RecordBatch, most: usize) -> (RecordBatch, Option<u64>) {
    let keys = all.column(0).as_string::<i32>().iter().flatten();
    let hashes: Vec<u64> = keys.map(|key| xxh3_64(key.as_bytes())).collect();
    let mut sorted = hashes.clone();
    sorted.sort_unstable();
    let left_out = sorted.get(most).copied();
    let kept = hashes
        .iter()
        .map(|hash| Some(left_out.is_none_or(|out| *hash < out)));
    let kept: BooleanArray = kept.collect();
    (filter_record_batch(all, &kept).unwrap(), left_out)
}

/// Compares what plans make together with what each makes alone.
fn compare(plans: &[Aggregate], budget: &Budget, folder: &Path) {
    let together = tables(plans, budget, &folder.join("together"));
    let unlimited = Budget::unlimited(folder);
    for (plan, together) in plans.iter().zip(together) {
        let as_of = plan.rows.as_of;
        let mut plan = plan.clone();
        let most = match plan.rows.only {
            Some(Drawn::Lowest(most)) => most,
            _ => usize::MAX,
        };
        plan.rows.only = plan.rows.only.filter(|_| most == usize::MAX);
        let alone = tables(
            std::slice::from_ref(&plan),
            &unlimited,
            &folder.join("alone"),
        )
        .remove(0);
        let table = together.table.read().unwrap();
        if most == usize::MAX {
            let bytes = |made: &Materialized| std::fs::read(&made.table.path).unwrap();
            assert!(bytes(&alone) == bytes(&together), "as of {as_of}");
            assert_eq!(alone.counts, together.counts, "as of {as_of}");
            assert_eq!(together.left_out, None);
            continue;
        }
        let all = alone.table.read().unwrap();
        let (expected, left_out) = match together.left_out {
            // There was no memory beside the first plan.
            Some(0) => (all.slice(0, 0), Some(0)),
            _ => lowest(&all, most),
        };
        assert_eq!(together.left_out, left_out, "as of {as_of}");
        assert_eq!(table, expected, "as of {as_of}");
    }
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

fn kept() -> impl Strategy<Value = Option<Drawn>> {
    prop_oneof![
        Just(None),
        Just(Some(Drawn::Share(Sample { share: 0.5 }))),
        (1..14_usize).prop_map(|most| Some(Drawn::Lowest(most))),
    ]
}

fn cases() -> u32 {
    let cases = std::env::var("TESSERA_DATES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn several_dates_together_are_what_each_is_alone(
        files in prop::collection::vec((rows(), any::<bool>()), 1..4),
        dates in prop::collection::vec(
            (
                0..130_u8,
                kept(),
                prop::option::of(0..60_u8),
                prop::option::of(-20..60_i16),
                any::<bool>(),
                prop::option::weighted(0.3, 0..50_i16),
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
        compare(&plans, &Budget::unlimited(folder.path()), folder.path());
    }
}

/// A lake of many customers, all of whom come with the first batches, and plans that need more memory than there is. How the rows
/// are shared out among the workers differs from run to run: the limits are those that are enough, and too little, for one worker too
/// (a row group needs 10.1 MiB, the states of the first date between 10 and 12 MiB for one worker, and half of the limit is theirs).
#[test]
fn where_memory_ends_the_first_date_comes_before_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.parquet");
    let rows = 240_000;
    let ids = (0..rows).map(|row| format!("a customer with number {:06}", row % 40_000));
    let texts: StringArray = ids.map(Some).collect();
    let times: TimestampMicrosecondArray = std::iter::repeat_n(micros(Some(3)), rows).collect();
    let amounts: Float64Array = (0..rows).map(|row| Some(row as f64 / 7.0)).collect();
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("id", Arc::new(texts), true),
        ("at", Arc::new(times.clone()), true),
        ("known", Arc::new(times), true),
        ("amount", Arc::new(amounts), true),
    ];
    write_columns(&path, columns, 4_096);
    let scan = scan(&[path], &[false]);
    let date = |as_of, only| plan(&scan, &(as_of, only, None, None, false, None));
    let plans = [
        date(90, None),
        date(60, Some(Drawn::Lowest(3_000))),
        date(30, None),
        date(20, Some(Drawn::Share(Sample { share: 0.1 }))),
    ];
    for (mebibytes, further) in [(1_000, 0), (40, 0), (12, 1)] {
        let budget = Budget::new(PROGRAM_BYTES + (mebibytes << 20), folder.path());
        compare(&plans, &budget, folder.path());
        assert_eq!(budget.further_passes() > 0, further > 0, "{mebibytes} MiB");
    }
}
