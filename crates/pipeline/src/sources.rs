//! Row accounting: every row of every source has one outcome; and the rules that stop a run.
//!
//! The engine classifies and counts rows; what the contract does with each class is decided here. Where to look: `brakes` (how
//! many rows may be rejected), `conditions` (conditions that no row meets), `freshness` (how old the data may be), `customers` (several rows of one customer, rows without a
//! customer in the base, refunds), `keys` (keys that are written differently), `placeholders` (keys that hold a large part of the rows), `shrunk` (fewer rows than before), `warned` (warnings, by what they weigh), `tables` (`sources`, `reject_rules`, `rejects`).

mod brakes;
mod conditions;
mod customers;
mod freshness;
mod keys;
mod placeholders;
pub(crate) mod shrunk;
mod tables;
mod warned;

use chrono::NaiveDate;
use serde_json::json;
use tessera_engine::{Engine, EngineError, Found, Outside, Reject, Several};
use tessera_expr::rel::{RowCounts, RowOutcome, ScanColumn, SourceRows, Unconverted, Unseen};
use tessera_expr::{Expr, Function, Node};
use tessera_ingest::{Inventory, NULL_FILTER};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Limit, Source, SourceKind};
use tessera_spec::shown::grouped;

use crate::error::PipelineError;
use crate::work::Disclosure;

pub(crate) use brakes::rejects;
pub(crate) use conditions::never_true;
pub(crate) use customers::{last_days, one_row_each, outside_the_base, refunds};
pub(crate) use keys::Compared;
pub(crate) use placeholders::warn as placeholders;
pub(crate) use tables::{
    RejectRow, epoch_day, reject_rules_table, rejects_schema, rejects_tables, sources_table,
};
pub use warned::{Warnings, Weight};

/// The result of one rule of a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleCount {
    /// What was found, such as `amount is not a number`; the name of a rule that the pipeline file states.
    pub rule: String,
    /// What happens to its rows.
    pub outcome: RowOutcome,
    /// Rows.
    pub rows: u64,
    /// Largest number of rows that the contract allows.
    pub limit: Option<Limit>,
    /// Whether its rows are exact repetitions that the contract drops, which are not rejects.
    pub is_repetition: bool,
    /// Rows kept in `rejects`.
    pub kept: u64,
    /// The first of its rows.
    pub first: Option<Example>,
}

/// The first row that a rule took out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Path within the source.
    pub file: String,
    /// Position in the file, from 1.
    pub row_number: u64,
    /// The value that the rule rejected; never the key.
    pub found: Option<Found>,
}

impl Example {
    fn new(inventory: &Inventory, reject: &Reject) -> Self {
        Self {
            file: inventory.relative(&reject.file),
            row_number: reject.row_number,
            found: reject.found.clone(),
        }
    }

    /// "such as `x` (file, row 3)", with the form of the value or the value itself.
    fn words(&self, values: bool) -> String {
        let place = format!("{}, row {}", self.file, self.row_number);
        match self.shown(values) {
            Some(found) => format!("such as `{found}` ({place})"),
            None => format!("such as {place}"),
        }
    }

    /// The first value that broke the rule: its form, or the value itself.
    fn shown(&self, values: bool) -> Option<&str> {
        let found = self.found.as_ref()?;
        Some(if values { &found.values } else { &found.masked })
    }
}

/// The outcome of one source.
#[derive(Debug, Clone)]
pub struct SourceOutcome {
    /// Name of the source.
    pub name: String,
    /// What its rows are.
    pub kind: SourceKind,
    /// Number of files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Files at its path that are not read.
    pub files_passed_over: u64,
    /// Columns that the pipeline names and that some of its files lack.
    pub columns_absent: u64,
    /// Rows of the files: those not visible, used, filtered, quarantined and dropped together.
    pub file_rows: u64,
    /// What was counted of them.
    pub counts: RowCounts,
    /// Visible rows that the filter excludes.
    pub filtered: u64,
    /// Visible rows that were quarantined; also rows of rules that fail the run.
    pub quarantined: u64,
    /// Visible rows that the contract drops.
    pub dropped: u64,
    /// The result of each rule, in the order in which rules apply.
    pub rules: Vec<RuleCount>,
    /// Keys without a customer in the base, and their rows; for sources that do not make up the base.
    pub outside: Option<Outside>,
    /// Used rows whose key belongs to another customer, where the pipeline has a map of keys.
    pub resolved: Option<u64>,
    /// Customers with several valid rows, where one counts.
    pub several: Option<Several>,
    /// Customers whose newest row is a refund, where refunds count as purchases.
    pub refunded: Option<u64>,
    /// Hours from the newest used row to the end of `as_of`.
    pub age_hours: Option<f64>,
    /// `ok`, `stale`, `empty` or `unjudged`.
    pub status: &'static str,
    /// Notes for the user, in sentences.
    pub notes: Vec<String>,
    /// Those of the notes that are warnings.
    pub warnings: Warnings,
}

