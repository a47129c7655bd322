//! Which versions a policy keeps, and why: computed from the commits, the marks and the pins alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::listed::Digested;
use crate::succession::{self, newest};

/// What is kept beside the versions that are always needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest version of so many of the last days that have one.
    pub last: usize,
    /// Every version that was published within so many days.
    pub days: u32,
    /// The newest version of the last day of so many of the last months that have one.
    pub months: usize,
}

/// Why a version stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Readers are shown it.
    Latest,
    /// It is the newest commit.
    Newest,
    /// It comes before the version that readers are shown: its moves are counted from there.
    BeforeLatest,
    /// A pin of this name holds it.
    Pinned(String),
    /// It is the newest version of one of so many last days.
    Last(usize),
    /// It was published within so many days.
    Days(u32),
    /// It is of the last day of this month.
    Month(i32, u32),
    /// It supersedes this version of its day, which stays and would be shown in its place.
    Supersedes(u64),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Newest => f.write_str("the newest commit"),
            Self::BeforeLatest => f.write_str("comes before latest"),
            Self::Pinned(name) => write!(f, "pinned by {name}"),
            Self::Last(days) => write!(f, "of the last {days} days"),
            Self::Days(days) => write!(f, "published within {days} days"),
            Self::Month(year, month) => write!(f, "the last of {year}-{month:02}"),
            Self::Supersedes(version) => write!(f, "supersedes version {version}, which stays"),
        }
    }
}

impl Retention {
    /// Whether it keeps nothing but what is always needed.
    pub(crate) fn is_empty(&self) -> bool {
        self.last == 0 && self.days == 0 && self.months == 0
    }

    /// Why each version that has not expired stays; one without a reason goes.
    pub(crate) fn judge(
        &self,
        versions: &[Arc<Digested>],
        expired: &BTreeSet<u64>,
        pins: &BTreeMap<u64, String>,
        now: DateTime<Utc>,
    ) -> BTreeMap<u64, Vec<Reason>> {
        let is_live = |known: &&Arc<Digested>| !expired.contains(&known.version);
        let live: Vec<&Arc<Digested>> = versions.iter().filter(is_live).collect();
        let mut judged: BTreeMap<u64, Vec<Reason>> =
            live.iter().map(|known| (known.version, vec![])).collect();
        let mut keep = |version: u64, reason: Reason| {
            if let Some(reasons) = judged.get_mut(&version).filter(|of| !of.contains(&reason)) {
                reasons.push(reason);
            }
        };
        if let Some(shown) = succession::shown(versions, expired) {
            keep(shown.version, Reason::Latest);
            // The run of this day again follows the one, the report of the version the other.
            let before = succession::previous(versions, shown.as_of).map(|before| before.version);
            let replaced = succession::replaced(versions);
            let followed = succession::current(&replaced, shown.previous);
            for version in before.into_iter().chain([followed]) {
                keep(version, Reason::BeforeLatest);
            }
        }
        if let Some(last) = versions.last() {
            keep(last.version, Reason::Newest);
        }
        for (&version, name) in pins {
            keep(version, Reason::Pinned(name.clone()));
        }
        let days = newest(live.iter().copied());
        for known in days.values().rev().take(self.last) {
            keep(known.version, Reason::Last(self.last));
        }
        for known in &live {
            if self.is_young(known, now) {
                keep(known.version, Reason::Days(self.days));
            }
        }
        let month = |day: &NaiveDate| (day.year(), day.month());
        let months: BTreeMap<(i32, u32), u64> = days
            .iter()
            .map(|(day, known)| (month(day), known.version))
            .collect();
        for (&(year, month), &version) in months.iter().rev().take(self.months) {
            keep(version, Reason::Month(year, month));
        }
        keep_superseding(&live, &days, &mut judged);
        judged
    }

    /// Whether a version was published within the days; one whose time is not known is.
    fn is_young(&self, known: &Digested, now: DateTime<Utc>) -> bool {
        let days = TimeDelta::days(self.days.into());
        let finished = DateTime::parse_from_rfc3339(&known.finished_at).ok();
        finished.is_none_or(|finished| now.signed_duration_since(finished) < days)
    }
}

