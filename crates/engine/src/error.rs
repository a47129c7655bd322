//! What can go wrong while a plan runs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tessera_expr::rel::Scan;
use tessera_spec::interrupt;
use tessera_spec::shown::grouped;

use crate::lake::Fault;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file of a source could not be read: truncated, damaged, or not what its name says.
    #[error("source `{name}`: cannot read {}: {reason}; replace the file, or move it out of the lake", file.display())]
    UnreadableFile {
        /// Name of the source in the pipeline file.
        name: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a source is not the same as when the lake was listed.
    #[error(
        "source `{name}`: {} changed while it was read: {what}; run again when nothing writes to the lake", file.display()
    )]
    ChangedFile {
        /// Name of the source in the pipeline file.
        name: String,
        /// The file.
        file: PathBuf,
        /// How it differs.
        what: String,
    },
    /// The operating system did not let a file of a source be read.
    #[error("source `{name}`: cannot {operation} {}: {error}", file.display())]
    LakeIo {
        /// Name of the source in the pipeline file.
        name: String,
        /// What was tried, such as `open`.
        operation: &'static str,
        /// The file.
        file: PathBuf,
        /// The operating system error.
        error: std::io::Error,
    },
    /// An aggregate of one customer that does not fit its type.
    #[error(
        "source `{name}`: `{column}` of a customer does not fit into {limit}; exclude rows with wrong values with `filter` or a rule of the contract, exclude customers that another source does not have with `only_keys_of`, or cast integers to double before they are summed"
    )]
    Overflow {
        /// Name of the source.
        name: String,
        /// The aggregate.
        column: String,
        /// The customer: for files that only their owner reads, no part of the message.
        key: String,
        /// The type.
        limit: &'static str,
    },
    /// Texts of an aggregate that are too long together for a column.
    #[error(
        "source `{name}`: the texts of `{column}` take {} together, of {} customers; the texts of a column may take {}: publish a part of them, such as `of = \"substring(…, 1, 200)\"`", bytes_words(*bytes), grouped(*customers), bytes_words(*limit)
    )]
    LongTexts {
        /// Name of the source.
        name: String,
        /// The aggregate.
        column: String,
        /// Bytes of the texts of all customers.
        bytes: u64,
        /// The customers.
        customers: u64,
        /// Bytes that are possible.
        limit: u64,
    },
    /// Arithmetic in a used row whose result does not fit its type.
    #[error(
        "source `{name}`: `{expression}` does not fit into 64 bits (integers) or 38 digits (decimals) in some row; cast an operand to double, or exclude such rows with `filter`, `only_keys_of` or a rule of the contract"
    )]
    RowOverflow {
        /// Name of the source.
        name: String,
        /// The expression.
        expression: String,
    },
    /// A number that cannot be summed, because it is infinite or not a number.
    #[error(
        "source `{name}`: `{expression}` has the value {value}, which cannot be summed; exclude such rows with `filter`, or quarantine them with a rule of the contract"
    )]
    Unsummable {
        /// Name of the source.
        name: String,
        /// What was to be summed.
        expression: String,
        /// The value met.
        value: f64,
    },
    /// Data that cannot be written to temporary files needs more memory than the limit of the run.
    #[error(
        "{what} would need {}, but the memory limit of the run is {}; nothing was published. Run it with `--memory {}` at least, and more where later stages need more, or on fewer customers, rows or features", bytes_words(*.needed_bytes), bytes_words(*.limit_bytes), memory_setting(*.needed_bytes)
    )]
    Memory {
        /// What needs it.
        what: String,
        /// Bytes that the run would take at that point, as far as they are known.
        needed_bytes: u64,
        /// Bytes that it may take.
        limit_bytes: u64,
    },
    /// Several rows of a lookup have one key and differ, and no setting says which one counts.
    #[error(
        "lookup `{name}`: {} several rows{} that differ in a joined column{}; {}", keys_words(*keys, columns), if *at_one_time { " of the same time" } else { "" }, places(example), several_help(*at_one_time, name)
    )]
    SeveralMatches {
        /// Name of the source.
        name: String,
        /// Its key columns.
        columns: Vec<String>,
        /// Keys concerned.
        keys: u64,
        /// The rows have one time too; otherwise the lookup has no time.
        at_one_time: bool,
        /// Files and rows, from 1, of one of them.
        example: Vec<(PathBuf, u64)>,
    },
    /// Keys of a map that lead from one to the next and back, so that none of them is the customer.
    #[error(
        "lookup `{name}`: {} to the next and back to the first{}, so none of them is the customer that they belong to; correct the rows, or exclude one of them with `filter`", circle_words(*keys), places(example)
    )]
    KeyCircle {
        /// Name of the source.
        name: String,
        /// Keys concerned.
        keys: u64,
        /// Files and rows, from 1, of keys of one circle.
        example: Vec<(PathBuf, u64)>,
    },
    /// A lookup with more rows than can be numbered in memory.
    #[error(
        "lookup `{name}` has {} rows; at most 4,294,967,294 can be held in memory: exclude rows that no join needs with `filter`", grouped(*rows)
    )]
    LookupTooLarge {
        /// Name of the source.
        name: String,
        /// Rows that pass its checks.
        rows: u64,
    },
    /// A stage file could not be read or written.
    #[error("{operation}: {}: {error}; `--work DIR` puts stage files into another folder", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system error.
        error: std::io::Error,
    },
    /// The library that reads files and evaluates expressions failed where no file can be named.
    #[error("internal error: a table could not be computed{}; please report it, with TESSERA_LOG=debug", cause(.0))]
    Query(String),
    /// Each file of a source can be read, but not all of them together.
    #[error("source `{name}`: its files cannot be read as one table: {reason}")]
    UnreadableSource {
        /// Name of the source in the pipeline file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The process is asked to stop.
    #[error("interrupted; nothing was published")]
    Interrupted,
    /// An assumption of the engine itself did not hold.
    #[error("internal error: {0}; please report it, with TESSERA_LOG=debug")]
    Internal(String),
}

