//! The days with used rows, the usual gap between them, and unusual ones.

use tessera_expr::rel::{Early, Gap};

use super::batch::Batch;
use super::gaps::gaps;

/// Number of days before `as_of` that are kept; older days are irrelevant for how often a source is delivered now.
const MOST_DAYS: usize = 100_000;

/// Share of the gaps between successive days that are at most the usual one.
const SHARE: f64 = 0.95;

/// First days with rows that may be placeholders for missing times, or tests: they say nothing of the rhythm.
const MOST_EARLY: usize = 3;

/// Days with rows behind them from which they are told apart.
const FEWEST_LATER: usize = 12;

/// The used rows of each day before `as_of`.
#[derive(Debug, Default)]
pub(super) struct Days {
    /// By the days to `as_of`.
    rows: Vec<u32>,
}

impl Days {
    /// Adds the used rows; sources without a time have no days.
    pub(super) fn take(&mut self, batch: &Batch) {
        if batch.micros.is_empty() {
            return;
        }
        // Rows of one day most often lie together.
        let mut together = (0, 0);
        for &row in &batch.used {
            let row = row as usize;
            if batch.micros[row] == i64::MIN {
                continue;
            }
            let age_days = batch.age_days[row];
            if together.0 == age_days {
                together.1 += 1;
            } else {
                self.add(together);
                together = (age_days, 1);
            }
        }
        self.add(together);
    }

    fn add(&mut self, (age_days, rows): (i32, u32)) {
        let age = usize::try_from(age_days).unwrap_or(MOST_DAYS);
        if rows == 0 || age >= MOST_DAYS {
            return;
        }
        if self.rows.len() <= age {
            self.rows.resize(age + 1, 0);
        }
        self.rows[age] = self.rows[age].saturating_add(rows);
    }

    /// The 95th percentile (nearest rank) of the distances between successive days with rows; none below three such days.
    pub(super) fn usual_gap(&self) -> Option<u32> {
        let ages: Vec<usize> = (0..self.rows.len())
            .filter(|age| self.rows[*age] > 0)
            .collect();
        let mut gaps: Vec<usize> = ages.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if gaps.len() < 2 {
            return None;
        }
        gaps.sort_unstable();
        let rank = (gaps.len() as f64 * SHARE).ceil() as usize;
        u32::try_from(gaps[rank.max(1) - 1]).ok()
    }

    /// The longest distance between successive days with rows that is part of the rhythm: it and those of at least three fifths of it
    /// take a tenth of the time. Distances over unusual runs are not among them, nor those of the first days.
    pub(super) fn longest_gap(&self) -> Option<u32> {
        let unusual: u32 = 1 + self.gaps(0).iter().map(Gap::days).max().unwrap_or(0);
        let days = self.days(0);
        let pairs = days.windows(2).skip(MOST_EARLY);
        let distances = pairs.map(|pair| pair[0].0.abs_diff(pair[1].0));
        let is_usual = |distance: &u32| unusual == 1 || *distance < unusual;
        let mut distances: Vec<u32> = distances.filter(is_usual).collect();
        distances.sort_unstable();
        let all: u64 = distances.iter().copied().map(u64::from).sum();
        let take_a_tenth = |longest: &&u32| {
            let like_it = distances.iter().filter(|one| 5 * *one >= 3 * **longest);
            10 * like_it.copied().map(u64::from).sum::<u64>() >= all
        };
        distances.iter().rev().find(take_a_tenth).copied()
    }

    /// The days with rows, ascending, with their number.
    fn days(&self, as_of_day: i32) -> Vec<(i32, u32)> {
        let ages = self.rows.iter().enumerate().rev();
        ages.filter(|(_, rows)| **rows > 0)
            .map(|(age, rows)| (as_of_day - age as i32, *rows))
            .collect()
    }

    /// The unusual runs of days without a row. `as_of_day` is that of the day from which ages count.
    pub(super) fn gaps(&self, as_of_day: i32) -> Vec<Gap> {
        let days = self.days(as_of_day);
        gaps(&days[first_of_rhythm(&days)..])
    }

    /// The first days with rows, where they are far before all others. `as_of_day` is as in [`Days::gaps`].
    pub(super) fn early(&self, as_of_day: i32) -> Option<Early> {
        let days = self.days(as_of_day);
        let next = first_of_rhythm(&days);
        let rows = days[..next].iter().map(|(_, rows)| u64::from(*rows)).sum();
        Some(Early {
            first_day: days.first()?.0,
            last_day: days[..next].last()?.0,
            next_day: days[next].0,
            rows,
        })
    }
}

/// The place of the first day that is no further before the next ones than these are from one another.
fn first_of_rhythm(days: &[(i32, u32)]) -> usize {
    let most = MOST_EARLY.min(days.len().saturating_sub(FEWEST_LATER));
    let mut places = (1..=most).rev();
    let is_far = |place: &usize| {
        let (before, next) = (days[place - 1].0, days[*place].0);
        days.last()
            .is_some_and(|last| next - before > last.0 - next)
    };
    places.find(is_far).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(ages: impl IntoIterator<Item = usize>) -> Option<u32> {
        let mut days = Days::default();
        ages.into_iter().for_each(|age| days.add((age as i32, 1)));
        days.usual_gap()
    }

    #[test]
    fn the_longest_gap_is_that_of_waves_and_not_that_of_a_closure_or_of_lost_files() {
        let longest = |ages: &mut dyn Iterator<Item = i32>| {
            let mut days = Days::default();
            ages.for_each(|age| days.add((age, 20)));
            days.longest_gap()
        };
        assert_eq!(longest(&mut std::iter::empty()), None);
        assert_eq!(longest(&mut (0..700)), Some(1));
        assert_eq!(longest(&mut (0..700).step_by(7)), Some(7));
        let waves = &mut (0..600).filter(|age| age % 182 < 21);
        assert_eq!(longest(waves), Some(162));
        let closed = &mut (0..800).filter(|age| !(20..31).contains(&(age % 365)));
        assert_eq!(longest(closed), Some(1));
        let lost = &mut (0..700).filter(|age| !(300..400).contains(age));
        assert_eq!(longest(lost), Some(1));
    }

    #[test]
    fn days_far_before_all_others_are_no_part_of_the_rhythm() {
        let of = |ages: &mut dyn Iterator<Item = i32>| {
            let mut days = Days::default();
            ages.for_each(|age| days.add((age, 50)));
            let early = days.early(0);
            let early = early.map(|of| (of.first_day, of.last_day, of.next_day, of.rows));
            (early, days.gaps(0).len(), days.longest_gap())
        };
        let daily = || 90..700;
        assert_eq!(of(&mut daily()), (None, 0, Some(1)));
        // A placeholder; two of them; a test two years before, which is a gap.
        let found = of(&mut daily().chain([46_000]));
        assert_eq!(found, (Some((-46_000, -46_000, -699, 50)), 0, Some(1)));
        let found = of(&mut daily().chain([20_000, 46_000]));
        assert_eq!(found, (Some((-46_000, -20_000, -699, 100)), 0, Some(1)));
        let found = of(&mut daily().chain([1_100]));
        assert_eq!(found, (None, 1, Some(1)));
        // Of few days none is early.
        let found = of(&mut (0..11).chain([5_000]));
        assert_eq!(found.0, None);
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
