//! Days without a used row among days that have them: what files that were deleted or never delivered leave behind.
//!
//! A source is judged by its own rhythm. For each run of days without a row, the days up to half a year before and after it state
//! how often each weekday is without one. A run is unusual
//! 1. if so many such days would follow one another in less than one of a thousand sources of this length whose days are without rows
//!    independently, as often as these weekdays are, as they are within eight weeks of it (or twice its length), and as they are at
//!    the same time of other years; near it there must be twelve days with rows, and as many as it has days, and the source must be
//!    four times as long; or
//! 2. if it holds a weekday that is otherwise never, or at most twice, without a row, and has at least [`MANY_ROWS`] each time; or
//! 3. if the days with rows are regularly apart, by five days or more, and this distance is more than one and a half of the
//!    longest other one.
//!
//! It is not unusual if more than [`MOST_LIKE_IT`] other runs around it are half as surprising, which is the rhythm then, or if one
//! like it was there at the same time of another year.

use tessera_expr::rel::Gap;

/// Days before and after a run of days that it is compared with.
const REACH: i32 = 182;

/// The same of days near it, and at least twice its length: a source may grow, or have a season.
const NEAR: i32 = 56;

/// Days of a year.
const YEAR: i32 = 365;

/// Days before and after a run in other years that it is compared with.
const SEASON: i32 = 30;

/// Days of other years from which they are compared.
const FEWEST_OF_SEASON: u32 = 28;

/// Expected number of runs that are as surprising by chance, in a whole source, below which one is unusual.
const CHANCE: f64 = 1e-3;

/// Days with rows that the days near a run must have, and at least as many as it has days: rows that come in waves are otherwise far
/// apart.
const FEWEST_DAYS: u32 = 12;

/// How many times as long as a run the source must be, so that there is a rhythm to speak of.
const LEAST_TIMES: f64 = 4.0;

/// Rows of a day from which its weekday is not without a row by chance.
const MANY_ROWS: u32 = 30;

/// Days of one weekday that must be known to say so.
const FEWEST_OF_WEEKDAY: u32 = 20;

/// Days of such a weekday without a row.
const FEW_EMPTY: u32 = 2;

/// Other runs around it that are half as surprising; with more of them it is the rhythm of the source.
const MOST_LIKE_IT: usize = 2;

/// Distances before and after a run that it is compared with.
const NEIGHBOURS: usize = 12;

/// Fewest of them.
const FEWEST_NEIGHBOURS: usize = 8;

/// Shortest regular distance in days that is judged.
const SHORTEST_REGULAR: f64 = 5.0;

/// Standard deviation of regular distances over their mean.
const REGULAR: f64 = 0.3;

/// Times the longest other distance.
const LONGER: f64 = 1.5;

/// The unusual runs of days without a row, in order. `days` are those with rows, ascending, with their number.
pub(super) fn gaps(days: &[(i32, u32)]) -> Vec<Gap> {
    let found = (1..days.len()).filter_map(|next| {
        let run = Run::new(days, next)?;
        let unusual = run.is_unusual(days) || run.breaks_a_regular_rhythm(days);
        (unusual && !run.recurs(days)).then_some(Gap {
            first_day: run.after + 1,
            last_day: run.before - 1,
        })
    });
    found.collect()
}

/// Days without a row between two days that have one.
struct Run {
    /// Place of the second of the two among the days with rows.
    next: usize,
    after: i32,
    before: i32,
}

impl Run {
    fn new(days: &[(i32, u32)], next: usize) -> Option<Self> {
        let (after, before) = (days[next - 1].0, days[next].0);
        (before - after > 1).then_some(Self {
            next,
            after,
            before,
        })
    }

    fn days(&self) -> i32 {
        self.before - self.after - 1
    }

    /// Places of the days with rows that the run is compared with, those before it and those after it.
    fn around(&self, days: &[(i32, u32)], reach: i32) -> [std::ops::Range<usize>; 2] {
        let from = days.partition_point(|(day, _)| *day < self.after - reach);
        let to = days.partition_point(|(day, _)| *day <= self.before + reach);
        [from..self.next, self.next..to]
    }

    /// What the days around it say.
    fn neighbours(&self, days: &[(i32, u32)], reach: i32) -> Weekdays {
        let mut weekdays = Weekdays::default();
        weekdays.take(days, self.after - reach..=self.after);
        weekdays.take(days, self.before..=self.before + reach);
        weekdays
    }

