//! An expectation that does not hold, in words and for machines.

use serde_json::{Value, json};

/// An expectation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Line of the expectation in the pipeline file.
    pub line: usize,
    /// Of what it is, such as `customer 17`.
    pub subject: String,
    /// The column; none where the customer or the segment is not there.
    pub column: Option<String>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl std::fmt::Display for Unmet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (line, subject) = (self.line, &self.subject);
        match &self.column {
            Some(column) => write!(
                f,
                "line {line}: `{column}` of {subject} is {}, expected {}",
                self.found, self.expected
            ),
            None => write!(f, "line {line}: {subject} {}", self.found),
        }
    }
}

impl serde::Serialize for Unmet {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(to)
    }
}

impl Unmet {
    /// For machines.
    pub fn to_json(&self) -> Value {
        json!({
            "line": self.line, "of": self.subject, "column": self.column, "expected": self.expected, "found": self.found,
        })
    }
}
