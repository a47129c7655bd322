//! The examples of `docs/expressions.md`, against the lowering.

use polars::prelude as pl;
use polars::prelude::{DataFrame, IntoColumn, IntoLazy, NamedFrom, Series};
use tessera_expr::{Schema, Type, parse};

use super::{dtype, lower};

const DOCUMENT: &str = include_str!("../../../../docs/expressions.md");

fn as_of() -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
}

/// Rows below a table's header, cell by cell.
fn rows(header: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in DOCUMENT.lines() {
        if line == header {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("|---") {
            let line = line.replace("\\|", "\u{0}");
            let cells = line.trim_matches('|').split('|');
            rows.push(
                cells
                    .map(|c| c.trim().trim_matches('`').replace('\u{0}', "|"))
                    .collect(),
            );
        }
    }
    rows
}

/// The value of a constant as a column of three rows, and its type.
fn constant(text: &str) -> (Series, Type) {
    let expr = parse(text, &Schema::default()).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let frame =
        DataFrame::new(3, vec![Series::new("row".into(), [1, 2, 3]).into_column()]).unwrap();
    let done = frame
        .lazy()
        .with_column(lower(&expr, as_of()).alias("value"))
        .collect()
        .unwrap();
    (
        done.column("value")
            .unwrap()
            .as_materialized_series()
            .clone(),
        expr.ty,
    )
}

/// `a = 1, s = 'x, y'` as names and texts.
fn bindings(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<String> = Vec::new();
    for piece in text.split(", ") {
        match parts.last_mut() {
            Some(last) if last.matches('\'').count() % 2 == 1 => {
                last.push_str(&format!(", {piece}"))
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
        .iter()
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once(" = ").unwrap_or_else(|| panic!("{text}")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn every_example_gives_the_result_the_document_states() {
    let rows = rows("| Expression | With | Result |");
    assert!(
        rows.len() > 150,
        "the document lost its examples: {}",
        rows.len()
    );
    let mut wrong = Vec::new();
    for row in &rows {
        let [text, with, result] = row.as_slice() else {
            panic!("{row:?}")
        };
        let mut schema = Schema::default();
        let mut columns = vec![Series::new("row".into(), [1, 2, 3]).into_column()];
        for (name, value) in bindings(with) {
            let (series, ty) = constant(&value);
            columns.push(series.with_name(name.as_str().into()).into_column());
            schema.columns.push((name, ty));
        }
        let expr = parse(text, &schema).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let frame = DataFrame::new(3, columns).unwrap();
        let done = frame
            .lazy()
            .with_column(lower(&expr, as_of()).alias("value"))
            .collect();
        let done = done.unwrap_or_else(|e| panic!("{text} with {with}: {e}"));
        let found = done
            .column("value")
            .unwrap()
            .as_materialized_series()
            .clone();
        let (expected, ty) = constant(result);
        let same =
            found.dtype() == &dtype(expr.ty) && expr.ty == ty && found.equals_missing(&expected);
        if !same {
            wrong.push(format!("{text} with {with}: {found:?}, expected {result}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_function_of_the_catalogue_has_an_example() {
    let examples: Vec<String> = rows("| Expression | With | Result |")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    for function in tessera_expr::functions() {
        let call = format!("{}(", function.name);
        assert!(
            examples.iter().any(|e| e.contains(&call)),
            "no example of {}",
            function.name
        );
    }
}

#[test]
fn every_refusal_says_what_the_document_states() {
    let schema = Schema {
        columns: vec![("x".to_owned(), Type::Int), ("d".to_owned(), Type::Date)],
    };
    let rows = rows("| Refused | Because |");
    assert!(rows.len() > 5);
    for row in rows {
        let [text, because] = row.as_slice() else {
            panic!("{row:?}")
        };
        let errors = parse(text, &schema).expect_err(text);
        assert_eq!(errors[0].message.trim_matches('`'), because, "{text}");
    }
}

#[test]
fn examples_hold_for_no_rows_and_for_constants_alone() {
    let schema = Schema {
        columns: vec![("a".to_owned(), Type::Int), ("s".to_owned(), Type::String)],
    };
    let empty = DataFrame::new(
        0,
        vec![
            Series::new_empty("a".into(), &dtype(Type::Int)).into_column(),
            Series::new_empty("s".into(), &dtype(Type::String)).into_column(),
        ],
    )
    .unwrap();
    let texts = [
        "a + 1",
        "1 + a",
        "1 + 1",
        "a / 2.5",
        "s || 'x'",
        "concat('x', s)",
        "concat('x', 'y')",
        "substring('abc', a, 1)",
        "a in (1, a + 1)",
        "1 in (a, 2)",
        "nullif(1, a)",
        "nullif(a, 1)",
        "least(1, a)",
        "as_of() + a",
        "coalesce(null, a)",
        "date_diff('day', as_of(), as_of())",
        "case when a > 1 then 's' else s end",
        "2 in (1, 2, null)",
        "ln(2.0) * 3",
    ];
    for text in texts {
        let expr = parse(text, &schema).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let done = empty
            .clone()
            .lazy()
            .with_column(lower(&expr, as_of()).alias("value"))
            .collect();
        let done = done.unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(done.height(), 0, "{text}");
        assert_eq!(
            done.column("value").unwrap().dtype(),
            &dtype(expr.ty),
            "{text}"
        );
        let schema_only = empty
            .clone()
            .lazy()
            .select([lower(&expr, as_of()).alias("value")])
            .collect_schema()
            .unwrap();
        assert_eq!(schema_only.get("value"), Some(&dtype(expr.ty)), "{text}");
    }
}

#[test]
fn names_that_look_like_patterns_are_names() {
    let schema = Schema {
        columns: vec![("^a.*$".to_owned(), Type::Int), ("*".to_owned(), Type::Int)],
    };
    let frame = DataFrame::new(
        1,
        vec![
            Series::new("^a.*$".into(), [2_i64]).into_column(),
            Series::new("*".into(), [3_i64]).into_column(),
            Series::new("abc".into(), [5_i64]).into_column(),
        ],
    )
    .unwrap();
    let expr = parse("\"^a.*$\" * \"*\"", &schema).unwrap();
    let done = frame
        .lazy()
        .select([lower(&expr, as_of()).alias("value")])
        .collect()
        .unwrap();
    assert_eq!(
        done.column("value").unwrap().get(0).unwrap(),
        pl::AnyValue::Int64(6)
    );
}
