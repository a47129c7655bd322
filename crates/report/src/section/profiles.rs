//! Per scheme: what sets each segment apart. Every feature as an index against all customers (100 = all customers), the most
//! telling ones as bars, all of them as a table.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Scheme};
use crate::number::{Measure, NONE, one_decimal, percent, plain, position};
use crate::record::{ProfileRow, SegmentRow};
use crate::text::{Name, title, words};

pub(super) const SECTION: Section = Section {
    name: "profiles",
    title: "What sets them apart",
    template: include_str!("../../templates/sections/profiles.html"),
    build: Build::Scheme(build),
};

/// Segments shown; the table holds them all.
const MOST_SEGMENTS: usize = 12;
/// Features named in a segment's card.
const TELLING: usize = 4;
/// Values of one label feature shown, the most frequent among all customers.
const MOST_LABELS: usize = 6;
/// Cohen's d below which a difference is called hardly any.
const HARDLY: f64 = 0.2;
/// Share of a segment's customers that must have a number for it to stand in the segment's card: less would tell of a few.
const LEAST_KNOWN: f64 = 0.25;
/// Index at which a bar ends, as a multiple of the base and its inverse.
const FULL_BAR: f64 = 4.0;

#[derive(Serialize)]
struct View {
    cards: Vec<Card>,
    left_out: Option<String>,
    segments: Vec<Name>,
    lines: Vec<Line>,
}

/// The most telling features of one segment; a segment without customers has no card.
#[derive(Serialize)]
struct Card {
    name: Name,
    features: Vec<Telling>,
}

#[derive(Serialize)]
struct Telling {
    feature: String,
    index: String,
    above: bool,
    /// The bar, in percent of the width; the base is at 50.
    from: String,
    width: String,
    /// "£2,311 against £740".
    comparison: String,
    /// "effect 1.8", where it is known.
    effect: Option<String>,
}

/// One feature, or one value of a label, over the segments.
#[derive(Serialize)]
struct Line {
    feature: String,
    base: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    index: String,
    /// -3 (far below) to 3 (far above), 0 near the base.
    shade: i8,
    hardly: bool,
    detail: String,
}

fn build(facts: &Facts<'_>, scheme: &Scheme) -> Result<Part, ReportError> {
    let Some(profiles) = &facts.profiles else {
        return Part::no_table("profiles");
    };
    let rows: Vec<&ProfileRow> = profiles
        .iter()
        .filter(|r| r.scheme == scheme.name)
        .collect();
    if rows.is_empty() {
        return Part::not_computed("the `profiles` table has no rows for this scheme");
    }
    let mut order: Vec<_> = scheme.segments.iter().collect();
    let largest_first = |a: &&SegmentRow, b: &&SegmentRow| b.customers.cmp(&a.customers);
    if order.len() > MOST_SEGMENTS {
        order.sort_by(largest_first);
    }
    order.truncate(MOST_SEGMENTS);
    let names: Vec<&str> = order.iter().map(|s| s.name.as_str()).collect();
    let hidden = scheme.segments.len() - names.len();
    Part::ready(View {
        cards: order
            .iter()
            .filter_map(|segment| card(facts, segment, &rows))
            .collect(),
        left_out: (hidden > 0).then(|| {
            format!(
                "The {} largest segments are shown; {hidden} more are in the `profiles` table.",
                names.len()
            )
        }),
        segments: names.iter().map(|name| Name::new(name)).collect(),
        lines: lines(facts, &names, &rows),
    })
}

/// How far the segment lies from the rest: Cohen's d where the table has it, and for shares Cohen's h,
/// 2 asin √p - 2 asin √P (Cohen 1988, equation 6.2.1).
fn distance(row: &ProfileRow) -> Option<f64> {
    let angle = |share: f64| 2.0 * share.clamp(0.0, 1.0).sqrt().asin();
    row.effect_size
        .or_else(|| Some(angle(row.share?) - angle(row.population_share?)))
}

/// Whether enough of the segment's customers have a value for their mean to tell of the segment.
fn is_known(row: &ProfileRow, segment: &SegmentRow) -> bool {
    let least = LEAST_KNOWN * segment.customers as f64;
    row.label.is_some() || row.customers.is_none_or(|known| known as f64 >= least)
}

fn card(facts: &Facts<'_>, segment: &SegmentRow, rows: &[&ProfileRow]) -> Option<Card> {
    let own: Vec<&ProfileRow> = rows
        .iter()
        .copied()
        .filter(|r| r.segment == segment.name && r.index.is_some() && is_known(r, segment))
        .collect();
    if own.is_empty() {
        return None;
    }
    let mut known: Vec<(&ProfileRow, f64)> = own
        .into_iter()
        .filter_map(|r| distance(r).filter(|d| d.abs() >= HARDLY).map(|d| (r, d)))
        .collect();
    known.sort_by(|a, b| {
        let by_name = || (&a.0.feature, &a.0.label).cmp(&(&b.0.feature, &b.0.label));
        b.1.abs().total_cmp(&a.1.abs()).then_with(by_name)
    });
    known.truncate(TELLING);
    let features: Vec<Telling> = known
        .into_iter()
        .filter_map(|(row, _)| telling(facts, row))
        .collect();
    Some(Card {
        name: Name::new(&segment.name),
        features,
    })
}

fn telling(facts: &Facts<'_>, row: &ProfileRow) -> Option<Telling> {
    let index = row.index?;
    let reach = (index / 100.0).max(1.0 / FULL_BAR).ln() / FULL_BAR.ln();
    let reach = reach.clamp(-1.0, 1.0) / 2.0;
    Some(Telling {
        feature: feature_words(row),
        index: plain(index.round()),
        above: index >= 100.0,
        from: position(0.5 + reach.min(0.0)),
        width: position(reach.abs()),
        comparison: comparison(facts, row),
        effect: row
            .effect_size
            .map(|d| format!("effect {}", one_decimal(d))),
    })
}

