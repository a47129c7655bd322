//! The days with used rows, and the usual gap between them.

use super::batch::Batch;

/// Number of days before `as_of` that are kept; older days are irrelevant for how often a source is delivered now.
const MOST_DAYS: usize = 100_000;

/// Share of the gaps between successive days that are at most the usual one.
const SHARE: f64 = 0.95;

/// A bit per day before `as_of`.
#[derive(Debug, Default)]
pub(super) struct Days {
    seen: Vec<u64>,
    /// The day added last: rows of one day most often lie together.
    last: Option<i32>,
}

impl Days {
    /// Adds the days of the used rows; sources without a time have none.
    pub(super) fn take(&mut self, batch: &Batch) {
        if batch.micros.is_empty() {
            return;
        }
        for &row in &batch.used {
            let row = row as usize;
            let age_days = batch.age_days[row];
            if self.last == Some(age_days) || batch.micros[row] == i64::MIN {
                continue;
            }
            self.last = Some(age_days);
            if let Ok(age) = usize::try_from(age_days) {
                self.add(age);
            }
        }
    }

    fn add(&mut self, age: usize) {
        if age < MOST_DAYS {
            if self.seen.len() <= age / 64 {
                self.seen.resize(age / 64 + 1, 0);
            }
            self.seen[age / 64] |= 1 << (age % 64);
        }
    }

    /// The 95th percentile (nearest rank) of the distances between successive days with rows; none below three such days.
    pub(super) fn usual_gap(&self) -> Option<u32> {
        let is_seen = |age: &usize| self.seen[age / 64] >> (age % 64) & 1 == 1;
        let ages: Vec<usize> = (0..self.seen.len() * 64).filter(is_seen).collect();
        let mut gaps: Vec<usize> = ages.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if gaps.len() < 2 {
            return None;
        }
        gaps.sort_unstable();
        let rank = (gaps.len() as f64 * SHARE).ceil() as usize;
        u32::try_from(gaps[rank.max(1) - 1]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(ages: impl IntoIterator<Item = usize>) -> Option<u32> {
        let mut days = Days::default();
        ages.into_iter().for_each(|age| days.add(age));
        days.usual_gap()
    }

    #[test]
    fn the_usual_gap_is_that_of_nineteen_in_twenty() {
        assert_eq!(gap([]), None);
        assert_eq!(gap([5, 9]), None);
        assert_eq!(gap(0..100), Some(1));
        // A single gap of a week among daily rows does not count; with rows on every seventh day the gap is a week.
        assert_eq!(
            gap((0..700).filter(|age| !(300..306).contains(age))),
            Some(1)
        );
        assert_eq!(gap((0..700).step_by(7)), Some(7));
        assert_eq!(gap([3, 3, 4, 14]), Some(10));
        assert_eq!(gap([0, MOST_DAYS + 1, 1, 2]), Some(1));
    }
}
