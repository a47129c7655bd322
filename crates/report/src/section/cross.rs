//! RFM schemes compared with the scheme to act by: which RFM segments the playbooks reach.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Kind, Scheme};
use crate::sql::{self, Num, Query};
use crate::text::{Name, title};

pub(super) const SECTION: Section = Section {
    name: "cross",
    title: "Against the scheme to act by",
    template: include_str!("../../templates/sections/cross.html"),
    build: Build::Scheme(build),
};

/// Largest number of segments of either scheme for a readable matrix.
const MOST: usize = 16;
/// Darkest shade of a cell.
const DARKEST: f64 = 5.0;

#[derive(Serialize)]
struct View {
    other: String,
    columns: Vec<Name>,
    rows: Vec<Line>,
    query: Query,
}

#[derive(Serialize)]
struct Line {
    key: String,
    name: Name,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    customers: Option<Num>,
    shade: u8,
}

fn build(facts: &Facts<'_>, scheme: &Scheme) -> Result<Part, ReportError> {
    let (Some(action), Some(people)) = (facts.action_scheme(), facts.people()) else {
        return Ok(Part::NotApplicable);
    };
    let fits = |scheme: &Scheme| scheme.segments.len() <= MOST && people.has(&scheme.name);
    if scheme.kind != Kind::RfmGrid || action.name == scheme.name || !fits(scheme) || !fits(action)
    {
        return Ok(Part::NotApplicable);
    }
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for pair in people
        .text(&scheme.name)?
        .into_iter()
        .zip(people.text(&action.name)?)
    {
        if let (Some(row), Some(column)) = pair {
            *counts.entry((row, column)).or_default() += 1;
        }
    }
    let most = counts.values().copied().max().unwrap_or(0).max(1) as f64;
    let cell = |row: &str, column: &str| match counts.get(&(row, column)) {
        None => Cell {
            customers: None,
            shade: 0,
        },
        Some(n) => Cell {
            customers: Some(Num::count(*n, "customers").at(column)),
            // By the square root, so that small cells differ visibly from empty ones.
            shade: (DARKEST * (*n as f64 / most).sqrt()).ceil() as u8,
        },
    };
    let row = |name: &str| Line {
        key: sql::key(name),
        name: Name::new(name),
        cells: action
            .segments
            .iter()
            .map(|s| cell(name, &s.name))
            .collect(),
    };
    Part::ready(View {
        other: title(&action.name),
        columns: action.segments.iter().map(|s| Name::new(&s.name)).collect(),
        rows: scheme.segments.iter().map(|s| row(&s.name)).collect(),
        query: Query::by(
            &["segment", "other"],
            format!(
                "select {} as segment, {} as other, count(*) as customers\nfrom {} group by all",
                sql::column(&scheme.name),
                sql::column(&action.name),
                facts.from("customers")
            ),
        ),
    })
}
