//! Whatever is aggregated: the table does not show whether entries went to files, nor how many workers there were.

mod dates;

use std::path::Path;

use chrono::NaiveDate;
use polars::prelude::*;
use proptest::prelude::*;
use tessera_expr::aggregate::{AggOp, Aggregation, Takes};
use tessera_expr::aggregates::AGGREGATES;
use tessera_expr::rel::{Agg, Sparse, Window};
use tessera_expr::{Expr as Typed, Type};
use tessera_spec::KeyValue;
use tessera_spec::pipeline::Arguments;

use super::batch::{Batch, names};
use super::finish::{Naming, finish};
use super::layout::Layout;
use super::worker::Worker;
use crate::budget::Budget;
use crate::scan::epoch_day;

/// A row: customer, days before the day of the run, and a number that its values are made from.
type Row = (u8, u8, Option<i16>);

const VALUES: [(&str, Type); 7] = [
    ("whole", Type::Int),
    ("float", Type::Float),
    (HUGE, Type::Float),
    ("price", Type::Decimal { scale: 2 }),
    ("text", Type::String),
    ("day", Type::Date),
    ("flag", Type::Bool),
];

/// A column of floats, some of which no sum in fixed point can hold.
const HUGE: &str = "huge";

/// All rows, and a window.
const WINDOWS: [Option<Window>; 2] = [None, window(Some(40), 3)];

const fn window(days: Option<u32>, offset_days: u32) -> Option<Window> {
    Some(Window { days, offset_days })
}

/// A number within the limits of each further key.
fn arguments(kind: &Aggregation) -> Arguments {
    let mut arguments = Arguments::default();
    for key in kind.syntax.keys {
        let number = match key.value {
            KeyValue::Number(from, to) => from + 0.7 * (to - from),
            KeyValue::Whole(from, _) => f64::from(from),
            _ => panic!("{} is no number", key.name),
        };
        arguments.insert(key.name, number);
    }
    arguments
}

/// Every aggregate of every value that it takes, in these windows.
fn aggregates(windows: &[Option<Window>]) -> Vec<Agg> {
    let mut ops = Vec::new();
    for kind in AGGREGATES {
        if kind.takes == Takes::Rows || kind.syntax.of_rows {
            ops.push(kind.of_rows());
        }
        let accepted = VALUES.into_iter().filter(|(_, ty)| kind.takes.accepts(*ty));
        let arguments = arguments(kind);
        ops.extend(
            accepted.map(|(name, ty)| kind.of(Typed::column(name, ty)).with(arguments.clone())),
        );
    }
    let all = windows.iter().flat_map(|window| {
        ops.iter().map(|func| Agg {
            name: String::new(),
            func: func.clone(),
            window: *window,
            filter: None,
        })
    });
    let numbered = all.enumerate().map(|(number, agg)| Agg {
        name: format!("column_{number}"),
        ..agg
    });
    numbered.collect()
}

/// A column of the values that an aggregate takes.
fn column(name: &str, ty: Type, seeds: &[Option<i16>]) -> Series {
    let wholes = seeds.iter().map(|seed| seed.map(i64::from));
    match ty {
        Type::Float => {
            let huge = |whole: i64| name == HUGE && whole % 3 == 0;
            let float = |whole: i64| whole as f64 * if huge(whole) { 1e280 } else { 1.0 / 7.0 };
            let floats = wholes.map(|whole| whole.map(float));
            Series::new("".into(), floats.collect::<Vec<_>>())
        }
        Type::Decimal { .. } => {
            // Some need more than 64 bits.
            let wide = |whole: i64| i128::from(whole) << if whole % 3 == 0 { 64 } else { 0 };
            let wides = wholes.map(|whole| whole.map(wide));
            let wides = Int128Chunked::from_iter_options("".into(), wides);
            wides.into_decimal_unchecked(38, 2).into_series()
        }
        Type::String => {
            let texts =
                wholes.map(|whole| whole.map(|whole| format!("text {whole} of some length")));
            Series::new("".into(), texts.collect::<Vec<_>>())
        }
        Type::Bool => {
            let flags = wholes.map(|whole| whole.map(|whole| whole & 1));
            Series::new("".into(), flags.collect::<Vec<_>>())
        }
        _ => Series::new("".into(), wholes.collect::<Vec<_>>()),
    }
}

