//! Findings in the rows of customers: several valid rows of one customer, rows without a customer in the base, refunds as purchases.

use std::path::PathBuf;

use tessera_engine::{Engine, Outside};
use tessera_expr::rel::SourceRows;
use tessera_expr::{Schema, Type};
use tessera_ingest::Inventory;
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Several, Source, SourceKind};
use tessera_spec::shown::grouped;

use super::keys::{self, Compared};
use super::{SourceOutcome, Weight, percent};
use crate::error::PipelineError;

/// Share of a source's keys without a customer in the base above which there is a warning.
pub(crate) const MOST_OUTSIDE: f64 = 0.01;

/// Applies the contract's setting for several valid rows of one customer to the rows of an attributes source. `keys` is the
/// number of keys with a used row.
pub(crate) fn one_row_each(
    (engine, pipeline): (&dyn Engine, &Pipeline),
    (source, inventory): (&Source, &Inventory),
    rows: &SourceRows,
    outcome: &mut SourceOutcome,
    keys: u64,
) -> Result<(), PipelineError> {
    let one_each = outcome.counts.used <= keys;
    if source.kind != SourceKind::Attributes || source.attributes.is_empty() || one_each {
        return Ok(());
    }
    let schema = types(rows);
    let holds = tessera_features::holds_at_as_of(source, &schema);
    let columns: Vec<String> = source
        .attributes
        .iter()
        .map(|attribute| attribute.column.value.clone())
        .collect();
    let found = engine.several(rows, holds.as_ref(), &columns)?;
    let stated = source
        .contract
        .several
        .as_ref()
        .map(|several| several.value);
    let choice = stated.unwrap_or(if source.time.is_some() {
        Several::Newest
    } else {
        Several::Fail
    });
    // In a history without ends, a newer row supersedes older ones, so these are not valid at the same time.
    let is_history = source.time.is_some() && source.until.is_none();
    let undecided = match choice {
        Several::First => 0,
        Several::Newest => found.tied,
        Several::Fail if is_history => found.tied,
        Several::Fail => found.differing,
    };
    if undecided > 0 {
        return Err(PipelineError::SeveralRows {
            name: source.name.value.clone(),
            customers: customers_words(undecided),
            example: places(inventory, &found.example),
            help: help(pipeline, source, choice),
        });
    }
    if !is_history && found.keys > 0 {
        let which = match choice {
            Several::First => "the first row in the order of files and rows counts",
            Several::Newest => "the newest row counts",
            Several::Fail => "they do not differ in a used attribute",
        };
        let note = format!(
            "{} several rows that are valid at the same time, {} of them with different values; {which}",
            customers_words(found.keys),
            grouped(found.differing)
        );
        if found.differing > 0 {
            let example = places(inventory, &found.example);
            outcome.warn(Weight::LeftOut, format!("{note}, such as {example}"));
        } else {
            outcome.notes.push(note);
        }
    }
    outcome.several = Some(found);
    Ok(())
}

/// Names and types of the columns: those of the files, joined and derived ones.
pub(super) fn types(rows: &SourceRows) -> Schema {
    let derived = rows
        .scan
        .derive
        .iter()
        .map(|(name, expr)| (name.clone(), expr.ty));
    let joined = rows.scan.joins.iter().flat_map(|join| &join.columns);
    let joined = joined.map(|c| (c.name.clone(), c.ty));
    let stored = rows.scan.columns.iter().map(|c| (c.name.clone(), c.ty));
    Schema {
        columns: derived.chain(joined).chain(stored).collect(),
    }
}

fn help(pipeline: &Pipeline, source: &Source, choice: Several) -> String {
    let table = format!("[sources.{}.contract]", source.name.value);
    match (&source.time, choice) {
        (Some(time), Several::Newest | Several::First) => format!(
            "correct the rows, or keep the first of them: `duplicates = {{ unique = [\"{}\", \"{}\"], on_fail = \"drop\" }}` in {table}{}",
            source.key.value,
            time.value,
            of_merged_keys(pipeline, source).unwrap_or_default()
        ),
        (Some(_), Several::Fail) => {
            format!("correct the rows, or use the newest row: `several = \"newest\"` in {table}")
        }
        (None, _) => format!(
            "correct the rows, set `time` to the column that says since when a row is valid, or use the first row in the order of files and rows: `several = \"first\"` in {table}"
        ),
    }
}

/// Where a map replaces keys, repeated rows are those of one key of the files: how to leave out the rows of the keys that it replaces.
fn of_merged_keys(pipeline: &Pipeline, source: &Source) -> Option<String> {
    let identity = pipeline.customer.identity.as_ref()?;
    let (map, to) = (&identity.from.value, &identity.to.value);
    let (own, old) = (&source.key.value, &pipeline.source(map)?.key.value);
    Some(format!(
        "; where they are of two keys that `{map}` makes one customer's, leave those of the replaced key out: \
         `filter = \"belongs_to is null\"` and `join.{map} = {{ on = {{ {own} = \"{old}\" }}, columns = {{ belongs_to = \"{to}\" }} }}` in [sources.{}]",
        source.name.value
    ))
}