impl SourceOutcome {
    /// Visible rows.
    pub fn rows(&self) -> u64 {
        self.counts.visible()
    }

    /// Rows that a rule rejected: quarantined or dropped, without dropped exact repetitions.
    pub fn rejected(&self) -> u64 {
        let rejecting = self.rules.iter().filter(|rule| rule.is_reject());
        rejecting.map(|rule| rule.rows).sum()
    }

    /// Days without a used row where the source usually has some; none where that is not judged.
    pub fn gap_days(&self) -> Option<u64> {
        let is_judged = self.kind == SourceKind::Events && self.counts.newest_micros.is_some();
        let days = self.counts.gaps.iter().map(|gap| u64::from(gap.days()));
        is_judged.then(|| days.sum())
    }

    /// Adds a warning that is shown at every log level: it is logged and published.
    pub(crate) fn warn(&mut self, weight: Weight, note: String) {
        self.warn_as(weight, &note.clone(), note);
    }

    /// The same where the log may show what is not published.
    fn warn_as(&mut self, weight: Weight, logged: &str, note: String) {
        tracing::warn!(source = self.name, "source `{}`: {logged}", self.name);
        self.publish_warning(weight, note);
    }

    /// Adds a warning that was logged elsewhere.
    fn publish_warning(&mut self, weight: Weight, note: String) {
        self.notes.push(note.clone());
        self.warnings.add(weight, note);
    }
}

impl RuleCount {
    fn is_reject(&self) -> bool {
        self.outcome != RowOutcome::Filter && !self.is_repetition
    }
}

/// Applies the contract to the counted rows.
pub(crate) fn outcome(
    engine: &dyn Engine,
    pipeline: &Pipeline,
    (source, inventory): (&Source, &Inventory),
    rows: &SourceRows,
    mut counts: RowCounts,
) -> Result<SourceOutcome, PipelineError> {
    let resolved = resolved(rows, &mut counts);
    let rules = rules(engine, (pipeline, source), rows, &counts);
    let total = |wanted: &[RowOutcome]| -> u64 {
        let those = rules.iter().filter(|rule| wanted.contains(&rule.outcome));
        those.map(|rule| rule.rows).sum()
    };
    let (filtered, dropped) = (total(&[RowOutcome::Filter]), total(&[RowOutcome::Drop]));
    let quarantined = total(&[RowOutcome::Quarantine, RowOutcome::Fail]);
    let file_rows = inventory.rows();
    let accounted = counts.unseen.total() + counts.used + filtered + quarantined + dropped;
    if file_rows != accounted {
        let held: Vec<u64> = inventory.files.iter().map(|file| file.rows).collect();
        engine.contradiction(rows, &held)?;
        return Err(PipelineError::Unaccounted {
            name: source.name.value.clone(),
            file_rows,
            accounted,
        });
    }
    Ok(SourceOutcome {
        name: source.name.value.clone(),
        kind: source.kind,
        files: inventory.files.len() as u64,
        bytes: inventory.bytes(),
        files_passed_over: inventory.found.files_passed_over(),
        columns_absent: 0,
        file_rows,
        counts,
        filtered,
        quarantined,
        dropped,
        rules,
        outside: None,
        resolved,
        several: None,
        refunded: None,
        age_hours: None,
        status: "unjudged",
        notes: Vec::new(),
        warnings: Warnings::default(),
    })
}

/// Takes the rows that a map of keys does not concern from those for which a join found nothing, and returns the others.
fn resolved(rows: &SourceRows, counts: &mut RowCounts) -> Option<u64> {
    let map = rows.scan.joins.iter().find(|join| join.is_chained)?;
    let place = counts
        .unmatched
        .iter()
        .position(|(name, _)| *name == map.name)?;
    let (_, unmatched) = counts.unmatched.remove(place);
    Some(counts.used - unmatched)
}