impl EngineError {
    /// [`EngineError::Interrupted`] where the process is asked to stop.
    pub(crate) fn go_on() -> Result<(), Self> {
        if interrupt::requested() {
            return Err(Self::Interrupted);
        }
        Ok(())
    }

    pub(crate) fn internal(what: String) -> Self {
        Self::Internal(what)
    }

    /// A fault of a file that a scan reads, with the name of the file of the lake.
    pub(crate) fn of_lake_file(scan: &Scan, path: &Path, fault: Fault) -> Self {
        let (name, file) = (scan.source.clone(), scan.lake_file(path).to_owned());
        match fault {
            Fault::Damaged(reason) => Self::UnreadableFile { name, file, reason },
            Fault::Changed(what) => Self::ChangedFile { name, file, what },
            Fault::TooLarge(what, needed_bytes, limit_bytes) => Self::Memory {
                what: format!("source `{name}`: {what} of {}", file.display()),
                needed_bytes,
                limit_bytes,
            },
            Fault::System(operation, error) => Self::LakeIo {
                name,
                operation,
                file,
                error,
            },
        }
    }

    pub(crate) fn io(operation: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self::Io {
            operation,
            path: path.to_owned(),
            error,
        }
    }
}

impl From<polars::error::PolarsError> for EngineError {
    fn from(error: polars::error::PolarsError) -> Self {
        tracing::debug!("polars: {error}");
        Self::Query(plain_words(&error.to_string()))
    }
}

/// Bytes in MiB or GiB.
pub(crate) fn bytes_words(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    // MiB up to 16 GiB, so that a needed size and a smaller limit do not have the same text.
    if bytes < 16 * GIB {
        format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
    } else {
        format!("{:.1} GiB", bytes as f64 / GIB as f64)
    }
}

