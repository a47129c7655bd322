//! The smallest change of one column that leads a customer to another segment: `memberships` states it for every customer, and
//! `explain` shows it with others for a few. Other columns are kept as they are, also those that are made from it.
//!
//! The types that matter: [`Candidates`] are the changes at which a scheme may decide otherwise, [`Answers`] is what it decides for
//! each of them and each row of a table, [`Columns`] are the numbers of the table and how far they are spread.
//!
//! Where to look: `tried` finds the values beside the constants of rules and beside limits, `centres` those at which another centre
//! becomes the nearest, `columns` holds the numbers that changes are measured by, `everyone` asks for all customers of a run.

mod centres;
mod columns;
mod everyone;
mod tried;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array as _, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use chrono::NaiveDate;
use chrono_tz::Tz;
use tessera_engine::Engine;
use tessera_expr::{Expr, columns, replace_column};
use tessera_segments::{Axis, Cells, Centres, Compared, Fit, Nearest, RulesScheme};
use tessera_spec::pipeline::{LifecycleLimits, Scheme};

use crate::error::PipelineError;
use crate::truths;
use centres::{ByCentres, Numbers, Room};
pub(crate) use columns::{Columns, Spread};
pub(crate) use everyone::fill;
pub(crate) use tried::Tried;
use tried::{around, check_effort, of_rules};

/// No change: who is already there, or has none.
const NONE: u32 = u32::MAX;

/// The range of what is no number.
const NO_RANGE: usize = usize::MAX;

/// Why there are no changes to try.
#[derive(Debug)]
pub(crate) enum Untold {
    /// The scheme cannot tell them.
    Unknown(String),
    /// There would be too many.
    TooMany(String),
}

impl From<&str> for Untold {
    fn from(why: &str) -> Self {
        Self::Unknown(why.to_owned())
    }
}

impl std::fmt::Display for Untold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unknown(why) | Self::TooMany(why)) = self;
        f.write_str(why)
    }
}

/// The changes of single columns at which a scheme may decide otherwise.
pub(crate) struct Candidates {
    /// The columns that are changed, by name.
    columns: Vec<String>,
    /// Place of the column, and the value; in the order of the columns.
    tried: Vec<(usize, Tried)>,
    /// Place of the column, and the number that is told; NaN for what is none.
    limits: Vec<(usize, f64)>,
    /// The segments that customers may come to, by name.
    segments: Vec<String>,
    by: By,
    /// Columns that the scheme reads and that are not tried.
    untried: Vec<String>,
}

/// How a scheme decides.
enum By {
    Rules {
        /// The rules as they are, then those in which a column is replaced by a value.
        exprs: Vec<Expr>,
        /// The segment of each rule.
        of_rule: Vec<u32>,
        otherwise: u32,
        /// By change: for each rule its place in `exprs`.
        places: Vec<Vec<usize>>,
    },
    Limits {
        /// With the segments that customers may come to.
        cells: Cells,
        /// By change: the column of the cells, and the range of the value in it.
        ranges: Vec<(usize, usize)>,
    },
    Centres(ByCentres),
}

/// A change that leads a customer to another segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    /// Place of the column.
    column: usize,
    to: To,
    /// Index of the segment.
    segment: u32,
    /// By how many standard deviations of the column it changes; infinite where that cannot be said, as of labels.
    rank: f64,
    /// By how much.
    size: f64,
}

/// What a column is changed to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum To {
    /// One of the values that are tried, by its place.
    Tried(usize),
    /// A number, and whether the column has whole ones only.
    Value(f64, bool),
}

/// What a scheme decides for each change and each row of a table.
pub(crate) struct Answers<'a> {
    candidates: &'a Candidates,
    /// By column that is changed: its numbers from the first row on, and its spread.
    numbers: Vec<(&'a [f64], Spread)>,
    by: Answered<'a>,
}

enum Answered<'a> {
    /// By expression, where it is true.
    Rules(Vec<BooleanBuffer>),
    /// By row and column of the cells the range of the value; [`NO_RANGE`] where there is none.
    Limits(Vec<usize>),
    /// The rows among the centres.
    Centres(Compared<'a>),
}

