//! What `[[expect]]` states of customers, segments and tables, held against the finished tables before anything is published.

mod values;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type};
use arrow::util::display::array_value_to_string;
use chrono::{Days, NaiveDate};
use tessera_features::FeatureInfo;
use tessera_segments::Vacant;
use tessera_snapshot::tables::{self, Ty};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics, unknown_name};
use tessera_spec::pipeline::{At, Bounds, Condition, Expect, Scalar, Scheme, Score, Subject};
use tessera_spec::shown;

use crate::base;
use crate::error::{PipelineError, needed};
use crate::intervals;
use crate::labels::Labels;
use crate::prepared::Prepared;
use crate::publish::Tables;
use crate::unmet::Unmet;
use values::{ALWAYS, Columns};

/// The only thing that is expected of a table.
const ROWS: &str = "rows";

/// Finds columns and tables in `[[expect]]` that no version has, and conditions that can never hold or never fail.
pub(crate) fn check_columns(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    labels: &Labels,
    found: &mut Diagnostics,
) {
    let schemes: Vec<String> = pipeline
        .schemes
        .iter()
        .flat_map(Scheme::columns)
        .map(|column| column.name)
        .collect();
    let ends = intervals::ends(pipeline);
    let features = published.iter().map(|info| info.name.as_str());
    let features = features.filter(|name| !ends.contains(*name));
    let active = pipeline.customer.active.as_ref().map(|_| base::ACTIVE);
    let of_customers: Vec<&str> = features
        .chain(schemes.iter().map(String::as_str))
        .chain(active)
        .collect();
    let of_segments = columns_of("segments");
    let published_tables: Vec<&str> = tables::TABLES.iter().map(|table| table.name).collect();
    let of_columns = Columns {
        pipeline,
        published,
        labels,
    };
    for expect in &pipeline.expect {
        let (names, table) = match &expect.subject {
            Subject::Customer(_) => (&of_customers, "customers"),
            Subject::Segment { .. } => (&of_segments, "segments"),
            Subject::Table(name) => {
                check_table(expect, name.value.as_str(), &published_tables, found);
                found.extend(of_rows(pipeline, expect));
                continue;
            }
        };
        for (column, condition) in &expect.checks {
            let (subject, check) = (&expect.subject, (column, condition));
            let wrong = of_columns.check(subject, check);
            found.extend(wrong.or_else(|| decided(pipeline, subject, check)));
            if !names.contains(&column.value.as_str()) {
                let what = format!("column of `{table}`");
                let span = column.span.clone();
                let unknown = unknown_name("TS-G001", &what, &column.value, span, names);
                found.extend([match ends.contains(&column.value) {
                    true => unknown.with_note(
                        "it is the end of an interval, which `score_intervals` has, a row per customer and estimate",
                    ),
                    false => unknown,
                }]);
            }
        }
    }
}

/// A condition that no value of the column can meet, or that every value meets.
fn decided(
    pipeline: &Pipeline,
    subject: &Subject,
    (column, condition): (&At<String>, &Condition),
) -> Option<Diagnostic> {
    let bounds = match condition {
        Condition::Within(bounds) => *bounds,
        Condition::Is(Scalar::Number(number)) => Bounds {
            at_least: Some(*number),
            at_most: Some(*number),
            ..Bounds::default()
        },
        _ => return None,
    };
    let name = &column.value;
    let range = range(pipeline, subject, name);
    let (from, to) = range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let verdict = if range.is_some() && bounds.holds(from) && bounds.holds(to) {
        ALWAYS
    } else if bounds.is_empty(from, to) {
        "cannot hold"
    } else {
        return None;
    };
    let of = match range {
        Some(_) if to.is_infinite() => format!("values of `{name}` are not below {from}"),
        Some(_) => format!("values of `{name}` are from {from} to {to}"),
        None => "no number is within these bounds".to_owned(),
    };
    let message = format!("`{name}` is expected to be {condition}, which {verdict}: {of}");
    let help = match (to <= 1.0, verdict == ALWAYS) {
        (false, true) if matches!(subject, Subject::Table(_)) => {
            "state another limit, such as { at_least = 1 }; that the table is published is { at_least = 0 }"
        }
        (true, false) => "state shares of 1: 0.05 is 5%",
        (true, true) => {
            "state shares of 1: 0.05 is 5%; that there is a value is `{ missing = false }`"
        }
        (false, true) => {
            "state bounds that some values do not meet; that there is a value is `{ missing = false }`"
        }
        (false, false) => "state bounds that some values meet",
    };
    Some(Diagnostic::error("TS-G026", message, column.span.clone()).with_help(help))
}

