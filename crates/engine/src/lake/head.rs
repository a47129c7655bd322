//! What the footer of an image says of all its row groups: the schema, with the columns that a plan names.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use super::footer::field::{element, file};
use super::footer::{Footer, Place};
use super::thrift::{END, Struct, Value, write_int, write_structures};
use super::{Fault, arrow_schema};

/// The schema of images of files whose footers say the same of all row groups.
#[derive(Debug)]
pub(super) struct Head {
    /// What such a file says, and the names of the columns that its images have.
    as_read: Vec<u8>,
    named: BTreeSet<String>,
    /// Numbers of the leaf columns of the file that its images have, in their order.
    pub(super) leaves: Vec<usize>,
    /// Of the footer of an image: the fields before those of its row groups, and those behind.
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Fields of a footer that are not the same for all files of a head.
const OF_THE_FILE: [i16; 4] = [
    file::ROWS,
    file::ROW_GROUPS,
    file::ENCRYPTION,
    file::SIGNING_KEY,
];

impl Head {
    /// The head of images of a file that have the columns with these names; `known` if that is the same. Other columns are left out:
    /// a decoder that does not know their types would refuse the file.
    pub(super) fn of(
        footer: &Footer<'_>,
        named: &BTreeSet<String>,
        known: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Fault> {
        let mut as_read = Vec::new();
        let is_head = |number| number != file::PAIRS && !OF_THE_FILE.contains(&number);
        footer.tree.write_fields(is_head, &mut as_read);
        as_read.extend_from_slice(arrow_schema::of(&footer.tree));
        let alike = |known: &&Arc<Self>| known.as_read == as_read && known.named == *named;
        if let Some(known) = known.filter(alike) {
            return Ok(known.clone());
        }
        let places = named.iter();
        let places = places.filter_map(|name| footer.columns.get(name.as_bytes()));
        let mut places: Vec<&Place> = places.collect();
        places.sort_unstable_by_key(|place| place.number);
        let leaves: Vec<usize> = places.iter().flat_map(|p| p.leaves.clone()).collect();
        let head = made(footer, &places)
            .ok_or_else(|| "the schema in its footer is damaged".to_owned())?;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        head.write_fields(|number| number < file::ROWS, &mut before);
        head.write_fields(|number| number > file::ROW_GROUPS, &mut after);
        Ok(Arc::new(Self {
            as_read,
            named: named.clone(),
            leaves,
            before,
            after,
        }))
    }

    /// Appends the footer of an image with these row groups, which are written already.
    pub(super) fn write(&self, rows: u64, (count, groups): (usize, &[u8]), to: &mut Vec<u8>) {
        to.extend_from_slice(&self.before);
        write_int(file::ROWS, rows.cast_signed(), to);
        write_structures(file::ROW_GROUPS, count, groups, to);
        to.extend_from_slice(&self.after);
        to.push(END);
    }
}

/// The footer of a file with nothing but these columns, without row groups; `None` where its schema cannot be read.
fn made<'a>(footer: &Footer<'a>, places: &[&Place]) -> Option<Struct<'a>> {
    let numbers: Vec<usize> = places.iter().map(|place| place.number).collect();
    let mut columns = arrow_schema::columns(&footer.tree, &numbers)?;
    let all = footer.tree.list(file::SCHEMA)?;
    let mut root = all.first()?.as_struct()?.clone();
    root.set_small(element::CHILDREN, i32::try_from(places.len()).ok()?);
    let mut schema = vec![root];
    for (place, column) in places.iter().zip(&mut columns) {
        for element in all.get(place.elements.clone())? {
            let mut element = element.as_struct()?.clone();
            if holds_texts(&element) {
                state_texts(&mut element);
                column.set_data_type(DataType::Utf8);
            }
            if let DataType::Timestamp(_, zone) = column.data_type()
                && element.int(element::TYPE) == Some(INT96)
            {
                // Nanoseconds since 1970 end in 2262, and decoders read no seconds.
                let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                column.set_data_type(micros);
            }
            schema.push(element);
        }
    }
    let mut head = footer.tree.without(&OF_THE_FILE);
    // They are not needed, and there may be one for each column, of kinds that a decoder does not know.
    head.remove(file::COLUMN_ORDERS);
    head.put(file::SCHEMA, Value::structures(schema));
    let schema = arrow_schema::encoded(&columns);
    head.put(file::PAIRS, Value::structures(vec![schema]));
    Some(head)
}

