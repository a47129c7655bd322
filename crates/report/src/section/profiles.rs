//! Per scheme: how each segment differs from all customers, the features with the largest differences as cards, all of them as a
//! table. The cards leave out the features that the scheme is made of, since they differ by definition, and features that few
//! customers have.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Kind, Scheme};
use crate::mark::Mark;
use crate::number::{Measure, NONE, one_decimal, percent, position};
use crate::profile::{Entry, entries};
use crate::record::SegmentRow;
use crate::sql::{self, Num, Query};
use crate::text::{Name, title, words};

pub(super) const SECTION: Section = Section {
    name: "profiles",
    title: "What sets them apart",
    template: include_str!("../../templates/sections/profiles.html"),
    build: Build::Scheme(build),
};

/// Segments shown; the table holds them all.
const MOST_SEGMENTS: usize = 12;
/// Number of features named in a segment's card.
const TELLING: usize = 3;
/// Values of one label feature shown, the most frequent among all customers.
const MOST_LABELS: usize = 5;
/// Distance below which a difference is called hardly any.
const HARDLY: f64 = 0.2;
/// Least share of a segment's customers with a value for a feature to be in the segment's card.
const LEAST_KNOWN: f64 = 0.5;
/// Distance at which a bar ends.
const FULL_BAR: f64 = 2.0;

#[derive(Serialize)]
struct View {
    cards: Vec<Card>,
    left_out: Vec<String>,
    segments: Vec<Name>,
    lines: Vec<Line>,
    by_segment: Query,
    by_feature: Query,
}

/// The features of one segment with the largest differences; a segment without customers has no card.
#[derive(Serialize)]
struct Card {
    key: String,
    name: Name,
    features: Vec<Telling>,
}

#[derive(Serialize)]
struct Telling {
    key: String,
    feature: String,
    /// Why its numbers are in doubt.
    doubt: Option<String>,
    value: Num,
    base: Num,
    above: bool,
    tone: &'static str,
    /// The bar, in percent of the width; no difference is at 50.
    from: String,
    width: String,
}

/// One feature, or one value of a label, over the segments.
#[derive(Serialize)]
struct Line {
    key: String,
    label: String,
    /// The segment whose row the base is taken from.
    base_key: String,
    feature: String,
    /// Why its numbers are in doubt.
    doubt: Option<String>,
    base: Num,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    value: Num,
    /// Class by sign, size and direction; empty near the base.
    class: String,
    hardly: bool,
    detail: String,
}

fn build(facts: &Facts<'_>, scheme: &Scheme) -> Result<Part, ReportError> {
    // An attribute may have many similar values; their table is enough.
    if scheme.kind == Kind::Attribute {
        return Ok(Part::NotApplicable);
    }
    let Some(profiles) = &facts.profiles else {
        return Part::no_table("profiles");
    };
    let rows = entries(profiles, scheme);
    if rows.is_empty() {
        return Part::not_computed("the `profiles` table has no rows for this scheme");
    }
    let own = own_features(facts, scheme);
    let mut order: Vec<_> = scheme.segments.iter().collect();
    if order.len() > MOST_SEGMENTS {
        order.sort_by_key(|segment| std::cmp::Reverse(segment.customers));
    }
    order.truncate(MOST_SEGMENTS);
    let names: Vec<&str> = order.iter().map(|s| s.name.as_str()).collect();
    let hidden = scheme.segments.len() - names.len();
    let mut left_out = Vec::new();
    let mut own_shown = rows
        .iter()
        .map(|e| e.row.feature.as_str())
        .collect::<BTreeSet<_>>();
    own_shown.retain(|feature| own.contains(*feature));
    if !own_shown.is_empty() {
        let own: Vec<String> = own_shown
            .iter()
            .map(|feature| label_of(facts, feature))
            .collect();
        left_out.push(format!(
            "Left out of the cards, since the segments are made of it or the other way round: {}.",
            own.join(", ")
        ));
    }
    if hidden > 0 {
        left_out.push(format!(
            "The {} largest segments are shown; {hidden} more are in the table `profiles`.",
            names.len()
        ));
    }
    let sql = query(facts, scheme);
    Part::ready(View {
        cards: order
            .iter()
            .map(|segment| card(facts, segment, &rows, &own))
            .filter(|card| !card.features.is_empty())
            .collect(),
        left_out,
        segments: names.iter().map(|name| Name::new(name)).collect(),
        lines: lines(facts, &names, &rows),
        by_segment: Query::by(&["segment", "feature", "label"], sql.clone()),
        by_feature: Query::by(&["feature", "label", "segment"], sql),
    })
}

