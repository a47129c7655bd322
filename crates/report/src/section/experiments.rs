//! Experiments: each variant beside control, the difference with the interval that holds at every look, and the verdict.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::column::Table;
use crate::facts::Facts;
use crate::input::ReportMeta;
use crate::number::{Measure, NONE, percent, precise};
use crate::sql::{self, Num, Query};
use crate::text::{Name, date, title, words};

pub(super) const SECTION: Section = Section {
    name: "experiments",
    title: "Experiments",
    template: include_str!("../../templates/sections/experiments.html"),
    build: Build::Middle(build),
};

const TABLE: &str = "experiments";

#[derive(Serialize)]
struct View {
    experiments: Vec<Experiment>,
    query: Query,
}

#[derive(Serialize)]
struct Experiment {
    key: String,
    title: String,
    /// Who is drawn, and when.
    drawn: String,
    metric: String,
    measured_days: Num,
    adjusted: bool,
    /// Probability of groups at least as uneven by chance; none without customers.
    even: Option<Num>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    key: String,
    name: Name,
    share: Num,
    enrolled: Num,
    lost: Num,
    too_recent: Num,
    missing: Num,
    customers: Num,
    mean: Num,
    /// Against control; none of control.
    against: Option<Against>,
    verdict: String,
    /// `good`, `bad` or empty.
    judged: &'static str,
    reason: String,
}

#[derive(Serialize)]
struct Against {
    difference: Num,
    low: Num,
    high: Num,
    uplift: Num,
    smallest: Num,
}

/// The rows of the table, as columns.
struct Columns<'a> {
    table: Table<'a>,
    experiment: Vec<Option<&'a str>>,
    variant: Vec<Option<&'a str>>,
    control: Vec<Option<bool>>,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(table) = Table::open(facts.input, TABLE).filter(|table| table.rows() > 0) else {
        return Ok(Part::NotApplicable);
    };
    table.require(&["experiment", "variant", "metric", "verdict"])?;
    let columns = Columns {
        table,
        experiment: table.text("experiment")?,
        variant: table.text("variant")?,
        control: table.truths("control")?,
    };
    let mut names: Vec<&str> = columns.experiment.iter().copied().flatten().collect();
    names.dedup();
    let experiments = names
        .into_iter()
        .map(|name| experiment(&columns, name, facts.meta))
        .collect::<Result<_, _>>()?;
    Part::ready(View {
        experiments,
        query: Query::by(
            &["experiment", "variant"],
            format!(
                "select experiment, variant, share, enrolled, lost, too_recent, missing, customers, measured_days, srm_p,\n  \
                 coalesce(adjusted_mean, mean) as mean, difference, anytime_low, anytime_high, uplift, smallest_effect\nfrom {}",
                facts.from(TABLE)
            ),
        ),
    })
}

/// One experiment: control first, then the variants by name.
fn experiment(
    columns: &Columns<'_>,
    name: &str,
    meta: &ReportMeta,
) -> Result<Experiment, ReportError> {
    let table = &columns.table;
    let of = |row: &usize| columns.experiment[*row] == Some(name);
    let mut rows: Vec<usize> = (0..table.rows()).filter(of).collect();
    rows.sort_by_key(|row| columns.control[*row] != Some(true));
    let first = rows[0];
    let text = |column: &str| Ok::<_, ReportError>(table.text(column)?[first]);
    let metric = text("metric")?.unwrap_or_default();
    let measure = Measure::of(meta, metric);
    let variant = sql::key(columns.variant[first].unwrap_or_default());
    let days = table.integers("measured_days")?[first].unwrap_or(0);
    let p = table.numbers("srm_p")?[first];
    Ok(Experiment {
        key: sql::key(name),
        title: title(name),
        drawn: drawn(table, first)?,
        metric: words(metric),
        measured_days: Num::count(days, "measured_days").at(&variant),
        adjusted: table.truths("adjusted")?[first] == Some(true),
        even: p.map(|p| Num::new(percent(p), p, "srm_p").at(&variant)),
        rows: rows
            .into_iter()
            .map(|at| row(columns, at, measure, meta))
            .collect::<Result<_, _>>()?,
    })
}

