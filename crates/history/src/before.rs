//! The segments of the previous version, and who is in both versions.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Int64Type};

use crate::columns::Columns;
use crate::error::HistoryError;
use crate::moves::ABSENT;

const MEMBERSHIPS: &str = "memberships";

/// The memberships of the previous version: its customers by ascending key, and their segment of every scheme.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its day, in days since 1970-01-01.
    pub as_of: i32,
    /// The keys, ascending.
    pub keys: ArrayRef,
    /// Its schemes by name.
    pub schemes: BTreeMap<String, SchemeBefore>,
}

/// One scheme of the previous version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemeBefore {
    /// Its segments with customers: id and name.
    pub segments: Vec<(i64, String)>,
    /// Per customer: index into `segments`.
    pub segment_of: Vec<u32>,
    /// Per customer: the first day of the unbroken stay in that segment, in days since 1970-01-01.
    pub entered_on: Vec<i32>,
    /// The customers whom people had put into their segment, where that was read.
    pub pinned: BTreeSet<u32>,
    /// The customers who were held in their segment, where that was read.
    pub held: BTreeSet<u32>,
}

/// The column that says who was put into a segment by people or held in it, which is read where that matters.
pub const ASSIGNED_BY: &str = "assigned_by";

/// What that column says of them.
const PIN: &str = "pin";
const HELD: &str = "held";

impl Before {
    /// Whether [`Before::new`] reads this column of `memberships`; `key` is the name of the key column.
    pub fn reads(key: &str, column: &str) -> bool {
        column == key || ["scheme", "segment_id", "segment", "entered_on"].contains(&column)
    }

    /// Reads the table `memberships` of a version of the day `as_of`, which is sorted by key and scheme. Where it has no column
    /// `entered_on`, every stay begins on its own day.
    ///
    /// # Errors
    /// A column is missing, or there is not one row per customer and scheme.
    pub fn new(as_of: i32, key: &str, batches: &[RecordBatch]) -> Result<Self, HistoryError> {
        let mut keys: Vec<ArrayRef> = Vec::new();
        let mut schemes: Vec<(String, SchemeBefore, BTreeMap<i64, u32>)> = Vec::new();
        // Every customer has the schemes of the first one.
        let mut first_key_rows = 0;
        let mut row = 0_usize;
        for batch in batches {
            let columns = Read::of(batch, key)?;
            let mut firsts = Vec::new();
            for at in 0..batch.num_rows() {
                let scheme = columns.schemes.value(at);
                if first_key_rows == 0 {
                    match schemes.iter().position(|known| known.0 == scheme) {
                        Some(0) => first_key_rows = schemes.len(),
                        Some(_) => return Err(HistoryError::Unsorted),
                        None => schemes.push((
                            scheme.to_owned(),
                            SchemeBefore::default(),
                            BTreeMap::new(),
                        )),
                    }
                }
                let place = match first_key_rows {
                    0 => schemes.len() - 1,
                    rows => row % rows,
                };
                let (name, known, places) = &mut schemes[place];
                if name != scheme {
                    return Err(HistoryError::Unsorted);
                }
                if place == 0 {
                    firsts.push(at as u32);
                }
                known.push(places, &columns, at, as_of);
                row += 1;
            }
            let firsts = arrow::array::UInt32Array::from(firsts);
            let taken = arrow::compute::take(columns.keys, &firsts, None);
            keys.push(taken.map_err(|source| HistoryError::Table {
                table: MEMBERSHIPS,
                source,
            })?);
        }
        let parts: Vec<&dyn Array> = keys.iter().map(AsRef::as_ref).collect();
        let keys = match parts.is_empty() {
            true => arrow::array::new_empty_array(&DataType::Utf8),
            false => concat(&parts).map_err(|source| HistoryError::Table {
                table: MEMBERSHIPS,
                source,
            })?,
        };
        let whole = schemes
            .iter()
            .all(|(_, known, _)| known.segment_of.len() == keys.len());
        if !whole {
            return Err(HistoryError::Unsorted);
        }
        let schemes = schemes.into_iter().map(|(name, known, _)| (name, known));
        Ok(Self {
            as_of,
            keys,
            schemes: schemes.collect(),
        })
    }
}

impl SchemeBefore {
    fn push(&mut self, places: &mut BTreeMap<i64, u32>, columns: &Read<'_>, at: usize, as_of: i32) {
        let id = columns.ids.value(at);
        let place = *places.entry(id).or_insert_with(|| {
            self.segments
                .push((id, columns.segments.value(at).to_owned()));
            self.segments.len() as u32 - 1
        });
        self.segment_of.push(place);
        let by = columns.assigned_by.filter(|by| !by.is_null(at));
        let row = self.segment_of.len() as u32 - 1;
        match by.map(|by| by.value(at)) {
            Some(PIN) => _ = self.pinned.insert(row),
            Some(HELD) => _ = self.held.insert(row),
            _ => {}
        }
        let entered = columns.entered.filter(|days| !days.is_null(at));
        self.entered_on
            .push(entered.map_or(as_of, |days| days.value(at)));
    }
}

/// The columns that are read.
struct Read<'a> {
    keys: &'a ArrayRef,
    schemes: &'a StringArray,
    ids: &'a Int64Array,
    segments: &'a StringArray,
    /// Missing in versions of older programs.
    entered: Option<&'a Date32Array>,
    assigned_by: Option<&'a StringArray>,
}

impl<'a> Read<'a> {
    fn of(batch: &'a RecordBatch, key: &str) -> Result<Self, HistoryError> {
        let table = MEMBERSHIPS;
        let columns = Columns { table, batch };
        Ok(Self {
            keys: columns.any(key, "the customer's key")?,
            schemes: columns.texts("scheme")?,
            ids: columns.integers("segment_id")?,
            segments: columns.texts("segment")?,
            entered: columns.days("entered_on").ok(),
            assigned_by: columns.texts(ASSIGNED_BY).ok(),
        })
    }
}