impl Candidates {
    /// The changes to try for a scheme: `stages` are the limits of lifecycle stages, `rules` its rules where it has them, `fit` what
    /// it learned, `within` what its limits of entering and leaving decide where it has these, `schema` the columns of the published
    /// customers, `names` the names of its segments by id. The error states why there are none.
    pub(crate) fn new(
        (scheme, stages): (&Scheme, &LifecycleLimits),
        (rules, fit, within): (Option<&[Expr]>, &Fit, Option<Cells>),
        schema: &SchemaRef,
        names: &[(i64, &str)],
    ) -> Result<Self, Untold> {
        let kind = tessera_segments::kind(scheme.kind.name());
        let kind = kind.ok_or("this program does not know its kind")?;
        match kind.nearest {
            Nearest::Untold(why) => Err(why.into()),
            Nearest::Rules => {
                let stated: Option<&RulesScheme> = scheme.kind.of();
                let (stated, rules) = stated
                    .zip(rules)
                    .ok_or("the version does not state its rules")?;
                Self::of_rules(stated, rules, schema)
            }
            Nearest::Limits(limits) => {
                let alone = || limits(scheme, stages, fit);
                let cells = within.map_or_else(alone, |within| Ok(Some(within)));
                let cells = cells.map_err(|error| Untold::Unknown(error.to_string()))?;
                let cells = cells.ok_or("its limits are not known")?;
                let mut columns = cells.axes.iter().map(|axis| axis.column.as_str());
                if let Some(hidden) = columns.find(|name| schema.index_of(name).is_err()) {
                    return Err(not_published(hidden, "the scheme reads"));
                }
                Ok(Self::of_limits(cells, schema))
            }
            Nearest::Centres => {
                let centres = Centres::of(fit).ok_or("its centres are not known")?;
                let kind = |name: &str| match schema.field_with_name(name) {
                    Ok(field) => match field.data_type() {
                        DataType::Int64 => Numbers::Whole,
                        DataType::Float64 => Numbers::Any,
                        DataType::Date32 => Numbers::Kept,
                        _ => Numbers::None,
                    },
                    Err(_) => Numbers::None,
                };
                Self::of_centres(centres, names, kind).map_err(Untold::Unknown)
            }
        }
    }

    fn of_rules(stated: &RulesScheme, rules: &[Expr], schema: &SchemaRef) -> Result<Self, Untold> {
        let limits = of_rules(rules, schema);
        let read: BTreeSet<&str> = rules.iter().flat_map(columns).collect();
        if let Some(hidden) = read.iter().find(|name| schema.index_of(name).is_err()) {
            return Err(not_published(hidden, "the rules read"));
        }
        check_effort(rules, &limits)?;
        let named = stated.rules.iter().map(|rule| rule.segment.value.as_str());
        let segments = sorted(named.clone().chain([stated.otherwise.as_str()]));
        let mut exprs = rules.to_vec();
        let (mut tried, mut places) = (Vec::new(), Vec::new());
        for (column, (name, values)) in limits.iter().enumerate() {
            for value in values {
                let with_value = |(number, rule): (usize, &Expr)| {
                    if !columns(rule).contains(name.as_str()) {
                        return number;
                    }
                    exprs.push(replace_column(rule, name, &|column| {
                        value.literal(column.ty)
                    }));
                    exprs.len() - 1
                };
                places.push(rules.iter().enumerate().map(with_value).collect());
                tried.push((column, value.clone()));
            }
        }
        Ok(Self {
            untried: read
                .into_iter()
                .filter(|name| !limits.contains_key(*name))
                .map(str::to_owned)
                .collect(),
            by: By::Rules {
                exprs,
                of_rule: named.map(|name| index(&segments, name)).collect(),
                otherwise: index(&segments, &stated.otherwise),
                places,
            },
            columns: limits.into_keys().collect(),
            limits: numbers_of(&tried),
            tried,
            segments,
        })
    }

