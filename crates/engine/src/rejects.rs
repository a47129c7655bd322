//! The rows that rules rejected, each with its file, position, content and the value that the rule rejected.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::*;
use tessera_expr::rel::{FAULT, Join, ScanFormat, SourceRows, Stored};
use tessera_expr::{Node, Type};
use tessera_spec::shown::{example, masked};

use crate::aggregate::{conversion_rules, status};
use crate::budget::Budget;
use crate::column::col;
use crate::duplicates::Duplicates;
use crate::error::EngineError;
use crate::narrow::{Narrowing, each_file};
use crate::scan::{
    PRUNED, ROW, beyond_name, each_window, in_file, is_converted, raw_name, shows_beyond,
};

const STATUS: &str = "__status";
const COUNT: &str = "__count";

/// Rows per batch: a pass holds these in memory in addition to the rows that it returns.
const BATCH_ROWS: usize = 1 << 14;

/// Longest value of an example, in characters.
const LONGEST_VALUE: usize = 60;

/// A row that a rule rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The file.
    pub file: PathBuf,
    /// Position within the file, from 1.
    pub row_number: u64,
    /// Number of the rule, in the order of `Engine::check_names`.
    pub rule: usize,
    /// The row as a JSON object.
    pub row: String,
    /// The rejected value: the text that does not convert, or the columns of a check with their values. Never the key.
    pub found: Option<Found>,
}

/// The rejected value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The values as they stand in the file.
    pub values: String,
    /// The text for messages and logs: [`example`] of a single value, or the forms of several values.
    pub masked: String,
}

/// Names of the rules that rows of a source can break: values that do not convert, the checks, repeated rows.
pub fn rule_names(rows: &SourceRows) -> Vec<String> {
    let broken = conversion_rules(rows).into_iter().map(|rule| {
        let c = rule.column;
        let wanted = match c.ty {
            _ if !rule.from_text => match &c.stored {
                Stored::Timestamp {
                    ticks_per_second: 1_000_000_000,
                    ..
                } => "a time of the years 1677 to 2262",
                _ => "a time of the years 1 to 9999",
            },
            Type::Bool => "true or false",
            Type::Int => match c.bounds {
                Some((least, most)) => {
                    return format!("{} is not an integer from {least} to {most}", c.name);
                }
                None => "an integer",
            },
            Type::Float | Type::Decimal { .. } => "a number",
            Type::Date => "a date",
            Type::Timestamp => "a timestamp",
            Type::String | Type::Null => "a text",
        };
        format!("{} is not {wanted}", c.name)
    });
    let checks = rows.checks.iter().map(|check| check.rule.clone());
    let repeated = rows
        .dedup
        .iter()
        .map(|_| "repeats an earlier row".to_owned());
    broken.chain(checks).chain(repeated).collect()
}

/// Reads the source again and returns the first `wanted` rows of each rule, in file and row order; it stops when
/// all are found.
pub(crate) fn collect(
    rows: &SourceRows,
    wanted: &[u64],
    budget: &Budget,
    take: &mut dyn FnMut(Reject),
) -> Result<(), EngineError> {
    let repeated = rows.dedup.as_ref().map(|_| rule_names(rows).len() - 1);
    let wants_repeated = repeated.is_some_and(|rule| wanted.get(rule).is_some_and(|n| *n > 0));
    let duplicates = match &rows.dedup {
        Some(dedup) if wants_repeated => Some(Duplicates::find(rows, dedup, budget)?),
        _ => None,
    };
    let search = Search {
        wanted: wanted.to_vec(),
        found: found_columns(rows),
        duplicates: duplicates.zip(repeated),
        position: 0,
        rejects: Vec::new(),
        failure: None,
    };
    let mut collecting = Collecting {
        rows,
        only_rejected: search.duplicates.is_none(),
        search,
        hand_over: take,
    };
    if collecting.search.is_done() {
        return Ok(());
    }
    each_file(&rows.scan.files, &mut collecting)
}

/// Collects the rejected rows of files.
struct Collecting<'a> {
    rows: &'a SourceRows,
    /// Rows that pass need not be looked at: repeated ones are not searched.
    only_rejected: bool,
    search: Search,
    hand_over: &'a mut dyn FnMut(Reject),
}