    /// What the same time of other years says, where enough days of it are known.
    fn other_years(&self, days: &[(i32, u32)]) -> Option<Weekdays> {
        let (first, last) = (days.first()?.0, days.last()?.0);
        let mut weekdays = Weekdays::default();
        let most = (last - first) / YEAR + 1;
        for year in (-most..=most).filter(|year| *year != 0) {
            let then = self.after - SEASON + year * YEAR..=self.before + SEASON + year * YEAR;
            // A run of more than a year is its own neighbour.
            if *then.end() <= self.after || *then.start() >= self.before {
                weekdays.take(days, then);
            }
        }
        (weekdays.days.iter().sum::<u32>() >= FEWEST_OF_SEASON).then_some(weekdays)
    }

    fn is_unusual(&self, days: &[(i32, u32)]) -> bool {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return false;
        };
        let weekdays = self.neighbours(days, REACH);
        let surprise = weekdays.surprise(self.after, self.before);
        let around = self.around(days, REACH);
        let likes = around.iter().flat_map(|places| {
            let pairs = days[places.clone()].windows(2);
            pairs.filter(|pair| 2.0 * weekdays.surprise(pair[0].0, pair[1].0) > surprise)
        });
        if likes.count() > MOST_LIKE_IT {
            return false;
        }
        if weekdays.has_a_full_one(self.after, self.before) {
            return true;
        }
        let length = f64::from(last.0 - first.0 + 1);
        let is_rare = |weekdays: &Weekdays| {
            length.ln() - weekdays.surprise(self.after, self.before) <= CHANCE.ln()
        };
        let near = self.neighbours(days, NEAR.max(2 * self.days()));
        is_rare(&weekdays)
            && near.with_rows() >= FEWEST_DAYS.max(self.days().unsigned_abs())
            && length >= LEAST_TIMES * f64::from(self.days())
            && is_rare(&near)
            && self.other_years(days).as_ref().is_none_or(is_rare)
    }

    fn breaks_a_regular_rhythm(&self, days: &[(i32, u32)]) -> bool {
        let distance = |next: usize| f64::from(days[next].0 - days[next - 1].0);
        let earlier = self.next.saturating_sub(NEIGHBOURS).max(1)..self.next;
        let later = self.next + 1..days.len().min(self.next + 1 + NEIGHBOURS);
        let mut others: Vec<f64> = earlier.chain(later).map(distance).collect();
        others.sort_unstable_by(f64::total_cmp);
        // Another period may be missing as well.
        others.pop();
        let (Some(longest), true) = (others.last(), others.len() >= FEWEST_NEIGHBOURS) else {
            return false;
        };
        let number = others.len() as f64;
        let mean = others.iter().sum::<f64>() / number;
        let squares: f64 = others.iter().map(|one| (one - mean).powi(2)).sum();
        mean >= SHORTEST_REGULAR
            && (squares / number).sqrt() <= REGULAR * mean
            && distance(self.next) > LONGER * longest
    }

    /// Whether a run at least three fifths as long was there at the same time of another year.
    fn recurs(&self, days: &[(i32, u32)]) -> bool {
        let year = f64::from(YEAR);
        let middle = |run: &Self| f64::from(run.after + run.before) / 2.0;
        let near = 10.0 + f64::from(self.days()) / 4.0;
        let mut runs = (1..days.len()).filter_map(|next| Self::new(days, next));
        runs.any(|other| {
            let years = (middle(&other) - middle(self)) / year;
            let off = (years - years.round()).abs() * year;
            years.round() != 0.0 && off <= near && 5 * other.days() >= 3 * self.days()
        })
    }
}

/// What the days around a run say of each weekday.
#[derive(Default)]
struct Weekdays {
    days: [u32; 7],
    with_rows: [u32; 7],
    /// Fewest rows of such a day.
    fewest_rows: [Option<u32>; 7],
}