    fn of_limits(cells: Cells, schema: &SchemaRef) -> Self {
        let cells = cells.by_name();
        let of_axes = |by_time: bool| {
            let axes = cells.axes.iter().filter(|axis| axis.by_time == by_time);
            sorted(axes.map(|axis| axis.column.as_str()))
        };
        let (columns, untried) = (of_axes(false), of_axes(true));
        let (mut tried, mut ranges) = (Vec::new(), Vec::new());
        for (column, name) in columns.iter().enumerate() {
            let own = cells.axes.iter().enumerate();
            for (place, axis) in own.filter(|(_, axis)| axis.column == *name) {
                let Ok(field) = schema.field_with_name(name) else {
                    continue;
                };
                // Below the lowest number lies no range.
                let limits = axis.limits.iter().filter(|limit| **limit > f64::MIN);
                let mut values: Vec<Tried> = Vec::new();
                for value in limits.flat_map(|limit| around(*limit, field.data_type())) {
                    if !values.contains(&value) {
                        values.push(value);
                    }
                }
                for value in values {
                    ranges.push((place, axis.range(value.number().unwrap_or_default())));
                    tried.push((column, value));
                }
            }
        }
        Self {
            segments: cells.segments.clone(),
            by: By::Limits { cells, ranges },
            columns,
            limits: numbers_of(&tried),
            tried,
            untried,
        }
    }

    /// Columns that the scheme reads and that are not tried.
    pub(crate) fn untried(&self) -> &[String] {
        &self.untried
    }

    /// The columns that must all have a value, of a scheme that decides by limits.
    pub(crate) fn needed(&self) -> Option<Vec<&str>> {
        match &self.by {
            By::Rules { .. } | By::Centres(_) => None,
            By::Limits { cells, .. } => {
                let axes = cells.axes.iter();
                Some(axes.map(|axis| axis.column.as_str()).collect())
            }
        }
    }

    /// The columns whose numbers are compared.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        let limits = match &self.by {
            By::Rules { .. } | By::Centres(_) => &[][..],
            By::Limits { cells, .. } => &cells.axes,
        };
        let tried = self.columns.iter().map(String::as_str);
        tried.chain(limits.iter().map(|axis| axis.column.as_str()))
    }

    /// What the scheme decides for each change and each of so many rows from one on.
    pub(crate) fn answers<'a>(
        &'a self,
        (engine, place): (&dyn Engine, (NaiveDate, Tz)),
        (table, known): (&RecordBatch, &'a Columns),
        (from, rows): (usize, usize),
    ) -> Result<Answers<'a>, PipelineError> {
        let by = match &self.by {
            By::Rules { exprs, .. } => {
                let table = table.slice(from, rows);
                let truths = truths::evaluate(engine, &table, place, exprs)?;
                Answered::Rules(truths.iter().map(holds).collect())
            }
            By::Limits { cells, .. } => {
                let axes = cells.axes.iter();
                let axes: Vec<_> = axes.map(|axis| (axis, known.of(&axis.column).0)).collect();
                let range = |row: usize, (axis, numbers): &(&Axis, &[f64])| {
                    let number = numbers.get(row).filter(|number| !number.is_nan());
                    number.map_or(NO_RANGE, |number| axis.range(*number))
                };
                let of_row = |row: usize| axes.iter().map(move |axis| range(row, axis));
                Answered::Limits((from..from + rows).flat_map(of_row).collect())
            }
            By::Centres(by) => {
                let finite = |number: &f64| {
                    if number.is_finite() {
                        *number
                    } else {
                        f64::NAN
                    }
                };
                let numbers = |place: usize| {
                    let numbers = known.of(&self.columns[place]).0;
                    let own = numbers.get(from..from + rows).unwrap_or_default();
                    own.iter().map(finite).collect()
                };
                Answered::Centres(by.compare(numbers)?)
            }
        };
        let numbers = self.columns.iter().map(|name| {
            let (numbers, spread) = known.of(name);
            (numbers.get(from..).unwrap_or_default(), spread)
        });
        Ok(Answers {
            candidates: self,
            numbers: numbers.collect(),
            by,
        })
    }

    /// A change as it is told: the column, the value, the segment.
    pub(crate) fn told(&self, found: &Found) -> (&str, Tried, &str) {
        let segment = &self.segments[found.segment as usize];
        (&self.columns[found.column], self.to(found.to), segment)
    }

    /// The value that a column is changed to.
    fn to(&self, to: To) -> Tried {
        match to {
            To::Tried(place) => self.tried[place].1.clone(),
            To::Value(value, true) => Tried::Integer(value as i64),
            To::Value(value, false) => Tried::Float {
                value,
                limit: value,
            },
        }
    }
}

