//! How many rows may be rejected, and the rejects themselves.

use tessera_expr::Type;
use tessera_expr::rel::{RowOutcome, SourceRows, Stored};
use tessera_spec::pipeline::{DEFAULT_LIMIT_FROM_ROWS, DEFAULT_MAX_REJECTED, Limit};
use tessera_spec::share;
use tessera_spec::shown::grouped;

use super::{Case, Example, RejectRow, RuleCount, SourceOutcome, Weight, percent, share_words};
use crate::error::PipelineError;

/// The first rule with `on_fail = "fail"` that rows broke, as an error with the first such row.
pub(super) fn broken_contract(
    case: &Case<'_>,
    outcome: &mut SourceOutcome,
) -> Result<(), PipelineError> {
    let broken = |rule: &RuleCount| rule.outcome == RowOutcome::Fail && rule.rows > 0;
    let Some(number) = outcome.rules.iter().position(broken) else {
        return Ok(());
    };
    let Kept { example, rows } = keep(case, outcome, number)?;
    let rule = &outcome.rules[number];
    Err(with_rows(
        PipelineError::Contract {
            name: outcome.name.clone(),
            rule: rule.rule.clone(),
            rows: share_words(rule.rows, outcome.rows()),
            example,
        },
        rows,
    ))
}

/// The first limit that is exceeded, as an error.
pub(super) fn check(case: &Case<'_>, outcome: &mut SourceOutcome) -> Result<(), PipelineError> {
    let visible = outcome.rows();
    let table = format!("[sources.{}.contract]", outcome.name);
    let passed = |rule: &RuleCount| {
        let limit = rule.limit.filter(|_| rule.outcome != RowOutcome::Filter);
        limit.is_some_and(|limit| exceeds(rule.rows, visible, limit))
    };
    if let Some(number) = outcome.rules.iter().position(passed) {
        let Kept { example, rows } = keep(case, outcome, number)?;
        let rule = &outcome.rules[number];
        let error = PipelineError::TooManyRejected {
            name: outcome.name.clone(),
            rows: share_words(rule.rows, visible),
            because: format!("{}, {example}", rule.rule),
            limit: rule.limit.map(limit_words).unwrap_or_default(),
            setting: format!("raise the rule's `max_rejected` in {table}"),
        };
        return Err(with_rows(error, rows));
    }
    let stated = case.from.0.contract.limits.source;
    let default =
        (visible >= DEFAULT_LIMIT_FROM_ROWS).then_some(Limit::Share(DEFAULT_MAX_REJECTED));
    let Some(limit) = stated.or(default) else {
        return Ok(());
    };
    // A rule that drops rows does so by intent, so dropped rows count only towards a limit that the contract states.
    let rejected = match stated {
        Some(_) => outcome.rejected(),
        None => outcome.quarantined,
    };
    if !exceeds(rejected, visible, limit) {
        return Ok(());
    }
    let worst = (0..outcome.rules.len())
        .filter(|&n| outcome.rules[n].is_reject())
        .max_by_key(|&n| (outcome.rules[n].rows, usize::MAX - n))
        .unwrap_or(0);
    let Kept { example, rows } = keep(case, outcome, worst)?;
    let rule = &outcome.rules[worst];
    let most = if rule.rows < rejected {
        format!("{} of them because ", grouped(rule.rows))
    } else {
        String::new()
    };
    let share = (100.0 * rejected as f64 / visible.max(1) as f64).ceil();
    let by_default = if stated.is_none() {
        " (the default)"
    } else {
        ""
    };
    let error = PipelineError::TooManyRejected {
        name: outcome.name.clone(),
        rows: share_words(rejected, visible),
        because: format!("{most}{}, {example}", rule.rule),
        limit: format!("{}{by_default}", limit_words(limit)),
        setting: format!("set `max_rejected = \"{share:.0}%\"` in {table}"),
    };
    Err(with_rows(error, rows))
}

fn with_rows(error: PipelineError, rows: Option<String>) -> PipelineError {
    match rows {
        Some(rows) => PipelineError::WithRows {
            error: Box::new(error),
            rows,
        },
        None => error,
    }
}

fn exceeds(rows: u64, of: u64, limit: Limit) -> bool {
    match limit {
        Limit::Share(share) => share::is_more(rows, of, share),
        Limit::Rows(most) => rows > most,
    }
}

fn limit_words(limit: Limit) -> String {
    match limit {
        Limit::Share(share) => format!("{}%", (share * 1e4).round() / 1e2),
        Limit::Rows(rows) => format!("{} rows", grouped(rows)),
    }
}

/// The part of the message of a failed run about the rows that made it fail.
struct Kept {
    /// The first row of the rule, as a text.
    example: String,
    /// The file that holds the rows; `None` if the contract keeps none.
    rows: Option<String>,
}

/// Writes the first rejected rows of every rule, as many as the contract keeps, to a file that only its owner can read.
fn keep(case: &Case<'_>, outcome: &SourceOutcome, number: usize) -> Result<Kept, PipelineError> {
    let (source, inventory) = case.from;
    let most = u64::from(source.contract.keep_rejects);
    let mut wanted: Vec<u64> = outcome
        .rules
        .iter()
        .map(|rule| match rule.is_reject() {
            true => rule.rows.min(most),
            false => 0,
        })
        .collect();
    wanted[number] = wanted[number].max(1);
    let mut example = None;
    let mut lines = Vec::new();
    case.engine.rejects(case.rows, &wanted, &mut |reject| {
        let rule = &outcome.rules[reject.rule];
        if reject.rule == number && example.is_none() {
            example = Some(Example::new(inventory, &reject).words(case.disclosure.values));
        }
        if most > 0 {
            lines.push(RejectRow::new(inventory, rule, reject).line());
        }
    })?;
    Ok(Kept {
        example: example.unwrap_or_else(|| "without an example".to_owned()),
        rows: (!lines.is_empty()).then(|| case.disclosure.keep(&source.name.value, &lines)),
    })
}

