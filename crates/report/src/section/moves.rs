//! Moves between segments since the version before, with their value: a matrix of the segments of the scheme to act by.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Earlier, Facts, Scheme};
use crate::input::Before;
use crate::moves::{Moved, Side, Way, moves};
use crate::number::{count, counted, money_short};
use crate::sql::{self, Num, Piece, Query};
use crate::text::{Name, printable};

pub(super) const SECTION: Section = Section {
    name: "moves",
    title: "Who moved",
    template: include_str!("../../templates/sections/moves.html"),
    build: Build::Front(build),
};

/// Largest number of segments of a matrix; with more, the moves with the most value are listed.
const MOST_SEGMENTS: usize = 8;
/// Largest number of moves of the list.
const MOST_WAYS: usize = 8;
/// "Outside the base" in the result of the query.
const OUTSIDE: &str = "";
/// Darkest shade of a cell.
const DARKEST: f64 = 3.0;

#[derive(Serialize)]
struct View {
    since: String,
    summary: Vec<Piece>,
    /// Segments moved to; `None` is "left".
    to: Vec<Option<Name>>,
    rows: Vec<Line>,
    ways: Vec<Listed>,
    query: Query,
    totals: Query,
}

#[derive(Serialize)]
struct Line {
    key: String,
    /// `None` is "came".
    from: Option<Name>,
    cells: Vec<Option<Cell>>,
}

#[derive(Serialize)]
struct Cell {
    key: String,
    customers: Num,
    value: Option<Num>,
    stayed: bool,
    shade: u8,
    detail: String,
}

#[derive(Serialize)]
struct Listed {
    from_key: String,
    from: Option<Name>,
    to: Option<Name>,
    cell: Cell,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(before) = facts.earlier() else {
        return match &facts.input.before {
            Before::Gone(reason) => Part::not_computed(format!(
                "the version before cannot be read ({})",
                printable(reason)
            )),
            _ => Ok(Part::NotApplicable),
        };
    };
    let (Some(scheme), Some(people), Some(key)) = (
        facts.action_scheme(),
        facts.people(),
        facts.meta.key.as_deref(),
    ) else {
        return Ok(Part::NotApplicable);
    };
    if !before.customers.has(&scheme.name) || !before.customers.has(key) {
        return Part::not_computed(format!(
            "the version of {} has no scheme `{}`",
            before.date(),
            printable(&scheme.name)
        ));
    }
    let value = facts
        .value_column()
        .filter(|value| before.customers.has(value));
    let side = |customers| Side {
        customers,
        key,
        scheme: &scheme.name,
        value,
    };
    let found = moves(side(before.customers), side(people))?;
    Part::ready(view(facts, scheme, before, value, &found))
}

