//! What holds for every kind of the registry, whatever the data.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tessera_segments::{Assignment, Customers, Extra, KINDS, SegmentError, assign};
use tessera_spec::pipeline::Scheme;

use crate::customer_base::{Row, believable, customers, one_of_each, touch_hits};

fn attempt(scheme: &Scheme, rows: &[Row]) -> Result<Assignment, SegmentError> {
    let hits = touch_hits(rows);
    let extra = Extra {
        rule_hits: Some(&hits),
        seed: 7,
        ..Extra::default()
    };
    assign(scheme, &customers(rows), &extra)
}

fn run(scheme: &Scheme, rows: &[Row]) -> Assignment {
    attempt(scheme, rows).unwrap_or_else(|error| panic!("{error}"))
}

/// Exactly one segment each, a reason each, counts and columns that fit.
fn check(found: &Assignment, rows: usize) {
    assert_eq!(found.segment_of.len(), rows);
    assert!(
        found
            .segment_of
            .iter()
            .all(|s| (*s as usize) < found.segments.len())
    );
    assert_eq!(found.counts().iter().sum::<u64>(), rows as u64);
    assert!((0..rows).all(|row| !found.reason(row).is_empty()));
    assert!(
        found
            .columns
            .iter()
            .all(|column| column.values.len() == rows)
    );
    assert_eq!(
        found
            .segments
            .iter()
            .map(|s| &s.name)
            .collect::<BTreeSet<_>>()
            .len(),
        found.segments.len(),
        "names differ"
    );
    assert!(
        found
            .parameters
            .iter()
            .all(|p| p.value.is_none_or(f64::is_finite) && !p.name.is_empty())
    );
    let names: BTreeSet<_> = found
        .parameters
        .iter()
        .map(|p| (&p.model, &p.name))
        .collect();
    assert_eq!(
        names.len(),
        found.parameters.len(),
        "every parameter has its own name"
    );
}

#[test]
fn every_kind_is_tried_here_and_reads_columns_that_exist() {
    let table = customers(&believable(3));
    let features: Vec<&str> = table.features().map(|feature| feature.0).collect();
    for kind in KINDS {
        assert!(
            one_of_each()
                .iter()
                .any(|scheme| scheme.kind.name() == kind.syntax.name),
            "{} is not tried",
            kind.syntax.name
        );
    }
    for scheme in one_of_each() {
        assert!(
            scheme
                .kind
                .settings()
                .inputs()
                .iter()
                .all(|input| features.contains(&input.name()))
        );
    }
}

#[test]
fn degenerate_bases_divide_without_a_panic() {
    let constant: Vec<Row> = (1..=30)
        .map(|key| Row {
            key,
            ..believable(1)[0].clone()
        })
        .collect();
    let nothing: Vec<Row> = (1..=30)
        .map(|key| Row {
            key,
            ..Row::default()
        })
        .collect();
    let wild = |key: i64| Row {
        recency: Some([f64::NAN, f64::INFINITY, -0.0, 1e300][key as usize % 4]),
        spend: Some(
            [
                f64::NEG_INFINITY,
                f64::NAN,
                f64::MAX,
                f64::MIN_POSITIVE,
                -5.0,
            ][key as usize % 5],
        ),
        orders: Some([i64::MAX, i64::MIN, 0][key as usize % 3]),
        country: Some(["", " ", "\0", "<b>", "unknown"][key as usize % 5].to_owned()),
        stage: Some(["no stage", "", "active"][key as usize % 3].to_owned()),
        key,
        ..Row::default()
    };
    let wild: Vec<Row> = (1..=60).map(wild).collect();
    let bases = [
        vec![],
        believable(1),
        believable(2),
        believable(7),
        constant,
        nothing,
    ];
    for scheme in one_of_each() {
        for (index, rows) in bases.iter().enumerate() {
            println!("{} on base {index}", scheme.name.value);
            check(&run(&scheme, rows), rows.len());
        }
        match attempt(&scheme, &wild) {
            Ok(found) => check(&found, wild.len()),
            // Distances between numbers near the end of f64 overflow, and clusters need distances.
            Err(error) => assert!(
                scheme.finds_clusters() && error.to_string().contains("finite"),
                "{error}"
            ),
        }
    }
}

#[test]
fn a_permutation_of_the_rows_permutes_the_segments_and_nothing_else() {
    let rows = believable(500);
    // 500 and 211 share no factor, so this is a permutation.
    let order: Vec<usize> = (0..rows.len())
        .map(|place| place * 211 % rows.len())
        .collect();
    let turned: Vec<Row> = order.iter().map(|&row| rows[row].clone()).collect();
    for scheme in one_of_each() {
        let (straight, shuffled) = (run(&scheme, &rows), run(&scheme, &turned));
        for (place, &row) in order.iter().enumerate() {
            assert_eq!(
                straight.segment(row),
                shuffled.segment(place),
                "{}",
                scheme.name.value
            );
            assert_eq!(
                straight.reason(row),
                shuffled.reason(place),
                "{}",
                scheme.name.value
            );
        }
        assert_eq!(
            straight.parameters, shuffled.parameters,
            "{}",
            scheme.name.value
        );
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let rows = believable(2_000);
    let in_pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            one_of_each()
                .iter()
                .map(|scheme| run(scheme, &rows))
                .collect::<Vec<_>>()
        })
    };
    let one = in_pool(1);
    for threads in [2, 8] {
        for (a, b) in one.iter().zip(in_pool(threads)) {
            assert_eq!(
                (&a.segments, &a.segment_of, &a.parameters),
                (&b.segments, &b.segment_of, &b.parameters)
            );
        }
    }
}

#[test]
fn tables_that_are_not_customers_are_refused() {
    use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch};
    use std::sync::Arc;
    let refusal = |columns: Vec<(&str, ArrayRef)>| {
        Customers::new(RecordBatch::try_from_iter(columns).unwrap())
            .unwrap_err()
            .to_string()
    };
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![3, 1, 3]));
    assert!(refusal(vec![("id", keys)]).contains("customer `3` has more than one row"));
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None]));
    assert!(refusal(vec![("id", keys)]).contains("null in 1 rows"));
    let keys: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    assert!(refusal(vec![("id", keys.clone())]).contains("Float64"));
    let (key, odd): (ArrayRef, ArrayRef) = (
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(Float32Array::from(vec![1.0])),
    );
    assert!(refusal(vec![("id", key), ("odd", odd)]).contains("feature `odd` is Float32"));
}

fn row() -> impl Strategy<Value = Row> {
    let number = || prop::option::weighted(0.9, (-3i32..40).prop_map(f64::from));
    let label = || {
        prop::option::weighted(
            0.8,
            prop::sample::select(vec!["a", "b", "c", "", "unknown"]),
        )
    };
    (
        number(),
        prop::option::weighted(0.9, 0i64..9),
        number(),
        label(),
        prop::option::of(any::<bool>()),
        label(),
    )
        .prop_map(|(recency, orders, spend, country, subscribed, stage)| Row {
            recency,
            orders,
            spend,
            country: country.map(str::to_owned),
            subscribed,
            stage: stage.map(str::to_owned),
            ..Row::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_customer_has_exactly_one_segment_in_every_kind(mut rows in prop::collection::vec(row(), 0..60)) {
        for (row, key) in rows.iter_mut().zip(1..) {
            row.key = key;
        }
        for scheme in one_of_each() {
            check(&run(&scheme, &rows), rows.len());
        }
    }
}