/// The smallest and the largest value that a column can have, where that is known.
fn range(pipeline: &Pipeline, subject: &Subject, name: &str) -> Option<(f64, f64)> {
    match subject {
        Subject::Customer(_) => {
            let mut columns = pipeline.scores.iter().flat_map(Score::columns);
            columns.find(|column| column.name == name)?.range()
        }
        Subject::Segment { .. } => {
            let mut columns = tables::find("segments")?.columns.iter();
            let column = columns.find(|column| column.name == name)?;
            match (column.unit, column.ty) {
                ("share" | "probability", _) => Some((0.0, 1.0)),
                (_, Ty::Int) => Some((0.0, f64::INFINITY)),
                _ => None,
            }
        }
        Subject::Table(_) => Some((0.0, f64::INFINITY)),
    }
}

fn columns_of(table: &str) -> Vec<&'static str> {
    let columns = tables::find(table).map_or(&[][..], |table| table.columns);
    columns.iter().map(|column| column.name).collect()
}

fn check_table(expect: &Expect, name: &str, tables: &[&str], found: &mut Diagnostics) {
    let Subject::Table(at) = &expect.subject else {
        return;
    };
    if !tables.contains(&name) {
        let span = at.span.clone();
        found.extend([unknown_name(
            "TS-G001",
            "published table",
            name,
            span,
            tables,
        )]);
    }
    for (column, condition) in &expect.checks {
        let counts = matches!(
            condition,
            Condition::Within(_) | Condition::Is(Scalar::Number(_))
        );
        if column.value != ROWS || !counts {
            let message = "of a table only the number of its rows can be expected";
            let problem = Diagnostic::error("TS-G019", message, column.span.clone());
            found.extend([problem.with_help("write `rows = { at_least = 1 }`, or another limit")]);
        }
    }
}

/// Numbers of rows that no table has, or that every table has.
fn of_rows(pipeline: &Pipeline, expect: &Expect) -> Option<Diagnostic> {
    // That the table is published at all, whatever it holds.
    let published = Bounds {
        at_least: Some(0.0),
        ..Bounds::default()
    };
    let mut checks = expect.checks.iter().filter(|(column, condition)| {
        column.value == ROWS && *condition != Condition::Within(published)
    });
    checks.find_map(|(column, condition)| match condition {
        Condition::Is(Scalar::Number(rows)) if rows.fract() != 0.0 => {
            let message = format!("`{ROWS}` is expected to be {rows}, which is no whole number");
            let found = Diagnostic::error("TS-G026", message, column.span.clone());
            Some(found.with_help("state a whole number, or limits such as { at_least = 1 }"))
        }
        _ => decided(pipeline, &expect.subject, (column, condition)),
    })
}

/// Holds the expectations of the day against the tables; returns how many there are.
///
/// # Errors
/// [`PipelineError::Expectations`] with all that do not hold.
pub(crate) fn hold(prepared: &Prepared, tables: &Tables) -> Result<usize, PipelineError> {
    let of_day = |expect: &&Expect| expect.as_of.is_none_or(|day| day == prepared.as_of);
    let expected: Vec<&Expect> = prepared.pipeline.expect.iter().filter(of_day).collect();
    let mut unmet = Vec::new();
    for expect in &expected {
        unmet.extend(check(prepared, tables, expect)?);
    }
    if unmet.is_empty() {
        return Ok(expected.len());
    }
    Err(PipelineError::Expectations {
        checked: expected.len(),
        unmet,
    })
}

