//! Versions by their day.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::error::StoreError;
use crate::listed::Standing;
use crate::store::Store;
use crate::succession::{self, newest};
use crate::version::Version;

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
            let Some(before) = succession::previous(&digests, as_of) else {
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
    /// A commit that cannot be read; [`StoreError::NoDay`] where there is no version of that day, [`StoreError::Expired`] where all
    /// of them have expired.
    pub fn of_day(&self, day: NaiveDate) -> Result<Version, StoreError> {
        let (digests, expired) = (self.digests()?, self.expired()?);
        let kept = digests
            .iter()
            .filter(|known| !expired.contains(&known.version));
        let days = newest(kept);
        if let Some(found) = days.get(&day) {
            return self.version(found.version);
        }
        if let Some(gone) = digests.iter().rev().find(|known| known.as_of == day) {
            return Err(StoreError::Expired {
                version: gone.version,
            });
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

    /// The damaged versions that were published again, each with the version that has its place now. Versions after it name the damaged
    /// one as the one before them.
    ///
    /// # Errors
    /// A commit that cannot be read.
    pub fn replacements(&self) -> Result<BTreeMap<u64, u64>, StoreError> {
        let replaced = succession::replaced(&self.digests()?);
        let of = |&damaged: &u64| (damaged, succession::current(&replaced, damaged));
        Ok(replaced.keys().map(of).collect())
    }

    /// How later commits affect each version, by its number.
    ///
    /// # Errors
    /// A commit that cannot be read.
    pub fn standings(&self) -> Result<BTreeMap<u64, Standing>, StoreError> {
        let versions = self.digests()?;
        let numbers = versions.iter().map(|known| known.version);
        Ok(numbers.zip(succession::standings(&versions)).collect())
    }
}
