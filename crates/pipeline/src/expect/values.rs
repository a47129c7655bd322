//! Values that `[[expect]]` states of a column: whether the column can have them, by its type and by its known labels.

use std::fmt;

use tessera_expr::Type;
use tessera_features::FeatureInfo;
use tessera_snapshot::tables::{self, Ty};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{At, Condition, Scalar, Scheme, Subject};

use crate::base;
use crate::labels::{Labels, type_of};

/// What is said of a condition that every value meets.
pub(super) const ALWAYS: &str = "holds wherever there is a value";

/// What is known of the columns of `customers`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) published: &'a [FeatureInfo],
    pub(super) labels: &'a Labels,
}

/// What kind of values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Whole,
    Flag,
    Date,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "texts",
            Self::Number => "numbers",
            Self::Whole => "whole numbers",
            Self::Flag => "true and false",
            Self::Date => "dates",
        })
    }
}

impl Columns<'_> {
    /// A condition that states a value which the column cannot have: it can never hold, or never fail.
    pub(super) fn check(
        self,
        subject: &Subject,
        (column, condition): (&At<String>, &Condition),
    ) -> Option<Diagnostic> {
        let kind = self.kind(subject, &column.value)?;
        let stated = match condition {
            Condition::Missing(_) => return None,
            Condition::Within(_) if matches!(kind, Kind::Number | Kind::Whole) => return None,
            Condition::Within(_) => None,
            Condition::Is(value) | Condition::Not(value) => Some(value),
        };
        if stated.is_some_and(|value| kind.has(value)) {
            return match (subject, stated) {
                (Subject::Customer(_), Some(Scalar::Text(label))) => self.label(column, label),
                _ => None,
            };
        }
        let verdict = match condition {
            Condition::Not(_) => ALWAYS,
            _ => "cannot hold",
        };
        let name = &column.value;
        let message = format!(
            "`{name}` is expected to be {condition}, which {verdict}: its values are {kind}"
        );
        let help = match stated {
            Some(value) => kind.written(value),
            None => "state the value, or `{ not = … }` or `{ missing = true }`".to_owned(),
        };
        Some(Diagnostic::error("TS-G026", message, column.span.clone()).with_help(help))
    }

    /// What a column has; `None` where there is no such column, and for points in time.
    fn kind(self, subject: &Subject, column: &str) -> Option<Kind> {
        match subject {
            Subject::Customer(_) => self.kind_of_customers(column),
            Subject::Segment { .. } => {
                let mut columns = tables::find("segments")?.columns.iter();
                match columns.find(|known| known.name == column)?.ty {
                    Ty::Text => Some(Kind::Text),
                    Ty::Int => Some(Kind::Whole),
                    Ty::Float | Ty::Money => Some(Kind::Number),
                    Ty::Date => Some(Kind::Date),
                    _ => None,
                }
            }
            Subject::Table(_) => None,
        }
    }

    fn kind_of_customers(self, column: &str) -> Option<Kind> {
        let features = self.published.iter();
        let features = features.map(|info| (info.name.as_str(), info.ty));
        let schemes: Vec<_> = self
            .pipeline
            .schemes
            .iter()
            .flat_map(Scheme::columns)
            .collect();
        let schemes = schemes.iter();
        let schemes = schemes.map(|column| (column.name.as_str(), type_of(column.holds)));
        let mut known = features.chain(schemes).chain([(base::ACTIVE, Type::Bool)]);
        match known.find(|(name, _)| *name == column)?.1 {
            Type::Bool => Some(Kind::Flag),
            Type::Int => Some(Kind::Whole),
            Type::Float | Type::Decimal { .. } => Some(Kind::Number),
            Type::String => Some(Kind::Text),
            Type::Date => Some(Kind::Date),
            Type::Timestamp | Type::Null => None,
        }
    }

    /// A text that a column never has.
    fn label(self, column: &At<String>, label: &String) -> Option<Diagnostic> {
        let name = &column.value;
        let known = self.labels.of_column(name)?;
        if known.contains(label) {
            return None;
        }
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let what = format!("value of `{name}`");
        let unknown = unknown_name("TS-G007", &what, label, column.span.clone(), &names);
        Some(unknown.with_label(format!("`{name}` never has this value")))
    }
}

impl Kind {
    /// Whether a value is one of this kind.
    fn has(self, value: &Scalar) -> bool {
        match value {
            Scalar::Text(_) => self == Self::Text,
            Scalar::Number(number) => {
                self == Self::Number || self == Self::Whole && number.fract() == 0.0
            }
            Scalar::Flag(_) => self == Self::Flag,
            Scalar::Date(_) => self == Self::Date,
        }
    }

    /// How a value of this kind is written in place of another.
    fn written(self, value: &Scalar) -> String {
        let is_number = |text: &&String| text.parse::<f64>().is_ok_and(f64::is_finite);
        match (self, value) {
            (Self::Text, Scalar::Text(_)) => "write a text".to_owned(),
            (Self::Text, other) => format!("write a text in quotes: \"{other}\""),
            (Self::Number | Self::Whole, Scalar::Text(text)) if is_number(&text) => {
                format!("write the number without quotes: {text}")
            }
            (Self::Number, _) => "write a number".to_owned(),
            (Self::Whole, _) => {
                "write a whole number, or limits such as { at_least = 3 }".to_owned()
            }
            (Self::Flag, _) => "write `true` or `false`, without quotes".to_owned(),
            (Self::Date, _) => "write a date without quotes, such as 2026-12-31".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn a_kind_has_the_values_that_are_written_as_it_is() {
        let values = [
            Scalar::Text("3".to_owned()),
            Scalar::Number(3.0),
            Scalar::Number(3.5),
            Scalar::Flag(true),
            Scalar::Date(NaiveDate::default()),
        ];
        for (kind, expected) in [
            (Kind::Text, [true, false, false, false, false]),
            (Kind::Number, [false, true, true, false, false]),
            (Kind::Whole, [false, true, false, false, false]),
            (Kind::Flag, [false, false, false, true, false]),
            (Kind::Date, [false, false, false, false, true]),
        ] {
            let has: Vec<bool> = values.iter().map(|value| kind.has(value)).collect();
            assert_eq!(has, expected, "{kind}");
        }
    }
}