impl Answers<'_> {
    /// The segment that a change leads the customer of a row to, who is in another one.
    fn segment(&self, place: usize, row: usize, own: u32) -> u32 {
        match (&self.candidates.by, &self.by) {
            (
                By::Rules {
                    of_rule,
                    otherwise,
                    places,
                    ..
                },
                Answered::Rules(truths),
            ) => {
                let mut rules = places[place].iter().zip(of_rule);
                let found = rules.find(|(expr, _)| truths[**expr].value(row));
                found.map_or(*otherwise, |(_, segment)| *segment)
            }
            (By::Limits { cells, ranges }, Answered::Limits(numbers)) => {
                let (changed, range) = ranges[place];
                let found = within(cells, (numbers, row), own, |axis, known| {
                    if axis == changed { range } else { known }
                });
                found.unwrap_or(NONE)
            }
            _ => NONE,
        }
    }

    /// Whether the scheme with its limits of entering and leaving keeps the customer of a row where it is.
    pub(crate) fn keeps(&self, row: usize, own: u32) -> bool {
        match (&self.candidates.by, &self.by) {
            (By::Limits { cells, .. }, Answered::Limits(numbers)) => {
                within(cells, (numbers, row), own, |_, known| known) == Some(own)
            }
            _ => false,
        }
    }

    /// By how many standard deviations, and by how much, a change changes the customer of a row.
    fn size(&self, place: usize, row: usize) -> (f64, f64) {
        let (column, limit) = self.candidates.limits[place];
        let (numbers, spread) = self.numbers[column];
        let size = (limit - numbers[row]).abs();
        match size.is_nan() {
            true => (f64::INFINITY, f64::INFINITY),
            false => {
                let deviation = spread.deviation;
                (deviation.map_or(f64::INFINITY, |one| size / one), size)
            }
        }
    }

    fn found(&self, place: usize, row: usize, own: u32) -> Option<Found> {
        let segment = self.segment(place, row, own);
        let (rank, size) = self.size(place, row);
        let found = Found {
            column: self.candidates.tried[place].0,
            to: To::Tried(place),
            segment,
            rank,
            size,
        };
        (segment != NONE && segment != own).then_some(found)
    }

    /// The order of changes: by their size in standard deviations, then by their size, column and segment.
    fn order(a: &Found, b: &Found) -> Ordering {
        let tried = |found: &Found| match found.to {
            To::Tried(place) => place,
            To::Value(..) => 0,
        };
        let size = a.rank.total_cmp(&b.rank).then(a.size.total_cmp(&b.size));
        let place = (a.column, a.segment, tried(a)).cmp(&(b.column, b.segment, tried(b)));
        size.then(place)
    }

    /// The smallest change that leads the customer of a row out of its segment, of which `own` is the index.
    fn nearest(&self, row: usize, own: u32, room: &mut Room) -> Option<Found> {
        if matches!(self.by, Answered::Centres(_)) {
            return self.nearest_centre(row, own, room);
        }
        let mut best: Option<Found> = None;
        let mut least = (f64::INFINITY, f64::INFINITY);
        for place in 0..self.candidates.limits.len() {
            // Most changes are larger than one that was found; no size is NaN.
            let (rank, size) = self.size(place, row);
            if rank > least.0 || (rank == least.0 && size > least.1) {
                continue;
            }
            let Some(found) = self.found(place, row, own) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|best| Self::order(&found, best).is_lt())
            {
                least = (found.rank, found.size);
                best = Some(found);
            }
        }
        best
    }

    /// The smallest change of every column to every other segment, the smallest of all first.
    pub(crate) fn all(&self, row: usize, own: &str) -> Vec<Found> {
        let own = self.own(own);
        let mut kept: BTreeMap<(usize, u32), Found> = BTreeMap::new();
        let mut keep = |found: Found| {
            let of = (found.column, found.segment);
            match kept.get(&of) {
                Some(known) if Self::order(&found, known).is_ge() => {}
                _ => drop(kept.insert(of, found)),
            }
        };
        let tried = 0..self.candidates.tried.len();
        tried
            .filter_map(|place| self.found(place, row, own))
            .for_each(&mut keep);
        self.all_centres(row, own).into_iter().for_each(keep);
        let mut all: Vec<Found> = kept.into_values().collect();
        all.sort_by(Self::order);
        all
    }

    /// Index of a segment; none that customers may come to where the scheme does not name it.
    pub(crate) fn own(&self, segment: &str) -> u32 {
        let found = self
            .candidates
            .segments
            .binary_search_by(|name| name.as_str().cmp(segment));
        found.map_or(NONE - 1, |place| place as u32)
    }

    /// The customer's number in the column of a change, and the column's spread.
    pub(crate) fn number(&self, found: &Found, row: usize) -> (Option<f64>, Option<f64>) {
        let (numbers, spread) = self.numbers[found.column];
        let number = Some(numbers[row]).filter(|number| !number.is_nan());
        (number, spread.deviation)
    }
}