/// Every mean, and of labels the share of all members, known or not.
fn query(facts: &Facts<'_>, scheme: &Scheme) -> String {
    let (profiles, segments) = (facts.from("profiles"), facts.from("segments"));
    let scheme = sql::quoted(&scheme.name);
    format!(
        "with s as (select segment, customers as members, sum(customers) over () as everyone from {segments} where scheme = {scheme})\n\
         select p.segment, p.feature, coalesce(p.label, '') as label, p.mean, p.population_mean,\n  \
         p.customers / s.members as share, sum(p.customers) over (partition by p.feature, p.label) / s.everyone as population_share\n\
         from {profiles} as p join s using (segment) where p.scheme = {scheme}"
    )
}

/// The features that a scheme is made of, what they are computed from, and what is computed from them.
fn own_features(facts: &Facts<'_>, scheme: &Scheme) -> BTreeSet<String> {
    let declared = facts.meta.schemes.iter().find(|s| s.name == scheme.name);
    let mut own: BTreeSet<String> = declared
        .into_iter()
        .flat_map(|s| s.by.iter().cloned())
        .collect();
    if own.is_empty() {
        return own;
    }
    let mentions = |text: &str, name: &str| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        text.split(|c| !is_part(c)).any(|word| word == name)
    };
    loop {
        let derived = facts.meta.features.iter().filter(|feature| {
            let text = feature.notes.as_deref().unwrap_or_default();
            own.iter().any(|name| mentions(text, name))
        });
        let more: Vec<String> = derived
            .map(|feature| feature.name.clone())
            .filter(|name| !own.contains(name))
            .collect();
        if more.is_empty() {
            return own;
        }
        own.extend(more);
    }
}

/// The name of a feature in the report.
fn label_of(facts: &Facts<'_>, feature: &str) -> String {
    let label = facts.meta.feature(feature).and_then(|f| f.label.as_deref());
    label.map_or_else(|| words(feature), |label| Name::new(label).shown)
}