/// Keeps the newest version of a day as long as an older one of that day stays, which readers would be shown otherwise.
fn keep_superseding(
    live: &[&Arc<Digested>],
    days: &BTreeMap<NaiveDate, &Digested>,
    judged: &mut BTreeMap<u64, Vec<Reason>>,
) {
    for known in live {
        let newest = days.get(&known.as_of).map_or(0, |newest| newest.version);
        let stays = |version: u64| judged.get(&version).is_some_and(|of| !of.is_empty());
        if newest != known.version && stays(known.version) && !stays(newest) {
            judged.insert(newest, vec![Reason::Supersedes(known.version)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions 1, 2, … of these days of 2026, published so many days before now.
    fn history(days: &[((u32, u32), i64)], now: DateTime<Utc>) -> Vec<Arc<Digested>> {
        let mut versions: Vec<Arc<Digested>> = Vec::new();
        for (&((month, day), ago), version) in days.iter().zip(1..) {
            let as_of = NaiveDate::from_ymd_opt(2026, month, day).unwrap();
            let previous = succession::previous(&versions, as_of).map_or(0, |known| known.version);
            versions.push(Arc::new(Digested {
                version,
                as_of,
                txid: String::new(),
                idempotency_key: version.to_string(),
                previous,
                files: Arc::new([]),
                program: Arc::from(""),
                finished_at: (now - TimeDelta::days(ago)).to_rfc3339(),
                replaces: None,
                sha256: String::new(),
            }));
        }
        versions
    }

    /// The versions that stay with why, as one text.
    fn kept(
        days: &[((u32, u32), i64)],
        expired: &[u64],
        pins: &[u64],
        (last, within, months): (usize, u32, usize),
    ) -> String {
        let now = "2026-12-01T12:00:00Z".parse().unwrap();
        let retention = Retention {
            last,
            days: within,
            months,
        };
        let pins = pins.iter().map(|&version| (version, "pins/a".to_owned()));
        let judged = retention.judge(
            &history(days, now),
            &expired.iter().copied().collect(),
            &pins.collect(),
            now,
        );
        let stays = judged.iter().filter(|(_, reasons)| !reasons.is_empty());
        let said = stays.map(|(version, reasons)| {
            let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
            format!("{version}: {}", reasons.join(", "))
        });
        said.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_readers_and_the_next_run_need_always_stays() {
        let nights: Vec<_> = (1..=9).map(|day| ((3, day), 90)).collect();
        let always = "8: comes before latest; 9: latest, the newest commit";
        assert_eq!(kept(&nights, &[], &[], (0, 0, 0)), always);
        assert_eq!(kept(&nights, &[1, 2], &[], (0, 30, 0)), always);
        // An older day run later is the newest commit; a day run again in between is followed then.
        let late: Vec<_> = [1, 2, 5, 4, 3].map(|day| ((3, day), 90)).into();
        assert_eq!(
            kept(&late, &[], &[], (0, 0, 0)),
            "2: comes before latest; 3: latest; 4: comes before latest; 5: the newest commit"
        );
        assert_eq!(kept(&[], &[], &[], (0, 0, 0)), "");
    }

    #[test]
    fn days_months_age_and_pins_keep_the_newest_version_of_a_day() {
        let days = [
            ((1, 30), 90),
            ((1, 31), 90),
            ((2, 28), 90),
            ((2, 28), 20),
            ((3, 1), 14),
            ((3, 2), 13),
            ((3, 3), 13),
        ];
        assert_eq!(
            kept(&days, &[], &[], (3, 14, 3)),
            "2: the last of 2026-01; 4: the last of 2026-02; 5: of the last 3 days; \
             6: comes before latest, of the last 3 days, published within 14 days; \
             7: latest, the newest commit, of the last 3 days, published within 14 days, the last of 2026-03"
        );
        // A superseded version that is pinned holds the one that supersedes it, so that readers are not shown the older one.
        assert!(
            kept(&days, &[], &[3], (0, 14, 0))
                .starts_with("3: pinned by pins/a; 4: supersedes version 3, which stays; 6: ")
        );
        assert!(kept(&days, &[], &[1, 3], (0, 14, 0)).starts_with("1: pinned by pins/a; 3: "));
    }

    #[test]
    fn a_time_that_is_not_known_or_to_come_is_new() {
        let now: DateTime<Utc> = "2026-12-01T12:00:00Z".parse().unwrap();
        let mut versions = history(&[((3, 1), 90), ((3, 2), 90), ((3, 3), -400)], now);
        Arc::get_mut(&mut versions[0]).unwrap().finished_at = "yesterday".to_owned();
        let retention = Retention {
            last: 0,
            days: 1,
            months: 0,
        };
        let young: Vec<bool> = versions
            .iter()
            .map(|known| retention.is_young(known, now))
            .collect();
        assert_eq!(young, [true, false, true]);
    }
}
