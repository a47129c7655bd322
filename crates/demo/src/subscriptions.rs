//! `subscriptions/`: which customer paid which price for the software, with begin and end (exclusive, null while it runs).

use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, StringArray};
use arrow::datatypes::DataType;

use crate::company::Company;
use crate::customer::{Customer, spread};
use crate::table::Table;
use crate::{DemoError, DirtCounts};

/// A row of the table.
#[derive(Clone)]
struct Row {
    id: String,
    plan: &'static str,
    cents: i64,
    from: i32,
    to: Option<i32>,
}

/// Writes the subscriptions of all customers and counts those that end before they begin.
pub(crate) fn write(
    table: &mut Table,
    customers: &[Customer],
    companies: &[Company],
    dirt: &mut DirtCounts,
) -> Result<(), DemoError> {
    let mut rows = Vec::new();
    for (customer, company) in customers
        .iter()
        .zip(companies)
        .filter(|(customer, _)| customer.subscribes)
    {
        for (step, plan) in company.plans.iter().enumerate() {
            rows.push(Row {
                id: customer.id(),
                plan: plan.plan.name(),
                cents: plan.plan.seat_cents() * plan.seats,
                from: plan.from,
                to: company
                    .plans
                    .get(step + 1)
                    .map_or(company.subscription_end, |next| Some(next.from)),
            });
        }
    }
    let reversed: Vec<Row> = spread(rows.len(), customers.len().div_ceil(2_200))
        .map(|i| Row {
            to: Some(rows[i].from - 3),
            ..rows[i].clone()
        })
        .collect();
    dirt.subscriptions_reversed = reversed.len() as u64;
    rows.extend(reversed);
    table.parquet(
        "part-0.parquet",
        vec![
            (
                "customer_id",
                DataType::Utf8,
                Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.id))),
            ),
            (
                "plan",
                DataType::Utf8,
                Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.plan))),
            ),
            (
                "mrr",
                DataType::Float64,
                Arc::new(Float64Array::from_iter_values(
                    rows.iter().map(|r| r.cents as f64 / 100.0),
                )),
            ),
            (
                "started_on",
                DataType::Date32,
                Arc::new(Date32Array::from_iter_values(rows.iter().map(|r| r.from))),
            ),
            (
                "ended_on",
                DataType::Date32,
                Arc::new(rows.iter().map(|r| r.to).collect::<Date32Array>()),
            ),
        ],
    )
}
