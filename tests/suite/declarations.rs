//! Messages about types that the files of a source do not have in common: they name a declaration that reads all of them, and the tests
//! follow it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal256Array, Int64Array};

use crate::evolution::{BASE, Lake, NOON, floats, noon, texts};

#[test]
fn types_that_contradict_each_other_are_refused_where_they_are_used() {
    let plan = |array: ArrayRef| [("id", texts(&["a"])), ("at", noon(1)), ("plan", array)];
    let files = [
        plan(texts(&["x"])),
        plan(floats(&[1.0])),
        plan(texts(&["y"])),
    ];
    let mut lake = Lake::of(&[&files[0], &files[1], &files[2]]);
    let (customers, said) = lake.run(BASE, "");
    assert_eq!(customers.ints("order_rows"), [Some(3)]);
    assert!(!said.contains("plan"), "{said}");
    let said = lake.refused(
        BASE,
        r#"plan = { from = "orders", agg = "last", of = "plan" }"#,
    );
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    let kinds = "string in 2 files (0.parquet, 2.parquet), f64 in 1 file (1.parquet)";
    assert!(said.contains(kinds), "{said}");
    lake.duplicates = "drop_exact";
    assert!(lake.refused(BASE, "").contains(kinds));
}

/// The declaration that a message names reads the files, whatever was declared before.
#[test]
fn the_declaration_that_a_message_names_reads_all_files() {
    let file = |x: ArrayRef| [("id", texts(&["a", "b"])), ("at", noon(2)), ("x", x)];
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![20_000, 20_001]));
    let numbers = "{ type = \"f64\", decimal = \".\" }";
    let times = "{ type = \"timestamp\", format = \"%Y-%m-%d %H:%M:%S\" }";
    let files = [
        file(ints),
        file(floats(&[1.5, 2.0])),
        file(texts(&["1.5", "2"])),
    ];
    let lake = Lake::of(&[&files[0], &files[1], &files[2]]);
    let sum = "x = { from = \"orders\", agg = \"sum\", of = \"x\" }";
    for declared in ["", ", x = \"string\"", ", x = \"f64\"", ", x = \"i64\""] {
        let said = lake.refused(&format!("{BASE}{declared}"), sum);
        assert!(said.contains(numbers), "{declared}: {said}");
    }
    let (customers, _) = lake.run(&format!("{BASE}, x = {numbers}"), sum);
    assert_eq!(customers.floats("x"), [Some(4.0), Some(6.0)]);

    let files = [
        file(days),
        file(texts(&["2026-10-02 10:00:00", "2026-10-03 00:00:00"])),
        file(noon(2)),
    ];
    let lake = Lake::of(&[&files[0], &files[1], &files[2]]);
    let last = "x = { from = \"orders\", agg = \"max\", of = \"x\" }";
    for declared in ["", ", x = \"string\"", ", x = \"timestamp\""] {
        let said = lake.refused(&format!("{BASE}{declared}"), last);
        assert!(said.contains(times), "{declared}: {said}");
    }
    let (customers, _) = lake.run(&format!("{BASE}, x = {times}"), last);
    assert_eq!(customers.rows(), 2);

    // Texts alone, declared as another type.
    let lake = Lake::of(&[&file(texts(&["1.5", "2"]))]);
    let said = lake.refused(&format!("{BASE}, x = \"f64\""), sum);
    assert!(said.contains(numbers), "{said}");
    let (customers, _) = lake.run(&format!("{BASE}, x = {numbers}"), sum);
    assert_eq!(customers.floats("x"), [Some(1.5), Some(2.0)]);
}

/// What the help says is written into the contract, and the files are then read.
#[test]
fn integers_that_are_times_are_named_with_their_unit() {
    let units = [
        ("s", 1),
        ("ms", 1_000),
        ("us", 1_000_000),
        ("ns", 1_000_000_000),
    ];
    for (unit, per_second) in units {
        let at: ArrayRef = Arc::new(Int64Array::from(vec![NOON * per_second; 2]));
        let lake = Lake::of(&[&[("id", texts(&["a", "b"])), ("at", at)]]);
        let said = lake.refused(BASE, "");
        let wanted = format!("{{ type = \"timestamp\", epoch = \"{unit}\" }}");
        assert!(said.contains(&wanted), "{said}");
        assert!(said.contains("for 2026-10-01"), "{said}");
        let columns = BASE.replace("\"timestamp\"", &wanted);
        let newest = r#"newest = { from = "orders", agg = "max", of = "at" }"#;
        let (customers, _) = lake.run(&columns, newest);
        assert_eq!(customers.rows(), 2);
    }
    let at: ArrayRef = Arc::new(Int64Array::from(vec![NOON]));
    let lake = Lake::of(&[&[("id", texts(&["a"])), ("at", at)]]);
    let said = lake.refused(&BASE.replace("\"timestamp\"", "\"i64\""), "");
    assert!(
        said.contains("TS-D005") && said.contains("epoch = \"s\""),
        "{said}"
    );
    let at: ArrayRef = Arc::new(Int64Array::from(vec![20_261_001]));
    let lake = Lake::of(&[&[("id", texts(&["a"])), ("at", at)]]);
    let wanted = "derive = { at_day = \"strptime(cast(at as string), '%Y%m%d')\" }";
    for columns in [BASE, &BASE.replace("\"timestamp\"", "\"i64\"")] {
        let said = lake.refused(columns, "");
        assert!(said.contains(wanted), "{said}");
    }
}

/// A cast would make the key `7.0`, which is no key of another source.
#[test]
fn ids_that_are_floats_are_to_be_declared_as_integers() {
    let lake = Lake::of(&[&[("id", floats(&[7.0, 8.0])), ("at", noon(2))]]);
    let said = lake.refused(BASE, "");
    assert!(said.contains("declare it as \"i64\""), "{said}");
    assert!(!said.contains("`cast`"), "{said}");
    let (customers, _) = lake.run(&BASE.replace("\"string\"", "\"i64\""), "");
    assert_eq!(customers.ints("id"), [Some(7), Some(8)]);
}

#[test]
fn a_column_that_cannot_be_read_is_not_called_nested_where_it_is_flat() {
    let wide = Decimal256Array::from(vec![arrow::datatypes::i256::from_i128(1); 2]);
    let wide = wide.with_precision_and_scale(60, 2).unwrap();
    let lake = Lake::of(&[&[
        ("id", texts(&["a", "b"])),
        ("at", noon(2)),
        ("x", Arc::new(wide)),
    ]]);
    let said = lake.refused(&format!("{BASE}, x = \"f64\""), "");
    assert!(said.contains("at most 38 digits"), "{said}");
    assert!(!said.contains("unnest"), "{said}");
}

/// Features that need the money of a source are not missed one by one where its column is text.
#[test]
fn an_amount_that_is_text_is_one_mistake() {
    let lake = Lake::of(&[&[
        ("id", texts(&["a", "b"])),
        ("at", noon(2)),
        ("amount", texts(&["1,234.50", "2"])),
    ]]);
    let said = lake.refused(
        &format!("{BASE}, amount = \"string\""),
        "use = [\"rfm\"]\ndouble = { expr = \"spend_total * 2\" }",
    );
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    let wanted = "amount = { type = \"f64\", decimal = \".\", thousands = \",\" }";
    assert!(said.contains("TS-F004") && said.contains(wanted), "{said}");
    let (customers, _) = lake.run(&format!("{BASE}, {wanted}"), "use = [\"spend_total\"]");
    assert_eq!(customers.floats("spend_total"), [Some(1234.5), Some(2.0)]);
}