/// The physical type of times as days and nanoseconds of the day, by its number.
const INT96: i64 = 3;

/// Numbers of kinds of text: of `ConvertedType`, and of the fields of `LogicalType`.
mod texts {
    pub(super) const UTF8: i32 = 0;
    pub(super) const STRING: i16 = 1;
    /// Kinds that are texts too: of enumerations, and JSON.
    pub(super) const CONVERTED: [i64; 2] = [4, 19];
    pub(super) const LOGICAL: [i16; 2] = [4, 12];
}

/// Whether a column holds texts of a kind that decoders take for bytes.
fn holds_texts(of: &Struct<'_>) -> bool {
    match of.structure(element::LOGICAL) {
        Some(logical) => texts::LOGICAL.iter().any(|kind| logical.has(*kind)),
        None => {
            let kind = of.int(element::CONVERTED);
            kind.is_some_and(|kind| texts::CONVERTED.contains(&kind))
        }
    }
}

/// States that a column holds texts.
fn state_texts(of: &mut Struct<'_>) {
    of.set_small(element::CONVERTED, texts::UTF8);
    if of.has(element::LOGICAL) {
        let mut logical = Struct::default();
        logical.put(texts::STRING, Value::Struct(Struct::default()));
        of.put(element::LOGICAL, Value::Struct(logical));
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use parquet::basic::LogicalType;
    use parquet::file::metadata::ParquetMetaDataReader;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn footer(schema: &str) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut file = Vec::new();
        let writer = SerializedFileWriter::new(&mut file, schema, Arc::default()).unwrap();
        writer.close().unwrap();
        let (start, end) = file.split_at(file.len() - 8);
        let length = u32::from_le_bytes(end[..4].try_into().unwrap());
        start[start.len() - length as usize..].to_vec()
    }

    #[test]
    fn images_have_the_columns_that_are_named_and_say_that_texts_are_texts() {
        let bytes = footer(
            "message m {
                optional fixed_len_byte_array(12) wait (INTERVAL);
                optional binary data (JSON);
                optional group items (LIST) { repeated group list { optional int96 element; } }
                required binary id (STRING);
                optional int96 at;
                optional binary kind (ENUM);
            }",
        );
        let footer = Footer::read(&bytes, 4).unwrap();
        let named = ["kind", "id", "data", "at", "absent"];
        let named = named.map(str::to_owned).into();
        let head = Head::of(&footer, &named, None).unwrap();
        assert_eq!(head.leaves, [1, 3, 4, 5]);
        let again = Head::of(&footer, &named, Some(&head)).unwrap();
        assert!(Arc::ptr_eq(&head, &again));
        let other = Head::of(&footer, &["id".to_owned()].into(), Some(&head)).unwrap();
        assert_eq!(other.leaves, [3]);

        let mut image = Vec::new();
        head.write(0, (0, &[]), &mut image);
        let metadata = ParquetMetaDataReader::decode_metadata(&image).unwrap();
        let root = metadata.file_metadata().schema_descr().root_schema();
        let fields = root.get_fields().iter();
        let fields: Vec<(&str, bool)> = fields
            .map(|field| {
                let kind = field.get_basic_info().logical_type_ref();
                (field.name(), kind == Some(&LogicalType::String))
            })
            .collect();
        let expected = [("data", true), ("id", true), ("at", false), ("kind", true)];
        assert_eq!(fields, expected);
        let image = Footer::read(&image, 4).unwrap();
        let types = arrow_schema::columns(&image.tree, &[0, 1, 2, 3]).unwrap();
        let types = types.iter().map(Field::data_type).cloned();
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let expected = [DataType::Utf8, DataType::Utf8, micros, DataType::Utf8];
        assert_eq!(types.collect::<Vec<_>>(), expected);
    }
}
