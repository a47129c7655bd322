//! The headline figures: number of customers, KPI, value and value at risk, each with its change since the version before.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::column::Table;
use crate::comparable::Figure as Compared;
use crate::due;
use crate::facts::Facts;
use crate::input::TargetMeta;
use crate::key::{Key, keys};
use crate::mark::Mark;
use crate::number::{Measure, count, counted, money_short, percent};
use crate::sql::{self, Num, Piece, Query};
use crate::text::{self, printable, title, words};
use crate::version::{ACTIVE, AT_RISK};

pub(super) const SECTION: Section = Section {
    name: "headline",
    title: "At a glance",
    template: include_str!("../../templates/sections/headline.html"),
    build: Build::Front(build),
};

/// Columns that `[value]` of a pipeline adds to `customers`.
const DECLARED_VALUES: [&str; 3] = ["value_now", "value_future", "value_past"];

#[derive(Serialize)]
struct View {
    /// That the figures are those of a sample.
    sample: Option<String>,
    figures: Vec<Figure>,
    /// Objective, owner, review.
    goal: Vec<Piece>,
    overdue: bool,
}

/// A figure shown in a large font.
#[derive(Serialize)]
struct Figure {
    label: String,
    number: Num,
    /// Since the version before.
    change: Option<Change>,
    /// Why the change is not shown: the version before has the figure in another currency, unit or period, or of other customers.
    incomparable: Option<String>,
    note: Vec<Piece>,
    /// The change for those who were there before, with its own tone: that of the figure is about all.
    kept: Option<Kept>,
    /// good, bad or neutral; the note says the same as text.
    tone: &'static str,
    /// Why the number is in doubt.
    warning: Option<String>,
    query: Query,
}

#[derive(Serialize)]
struct Kept {
    words: Vec<Piece>,
    tone: &'static str,
}

#[derive(Serialize)]
struct Change {
    number: Num,
    tone: &'static str,
}

/// Which way is good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Good {
    High,
    Low,
    Neither,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let mut figures = vec![customers(facts)?];
    figures.extend(kpi(facts)?);
    figures.extend(value(facts)?);
    figures.extend(at_risk(facts)?);
    let (goal, overdue) = goal(facts);
    if facts.meta.sample.is_some() {
        for figure in &mut figures {
            figure.label.push_str(", of the sample");
        }
    }
    Part::ready(View {
        sample: facts.sample_words(),
        figures,
        goal,
        overdue,
    })
}

/// A query of one figure over `customers`, with the same of the version before.
fn over_customers(
    facts: &Facts<'_>,
    (name, aggregate, more): (&str, &str, &str),
    incomparable: Option<&str>,
) -> Query {
    let now = facts.from("customers");
    Query::one(match facts.earlier() {
        Some(before) if incomparable.is_none() => format!(
            "with now as (select {aggregate} as {name}{more} from {now}),\n  before as (select {aggregate} as {name} from {})\n\
             select now.*, now.{name} - before.{name} as change from now, before",
            before.from()
        ),
        _ => format!("select {aggregate} as {name}{more} from {now}"),
    })
}

/// How a number changed, in words; nothing where both are not comparable.
fn change(
    (now, before): (Option<f64>, Option<f64>),
    good: Good,
    show: &dyn Fn(f64) -> String,
    incomparable: Option<&str>,
) -> Option<Change> {
    if incomparable.is_some() {
        return None;
    }
    let change = now? - before?;
    let shown = signed(change, show);
    Some(Change {
        tone: tone_of(&shown, good),
        number: Num::new(shown, change, "change"),
    })
}

/// The tone of a change that is shown with its direction.
fn tone_of(shown: &str, good: Good) -> &'static str {
    match (shown.chars().next(), good) {
        (_, Good::Neither) | (Some('±'), _) => "neutral",
        (Some('▲'), Good::High) | (Some('▼'), Good::Low) => "good",
        _ => "bad",
    }
}

