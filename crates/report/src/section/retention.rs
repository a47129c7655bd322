//! Retention: of the customers who first ordered in a month, the share that ordered in every month since.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::column::Table;
use crate::facts::Facts;
use crate::number::{count, percent};
use crate::record::{CohortRow, cohorts};
use crate::sql::{Num, Query};

pub(super) const SECTION: Section = Section {
    name: "retention",
    title: "Retention",
    template: include_str!("../../templates/sections/retention.html"),
    build: Build::Middle(build),
};

/// Largest number of cohorts and of ages shown; the table has them all.
const MOST: usize = 18;
/// Darkest shade of a cell.
const DARKEST: f64 = 5.0;

#[derive(Serialize)]
struct View {
    ages: Vec<i64>,
    rows: Vec<Line>,
    left_out: usize,
    has_partial: bool,
    query: Query,
}

#[derive(Serialize)]
struct Line {
    key: String,
    month: String,
    customers: Num,
    cells: Vec<Option<Cell>>,
}

#[derive(Serialize)]
struct Cell {
    key: String,
    retention: Num,
    shade: u8,
    /// The month is not over.
    partial: bool,
    detail: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(table) = Table::open(facts.input, "cohorts") else {
        return Ok(Part::NotApplicable);
    };
    let rows = cohorts(table)?;
    let mut found: BTreeMap<NaiveDate, Vec<&CohortRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.customers > 0) {
        found.entry(row.cohort).or_default().push(row);
    }
    if found.is_empty() {
        return Ok(Part::NotApplicable);
    }
    let left_out = found.len().saturating_sub(MOST);
    let shown: Vec<(&NaiveDate, &Vec<&CohortRow>)> = found.iter().skip(left_out).collect();
    let observed = shown.iter().flat_map(|(_, rows)| rows.iter());
    let observed = observed.filter(|row| row.active.is_some());
    let last = observed.map(|row| row.age).max().unwrap_or(0);
    let ages: Vec<i64> = (0..=last).take(MOST).collect();
    let line = |(cohort, rows): &(&NaiveDate, &Vec<&CohortRow>)| Line {
        key: cohort.to_string(),
        month: cohort.format("%b %Y").to_string(),
        customers: Num::count(rows.first().map_or(0, |row| row.customers), "customers").at("0"),
        cells: ages
            .iter()
            .map(|age| cell(rows.iter().find(|row| row.age == *age)?))
            .collect(),
    };
    let rows: Vec<Line> = shown.iter().map(line).collect();
    let mut cells = rows.iter().flat_map(|row| row.cells.iter().flatten());
    Part::ready(View {
        has_partial: cells.any(|cell| cell.partial),
        ages,
        rows,
        left_out,
        query: Query::by(
            &["cohort", "age"],
            format!(
                "select cast(cohort as varchar) as cohort, age, customers, retention\nfrom {}",
                facts.from("cohorts")
            ),
        ),
    })
}

/// A month that has begun; none where it has not.
fn cell(row: &CohortRow) -> Option<Cell> {
    let (active, share) = (row.active?, row.retention?);
    Some(Cell {
        key: row.age.to_string(),
        retention: Num::new(percent(share), share, "retention"),
        shade: (DARKEST * share.clamp(0.0, 1.0)).ceil() as u8,
        partial: row.is_partial,
        detail: format!("{} of {}", count(active), count(row.customers)),
    })
}