/// What of an expectation does not hold.
fn check(
    prepared: &Prepared,
    tables: &Tables,
    expect: &Expect,
) -> Result<Vec<Unmet>, PipelineError> {
    let subject = expect.subject.to_string();
    let absent = |found: &str| Unmet {
        line: expect.line,
        subject: subject.clone(),
        column: None,
        expected: String::new(),
        found: found.to_owned(),
    };
    let (table, row) = match &expect.subject {
        Subject::Customer(key) => {
            let table = tables.customers();
            let keys = table.column_by_name(&prepared.pipeline.customer.key);
            let row = keys
                .map(|keys| row_of(keys, &key.value))
                .transpose()?
                .flatten();
            match row {
                Some(row) => (table, row),
                None => return Ok(vec![absent("is not among the customers of this day")]),
            }
        }
        Subject::Segment { scheme, segment } => {
            let table = tables.segments();
            let (scheme, segment) = (scheme.value.as_str(), segment.value.as_str());
            match segment_row(table, scheme, segment) {
                Some(row) => (table, row),
                None if is_vacant(prepared, tables, scheme, segment) => {
                    return Ok(of_nobody(expect, &subject, (table, scheme)));
                }
                None => return Ok(vec![absent("is not among the segments of this day")]),
            }
        }
        Subject::Table(name) => {
            let rows = tables.rows_of(&name.value)?;
            let Some(rows) = rows else {
                return Ok(vec![absent("is not published by this run")]);
            };
            let fails =
                |condition: &Condition| !holds(condition, Some(&Found::Number(rows as f64)));
            let failed = expect
                .checks
                .iter()
                .filter(|(_, condition)| fails(condition));
            let rows = shown::grouped(rows);
            return Ok(failed
                .map(|check| unmet(expect, &subject, check, rows.clone()))
                .collect());
        }
    };
    let mut found = Vec::new();
    for check in &expect.checks {
        let column = needed(table.column_by_name(&check.0.value), "expected columns")?;
        let value = value_at(column, row)?;
        if !holds(&check.1, value.as_ref()) {
            let is_scheme = prepared.pipeline.scheme(&check.0.value).is_some();
            let as_it_is = is_scheme || prepared.pipeline.log.values;
            let text = value.map_or_else(|| "missing".to_owned(), |value| value.text(as_it_is));
            found.push(unmet(expect, &subject, check, text));
        }
    }
    Ok(found)
}

fn unmet(
    expect: &Expect,
    subject: &str,
    (column, condition): &(At<String>, Condition),
    found: String,
) -> Unmet {
    Unmet {
        line: expect.line,
        subject: subject.to_owned(),
        column: Some(column.value.clone()),
        expected: condition.to_string(),
        found,
    }
}

