//! Commits that are missing. They are durable before a hint names them and are never deleted, so a version that a hint names and
//! that has no commit was lost.

use chrono::NaiveDate;

use crate::commit::file_name;
use crate::error::{Lost, StoreError};
use crate::store::Store;

/// The newest version by the hints, with its day.
struct Named {
    version: u64,
    as_of: Option<NaiveDate>,
}

impl Store {
    /// The versions that have no commit although a later one has, or a hint names them; oldest first.
    ///
    /// # Errors
    /// The folder of commits cannot be listed.
    pub fn lost(&self) -> Result<Vec<Lost>, StoreError> {
        // Before the commits are listed: a run that commits meanwhile names its version afterwards.
        let named = self.named();
        let mut found = Vec::new();
        let mut highest = 0_u64;
        for number in self.numbers()? {
            if number > highest.saturating_add(1) {
                found.push((highest + 1, number - 1, false));
            }
            highest = highest.max(number);
        }
        match named {
            Some(Named { version, .. }) if version > highest => {
                found.push((highest + 1, version, true));
            }
            _ if found.is_empty() => return Ok(Vec::new()),
            _ => {}
        }
        let indexed = self.indexed().unwrap_or_default();
        let day = |number: u64| {
            let known = indexed.iter().find(|known| known.version == number);
            let by_hint = named.as_ref().filter(|named| named.version == number);
            let by_hint = by_hint.and_then(|named| named.as_of);
            known.map(|known| known.as_of).or(by_hint)
        };
        let lost = |(first, last, is_newest): (u64, u64, bool)| Lost {
            first,
            last,
            as_of: day(last),
            is_newest,
            path: self.commits.join(&file_name(first)),
            store: self.path().to_owned(),
        };
        Ok(found.into_iter().map(lost).collect())
    }

    /// Whether the newest version has its commit; the versions before it that have none are in the result.
    ///
    /// # Errors
    /// The newest version is lost: a run would follow another one, and take its number.
    pub fn check_newest(&self) -> Result<Vec<Lost>, StoreError> {
        let mut lost = self.lost()?;
        match lost.pop_if(|last| last.is_newest) {
            Some(newest) => Err(StoreError::LostCommit(Box::new(newest))),
            None => Ok(lost),
        }
    }

    /// The newest version by the index; where that cannot be read, by `LATEST`. The index has checksums.
    fn named(&self) -> Option<Named> {
        if let Some(last) = self.indexed_end().as_deref().and_then(<[_]>::last) {
            return Some(Named {
                version: last.version,
                as_of: Some(last.as_of),
            });
        }
        let hint = self.hint()?;
        let day = hint
            .folder
            .split('/')
            .find_map(|part| part.strip_prefix("as_of="));
        Some(Named {
            version: hint.version,
            as_of: day.and_then(|day| day.parse().ok()),
        })
    }
}
