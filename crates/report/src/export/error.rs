//! Why a list could not be exported.

use std::io;

use tessera_snapshot::StoreError;

/// Errors of exports.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A column that neither `actions` nor `customers` of the version has.
    #[error(
        "version {version} has no column `{column}`{}; its tables `actions` and `customers` have {}",
        near.as_ref().map_or_else(String::new, |near| format!(" (did you mean `{near}`?)")),
        some_of(available)
    )]
    UnknownColumn {
        /// The column.
        column: String,
        /// The version.
        version: u64,
        /// A column with a name like it.
        near: Option<String>,
        /// All columns.
        available: Vec<String>,
    },
    /// A column that is asked for twice.
    #[error("column `{0}` is asked for twice; name it once")]
    Twice(String),
    /// A list without the customer's key.
    #[error(
        "the columns lack the customer's key `{key}`; add it: without it, who reads the list cannot tell whom a later change is of"
    )]
    NoKey {
        /// The key.
        key: String,
    },
    /// A column has the name of one that changes have.
    #[error(
        "changes have a column `{0}` of their own, so a list with a column of that name cannot be exported as changes; leave it out with `--columns`, or export the whole list"
    )]
    Reserved(String),
    /// Keys of the two versions cannot be compared.
    #[error(
        "the customer's key is `{now}` in version {version} and was `{before}` in version {since}, so that customers cannot be compared; export the whole list"
    )]
    OtherKey {
        /// The version.
        version: u64,
        /// Its key, with the type.
        now: String,
        /// The version before.
        since: u64,
        /// Its key, with the type.
        before: String,
    },
    /// A value of who is no longer listed does not fit the type that its column has now.
    #[error(
        "column `{column}` was {before} in version {since} and is {now} in version {version}, which not every earlier value fits; leave it out with `--columns`, or export the whole list"
    )]
    OtherType {
        /// The column.
        column: String,
        /// The version.
        version: u64,
        /// Its type there.
        now: String,
        /// The version before.
        since: u64,
        /// Its type there.
        before: String,
    },
    /// A table of the version lacks a customer that another one has, or a column that every version has.
    #[error("version {version}: table `{table}` {problem}; try `tessera verify`")]
    Table {
        /// The version.
        version: u64,
        /// The table.
        table: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Rows could not be put together.
    #[error("rows of published tables could not be put together: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    /// The list could not be written.
    #[error("the list could not be written: {0}")]
    Write(#[from] io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Names as a message shows them.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 24;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl ExportError {
    /// The exit code of the program: 2 for what was asked, 4 for store and I/O, 1 for the program itself.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownColumn { .. }
            | Self::Twice(_)
            | Self::NoKey { .. }
            | Self::Reserved(_)
            | Self::OtherKey { .. }
            | Self::OtherType { .. } => 2,
            Self::Rows(_) => 1,
            Self::Table { .. } | Self::Write(_) => 4,
            Self::Store(error) => error.exit_code(),
        }
    }

    /// Whether the reader of the list has closed its pipe.
    pub fn is_closed_pipe(&self) -> bool {
        let (Self::Write(error) | Self::Store(StoreError::Io { error, .. })) = self else {
            return false;
        };
        error.kind() == io::ErrorKind::BrokenPipe
    }
}
