//! Lifecycle schemes as one bar: how many customers are in each stage from new to gone.

use serde::Serialize;

use super::acting::segments_query;
use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Kind, Scheme};
use crate::number::{percent, position};
use crate::sql::{self, Num, Query};
use crate::text::Name;

pub(super) const SECTION: Section = Section {
    name: "lifecycle",
    title: "Where customers stand",
    template: include_str!("../../templates/sections/lifecycle.html"),
    build: Build::Scheme(build),
};

/// Number of shades; with more stages the shades repeat.
const SHADES: usize = 6;

#[derive(Serialize)]
struct View {
    stages: Vec<Stage>,
    query: Query,
}

#[derive(Serialize)]
struct Stage {
    /// Number that links the part of the bar to its legend.
    number: usize,
    shade: usize,
    name: Name,
    key: String,
    customers: Num,
    share: Num,
    /// Left edge, middle and width in percent of the bar.
    from: String,
    middle: String,
    width: String,
    /// Whether the bar is wide enough for its number.
    labelled: bool,
}

fn build(facts: &Facts<'_>, scheme: &Scheme) -> Result<Part, ReportError> {
    let all = scheme.customers();
    if scheme.kind != Kind::Lifecycle {
        return Ok(Part::NotApplicable);
    }
    if all <= 0 {
        return Part::not_computed("no customer is in any stage");
    }
    let mut before = 0_i64;
    let mut stages = Vec::with_capacity(scheme.segments.len());
    for (i, segment) in scheme.segments.iter().enumerate() {
        let (from, width) = (
            before as f64 / all as f64,
            segment.customers as f64 / all as f64,
        );
        before += segment.customers;
        stages.push(Stage {
            number: i + 1,
            shade: i % SHADES,
            name: Name::new(&segment.name),
            key: sql::key(&segment.name),
            customers: Num::count(segment.customers, "customers"),
            share: Num::new(percent(width), width, "share"),
            from: position(from),
            middle: position(from + width / 2.0),
            width: position(width),
            labelled: width >= 0.04,
        });
    }
    Part::ready(View {
        stages,
        query: segments_query(facts, scheme),
    })
}
