//! Customers whom people put into a segment: a CSV file that the pipeline names.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use serde::Serialize;
use tessera_spec::Pipeline;
use tessera_spec::activity;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};

/// Columns of the file, in this order.
const COLUMNS: [&str; 6] = ["customer", "scheme", "segment", "until", "why", "by"];

/// A customer in a segment, as a person wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Pin {
    pub(crate) segment: String,
    /// The last day; for good without.
    pub(crate) until: Option<NaiveDate>,
    pub(crate) why: String,
    pub(crate) by: String,
    /// Line in the file.
    #[serde(skip)]
    pub(crate) line: u64,
}

/// Pins by scheme and customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pins {
    /// Those that hold on the day of the run.
    #[serde(flatten)]
    hold: BTreeMap<String, BTreeMap<String, Pin>>,
    /// Those whose last day is over, as scheme and customer, with the latest of these days.
    #[serde(skip)]
    ended: BTreeMap<(String, String), NaiveDate>,
}

impl Pins {
    /// The pins of a scheme, by customer.
    pub(crate) fn of(&self, scheme: &str) -> Option<&BTreeMap<String, Pin>> {
        self.hold.get(scheme)
    }

    /// Whether no pin holds on the day of the run.
    pub(crate) fn is_empty(&self) -> bool {
        self.hold.is_empty()
    }

    /// Whether a pin that held on a day stated its last day, which is over.
    pub(crate) fn has_ended(&self, scheme: &str, customer: &str, since: NaiveDate) -> bool {
        let ended = self.ended.get(&(scheme.to_owned(), customer.to_owned()));
        ended.is_some_and(|last| *last >= since)
    }

    /// Reads the file that the pipeline names; whatever is wrong with it is found at once.
    pub(crate) fn read(pipeline: &Pipeline, as_of: NaiveDate, found: &mut Diagnostics) -> Self {
        let Some(path) = &pipeline.memberships.pins else {
            return Self::default();
        };
        let mut pins = Self::default();
        let mut problems: Vec<String> = Vec::new();
        let place = Path::new(&path.value);
        let _reading = activity::reading("", place);
        match std::fs::read(place) {
            Ok(bytes) => pins.parse(pipeline, as_of, &bytes, &mut problems),
            Err(error) => problems.push(format!("it cannot be read: {error}")),
        }
        let diagnostic = |problem: String| {
            let message = format!("pins {}: {problem}", path.value);
            Diagnostic::error("TS-G020", message, path.span.clone()).with_help(format!(
                "write a CSV file with the columns {}",
                COLUMNS.join(",")
            ))
        };
        found.extend(problems.into_iter().map(diagnostic));
        pins
    }

    fn parse(
        &mut self,
        pipeline: &Pipeline,
        as_of: NaiveDate,
        bytes: &[u8],
        problems: &mut Vec<String>,
    ) {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes);
        match reader.headers() {
            Ok(headers) if headers.iter().eq(COLUMNS) => {}
            Ok(headers) => {
                let columns: Vec<&str> = headers.iter().collect();
                problems.push(format!("its columns are {}", columns.join(",")));
                return;
            }
            Err(error) => {
                problems.push(error.to_string());
                return;
            }
        }
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    problems.push(error.to_string());
                    continue;
                }
            };
            let line = record.position().map_or(0, csv::Position::line);
            let field = |place: usize| record.get(place).unwrap_or_default().to_owned();
            let (customer, scheme, until) = (field(0), field(1), field(3));
            if pipeline.scheme(&scheme).is_none() {
                problems.push(format!("line {line}: there is no scheme `{scheme}`"));
                continue;
            }
            let until = match until.as_str() {
                "" => None,
                text => match text.parse::<NaiveDate>() {
                    Ok(day) => Some(day),
                    Err(_) => {
                        problems.push(format!(
                            "line {line}: `{text}` is not a date such as 2026-12-31"
                        ));
                        continue;
                    }
                },
            };
            if let Some(until) = until.filter(|until| *until < as_of) {
                let last = self.ended.entry((scheme, customer)).or_insert(until);
                *last = until.max(*last);
                continue;
            }
            let pin = Pin {
                segment: field(2),
                until,
                why: field(4),
                by: field(5),
                line,
            };
            let before = self.hold.entry(scheme).or_default().insert(customer, pin);
            if let Some(before) = before {
                problems.push(format!(
                    "line {line}: the customer is pinned in line {} already",
                    before.line
                ));
            }
        }
    }
}