fn view(
    facts: &Facts<'_>,
    scheme: &Scheme,
    before: Earlier<'_>,
    value: Option<&str>,
    found: &BTreeMap<Way<'_>, Moved>,
) -> View {
    let segments = segments(scheme, found);
    let moved = || found.iter().filter(|((from, to), _)| from != to);
    let most = moved()
        .map(|(_, moved)| size(moved, value))
        .fold(0.0, f64::max);
    let cell = |way: Way<'_>| {
        let moved = found.get(&way)?;
        Some(cell(facts, way, moved, value, most))
    };
    let is_matrix = segments.len() <= MOST_SEGMENTS;
    let outside = |ways: fn(&Way<'_>) -> bool| found.keys().any(|way| ways(way));
    let mut to: Vec<Option<&str>> = segments.iter().copied().map(Some).collect();
    let mut from = to.clone();
    if outside(|way| way.1.is_none()) {
        to.push(None);
    }
    if outside(|way| way.0.is_none()) {
        from.push(None);
    }
    let mut listed: Vec<(&Way<'_>, &Moved)> = moved().collect();
    listed.sort_by(|a, b| {
        size(b.1, value)
            .total_cmp(&size(a.1, value))
            .then(a.0.cmp(b.0))
    });
    listed.truncate(MOST_WAYS);
    View {
        since: before.date(),
        summary: summary(facts, value, found),
        rows: match is_matrix {
            true => from
                .iter()
                .map(|from| Line {
                    key: sql::key(from.unwrap_or(OUTSIDE)),
                    from: from.map(Name::new),
                    cells: to.iter().map(|to| cell((*from, *to))).collect(),
                })
                .collect(),
            false => Vec::new(),
        },
        to: to.into_iter().map(|to| to.map(Name::new)).collect(),
        ways: match is_matrix {
            true => Vec::new(),
            false => listed
                .into_iter()
                .filter_map(|(way, _)| {
                    Some(Listed {
                        from_key: sql::key(way.0.unwrap_or(OUTSIDE)),
                        from: way.0.map(Name::new),
                        to: way.1.map(Name::new),
                        cell: cell(*way)?,
                    })
                })
                .collect(),
        },
        query: query(facts, scheme, before, value),
        totals: totals(facts, scheme, before, value),
    }
}

/// Segments in the order of the scheme, then those that only the version before has.
fn segments<'a>(scheme: &'a Scheme, found: &BTreeMap<Way<'a>, Moved>) -> Vec<&'a str> {
    let mut segments: Vec<&str> = scheme.segments.iter().map(|s| s.name.as_str()).collect();
    for (from, to) in found.keys() {
        for name in [from, to].into_iter().flatten() {
            if !segments.contains(name) {
                segments.push(name);
            }
        }
    }
    segments
}

fn size(moved: &Moved, value: Option<&str>) -> f64 {
    match value {
        Some(_) => moved.value.abs(),
        None => moved.customers as f64,
    }
}

fn cell(facts: &Facts<'_>, way: Way<'_>, moved: &Moved, value: Option<&str>, most: f64) -> Cell {
    let stayed = way.0 == way.1;
    let share = if most > 0.0 {
        size(moved, value) / most
    } else {
        0.0
    };
    let place = |segment: Option<&str>, outside: &str| {
        segment.map_or_else(|| outside.to_owned(), |name| Name::new(name).shown)
    };
    Cell {
        key: sql::key(way.1.unwrap_or(OUTSIDE)),
        customers: Num::count(moved.customers, "customers"),
        value: value.map(|_| Num::new(facts.value_short(moved.value), moved.value, "value")),
        stayed,
        shade: match stayed {
            true => 0,
            false => (DARKEST * share).ceil() as u8,
        },
        detail: match stayed {
            true => format!("{} stayed", count(moved.customers)),
            false => format!(
                "{} to {}",
                place(way.0, "outside the base"),
                place(way.1, "outside the base")
            ),
        },
    }
}

/// "412 customers with €31k moved, 120 came, 3 left."
fn summary(facts: &Facts<'_>, value: Option<&str>, found: &BTreeMap<Way<'_>, Moved>) -> Vec<Piece> {
    let sum = |which: fn(&Way<'_>) -> bool| {
        let ways = found.iter().filter(|(way, _)| which(way));
        ways.fold(Moved::default(), |sum, (_, moved)| Moved {
            customers: sum.customers + moved.customers,
            value: sum.value + moved.value,
        })
    };
    let moved = sum(|way| way.0.is_some() && way.1.is_some() && way.0 != way.1);
    let came = sum(|way| way.0.is_none());
    let left = sum(|way| way.1.is_none());
    let mut out = Vec::new();
    let mut part = |moved: Moved, names: [&'static str; 2], text: &str| {
        let customers = counted(moved.customers, "customer", "customers");
        out.push(
            Num::count(moved.customers, names[0])
                .shown_as(customers)
                .into(),
        );
        if value.is_some() && moved.customers > 0 {
            let shown = money_short(moved.value, facts.meta.currency.as_deref());
            let shown = match facts.value_measure() {
                crate::number::Measure::Money => shown,
                measure => measure.show(moved.value, facts.meta),
            };
            out.push(" with ".into());
            out.push(Num::new(shown, moved.value, names[1]).into());
        }
        out.push(text.into());
    };
    part(moved, ["moved", "moved_value"], " moved; ");
    part(came, ["came", "came_value"], " came; ");
    part(left, ["gone", "gone_value"], " left the base.");
    out
}

/// Everyone of either version, with both segments.
fn everyone(
    facts: &Facts<'_>,
    scheme: &Scheme,
    before: Earlier<'_>,
    value: Option<&str>,
) -> String {
    let key = sql::column(facts.meta.key.as_deref().unwrap_or_default());
    let segment = sql::column(&scheme.name);
    let value = value.map_or_else(
        || "0".to_owned(),
        |value| {
            let value = sql::column(value);
            format!("case when n.{key} is null then b.{value} else n.{value} end")
        },
    );
    format!(
        "select b.{segment} as \"from\", n.{segment} as \"to\", {value} as value\n  from {} as b\n  full join {} as n on b.{key} = n.{key}",
        before.from(),
        facts.from("customers")
    )
}

fn query(facts: &Facts<'_>, scheme: &Scheme, before: Earlier<'_>, value: Option<&str>) -> Query {
    Query::by(
        &["from", "to"],
        format!(
            "with everyone as (\n  {})\nselect coalesce(\"from\", '{OUTSIDE}') as \"from\", coalesce(\"to\", '{OUTSIDE}') as \"to\",\n  \
             count(*) as customers, coalesce(sum(value), 0) as value\nfrom everyone group by all",
            everyone(facts, scheme, before, value)
        ),
    )
}

fn totals(facts: &Facts<'_>, scheme: &Scheme, before: Earlier<'_>, value: Option<&str>) -> Query {
    let figures = [
        ("moved", "\"from\" <> \"to\""),
        ("came", "\"from\" is null"),
        ("gone", "\"to\" is null"),
    ];
    let figures = figures.map(|(name, which)| {
        format!(
            "count(*) filter ({which}) as {name}, coalesce(sum(value) filter ({which}), 0) as {name}_value"
        )
    });
    Query::one(format!(
        "with everyone as (\n  {})\nselect {}\nfrom everyone",
        everyone(facts, scheme, before, value),
        figures.join(",\n  ")
    ))
}
