//! RFM schemes as a map: recency score across, frequency score up, how many customers each cell has and which segment most
//! of them belong to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::column::Table;
use crate::facts::{Facts, Kind, Scheme};
use crate::number::{count, counted, percent};
use crate::sql::{self, Num, Query};
use crate::text::{Name, words};

pub(super) const SECTION: Section = Section {
    name: "rfm_grid",
    title: "The RFM map",
    template: include_str!("../../templates/sections/rfm_grid.html"),
    build: Build::Scheme(build),
};

/// Scores of the named grids.
const NAMED_GRIDS_SCORES: u8 = 5;

/// Darkest shade of a cell; 0 is a cell without customers.
const DARKEST: f64 = 5.0;

#[derive(Serialize)]
struct View {
    /// Highest frequency first.
    rows: Vec<Line>,
    recency_scores: Vec<u8>,
    unscored: Option<String>,
    fullest: Option<Fullest>,
    query: Query,
}

#[derive(Serialize)]
struct Fullest {
    recency: u8,
    frequency: u8,
    customers: Num,
    share: Num,
    name: Name,
}

#[derive(Serialize)]
struct Line {
    frequency: u8,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    customers: Num,
    /// 0 for an empty cell, then 1 to 5 by the share of the fullest cell.
    shade: u8,
    name: Option<Name>,
    /// Every segment of the cell with its customers.
    detail: String,
    /// Whether another segment dominates the neighbour on that side.
    edge_left: bool,
    edge_top: bool,
}

/// Customers by segment of one cell.
type Counts<'a> = BTreeMap<&'a str, i64>;

fn build(facts: &Facts<'_>, scheme: &Scheme) -> Result<Part, ReportError> {
    if scheme.kind != Kind::RfmGrid {
        return Ok(Part::NotApplicable);
    }
    let Some(table) = Table::open(facts.input, "customers") else {
        return Part::no_table("customers");
    };
    let score_column = format!("{}_score", scheme.name);
    let (segments, scores) = (table.text(&scheme.name)?, table.text(&score_column)?);
    let mut cells: BTreeMap<(u8, u8), Counts<'_>> = BTreeMap::new();
    let (mut unscored, mut highest) = (0_i64, scheme.scores.unwrap_or(NAMED_GRIDS_SCORES));
    for (segment, score) in segments.iter().zip(&scores) {
        match score.and_then(parse) {
            Some((recency, frequency, monetary)) => {
                highest = highest.max(recency).max(frequency).max(monetary);
                *cells
                    .entry((recency, frequency))
                    .or_default()
                    .entry(segment.unwrap_or_default())
                    .or_default() += 1;
            }
            None => unscored += 1,
        }
    }
    if cells.is_empty() {
        return Part::not_computed(format!(
            "no customer has a three-digit score in column `{}`",
            words(&score_column)
        ));
    }
    let query = query(facts, &scheme.name);
    Part::ready(view(&cells, highest, unscored, query))
}

/// Customers by frequency and recency score.
fn query(facts: &Facts<'_>, scheme: &str) -> Query {
    let score = sql::column(&format!("{scheme}_score"));
    Query::by(
        &["frequency", "recency"],
        format!(
            "select cast({score}[2] as integer) as frequency, cast({score}[1] as integer) as recency,\n  \
             count(*) as customers, count(*) / sum(count(*)) over () as share\nfrom {}\n\
             where regexp_matches({score}, '^[1-9]{{3}}$')\ngroup by all",
            facts.from("customers")
        ),
    )
}