/// Visible rows with the number of the rule that took them out, from 1, and 0 for those that pass.
fn judged(rows: &SourceRows, only_rejected: bool, frame: LazyFrame) -> LazyFrame {
    let mut frame = frame.with_column(status(rows).unwrap_or_else(|| lit(0u32)).alias(STATUS));
    if only_rejected {
        frame = frame.filter(col(STATUS).neq(lit(0u32)));
    }
    frame.filter(col(STATUS).lt(lit(PRUNED)))
}

impl Narrowing for Collecting<'_> {
    fn look(&mut self, files: Range<usize>) -> Result<u64, EngineError> {
        let (rows, only_rejected) = (self.rows, self.only_rejected);
        let make = |frame: LazyFrame| {
            let counts = len().cast(DataType::UInt64).alias(COUNT);
            let judged = judged(rows, only_rejected, frame);
            Ok(judged.group_by([col(STATUS)]).agg([counts]))
        };
        let (mut passing, mut found) = (0, 0);
        each_window(rows, files, false, &make, &mut |frame| {
            let frame = frame
                .collect_with_engine(Engine::Streaming)?
                .unwrap_single();
            let column = |name: &str| -> Result<Series, EngineError> {
                Ok(frame.column(name)?.as_materialized_series().clone())
            };
            let (statuses, counts) = (column(STATUS)?, column(COUNT)?);
            for (status, count) in statuses.u32()?.iter().zip(counts.u64()?.iter()) {
                let (status, count) = (status.unwrap_or(0) as usize, count.unwrap_or(0));
                match status.checked_sub(1) {
                    None => passing += count,
                    Some(rule) if self.search.wants(rule) => found += count,
                    Some(_) => {}
                }
            }
            Ok(true)
        })?;
        let begin = self.search.position;
        if let Some((duplicates, rule)) = &self.search.duplicates
            && self.search.wants(*rule)
        {
            let repeated = (begin..begin + passing).filter(|place| duplicates.contains(*place));
            found += repeated.count() as u64;
        }
        if found == 0 {
            self.search.position += passing;
        }
        Ok(found)
    }

    fn take(&mut self, number: usize) -> Result<bool, EngineError> {
        let (rows, only_rejected) = (self.rows, self.only_rejected);
        let make = |frame: LazyFrame| {
            let judged = judged(rows, only_rejected, frame);
            Ok(judged.select(content(rows)))
        };
        let file = rows.scan.lake_file_at(number);
        each_window(rows, number..number + 1, true, &make, &mut |frame| {
            self.search = search_window(frame, file, std::mem::take(&mut self.search))?;
            self.search.rejects.drain(..).for_each(&mut *self.hand_over);
            Ok(!self.search.is_done())
        })?;
        Ok(!self.search.is_done())
    }
}

/// Goes through a window of one file, batch by batch.
fn search_window(frame: LazyFrame, file: &Path, search: Search) -> Result<Search, EngineError> {
    let shared = Arc::new(Mutex::new(search));
    let (inner, file) = (shared.clone(), file.to_owned());
    let callback = PlanCallback::new(move |frame: DataFrame| -> PolarsResult<bool> {
        let mut search = inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = search.batch(&frame, &file) {
            search.failure = Some(error);
        }
        Ok(search.failure.is_some() || search.is_done())
    });
    let size = std::num::NonZeroUsize::new(BATCH_ROWS);
    frame
        .sink_batches(callback, true, size)?
        .collect_with_engine(Engine::Streaming)?;
    let mut search = shared.lock().unwrap_or_else(PoisonError::into_inner);
    match search.failure.take() {
        Some(error) => Err(error),
        None => Ok(std::mem::take(&mut *search)),
    }
}

/// The state of a search over the files of a source.
#[derive(Default)]
struct Search {
    /// Rows still wanted, by rule.
    wanted: Vec<u64>,
    /// Columns of the rejected value, by rule.
    found: Vec<Vec<String>>,
    /// Repeated rows, and the number of their rule.
    duplicates: Option<(Duplicates, usize)>,
    /// Position of the next row among those that pass the checks.
    position: u64,
    rejects: Vec<Reject>,
    failure: Option<EngineError>,
}

