//! How versions relate: which one readers see, which one is before another, which ones a later commit superseded. All of it is
//! computed from the commits: their number, their `as_of`, and the version before each when it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::error::StoreError;
use crate::store::{Digested, Store};
use crate::version::Version;

/// How later commits affect a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The newest version of the same `as_of`, where that is a later commit.
    pub superseded_by: Option<u64>,
    /// A run of the same day would now have another version before it than this version had, so an equal run publishes again.
    pub outdated: bool,
    /// The version that replaced this one because it is damaged.
    pub damaged_replaced_by: Option<u64>,
}

/// The version that `LATEST` and `latest` name: the greatest `as_of`, and of several versions of that day the highest. Expired
/// versions count only where every version has expired.
pub(crate) fn shown<'a>(
    versions: &'a [Arc<Digested>],
    expired: &BTreeSet<u64>,
) -> Option<&'a Arc<Digested>> {
    let greatest = |found: &&Arc<Digested>| (found.as_of, found.version);
    versions
        .iter()
        .filter(|known| !expired.contains(&known.version))
        .max_by_key(greatest)
        .or_else(|| versions.iter().max_by_key(greatest))
}

/// The version that comes before a run of this day: the greatest earlier `as_of`, and of several versions of that day the
/// highest. Expired versions count, since their commits still exist.
pub(crate) fn previous(versions: &[Arc<Digested>], as_of: NaiveDate) -> Option<&Arc<Digested>> {
    versions
        .iter()
        .filter(|known| known.as_of < as_of)
        .max_by_key(|known| (known.as_of, known.version))
}

/// The newest version of every `as_of`.
pub(crate) fn newest<'a>(
    versions: impl Iterator<Item = &'a Arc<Digested>>,
) -> BTreeMap<NaiveDate, &'a Digested> {
    // Versions are in ascending order, so later ones replace earlier ones.
    versions
        .map(|known| (known.as_of, known.as_ref()))
        .collect()
}

/// How the commits affect each other, in the order of the versions.
pub(crate) fn standings(versions: &[Arc<Digested>]) -> Vec<Standing> {
    let newest = newest(versions.iter());
    let replaced: BTreeMap<u64, u64> = versions
        .iter()
        .filter_map(|known| Some((known.replaces?, known.version)))
        .collect();
    // A version that was published again because it was damaged counts as the same for the versions after it.
    let current = |mut version: u64| {
        while let Some(&by) = replaced.get(&version).filter(|&&by| by > version) {
            version = by;
        }
        version
    };
    let standing = |known: &Arc<Digested>| {
        let superseded_by = newest
            .get(&known.as_of)
            .map(|by| by.version)
            .filter(|&by| by != known.version);
        let before = newest.range(..known.as_of).next_back();
        Standing {
            superseded_by,
            outdated: before.map_or(0, |(_, before)| before.version) != current(known.previous),
            damaged_replaced_by: replaced.get(&known.version).copied(),
        }
    };
    versions.iter().map(standing).collect()
}

impl Store {
    /// The version that comes before a run of this day: that of the greatest earlier `as_of`, and of several versions of that day
    /// the newest commit.
    ///
    /// # Errors
    /// A commit that cannot be read; [`StoreError::Expired`] where the version's tables may be gone.
    pub fn previous(&self, as_of: NaiveDate) -> Result<Option<Version>, StoreError> {
        // After the index was discarded, every commit is read.
        loop {
            let digests = self.digests()?;
            let Some(before) = previous(&digests, as_of) else {
                return Ok(None);
            };
            if self.confirm(before)? {
                return self.version(before.version).map(Some);
            }
        }
    }

    /// The newest version of a day that has not expired.
    ///
    /// # Errors
    /// A commit that cannot be read; [`StoreError::NoDay`] where there is no version of that day.
    pub fn of_day(&self, day: NaiveDate) -> Result<Version, StoreError> {
        let (digests, expired) = (self.digests()?, self.expired()?);
        let kept = digests
            .iter()
            .filter(|known| !expired.contains(&known.version));
        let days = newest(kept);
        if let Some(found) = days.get(&day) {
            return self.version(found.version);
        }
        let earlier = days.range(..day).next_back().map(|found| found.0);
        let later = days.range(day..).next().map(|found| found.0);
        let nearest: Vec<String> = earlier
            .into_iter()
            .chain(later)
            .map(NaiveDate::to_string)
            .collect();
        Err(StoreError::NoDay {
            path: self.path().to_owned(),
            day,
            nearest: match nearest.is_empty() {
                true => "there is none yet".to_owned(),
                false => format!("the nearest are of {}", nearest.join(" and ")),
            },
        })
    }

    /// How later commits affect each version, by its number.
    ///
    /// # Errors
    /// A commit that cannot be read.
    pub fn standings(&self) -> Result<BTreeMap<u64, Standing>, StoreError> {
        let versions = self.digests()?;
        let numbers = versions.iter().map(|known| known.version);
        Ok(numbers.zip(standings(&versions)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions 1, 2, … of these days, each made after the version that came before it then.
    fn history(days: &[u32]) -> Vec<Arc<Digested>> {
        let mut versions = Vec::new();
        for (&day, version) in days.iter().zip(1..) {
            let as_of = NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
            let previous = previous(&versions, as_of).map_or(0, |before| before.version);
            versions.push(Arc::new(Digested {
                version,
                as_of,
                txid: version.to_string(),
                idempotency_key: String::new(),
                previous,
                files: Arc::new([]),
                program: Arc::from(""),
                finished_at: String::new(),
                replaces: None,
                sha256: String::new(),
            }));
        }
        versions
    }

    fn shown_of(days: &[u32], expired: &[u64]) -> Option<u64> {
        shown(&history(days), &expired.iter().copied().collect()).map(|found| found.version)
    }

    #[test]
    fn readers_are_shown_the_newest_day_and_its_newest_commit() {
        assert_eq!(shown_of(&[], &[]), None);
        assert_eq!(shown_of(&[31, 1], &[]), Some(1));
        assert_eq!(shown_of(&[1, 31, 2, 31, 30], &[]), Some(4));
        assert_eq!(shown_of(&[1, 31, 2, 31, 30], &[4]), Some(2));
        assert_eq!(shown_of(&[1, 31], &[1, 2]), Some(2));
    }

    #[test]
    fn a_version_is_superseded_by_its_day_and_outdated_by_what_now_comes_before_it() {
        let found = standings(&history(&[10, 20, 10, 15, 20]));
        let by = |superseded_by, outdated| Standing {
            superseded_by,
            outdated,
            damaged_replaced_by: None,
        };
        assert_eq!(
            found,
            [
                by(Some(3), false),
                by(Some(5), true),
                by(None, false),
                by(None, false),
                by(None, false)
            ]
        );
        // The day before is made again: both later days follow a version that no longer counts.
        let found = standings(&history(&[10, 20, 30, 10]));
        assert_eq!(
            found.iter().map(|one| one.outdated).collect::<Vec<_>>(),
            [false, true, false, false],
            "only the direct successor follows a version that was replaced"
        );
    }
}
