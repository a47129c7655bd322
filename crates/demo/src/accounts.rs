//! `accounts/`: accounts of the CRM, one row per period of validity (`valid_from` inclusive, `valid_to` exclusive).

use std::sync::Arc;

use arrow::array::{Date32Array, Int32Array, StringArray};
use arrow::datatypes::DataType;

use crate::company::{Company, hostile_name};
use crate::customer::{Customer, spread};
use crate::table::Table;
use crate::{DemoError, DirtCounts};

/// A row of the table.
struct Row<'a> {
    id: String,
    name: String,
    company: &'a Company,
    plan: &'static str,
    from: i32,
    to: Option<i32>,
}

/// Writes the accounts of almost all customers, and counts closed ones.
pub(crate) fn write(
    table: &mut Table,
    customers: &[Customer],
    companies: &[Company],
    dirt: &mut DirtCounts,
) -> Result<u64, DemoError> {
    let buyers: Vec<usize> = (0..customers.len())
        .filter(|i| !customers[*i].purchases.is_empty())
        .collect();
    let unknown: Vec<usize> = spread(buyers.len(), customers.len().div_ceil(800))
        .map(|i| buyers[i])
        .collect();
    let known: Vec<usize> = (0..customers.len())
        .filter(|i| !unknown.contains(i))
        .collect();
    let mut hostile = vec![None; customers.len()];
    for (position, i) in spread(known.len(), customers.len().div_ceil(500)).enumerate() {
        hostile[known[i]] = Some(hostile_name(position));
        dirt.accounts_hostile_names += 1;
    }
    dirt.accounts_unknown_customers = unknown.len() as u64;

    let mut rows = Vec::new();
    let mut closed = 0;
    for &i in &known {
        let company = &companies[i];
        closed += u64::from(company.closed.is_some());
        for (step, plan) in company.plans.iter().enumerate() {
            rows.push(Row {
                id: customers[i].id(),
                name: hostile[i].clone().unwrap_or_else(|| company.name.clone()),
                company,
                plan: plan.plan.name(),
                from: plan.from,
                to: company
                    .plans
                    .get(step + 1)
                    .map_or(company.closed, |next| Some(next.from)),
            });
        }
    }
    write_rows(table, &rows)?;
    Ok(closed)
}

fn write_rows(table: &mut Table, rows: &[Row<'_>]) -> Result<(), DemoError> {
    let text = |value: fn(&Row<'_>) -> Option<&'static str>| -> Arc<StringArray> {
        Arc::new(rows.iter().map(value).collect())
    };
    let ids = StringArray::from_iter_values(rows.iter().map(|r| &r.id));
    let names = StringArray::from_iter_values(rows.iter().map(|r| &r.name));
    let employees = Int32Array::from_iter_values(rows.iter().map(|r| r.company.employees));
    let signup = Date32Array::from_iter_values(rows.iter().map(|r| r.company.signed_up));
    let from = Date32Array::from_iter_values(rows.iter().map(|r| r.from));
    let to: Date32Array = rows.iter().map(|r| r.to).collect();
    table.parquet(
        "part-0.parquet",
        vec![
            ("customer_id", DataType::Utf8, Arc::new(ids)),
            ("company", DataType::Utf8, Arc::new(names)),
            ("country", DataType::Utf8, text(|r| Some(r.company.country))),
            ("industry", DataType::Utf8, text(|r| r.company.industry)),
            ("employees", DataType::Int32, Arc::new(employees)),
            ("plan", DataType::Utf8, text(|r| Some(r.plan))),
            (
                "contact_role",
                DataType::Utf8,
                text(|r| r.company.contact_role),
            ),
            (
                "preferred_touch",
                DataType::Utf8,
                text(|r| r.company.preferred_touch),
            ),
            ("signup_date", DataType::Date32, Arc::new(signup)),
            ("valid_from", DataType::Date32, Arc::new(from)),
            ("valid_to", DataType::Date32, Arc::new(to)),
        ],
    )
}