impl Search {
    fn wants(&self, rule: usize) -> bool {
        self.wanted.get(rule).is_some_and(|wanted| *wanted > 0)
    }

    fn is_done(&self) -> bool {
        self.wanted.iter().all(|n| *n == 0)
    }

    fn batch(&mut self, frame: &DataFrame, file: &Path) -> Result<(), EngineError> {
        let statuses = frame
            .column(STATUS)?
            .as_materialized_series()
            .u32()?
            .clone();
        let numbers = frame
            .column(ROW)?
            .as_materialized_series()
            .cast(&DataType::UInt64)?;
        let numbers = numbers.u64()?.clone();
        for row in 0..frame.height() {
            let rule = match statuses.get(row).unwrap_or(0) {
                0 => {
                    let position = self.position;
                    self.position += 1;
                    let repeated = self.duplicates.as_ref();
                    repeated
                        .filter(|(found, _)| found.contains(position))
                        .map(|(_, rule)| *rule)
                }
                status => Some(status as usize - 1),
            };
            let Some(rule) = rule else { continue };
            let Some(wanted) = self.wanted.get_mut(rule).filter(|wanted| **wanted > 0) else {
                continue;
            };
            *wanted -= 1;
            let found = self.found.get(rule).map_or(&[][..], Vec::as_slice);
            self.rejects.push(Reject {
                file: file.to_owned(),
                row_number: numbers.get(row).unwrap_or(0) + 1,
                rule,
                row: json(frame, row)?,
                found: match fault(frame, row)? {
                    // States places and names, no values.
                    Some(fault) => problem(&fault).map(|problem| Found {
                        masked: problem.clone(),
                        values: problem,
                    }),
                    None => found_values(frame, row, found)?,
                },
            });
        }
        Ok(())
    }
}

/// The columns of the files that each rule looks at, the key aside.
fn found_columns(rows: &SourceRows) -> Vec<Vec<String>> {
    let broken = conversion_rules(rows).into_iter();
    let broken = broken.map(|rule| vec![rule.column.name.clone()]);
    let checks = rows.checks.iter().map(|check| {
        let mut names = Vec::new();
        inputs(rows, &check.bad_when, &mut names);
        names
    });
    let all = broken
        .chain(checks)
        .chain(rows.dedup.iter().map(|_| Vec::new()));
    let shown = all.map(|names| names.into_iter().filter(|n| !rows.is_key(n)).collect());
    shown.collect()
}

/// The columns of the files behind an expression, through what is derived.
fn inputs(rows: &SourceRows, expr: &tessera_expr::Expr, into: &mut Vec<String>) {
    for name in tessera_expr::columns(expr) {
        let derived = rows.scan.derive.iter().find(|(derived, _)| derived == name);
        match derived {
            // A derived column that reads a column of its own name reads that of the files.
            Some((_, made))
                if made.node != Node::Column(name.to_owned())
                    && !tessera_expr::columns(made).contains(name) =>
            {
                inputs(rows, made, into)
            }
            _ => {
                // A joined column is what its keys make it.
                let joined = |join: &&Join| {
                    join.matched() == name || join.columns.iter().any(|c| c.name == name)
                };
                if let Some(join) = rows.scan.joins.iter().find(joined) {
                    join.on.iter().for_each(|(own, _)| inputs(rows, own, into));
                }
                let stored = rows.scan.columns.iter();
                let stored = stored.filter(|c| c.name == name && c.stored != Stored::HivePath);
                into.extend(stored.map(|c| c.name.clone()));
            }
        }
    }
    into.sort();
    into.dedup();
}