/// Adds the warnings of listing the lake to the notes, for readers of the tables and of the report: so far they were only on
/// stderr.
pub(crate) fn findings_of_the_lake(
    pipeline: &Pipeline,
    (source, inventory): (&Source, &Inventory),
    outcome: &mut SourceOutcome,
) {
    let files = inventory.warnings(source);
    let columns = tessera_ingest::column_warnings(pipeline, source, inventory);
    let twice = tessera_ingest::delivered_twice(source, inventory);
    let of_source = format!("source `{}`: ", source.name.value);
    let weighed = [
        (Weight::LeftOut, files),
        (Weight::Changed, columns),
        (Weight::Meaning, twice.into_iter().collect()),
    ];
    for (weight, found) in weighed {
        for found in found {
            let note = found.message;
            let own = note.strip_prefix(&of_source).map(str::to_owned);
            outcome.publish_warning(weight, own.unwrap_or(note));
        }
    }
    outcome.columns_absent = tessera_ingest::absent_columns(pipeline, source, inventory);
}

/// Every rule with its rows, in the order in which rules apply.
fn rules(
    engine: &dyn Engine,
    (pipeline, source): (&Pipeline, &Source),
    rows: &SourceRows,
    counts: &RowCounts,
) -> Vec<RuleCount> {
    let names = engine.check_names(rows);
    let conversions = counts.by_check.len() - rows.checks.len().min(counts.by_check.len());
    let contract = &source.contract;
    // Every column of the key, and of a map of keys the customer.
    let keys = source
        .keys()
        .chain(tessera_ingest::customer_of(pipeline, source));
    let missing_key: Vec<String> = keys
        .map(|key| format!("{} is missing", key.value))
        .collect();
    let counted = counts.by_check.iter().copied();
    let all = counted.chain(rows.dedup.iter().map(|_| counts.repeated));
    let rule = |(number, (rule, rows_met)): (usize, (String, u64))| {
        let check = number
            .checked_sub(conversions)
            .and_then(|n| rows.checks.get(n));
        let (outcome, limit) = match (check, &rows.dedup, rows.unconverted) {
            (Some(check), ..) => {
                let stated = contract
                    .rules
                    .iter()
                    .find(|stated| stated.name.value == rule);
                let limit = match stated {
                    _ if check.conversion => contract.limits.conversions,
                    Some(stated) => stated.max_rejected,
                    None if missing_key.contains(&rule) => contract.limits.missing_key,
                    None => None,
                };
                (check.outcome, limit)
            }
            (None, _, Unconverted::TakesOut(outcome)) if number < conversions => {
                (outcome, contract.limits.conversions)
            }
            (None, Some(dedup), _) => (dedup.outcome, contract.limits.duplicates),
            (None, None, _) => (RowOutcome::Quarantine, None),
        };
        let exact = rows
            .dedup
            .as_ref()
            .is_some_and(|dedup| dedup.columns.is_empty());
        RuleCount {
            is_repetition: number == counts.by_check.len() && exact && outcome == RowOutcome::Drop,
            rule,
            outcome,
            rows: rows_met,
            limit,
            kept: 0,
            first: None,
        }
    };
    names.into_iter().zip(all).enumerate().map(rule).collect()
}

/// Compares the newest row of every source with the day through which it must be complete.
pub(crate) fn complete<'a>(
    pipeline: &Pipeline,
    outcomes: impl Iterator<Item = &'a SourceOutcome>,
    as_of: NaiveDate,
) -> Result<(), PipelineError> {
    let mut waiting = Vec::new();
    for (source, outcome) in pipeline.sources.iter().zip(outcomes) {
        waiting.extend(freshness::incomplete(pipeline, source, outcome, as_of));
    }
    if waiting.is_empty() {
        return Ok(());
    }
    Err(PipelineError::Waiting { sources: waiting })
}

/// A source whose rows are judged.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    /// The engine that reads its rows again.
    pub(crate) engine: &'a dyn Engine,
    /// The source and its files.
    pub(crate) from: (&'a Source, &'a Inventory),
    /// The plan of its rows.
    pub(crate) rows: &'a SourceRows,
    /// What messages may show of them.
    pub(crate) disclosure: Disclosure<'a>,
}

