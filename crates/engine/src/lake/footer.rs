//! The footer of a Parquet file; it is checked against the file before its values are used to read or allocate anything.

use std::collections::HashMap;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::Fault;
use super::file::LakeFile;
use super::thrift::{Struct, Value};

/// Numbers of the fields that are read, of each structure of `parquet.thrift`.
pub(super) mod field {
    pub(crate) mod file {
        pub(crate) const SCHEMA: i16 = 2;
        pub(crate) const ROWS: i16 = 3;
        pub(crate) const ROW_GROUPS: i16 = 4;
        pub(crate) const PAIRS: i16 = 5;
        pub(crate) const COLUMN_ORDERS: i16 = 7;
        pub(crate) const ENCRYPTION: i16 = 8;
        pub(crate) const SIGNING_KEY: i16 = 9;
    }
    /// Further data, as keys and values.
    pub(crate) mod pair {
        pub(crate) const KEY: i16 = 1;
        pub(crate) const VALUE: i16 = 2;
    }
    pub(crate) mod element {
        pub(crate) const TYPE: i16 = 1;
        pub(crate) const REPETITION: i16 = 3;
        pub(crate) const NAME: i16 = 4;
        pub(crate) const CHILDREN: i16 = 5;
        pub(crate) const CONVERTED: i16 = 6;
        pub(crate) const LOGICAL: i16 = 10;
    }
    pub(crate) mod group {
        pub(crate) const COLUMNS: i16 = 1;
        pub(crate) const ROWS: i16 = 3;
        pub(crate) const SORTED_BY: i16 = 4;
        pub(crate) const ORDINAL: i16 = 7;
    }
    pub(crate) mod chunk {
        pub(crate) const FILE_PATH: i16 = 1;
        pub(crate) const FILE_OFFSET: i16 = 2;
        pub(crate) const COLUMN: i16 = 3;
        /// Places of the page index, and what is encrypted.
        pub(crate) const ELSEWHERE: [i16; 6] = [4, 5, 6, 7, 8, 9];
    }
    pub(crate) mod column {
        pub(crate) const TYPE: i16 = 1;
        pub(crate) const PATH: i16 = 3;
        pub(crate) const CODEC: i16 = 4;
        pub(crate) const VALUES: i16 = 5;
        pub(crate) const UNCOMPRESSED: i16 = 6;
        pub(crate) const COMPRESSED: i16 = 7;
        pub(crate) const DATA_PAGE: i16 = 9;
        pub(crate) const DICTIONARY_PAGE: i16 = 11;
        pub(crate) const STATISTICS: i16 = 12;
        /// Places of index pages and Bloom filters.
        pub(crate) const ELSEWHERE: [i16; 3] = [10, 14, 15];
    }
}
use field::{chunk, column, element, file, group};

/// sha256 of a footer in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A column of the table.
#[derive(Debug)]
pub(super) struct Place {
    /// Its number among the columns.
    pub(super) number: usize,
    /// Its elements in the list of those of the schema: itself first, then what it is made up of.
    pub(super) elements: Range<usize>,
    /// Numbers of the leaf columns that it is made up of.
    pub(super) leaves: Range<usize>,
}

/// The content of a footer.
pub(super) struct Footer<'a> {
    pub(super) tree: Struct<'a>,
    /// The columns of the table by their names.
    pub(super) columns: HashMap<&'a [u8], Place>,
    /// Where the footer begins; all pages lie before.
    pub(super) start: u64,
}

/// The bytes of the footer, and where they begin.
pub(super) fn bytes(file: &mut LakeFile) -> Result<(Vec<u8>, u64), Fault> {
    if file.bytes < 12 {
        let bytes = file.bytes;
        return Err(format!("it has {bytes} bytes, too few for a Parquet file").into());
    }
    let mut end = Vec::new();
    file.read(file.bytes - 8, 8, &mut end)?;
    let (length, magic) = end.split_at(4);
    if magic != b"PAR1" {
        return Err(
            "it does not end like a Parquet file: it is truncated, or has another format"
                .to_owned()
                .into(),
        );
    }
    let length = [length[0], length[1], length[2], length[3]];
    let length = u64::from(u32::from_le_bytes(length));
    if length + 12 > file.bytes {
        let bytes = file.bytes;
        return Err(format!(
            "its footer states a length of {length} bytes, but the file has {bytes}"
        )
        .into());
    }
    let start = file.bytes - 8 - length;
    let mut bytes = Vec::new();
    file.read(start, length, &mut bytes)?;
    Ok((bytes, start))
}

impl<'a> Footer<'a> {
    /// Reads the bytes of a footer that begins at `start`.
    pub(super) fn read(bytes: &'a [u8], start: u64) -> Result<Self, Fault> {
        let damaged = || Fault::Damaged("its footer is damaged".to_owned());
        let tree = Struct::take(&mut &*bytes).ok_or_else(damaged)?;
        let schema = tree.list(file::SCHEMA).ok_or_else(damaged)?;
        let (columns, count) = columns(schema)?;
        let groups = tree.list(file::ROW_GROUPS).ok_or_else(damaged)?;
        let mut held = 0_u64;
        for (number, group) in groups.iter().enumerate() {
            let group = group.as_struct().ok_or_else(damaged)?;
            held = held.saturating_add(rows(group)?);
            let held = group.list(group::COLUMNS).ok_or_else(damaged)?.len();
            if held != count {
                return Err(format!(
                    "row group {number} has {held} columns, but the schema of the file has {count}"
                )
                .into());
            }
        }
        let stated = tree.int(file::ROWS).ok_or_else(damaged)?;
        if u64::try_from(stated) != Ok(held) {
            return Err(
                format!("its footer states {stated} rows, but its row groups have {held}").into(),
            );
        }
        Ok(Self {
            tree,
            columns,
            start,
        })
    }

