//! The types of ARROW that the columns of a Parquet file have: by the Parquet schema, and by the Arrow schema that some writers add to
//! it. The footer of an image states them in a form that its decoder knows.

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::{
    ARROW_SCHEMA_META_KEY, ProjectionMask, encode_arrow_schema, parquet_to_arrow_schema,
    parquet_to_arrow_schema_by_columns,
};
use parquet::file::metadata::ParquetMetaDataReader;
use tessera_expr::decimal::MAX_DIGITS;

use super::footer::field::{file, pair};
use super::thrift::{Struct, Value};

/// The pair of a footer that holds the Arrow schema, where it has one.
fn stated<'s, 'a>(footer: &'s Struct<'a>) -> Option<&'s Struct<'a>> {
    let pairs = footer.list(file::PAIRS).unwrap_or_default();
    let mut pairs = pairs.iter().filter_map(Value::as_struct);
    pairs.find(|pair| pair.bytes(pair::KEY) == Some(ARROW_SCHEMA_META_KEY.as_bytes()))
}

/// The Arrow schema of a footer, as it is written there; empty where there is none.
pub(super) fn of<'a>(footer: &Struct<'a>) -> &'a [u8] {
    let schema = stated(footer).and_then(|pair| pair.bytes(pair::VALUE));
    schema.unwrap_or_default()
}

/// The columns with these numbers among those of a footer, in their types; `None` where it cannot be read. A check of the lake finds
/// the same types in the same way (`tessera_ingest::footer`).
pub(super) fn columns(footer: &Struct<'_>, numbers: &[usize]) -> Option<Vec<Field>> {
    const OF_ROWS: [i16; 6] = [
        file::ROWS,
        file::ROW_GROUPS,
        file::PAIRS,
        file::COLUMN_ORDERS,
        file::ENCRYPTION,
        file::SIGNING_KEY,
    ];
    let mut head = footer.without(&OF_ROWS);
    head.set(file::ROWS, 0);
    head.put(file::ROW_GROUPS, Value::structures(Vec::new()));
    if let Some(pair) = stated(footer) {
        head.put(file::PAIRS, Value::structures(vec![pair.clone()]));
    }
    let mut bytes = Vec::new();
    head.write(&mut bytes);
    let metadata = ParquetMetaDataReader::decode_metadata(&bytes).ok()?;
    let metadata = metadata.file_metadata();
    let (schema, pairs) = (metadata.schema_descr(), metadata.key_value_metadata());
    let all = parquet_to_arrow_schema(schema, pairs).ok();
    let width = schema.root_schema().get_fields().len();
    let all = all.filter(|all| all.fields().len() == width);
    let column = |number: &usize| match &all {
        Some(all) => all.fields().get(*number).map(|field| (**field).clone()),
        None => {
            let only = || ProjectionMask::roots(schema, [*number]);
            let made = parquet_to_arrow_schema_by_columns(schema, only(), pairs);
            let made = made.or_else(|_| parquet_to_arrow_schema_by_columns(schema, only(), None));
            made.ok()?.fields().first().map(|field| (**field).clone())
        }
    };
    numbers.iter().map(column).collect()
}

/// The Arrow schema of an image with these columns, as a footer has it.
pub(super) fn encoded(columns: &[Field]) -> Struct<'static> {
    let plain = |field: &Field| {
        // What the field says beside its type, such as the name of a type that a program defined, is left out.
        Field::new(
            field.name(),
            decoded(field.data_type()),
            field.is_nullable(),
        )
    };
    let columns: Vec<Field> = columns.iter().map(plain).collect();
    let schema = encode_arrow_schema(&Schema::new(columns));
    let mut pair = Struct::default();
    let key = ARROW_SCHEMA_META_KEY.as_bytes().to_vec();
    pair.put(pair::KEY, Value::Made(key));
    pair.put(pair::VALUE, Value::Made(schema.into_bytes()));
    pair
}

/// The type in which values are decoded. A dictionary would be built again for each batch, which takes longer than to read its values.
fn decoded(ty: &DataType) -> DataType {
    match ty {
        DataType::Dictionary(_, value) => decoded(value),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal256(precision @ ..=MAX_DIGITS, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_decoder_does_not_know_is_left_out_of_the_schema() {
        let coded = |value| DataType::Dictionary(Box::new(DataType::Int16), Box::new(value));
        let field = |ty: DataType| Field::new("x", ty, true);
        let named = field(DataType::Int64).with_metadata([("ARROW:extension:name", "my.period")]);
        for (written, expected) in [
            (field(coded(DataType::LargeUtf8)), DataType::Utf8),
            (field(coded(DataType::Int64)), DataType::Int64),
            (field(DataType::Date64), DataType::Date64),
            (
                field(DataType::Decimal256(38, 2)),
                DataType::Decimal128(38, 2),
            ),
            (
                field(DataType::Decimal256(39, 2)),
                DataType::Decimal256(39, 2),
            ),
            (named, DataType::Int64),
        ] {
            assert_eq!(encoded(&[written]), encoded(&[field(expected)]));
        }
    }
}