/// The row of a key; keys that are integers are named by their digits.
fn row_of(keys: &ArrayRef, wanted: &str) -> Result<Option<usize>, PipelineError> {
    for row in 0..keys.len() {
        if array_value_to_string(keys, row)? == wanted {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn segment_row(table: &RecordBatch, scheme: &str, segment: &str) -> Option<usize> {
    let text = |name: &str| table.column_by_name(name)?.as_string_opt::<i32>();
    let (schemes, segments) = (text("scheme")?, text("segment")?);
    (0..table.num_rows())
        .find(|&row| schemes.value(row) == scheme && segments.value(row) == segment)
}

/// Whether a scheme has a segment that nobody is in, so that it has no row: a stage, the segment of customers without a value, or a
/// value that customers had before.
fn is_vacant(prepared: &Prepared, tables: &Tables, scheme: &str, segment: &str) -> bool {
    let pipeline = &prepared.pipeline;
    let vacant = pipeline.scheme(scheme);
    let limits = &pipeline.features.lifecycle;
    match vacant.and_then(|scheme| tessera_segments::vacant(scheme, limits, segment)) {
        Some(Vacant::Stated(_)) => true,
        Some(Vacant::Label(_)) => segment_row(&tables.told.ledger, scheme, segment).is_some(),
        None => false,
    }
}

/// What does not hold of a segment that nobody is in: it has no customers and no part of any sum, and everything else of it is missing.
fn of_nobody(
    expect: &Expect,
    subject: &str,
    (segments, scheme): (&RecordBatch, &str),
) -> Vec<Unmet> {
    let schemes = segments.column_by_name("scheme");
    let schemes = schemes.and_then(|column| column.as_string_opt::<i32>());
    // What is summed of the other segments of the scheme is summed of this one.
    let is_summed = |name: &str| {
        let mut rows = schemes.into_iter().flat_map(|schemes| {
            (0..schemes.len()).filter(move |&row| schemes.value(row) == scheme)
        });
        let column = segments.column_by_name(name);
        column.is_some_and(|column| rows.any(|row| column.is_valid(row)))
    };
    let value = |name: &str| match name {
        "customers" | "share" => Some(Found::Number(0.0)),
        "value" | "value_share" | "kpi_customers" if is_summed(name) => Some(Found::Number(0.0)),
        _ => None,
    };
    let mut found = Vec::new();
    for check in &expect.checks {
        let value = value(&check.0.value);
        if !holds(&check.1, value.as_ref()) {
            let text = value.map_or_else(|| "missing".to_owned(), |value| value.text(true));
            found.push(unmet(expect, subject, check, text));
        }
    }
    found
}

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
enum Found {
    Text(String),
    Number(f64),
    Flag(bool),
    Date(NaiveDate),
}

impl Found {
    /// The value as a message shows it.
    fn text(&self, as_it_is: bool) -> String {
        match self {
            Self::Text(text) if as_it_is => format!("\"{text}\""),
            Self::Text(text) => format!("\"{}\"", shown::example(text)),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Date(date) => date.to_string(),
        }
    }
}

/// The value of a row; none where it is null or no number.
fn value_at(column: &ArrayRef, row: usize) -> Result<Option<Found>, PipelineError> {
    if column.is_null(row) {
        return Ok(None);
    }
    let text = array_value_to_string(column, row)?;
    Ok(match column.data_type() {
        DataType::Boolean => Some(Found::Flag(column.as_boolean().value(row))),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            let epoch = NaiveDate::default();
            let date = match u64::try_from(days) {
                Ok(days) => epoch.checked_add_days(Days::new(days)),
                Err(_) => epoch.checked_sub_days(Days::new(u64::from(days.unsigned_abs()))),
            };
            date.map(Found::Date)
        }
        ty if ty.is_numeric() => {
            let number = text.parse::<f64>().ok();
            number
                .filter(|number| number.is_finite())
                .map(Found::Number)
        }
        _ => Some(Found::Text(text)),
    })
}

fn holds(condition: &Condition, found: Option<&Found>) -> bool {
    match condition {
        Condition::Missing(missing) => found.is_none() == *missing,
        Condition::Is(wanted) => found.is_some_and(|found| equals(found, wanted)),
        Condition::Not(other) => found.is_some_and(|found| !equals(found, other)),
        Condition::Within(bounds) => {
            matches!(found, Some(Found::Number(number)) if bounds.holds(*number))
        }
    }
}

fn equals(found: &Found, wanted: &Scalar) -> bool {
    match (found, wanted) {
        (Found::Text(found), Scalar::Text(wanted)) => found == wanted,
        (Found::Number(found), Scalar::Number(wanted)) => found == wanted,
        (Found::Flag(found), Scalar::Flag(wanted)) => found == wanted,
        (Found::Date(found), Scalar::Date(wanted)) => found == wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_of_values_of_their_type() {
        let text = Found::Text("Champions".to_owned());
        let is = |scalar| Condition::Is(scalar);
        assert!(holds(
            &is(Scalar::Text("Champions".to_owned())),
            Some(&text)
        ));
        assert!(!holds(&is(Scalar::Number(1.0)), Some(&text)));
        assert!(!holds(&is(Scalar::Text("Champions".to_owned())), None));
        assert!(holds(
            &Condition::Not(Scalar::Flag(true)),
            Some(&Found::Flag(false))
        ));
        assert!(
            !holds(&Condition::Not(Scalar::Flag(true)), None),
            "a value is expected"
        );
        assert!(holds(&Condition::Missing(true), None));
        let bounds = Condition::Within(Bounds {
            at_least: Some(3.0),
            below: Some(5.0),
            ..Bounds::default()
        });
        let within =
            [2.0, 3.0, 4.9, 5.0].map(|number| holds(&bounds, Some(&Found::Number(number))));
        assert_eq!(within, [false, true, true, false]);
        assert!(!holds(&bounds, Some(&text)));
        assert_eq!(bounds.to_string(), "at least 3 and below 5");
    }
}
