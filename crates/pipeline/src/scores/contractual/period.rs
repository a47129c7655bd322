//! Whether contracts end where the stated renewal periods do: a period that is too short or of another length puts customers who
//! leave at a renewal into the next period, so that the risk of both is wrong.

use chrono::NaiveDate;
use tessera_segments::{Quality, QualityStatus, Threshold};
use tessera_spec::pipeline::RenewalPeriod;
use tessera_spec::shown::grouped;

use super::super::lifetimes::Life;
use super::contracts::{Ends, date};

/// Periods that are usual, the longest first.
const USUAL: [RenewalPeriod; 8] = [
    RenewalPeriod::Months(12),
    RenewalPeriod::Months(6),
    RenewalPeriod::Months(3),
    RenewalPeriod::Months(1),
    RenewalPeriod::Days(90),
    RenewalPeriod::Days(30),
    RenewalPeriod::Days(28),
    RenewalPeriod::Days(7),
];

/// Contracts that have ended below which nothing is said.
const FEWEST: usize = 20;

/// Share of the ended contracts that must last whole periods for these to be theirs.
const MOST: f64 = 0.9;

/// When contracts that had ended by a day ended. A share of contracts lasts whole periods by chance, where they end on any day: it is
/// taken off. Without ended contracts half of the others are taken to end at the ends of periods; one contract more, which does not,
/// keeps the share below all, so that no customer is certain to stay.
pub(super) fn ends<'l>(
    period: RenewalPeriod,
    lives: impl Iterator<Item = &'l Life>,
    day: i32,
) -> Ends {
    let (mut ended, mut next_day, mut last_day) = (0.0, 0.0, 0.0);
    for life in lives {
        let Some(end) = life.end.filter(|end| *end <= day) else {
            continue;
        };
        ended += 1.0;
        let (first, end) = (date(life.first), date(end));
        if end > first && is_end(period, first, end) {
            next_day += 1.0;
        } else if is_whole(period, first, end) {
            last_day += 1.0;
        }
    }
    let share = (next_day + last_day + 1.0) / (ended + 2.0);
    let by_chance = (2.0 / period.mean_days()).min(1.0);
    let at_ends = match by_chance < 1.0 {
        true => ((share - by_chance) / (1.0 - by_chance)).max(0.0),
        false => 1.0,
    };
    Ends {
        at_ends,
        on_last_days: last_day > next_day && at_ends > 0.5,
    }
}

/// How many of the contracts that have ended lasted whole periods; flagged where nearly all lasted whole ones of a longer or of
/// another usual period.
pub(super) fn quality(stated: RenewalPeriod, lives: &[Option<Life>]) -> Option<Quality> {
    let ended: Vec<[NaiveDate; 2]> = lives
        .iter()
        .flatten()
        .filter_map(|life| Some([life.first, life.end?].map(date)))
        .collect();
    if ended.len() < FEWEST {
        return None;
    }
    let share = |period: RenewalPeriod| {
        let whole = ended
            .iter()
            .filter(|[first, end]| is_whole(period, *first, *end));
        whole.count() as f64 / ended.len() as f64
    };
    let own = share(stated);
    let is_other = |period: &&RenewalPeriod| {
        let longer = period.mean_days() > 1.5 * stated.mean_days();
        **period != stated && share(**period) >= MOST && (longer || own < MOST)
    };
    let better = USUAL.iter().find(is_other);
    Some(Quality {
        segment: String::new(),
        criterion: "assumption",
        metric: "share of ended contracts that lasted whole periods".to_owned(),
        value: Some(own),
        threshold: better.map(|_| Threshold::at_least(MOST)),
        status: match better {
            Some(_) => QualityStatus::Flagged,
            None => QualityStatus::Ok,
        },
        reason: better.map(|better| {
            format!(
                "{:.0}% of the {} contracts that have ended lasted whole periods of {stated}, but {:.0}% whole ones of {better}: customers seem to \
                renew every {better}, and survival is wrong at the ages between; set `period = \"{better}\"`",
                100.0 * own,
                grouped(ended.len() as u64),
                100.0 * share(*better)
            )
        }),
    })
}

/// Whether a contract lasted whole periods: its end is the first day after the last period, or the last day of it.
fn is_whole(period: RenewalPeriod, first: NaiveDate, end: NaiveDate) -> bool {
    let until = |end: NaiveDate| is_end(period, first, end);
    end > first && (until(end) || end.succ_opt().is_some_and(until))
}

/// Whether a day is the first after whole periods.
fn is_end(period: RenewalPeriod, first: NaiveDate, end: NaiveDate) -> bool {
    period.end(first, period.begun(first, end)) == Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::epoch_day;

    /// Contracts of a period that begin on days of a year and end after one to five periods, so many days earlier.
    fn contracts(period: RenewalPeriod, earlier: i32) -> Vec<Option<Life>> {
        let start: NaiveDate = "2019-03-04".parse().unwrap();
        let life = |n: u64| {
            let first = start + chrono::Days::new(n * 11 % 365);
            let end = period.end(first, 1 + n as u32 % 5).unwrap();
            Some(Life {
                first: epoch_day(first),
                end: Some(epoch_day(end) - earlier),
            })
        };
        (0..100).map(life).collect()
    }

    #[test]
    fn the_period_that_contracts_have_is_named() {
        let month = RenewalPeriod::Months(1);
        for (of, stated, wanted) in [
            (month, month, None),
            (month, RenewalPeriod::Days(30), Some("1mo")),
            (
                RenewalPeriod::Months(12),
                RenewalPeriod::Days(365),
                Some("1y"),
            ),
            (RenewalPeriod::Months(12), month, Some("1y")),
            (RenewalPeriod::Months(3), month, Some("3mo")),
            (RenewalPeriod::Days(30), RenewalPeriod::Days(30), None),
            (RenewalPeriod::Days(30), month, Some("30d")),
            (
                RenewalPeriod::Days(28),
                RenewalPeriod::Days(30),
                Some("28d"),
            ),
            (RenewalPeriod::Days(365), RenewalPeriod::Days(365), None),
        ] {
            for earlier in [0, 1] {
                let row = quality(stated, &contracts(of, earlier)).unwrap();
                let told = format!("set `period = \"{}\"`", wanted.unwrap_or_default());
                let is_flagged = row.status == QualityStatus::Flagged;
                assert_eq!(is_flagged, wanted.is_some(), "{of} {stated} {row:?}");
                assert!(row.reason.is_none_or(|reason| reason.ends_with(&told)));
            }
        }
    }

    #[test]
    fn of_contracts_that_end_on_any_day_no_period_is_named() {
        let mut lives = contracts(RenewalPeriod::Days(1), 0);
        for (n, life) in lives.iter_mut().enumerate() {
            if let Some(life) = life {
                life.end = Some(life.first + 1 + (n as i32 * 37) % 500);
            }
        }
        for stated in [RenewalPeriod::Months(1), RenewalPeriod::Days(365)] {
            let row = quality(stated, &lives).unwrap();
            assert_eq!(row.status, QualityStatus::Ok, "{row:?}");
        }
        lives.truncate(FEWEST - 1);
        assert_eq!(quality(RenewalPeriod::Months(1), &lives), None);
    }
}
