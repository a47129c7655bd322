//! Contracts by the calendar: how old each is in renewal periods on a day, who has left by then, and what its model says of the days
//! ahead.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tessera_model::contractual::{ContractAge, RenewalFit, RenewalHistory};
use tessera_model::lifetime_error::LifetimeError;
use tessera_spec::pipeline::RenewalPeriod;

use super::super::lifetimes::Life;

/// A day since 1970-01-01 in the calendar.
pub(super) fn date(day: i32) -> NaiveDate {
    NaiveDate::from_epoch_days(day).unwrap_or_default()
}

/// When contracts end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Ends {
    /// Share of those who leave in a period who do so at its end.
    pub(super) at_ends: f64,
    /// Whether the end of a contract is the last day of its last period rather than the day after.
    pub(super) on_last_days: bool,
}

/// The renewal periods of contracts, and when contracts end.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) period: RenewalPeriod,
    pub(super) ends: Ends,
}

/// What is expected of a contract within the horizon.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// Probability that it outlasts the horizon.
    pub(super) survival: f64,
    /// Days of the horizon.
    pub(super) days: f64,
    /// Renewals, each discounted.
    pub(super) renewals: f64,
}

impl Clock {
    /// The day on which what is known at the close of a day is counted: a contract that ended with its last day has lasted the whole
    /// period, and one that did not has been renewed.
    fn counted(self, day: i32) -> i32 {
        day + i32::from(self.ends.on_last_days)
    }

    /// The day on which so many periods of a contract end.
    fn end(self, first: i32, periods: u32) -> NaiveDate {
        let end = self.period.end(date(first), periods);
        end.unwrap_or(NaiveDate::MAX)
    }

    /// How old a contract is at the close of a day.
    pub(super) fn age(self, first: i32, day: i32) -> ContractAge {
        let day = date(self.counted(day));
        let periods = self.period.whole(date(first), day);
        let (start, end) = (self.end(first, periods), self.end(first, periods + 1));
        let passed = (day - start).num_days().max(0) as f64;
        ContractAge {
            periods,
            part: passed / (end - start).num_days().max(1) as f64,
        }
    }

    /// The period at whose end a customer left, from 1.
    pub(super) fn ended(self, first: i32, end: i32) -> u32 {
        let end = date(self.counted(end));
        self.period.begun(date(first), end).max(1)
    }

