//! Checks that rows are in the order that the file's metadata states.

use std::cmp::Ordering;

use arrow::array::{RecordBatch, make_comparator};
use arrow::compute::SortOptions;
use arrow::error::ArrowError;
use rayon::prelude::*;

/// Least number of rows per thread; with fewer, starting a thread takes longer than the check.
const ROWS_A_THREAD: usize = 8_192;

/// Ascending, nulls last: how every published table is sorted.
const RISING: SortOptions = SortOptions {
    descending: false,
    nulls_first: false,
};

/// The order of a table's rows, checked batch by batch.
#[derive(Debug)]
pub(crate) struct Order {
    columns: Vec<usize>,
    unique: bool,
    last: Option<RecordBatch>,
    rows: u64,
}

impl Order {
    /// Rows must ascend by these columns; with `unique`, no two rows may be equal in them.
    pub(crate) fn new(columns: &[usize], unique: bool) -> Self {
        Self {
            columns: columns.to_vec(),
            unique,
            last: None,
            rows: 0,
        }
    }

    /// Checks the next rows. Returns the 1-based number of the first row that is out of order, without its content, which may
    /// be personal data.
    pub(crate) fn check(&mut self, batch: &RecordBatch) -> Result<Option<Misplaced>, ArrowError> {
        if batch.num_rows() == 0 || self.columns.is_empty() {
            return Ok(None);
        }
        if let Some(last) = &self.last
            && let Some(found) = self.first_misplaced(last, batch, rayon::iter::once((0, 0)))?
        {
            return Ok(Some(found));
        }
        let found = self.first_misplaced(
            batch,
            batch,
            (1..batch.num_rows())
                .into_par_iter()
                .with_min_len(ROWS_A_THREAD)
                .map(|row| (row - 1, row)),
        )?;
        self.rows += batch.num_rows() as u64;
        self.last = Some(batch.slice(batch.num_rows() - 1, 1));
        Ok(found)
    }

    fn first_misplaced(
        &self,
        before: &RecordBatch,
        after: &RecordBatch,
        pairs: impl IndexedParallelIterator<Item = (usize, usize)>,
    ) -> Result<Option<Misplaced>, ArrowError> {
        let compare = self
            .columns
            .iter()
            .map(|&column| make_comparator(before.column(column), after.column(column), RISING))
            .collect::<Result<Vec<_>, _>>()?;
        let found = pairs.find_map_first(|(left, right)| {
            let order = compare
                .iter()
                .map(|compare| compare(left, right))
                .find(|order| order.is_ne());
            let row = self.rows + right as u64 + 1;
            match order.unwrap_or(Ordering::Equal) {
                Ordering::Less => None,
                Ordering::Equal => self.unique.then_some(Misplaced {
                    row,
                    repeated: true,
                }),
                Ordering::Greater => Some(Misplaced {
                    row,
                    repeated: false,
                }),
            }
        });
        Ok(found)
    }
}

/// A row that is out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// Its number in the table, from 1.
    pub(crate) row: u64,
    /// Whether it has the key of the row before it; otherwise it should come earlier.
    pub(crate) repeated: bool,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn batch(rows: &[(Option<&str>, i64)]) -> RecordBatch {
        let text: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>());
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
        RecordBatch::try_from_iter_with_nullable([("text", text, true), ("number", number, false)])
            .unwrap()
    }

    fn check(unique: bool, batches: &[&[(Option<&str>, i64)]]) -> Option<Misplaced> {
        let mut order = Order::new(&[0, 1], unique);
        batches
            .iter()
            .find_map(|rows| order.check(&batch(rows)).unwrap())
    }

    #[test]
    fn rising_rows_with_nulls_last_pass() {
        assert_eq!(
            check(
                true,
                &[
                    &[(Some("a"), 9), (Some("b"), 1), (Some("b"), 2)],
                    &[],
                    &[(Some("é"), 0), (None, 1), (None, 2)]
                ]
            ),
            None
        );
    }

    #[test]
    fn a_falling_row_is_named_within_and_between_batches() {
        let misplaced = |row| {
            Some(Misplaced {
                row,
                repeated: false,
            })
        };
        assert_eq!(
            check(false, &[&[(Some("a"), 1), (Some("a"), 0)]]),
            misplaced(2)
        );
        assert_eq!(
            check(
                false,
                &[&[(Some("a"), 1), (Some("b"), 0)], &[(Some("a"), 5)]]
            ),
            misplaced(3)
        );
        assert_eq!(
            check(false, &[&[(None, 1)], &[(Some("z"), 5)]]),
            misplaced(2)
        );
    }

    #[test]
    fn a_repeated_row_is_named_where_rows_are_unique() {
        assert_eq!(
            check(true, &[&[(Some("a"), 1)], &[(Some("a"), 1)]]),
            Some(Misplaced {
                row: 2,
                repeated: true
            })
        );
        assert_eq!(check(false, &[&[(Some("a"), 1)], &[(Some("a"), 1)]]), None);
    }
}