fn card(
    facts: &Facts<'_>,
    segment: &SegmentRow,
    rows: &[Entry<'_>],
    own: &BTreeSet<String>,
) -> Card {
    let is_known = |entry: &Entry<'_>| entry.known_share(segment) >= LEAST_KNOWN;
    let mut telling: Vec<(&Entry<'_>, f64)> = rows
        .iter()
        .filter(|e| e.row.segment == segment.name && !own.contains(&e.row.feature))
        .filter(|e| is_known(e) && !e.is_tautology)
        .filter_map(|e| e.distance().filter(|d| d.abs() >= HARDLY).map(|d| (e, d)))
        .collect();
    telling.sort_by(|a, b| {
        let by_name =
            || (&a.0.row.feature, &a.0.row.label).cmp(&(&b.0.row.feature, &b.0.row.label));
        b.1.abs().total_cmp(&a.1.abs()).then_with(by_name)
    });
    // One value of a label is enough.
    let mut seen = BTreeSet::new();
    telling.retain(|(e, _)| seen.insert(e.row.feature.as_str()));
    telling.truncate(TELLING);
    Card {
        key: sql::key(&segment.name),
        name: Name::new(&segment.name),
        features: telling
            .into_iter()
            .map(|(e, d)| line_of_card(facts, e, d))
            .collect(),
    }
}

fn line_of_card(facts: &Facts<'_>, entry: &Entry<'_>, distance: f64) -> Telling {
    let reach = (distance / FULL_BAR).clamp(-1.0, 1.0) / 2.0;
    let label = entry.row.label.as_deref().unwrap_or_default();
    Telling {
        key: sql::key(&entry.row.feature),
        feature: feature_words(facts, entry),
        doubt: doubt(facts, entry),
        value: value(facts, entry).at(label),
        base: base(facts, entry).at(label),
        above: distance >= 0.0,
        tone: tone(facts, entry, distance),
        from: position(0.5 + reach.min(0.0)),
        width: position(reach.abs()),
    }
}

/// Why the numbers of a feature are in doubt.
fn doubt(facts: &Facts<'_>, entry: &Entry<'_>) -> Option<String> {
    facts.marks.of(&entry.row.feature).map(Mark::sentence)
}

/// Whether that end of the feature is good: only where the direction is known.
fn tone(facts: &Facts<'_>, entry: &Entry<'_>, distance: f64) -> &'static str {
    let feature = facts.meta.feature(&entry.row.feature);
    match (
        entry.row.label.is_some(),
        feature.and_then(|f| f.direction.as_deref()),
    ) {
        (false, Some("high is good")) if distance > 0.0 => "good",
        (false, Some("low is good")) if distance < 0.0 => "good",
        (false, Some("high is good" | "low is good")) => "bad",
        _ => "neutral",
    }
}

fn feature_words(facts: &Facts<'_>, entry: &Entry<'_>) -> String {
    let declared = facts.meta.feature(&entry.row.feature);
    let feature = declared
        .and_then(|f| f.label.as_deref())
        .map_or_else(|| title(&entry.row.feature), |label| Name::new(label).shown);
    match &entry.row.label {
        Some(label) => format!("{feature}: {}", Name::new(label).shown),
        None => feature,
    }
}

/// The segment's mean, or its members' share of a label.
fn value(facts: &Facts<'_>, entry: &Entry<'_>) -> Num {
    let measure = Measure::of(facts.meta, &entry.row.feature);
    match entry.share {
        Some(share) => Num::new(percent(share), share, "share"),
        None => Num::opt(
            measure.show_opt(entry.row.mean, facts.meta),
            entry.row.mean,
            "mean",
        ),
    }
}

/// The same for all customers.
fn base(facts: &Facts<'_>, entry: &Entry<'_>) -> Num {
    let measure = Measure::of(facts.meta, &entry.row.feature);
    let mean = entry.row.population_mean;
    match entry.population_share {
        Some(share) => Num::new(percent(share), share, "population_share"),
        None => Num::opt(measure.show_opt(mean, facts.meta), mean, "population_mean"),
    }
}

/// All features in the order of the table in which any segment differs, the rare values of labels left out.
fn lines(facts: &Facts<'_>, segments: &[&str], rows: &[Entry<'_>]) -> Vec<Line> {
    let mut keys: Vec<(&str, Option<&str>)> = Vec::new();
    let mut known: BTreeSet<(&str, Option<&str>)> = BTreeSet::new();
    for e in rows {
        let key = (e.row.feature.as_str(), e.row.label.as_deref());
        let differs = e.distance().is_some_and(|d| d.abs() >= HARDLY);
        if differs && (key.1.is_none() || e.rank_among_labels < MOST_LABELS) && known.insert(key) {
            keys.push(key);
        }
    }
    let mut by_key: HashMap<(&str, Option<&str>), HashMap<&str, &Entry<'_>>> = HashMap::new();
    let mut firsts: HashMap<(&str, Option<&str>), &Entry<'_>> = HashMap::new();
    for e in rows {
        let key = (e.row.feature.as_str(), e.row.label.as_deref());
        let own = by_key.entry(key).or_default();
        own.entry(&e.row.segment).or_insert(e);
        firsts.entry(key).or_insert(e);
    }
    let line = |(feature, label): (&str, Option<&str>)| {
        let first = *firsts.get(&(feature, label))?;
        let own = by_key.get(&(feature, label))?;
        let cell = |segment: &&str| cell(facts, segment, own.get(segment).copied());
        Some(Line {
            key: sql::key(feature),
            label: sql::key(label.unwrap_or_default()),
            base_key: sql::key(&first.row.segment),
            feature: feature_words(facts, first),
            doubt: doubt(facts, first),
            base: base(facts, first).at(&first.row.segment),
            cells: segments.iter().map(cell).collect(),
        })
    };
    keys.into_iter().filter_map(line).collect()
}

fn cell(facts: &Facts<'_>, segment: &str, entry: Option<&Entry<'_>>) -> Cell {
    let Some(entry) = entry else {
        return Cell {
            value: Num::opt(NONE, None, "mean"),
            class: String::new(),
            hardly: true,
            detail: String::new(),
        };
    };
    let distance = entry.distance().unwrap_or(0.0);
    let size = match distance.abs() {
        d if d < HARDLY => 0,
        d if d < 0.5 => 1,
        d if d < 1.0 => 2,
        _ => 3,
    };
    let side = match (tone(facts, entry, distance), distance >= 0.0) {
        ("good", _) => "g",
        ("bad", _) => "d",
        (_, true) => "a",
        (_, false) => "b",
    };
    Cell {
        value: value(facts, entry).at(segment),
        class: match size {
            0 => String::new(),
            size => format!("{side}{size}"),
        },
        hardly: size == 0,
        detail: match entry.distance() {
            Some(d) => format!("{}: effect {}", Name::new(segment).shown, one_decimal(d)),
            None => String::new(),
        },
    }
}
