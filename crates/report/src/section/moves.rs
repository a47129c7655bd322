//! Moves between segments since the version before, with their value and their causes: a matrix of the segments of the scheme to
//! act by, from the table `moves`, and the steps by cause, from the table `migrations`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::column::Table;
use crate::comparable::Figure;
use crate::facts::{Facts, Scheme};
use crate::input::Before;
use crate::mark::Mark;
use crate::number::{Measure, count, counted, money_short};
use crate::record::{self, MigrationRow};
use crate::sql::{self, Num, Piece, Query};
use crate::text::{self, Name, words};

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

/// From and to; `None` is outside the base.
type Way<'a> = (Option<&'a str>, Option<&'a str>);

/// Customers who moved, and their value.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    customers: i64,
    value: f64,
}

impl Moved {
    fn add(&mut self, row: &MigrationRow) {
        self.customers += row.customers;
        self.value += row.value;
    }

    /// By which moves are compared: their value, and where nothing is money the customers.
    fn size(self, facts: &Facts<'_>) -> f64 {
        match worth(facts) {
            Some(_) => self.value.abs(),
            None => self.customers as f64,
        }
    }
}

#[derive(Serialize)]
struct View {
    since: String,
    /// What the money is, and why it is in doubt; none without a column that it is of.
    worth: Option<Worth>,
    summary: Vec<Piece>,
    /// Segments moved to; `None` is "left".
    to: Vec<Option<Name>>,
    rows: Vec<Line>,
    ways: Vec<Listed>,
    causes: Vec<Cause>,
    query: Query,
    totals: Query,
    by_cause: Query,
}

/// The column that moves count.
#[derive(Serialize)]
struct Worth {
    label: String,
    column: String,
    doubt: Option<String>,
}