/// The rejects that are kept: the first rows of every rule that quarantines, as many as the contract keeps. All rules that rejected
/// rows are logged with the number of rows and an example, and noted.
pub(crate) fn rejects(
    case: &Case<'_>,
    outcome: &mut SourceOutcome,
) -> Result<Vec<RejectRow>, PipelineError> {
    let (source, inventory) = case.from;
    let keep = u64::from(source.contract.keep_rejects);
    let kept_of = |rule: &RuleCount| match rule.outcome {
        RowOutcome::Quarantine | RowOutcome::Fail => rule.rows.min(keep),
        RowOutcome::Drop | RowOutcome::Filter => 0,
    };
    // One row of each rule that rejects is an example, whether it is kept or not.
    let wanted_of = |rule: &RuleCount| {
        let example = u64::from(rule.is_reject() && rule.rows > 0);
        kept_of(rule).max(example)
    };
    let wanted: Vec<u64> = outcome.rules.iter().map(wanted_of).collect();
    let mut kept = Vec::new();
    if wanted.iter().any(|wanted| *wanted > 0) {
        case.engine.rejects(case.rows, &wanted, &mut |reject| {
            let Some(rule) = outcome.rules.get_mut(reject.rule) else {
                return;
            };
            if rule.first.is_none() {
                rule.first = Some(Example::new(inventory, &reject));
            }
            if rule.kept < kept_of(rule) {
                rule.kept += 1;
                kept.push(RejectRow::new(inventory, rule, reject));
            }
        })?;
    }
    log(case.rows, outcome, case.disclosure.values);
    Ok(kept)
}

/// What to change where times of day, which are no days, are declared as such.
fn remedy(rows: &SourceRows, rule: &str) -> String {
    let scan = &rows.scan;
    let holds_times = |place: usize, stored: &Stored| {
        let forms = scan.forms().into_iter();
        let mut held = forms.filter_map(|group| group.stored.get(place)?.as_ref());
        let is_time = |stored: &Stored| matches!(stored, Stored::Timestamp { .. });
        is_time(stored) || held.any(is_time)
    };
    let mut columns = scan.columns.iter().enumerate();
    let of_rule = columns.find(|(place, column)| {
        column.ty == Type::Date
            && rule == format!("{} is not a date", column.name)
            && holds_times(*place, &column.stored)
    });
    of_rule.map_or_else(String::new, |(_, column)| {
        let name = &column.name;
        format!(
            "; the files hold times: declare `{name}` as \"timestamp\" in the contract, and take its day, where that is meant, with `derive = {{ {name} = \"cast({name} as date)\" }}`"
        )
    })
}

/// `values` is whether the log shows values; published tables show only their form, so the setting does not change a published
/// byte.
fn log(rows: &SourceRows, outcome: &mut SourceOutcome, values: bool) {
    let visible = outcome.rows();
    for rule in outcome.rules.clone() {
        let first = rule.first.as_ref();
        let found = first.and_then(|first| first.shown(values));
        let remedy = remedy(rows, &rule.rule);
        let (source, name, rows) = (&outcome.name, &rule.rule, rule.rows);
        let share = percent(rows, visible);
        match (rows, rule.outcome) {
            (0, _) => {}
            (_, RowOutcome::Quarantine | RowOutcome::Fail) => {
                let example = |values| {
                    first.map_or_else(String::new, |first| format!(", {}", first.words(values)))
                };
                let all = share_words(rows, visible);
                tracing::warn!(
                    source,
                    rule = name,
                    rows,
                    share,
                    example = found,
                    "source `{source}`: {all} quarantined: {name}{}{remedy}",
                    example(values)
                );
                let note = format!("{all} quarantined: {name}{}{remedy}", example(false));
                outcome.publish_warning(Weight::LeftOut, note);
            }
            (_, RowOutcome::Drop) => tracing::info!(
                source,
                rule = name,
                rows,
                share,
                example = found,
                "source `{source}`: {} dropped by the contract: {name}",
                share_words(rows, visible)
            ),
            (_, RowOutcome::Filter) => tracing::info!(
                source,
                rows,
                share,
                "source `{source}`: {} filtered",
                share_words(rows, visible)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_passed_by_more_than_it_allows() {
        assert!(!exceeds(3, 100, Limit::Share(0.03)));
        assert!(exceeds(4, 100, Limit::Share(0.03)));
        assert!(!exceeds(0, 0, Limit::Share(0.0)));
        assert!(exceeds(1, 100, Limit::Share(0.0)));
        assert!(!exceeds(3, 100, Limit::Rows(3)));
        assert!(exceeds(4, 100, Limit::Rows(3)));
        assert_eq!(limit_words(Limit::Share(0.005)), "0.5%");
        assert_eq!(limit_words(Limit::Rows(3)), "3 rows");
    }
}
