//! How the chapter on value counts losses and few customers.

use arrow::array::RecordBatch;

use crate::{fixture, markup};

/// The chapter on value where the six customers spent this much.
fn shown(spend: [Option<f64>; 6]) -> String {
    let mut input = fixture::version("Champions", "At Risk");
    let customers = &mut input.tables.get_mut("customers").unwrap()[0];
    let schema = customers.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let columns = names.zip(customers.columns().iter().cloned());
    let columns = columns.chain([("spend_total", fixture::floats(spend))]);
    let columns = columns.map(|(name, column)| (name, column, true));
    *customers = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let html = format!("<html>{}</html>", fixture::section(&input, "value"));
    markup::parse(&html).unwrap().text
}

/// One of six customers is more than 10% of them, and two are the first fifth: the highest 150 and 50 of 210.
#[test]
fn only_shares_that_are_a_customer_or_more_are_written() {
    let text = shown([150.0, 50.0, 10.0, 0.0, 0.0, 0.0].map(Some));
    assert!(text.contains("20% hold 95.2%"), "{text}");
    assert!(!text.contains("10% hold"), "{text}");
    assert!(!text.contains("below 0"), "{text}");
}

#[test]
fn losses_are_named() {
    let text = shown([Some(150.0), Some(50.0), Some(10.0), Some(-99.0), None, None]);
    assert!(text.contains("Values below 0 count as 0."), "{text}");
}
