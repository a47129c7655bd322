//! The SQL of every number. In the HTML, a number has its unrounded value and its column as attributes; the block around it has
//! the query, and rows have the values of the columns that identify them in the query's result.

use serde::Serialize;

use crate::text::Name;

/// Longest value of a key column in an attribute of a row, in characters.
const LONGEST_KEY: usize = 200;

/// A number as it is shown, with its unrounded value.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Num {
    pub(crate) shown: String,
    /// Unrounded; `None` where there is no number, or none that a query gives.
    raw: Option<String>,
    /// Its column in the result of the query around it.
    column: &'static str,
    /// Its value of the last key column, where no element around it has it.
    key: Option<String>,
}

impl Num {
    /// A number of a column.
    pub(crate) fn new(shown: impl Into<String>, raw: f64, column: &'static str) -> Self {
        Self {
            shown: shown.into(),
            raw: raw.is_finite().then(|| format!("{raw:?}")),
            column,
            key: None,
        }
    }

    /// A number or dash of a column.
    pub(crate) fn opt(shown: impl Into<String>, raw: Option<f64>, column: &'static str) -> Self {
        Self::new(shown, raw.unwrap_or(f64::NAN), column)
    }

    /// A whole number with thousands separators.
    pub(crate) fn count(n: i64, column: &'static str) -> Self {
        Self {
            shown: crate::number::count(n),
            raw: Some(n.to_string()),
            column,
            key: None,
        }
    }

    /// The number in the row with that value of the last key column.
    pub(crate) fn at(self, value: &str) -> Self {
        Self {
            key: Some(key(value)),
            ..self
        }
    }

    /// The same number, shown differently.
    pub(crate) fn shown_as(self, shown: impl Into<String>) -> Self {
        Self {
            shown: shown.into(),
            ..self
        }
    }
}

/// A query, and the columns whose values identify its rows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Query {
    pub(crate) sql: String,
    by: String,
}

impl Query {
    /// A query of one row.
    pub(crate) fn one(sql: impl Into<String>) -> Self {
        Self::by(&[], sql)
    }

    /// A query whose rows are identified by these columns; elements around a number have their values, the outermost first.
    pub(crate) fn by(columns: &[&str], sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            by: columns.join(","),
        }
    }
}

/// A piece of a sentence.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Piece {
    text: Option<String>,
    num: Option<Num>,
    name: Option<Name>,
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self {
            text: Some(text),
            ..Self::default()
        }
    }
}

impl From<Num> for Piece {
    fn from(num: Num) -> Self {
        Self {
            num: Some(num),
            ..Self::default()
        }
    }
}

impl From<Name> for Piece {
    fn from(name: Name) -> Self {
        Self {
            name: Some(name),
            ..Self::default()
        }
    }
}

/// A text as an SQL literal. Characters that HTML does not allow are written by their code points.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            c if crate::text::is_acted_on(c) => {
                out.push_str(&format!("' || chr({}) || '", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// The name of a column in SQL: always quoted, since any plain word may be a keyword, or become one.
pub(crate) fn column(name: &str) -> String {
    format!("\"{}\"", crate::text::printable(name).replace('"', "\"\""))
}

/// The value of a key column in an attribute of a row.
pub(crate) fn key(name: &str) -> String {
    crate::text::shortened(&crate::text::printable(name), LONGEST_KEY)
}

/// The files of a table as a query reads them, relative to the folder of the store; without files the table's name.
pub(crate) fn from(table: &str, files: Option<&Vec<String>>) -> String {
    let list = |files: &Vec<String>| {
        let quoted: Vec<String> = files.iter().map(|file| quoted(file)).collect();
        match quoted.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        }
    };
    files.filter(|files| !files.is_empty()).map_or_else(
        || table.to_owned(),
        |files| format!("read_parquet({}, hive_partitioning = false)", list(files)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_names_are_quoted() {
        assert_eq!(quoted("it's"), "'it''s'");
        assert_eq!(quoted("a\u{1b}b"), "'a' || chr(27) || 'b'");
        assert_eq!(column("value_now"), "\"value_now\"");
        assert_eq!(column("default"), "\"default\"");
        assert_eq!(column("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn a_table_is_read_from_its_files() {
        let files = vec!["data/a.parquet".to_owned()];
        assert_eq!(
            from("segments", Some(&files)),
            "read_parquet('data/a.parquet', hive_partitioning = false)"
        );
        assert_eq!(from("segments", None), "segments");
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(
            Num::new("0.1", 0.1 + 0.2, "x").raw.as_deref(),
            Some("0.30000000000000004")
        );
        assert_eq!(Num::opt("–", None, "x").raw, None);
    }
}
