//! Why no report could be made.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A published table lacks a column that every version of it has.
    #[error(
        "table `{table}` has no column `{column}`; it has {}: it was not written by this program, or is damaged (try `tessera verify`)",
        available.join(", ")
    )]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Columns that the table has.
        available: Vec<String>,
    },
    /// A column of a published table has a type that the report cannot read.
    #[error(
        "column `{column}` of table `{table}` is {found}, expected {expected}; try `tessera verify`"
    )]
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// Types that are understood.
        expected: &'static str,
    },
    /// A template is wrong: its syntax, or a name that the report does not provide.
    #[error("template `{name}`{}: {problem}", line.map(|l| format!(", line {l}")).unwrap_or_default())]
    Template {
        /// The template.
        name: String,
        /// The line, from 1.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// A replacement for a template that the report does not have.
    #[error("there is no template `{name}` to replace; the templates are {}", available.join(", "))]
    UnknownTemplate {
        /// The name as given.
        name: String,
        /// All template names.
        available: Vec<String>,
    },
    /// The commit's `pipeline` object cannot be read.
    #[error(
        "the commit's `pipeline` object cannot be read: {source}; the version was written by another program"
    )]
    Meta {
        /// What is wrong with it.
        #[from]
        source: serde_json::Error,
    },
    /// Rows of a published table could not be left out.
    #[error("rows of a published table could not be left out: {0}; try `tessera verify`")]
    Rows(#[from] arrow::error::ArrowError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] tessera_snapshot::StoreError),
}

impl From<minijinja::Error> for ReportError {
    fn from(error: minijinja::Error) -> Self {
        let problem = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        Self::Template {
            name: error.name().unwrap_or("page.html").to_owned(),
            line: error.line(),
            problem,
        }
    }
}
