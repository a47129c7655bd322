//! Who moved between two versions: from which segment to which, with how much money.

use std::collections::BTreeMap;

use crate::ReportError;
use crate::column::Table;
use crate::key::{Key, keys};

/// Customers that moved, or stayed, between two segments.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moved {
    pub(crate) customers: i64,
    /// Their value now; for those who left the base, their value before.
    pub(crate) value: f64,
}

/// From and to; `None` is outside the base.
pub(crate) type Way<'a> = (Option<&'a str>, Option<&'a str>);

/// `customers` of one of the two versions.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) customers: Table<'a>,
    /// Name of the key column.
    pub(crate) key: &'a str,
    /// The scheme, which is a column of `customers`.
    pub(crate) scheme: &'a str,
    /// The column with the value.
    pub(crate) value: Option<&'a str>,
}

/// Counts the customers of both versions by the segments they moved between. A customer that only one version has entered the
/// base, or left it.
pub(crate) fn moves<'a>(
    before: Side<'a>,
    now: Side<'a>,
) -> Result<BTreeMap<Way<'a>, Moved>, ReportError> {
    let (before, now) = (Sorted::read(before)?, Sorted::read(now)?);
    let mut found: BTreeMap<Way<'a>, Moved> = BTreeMap::new();
    let mut add = |way: Way<'a>, value: Option<f64>| {
        let moved = found.entry(way).or_default();
        moved.customers += 1;
        moved.value += value.unwrap_or(0.0);
    };
    let (mut b, mut n) = (0, 0);
    loop {
        match (before.rows.get(b), now.rows.get(n)) {
            (None, None) => break,
            (Some(old), Some(new)) if old.0 == new.0 => {
                add((Some(old.1), Some(new.1)), new.2);
                (b, n) = (b + 1, n + 1);
            }
            (Some(old), new) if new.is_none_or(|new| old.0 < new.0) => {
                add((Some(old.1), None), old.2);
                b += 1;
            }
            (_, Some(new)) => {
                add((None, Some(new.1)), new.2);
                n += 1;
            }
            // Covered by the arm of an old row without a new one.
            (Some(_), None) => break,
        }
    }
    Ok(found)
}

/// Key, segment and value of every customer, by key.
struct Sorted<'a> {
    rows: Vec<(Key<'a>, &'a str, Option<f64>)>,
}

impl<'a> Sorted<'a> {
    fn read(side: Side<'a>) -> Result<Self, ReportError> {
        let keys = keys(side.customers, side.key)?;
        let segments = side.customers.text(side.scheme)?;
        let values = match side.value {
            Some(value) => side.customers.numbers(value)?,
            None => vec![None; keys.len()],
        };
        let rows = keys.into_iter().zip(segments).zip(values);
        let mut rows: Vec<_> = rows
            .filter_map(|((key, segment), value)| Some((key?, segment?, value)))
            .collect();
        // Published tables are sorted by key already, so this is one pass.
        rows.sort_by_key(|a| a.0);
        Ok(Self { rows })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use chrono::NaiveDate;

    use super::*;
    use crate::{ReportInput, ReportMeta};

    fn version(rows: &[(&str, &str, f64)]) -> ReportInput {
        let text = |of: fn(&(&str, &str, f64)) -> String| -> ArrayRef {
            Arc::new(
                rows.iter()
                    .map(|row| Some(of(row)))
                    .collect::<StringArray>(),
            )
        };
        let values: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>());
        let batch = RecordBatch::try_from_iter([
            ("id", text(|row| row.0.to_owned())),
            ("touch", text(|row| row.1.to_owned())),
            ("value_now", values),
        ])
        .unwrap();
        let day = NaiveDate::from_ymd_opt(2026, 10, 31).unwrap();
        let mut input = ReportInput::new(ReportMeta::new("shop", day));
        input.tables.insert("customers".into(), vec![batch]);
        input
    }

    #[test]
    fn everyone_is_counted_once_on_their_way() {
        let before = version(&[("a", "x", 1.0), ("b", "x", 2.0), ("d", "y", 4.0)]);
        let now = version(&[("a", "x", 10.0), ("b", "y", 20.0), ("c", "x", 30.0)]);
        let side = |input| Side {
            customers: Table::open(input, "customers").unwrap(),
            key: "id",
            scheme: "touch",
            value: Some("value_now"),
        };
        let found = moves(side(&before), side(&now)).unwrap();
        let one = |value| Moved {
            customers: 1,
            value,
        };
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                ((None, Some("x")), one(30.0)),
                ((Some("x"), Some("x")), one(10.0)),
                ((Some("x"), Some("y")), one(20.0)),
                ((Some("y"), None), one(4.0)),
            ]
        );
    }
}
