//! The customers to act on first: those with the most value at risk among all that have a playbook, and where nothing says what
//! customers are worth those who are lost with the highest probability. Keys that are names or addresses are hashed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::acting::Doubt;
use super::{Build, Part, Section};
use crate::ReportError;
use crate::column::Table;
use crate::facts::Facts;
use crate::key::{Key, hashed, is_personal, keys};
use crate::number::{Measure, count};
use crate::sql::{self, Num, Query};
use crate::text::{Name, printable, shortened, words};

pub(super) const SECTION: Section = Section {
    name: "act_on",
    title: "Whom to act on",
    template: include_str!("../../templates/sections/act_on.html"),
    build: Build::Front(build),
};

/// Ends of the columns of a score with its strongest reason, and with the side to which the reasons move it.
const FIRST_REASON: &str = "_reason_1";
const SIDE: &str = "_reasons_direction";
const RAISES: &str = "raises";

/// Longest reason and goal shown, in characters.
const LONGEST_TEXT: usize = 160;

#[derive(Serialize)]
struct View {
    rows: Vec<Row>,
    customers: String,
    has_risk: bool,
    doubt_of: Doubt,
    has_value: bool,
    has_loss: bool,
    /// Why the probability of loss is in doubt.
    doubt_of_loss: Option<String>,
    /// How to find a customer again, where keys are hashed.
    find: Option<String>,
    query: Query,
}

#[derive(Serialize)]
struct Row {
    key: String,
    customer: String,
    segment: Name,
    playbook: String,
    goal: Option<String>,
    owner: Option<String>,
    reason: String,
    value: Num,
    risk: Num,
    loss: Num,
}

/// The columns of `actions`.
struct Actions<'a> {
    keys: Vec<Option<Key<'a>>>,
    segment: Vec<Option<&'a str>>,
    playbook: Vec<Option<&'a str>>,
    scheme: Vec<Option<&'a str>>,
    goal: Vec<Option<&'a str>>,
    owner: Vec<Option<&'a str>>,
    reason: Vec<Option<&'a str>>,
    value: Vec<Option<f64>>,
    risk: Vec<Option<f64>>,
    /// Probability of loss, where nothing says what customers are worth.
    loss: Vec<Option<f64>>,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    if facts.on_first_page == 0 {
        return Ok(Part::NotApplicable);
    }
    let Some(table) = Table::open(facts.input, "actions") else {
        return Part::not_computed(
            "this version has no `actions` table: no segment has a playbook",
        );
    };
    let Some(key) = facts.meta.key.as_deref().filter(|key| table.has(key)) else {
        return Part::not_computed("the `actions` table has no key");
    };
    let actions = Actions::read(facts, table, key)?;
    let first = actions.first(facts.on_first_page);
    if first.is_empty() {
        return Part::not_computed(actions.lacking());
    }
    let personal = is_personal(key, &actions.keys);
    let largest = |of: &[Option<f64>]| {
        let known = first.iter().filter_map(|&i| of[i]);
        known.map(f64::abs).fold(0.0, f64::max)
    };
    let (most_value, most_risk) = (largest(&actions.value), largest(&actions.risk));
    let shown = first.iter().filter_map(|&i| actions.keys[i]).collect();
    let raised = raised(facts, key, &shown)?;
    let row = |&i: &usize| {
        let mut row = actions.row(facts, i, personal, most_value, most_risk)?;
        if let Some(why) = actions.keys[i].and_then(|key| raised.get(&key)?.as_ref()) {
            row.reason = format!("{why}; {}", row.reason);
        }
        Some(row)
    };
    Part::ready(View {
        rows: first.iter().filter_map(row).collect(),
        customers: count(first.len() as i64),
        has_risk: most_risk > 0.0,
        doubt_of: Doubt::of(facts),
        has_value: most_value > 0.0,
        has_loss: facts.meta.loss.is_some(),
        doubt_of_loss: facts.meta.loss.as_deref().and_then(|column| {
            let mark = facts.marks.of(column)?;
            Some(mark.sentence())
        }),
        find: personal.then(|| find(facts, key)),
        query: match &facts.meta.loss {
            Some(loss) => query_by_loss(facts, key, loss, personal),
            None => query(facts, key, personal),
        },
    })
}