/// The column of the money in `moves` and `migrations`: what customers will bring, else what they have brought, else the one that
/// segments are valued by.
fn worth(facts: &Facts<'_>) -> Option<Worth> {
    let features = &facts.meta.features;
    let known = |name: &str| features.iter().find(|feature| feature.name == name);
    let declared = ["value_future", "value_past"].into_iter().find_map(known);
    let column = declared.or_else(|| known(facts.meta.value.as_deref()?))?;
    let label = column.label.as_deref().map(|label| Name::new(label).shown);
    Some(Worth {
        label: label.unwrap_or_else(|| words(&column.name)),
        column: Name::new(&column.name).shown,
        doubt: facts
            .incomparable(Figure::Column(&column.name, Measure::Money))
            .map(|apart| format!("{apart}, so that sums of both versions are not comparable"))
            .or_else(|| facts.marks.of(&column.name).map(Mark::sentence)),
    })
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
    value: Num,
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

#[derive(Serialize)]
struct Cause {
    key: String,
    name: String,
    customers: Num,
    value: Num,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(scheme) = facts.action_scheme() else {
        return Ok(Part::NotApplicable);
    };
    let open = |name| Table::open(facts.input, name);
    let (Some(moves), Some(steps)) = (open("moves"), open("migrations")) else {
        return match facts.input.before {
            Before::None | Before::Other { .. } => Ok(Part::NotApplicable),
            _ if open("moves").is_none() => Part::no_table("moves"),
            _ => Part::no_table("migrations"),
        };
    };
    // A first version has nothing before it. Steps that cancel out leave no move.
    let mut since = None;
    for table in [moves, steps] {
        let days = table.dates("previous_as_of")?;
        since = since.or(days.into_iter().flatten().next());
    }
    let Some(since) = since else {
        return Ok(Part::NotApplicable);
    };
    let of_scheme = |rows: Vec<MigrationRow>| -> Vec<MigrationRow> {
        let rows = rows.into_iter();
        rows.filter(|row| row.scheme == scheme.name).collect()
    };
    let moves = of_scheme(record::moves(moves)?);
    let steps = of_scheme(record::migrations(steps)?);
    Part::ready(view(facts, scheme, text::date(since), (&moves, &steps)))
}

fn view(
    facts: &Facts<'_>,
    scheme: &Scheme,
    since: String,
    (moves, steps): (&[MigrationRow], &[MigrationRow]),
) -> View {
    let mut found: BTreeMap<Way<'_>, Moved> = BTreeMap::new();
    for row in moves {
        let way = (row.from.as_deref(), row.to.as_deref());
        found.entry(way).or_default().add(row);
    }
    let mut causes: BTreeMap<&str, Moved> = BTreeMap::new();
    for row in steps {
        causes.entry(&row.cause).or_default().add(row);
    }
    let mut causes: Vec<(&str, Moved)> = causes.into_iter().collect();
    causes.sort_by(|a, b| b.1.customers.cmp(&a.1.customers).then(a.0.cmp(b.0)));
    let segments = segments(scheme, &found);
    let (lines, to, ways) = match segments.len() <= MOST_SEGMENTS {
        _ if found.is_empty() => (Vec::new(), Vec::new(), Vec::new()),
        true => {
            let (lines, to) = matrix(facts, &segments, &found);
            (lines, to, Vec::new())
        }
        false => (Vec::new(), Vec::new(), listed(facts, &found)),
    };
    let cause = |(name, moved): (&str, Moved)| Cause {
        key: sql::key(name),
        name: cause_words(name),
        customers: Num::count(moved.customers, "customers"),
        value: money(facts, moved, "value"),
    };
    View {
        since,
        worth: worth(facts),
        summary: summary(facts, &found),
        to,
        rows: lines,
        ways,
        causes: causes.into_iter().map(cause).collect(),
        query: query(facts, scheme),
        totals: totals(facts, scheme),
        by_cause: by_cause(facts, scheme),
    }
}

/// What causes of moves are called in a sentence; an unknown one stays as it is.
const CAUSES: [(&str, &str); 7] = [
    ("identity", "changed keys"),
    (
        "late_data",
        "rows that came late or were changed or removed",
    ),
    ("definition", "edited definitions"),
    ("model", "models and limits fitted again"),
    ("attribute", "changed attributes"),
    ("ageing", "time without new rows"),
    ("activity", "new rows"),
];

/// A cause in words; causes that were not told apart are named together.
fn cause_words(cause: &str) -> String {
    let word = |one: &str| {
        let known = CAUSES.iter().find(|(name, _)| *name == one);
        known.map_or_else(|| words(one), |(_, words)| (*words).to_owned())
    };
    let each: Vec<String> = cause.split(" or ").map(word).collect();
    match each.len() {
        1 => each.concat(),
        _ => format!("not told apart ({})", each.join(", ")),
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

fn matrix(
    facts: &Facts<'_>,
    segments: &[&str],
    found: &BTreeMap<Way<'_>, Moved>,
) -> (Vec<Line>, Vec<Option<Name>>) {
    let mut to: Vec<Option<&str>> = segments.iter().copied().map(Some).collect();
    let mut from = to.clone();
    if found.keys().any(|way| way.1.is_none()) {
        to.push(None);
    }
    if found.keys().any(|way| way.0.is_none()) {
        from.push(None);
    }
    let most = most(facts, found);
    let line = |from: &Option<&str>| Line {
        key: sql::key(from.unwrap_or(OUTSIDE)),
        from: from.map(Name::new),
        cells: to
            .iter()
            .map(|to| {
                let way = (*from, *to);
                Some(cell(facts, way, *found.get(&way)?, most))
            })
            .collect(),
    };
    let lines = from.iter().map(line).collect();
    (lines, to.into_iter().map(|to| to.map(Name::new)).collect())
}

/// The moves with the most value, or where nothing is money with the most customers.
fn listed(facts: &Facts<'_>, found: &BTreeMap<Way<'_>, Moved>) -> Vec<Listed> {
    let mut ways: Vec<(&Way<'_>, &Moved)> = found.iter().collect();
    ways.sort_by(|a, b| {
        b.1.size(facts)
            .total_cmp(&a.1.size(facts))
            .then(a.0.cmp(b.0))
    });
    let most = most(facts, found);
    let way = |(way, moved): (&Way<'_>, &Moved)| Listed {
        from_key: sql::key(way.0.unwrap_or(OUTSIDE)),
        from: way.0.map(Name::new),
        to: way.1.map(Name::new),
        cell: cell(facts, *way, *moved, most),
    };
    ways.into_iter().take(MOST_WAYS).map(way).collect()
}

fn most(facts: &Facts<'_>, found: &BTreeMap<Way<'_>, Moved>) -> f64 {
    let sizes = found.values().map(|moved| moved.size(facts));
    sizes.fold(0.0, f64::max)
}

fn cell(facts: &Facts<'_>, way: Way<'_>, moved: Moved, most: f64) -> Cell {
    let share = if most > 0.0 {
        moved.size(facts) / most
    } else {
        0.0
    };
    let place = |segment: Option<&str>| {
        segment.map_or_else(
            || "outside the base".to_owned(),
            |name| Name::new(name).shown,
        )
    };
    Cell {
        key: sql::key(way.1.unwrap_or(OUTSIDE)),
        customers: Num::count(moved.customers, "customers"),
        value: money(facts, moved, "value"),
        shade: (DARKEST * share).ceil() as u8,
        detail: format!(
            "{}: {} to {}",
            count(moved.customers),
            place(way.0),
            place(way.1)
        ),
    }
}

fn money(facts: &Facts<'_>, moved: Moved, column: &'static str) -> Num {
    let shown = money_short(moved.value, facts.meta.currency.as_deref());
    Num::new(shown, moved.value, column)
}

/// "412 customers with €31k moved; 120 customers with €9k came; 3 customers with €80 left the base."; the money only where something is money.
fn summary(facts: &Facts<'_>, found: &BTreeMap<Way<'_>, Moved>) -> Vec<Piece> {
    let sum = |which: fn(&Way<'_>) -> bool| {
        let ways = found.iter().filter(|(way, _)| which(way));
        ways.fold(Moved::default(), |sum, (_, moved)| Moved {
            customers: sum.customers + moved.customers,
            value: sum.value + moved.value,
        })
    };
    let has_worth = worth(facts).is_some();
    let mut out = Vec::new();
    let mut part = |moved: Moved, names: [&'static str; 2], text: &str| {
        let customers = counted(moved.customers, "customer", "customers");
        let number = Num::count(moved.customers, names[0]);
        out.push(number.shown_as(customers).into());
        if moved.customers > 0 && has_worth {
            out.push(" with ".into());
            out.push(money(facts, moved, names[1]).into());
        }
        out.push(text.into());
    };
    let between = sum(|way| way.0.is_some() && way.1.is_some());
    part(between, ["moved", "moved_value"], " moved; ");
    part(
        sum(|way| way.0.is_none()),
        ["came", "came_value"],
        " came; ",
    );
    let left = sum(|way| way.1.is_none());
    part(left, ["gone", "gone_value"], " left the base.");
    out
}

/// The rows of the scheme in one of the tables.
fn of_scheme(facts: &Facts<'_>, table: &'static str, scheme: &Scheme) -> String {
    let scheme = sql::quoted(&scheme.name);
    format!("{} where scheme = {scheme}", facts.from(table))
}

/// What moved, as columns of a query.
const SUMS: &str = "sum(customers) as customers, cast(sum(value) as double) as value";

fn query(facts: &Facts<'_>, scheme: &Scheme) -> Query {
    Query::by(
        &["from", "to"],
        format!(
            "select coalesce(from_segment, '{OUTSIDE}') as \"from\", coalesce(to_segment, '{OUTSIDE}') as \"to\",\n  {SUMS}\n\
             from {} group by all",
            of_scheme(facts, "moves", scheme)
        ),
    )
}

fn by_cause(facts: &Facts<'_>, scheme: &Scheme) -> Query {
    let from = of_scheme(facts, "migrations", scheme);
    Query::by(
        &["cause"],
        format!("select cause, {SUMS}\nfrom {from} group by cause"),
    )
}

fn totals(facts: &Facts<'_>, scheme: &Scheme) -> Query {
    let figures = [
        (
            "moved",
            "from_segment is not null and to_segment is not null",
        ),
        ("came", "from_segment is null"),
        ("gone", "to_segment is null"),
    ];
    let figures = figures.map(|(name, which)| {
        format!(
            "coalesce(sum(customers) filter ({which}), 0) as {name},\n  \
             cast(coalesce(sum(value) filter ({which}), 0) as double) as {name}_value"
        )
    });
    Query::one(format!(
        "select {}\nfrom {}",
        figures.join(",\n  "),
        of_scheme(facts, "moves", scheme)
    ))
}