/// A change with its direction; what is shown as no change is none.
fn signed(change: f64, show: &dyn Fn(f64) -> String) -> String {
    let shown = show(change.abs());
    let sign = match change {
        _ if shown == show(0.0) => "±",
        c if c > 0.0 => "▲",
        c if c < 0.0 => "▼",
        _ => "±",
    };
    format!("{sign} {shown}")
}

/// Customers with a number of a column in both versions, and the mean change of it.
fn kept(facts: &Facts<'_>, column: &str) -> Result<Option<(i64, f64)>, ReportError> {
    let before = facts.earlier_with(column).map(|before| before.customers);
    let (Some(key), Some(now), Some(before)) = (facts.meta.key.as_deref(), facts.people(), before)
    else {
        return Ok(None);
    };
    if !(now.has(key) && before.has(key)) {
        return Ok(None);
    }
    let known = |(key, value): (Option<Key<'_>>, Option<f64>)| Some((key?.text(), value?));
    let earlier = keys(before, key)?.into_iter().zip(before.numbers(column)?);
    let earlier: BTreeMap<String, f64> = earlier.filter_map(known).collect();
    let now = keys(now, key)?.into_iter().zip(now.numbers(column)?);
    let changes = now.filter_map(known);
    let changes = changes.filter_map(|(key, value)| Some(value - earlier.get(&key)?));
    let (count, sum) = changes.fold((0, 0.0), |(count, sum), change| (count + 1, sum + change));
    Ok((count > 0).then(|| (count, sum / count as f64)))
}

/// What `kept` finds, in SQL.
fn kept_in_sql(facts: &Facts<'_>, column: &str) -> Option<String> {
    let (key, before) = (facts.meta.key.as_deref()?, facts.earlier()?);
    let (key, column) = (sql::column(key), sql::column(column));
    let both = format!(
        "from {} as n join {} as b using ({key})",
        facts.from("customers"),
        before.from()
    );
    let change = format!("n.{column} - b.{column}");
    Some(format!(
        ",\n  (select count({change}) {both}) as kept, (select avg({change}) {both}) as kept_change"
    ))
}

fn customers(facts: &Facts<'_>) -> Result<Figure, ReportError> {
    let now = facts.customers;
    let before = facts.earlier().map(|before| before.customers.rows() as f64);
    let mut note = Vec::new();
    let alive = facts.kpi.as_ref().and_then(|kpi| kpi.known);
    let mut more = String::new();
    if let (Some(kpi), Some(alive), Some(now)) = (&facts.kpi, alive, now)
        && alive != now
    {
        let share = percent(alive as f64 / now.max(1) as f64);
        note.push(Num::count(alive, "known").into());
        note.push(format!(" ({share}) have a {}", words(&kpi.name)).into());
        more = format!(", count({}) as known", sql::column(&kpi.name));
    }
    if let Some(closed) = facts.input.closed {
        if !note.is_empty() {
            note.push("; ".into());
        }
        let accounts = counted(closed, "closed account", "closed accounts");
        note.push(Num::count(closed, "closed").shown_as(accounts).into());
        note.push(" left out".into());
        let all = sql::from("customers", facts.input.files.get("customers"));
        more.push_str(&format!(
            ", (select count(*) from {all} where not {ACTIVE}) as closed"
        ));
    }
    let apart = facts.uncompared(Compared::Customers);
    Ok(Figure {
        label: "Customers".to_owned(),
        number: now.map_or_else(
            || Num::opt(crate::number::NONE, None, "customers"),
            |now| Num::count(now, "customers"),
        ),
        change: change(
            (now.map(|n| n as f64), before),
            Good::Neither,
            &|c| count(c as i64),
            apart.as_deref(),
        ),
        note,
        kept: None,
        tone: "neutral",
        warning: None,
        query: over_customers(facts, ("customers", "count(*)", &more), apart.as_deref()),
        incomparable: apart,
    })
}

fn kpi(facts: &Facts<'_>) -> Result<Option<Figure>, ReportError> {
    let Some(kpi) = &facts.kpi else {
        return Ok(None);
    };
    let target = kpi.target_words(facts.meta);
    let warning = facts.marks.of(&kpi.name).map(Mark::in_short);
    let (note, tone) = match (kpi.met(kpi.overall), target) {
        // A number in doubt is compared with the target, but not shown as good.
        (Some(true), Some(target)) if warning.is_some() => {
            (format!("would meet the target: {target}"), "neutral")
        }
        (Some(true), Some(target)) => (format!("✓ meets the target: {target}"), "good"),
        (Some(false), Some(target)) => (format!("✗ misses the target: {target}"), "bad"),
        (_, Some(target)) => (format!("target: {target}"), "neutral"),
        (_, None) => ("no target declared".to_owned(), "neutral"),
    };
    let earlier = facts.earlier_with(&kpi.name);
    let before = earlier.map(|before| before.customers.mean(&kpi.name));
    let before = before.transpose()?.flatten();
    let good = match kpi.target {
        _ if kpi.is_base_rate => Good::Neither,
        Some(TargetMeta::Below(_)) => Good::Low,
        Some(TargetMeta::Above(_)) => Good::High,
        None => Good::Neither,
    };
    let show = |change: f64| match kpi.measure {
        // The difference of two percentages is in points.
        Measure::Percent => format!("{:.1} points", change * 100.0),
        measure => measure.show(change, facts.meta),
    };
    let aggregate = format!("avg({})", sql::column(&kpi.name));
    let apart = facts.uncompared(Compared::Column(&kpi.name, kpi.measure));
    let change = change((kpi.overall, before), good, &show, apart.as_deref());
    let (mut of_kept, mut more) = (None, None);
    // Who came or left changes the mean of all, though nothing has changed for anybody.
    if let (Some(change), Some((customers, by))) = (&change, kept(facts, &kpi.name)?)
        && change.number.shown != signed(by, &show)
    {
        let shown = signed(by, &show);
        let tone = tone_of(&shown, good);
        let by = Num::new(shown, by, "kept_change");
        let customers = Num::count(customers, "kept");
        let words = vec![
            by.into(),
            " for the ".into(),
            customers.into(),
            " there before".into(),
        ];
        of_kept = Some(Kept { words, tone });
        more = kept_in_sql(facts, &kpi.name);
    }
    Ok(Some(Figure {
        label: kpi_label(facts, &kpi.name),
        number: Num::opt(
            kpi.measure.show_opt(kpi.overall, facts.meta),
            kpi.overall,
            "kpi",
        ),
        change,
        note: vec![note.into()],
        kept: of_kept,
        tone,
        warning,
        query: over_customers(
            facts,
            ("kpi", &aggregate, more.as_deref().unwrap_or_default()),
            apart.as_deref(),
        ),
        incomparable: apart,
    }))
}

/// "Probability of churn, mean", by the label that the pipeline gives the KPI; else by its name.
fn kpi_label(facts: &Facts<'_>, name: &str) -> String {
    let label = facts.meta.feature(name).and_then(|f| f.label.as_deref());
    match label {
        Some(label) => format!("{}, mean", title(label)),
        None => format!("Mean {}", words(name)),
    }
}

/// The sum of a column, now and before.
fn sums(facts: &Facts<'_>, column: &str) -> Result<(Option<f64>, Option<f64>), ReportError> {
    let sum = |table: Table<'_>| -> Result<Option<f64>, ReportError> {
        let (sum, known) = table.sum(column)?;
        Ok((known > 0).then_some(sum))
    };
    let now = facts.people().map(sum).transpose()?.flatten();
    let before = facts.earlier_with(column);
    let before = before.map(|before| sum(before.customers));
    Ok((now, before.transpose()?.flatten()))
}

