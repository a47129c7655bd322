//! Per scheme: the customers, value and KPI of each segment, and its playbook.

use serde::Serialize;

use super::acting::{Doubt, segments_query};
use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Kind, Scheme};
use crate::number::{Measure, count, counted, money_short, percent, position};
use crate::record::SegmentRow;
use crate::sql::{self, Num, Query};
use crate::text::{Name, printable, shortened, words};

pub(super) const SECTION: Section = Section {
    name: "sizes",
    title: "Segments",
    template: include_str!("../../templates/sections/sizes.html"),
    build: Build::Scheme(build),
};

/// Longest rule shown, in characters; the table holds the whole.
const LONGEST_RULE: usize = 600;

#[derive(Serialize)]
struct View {
    sentence: Sentence,
    kpi: Option<String>,
    target: Option<String>,
    has_value: bool,
    value: String,
    has_playbooks: bool,
    /// Whether the table is set small, since an attribute may have many similar values.
    small: bool,
    has_risk: bool,
    doubt_of: Doubt,
    rows: Vec<Row>,
    lost: Vec<Lost>,
    reached: Vec<Reached>,
    rules: Vec<Rule>,
    query: Query,
    unserved: Option<String>,
}

/// The main figures of the table as a sentence.
#[derive(Serialize)]
struct Sentence {
    largest: Name,
    largest_share: Num,
    largest_key: String,
    /// The largest segment's share of the value, where no other has more.
    also_richest: Option<Num>,
    /// Another segment with the most value, its shares of value and customers.
    richest: Option<(Name, Num, Num)>,
    richest_key: String,
    /// The segment with the most value at risk.
    stake: Option<(Name, Num)>,
    stake_key: String,
}

/// A segment of which most members have left.
#[derive(Serialize)]
struct Lost {
    key: String,
    name: Name,
    left: Num,
    /// What one of them brought per period.
    worth: Option<Num>,
    per: String,
}

/// How many members of a segment may be contacted.
#[derive(Serialize)]
struct Reached {
    name: Name,
    /// "62.0% of 1,234".
    share: String,
    /// Of how many it is not known.
    unknown: Option<String>,
}

#[derive(Serialize)]
struct Row {
    key: String,
    name: Name,
    customers: Num,
    share: Num,
    /// Bar lengths in percent of the longest bar of the column.
    share_bar: String,
    value: Num,
    value_share: Num,
    value_bar: String,
    /// Value at risk.
    risk: Num,
    risk_bar: String,
    kpi: Num,
    /// Members with a KPI, where most have none.
    few: Option<Num>,
    meets: Option<bool>,
    lost: bool,
    playbook: Option<String>,
    /// What the playbook is to achieve.
    goal: Option<String>,
    /// Owner, touch and channel.
    duty: Vec<String>,
}

#[derive(Serialize)]
struct Rule {
    name: Name,
    rule: String,
}

fn build(facts: &Facts<'_>, scheme: &Scheme) -> Result<Part, ReportError> {
    let largest = |shares: &mut dyn Iterator<Item = f64>| shares.fold(0.0_f64, f64::max);
    let widest = largest(&mut scheme.segments.iter().map(|s| scheme.share(s)));
    let richest = largest(&mut scheme.segments.iter().filter_map(|s| s.value_share));
    let row = |s: &SegmentRow| row(facts, scheme, s, widest, richest);
    let rule = |s: &SegmentRow| {
        s.rule
            .as_deref()
            .filter(|r| !r.trim().is_empty())
            .map(|r| Rule {
                name: Name::new(&s.name),
                rule: shortened(&printable(r), LONGEST_RULE),
            })
    };
    let unserved = scheme
        .segments
        .iter()
        .filter(|s| s.playbook.is_none())
        .count();
    let has_playbooks = unserved < scheme.segments.len();
    Part::ready(View {
        sentence: sentence(facts, scheme),
        kpi: scheme
            .segments
            .iter()
            .any(|s| s.kpi.is_some())
            .then_some(facts.kpi.as_ref())
            .flatten()
            .map(|k| words(&k.name)),
        target: facts.kpi.as_ref().and_then(|k| k.target_words(facts.meta)),
        has_value: scheme.value().is_some(),
        value: facts
            .meta
            .value
            .as_deref()
            .map_or_else(|| "value".to_owned(), words),
        has_playbooks,
        small: scheme.kind == Kind::Attribute,
        has_risk: scheme.at_risk().is_some(),
        doubt_of: Doubt::of(facts),
        rows: scheme.segments.iter().map(row).collect(),
        lost: lost(facts, scheme),
        reached: reached(facts, scheme),
        query: segments_query(facts, scheme),
        rules: scheme.segments.iter().filter_map(rule).collect(),
        unserved: match unserved as i64 {
            0 => None,
            _ if !has_playbooks => Some("No segment of this scheme has a playbook yet.".to_owned()),
            n => Some(format!(
                "{} no playbook yet.",
                counted(n, "segment has", "segments have")
            )),
        },
    })
}