/// The segment of the customer of a row who is in one of the segments, by the ranges of its numbers and what is made of each.
fn within(
    cells: &Cells,
    (numbers, row): (&[usize], usize),
    own: u32,
    range: impl Fn(usize, usize) -> usize,
) -> Option<u32> {
    let axes = cells.axes.len();
    let numbers = &numbers[row * axes..(row + 1) * axes];
    if numbers.contains(&NO_RANGE) {
        return None;
    }
    let all = numbers.iter().enumerate();
    cells.segment(own, all.map(|(axis, known)| range(axis, *known)))
}

/// How a value is meant, for a customer whose number is less or greater.
pub(crate) fn bound(to: &Tried, difference: Option<f64>) -> &'static str {
    let exact = match (to, difference) {
        (Tried::Other, _) => "is not named",
        (Tried::Float { value, limit }, _) if value > limit => "more than",
        (Tried::Float { value, limit }, _) if value < limit => "less than",
        (_, Some(difference)) if difference > 0.0 => "at least",
        (_, Some(_)) => "at most",
        (_, None) => "is",
    };
    // The number that is told may lie on the other side of the limit.
    let told = to.told_number().zip(to.limit());
    match (exact, told.map(|(told, limit)| told.total_cmp(&limit))) {
        ("at most", Some(Ordering::Greater)) => "less than",
        ("more than", Some(Ordering::Greater)) => "at least",
        ("at least", Some(Ordering::Less)) => "more than",
        ("less than", Some(Ordering::Less)) => "at most",
        _ => exact,
    }
}

/// How much a number changes.
pub(crate) fn difference(to: &Tried, from: Option<f64>) -> Option<f64> {
    from.zip(to.limit()).map(|(from, to)| to - from)
}

fn not_published(column: &str, who: &str) -> Untold {
    Untold::Unknown(format!("`{column}`, which {who}, is not published"))
}

fn numbers_of(tried: &[(usize, Tried)]) -> Vec<(usize, f64)> {
    let number = |(column, to): &(usize, Tried)| (*column, to.limit().unwrap_or(f64::NAN));
    tried.iter().map(number).collect()
}

fn sorted<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().map(str::to_owned).collect()
}

fn index(sorted: &[String], name: &str) -> u32 {
    let found = sorted.binary_search_by(|known| known.as_str().cmp(name));
    found.map_or(NONE, |place| place as u32)
}

/// Where a condition is true: null is not.
fn holds(truth: &BooleanArray) -> BooleanBuffer {
    match truth.nulls() {
        Some(valid) => truth.values() & valid.inner(),
        None => truth.values().clone(),
    }
}