    /// What is known at the close of a day. Of a period that has not ended by then it is not known yet who leaves at its end.
    pub(super) fn history<'l>(
        self,
        lives: impl Iterator<Item = &'l Life>,
        day: i32,
    ) -> Result<RenewalHistory, LifetimeError> {
        let mut history = RenewalHistory::leaving(self.ends.at_ends);
        for life in lives.filter(|life| life.first <= day) {
            let left = life.end.filter(|end| *end <= day);
            let period = left.map(|end| self.ended(life.first, end));
            let is_over = |period: &u32| self.end(life.first, *period) <= date(self.counted(day));
            match period.filter(is_over) {
                Some(period) => history.add(period, true, 1.0)?,
                None => history.add_within(self.age(life.first, day), left.is_some())?,
            }
        }
        Ok(history)
    }

    /// What a model expects of a contract that is current at the close of `day` within a horizon; a renewal is discounted by its day.
    pub(super) fn expected(
        self,
        fit: &RenewalFit,
        (first, day): (i32, i32),
        horizon_days: u32,
        discount_per_year: f64,
    ) -> Expected {
        let from = self.age(first, day);
        let to = self.age(first, day + horizon_days as i32);
        let (mut days, mut renewals) = (0.0, 0.0);
        for period in from.periods..=to.periods {
            let (begin, end) = (self.end(first, period), self.end(first, period + 1));
            let start = if period == from.periods {
                from.part
            } else {
                0.0
            };
            let stop = if period == to.periods { to.part } else { 1.0 };
            if stop > start {
                let length = (end - begin).num_days() as f64;
                days += length * fit.time_within(from, period, [start, stop]);
            }
            if period > from.periods {
                let ahead = (begin - date(self.counted(day))).num_days() as f64;
                let discount = (ahead / 365.0 * discount_per_year.ln_1p()).exp();
                renewals += fit.stays(from, ContractAge::whole(period)) / discount;
            }
        }
        Expected {
            survival: fit.stays(from, to),
            days,
            renewals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::period;
    use super::*;

    /// How simulated contracts end: the period, whether on any day, whether their last day is written.
    #[derive(Debug, Clone, Copy)]
    struct World {
        period: RenewalPeriod,
        any_day: bool,
        last_day: bool,
    }

    /// Contracts that began on any day of five years, with one rate per period; by the end of the simulation all have an end.
    fn simulated(world: World, rate: f64, day: i32) -> Vec<Life> {
        let mut random = 5_u64;
        let mut unit = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((random >> 11) as f64 + 0.5) / 2_f64.powi(53)
        };
        let mut life = || {
            let first = day - (unit() * 5.0 * 365.0) as i32;
            let periods = unit().ln() / (-rate).ln_1p();
            let end = match world.any_day {
                true => first + 1 + (periods * world.period.mean_days()) as i32,
                false => {
                    let end = world.period.end(date(first), 1 + periods as u32).unwrap();
                    crate::sources::epoch_day(end) - i32::from(world.last_day)
                }
            };
            Life {
                first,
                end: Some(end),
            }
        };
        (0..12_000).map(|_| life()).collect()
    }

    /// Of the contracts that are current on a day: what could be, what is expected, what happened, and the variance of what happened.
    #[derive(Debug, Default)]
    struct Compared {
        possible: f64,
        expected: f64,
        actual: f64,
        variance: f64,
    }

    impl Compared {
        fn add(&mut self, possible: f64, expected: f64, actual: f64, variance: f64) {
            self.possible += possible;
            self.expected += expected;
            self.actual += actual;
            self.variance += variance;
        }

        /// How many standard deviations expectation and outcome are apart. That of the rate is relative to what is lost: one over the root of
        /// those who left, more than 3,000 in each world.
        fn apart(&self) -> f64 {
            let by_rate = (self.possible - self.expected) / f64::sqrt(3_000.0);
            let deviation = (self.variance + by_rate.powi(2)).sqrt();
            (self.expected - self.actual).abs() / deviation
        }
    }

    /// Customers who stay, and their days.
    fn compared(world: World, rate: f64, horizon: u32) -> [Compared; 2] {
        let day = 19_000;
        let lives = simulated(world, rate, day);
        let clock = Clock {
            period: world.period,
            ends: period::ends(world.period, lives.iter(), day),
        };
        assert_eq!(clock.ends.on_last_days, world.last_day, "{world:?}");
        let at_ends = f64::from(u8::from(!world.any_day));
        assert!(
            (clock.ends.at_ends - at_ends).abs() < 0.02,
            "{:?}",
            clock.ends
        );
        let gone = lives
            .iter()
            .filter(|life| life.end.is_some_and(|end| end <= day));
        assert!(gone.count() > 3_000);
        let history = clock.history(lives.iter(), day).unwrap();
        let fit = RenewalFit::of_one_rate(&history).unwrap();
        let later = day + horizon as i32;
        let [mut stay, mut days] = [Compared::default(), Compared::default()];
        for life in &lives {
            let end = life.end.unwrap();
            if end <= day {
                continue;
            }
            let expected = clock.expected(&fit, (life.first, day), horizon, 0.0);
            let (survival, lasts) = (expected.survival, f64::from(u8::from(end > later)));
            stay.add(1.0, survival, lasts, survival * (1.0 - survival));
            let lasts = f64::from(end.min(later) - day);
            days.add(
                f64::from(horizon),
                expected.days,
                lasts,
                (lasts - expected.days).powi(2),
            );
        }
        [stay, days]
    }

    /// The truth is what the simulated contracts did; no more than four standard deviations are between.
    #[test]
    fn contracts_stay_as_expected_whenever_they_end_and_whatever_part_of_a_period_is_ahead() {
        for (period, rate) in [
            (RenewalPeriod::Months(1), 0.06),
            (RenewalPeriod::Months(12), 0.4),
            (RenewalPeriod::Days(28), 0.05),
        ] {
            for (any_day, last_day) in [(false, false), (false, true), (true, false)] {
                let world = World {
                    period,
                    any_day,
                    last_day,
                };
                for horizon in [15, 45, 100, 365] {
                    for found in compared(world, rate, horizon) {
                        assert!(found.apart() < 4.0, "{world:?} {horizon}: {found:?}");
                    }
                }
            }
        }
    }

    /// Who renews tomorrow can leave within a fortnight, who renewed today cannot.
    #[test]
    fn it_matters_when_the_next_renewal_is() {
        let world = World {
            period: RenewalPeriod::Months(1),
            any_day: false,
            last_day: false,
        };
        let day = crate::sources::epoch_day("2026-06-15".parse().unwrap());
        let lives = simulated(world, 0.06, day);
        let clock = Clock {
            period: world.period,
            ends: period::ends(world.period, lives.iter(), day),
        };
        let history = clock.history(lives.iter(), day).unwrap();
        let fit = RenewalFit::of_one_rate(&history).unwrap();
        let began = |text: &str| crate::sources::epoch_day(text.parse().unwrap());
        let renewals =
            |first: &str, horizon: u32| clock.expected(&fit, (began(first), day), horizon, 0.0);
        let rate = fit.parameters[0];
        assert!((renewals("2026-01-16", 14).survival - (1.0 - rate)).abs() < 1e-3);
        assert!(renewals("2026-01-15", 14).survival > 0.999);
        assert!(renewals("2026-01-15", 14).renewals == 0.0);
        // 45 days hold one renewal or two.
        let two = (1.0 - rate) + (1.0 - rate).powi(2);
        assert!((renewals("2026-01-16", 45).renewals - two).abs() < 2e-3);
        assert!((renewals("2026-01-05", 45).renewals - (1.0 - rate)).abs() < 2e-3);
    }
}