fn row(facts: &Facts<'_>, scheme: &Scheme, s: &SegmentRow, widest: f64, richest: f64) -> Row {
    let kpi = facts.kpi.as_ref();
    let share = scheme.share(s);
    let bar =
        |share: f64, longest: f64| position(if longest > 0.0 { share / longest } else { 0.0 });
    let duty = [s.owner.as_deref(), s.touch.as_deref(), s.channel.as_deref()];
    let most_risk = scheme.largest_at_risk();
    Row {
        key: sql::key(&s.name),
        name: Name::new(&s.name),
        customers: Num::count(s.customers, "customers"),
        share: Num::new(percent(share), share, "share"),
        share_bar: bar(share, widest),
        value: Num::opt(
            facts
                .value_measure()
                .show_beside(s.value, scheme.largest_value(), facts.meta),
            s.value,
            "value",
        ),
        value_share: Num::opt(
            s.value_share.map_or_else(String::new, percent),
            s.value_share,
            "value_share",
        ),
        value_bar: bar(s.value_share.unwrap_or(0.0), richest),
        risk: Num::opt(
            Measure::Money.show_beside(s.value_at_risk, most_risk, facts.meta),
            s.value_at_risk,
            "value_at_risk",
        ),
        risk_bar: bar(s.value_at_risk.unwrap_or(0.0), most_risk),
        kpi: Num::opt(
            kpi.map_or_else(String::new, |k| {
                k.measure
                    .show_beside(s.kpi, scheme.largest_kpi(), facts.meta)
            }),
            s.kpi,
            "kpi",
        ),
        few: kpi
            .and(s.few_with_kpi())
            .map(|known| Num::count(known, "kpi_customers")),
        meets: kpi.and(facts.meets(s.kpi)),
        lost: s.is_lost,
        playbook: s.playbook.as_deref().map(words),
        goal: s.goal.as_deref().map(printable),
        duty: duty
            .into_iter()
            .flatten()
            .map(|d| Name::new(d).shown)
            .collect(),
    }
}

/// Who may be contacted, by the gate `actionable`: of each segment the share of those of whom it is known, and how many these are.
fn reached(facts: &Facts<'_>, scheme: &Scheme) -> Vec<Reached> {
    let value = |segment: &str, metric: &str| {
        let mut rows = facts.quality.iter().flatten();
        let row = rows.find(|row| {
            let of = (row.scheme.as_str(), row.segment.as_str());
            of == (scheme.name.as_str(), segment)
                && row.criterion == "actionable"
                && row.metric == metric
        });
        row?.value
    };
    let reached = |s: &SegmentRow| {
        let known = value(&s.name, "reachable_known_share").unwrap_or(1.0);
        let share = value(&s.name, "reachable_share");
        if share.is_none() && known >= 1.0 {
            return None;
        }
        let base = (known * s.customers as f64).round() as i64;
        let unknown = s.customers - base;
        Some(Reached {
            name: Name::new(&s.name),
            share: match share {
                Some(share) => format!("{} of {}", percent(share), count(base)),
                None => "not known of anybody".to_owned(),
            },
            unknown: (unknown > 0 && share.is_some()).then(|| count(unknown)),
        })
    };
    scheme.segments.iter().filter_map(reached).collect()
}

/// Segments of which more members have left than can still be lost.
fn lost(facts: &Facts<'_>, scheme: &Scheme) -> Vec<Lost> {
    let lost = |s: &SegmentRow| {
        let left = s.left_customers.filter(|_| s.is_lost)?;
        let worth = s.win_back_value.map(|worth| {
            let shown = Measure::Money.show(worth, facts.meta);
            Num::new(shown, worth, "win_back_value")
        });
        Some(Lost {
            key: sql::key(&s.name),
            name: Name::new(&s.name),
            left: Num::count(left, "left_customers"),
            worth,
            per: printable(facts.meta.value_per.as_deref().unwrap_or("month")),
        })
    };
    scheme.segments.iter().filter_map(lost).collect()
}

fn sentence(facts: &Facts<'_>, scheme: &Scheme) -> Sentence {
    let first_largest = |number: &dyn Fn(&SegmentRow) -> f64| {
        scheme
            .segments
            .iter()
            .reduce(|best, s| if number(s) > number(best) { s } else { best })
    };
    let largest = first_largest(&|s| s.customers as f64);
    let most_value = first_largest(&|s| s.value_share.unwrap_or(f64::NEG_INFINITY))
        .filter(|s| s.value_share.is_some());
    let (also, other): (Vec<&SegmentRow>, Vec<&SegmentRow>) = most_value
        .into_iter()
        .partition(|s| largest.is_some_and(|l| l.name == s.name));
    let stake = first_largest(&|s| s.value_at_risk.unwrap_or(0.0));
    let at_stake = stake.and_then(|s| {
        let risk = s.value_at_risk.filter(|risk| *risk > 0.0)?;
        let shown = money_short(risk, facts.meta.currency.as_deref());
        Some((Name::new(&s.name), Num::new(shown, risk, "value_at_risk")))
    });
    let share = |share: f64| Num::new(percent(share), share, "share");
    let value_share = |share: f64| Num::new(percent(share), share, "value_share");
    let named = |s: &&SegmentRow| {
        let own = s.value_share?;
        Some((Name::new(&s.name), value_share(own), share(scheme.share(s))))
    };
    Sentence {
        largest: Name::new(largest.map_or("", |s| &s.name)),
        largest_key: sql::key(largest.map_or("", |s| &s.name)),
        largest_share: share(largest.map_or(0.0, |s| scheme.share(s))),
        also_richest: also.first().and_then(|s| s.value_share).map(value_share),
        richest: other.first().and_then(named),
        richest_key: sql::key(other.first().map_or("", |s| &s.name)),
        stake: at_stake,
        stake_key: sql::key(stake.map_or("", |s| &s.name)),
    }
}
