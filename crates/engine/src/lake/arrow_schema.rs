//! The Arrow schema that some writers add to a Parquet footer in addition to the Parquet schema.

use arrow::datatypes::{DataType, Field, Schema};
use arrow_ipc::convert::try_schema_from_ipc_buffer;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};

use super::footer::field::{file, pair};
use super::thrift::{Struct, Value};

/// Replaces dictionaries of texts by texts in the Arrow schema of a footer: a reader that follows the schema would otherwise build a
/// dictionary for each batch, which takes longer than to read the texts.
pub(super) fn without_dictionaries(head: &mut Struct<'_>) {
    let pairs = head.list_mut(file::PAIRS).into_iter().flatten();
    for pair in pairs.filter_map(Value::as_struct_mut) {
        if pair.bytes(pair::KEY) == Some(ARROW_SCHEMA_META_KEY.as_bytes())
            && let Some(schema) = pair.bytes(pair::VALUE).and_then(texts)
        {
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