fn value(facts: &Facts<'_>) -> Result<Option<Figure>, ReportError> {
    let (mut now, mut before, mut query) = (facts.value, None, None);
    let mut apart = None;
    if let Some(column) = facts.value_column() {
        (now, before) = sums(facts, column)?;
        apart = facts.uncompared(Compared::Column(column, facts.value_measure()));
        let aggregate = format!("sum({})", sql::column(column));
        let figure = ("value", aggregate.as_str(), "");
        query = Some(over_customers(facts, figure, apart.as_deref()));
    }
    let Some(value) = now else { return Ok(None) };
    let query = query.unwrap_or_else(|| {
        let scheme = facts.schemes.iter().flatten().find(|s| s.value().is_some());
        Query::one(format!(
            "select sum(value) as value from {} where scheme = {}",
            facts.from("segments"),
            sql::quoted(scheme.map_or("", |s| &s.name))
        ))
    });
    let name = facts.meta.value.as_deref();
    let declared = name.filter(|name| DECLARED_VALUES.contains(name));
    let label = match (declared, name) {
        (Some(declared), _) => title(declared),
        (None, Some(name)) => format!("Value ({})", words(name)),
        (None, None) => "Value".to_owned(),
    };
    let per = facts.meta.value_per.as_deref().map(printable);
    let each = facts.customers.filter(|&n| n > 0).map(|n| {
        let each = facts.value_measure().show(value / n as f64, facts.meta);
        format!("{each} a customer")
    });
    let note: Vec<String> = per
        .map(|per| format!("per {per}"))
        .into_iter()
        .chain(each)
        .collect();
    Ok(Some(Figure {
        label,
        number: Num::new(facts.value_short(value), value, "value"),
        change: change(
            (Some(value), before),
            Good::High,
            &|c| facts.value_short(c),
            apart.as_deref(),
        ),
        note: vec![note.join("; ").into()],
        kept: None,
        tone: "neutral",
        warning: match declared {
            None => Some("the pipeline declares no [value]".to_owned()),
            Some(declared) => facts.marks.of(declared).map(Mark::in_short),
        },
        incomparable: apart,
        query,
    }))
}

