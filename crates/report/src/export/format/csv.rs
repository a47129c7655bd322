//! Comma-separated values (RFC 4180) in UTF-8, with a header and a line feed at the end of every line.
//!
//! Null is empty and an empty text is `""`. Quotes stand around texts that need them, and around no number.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::{Array, RecordBatch};

use super::{Style, Values};
use crate::export::ExportError;

/// Bytes that are written together.
const PART: usize = 1 << 16;

/// The mark by which spreadsheets recognise UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

pub(super) fn write(
    rows: &RecordBatch,
    style: Style,
    to: &mut dyn Write,
) -> Result<(), ExportError> {
    let mut text = String::with_capacity(2 * PART);
    if style == Style::Spreadsheet {
        text.push(BYTE_ORDER_MARK);
    }
    for (place, field) in rows.schema_ref().fields().iter().enumerate() {
        separate(place, &mut text);
        quoted(field.name(), style, &mut text);
    }
    text.push('\n');
    let columns = Values::all(rows)?;
    for row in 0..rows.num_rows() {
        for (place, column) in columns.iter().enumerate() {
            separate(place, &mut text);
            match column {
                Values::Texts(texts) if texts.is_valid(row) => {
                    quoted(texts.value(row), style, &mut text);
                }
                Values::Others(array, shown) if array.is_valid(row) => {
                    let _ = write!(text, "{}", shown.value(row));
                }
                Values::Texts(_) | Values::Others(..) => {}
            }
        }
        text.push('\n');
        if text.len() >= PART {
            to.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    Ok(to.write_all(text.as_bytes())?)
}

fn separate(place: usize, to: &mut String) {
    if place > 0 {
        to.push(',');
    }
}

/// A text, in quotes where it is empty, where a reader would otherwise end the value too early, or where a blank at its ends could be
/// removed.
fn quoted(text: &str, style: Style, to: &mut String) {
    let is_formula =
        style == Style::Spreadsheet && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if is_formula { "'" } else { "" };
    let blank = |c: char| c.is_whitespace() || c == BYTE_ORDER_MARK;
    let needed = text.is_empty()
        || text.contains([',', '"', '\n', '\r'])
        || text.starts_with(blank)
        || text.ends_with(blank);
    if !needed {
        to.push_str(guard);
        to.push_str(text);
        return;
    }
    to.push('"');
    to.push_str(guard);
    for (place, part) in text.split('"').enumerate() {
        if place > 0 {
            to.push_str("\"\"");
        }
        to.push_str(part);
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::format::tests::{TEXTS, every_type, texts};

    fn written(rows: &RecordBatch, style: Style) -> String {
        let mut bytes = Vec::new();
        write(rows, style, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The records of a text by the grammar of RFC 4180, section 2, with line feeds between records: each value with whether it was
    /// quoted.
    fn records(text: &str) -> Vec<Vec<(String, bool)>> {
        let (mut all, mut record) = (Vec::new(), Vec::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (mut value, quoted) = (String::new(), rest.starts_with('"'));
            if quoted {
                rest = &rest[1..];
                loop {
                    let end = rest.find('"').unwrap();
                    value.push_str(&rest[..end]);
                    rest = &rest[end + 1..];
                    let Some(more) = rest.strip_prefix('"') else {
                        break;
                    };
                    value.push('"');
                    rest = more;
                }
            } else {
                let end = rest.find([',', '\n', '"', '\r']).unwrap();
                value.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            record.push((value, quoted));
            if rest.starts_with('\n') {
                all.push(std::mem::take(&mut record));
            } else {
                assert!(rest.starts_with(','), "{rest:?}");
            }
            rest = &rest[1..];
        }
        all
    }

    #[test]
    fn a_reader_of_the_grammar_finds_every_text() {
        let found = records(&written(&texts(), Style::Exact));
        assert_eq!(found[0], [("a \"name\", quoted".to_owned(), true)]);
        let found: Vec<&str> = found[1..]
            .iter()
            .map(|record| record[0].0.as_str())
            .collect();
        assert_eq!(found, TEXTS);
    }

    #[test]
    fn null_is_empty_and_an_empty_text_is_quoted() {
        let text = written(&every_type(), Style::Exact);
        let found = records(&text);
        let last = found.last().unwrap();
        assert!(
            last[1..]
                .iter()
                .all(|value| *value == (String::new(), false))
        );
        let texts: Vec<&(String, bool)> = found[1..].iter().map(|record| &record[1]).collect();
        assert!(texts.contains(&&(String::new(), true)), "{text}");
    }

    #[test]
    fn numbers_days_and_times_have_one_spelling() {
        let text = written(&every_type(), Style::Exact);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "whole,text,float,small,money,day,time,truth",
                "-9223372036854775808,a,0.1,5e-324,12.50,1970-01-01,1970-01-01T00:00:00,true",
                "9223372036854775807,\"\",1e300,3.0,-0.05,0001-01-01,1969-12-31T23:59:59.999999,false",
                "0,-,-0.0,inf,0.00,2027-01-02,2026-12-30T23:59:59.500,",
                "7,,,,,,,",
            ]
        );
    }

    #[test]
    fn a_spreadsheet_finds_no_formula() {
        let text = written(&texts(), Style::Spreadsheet);
        let found = records(text.strip_prefix(BYTE_ORDER_MARK).unwrap());
        for (record, exact) in found[1..].iter().zip(TEXTS) {
            let is_formula = exact.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let wanted = if is_formula {
                format!("'{exact}")
            } else {
                exact.to_owned()
            };
            assert_eq!(record[0].0, wanted);
        }
    }
}
