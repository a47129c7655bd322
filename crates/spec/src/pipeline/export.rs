//! `export` of a playbook: how the list of its customers is written for other systems.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::At;

/// How the customers of a playbook are exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// The format of the file.
    pub format: ExportFormat,
    /// Its columns in order; all columns of `actions` where none are stated.
    pub columns: Option<Vec<At<String>>>,
}

/// Formats of exported lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Comma-separated values as RFC 4180 describes them, in UTF-8.
    #[default]
    Csv,
    /// A JSON object per line.
    Ndjson,
    /// Parquet, with the types of the published tables.
    Parquet,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Parquet];

    /// Its name, which is also the end of the name of a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}