/// What raises the probability of loss of these customers most: the first reason of the first score that states one. Where it is
/// known of which scores the value at risk is made, of these the first that has reasons for a customer decides: what another one says
/// is not why this value is at risk. `None` where it lowers the probability.
fn raised<'a>(
    facts: &Facts<'a>,
    key: &str,
    shown: &BTreeSet<Key<'_>>,
) -> Result<BTreeMap<Key<'a>, Option<String>>, ReportError> {
    let mut found = BTreeMap::new();
    let Some(people) = facts.people().filter(|people| people.has(key)) else {
        return Ok(found);
    };
    let keys = keys(people, key)?;
    let columns = people.text_columns();
    let has_reasons = |score: &&str| columns.contains(&format!("{score}{FIRST_REASON}").as_str());
    let of_risk: Vec<&str> = facts
        .meta
        .risk
        .iter()
        .map(String::as_str)
        .filter(has_reasons)
        .collect();
    let scores = match of_risk.is_empty() {
        true => columns
            .iter()
            .filter_map(|name| name.strip_suffix(FIRST_REASON))
            .collect(),
        false => of_risk.clone(),
    };
    for score in scores {
        let reasons = people.text(&format!("{score}{FIRST_REASON}"))?;
        let sides = people.text(&format!("{score}{SIDE}"))?;
        for (row, key) in keys.iter().enumerate() {
            let Some(key) = key.filter(|key| shown.contains(key)) else {
                continue;
            };
            let Some(reason) = reasons[row] else { continue };
            let raises = sides[row] == Some(RAISES);
            if raises || !of_risk.is_empty() {
                let text = || raises.then(|| shortened(&printable(reason), LONGEST_TEXT));
                found.entry(key).or_insert_with(text);
            }
        }
    }
    Ok(found)
}

/// The key as the page shows it, in SQL.
fn shown_key(key: &str, personal: bool) -> String {
    let text = format!("cast({} as varchar)", sql::column(key));
    match personal {
        true => format!("left(sha256({text}), 12)"),
        false => text,
    }
}

fn find(facts: &Facts<'_>, key: &str) -> String {
    format!(
        "select {} from {} where {} = '…'",
        sql::column(key),
        facts.from("customers"),
        shown_key(key, true)
    )
}

/// By which customers are put in order: those with the most value at risk first, then those with the most value.
const MOST_FIRST: &str = "value_at_risk desc nulls last, value_now desc nulls last";

/// The customers that [`Actions::first`] gives, each with the first of their playbooks.
fn query(facts: &Facts<'_>, key: &str, personal: bool) -> Query {
    let raw = sql::column(key);
    Query::by(
        &["customer", "playbook"],
        format!(
            "select {} as customer, playbook, value_now, value_at_risk\nfrom {}\n\
             where coalesce(value_at_risk, value_now) > 0\n\
             qualify row_number() over (partition by {raw} order by {MOST_FIRST}, playbook) = 1\n\
             order by {MOST_FIRST}, {raw} limit {}",
            shown_key(key, personal),
            facts.from("actions"),
            facts.on_first_page
        ),
    )
}

/// The same where nothing says what customers are worth.
fn query_by_loss(facts: &Facts<'_>, key: &str, loss: &str, personal: bool) -> Query {
    let (raw, column) = (sql::column(key), sql::column(loss));
    Query::by(
        &["customer", "playbook"],
        format!(
            "select {} as customer, a.playbook, c.{column} as loss\nfrom {} a join {} c using ({raw})\nwhere c.{column} > 0\n\
             qualify row_number() over (partition by {raw} order by a.playbook) = 1\n\
             order by c.{column} desc, {raw} limit {}",
            shown_key(key, personal),
            facts.from("actions"),
            facts.from("customers"),
            facts.on_first_page
        ),
    )
}