/// Checks a source after it was read: limits, freshness, values that became null.
pub(crate) fn judge(
    case: &Case<'_>,
    pipeline: &Pipeline,
    outcome: &mut SourceOutcome,
    as_of: NaiveDate,
) -> Result<(), PipelineError> {
    brakes::broken_contract(case, outcome)?;
    brakes::check(case, outcome)?;
    freshness::judge(case.from.0, outcome, as_of)?;
    unmatched(case, pipeline, outcome)?;
    null_filter(case.from.0, outcome);
    if let Some(rows) = outcome.resolved.filter(|rows| *rows > 0) {
        let note = format!(
            "{} that take part carry a key that belongs to another customer by `[customer.identity]`",
            share_words(rows, outcome.counts.used)
        );
        tracing::info!(source = outcome.name, "source `{}`: {note}", outcome.name);
        outcome.notes.push(note);
    }
    for (column, count) in outcome.counts.nulled.clone() {
        let of = outcome.rows();
        if count > 0 && is_float(case.rows, &column) {
            outcome.warn(Weight::Changed, format!(
                "`{column}` is NaN or infinite in {}, where it is read as null, so that sums and means leave it out; to reject such rows, add a rule to the contract, such as `check = \"{column} is not null\"`",
                share_words(count, of)
            ));
        } else if count > 0 && is_within(case.rows, &column) {
            outcome.warn(Weight::Changed, format!(
                "{column} in {}, where it is read as null, as `conversions` says; give these rows a value with `coalesce`, or take them out with a rule in the contract",
                share_words(count, of)
            ));
        } else if count > 0 {
            // Whoever asked for null, by `try_` or by `conversions`, has only to say what is in its place.
            let advice = match is_asked_for(case.rows, &column) {
                true => {
                    "give these rows a value with `coalesce`, or take them out with a rule in the contract"
                }
                false => {
                    "if that is intended, use `coalesce` or `try_cast`, or add a rule to the contract"
                }
            };
            outcome.warn(
                Weight::Changed,
                format!(
                    "`{column}` became null in {} although its inputs are not null; {advice}",
                    share_words(count, of)
                ),
            );
        }
    }
    Ok(())
}

/// Whether the pipeline says that a column is null where a conversion fails: one of the files, or one that `try_` makes.
fn is_asked_for(rows: &SourceRows, name: &str) -> bool {
    fn tries(expr: &Expr) -> bool {
        let here = matches!(
            expr.node,
            Node::TryCast(_) | Node::Call(Function::TryStrptime, _)
        );
        here || tessera_expr::children(expr).into_iter().any(tries)
    }
    let mut derived = rows.scan.derive.iter();
    let derived = derived.find(|(derived, _)| derived == name);
    derived.is_none_or(|(_, expr)| tries(expr))
}

/// Whether this is no column, but a conversion within an expression, in words.
fn is_within(rows: &SourceRows, name: &str) -> bool {
    rows.read_as_null.iter().any(|(within, _)| within == name)
}

/// Whether a column is one of floats as the files hold them.
fn is_float(rows: &SourceRows, name: &str) -> bool {
    let derived = rows.scan.derive.iter().any(|(derived, _)| derived == name);
    let mut columns = rows
        .scan
        .columns
        .iter()
        .filter(|column| column.name == name);
    !derived && columns.any(ScanColumn::may_hold_floats)
}

/// An error of the engine without the key of a customer, which is written to a file that only its owner can read.
pub(crate) fn without_key(error: EngineError, disclosure: Disclosure<'_>) -> PipelineError {
    let EngineError::Overflow {
        name, column, key, ..
    } = &error
    else {
        return error.into();
    };
    let line = json!({"source": name, "column": column, "key": key});
    let rows = disclosure.keep(name, &[line.to_string()]);
    PipelineError::WithRows {
        error: Box::new(error.into()),
        rows: rows.replacen("the first row", "the customer", 1),
    }
}

/// Share of the rows for which the filter is null from which that is a warning.
const MANY_NULL_FILTERS: f64 = 0.01;

/// States for how many rows the filter is null, which leaves them out.
fn null_filter(source: &Source, outcome: &mut SourceOutcome) {
    let rule = outcome.rules.iter().find(|rule| rule.rule == NULL_FILTER);
    let (Some(rows), Some(filter)) = (rule.map(|rule| rule.rows), &source.filter) else {
        return;
    };
    if rows == 0 {
        return;
    }
    let note = format!(
        "the filter `{}` is neither true nor false for {}, because a value in it is missing, so they are left out; to keep them, write \
         for example `coalesce(…, true)` around it, to leave them out without this, `coalesce(…, false)`",
        filter.value.trim(),
        share_words(rows, outcome.rows())
    );
    match rows as f64 >= MANY_NULL_FILTERS * outcome.rows() as f64 {
        true => outcome.warn(Weight::LeftOut, note),
        false => outcome.notes.push(note),
    }
}

