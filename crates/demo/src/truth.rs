//! `truth/`: the true parameters and states, which a model can only estimate. No source of the lake contains them.

use std::sync::Arc;

use arrow::array::{BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;

use crate::DemoError;
use crate::archetype::ARCHETYPES;
use crate::calendar::day_at;
use crate::customer::Customer;
use crate::orders::Ordered;
use crate::table::Table;

/// Writes one row per customer and one per archetype.
pub(crate) fn write(
    table: &mut Table,
    customers: &[Customer],
    ordered: &Ordered,
) -> Result<(), DemoError> {
    write_customers(table, customers, ordered)?;
    write_archetypes(table)
}

fn write_customers(
    table: &mut Table,
    customers: &[Customer],
    ordered: &Ordered,
) -> Result<(), DemoError> {
    let number = |value: fn(&Customer) -> Option<f64>| -> Arc<Float64Array> {
        Arc::new(customers.iter().map(value).collect())
    };
    let first: Date32Array = customers
        .iter()
        .map(|c| c.purchases.first().map(|time| day_at(*time)))
        .collect();
    let last: Date32Array = customers.iter().map(|c| c.left.map(day_at)).collect();
    let orders = Int64Array::from_iter_values(customers.iter().map(|c| c.purchases.len() as i64));
    let occasions = Int64Array::from_iter_values(customers.iter().map(occasions));
    let spend = Float64Array::from_iter_values(
        ordered
            .spend_cents
            .iter()
            .map(|cents| *cents as f64 / 100.0),
    );
    let alive: BooleanArray = customers
        .iter()
        .map(|c| c.purchase_rate.map(|_| c.left.is_none()))
        .collect();
    table.parquet(
        "customers.parquet",
        vec![
            (
                "customer_id",
                DataType::Utf8,
                Arc::new(StringArray::from_iter_values(
                    customers.iter().map(Customer::id),
                )),
            ),
            (
                "archetype",
                DataType::Utf8,
                Arc::new(StringArray::from_iter_values(
                    customers.iter().map(|c| c.archetype.name),
                )),
            ),
            ("alive_at_end", DataType::Boolean, Arc::new(alive)),
            ("churned_on", DataType::Date32, Arc::new(last)),
            ("first_order_on", DataType::Date32, Arc::new(first)),
            (
                "first_order_time_days",
                DataType::Float64,
                number(|c| c.purchases.first().copied()),
            ),
            ("orders", DataType::Int64, Arc::new(orders)),
            ("occasions", DataType::Int64, Arc::new(occasions)),
            ("spend_total", DataType::Float64, Arc::new(spend)),
            (
                "lambda_per_day",
                DataType::Float64,
                number(|c| c.purchase_rate),
            ),
            ("dropout_p", DataType::Float64, number(|c| c.dropout)),
            (
                "spend_shape",
                DataType::Float64,
                number(|c| Some(c.archetype.spend.p)),
            ),
            (
                "spend_rate",
                DataType::Float64,
                number(|c| Some(c.spend_rate)),
            ),
            (
                "order_value_expected",
                DataType::Float64,
                number(|c| Some(c.archetype.spend.p / c.spend_rate)),
            ),
        ],
    )
}

/// Distinct days with a purchase.
fn occasions(customer: &Customer) -> i64 {
    let mut days: Vec<i32> = customer
        .purchases
        .iter()
        .map(|time| day_at(*time))
        .collect();
    days.dedup();
    days.len() as i64
}

fn write_archetypes(table: &mut Table) -> Result<(), DemoError> {
    let law = |value: fn(&crate::Purchases) -> f64| -> Arc<Float64Array> {
        Arc::new(
            ARCHETYPES
                .iter()
                .map(|a| a.purchases.as_ref().map(value))
                .collect(),
        )
    };
    let spend = |value: fn(&crate::Spend) -> f64| -> Arc<Float64Array> {
        Arc::new(ARCHETYPES.iter().map(|a| Some(value(&a.spend))).collect())
    };
    let seasonal: BooleanArray = ARCHETYPES
        .iter()
        .map(|a| a.purchases.map(|law| law.seasonal))
        .collect();
    table.parquet(
        "archetypes.parquet",
        vec![
            (
                "archetype",
                DataType::Utf8,
                Arc::new(StringArray::from_iter_values(
                    ARCHETYPES.iter().map(|a| a.name),
                )),
            ),
            (
                "share",
                DataType::Float64,
                Arc::new(Float64Array::from_iter_values(
                    ARCHETYPES.iter().map(|a| a.share),
                )),
            ),
            ("r", DataType::Float64, law(|l| l.r)),
            ("alpha_days", DataType::Float64, law(|l| l.alpha)),
            ("a", DataType::Float64, law(|l| l.a)),
            ("b", DataType::Float64, law(|l| l.b)),
            ("seasonal", DataType::Boolean, Arc::new(seasonal)),
            ("spend_p", DataType::Float64, spend(|s| s.p)),
            ("spend_q", DataType::Float64, spend(|s| s.q)),
            ("spend_gamma", DataType::Float64, spend(|s| s.gamma)),
        ],
    )
}