/// The probability of loss of each of these customers; unknown for all where something says what customers are worth.
fn losses(
    facts: &Facts<'_>,
    key: &str,
    of: &[Option<Key<'_>>],
) -> Result<Vec<Option<f64>>, ReportError> {
    let people = facts.people().filter(|people| people.has(key));
    let column = facts.meta.loss.as_deref();
    let found = people
        .zip(column)
        .filter(|(people, column)| people.has(column));
    let Some((people, column)) = found else {
        return Ok(vec![None; of.len()]);
    };
    let known = keys(people, key)?.into_iter().zip(people.numbers(column)?);
    let known: BTreeMap<Key<'_>, f64> = known.filter_map(|(key, loss)| key.zip(loss)).collect();
    Ok(of
        .iter()
        .map(|key| known.get(key.as_ref()?).copied())
        .collect())
}

impl<'a> Actions<'a> {
    fn read(facts: &Facts<'_>, table: Table<'a>, key: &str) -> Result<Self, ReportError> {
        let keys = keys(table, key)?;
        Ok(Self {
            loss: losses(facts, key, &keys)?,
            keys,
            segment: table.text("segment")?,
            playbook: table.text("playbook")?,
            scheme: table.text("scheme")?,
            goal: table.text("goal")?,
            owner: table.text("owner")?,
            reason: table.text("reason")?,
            value: table.numbers("value_now")?,
            risk: table.numbers("value_at_risk")?,
        })
    }

    /// Why nobody can be put in order, and what to state.
    fn lacking(&self) -> &'static str {
        let known = |of: &[Option<f64>]| of.iter().any(Option::is_some);
        match (
            self.keys.is_empty(),
            known(&self.risk) || known(&self.value),
        ) {
            (true, _) => "no customer is in a segment with a playbook",
            _ if known(&self.loss) => {
                "no customer of a segment with a playbook has a probability of loss above 0"
            }
            (false, true) => {
                "no customer of a segment with a playbook has value at risk or value now above 0"
            }
            (false, false) => {
                "nothing says who comes first: customers are put in order by value at risk, or else by value now, and `[value]` of the \
                 pipeline gives neither to those with a playbook. State `risk`, the probability of losing a customer, such as \
                 `no_purchase_probability` of a `clv` score or that of a `supervised` one, beside `future`; or `now`. Where customers have no \
                 money at all, a `supervised` score is enough"
            }
        }
    }

    /// Rows of the customers with the most value at risk, then with the most value, then with the highest probability of loss, each customer once: with the first of the
    /// playbooks that come first for them.
    fn first(&self, most: usize) -> Vec<usize> {
        let amount = |amount: Option<f64>| amount.unwrap_or(f64::NEG_INFINITY);
        let mut rows: Vec<usize> = (0..self.keys.len())
            .filter(|&i| {
                let by = self.risk[i].or(self.value[i]).or(self.loss[i]);
                self.keys[i].is_some() && by.is_some_and(|by| by > 0.0)
            })
            .collect();
        rows.sort_by(|&a, &b| {
            let by_risk = amount(self.risk[b]).total_cmp(&amount(self.risk[a]));
            let by_value = || amount(self.value[b]).total_cmp(&amount(self.value[a]));
            let by_loss = || amount(self.loss[b]).total_cmp(&amount(self.loss[a]));
            by_risk
                .then_with(by_value)
                .then_with(by_loss)
                .then_with(|| self.keys[a].cmp(&self.keys[b]))
                .then_with(|| self.playbook[a].cmp(&self.playbook[b]))
        });
        let mut seen = BTreeSet::new();
        rows.retain(|&i| seen.len() < most && seen.insert(self.keys[i]));
        rows
    }

    fn row(
        &self,
        facts: &Facts<'_>,
        i: usize,
        personal: bool,
        most_value: f64,
        most_risk: f64,
    ) -> Option<Row> {
        let key = self.keys[i]?;
        let customer = match personal {
            true => hashed(key),
            false => key.text(),
        };
        let text = |text: Option<&str>| text.map(|text| shortened(&printable(text), LONGEST_TEXT));
        let money = |value: Option<f64>, most: f64, column: &'static str| {
            Num::opt(
                Measure::Money.show_beside(value, most, facts.meta),
                value,
                column,
            )
        };
        let several = facts.schemes.iter().flatten().count() > 1;
        let scheme = self.scheme[i].filter(|scheme| {
            several
                && facts
                    .action_scheme()
                    .is_some_and(|action| action.name != **scheme)
        });
        let segment = self.segment[i].unwrap_or_default();
        Some(Row {
            key: sql::key(&customer),
            customer: shortened(&printable(&customer), 40),
            segment: Name::new(&match scheme {
                Some(scheme) => format!("{segment} ({})", words(scheme)),
                None => segment.to_owned(),
            }),
            playbook: sql::key(self.playbook[i].unwrap_or_default()),
            goal: text(self.goal[i]),
            owner: text(self.owner[i]),
            reason: text(self.reason[i]).unwrap_or_default(),
            value: money(self.value[i], most_value, "value_now"),
            risk: money(self.risk[i], most_risk, "value_at_risk"),
            loss: Num::opt(
                Measure::Percent.show_opt(self.loss[i], facts.meta),
                self.loss[i],
                "loss",
            ),
        })
    }
}
