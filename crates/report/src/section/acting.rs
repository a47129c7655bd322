//! The scheme to act by, in short: number of customers, value and value at risk per segment.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Scheme};
use crate::number::{Measure, position};
use crate::record::SegmentRow;
use crate::sql::{self, Num, Query};
use crate::text::{Name, title, words};
use crate::version::AT_RISK;

pub(super) const SECTION: Section = Section {
    name: "acting",
    title: "By segment",
    template: include_str!("../../templates/sections/acting.html"),
    build: Build::Front(build),
};

/// Largest number of segments on the first page; the chapter of the scheme has all of them.
const MOST: usize = 9;

#[derive(Serialize)]
struct View {
    anchor: String,
    scheme: String,
    value: String,
    kpi: Option<String>,
    has_value: bool,
    has_risk: bool,
    doubt_of: Doubt,
    rows: Vec<Row>,
    left_out: usize,
    query: Query,
}

/// Why whole columns are in doubt.
#[derive(Serialize)]
pub(super) struct Doubt {
    value: Option<String>,
    risk: Option<String>,
    kpi: Option<String>,
}

impl Doubt {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let of = |column: Option<&str>| {
            column.and_then(|column| Some(facts.marks.of(column)?.sentence()))
        };
        Self {
            value: of(facts.meta.value.as_deref()),
            risk: of(Some(AT_RISK)),
            kpi: of(facts.kpi.as_ref().map(|kpi| kpi.name.as_str())),
        }
    }
}

#[derive(Serialize)]
struct Row {
    key: String,
    name: Name,
    customers: Num,
    value: Num,
    value_bar: String,
    risk: Num,
    risk_bar: String,
    kpi: Option<Num>,
    /// Members with a KPI, where most have none.
    few: Option<Num>,
    meets: Option<bool>,
    lost: bool,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(scheme) = facts.action_scheme() else {
        return Part::not_computed("this version has no segments");
    };
    let kpi = facts.kpi.as_ref();
    let has_kpi = scheme.segments.iter().any(|s| s.kpi.is_some());
    let rows = scheme.segments.iter().take(MOST);
    Part::ready(View {
        anchor: scheme.anchor.clone(),
        scheme: title(&scheme.name),
        value: facts
            .meta
            .value
            .as_deref()
            .map_or_else(|| "Value".to_owned(), title),
        kpi: kpi.filter(|_| has_kpi).map(|kpi| words(&kpi.name)),
        has_value: scheme.value().is_some(),
        has_risk: scheme.at_risk().is_some(),
        doubt_of: Doubt::of(facts),
        rows: rows.map(|s| row(facts, scheme, s)).collect(),
        left_out: scheme.segments.len().saturating_sub(MOST),
        query: segments_query(facts, scheme),
    })
}

/// The figures of a scheme's segments.
pub(super) fn segments_query(facts: &Facts<'_>, scheme: &Scheme) -> Query {
    let columns = [
        "customers",
        "share",
        "value",
        "value_share",
        "value_at_risk",
        "kpi",
        "kpi_customers",
        "left_customers",
        "win_back_value",
    ];
    let known: Vec<&str> = columns
        .into_iter()
        .filter(|column| facts.segments_have(column))
        .collect();
    Query::by(
        &["segment"],
        format!(
            "select segment, {}\nfrom {}\nwhere scheme = {}",
            known.join(", "),
            facts.from("segments"),
            sql::quoted(&scheme.name)
        ),
    )
}

fn row(facts: &Facts<'_>, scheme: &Scheme, s: &SegmentRow) -> Row {
    let part = |part: Option<f64>, most: f64| {
        position(part.filter(|_| most > 0.0).map_or(0.0, |part| part / most))
    };
    let value = facts.value_measure();
    let kpi = facts.kpi.as_ref();
    Row {
        key: sql::key(&s.name),
        name: Name::new(&s.name),
        customers: Num::count(s.customers, "customers"),
        value: Num::opt(
            value.show_beside(s.value, scheme.largest_value(), facts.meta),
            s.value,
            "value",
        ),
        value_bar: part(s.value, scheme.largest_value()),
        risk: Num::opt(
            Measure::Money.show_beside(s.value_at_risk, scheme.largest_at_risk(), facts.meta),
            s.value_at_risk,
            "value_at_risk",
        ),
        risk_bar: part(s.value_at_risk, scheme.largest_at_risk()),
        kpi: kpi.map(|k| {
            let shown = k
                .measure
                .show_beside(s.kpi, scheme.largest_kpi(), facts.meta);
            Num::opt(shown, s.kpi, "kpi")
        }),
        few: kpi
            .and(s.few_with_kpi())
            .map(|known| Num::count(known, "kpi_customers")),
        meets: kpi.and(facts.meets(s.kpi)),
        lost: s.is_lost,
    }
}
