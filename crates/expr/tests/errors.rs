//! Error messages as they are shown.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;

use tessera_expr::{ErrorKind, Schema, Type, parse};

fn schema() -> Schema {
    let columns = [
        ("customer_id", Type::String),
        ("quantity", Type::Int),
        ("unit_price", Type::Float),
        ("invoiced_at", Type::Timestamp),
        ("signed_up", Type::Date),
        ("country", Type::String),
        ("is_active", Type::Bool),
    ];
    Schema {
        columns: columns.map(|(n, t)| (n.to_owned(), t)).into(),
    }
}

/// The text with carets under the place, the message and the help.
fn shown(text: &str) -> String {
    let mut out = String::new();
    let errors = parse(text, &schema()).expect_err(text);
    assert!(!errors.is_empty());
    for error in errors {
        let before = text[..error.span.start].chars().count();
        let width = text[error.span.clone()].chars().count().max(1);
        let _ = writeln!(
            out,
            "  {text}\n  {}{} {}",
            " ".repeat(before),
            "^".repeat(width),
            error.message
        );
        if let Some(help) = error.help {
            let _ = writeln!(out, "  help: {help}");
        }
    }
    out
}

const WRONG: &[&str] = &[
    "",
    "   ",
    "quantity >",
    "quantity > 3 4",
    "(quantity > 3",
    "quantity > 3)",
    "'open",
    "quantity => 3",
    "quantity is 3",
    "quantitty > 0",
    "Country = 'UK'",
    "zzz > 0",
    "\"United Kingdom\" = country",
    "orders.quantity > 0",
    "quantitty > 0 and contry = 'UK' and substr(country, 1) = 2",
    "lenght(country) > 3",
    "substr(country, 1, 2) = 'UK'",
    "ifnull(quantity, 0)",
    "nonsense(quantity)",
    "now() - 3",
    "current_date",
    "sum(quantity) > 3",
    "max(quantity, 3)",
    "count(*) > 1",
    "rank() over (order by quantity) = 1",
    "random() < 0.5",
    "if(is_active, 1, 2)",
    "(select 1) = 1",
    "country in (select country from accounts)",
    "exists (select 1)",
    "quantity::double",
    "safe_cast(country as bigint)",
    "extract(year from signed_up) = 2026",
    "signed_up + interval '1' month",
    "invoiced_at at time zone 'UTC'",
    "country ilike 'uk'",
    "country similar to 'u%'",
    "country like '50!%' escape '!'",
    "country like customer_id",
    "country like '100\\'",
    "country collate \"C\" = 'x'",
    "quantity ^ 2",
    "quantity & 1 = 1",
    "quantity div 2",
    "is_active is true",
    "country = any(array['a'])",
    "country = null",
    "quantity = 'x'",
    "quantity = '5'",
    "customer_id = 17850",
    "customer_id = quantity",
    "is_active = 1",
    "is_active > false",
    "signed_up > '2026-02-30'",
    "signed_up > '1 Jan 2026'",
    "invoiced_at >= '2026-01-01 25:00'",
    "signed_up = customer_id",
    "signed_up > 20260101",
    "date '2026-1-1'",
    "time '12:00'",
    "quantity and is_active",
    "not quantity",
    "-country",
    "country + 1",
    "quantity || country",
    "invoiced_at - 7",
    "invoiced_at - signed_up",
    "signed_up + signed_up",
    "signed_up + 1.5",
    "upper(quantity)",
    "abs(country)",
    "ln(is_active)",
    "round(unit_price, quantity)",
    "round(unit_price, -2)",
    "round(unit_price, 2, 3)",
    "floor(unit_price, 2)",
    "trim(leading 'x' from country)",
    "coalesce(quantity)",
    "coalesce(quantity, country)",
    "nullif(quantity)",
    "as_of(1)",
    "least(is_active, true)",
    "date_diff(day, signed_up, as_of())",
    "date_diff('days', signed_up, as_of())",
    "date_diff('day', signed_up)",
    "date_diff('day', country, as_of())",
    "date_trunc('hour', invoiced_at)",
    "case when quantity then 1 end",
    "case when is_active then 1 else 'x' end",
    "case quantity when 'a' then 1 end",
    "country in ('UK', 5)",
    "country > 9",
    "9.5 >= lower(country)",
    "country between 9 and 20",
    "greatest(country, 9) = 9",
    "quantity > '9'",
    "country = web",
    "strftime(signed_up, '%Y') = '2026'",
    "signed_up < as_of",
    "country + customer_id = 'x'",
    "quantity between 'a' and 10",
    "cast(signed_up as bigint)",
    "cast(quantity as date)",
    "cast(country as varchar(10))",
    "cast(country as uuid)",
    "99999999999999999999",
    "1e999",
    "x'ff' = country",
    "quantity > ?",
    "round(x => unit_price)",
];

#[test]
fn messages_are_as_reviewed() {
    let mut all = String::new();
    for text in WRONG {
        let _ = writeln!(all, "{}", shown(text));
    }
    insta::assert_snapshot!("messages", all);
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_text() {
    let errors = parse(
        "quantitty > 0 and contry = 'UK' and nonsense(is_activ)",
        &schema(),
    )
    .unwrap_err();
    let kinds: Vec<_> = errors
        .iter()
        .map(|e| match &e.kind {
            ErrorKind::UnknownColumn { suggestion, .. } => suggestion.clone().unwrap_or_default(),
            ErrorKind::UnknownFunction { name, .. } => name.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["quantity", "country", "nonsense", "is_active"]);
}

#[test]
fn hostile_nesting_is_refused_without_overflowing_the_stack() {
    let deep = |open: &str, inner: &str, close: &str, n: usize| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    let hostile = [
        deep("(", "1", ")", 30_000),
        deep("(", "1", ")", 450),
        deep("abs(", "1", ")", 300),
        deep("- ", "1", "", 60_000),
        deep("not ", "true", "", 900),
        deep("", "quantity", " + 1", 15_000),
        deep("", "quantity", " + 1", 900),
        deep("", "quantity", "::int", 450),
        deep("", "quantity", " is null", 450),
        deep("case when true then ", "1", " end", 200),
        deep("", "quantity", " between 1 and 2", 300),
        deep("cast(", "1", " as int)", 300),
        deep("[", "1", "]", 400),
        deep("coalesce(1, ", "1", ")", 300),
        "(".repeat(60_000),
        "case ".repeat(900),
        "case-".repeat(400),
        "if(current_time(".repeat(200),
        "a".repeat(70_000),
    ];
    for text in hostile {
        let errors = parse(&text, &schema()).expect_err(&text[..40]);
        assert!(!errors.is_empty());
    }
}

#[test]
fn repeated_operands_cannot_grow_the_tree_beyond_its_limit() {
    let mut text = "quantity".to_owned();
    for _ in 0..25 {
        text = format!("case {text} when 1 then 1 when 2 then 2 end");
    }
    let errors = parse(&text, &schema()).unwrap_err();
    assert!(
        errors
            .iter()
            .any(|e| matches!(e.kind, ErrorKind::TooLarge { .. })),
        "{errors:?}"
    );
}

#[test]
fn long_lists_are_fine() {
    let codes: Vec<String> = (0..5_000).map(|i| format!("'{i}'")).collect();
    let text = format!("customer_id in ({})", codes.join(", "));
    assert_eq!(parse(&text, &schema()).unwrap().ty, Type::Bool);
}