/// A value of `--memory` that holds so many bytes: whole MiB, rounded up.
fn memory_setting(bytes: u64) -> String {
    format!("{}MiB", bytes.div_ceil(1 << 20))
}

/// The text that replaces messages that only developers understand.
const DAMAGED: &str = "its content is damaged";

/// "2 values of `currency`, `day` have".
fn keys_words(keys: u64, columns: &[String]) -> String {
    let columns = columns.join(", ");
    match keys {
        1 => format!("1 value of {columns} has"),
        n => format!("{} values of {columns} have", grouped(n)),
    }
}

/// "3 keys lead from one".
fn circle_words(keys: u64) -> String {
    format!("{} keys lead from one", grouped(keys))
}

fn places(rows: &[(PathBuf, u64)]) -> String {
    let place = |(file, row): &(PathBuf, u64)| format!("{} row {row}", file.display());
    let places: Vec<String> = rows.iter().map(place).collect();
    if places.is_empty() {
        return String::new();
    }
    format!(", such as {}", places.join(" and "))
}

fn several_help(at_one_time: bool, name: &str) -> String {
    let table = format!("[sources.{name}.contract]");
    if at_one_time {
        format!(
            "correct the rows, or keep the first of them: `duplicates = {{ unique = [\"…\"], on_fail = \"drop\" }}` with the key columns and the time in {table}"
        )
    } else {
        format!(
            "correct the rows, set `time` to the column that says since when a row is valid, or use the first row in the order of files and rows: `several = \"first\"` in {table}"
        )
    }
}

fn cause(words: &str) -> String {
    if words == DAMAGED {
        String::new()
    } else {
        format!(": {words}")
    }
}

/// The message of a library, without parts that only its developers understand: plans, code and places in sources. Nothing is
/// lost: the
/// whole text is logged at level debug.
pub(crate) fn plain_words(said: &str) -> String {
    const CODE: [&str; 9] = [
        "::",
        "unreachable",
        "unwrap()",
        ".rs:",
        "panicked",
        "out of bounds",
        "range end index",
        "range start index",
        "slice index",
    ];
    let words = said.split("Resolved plan until failure").next();
    let words = words.unwrap_or_default().lines().next().unwrap_or_default();
    let words = words.trim().trim_end_matches(['.', ';', ':']);
    // An operating system error is kept as a whole.
    if let Some(at) = words.find(" (os error ") {
        let start = words[..at].rfind(": ").map_or(0, |at| at + 2);
        return format!("operating system error: {}", &words[start..]);
    }
    if words.is_empty() || CODE.iter().any(|code| words.contains(code)) {
        return DAMAGED.to_owned();
    }
    words.to_owned()
}

/// Runs `work`; a panic inside the query engine, as damaged files can cause, becomes an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(EngineError::Query(panic_text(panic.as_ref()))))
}

/// The message to the user for a panic; its own text is logged.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    tracing::debug!("a reader stopped: {said}");
    plain_words(if said.is_empty() { "panicked" } else { said })
}

impl From<arrow::error::ArrowError> for EngineError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::plain_words;

    #[test]
    fn no_plan_and_no_code_reaches_the_user() {
        for (said, words) in [
            (
                "could not parse `x` as dtype `i64`\n\nResolved plan until failure:\n\n\t---> FAILED HERE",
                "could not parse `x` as dtype `i64`",
            ),
            (
                "internal error: entered unreachable code: invalid num_bits 131",
                "its content is damaged",
            ),
            (
                "index out of bounds: the len is 2 but the index is 3",
                "its content is damaged",
            ),
            (
                "called `Result::unwrap()` on an `Err` value: ...",
                "its content is damaged",
            ),
            ("", "its content is damaged"),
            (
                "failed to open: /lake/a.csv: Permission denied (os error 13)",
                "operating system error: Permission denied (os error 13)",
            ),
        ] {
            assert_eq!(plain_words(said), words, "{said}");
        }
    }
}