fn batch(layout: &Layout, rows: &[Row], as_of_day: i32) -> Batch {
    let keys: Vec<String> = rows
        .iter()
        .map(|row| format!("customer {}", row.0))
        .collect();
    let micros: Vec<i64> = rows
        .iter()
        .map(|row| (i64::from(as_of_day) - i64::from(row.1)) * 86_400_000_000 + 7)
        .collect();
    let seeds: Vec<Option<i16>> = rows.iter().map(|row| row.2).collect();
    let mut columns = vec![
        Column::new(names::KEY.into(), keys),
        Column::new(names::MICROS.into(), micros),
    ];
    for (number, value) in layout.values.iter().enumerate() {
        let values =
            column(&value.to_string(), value.ty, &seeds).with_name(names::value(number).into());
        columns.push(values.into_column());
    }
    let frame = DataFrame::new(rows.len(), columns).unwrap();
    let used = (0..rows.len() as u32).collect();
    Batch::new(&frame, as_of_day, layout.values.len(), 0, used).unwrap()
}

fn table(
    windows: &[Option<Window>],
    batches: &[Vec<Row>],
    workers: usize,
    budget: &Budget,
    to: &Path,
) -> Vec<u8> {
    table_with(windows, batches, workers, budget, (None, to))
}

fn table_with(
    windows: &[Option<Window>],
    batches: &[Vec<Row>],
    workers: usize,
    budget: &Budget,
    (sparse, to): (Option<&Sparse>, &Path),
) -> Vec<u8> {
    let as_of_day = epoch_day(NaiveDate::from_ymd_opt(2026, 10, 31).unwrap());
    let layout = Layout::new(&aggregates(windows));
    let mut parts: Vec<Worker<'_>> = (0..workers)
        .map(|part| Worker::new(&layout, (part, workers), None, budget))
        .collect();
    for rows in batches {
        let batch = batch(&layout, rows, as_of_day);
        for worker in &mut parts {
            worker.take(&batch).unwrap();
        }
    }
    for worker in &mut parts {
        worker.close().unwrap();
        assert!(worker.unsummable.is_none());
    }
    let naming = Naming {
        source: "orders",
        key: "customer",
        key_is_text: true,
    };
    finish(&parts, &layout, &naming, (as_of_day, None), (sparse, to)).unwrap();
    std::fs::read(to).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn entries_in_files_change_no_byte(
        batches in prop::collection::vec(
            prop::collection::vec((0..9_u8, 0..90_u8, prop::option::weighted(0.95, -400..400_i16)), 1..400),
            1..12,
        )
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table.parquet");
        let unlimited = Budget::unlimited(folder.path());
        let expected = table(&WINDOWS, &batches, 1, &unlimited, &file);
        prop_assert_eq!(unlimited.spilled_bytes(), 0);
        for (workers, bytes) in [(1, 1), (2, 1 << 15), (3, 1 << 17), (2, u64::MAX)] {
            let budget = Budget::spilling_at(bytes, folder.path());
            let found = table(&WINDOWS, &batches, workers, &budget, &file);
            prop_assert!(found == expected, "{workers} workers, {bytes} bytes");
            let rows: usize = batches.iter().map(Vec::len).sum();
            prop_assert!(bytes > 1 || rows < 2000 || budget.spilled_bytes() > 0);
        }
    }

    /// Accumulators of which one takes the older rows of another's share their work; windows with one end do, in this test in twos and
    /// threes.
    #[test]
    fn windows_together_give_what_each_gives_alone(
        batches in prop::collection::vec(
            prop::collection::vec((0..5_u8, 0..60_u8, prop::option::weighted(0.9, -400..400_i16)), 1..60),
            1..6,
        )
    ) {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget::unlimited(folder.path());
        let file = folder.path().join("table.parquet");
        let read = |windows: &[Option<Window>]| {
            table(windows, &batches, 2, &budget, &file);
            crate::table::read_file(&file).unwrap()
        };
        let windows = [
            None,
            window(None, 1),
            window(None, 20),
            window(Some(43), 0),
            window(Some(30), 13),
            window(Some(38), 5),
        ];
        let together = read(&windows);
        let width = aggregates(&windows[..1]).len();
        for (number, window) in windows.iter().enumerate() {
            let alone = read(&[*window]);
            for place in 0..width {
                let found = together.column(1 + number * width + place);
                prop_assert_eq!(found, alone.column(1 + place), "{:?}, column {}", window, place);
            }
        }
    }
}