/// "Customers of segment Rescue of Touch, from 1 May 2026 to 31 May 2026"
fn drawn(table: &Table<'_>, row: usize) -> Result<String, ReportError> {
    let whom = match (table.text("scheme")?[row], table.text("segment")?[row]) {
        (Some(scheme), Some(segment)) => {
            let segment = Name::new(segment).shown;
            format!("Customers of segment {segment} of {}", title(scheme))
        }
        _ => "All customers".to_owned(),
    };
    let starts = table.dates("starts")?[row].map(|day| format!(" from {}", date(day)));
    let ends = table.dates("ends")?[row].map(|day| format!(" to {}", date(day)));
    Ok(format!(
        "{whom}{}{}",
        starts.unwrap_or_default(),
        ends.unwrap_or_default()
    ))
}

fn row(
    columns: &Columns<'_>,
    at: usize,
    measure: Measure,
    meta: &ReportMeta,
) -> Result<Row, ReportError> {
    let table = &columns.table;
    let count = |column: &'static str| {
        let counts = table.integers(column)?;
        Ok::<_, ReportError>(Num::count(counts[at].unwrap_or(0), column))
    };
    let number = |column: &str| Ok::<_, ReportError>(table.numbers(column)?[at]);
    let text = |column: &str| {
        let texts = table.text(column)?;
        Ok::<_, ReportError>(texts[at].unwrap_or_default().to_owned())
    };
    let share = number("share")?;
    let mean = number("adjusted_mean")?.or(number("mean")?);
    let verdict = text("verdict")?;
    let name = columns.variant[at].unwrap_or_default();
    let against = match columns.control[at] {
        Some(true) => None,
        _ => Some(against(table, at, measure, meta)?),
    };
    Ok(Row {
        key: sql::key(name),
        name: Name::new(name),
        share: Num::opt(
            share.map_or_else(|| NONE.to_owned(), percent),
            share,
            "share",
        ),
        enrolled: count("enrolled")?,
        lost: count("lost")?,
        too_recent: count("too_recent")?,
        missing: count("missing")?,
        customers: count("customers")?,
        mean: Num::opt(written(measure, mean, meta), mean, "mean"),
        against,
        judged: match verdict.as_str() {
            "better" => "good",
            "worse" | "uneven groups" => "bad",
            _ => "",
        },
        verdict,
        reason: text("reason")?,
    })
}

fn against(
    table: &Table<'_>,
    at: usize,
    measure: Measure,
    meta: &ReportMeta,
) -> Result<Against, ReportError> {
    let number = |column: &'static str, shown: &dyn Fn(f64) -> String| {
        let value = table.numbers(column)?[at];
        let shown = value.map_or_else(|| NONE.to_owned(), shown);
        Ok::<_, ReportError>(Num::opt(shown, value, column))
    };
    let difference = |value: f64| signed(value, difference(measure, value, meta));
    Ok(Against {
        difference: number("difference", &difference)?,
        low: number("anytime_low", &difference)?,
        high: number("anytime_high", &difference)?,
        uplift: number("uplift", &|share| signed(share, share_of(share)))?,
        smallest: number("smallest_effect", &|value| {
            self::difference(measure, value, meta)
        })?,
    })
}

/// A mean of the metric.
fn written(measure: Measure, value: Option<f64>, meta: &ReportMeta) -> String {
    match (measure, value) {
        (Measure::Number, Some(value)) => precise(value),
        (measure, value) => measure.show_opt(value, meta),
    }
}

/// A difference of two means: that of shares in points.
fn difference(measure: Measure, value: f64, meta: &ReportMeta) -> String {
    match measure {
        Measure::Percent => format!("{}\u{a0}points", precise(value * 100.0)),
        Measure::Days | Measure::Date => format!("{}\u{a0}days", precise(value)),
        Measure::Number => precise(value),
        Measure::Money => measure.show(value, meta),
    }
}

/// A share that may be below 0.
fn share_of(share: f64) -> String {
    format!("{}%", precise(share * 100.0))
}

/// A number with a plus where it is above 0.
fn signed(value: f64, shown: String) -> String {
    if value > 0.0 {
        format!("+{shown}")
    } else {
        shown
    }
}