fn view(cells: &BTreeMap<(u8, u8), Counts<'_>>, highest: u8, unscored: i64, query: Query) -> View {
    let size = |cell: &Counts<'_>| cell.values().sum::<i64>();
    let all: i64 = cells.values().map(size).sum();
    let most = cells.values().map(size).max().unwrap_or(0);
    let fullest = cells.iter().rev().find(|(_, cell)| size(cell) == most).map(
        |(&(recency, frequency), cell)| Fullest {
            recency,
            frequency,
            customers: Num::count(most, "customers")
                .shown_as(counted(most, "customer", "customers"))
                .at(&recency.to_string()),
            share: Num::new(
                percent(most as f64 / all.max(1) as f64),
                most as f64 / all.max(1) as f64,
                "share",
            )
            .at(&recency.to_string()),
            name: Name::new(dominant(cell).unwrap_or_default()),
        },
    );
    let at = |recency: u8, frequency: u8| cells.get(&(recency, frequency));
    let line = |frequency: u8| Line {
        frequency,
        cells: (1..=highest)
            .map(|recency| {
                let here = at(recency, frequency);
                let differs = |other: Option<&Counts<'_>>| {
                    here.and_then(dominant) != other.and_then(dominant)
                };
                Cell {
                    customers: Num::count(here.map_or(0, size), "customers")
                        .at(&recency.to_string()),
                    shade: here.map_or(0, |c| {
                        (DARKEST * size(c) as f64 / most.max(1) as f64).ceil() as u8
                    }),
                    name: here.and_then(dominant).map(Name::new),
                    detail: here.map(detail).unwrap_or_default(),
                    edge_left: recency > 1 && differs(at(recency - 1, frequency)),
                    edge_top: frequency < highest && differs(at(recency, frequency + 1)),
                }
            })
            .collect(),
    };
    View {
        query,
        rows: (1..=highest).rev().map(line).collect(),
        recency_scores: (1..=highest).collect(),
        unscored: (unscored > 0).then(|| {
            format!(
                "{} no score.",
                counted(unscored, "customer has", "customers have")
            )
        }),
        fullest,
    }
}

/// Recency, frequency and monetary score of "543".
fn parse(score: &str) -> Option<(u8, u8, u8)> {
    let digit = |b: u8| b.is_ascii_digit().then(|| b - b'0').filter(|&d| d > 0);
    match *score.as_bytes() {
        [r, f, m] => Some((digit(r)?, digit(f)?, digit(m)?)),
        _ => None,
    }
}

/// The segment with the most customers, the first by name among equals.
fn dominant<'a>(cell: &Counts<'a>) -> Option<&'a str> {
    cell.iter()
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(name, _)| *name)
}

fn detail(cell: &Counts<'_>) -> String {
    let mut segments: Vec<(&&str, &i64)> = cell.iter().collect();
    segments.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let one = |(name, n): &(&&str, &i64)| format!("{}: {}", Name::new(name).shown, count(**n));
    segments.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_three_digits_from_one() {
        assert_eq!(parse("543"), Some((5, 4, 3)));
        assert_eq!(parse("043"), None);
        assert_eq!(parse("54"), None);
        assert_eq!(parse("1055"), None);
        assert_eq!(parse("5é"), None);
    }

    #[test]
    fn a_cell_is_named_by_its_largest_segment_and_bordered_where_the_name_changes() {
        let mut cells: BTreeMap<(u8, u8), Counts<'_>> = BTreeMap::new();
        cells.insert((1, 1), Counts::from([("Lost", 10), ("Hibernating", 3)]));
        cells.insert((2, 1), Counts::from([("Lost", 1)]));
        cells.insert((2, 2), Counts::from([("Loyal", 1)]));
        let view = view(&cells, 2, 4, Query::one(""));
        let bottom = &view.rows[1].cells;
        assert_eq!(bottom[0].name.as_ref().unwrap().shown, "Lost");
        assert_eq!(bottom[0].detail, "Lost: 10, Hibernating: 3");
        assert_eq!((bottom[0].shade, bottom[1].shade), (5, 1));
        assert!(!bottom[1].edge_left, "both are Lost");
        assert!(bottom[1].edge_top, "Loyal lies above");
        assert_eq!(view.rows[0].cells[0].shade, 0);
        assert_eq!(view.unscored.as_deref(), Some("4 customers have no score."));
    }
}