/// The part of the future value that is expected to be lost.
fn at_risk(facts: &Facts<'_>) -> Result<Option<Figure>, ReportError> {
    let (Some(now), before) = sums(facts, AT_RISK)? else {
        return Ok(None);
    };
    let short = |value: f64| money_short(value, facts.meta.currency.as_deref());
    let apart = facts.uncompared(Compared::Column(AT_RISK, Measure::Money));
    let aggregate = format!("sum({AT_RISK})");
    Ok(Some(Figure {
        label: "Value at risk".to_owned(),
        number: Num::new(short(now), now, AT_RISK),
        change: change((Some(now), before), Good::Low, &short, apart.as_deref()),
        note: vec!["risk of loss × future value".into()],
        kept: None,
        tone: "neutral",
        warning: facts.marks.of(AT_RISK).map(Mark::in_short),
        query: over_customers(facts, (AT_RISK, &aggregate, ""), apart.as_deref()),
        incomparable: apart,
    }))
}

/// The goal in a sentence, and whether its review is overdue.
fn goal(facts: &Facts<'_>) -> (Vec<Piece>, bool) {
    let Some(goal) = &facts.meta.goal else {
        return (Vec::new(), false);
    };
    let mut parts = Vec::new();
    parts.extend(
        goal.objective
            .as_deref()
            .map(|objective| format!("Goal: {}", words(objective))),
    );
    parts.extend(
        goal.owner
            .as_deref()
            .map(|owner| format!("owner: {}", text::Name::new(owner).shown)),
    );
    let mut overdue = false;
    if let Some(on) = goal.review_by {
        let (due, is_overdue) = due::due(on, facts.meta.as_of);
        overdue = is_overdue;
        parts.push(format!("review by {}: {due}", text::date(on)));
    }
    (vec![parts.join("; ").into()], overdue)
}