fn feature_words(row: &ProfileRow) -> String {
    match &row.label {
        Some(label) => format!("{}: {}", title(&row.feature), Name::new(label).shown),
        None => title(&row.feature),
    }
}

fn comparison(facts: &Facts<'_>, row: &ProfileRow) -> String {
    let measure = Measure::of(facts.meta, &row.feature);
    match (&row.label, row.mean, row.population_mean) {
        (Some(_), _, _) => {
            let share = |s: Option<f64>| s.map_or_else(|| NONE.to_owned(), percent);
            format!(
                "{} against {}",
                share(row.share),
                share(row.population_share)
            )
        }
        (None, Some(mean), Some(base)) if measure == Measure::Days => {
            format!("{} against {}", plain(mean), measure.show(base, facts.meta))
        }
        (None, Some(mean), Some(base)) => {
            format!(
                "{} against {}",
                measure.show(mean, facts.meta),
                measure.show(base, facts.meta)
            )
        }
        (None, mean, _) => measure.show_opt(mean, facts.meta),
    }
}

/// All features in the order of the table, the rare values of labels left out.
fn lines(facts: &Facts<'_>, segments: &[&str], rows: &[&ProfileRow]) -> Vec<Line> {
    let mut keys: Vec<(&str, Option<&str>)> = Vec::new();
    for row in rows {
        let key = (row.feature.as_str(), row.label.as_deref());
        if !keys.contains(&key) && (row.label.is_none() || is_frequent(row, rows)) {
            keys.push(key);
        }
    }
    keys.into_iter()
        .filter_map(|(feature, label)| {
            let of_key = |r: &&&ProfileRow| r.feature == feature && r.label.as_deref() == label;
            let first = rows.iter().find(of_key)?;
            let cell = |segment: &&str| {
                cell(
                    facts,
                    rows.iter()
                        .filter(of_key)
                        .find(|r| r.segment == **segment)
                        .copied(),
                )
            };
            let measure = Measure::of(facts.meta, feature);
            Some(Line {
                feature: feature_words(first),
                base: match label {
                    Some(_) => first
                        .population_share
                        .map_or_else(|| NONE.to_owned(), percent),
                    None => measure.show_opt(first.population_mean, facts.meta),
                },
                cells: segments.iter().map(cell).collect(),
            })
        })
        .collect()
}

/// Whether a label's value is among the most frequent of its feature.
fn is_frequent(row: &ProfileRow, rows: &[&ProfileRow]) -> bool {
    let more_frequent: std::collections::BTreeSet<&str> = rows
        .iter()
        .filter(|r| r.feature == row.feature && r.population_share > row.population_share)
        .filter_map(|r| r.label.as_deref())
        .collect();
    more_frequent.len() < MOST_LABELS
}

fn cell(facts: &Facts<'_>, row: Option<&ProfileRow>) -> Cell {
    let Some((row, index)) = row.and_then(|r| r.index.map(|i| (r, i))) else {
        return Cell {
            index: NONE.to_owned(),
            shade: 0,
            hardly: true,
            detail: String::new(),
        };
    };
    let distance = distance(row);
    let hardly = distance.is_some_and(|d| d.abs() < HARDLY);
    let effect = distance
        .map(|d| format!(", effect {}", one_decimal(d)))
        .unwrap_or_default();
    Cell {
        index: plain(index.round()),
        shade: if hardly { 0 } else { shade(index) },
        hardly,
        detail: format!(
            "{}: {}{effect}",
            words(&row.segment),
            comparison(facts, row)
        ),
    }
}

fn shade(index: f64) -> i8 {
    match index {
        i if i >= 250.0 => 3,
        i if i >= 150.0 => 2,
        i if i >= 110.0 => 1,
        i if i <= 40.0 => -3,
        i if i <= 67.0 => -2,
        i if i <= 91.0 => -1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: f64, effect_size: Option<f64>) -> ProfileRow {
        ProfileRow {
            scheme: "rfm".into(),
            segment: "Champions".into(),
            feature: "spend_total".into(),
            label: None,
            customers: Some(40),
            mean: Some(index),
            population_mean: Some(100.0),
            index: Some(index),
            effect_size,
            share: Some(0.5),
            population_share: Some(0.25),
        }
    }

    #[test]
    fn cohens_h_of_one_half_against_one_quarter() {
        // 2 asin(sqrt(0.5)) - 2 asin(sqrt(0.25)) = pi/2 - pi/3.
        let h = distance(&row(200.0, None)).unwrap();
        assert!((h - std::f64::consts::PI / 6.0).abs() < 1e-12, "{h}");
        assert_eq!(distance(&row(200.0, Some(1.5))), Some(1.5));
    }

    #[test]
    fn the_few_that_have_a_number_do_not_stand_for_their_segment() {
        let segment = |customers: i64| SegmentRow {
            customers,
            ..SegmentRow::default()
        };
        let number = row(200.0, Some(1.5));
        assert!(is_known(&number, &segment(160)));
        assert!(!is_known(&number, &segment(161)));
        let label = ProfileRow {
            label: Some("retail".into()),
            ..row(200.0, None)
        };
        assert!(is_known(&label, &segment(161)));
    }

    #[test]
    fn shades_are_symmetric_in_ratio() {
        for (above, below) in [(400.0, 25.0), (200.0, 50.0), (120.0, 83.3)] {
            assert_eq!(shade(above), -shade(below), "{above} and {below}");
        }
        assert_eq!(shade(100.0), 0);
    }
}
