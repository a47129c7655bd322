//! A JSON object per line, with the columns in their order; null where there is no value.
//!
//! Numbers are JSON numbers with every digit, dates and times are texts.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;

use super::Values;
use crate::export::ExportError;

/// Bytes that are written together.
const PART: usize = 1 << 16;

pub(super) fn write(rows: &RecordBatch, to: &mut dyn Write) -> Result<(), ExportError> {
    let fields = rows.schema_ref().fields().iter();
    let names: Vec<String> = fields.map(|field| json(field.name())).collect();
    let columns = Values::all(rows)?;
    let mut text = String::with_capacity(2 * PART);
    let mut value = String::new();
    for row in 0..rows.num_rows() {
        text.push('{');
        for (place, (column, name)) in columns.iter().zip(&names).enumerate() {
            if place > 0 {
                text.push(',');
            }
            text.push_str(name);
            text.push(':');
            match column {
                Values::Texts(texts) if texts.is_valid(row) => {
                    text.push_str(&json(texts.value(row)));
                }
                Values::Others(array, shown) if array.is_valid(row) => {
                    value.clear();
                    let _ = write!(value, "{}", shown.value(row));
                    text.push_str(&plain_or_text(array.data_type(), &value));
                }
                Values::Texts(_) | Values::Others(..) => text.push_str("null"),
            }
        }
        text.push_str("}\n");
        if text.len() >= PART {
            to.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    Ok(to.write_all(text.as_bytes())?)
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number or truth as it is, if JSON has it; everything else as a text.
fn plain_or_text(ty: &DataType, value: &str) -> String {
    match ty {
        DataType::Float64 if !value.ends_with(|c: char| c.is_ascii_digit()) => "null".to_owned(),
        DataType::Int64 | DataType::Float64 | DataType::Decimal128(..) | DataType::Boolean => {
            value.to_owned()
        }
        _ => json(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::format::tests::{TEXTS, every_type, texts};

    fn written(rows: &RecordBatch) -> String {
        let mut bytes = Vec::new();
        write(rows, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_line_is_an_object_with_the_text() {
        let text = written(&texts());
        let found: Vec<serde_json::Value> = text
            .split_terminator('\n')
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let found: Vec<&str> = found
            .iter()
            .map(|line| line["a \"name\", quoted"].as_str().unwrap())
            .collect();
        assert_eq!(found, TEXTS);
    }

    #[test]
    fn numbers_and_truths_are_those_of_json_and_everything_else_is_text() {
        let text = written(&every_type());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"whole":-9223372036854775808,"text":"a","float":0.1,"small":5e-324,"money":12.50,"day":"1970-01-01","time":"1970-01-01T00:00:00","truth":true}"#,
                r#"{"whole":9223372036854775807,"text":"","float":1e300,"small":3.0,"money":-0.05,"day":"0001-01-01","time":"1969-12-31T23:59:59.999999","truth":false}"#,
                r#"{"whole":0,"text":"-","float":-0.0,"small":null,"money":0.00,"day":"2027-01-02","time":"2026-12-30T23:59:59.500","truth":null}"#,
                r#"{"whole":7,"text":null,"float":null,"small":null,"money":null,"day":null,"time":null,"truth":null}"#,
            ]
        );
    }
}
