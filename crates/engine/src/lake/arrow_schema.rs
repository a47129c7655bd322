//! The Arrow schema that some writers add to a Parquet footer in addition to the Parquet schema.

use arrow::datatypes::{DataType, Field, Schema};
use arrow_ipc::convert::try_schema_from_ipc_buffer;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};

use super::footer::field::{file, pair};
use super::thrift::{Struct, Value};

fn holds_schema(pair: &Struct<'_>) -> bool {
    pair.bytes(pair::KEY) == Some(ARROW_SCHEMA_META_KEY.as_bytes())
}

/// The Arrow schema of a footer, as it is written there; empty where there is none.
pub(super) fn of<'a>(footer: &Struct<'a>) -> &'a [u8] {
    let pairs = footer.list(file::PAIRS).unwrap_or_default();
    let mut pairs = pairs.iter().filter_map(Value::as_struct);
    let schema = pairs.find(|pair| holds_schema(pair));
    schema
        .and_then(|pair| pair.bytes(pair::VALUE))
        .unwrap_or_default()
}

/// Keeps nothing of a footer's further data but the Arrow schema, and replaces dictionaries of texts by texts in it: a reader that
/// follows the schema would otherwise build a dictionary for each batch, which takes longer than to read the texts.
pub(super) fn without_dictionaries(head: &mut Struct<'_>) {
    let Some(pairs) = head.list_mut(file::PAIRS) else {
        return;
    };
    pairs.retain(|pair| pair.as_struct().is_some_and(holds_schema));
    for pair in pairs.iter_mut().filter_map(Value::as_struct_mut) {
        if let Some(schema) = pair.bytes(pair::VALUE).and_then(texts) {
            pair.set_bytes(pair::VALUE, schema.into_bytes());
        }
    }
}

/// The schema with texts instead of dictionaries of texts; `None` if it has none or cannot be read.
fn texts(encoded: &[u8]) -> Option<String> {
    let schema = try_schema_from_ipc_buffer(&BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let is_text = |ty: &DataType| {
        matches!(
            ty,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let mut found = false;
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(_, value) if is_text(value) => {
            found = true;
            Field::new(field.name(), (**value).clone(), field.is_nullable())
        }
        _ => field.as_ref().clone(),
    });
    let fields: Vec<Field> = fields.collect();
    found.then(|| encode_arrow_schema(&Schema::new_with_metadata(fields, schema.metadata.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_of_texts_are_texts_and_all_else_is_as_it_was() {
        let coded = |value| DataType::Dictionary(Box::new(DataType::Int16), Box::new(value));
        let schema = |text: DataType| {
            encode_arrow_schema(&Schema::new(vec![
                Field::new("plan", text, true),
                Field::new("level", coded(DataType::Int64), true),
                Field::new("day", DataType::Date64, false),
            ]))
        };
        let changed = texts(schema(coded(DataType::Utf8)).as_bytes());
        assert_eq!(changed, Some(schema(DataType::Utf8)));
        assert_eq!(texts(schema(DataType::Utf8).as_bytes()), None);
        assert_eq!(texts(b"no schema"), None);
    }
}
