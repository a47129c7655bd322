//! Which rows of a chunk an accumulator takes: those of its window, without those that its filter leaves out.

use super::super::batch::Batch;
use super::super::layout::{Ages, Selection};

/// Which rows of a chunk a selection takes.
#[derive(Default)]
pub(super) struct Mask {
    pub(super) taken: Taken,
    /// Per row, where only some are taken.
    pub(super) rows: Vec<bool>,
}

/// Whether a selection takes rows of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Taken {
    #[default]
    None,
    All,
    Some,
}

impl Mask {
    /// Finds the rows that a selection takes, whose ages in days lie within `range`.
    pub(super) fn select(
        &mut self,
        selection: &Selection,
        batch: &Batch,
        rows: &[u32],
        ages: &[i32],
        range: std::ops::RangeInclusive<i32>,
    ) {
        let Ages { first, end } = selection.ages;
        let (youngest, oldest) = (i64::from(*range.start()), i64::from(*range.end()));
        self.taken = if oldest < first || youngest >= end {
            Taken::None
        } else if youngest >= first && oldest < end {
            Taken::All
        } else {
            Taken::Some
        };
        self.rows.clear();
        if self.taken == Taken::Some {
            let in_window = |&age: &i32| i64::from(age) >= first && i64::from(age) < end;
            self.rows.extend(ages.iter().map(in_window));
        }
        let Some(filter) = selection.filter.map(|filter| &batch.filters[filter]) else {
            return;
        };
        match self.taken {
            Taken::None => {}
            Taken::All => {
                self.rows
                    .extend(rows.iter().map(|&row| filter[row as usize]));
                self.taken = Taken::Some;
            }
            Taken::Some => {
                for (taken, &row) in self.rows.iter_mut().zip(rows) {
                    *taken &= filter[row as usize];
                }
            }
        }
    }
}
