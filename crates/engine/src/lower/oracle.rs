//! Compares the lowering with an independent oracle, a row-by-row interpreter written from `docs/expressions.md`, on random
//! expressions over random rows. Floats must be equal to the bit, except for the sign of zero, which no expression distinguishes.

mod interpreter;

use chrono::NaiveDate;
use polars::prelude as pl;
use polars::prelude::{AnyValue, DataFrame, IntoColumn, IntoLazy, Series, TimeUnit};
use proptest::prelude::*;
use tessera_expr::{Type, parse};

use super::{dtype, lower};
use interpreter::Value::{self, Bool, Date, Float, Int, Text, Time};
use interpreter::{Interpreter, Maybe, day, time};

#[path = "../../../expr/tests/texts/generator.rs"]
mod generator;

/// Values at the limits of every type.
fn pool(ty: Type) -> Vec<Maybe> {
    let dates = [0, -1, 1, 19_782, 20_779, -719_162, 2_932_896, 11_016];
    let known: Vec<Value> = match ty {
        Type::Bool => vec![Bool(true), Bool(false)],
        Type::Int => [
            0,
            1,
            -1,
            2,
            3,
            7,
            -13,
            1_000_000,
            i64::MAX,
            i64::MIN,
            3_037_000_500,
        ]
        .map(Int)
        .into(),
        Type::Float => [
            0.0, -0.0, 1.0, -2.5, 0.5, 2.675, 100.0, 1e16, 9.3e18, -9.3e18, 1e308, -1e308, 5e-324,
            1.005,
        ]
        .map(Float)
        .into(),
        Type::String => [
            "",
            "a",
            "A",
            "abc",
            "ba",
            "a_c",
            "100%",
            "\\",
            "It's",
            "straße",
            "İx",
            "é",
            " 2.5 ",
            "10",
            "-7",
            "+3",
            "true",
            "FALSE",
            "2024-02-29",
            "2023-02-29",
            " 2024-02-29 23:59 ",
            "2024-02-29T23:59:59.5",
            "2024-02-29T23:59:59+02:00",
            "2024-02-29T23:59:59.25Z",
            "31.10.2026",
            " 1.2.2024",
            "30.2.2024",
            "1e400",
            "inf",
            "a\nb",
            "9223372036854775808",
            "\u{a0}x\u{2003}",
        ]
        .map(|s| Text(s.to_owned()))
        .into(),
        Type::Date => dates.map(|d| Date(day(d).unwrap())).into(),
        Type::Timestamp => dates
            .iter()
            .flat_map(|d| {
                [0, 1, 86_399_999_999, 3_600_000_000]
                    .map(|m| Time(time(d * 86_400_000_000 + m).unwrap()))
            })
            .collect(),
        Type::Null | Type::Decimal { .. } => Vec::new(),
    };
    known.into_iter().map(Some).chain([None, None]).collect()
}

fn any_value(value: &Maybe) -> AnyValue<'static> {
    match value {
        None => AnyValue::Null,
        Some(Bool(b)) => AnyValue::Boolean(*b),
        Some(Int(i)) => AnyValue::Int64(*i),
        Some(Float(x)) => AnyValue::Float64(*x),
        Some(Text(s)) => AnyValue::StringOwned(s.as_str().into()),
        Some(Date(d)) => AnyValue::Date(d.to_epoch_days()),
        Some(Time(t)) => {
            AnyValue::Datetime(t.and_utc().timestamp_micros(), TimeUnit::Microseconds, None)
        }
    }
}

fn column(name: &str, ty: Type, values: &[Maybe]) -> Series {
    let values: Vec<AnyValue<'_>> = values.iter().map(any_value).collect();
    Series::from_any_values_and_dtype(name.into(), &values, &dtype(ty), true).unwrap()
}

fn same(a: &AnyValue<'_>, b: &AnyValue<'_>) -> bool {
    match (a, b) {
        (AnyValue::Float64(a), AnyValue::Float64(b)) => a == b,
        (a, b) => a == b,
    }
}

fn agrees(text: &str, picks: &[u32], height: usize) -> Result<(), TestCaseError> {
    let as_of = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    let schema = generator::schema();
    let expr = parse(text, &schema).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let mut picks = picks.iter().copied().cycle();
    let columns: Vec<(String, Type, Vec<Maybe>)> = schema
        .columns
        .iter()
        .map(|(name, ty)| {
            let pool = pool(*ty);
            let values = (0..height)
                .map(|_| pool[picks.next().unwrap() as usize % pool.len()].clone())
                .collect();
            (name.clone(), *ty, values)
        })
        .collect();
    let series = columns
        .iter()
        .map(|(n, ty, values)| column(n, *ty, values).into_column())
        .collect();
    let frame = DataFrame::new(height, series).unwrap();
    let plan = frame.lazy().with_column(lower(&expr, as_of).alias("value"));
    for engine in [pl::Engine::InMemory, pl::Engine::Streaming] {
        let done = plan
            .clone()
            .collect_with_engine(engine)
            .unwrap_or_else(|e| panic!("{text}: {e}"));
        let done = done.unwrap_single();
        let found = done.column("value").unwrap();
        prop_assert_eq!(found.dtype(), &dtype(expr.ty), "{}", text);
        for at in 0..height {
            let row: Vec<(String, Maybe)> = columns
                .iter()
                .map(|(n, _, v)| (n.clone(), v[at].clone()))
                .collect();
            let expected = any_value(&Interpreter { as_of, row: &row }.value(&expr));
            let found = found.get(at).unwrap();
            prop_assert!(
                same(&found, &expected),
                "{} on {:?}: found {:?}, expected {:?}",
                text,
                row,
                found,
                expected
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

    #[test]
    fn the_interpreter_and_polars_agree_on_random_expressions(
        choices in prop::collection::vec(any::<u32>(), 0..60),
        picks in prop::collection::vec(any::<u32>(), 40..120),
        height in 1_usize..9,
    ) {
        let text = generator::Generator::new(choices).any(4);
        agrees(&text, &picks, height)?;
    }
}