/// Which customers are in both versions: first the customers of this version in the order of its table, then those who are
/// gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    /// Per customer of this version: the row in the previous one, or [`ABSENT`].
    pub before: Vec<u32>,
    /// Rows of the previous version without a customer in this one.
    pub gone: Vec<u32>,
}

impl Alignment {
    /// Joins the keys of both versions. `by_key` gives the row of this version's table at each position in ascending order of
    /// keys. `None` where keys are of different types, so that no customer can be the same.
    pub fn new(before: &ArrayRef, now: &ArrayRef, by_key: impl Fn(usize) -> usize) -> Option<Self> {
        if before.is_empty() {
            return Some(Self {
                before: vec![ABSENT; now.len()],
                gone: Vec::new(),
            });
        }
        match (before.data_type(), now.data_type()) {
            (DataType::Int64, DataType::Int64) => {
                let (a, b) = (
                    before.as_primitive::<Int64Type>(),
                    now.as_primitive::<Int64Type>(),
                );
                Some(Self::merge(a.len(), b.len(), &by_key, |i, j| {
                    a.value(i).cmp(&b.value(j))
                }))
            }
            (DataType::Utf8, DataType::Utf8) => {
                let (a, b) = (before.as_string::<i32>(), now.as_string::<i32>());
                Some(Self::merge(a.len(), b.len(), &by_key, |i, j| {
                    a.value(i).cmp(b.value(j))
                }))
            }
            _ => None,
        }
    }

    fn merge(
        before: usize,
        now: usize,
        by_key: &impl Fn(usize) -> usize,
        compare: impl Fn(usize, usize) -> Ordering,
    ) -> Self {
        let mut rows = vec![ABSENT; now];
        let mut gone = Vec::new();
        let mut old = 0;
        for row in (0..now).map(by_key) {
            while old < before && compare(old, row) == Ordering::Less {
                gone.push(old as u32);
                old += 1;
            }
            if old < before && compare(old, row) == Ordering::Equal {
                rows[row] = old as u32;
                old += 1;
            }
        }
        gone.extend((old..before).map(|row| row as u32));
        Self { before: rows, gone }
    }

    /// Customers of either version.
    pub fn len(&self) -> usize {
        self.before.len() + self.gone.len()
    }

    /// Whether neither version has a customer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value that the previous version has for each customer of both versions; `absent` for those it did not have.
    pub fn of_before<T: Copy>(&self, values: &[T], absent: T) -> Vec<T> {
        let of = |&row: &u32| values.get(row as usize).copied().unwrap_or(absent);
        self.before.iter().chain(&self.gone).map(of).collect()
    }

    /// The value that this version has for each customer of both versions; `absent` for those who are gone.
    pub fn of_now<T: Copy>(&self, values: &[T], absent: T) -> Vec<T> {
        let gone = std::iter::repeat_n(absent, self.gone.len());
        values.iter().copied().chain(gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array, StringArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn memberships(rows: &[(&str, &str, i64, Option<i32>)]) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("scheme", DataType::Utf8, false),
            Field::new("segment_id", DataType::Int64, false),
            Field::new("segment", DataType::Utf8, false),
            Field::new("entered_on", DataType::Date32, true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|row| format!("s{}", row.2)),
            )),
            Arc::new(rows.iter().map(|row| row.3).collect::<Date32Array>()),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    #[test]
    fn customers_and_schemes_are_read_across_batches() {
        let one = memberships(&[
            ("a", "x", 1, Some(5)),
            ("a", "y", 7, None),
            ("b", "x", 2, Some(6)),
        ]);
        let two = memberships(&[
            ("b", "y", 7, Some(9)),
            ("c", "x", 1, Some(3)),
            ("c", "y", 8, Some(4)),
        ]);
        let before = Before::new(10, "id", &[one, two]).unwrap();
        assert_eq!(
            before
                .keys
                .as_string::<i32>()
                .iter()
                .flatten()
                .collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        let x = &before.schemes["x"];
        assert_eq!(x.segment_of, [0, 1, 0]);
        assert_eq!(x.segments, [(1, "s1".to_owned()), (2, "s2".to_owned())]);
        assert_eq!(x.entered_on, [5, 6, 3]);
        assert_eq!(
            before.schemes["y"].entered_on,
            [10, 9, 4],
            "without a stay: from that day on"
        );
        assert!(matches!(
            Before::new(
                1,
                "id",
                &[memberships(&[
                    ("a", "x", 1, None),
                    ("a", "y", 1, None),
                    ("b", "y", 1, None)
                ])]
            ),
            Err(HistoryError::Unsorted)
        ));
        assert!(Before::new(1, "id", &[]).unwrap().keys.is_empty());
    }

    #[test]
    fn both_versions_are_joined_by_key_in_any_order_of_the_table() {
        let before: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "d", "e"]));
        let now: ArrayRef = Arc::new(StringArray::from(vec!["d", "c", "b"]));
        let by_key = [2, 1, 0];
        let joined = Alignment::new(&before, &now, |place| by_key[place]).unwrap();
        assert_eq!(joined.before, [2, ABSENT, 1]);
        assert_eq!(joined.gone, [0, 3]);
        assert_eq!(joined.of_before(&[10, 11, 12, 13], 0), [12, 0, 11, 10, 13]);
        assert_eq!(joined.of_now(&[1, 2, 3], 0), [1, 2, 3, 0, 0]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert_eq!(Alignment::new(&numbers, &now, |place| place), None);
    }
}