/// Share of the rows without a row of a lookup from which their keys are compared with those of the lookup, for which they are read again.
const MANY_UNMATCHED: f64 = 0.5;

/// Warns of used rows for which a join found no row.
fn unmatched(
    case: &Case<'_>,
    pipeline: &Pipeline,
    outcome: &mut SourceOutcome,
) -> Result<(), PipelineError> {
    let source = case.from.0;
    let used = outcome.counts.used;
    for (name, rows) in outcome.counts.unmatched.clone() {
        let join = source.joins.iter().find(|join| join.name.value == name);
        let Some(join) = join.filter(|_| rows > 0) else {
            continue;
        };
        let columns: Vec<String> = join
            .columns
            .iter()
            .map(|(column, _)| format!("`{}`", column.value))
            .collect();
        let (are, columns) = (
            if columns.len() == 1 { "is" } else { "are" },
            columns.join(", "),
        );
        let from = &join.from.value;
        let found = format!(
            "{} that take part find no row of lookup `{from}` (join `{name}`), so {columns} {are} null there",
            share_words(rows, used)
        );
        let near = match rows as f64 >= MANY_UNMATCHED * used as f64 {
            true => case.engine.nearly_joined(case.rows, &name)?,
            false => None,
        };
        let lookup = pipeline
            .sources
            .iter()
            .find(|other| other.name.value == *from);
        let told = |values: bool| match &near {
            Some(near) => format!(
                "{found}. {}",
                keys::would_join(join, source, lookup, (near, values))
            ),
            None => found.clone(),
        };
        outcome.warn_as(Weight::Changed, &told(case.disclosure.values), told(false));
    }
    Ok(())
}

/// The outcomes of the rows of a source as a text, with the rule that rejected most rows.
pub(crate) fn outcome_text(outcome: &SourceOutcome) -> String {
    let name = &outcome.name;
    if outcome.rows() == 0 {
        let Unseen {
            future, unknown, ..
        } = outcome.counts.unseen;
        let later = if future + unknown > 0 {
            format!(" ({} later ones)", future + unknown)
        } else {
            String::new()
        };
        return format!("source `{name}` has no row up to then{later}");
    }
    let most = |is_filter: bool| {
        let rules = outcome.rules.iter();
        let rules = rules.filter(|rule| (rule.outcome == RowOutcome::Filter) == is_filter);
        let most = rules.max_by_key(|rule| rule.rows);
        let most = most.filter(|rule| rule.rows > 0);
        most.map_or_else(String::new, |rule| {
            format!(" ({} by `{}`)", rule.rows, rule.rule)
        })
    };
    format!(
        "of {} rows of source `{name}`, {} were used, {} filtered{}, {} quarantined or dropped{}",
        outcome.rows(),
        outcome.counts.used,
        outcome.filtered,
        most(true),
        outcome.quarantined + outcome.dropped,
        most(false)
    )
}

/// "12 of 400 rows (3.0%)".
fn share_words(rows: u64, of: u64) -> String {
    let noun = if of == 1 { "row" } else { "rows" };
    let (rows_shown, of_shown) = (grouped(rows), grouped(of));
    format!("{rows_shown} of {of_shown} {noun} ({})", percent(rows, of))
}

/// A share in percent; a share strictly between 0 and 1 is never shown as 0% or 100%.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    match format!("{share:.1}").as_str() {
        _ if whole == 0 => "0.0%".to_owned(),
        "0.0" if part > 0 => "less than 0.1%".to_owned(),
        "100.0" if part < whole => "more than 99.9%".to_owned(),
        shown => format!("{shown}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_read_as_none_or_all_where_they_are_neither() {
        assert_eq!(percent(0, 10), "0.0%");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(1, 1_000_000), "less than 0.1%");
        assert_eq!(percent(999_999, 1_000_000), "more than 99.9%");
        assert_eq!(percent(7, 7), "100.0%");
        assert_eq!(share_words(1, 1), "1 of 1 row (100.0%)");
    }
}