/// One value as it stands in the file; of several columns each with its name.
fn found_values(
    frame: &DataFrame,
    row: usize,
    columns: &[String],
) -> Result<Option<Found>, EngineError> {
    let mut found = Vec::with_capacity(columns.len());
    for name in columns {
        let (text, masked) = match value_of(frame, row, name)? {
            serde_json::Value::String(text) => {
                let masked = masked(&text);
                (text, masked)
            }
            serde_json::Value::Null => ("null".to_owned(), "null".to_owned()),
            other => (other.to_string(), masked(&other.to_string())),
        };
        found.push((name, cut(&text), cut(&masked)));
    }
    Ok(match found.as_slice() {
        [] => None,
        [(_, value, _)] => Some(Found {
            values: value.clone(),
            masked: example(value),
        }),
        several => Some(Found {
            values: listed(several.iter().map(|(name, value, _)| (*name, value))),
            masked: listed(several.iter().map(|(name, _, masked)| (*name, masked))),
        }),
    })
}

/// The first characters of a value.
fn cut(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_VALUE).collect();
    let ellipsis = if short.len() < text.len() { "…" } else { "" };
    format!("{short}{ellipsis}")
}

/// "amount = -5, currency = EUR".
fn listed<'a>(values: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let parts: Vec<String> = values
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    parts.join(", ")
}

/// Position, status, and every column of the file; texts as they stand there.
fn content(rows: &SourceRows) -> Vec<Expr> {
    let columns = rows.scan.columns.iter();
    let columns = columns.filter(|c| c.stored != Stored::HivePath);
    let beyond = columns.clone().filter(|c| shows_beyond(c));
    let beyond = beyond.map(|c| col(beyond_name(&c.name)));
    let columns = columns
        .map(|c| {
            if is_converted(c) {
                let value = col(c.name.as_str()).cast(DataType::String);
                coalesce(&[col(raw_name(&c.name)), value]).alias(c.name.as_str())
            } else {
                in_file(&rows.scan, &c.name).alias(c.name.as_str())
            }
        })
        .chain(beyond);
    let fault = (rows.scan.format == ScanFormat::Text).then(|| col(FAULT));
    let own = [col(ROW), col(STATUS)].into_iter().chain(fault);
    own.chain(columns).collect()
}

/// What is wrong with the record of a text file that has no fields, as JSON.
fn fault(frame: &DataFrame, row: usize) -> Result<Option<String>, EngineError> {
    let Ok(faults) = frame.column(FAULT) else {
        return Ok(None);
    };
    Ok(faults.str()?.get(row).map(str::to_owned))
}

/// The line of a broken record and what is wrong with it.
fn problem(fault: &str) -> Option<String> {
    let fault: serde_json::Value = serde_json::from_str(fault).ok()?;
    let (line, problem) = (fault.get("line")?, fault.get("problem")?.as_str()?);
    Some(format!("line {line}: {problem}"))
}

fn json(frame: &DataFrame, row: usize) -> Result<String, EngineError> {
    if let Some(fault) = fault(frame, row)? {
        return Ok(fault);
    }
    let mut object = serde_json::Map::new();
    let names = frame.get_column_names();
    let beyond: BTreeSet<String> = names.iter().map(|name| beyond_name(name)).collect();
    for name in names {
        if ![ROW, STATUS, FAULT].contains(&name.as_str()) && !beyond.contains(name.as_str()) {
            object.insert(name.to_string(), value_of(frame, row, name)?);
        }
    }
    Ok(serde_json::Value::Object(object).to_string())
}

/// What the file holds of a column, also where it is a time that cannot be represented.
fn value_of(frame: &DataFrame, row: usize, name: &str) -> Result<serde_json::Value, EngineError> {
    let value = json_value(&frame.column(name)?.get(row)?);
    Ok(match frame.column(&beyond_name(name)) {
        Ok(beyond) if value.is_null() => json_value(&beyond.get(row)?),
        _ => value,
    })
}

fn json_value(value: &AnyValue<'_>) -> serde_json::Value {
    match value {
        AnyValue::Null => serde_json::Value::Null,
        AnyValue::Boolean(b) => (*b).into(),
        AnyValue::Int64(n) => (*n).into(),
        AnyValue::Float64(x) => {
            serde_json::Number::from_f64(*x).map_or(serde_json::Value::Null, Into::into)
        }
        AnyValue::String(text) => (*text).into(),
        AnyValue::StringOwned(text) => text.as_str().into(),
        other => other.to_string().trim_matches('"').into(),
    }
}
