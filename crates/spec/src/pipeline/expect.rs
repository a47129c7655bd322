//! What `[[expect]]` means: what is known of single customers, segments and tables, and must hold before anything is published.

use std::fmt;

use chrono::NaiveDate;

use super::{At, Span};

/// One expectation.
#[derive(Debug, Clone)]
pub struct Expect {
    /// Of what it is.
    pub subject: Subject,
    /// The only day on which it is checked; every day without.
    pub as_of: Option<NaiveDate>,
    /// What must hold, by column.
    pub checks: Vec<(At<String>, Condition)>,
    /// Its place in the file.
    pub span: Span,
    /// The line of that place, from 1.
    pub line: usize,
}

/// Of what an expectation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A customer: columns of the table `customers`.
    Customer(At<String>),
    /// A segment: columns of the table `segments`.
    Segment {
        /// Its scheme.
        scheme: At<String>,
        /// Its name.
        segment: At<String>,
    },
    /// A published table, of which `rows` is the number of rows.
    Table(At<String>),
}

/// What must hold of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// It is this.
    Is(Scalar),
    /// It is there, and another one.
    Not(Scalar),
    /// It is null, or it is not.
    Missing(bool),
    /// It is a number within bounds.
    Within(Bounds),
}

/// Bounds of a number; at least one is stated.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    /// Not below this.
    pub at_least: Option<f64>,
    /// Not above this.
    pub at_most: Option<f64>,
    /// Greater than this.
    pub above: Option<f64>,
    /// Less than this.
    pub below: Option<f64>,
}

/// A value as the file writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A date.
    Date(NaiveDate),
}

impl Bounds {
    /// Whether a number is within.
    pub fn holds(self, value: f64) -> bool {
        self.at_least.is_none_or(|least| value >= least)
            && self.at_most.is_none_or(|most| value <= most)
            && self.above.is_none_or(|limit| value > limit)
            && self.below.is_none_or(|limit| value < limit)
    }

    /// Whether no number from one value to another is within.
    pub fn is_empty(self, from: f64, to: f64) -> bool {
        let least = self.at_least.unwrap_or(from).max(from);
        let most = self.at_most.unwrap_or(to).min(to);
        let above = self.above.unwrap_or(f64::NEG_INFINITY);
        let below = self.below.unwrap_or(f64::INFINITY);
        least > most || above >= most || below <= least || above >= below
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(key) => write!(f, "customer {}", key.value),
            Self::Segment { scheme, segment } => {
                write!(
                    f,
                    "segment `{}` of scheme `{}`",
                    segment.value, scheme.value
                )
            }
            Self::Table(name) => write!(f, "table `{}`", name.value),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Date(date) => write!(f, "{date}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(value) => write!(f, "{value}"),
            Self::Not(value) => write!(f, "a value other than {value}"),
            Self::Missing(true) => f.write_str("no value"),
            Self::Missing(false) => f.write_str("a value"),
            Self::Within(bounds) => {
                let named = [
                    ("at least", bounds.at_least),
                    ("at most", bounds.at_most),
                    ("above", bounds.above),
                    ("below", bounds.below),
                ];
                let stated = named
                    .into_iter()
                    .filter_map(|(word, limit)| Some((word, limit?)));
                let words: Vec<String> = stated
                    .map(|(word, limit)| format!("{word} {limit}"))
                    .collect();
                f.write_str(&words.join(" and "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_empty_where_no_number_of_the_range_is_within() {
        let bounds = |at_least, at_most, above, below| Bounds {
            at_least,
            at_most,
            above,
            below,
        };
        let cases = [
            (bounds(Some(5.0), None, None, None), true),
            (bounds(Some(1.0), None, None, None), false),
            (bounds(None, None, Some(1.0), None), true),
            (bounds(None, None, None, Some(0.0)), true),
            (bounds(None, Some(0.0), None, None), false),
            (bounds(Some(0.6), Some(0.5), None, None), true),
            (bounds(None, None, Some(0.5), Some(0.5)), true),
            (bounds(None, None, Some(0.4), Some(0.5)), false),
        ];
        for (bounds, empty) in cases {
            assert_eq!(bounds.is_empty(0.0, 1.0), empty, "{bounds:?}");
        }
    }
}