/// "1 customer has", "2 customers have".
fn customers_words(customers: u64) -> String {
    match customers {
        1 => "1 customer has".to_owned(),
        n => format!("{} customers have", grouped(n)),
    }
}

fn places(inventory: &Inventory, rows: &[(PathBuf, u64)]) -> String {
    let place = |(file, row): &(PathBuf, u64)| format!("{} row {row}", inventory.relative(file));
    rows.iter().map(place).collect::<Vec<_>>().join(" and ")
}

/// Notes keys without a customer in the base; above [`MOST_OUTSIDE`] of the source's keys that is a warning.
pub(crate) fn outside_the_base(
    compared: &Compared<'_>,
    outcome: &mut SourceOutcome,
    outside: Outside,
) {
    let outside = outcome.outside.insert(outside).clone();
    if outside.keys_outside == 0 {
        return;
    }
    let rows = outside.rows_outside.map_or_else(String::new, |rows| {
        let share = percent(rows, outcome.counts.used);
        format!(", with {} used rows ({share})", grouped(rows))
    });
    let note = format!(
        "{} of {} keys ({}) have no customer in the base{rows}",
        grouped(outside.keys_outside),
        grouped(outside.keys),
        percent(outside.keys_outside, outside.keys)
    );
    if outside.keys_outside as f64 > MOST_OUTSIDE * outside.keys as f64 {
        let apart = outside.written.apart.as_ref();
        compared.tell(Weight::LeftOut, outcome, |compared| {
            match apart.and_then(|apart| compared.would_meet(apart)) {
                Some(advice) => format!("{note}. {advice}"),
                None => format!(
                    "{note}; check that both write the keys in the same way, and that `from` in [customer] lists the sources whose keys make up the base"
                ),
            }
        });
    } else {
        outcome.notes.push(note);
    }
}

/// Fewest rows that begin on the day after the one before them ends for a warning.
const FEWEST_LAST_DAYS: u64 = 20;

/// Warns where the ends of rows look like their last days: each row counts until then, without that day.
pub(crate) fn last_days(
    engine: &dyn Engine,
    source: &Source,
    rows: &SourceRows,
    outcome: &mut SourceOutcome,
) -> Result<(), PipelineError> {
    let until = source.until.as_ref().map(|until| until.value.as_str());
    let Some(until) = until.filter(|_| source.kind != SourceKind::Lookup) else {
        return Ok(());
    };
    let found = engine.successions(rows, until, outcome.counts.used)?;
    let all = found.on_the_day + found.on_the_next;
    if found.on_the_next < FEWEST_LAST_DAYS || 10 * found.on_the_next < 9 * all {
        return Ok(());
    }
    let ty = rows.scan.column_type(until);
    let day = match ty {
        Some(Type::Timestamp) => format!("cast({} as date)", keys::column(until)),
        _ => keys::column(until),
    };
    let end = format!("{until}_end");
    let advice = keys::to_derive(source, &end, &format!("{day} + 1"));
    outcome.warn(Weight::Meaning, format!(
        "`{until}` looks like the last day of a row, but a row counts until then without that day: of {} rows that begin on the day on which \
         the row before them of the same customer ends or on the next, {} begin on the next, so that no row counts on the day between. If `{until}` is \
         a last day, {advice}, and `until = \"{end}\"`",
        grouped(all),
        grouped(found.on_the_next),
    ));
    Ok(())
}

/// Notes negative amounts; if `purchase` is not set, that is a warning with the number of customers.
pub(crate) fn refunds(
    engine: &dyn Engine,
    source: &Source,
    rows: &SourceRows,
    outcome: &mut SourceOutcome,
) -> Result<(), PipelineError> {
    let Some(money) = outcome.counts.money.filter(|money| money.negative_rows > 0) else {
        return Ok(());
    };
    let share = 100.0 * money.negative / money.positive.max(f64::MIN_POSITIVE);
    let of_value = if money.positive > 0.0 {
        format!("; they sum to {share:.1}% of the positive amounts")
    } else {
        String::new()
    };
    let note = format!(
        "{} of {} used rows ({}) have a negative amount{of_value}",
        grouped(money.negative_rows),
        grouped(outcome.counts.used),
        percent(money.negative_rows, outcome.counts.used)
    );
    let Some(amount) = rows.amount.as_ref().filter(|_| source.purchase.is_none()) else {
        outcome.notes.push(note);
        return Ok(());
    };
    let customers = engine.newest_negative(rows, amount)?;
    outcome.refunded = Some(customers);
    outcome.warn(Weight::Meaning, format!(
        "{note}. Orders, days and recency count such rows as purchases; for {} customers the newest or only row is one. \
         Set `purchase = \"{} > 0\"` in [sources.{}] to say which rows are purchases; sums of money stay net",
        grouped(customers),
        source.amount.as_ref().map_or("amount", |amount| amount.value.as_str()),
        source.name.value
    ));
    Ok(())
}
