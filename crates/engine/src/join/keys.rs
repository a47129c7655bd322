//! Keys of one or several columns as bytes: equal for equal values, different for different values.

use hashbrown::HashTable;
use polars::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

/// A key column, in one piece.
enum KeyColumn {
    Int(Int64Chunked),
    Wide(Int128Chunked),
    Text(StringChunked),
}

/// The key columns of some rows.
pub(super) struct KeyColumns {
    columns: Vec<KeyColumn>,
    rows: usize,
}

impl KeyColumns {
    /// Columns of which some may have one value for all rows.
    pub(super) fn new(columns: &[Series]) -> PolarsResult<Self> {
        let lengths = columns.iter().map(|column| column.len());
        let rows = lengths.clone().find(|len| *len != 1).unwrap_or(1);
        let key_column = |series: &Series| -> PolarsResult<KeyColumn> {
            let physical = series.to_physical_repr().rechunk();
            Ok(match physical.dtype() {
                DataType::String => KeyColumn::Text(physical.str()?.clone()),
                DataType::Int128 => KeyColumn::Wide(physical.i128()?.clone()),
                _ => KeyColumn::Int(physical.strict_cast(&DataType::Int64)?.i64()?.clone()),
            })
        };
        Ok(Self {
            columns: columns
                .iter()
                .map(key_column)
                .collect::<PolarsResult<_>>()?,
            rows,
        })
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Writes the key of a row; false where a part of it is null, which equals nothing.
    pub(super) fn write(&self, row: usize, to: &mut Vec<u8>) -> bool {
        to.clear();
        self.columns.iter().all(|column| match column {
            KeyColumn::Int(values) => {
                let value = values.get(place(values.len(), row));
                value.map(|value| to.extend(value.to_le_bytes())).is_some()
            }
            KeyColumn::Wide(values) => {
                let value = values.get(place(values.len(), row));
                value.map(|value| to.extend(value.to_le_bytes())).is_some()
            }
            KeyColumn::Text(values) => {
                let value = values.get(place(values.len(), row));
                // The length before each text separates it from the next one.
                let write = |text: &str| {
                    to.extend((text.len() as u64).to_le_bytes());
                    to.extend(text.as_bytes());
                };
                value.map(write).is_some()
            }
        })
    }
}

fn place(len: usize, row: usize) -> usize {
    if len == 1 { 0 } else { row }
}

/// Different keys, numbered in the order in which they came. A key is found by its hash and then compared byte by byte.
#[derive(Default)]
pub(super) struct Keys {
    numbers: HashTable<u32>,
    bytes: Vec<u8>,
    /// Where the bytes of each key end.
    ends: Vec<usize>,
}

impl Keys {
    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        let is_it = |number: &u32| slice(&self.bytes, &self.ends, *number) == key;
        self.numbers.find(xxh3_64(key), is_it).copied()
    }

    /// The keys where they are made of one text each.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let all = (0..self.ends.len()).map(|number| slice(&self.bytes, &self.ends, number as u32));
        all.filter_map(|key| str::from_utf8(key.get(size_of::<u64>()..)?).ok())
    }

    /// The number of a key, which is a new one where the key is.
    pub(super) fn number(&mut self, key: &[u8]) -> u32 {
        if let Some(number) = self.find(key) {
            return number;
        }
        let number = self.ends.len() as u32;
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        let (bytes, ends) = (&self.bytes, &self.ends);
        let hash = |number: &u32| xxh3_64(slice(bytes, ends, *number));
        self.numbers.insert_unique(xxh3_64(key), number, hash);
        number
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_several_columns_do_not_run_into_one_another() {
        let first = Series::new("a".into(), ["ab", "a", "", "ab"]);
        let second = Series::new("b".into(), ["c", "bc", "abc", "c"]);
        let columns = KeyColumns::new(&[first, second]).unwrap();
        let mut keys = Keys::default();
        let mut key = Vec::new();
        let numbers: Vec<u32> = (0..columns.len())
            .map(|row| {
                assert!(columns.write(row, &mut key));
                keys.number(&key)
            })
            .collect();
        assert_eq!(numbers, [0, 1, 2, 0]);
        assert_eq!(keys.len(), 3);
    }

    #[test]
    fn a_null_in_any_part_is_no_key_and_one_value_stands_for_all_rows() {
        let days = Series::new("day".into(), [Some(1_i64), None, Some(3)]);
        let one = Series::new("currency".into(), ["USD"]);
        let columns = KeyColumns::new(&[one, days]).unwrap();
        let mut key = Vec::new();
        let whole: Vec<bool> = (0..columns.len())
            .map(|row| columns.write(row, &mut key))
            .collect();
        assert_eq!(whole, [true, false, true]);
    }
}