    /// The row groups.
    pub(super) fn groups(&self) -> Vec<&Struct<'a>> {
        let groups = self.tree.list(file::ROW_GROUPS).unwrap_or_default();
        groups.iter().filter_map(Value::as_struct).collect()
    }

    /// The schema, its root first.
    fn schema(&self) -> impl Iterator<Item = &Struct<'a>> {
        let schema = self.tree.list(file::SCHEMA).unwrap_or_default();
        schema.iter().filter_map(Value::as_struct)
    }

    /// What the schema says of a column.
    pub(super) fn element(&self, of: &Place) -> Option<&Struct<'a>> {
        let schema = self.tree.list(file::SCHEMA)?;
        schema.get(of.elements.start)?.as_struct()
    }

    /// The leaf columns of the schema, by their numbers.
    pub(super) fn leaf_elements(&self) -> Vec<&Struct<'a>> {
        let is_leaf = |of: &&Struct<'a>| of.int(element::CHILDREN).unwrap_or(0) == 0;
        self.schema().skip(1).filter(is_leaf).collect()
    }

    /// Where the pages of a column of a row group lie. Of a column without values writers state no place, or that of an empty
    /// dictionary: nothing of it need be read.
    pub(super) fn pages(&self, group: &Struct<'a>, leaf: usize) -> Result<Range<u64>, Fault> {
        let (chunk, meta) = described(group, leaf)?;
        let wrong = |what: &str| {
            let name = name(meta);
            Fault::Damaged(format!(
                "its footer contradicts the file: column `{name}` {what}"
            ))
        };
        if chunk.has(chunk::FILE_PATH) {
            return Err(wrong("is in another file, which is not supported"));
        }
        let sizes = [column::VALUES, column::UNCOMPRESSED, column::COMPRESSED];
        if sizes
            .iter()
            .any(|size| meta.int(*size).is_none_or(|size| size < 0))
        {
            return Err(wrong("has no size or a negative size"));
        }
        let start = first_page(meta).and_then(|start| u64::try_from(start).ok());
        let length = meta.int(column::COMPRESSED).unwrap_or(0).unsigned_abs();
        if meta.int(column::VALUES) == Some(0) {
            return Ok(0..0);
        }
        let end = start.and_then(|start| start.checked_add(length));
        match (start, end) {
            (Some(start), Some(end)) if start >= 4 && end <= self.start => Ok(start..end),
            _ => Err(wrong("is outside the file")),
        }
    }
}

/// A column of a row group: where it lies, and what it is.
pub(super) fn described<'s, 'a>(
    group: &'s Struct<'a>,
    leaf: usize,
) -> Result<(&'s Struct<'a>, &'s Struct<'a>), Fault> {
    let columns = group.list(group::COLUMNS).unwrap_or_default();
    let chunk = columns.get(leaf).and_then(Value::as_struct);
    let described = chunk.and_then(|chunk| Some((chunk, chunk.structure(chunk::COLUMN)?)));
    Ok(described.ok_or_else(|| "its footer does not describe all columns".to_owned())?)
}

/// The path of a column within the schema.
pub(super) fn name(meta: &Struct<'_>) -> String {
    let path = meta.list(column::PATH).unwrap_or_default();
    let parts = path.iter().map(|part| match part {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Where the dictionary begins, of a column that begins with one.
pub(super) fn dictionary(meta: &Struct<'_>) -> Option<i64> {
    let data = meta.int(column::DATA_PAGE)?;
    let dictionary = meta.int(column::DICTIONARY_PAGE);
    dictionary.filter(|at| *at > 0 && *at < data)
}

fn first_page(meta: &Struct<'_>) -> Option<i64> {
    dictionary(meta).or_else(|| meta.int(column::DATA_PAGE))
}

/// Rows of a row group.
pub(super) fn rows(group: &Struct<'_>) -> Result<u64, Fault> {
    let rows = group.int(group::ROWS).and_then(|n| u64::try_from(n).ok());
    Ok(rows.ok_or_else(|| "its footer states no number of rows, or a negative number".to_owned())?)
}

/// The children of the root, and how many leaf columns there are.
fn columns<'a>(schema: &[Value<'a>]) -> Result<(HashMap<&'a [u8], Place>, usize), Fault> {
    let damaged = || Fault::Damaged("the schema in its footer is damaged".to_owned());
    let children = |element: &Struct<'a>| {
        let count = element.int(element::CHILDREN).unwrap_or(0);
        usize::try_from(count).map_err(|_| damaged())
    };
    let mut elements = schema.iter().map(Value::as_struct).enumerate();
    let mut next = || match elements.next() {
        Some((at, Some(element))) => Ok((at, element)),
        _ => Err(damaged()),
    };
    let mut columns = HashMap::new();
    let mut count = 0;
    for number in 0..children(next()?.1)? {
        let (first_leaf, (first, element)) = (count, next()?);
        let name = element.bytes(element::NAME).ok_or_else(damaged)?;
        let (mut last, mut element) = (first, element);
        let mut open = 1_usize;
        loop {
            let below = children(element)?;
            open = open.saturating_add(below) - 1;
            count += usize::from(below == 0);
            if open == 0 {
                break;
            }
            (last, element) = next()?;
        }
        let place = Place {
            number,
            elements: first..last + 1,
            leaves: first_leaf..count,
        };
        columns.insert(name, place);
    }
    Ok((columns, count))
}