impl Weekdays {
    /// Adds the days of a range that lie between the first and the last day with rows.
    fn take(&mut self, days: &[(i32, u32)], range: std::ops::RangeInclusive<i32>) {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return;
        };
        let (from, to) = (first.0.max(*range.start()), last.0.min(*range.end()));
        for day in from..=to {
            self.days[weekday(day)] += 1;
        }
        let place = days.partition_point(|(day, _)| *day < from);
        for (day, rows) in days[place..].iter().take_while(|(day, _)| *day <= to) {
            let weekday = weekday(*day);
            self.with_rows[weekday] += 1;
            let fewest = &mut self.fewest_rows[weekday];
            *fewest = Some(fewest.map_or(*rows, |fewest| fewest.min(*rows)));
        }
    }

    fn with_rows(&self) -> u32 {
        self.with_rows.iter().sum()
    }

    fn empty(&self, weekday: usize) -> u32 {
        self.days[weekday].saturating_sub(self.with_rows[weekday])
    }

    /// How improbable it is that all days between two have no row: the negative logarithm of the probability. A weekday of which
    /// nothing is known is no surprise.
    fn surprise(&self, after: i32, before: i32) -> f64 {
        let of = |weekday: usize| {
            let empty = f64::from(self.empty(weekday) + 1) / f64::from(self.days[weekday] + 1);
            -empty.ln()
        };
        let each = std::array::from_fn::<f64, 7, _>(of);
        (after + 1..before).map(|day| each[weekday(day)]).sum()
    }

    /// Whether a weekday between two days otherwise always has many rows.
    fn has_a_full_one(&self, after: i32, before: i32) -> bool {
        (after + 1..before).take(7).map(weekday).any(|weekday| {
            self.days[weekday] >= FEWEST_OF_WEEKDAY
                && self.empty(weekday) <= FEW_EMPTY
                && self.fewest_rows[weekday].is_some_and(|rows| rows >= MANY_ROWS)
        })
    }
}

