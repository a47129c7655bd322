//! What can be wrong with an expression. The text of every message lives here.

use std::ops::Range;

use tessera_spec::letters::Names;

use crate::tree::Type;

/// One mistake in an expression, with its place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// What is wrong, in one sentence without a final stop.
    pub message: String,
    /// Byte range in the expression's text.
    pub span: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
    /// The same as data.
    pub kind: ErrorKind,
}

/// Mistakes as data. `Display` is the message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ErrorKind {
    /// The text is not SQL.
    #[error("{reason}")]
    Syntax {
        /// What the parser expected and found.
        reason: String,
    },
    /// The expression, or its tree, is too large.
    #[error("the expression is too large: {found} {unit}, the limit is {limit}")]
    TooLarge {
        /// Measured size.
        found: usize,
        /// Largest size accepted.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The tree is deeper than an engine can safely process.
    #[error("the expression is nested more than {limit} levels deep")]
    TooDeep {
        /// Levels accepted.
        limit: usize,
    },
    /// A name that is not in the schema.
    #[error("unknown column `{name}`")]
    UnknownColumn {
        /// As written.
        name: String,
        /// The nearest available name.
        suggestion: Option<String>,
    },
    /// A function that is not in the catalogue.
    #[error("unknown function `{name}`")]
    UnknownFunction {
        /// As written.
        name: String,
        /// The nearest available name.
        suggestion: Option<&'static str>,
    },
    /// SQL that is not supported.
    #[error("{what} not supported in expressions")]
    Unsupported {
        /// The construct with its verb: "subqueries are".
        what: String,
    },
    /// A wrong number or form of arguments.
    #[error("`{function}` takes {expected}")]
    Arguments {
        /// Name of the function.
        function: &'static str,
        /// What it takes.
        expected: String,
    },
    /// An operand of a type that the operation does not take.
    #[error("{place} must be {expected}, found {found}")]
    WrongType {
        /// Which operand of what.
        place: String,
        /// What it takes.
        expected: &'static str,
        /// What was written.
        found: Type,
    },
    /// Operands that do not go together.
    #[error("{place} of {left} and {right} is not defined")]
    Mismatch {
        /// The operation.
        place: String,
        /// Type of the first operand.
        left: Type,
        /// Type of the operand that does not fit.
        right: Type,
    },
    /// A constant that is not one of its type.
    #[error("`{text}` is not a valid {ty}")]
    BadLiteral {
        /// As written.
        text: String,
        /// What it should have been.
        ty: Type,
    },
    /// A comparison with a bare null, which is never true.
    #[error("comparison with null is never true")]
    NullComparison,
    /// A cast that has no meaning.
    #[error("{from} values cannot be cast to {to}")]
    NoCast {
        /// Type of the operand.
        from: Type,
        /// Type asked for.
        to: Type,
    },
}

impl ExprError {
    /// An error at a place.
    pub(crate) fn new(kind: ErrorKind, span: Range<usize>) -> Self {
        Self {
            message: kind.to_string(),
            span,
            help: None,
            kind,
        }
    }

    /// With advice.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The candidate that was probably meant: equal except for case, or a few letters away.
pub(crate) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    // The distance that is too large.
    let limit = (name.to_lowercase().chars().count() / 3).clamp(1, 3) + 1;
    let place = Names::of(candidates.iter().copied()).nearest(name, limit)?;
    candidates.get(place).copied()
}

/// The different ones of names for a message; a long list is shortened.
pub(crate) fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut shown: Vec<&str> = Vec::with_capacity(SHOWN);
    for name in names {
        if shown.len() < SHOWN && !shown.contains(name) {
            shown.push(name);
        }
    }
    let text = shown.join(", ");
    match Names::of(names.iter().copied()).distinct() - shown.len() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