/// The columns of a day earlier are wanted of customers with rows since.
#[test]
fn sparse_columns_are_those_of_all_where_rows_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let budget = Budget::unlimited(folder.path());
    let file = folder.path().join("table.parquet");
    let rows: Vec<Row> = (0..900_i16)
        .map(|n| ((n % 9) as u8, (n % 53 + n % 9) as u8, Some(n % 71)))
        .collect();
    let batches: Vec<Vec<Row>> = rows.chunks(90).map(<[Row]>::to_vec).collect();
    let windows = [None, window(None, 3), window(Some(3), 0)];
    let all = aggregates(&windows);
    let width = all.len() / windows.len();
    let of = |place: usize| all[place].name.clone();
    let is_count = |agg: &Agg| agg.func.kind.name() == "count" && agg.func.of.is_none();
    let count = 2 * width + all.iter().position(is_count).unwrap();
    let sparse = Sparse {
        count: of(count),
        columns: (width..2 * width).map(of).collect(),
    };
    let read = |sparse| {
        table_with(&windows, &batches, 2, &budget, (sparse, &file));
        crate::table::read_file(&file).unwrap()
    };
    let (whole, found) = (read(None), read(Some(&sparse)));
    let counts: arrow::array::Int64Array = whole.column(1 + count).to_data().into();
    let none: Vec<usize> = (0..counts.len())
        .filter(|row| counts.value(*row) == 0)
        .collect();
    assert!(!none.is_empty() && none.len() < counts.len(), "{counts:?}");
    for place in 1..whole.num_columns() {
        let (whole, found) = (whole.column(place), found.column(place));
        let is_sparse = (1 + width..1 + 2 * width).contains(&place);
        for row in 0..counts.len() {
            match is_sparse && counts.value(row) == 0 {
                true => assert!(found.is_null(row), "column {place}, row {row}"),
                false => {
                    let (found, whole) = (found.slice(row, 1), whole.slice(row, 1));
                    assert_eq!(
                        found.to_data(),
                        whole.to_data(),
                        "column {place}, row {row}"
                    );
                }
            }
        }
    }
}

#[test]
fn medians_and_distinct_counts_are_those_of_sorted_lists_and_sets() {
    let folder = tempfile::tempdir().unwrap();
    let seeds: Vec<i16> = (0..3000)
        .map(|n: i32| (n * 7919 % 701 - 350) as i16)
        .collect();
    let rows: Vec<Row> = seeds
        .iter()
        .enumerate()
        .map(|(n, seed)| ((n % 4) as u8, 1, Some(*seed)))
        .collect();
    let batches: Vec<Vec<Row>> = rows.chunks(100).map(<[Row]>::to_vec).collect();
    let file = folder.path().join("table.parquet");
    table(
        &WINDOWS,
        &batches,
        2,
        &Budget::spilling_at(1 << 12, folder.path()),
        &file,
    );
    let found = crate::table::read_file(&file).unwrap();
    let all = aggregates(&WINDOWS);
    let column = |wanted: &dyn Fn(&AggOp) -> bool| {
        let number = all.iter().position(|agg| wanted(&agg.func)).unwrap();
        found
            .column_by_name(&format!("column_{number}"))
            .unwrap()
            .clone()
    };
    let of = |name: &'static str, ty: Type| {
        column(&move |op: &AggOp| op.kind.name() == name && op.operand_type() == ty)
    };
    let medians = of("median", Type::Float);
    let distinct = of("count_distinct", Type::String);
    for customer in 0..4_usize {
        let mut own: Vec<i16> = seeds.iter().skip(customer).step_by(4).copied().collect();
        own.sort_unstable();
        let value = |at: usize| f64::from(own[at]) / 7.0;
        let median = f64::midpoint(value((own.len() - 1) / 2), value(own.len() / 2));
        own.dedup();
        let as_floats: &arrow::array::Float64Array = medians.as_any().downcast_ref().unwrap();
        let as_ints: &arrow::array::Int64Array = distinct.as_any().downcast_ref().unwrap();
        assert_eq!(as_floats.value(customer), median, "customer {customer}");
        assert_eq!(
            as_ints.value(customer),
            own.len() as i64,
            "customer {customer}"
        );
    }
}