fn weekday(day: i32) -> usize {
    day.rem_euclid(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lakes of each kind that are simulated.
    const LAKES: u64 = 1_000;

    /// Stated share of lakes without a missing file in which a run is called unusual: one in 200. If it is that, more than this of
    /// [`LAKES`] are called so with a probability below 1e-4 (binomial).
    const MOST_FALSE: usize = 15;

    /// SplitMix64.
    struct Random(u64);

    impl Random {
        fn share(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((word ^ (word >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// Knuth's multiplication, a part of the mean at a time.
        fn poisson(&mut self, mean: f64) -> u32 {
            let (mut left, mut number) = (mean, 0);
            while left > 0.0 {
                let limit = (-left.min(30.0)).exp();
                let mut product = self.share();
                while product > limit {
                    number += 1;
                    product *= self.share();
                }
                left -= 30.0;
            }
            number
        }
    }

    fn lake(days: i32, random: &mut Random, mean: impl Fn(i32) -> f64) -> Vec<(i32, u32)> {
        let rows = (0..days).map(|day| (day, random.poisson(mean(day))));
        rows.filter(|(_, rows)| *rows > 0).collect()
    }

    fn found(days: &[(i32, u32)]) -> Vec<(i32, i32)> {
        let found = gaps(days).into_iter();
        found.map(|gap| (gap.first_day, gap.last_day)).collect()
    }

    /// Without these days.
    fn without(days: &[(i32, u32)], gone: std::ops::RangeInclusive<i32>) -> Vec<(i32, u32)> {
        let kept = days.iter().filter(|(day, _)| !gone.contains(day));
        kept.copied().collect()
    }

    fn on_workdays(day: i32) -> f64 {
        f64::from(u8::from(day % 7 < 5))
    }

    /// Lakes in which a run is called unusual.
    fn false_alarms(kind: u64, lake: impl Fn(&mut Random) -> Vec<(i32, u32)>) -> usize {
        let lakes = (0..LAKES).map(|seed| lake(&mut Random(kind << 32 | seed)));
        lakes.filter(|lake| !gaps(lake).is_empty()).count()
    }

    #[test]
    fn poisson_lakes_of_every_density_give_hardly_a_false_alarm() {
        let means = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 60.0];
        for (place, mean) in means.into_iter().enumerate() {
            for days in [365, 1095] {
                let kind = 2 * place as u64 + u64::from(days == 365);
                let wrong = false_alarms(kind, |random| lake(days, random, |_| mean));
                assert!(
                    wrong <= MOST_FALSE,
                    "{mean} rows a day, {days} days: {wrong}"
                );
                let workdays = |day| mean * on_workdays(day);
                let wrong = false_alarms(100 + kind, |random| lake(days, random, workdays));
                assert!(
                    wrong <= MOST_FALSE,
                    "{mean} a workday, {days} days: {wrong}"
                );
            }
        }
    }

    #[test]
    fn growing_and_seasonal_lakes_give_hardly_a_false_alarm() {
        let season = |day: i32| (std::f64::consts::TAU * f64::from(day) / 365.25).sin();
        let growth = |day: i32| 0.05 * 400_f64.powf(f64::from(day) / 1095.0);
        let kinds: [&dyn Fn(i32) -> f64; 4] = [
            &growth,
            &|day| 0.3 * (1.0 + 0.9 * season(day)),
            &|day| 2.0 * (1.0 + 0.9 * season(day)),
            // Only in the warm half of the year.
            &|day| if season(day) > 0.0 { 5.0 } else { 0.0 },
        ];
        for (kind, mean) in kinds.into_iter().enumerate() {
            let wrong = false_alarms(200 + kind as u64, |random| lake(1095, random, mean));
            assert!(wrong <= MOST_FALSE, "{kind}: {wrong}");
        }
    }

    #[test]
    fn a_lost_month_is_found_wherever_a_month_has_many_days_with_rows() {
        for (kind, mean) in [0.7, 1.0, 5.0, 50.0].into_iter().enumerate() {
            let mut missed = 0;
            for seed in 0..200 {
                let mut random = Random((300 + kind as u64) << 32 | seed);
                let first = 200 + (seed as i32) * 3;
                let days = lake(1095, &mut random, |_| mean);
                let found = found(&without(&days, first..=first + 29));
                let is_it = |gap: &(i32, i32)| gap.0 <= first && gap.1 >= first + 29;
                missed += usize::from(!found.iter().any(is_it));
            }
            assert_eq!(missed, 0, "{mean} rows a day");
        }
    }

    #[test]
    fn lost_periods_of_regular_sources_are_found() {
        let daily: Vec<(i32, u32)> = (0..400).map(|day| (day, 50)).collect();
        assert_eq!(found(&daily), []);
        assert_eq!(found(&without(&daily, 200..=200)), [(200, 200)]);
        let two = without(&without(&daily, 100..=129), 200..=229);
        assert_eq!(found(&two), [(100, 129), (200, 229)]);
        let weekly: Vec<(i32, u32)> = (0..60).map(|week| (7 * week, 1)).collect();
        assert_eq!(found(&weekly), []);
        assert_eq!(found(&without(&weekly, 70..=70)), [(64, 76)]);
        let monthly: Vec<(i32, u32)> = (0..24).map(|month| (30 * month + month % 2, 9)).collect();
        assert_eq!(found(&monthly), []);
        assert_eq!(found(&without(&monthly, 300..=300)).len(), 1);
        let workdays: Vec<_> = daily.into_iter().filter(|(day, _)| day % 7 < 5).collect();
        assert_eq!(found(&workdays), []);
        assert_eq!(found(&without(&workdays, 203..=207)), [(201, 209)]);
    }

    #[test]
    fn holidays_are_the_rhythm_of_a_source_from_the_third_or_the_second_year_on() {
        let open = |day: &i32| !matches!(day % 365, 0 | 90 | 93 | 120 | 358 | 359);
        let shop: Vec<_> = (0..1000).filter(open).map(|day| (day, 80)).collect();
        assert_eq!(found(&shop), []);
        let open = |day: &i32| !matches!(day % 365, 350..=360);
        let closed: Vec<_> = (0..1000).filter(open).map(|day| (day, 80)).collect();
        assert_eq!(found(&closed), []);
        assert_eq!(found(&closed[..400]), [(350, 360)]);
    }

    #[test]
    fn waves_are_the_rhythm_of_a_source() {
        // Three weeks of answers every half year.
        for last in [250, 450, 600, 1000] {
            let waves = (0..last).filter(|day| day % 182 < 21 && day % 3 > 0);
            let waves: Vec<_> = waves.map(|day| (day, 12)).collect();
            assert_eq!(found(&waves), [], "{last} days");
        }
    }

    #[test]
    fn few_days_say_nothing() {
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[(3, 9)]), []);
        assert_eq!(found(&[(3, 9), (300, 9), (302, 1)]), []);
        let short: Vec<_> = (0..5).chain(300..306).map(|day| (day, 1)).collect();
        assert_eq!(found(&short), []);
    }
}
