//! The segments of customers over the versions, by the table `memberships` of each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;
use tessera_snapshot::{Listed, Store, StoreError, Version};

use super::rows::Rows;
use crate::diff::{compared_nothing, damage, key_of};
use crate::error::PipelineError;
use crate::name::Names;

/// Versions in a row with a customer in one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stay {
    /// The segment's permanent id.
    pub segment_id: i64,
    /// Its name in the newest of these versions.
    pub segment: String,
    /// Day of the first of these versions.
    pub first_day: NaiveDate,
    /// Day of the last of them.
    pub last_day: NaiveDate,
    /// How many they are.
    pub versions: u64,
    /// Why the customer came into the segment; none where the version before had no such customer or scheme.
    pub cause: Option<String>,
    /// The segment that it came from, by the name then; none for who was not in the base.
    pub from_segment: Option<String>,
}

/// Stays by customer and scheme, newest first.
type Stays = BTreeMap<(String, String), Vec<Stay>>;

/// Where following one customer in one scheme back has come to.
#[derive(Debug, Clone, Copy)]
enum At {
    /// In a stay that began on this day, so that no version in between needs to be read.
    Stay(NaiveDate),
    /// Before a stay, or in one of which the first day is not known.
    Before,
}

/// Follows the commits back from a version, and states where that ends before the first one. Of the versions only those are read in
/// which a stay begins, and those before them.
pub(super) fn stays(
    store: &Store,
    version: &Version,
    keys: &BTreeSet<String>,
) -> Result<(Stays, Option<String>), PipelineError> {
    let replaced = store.replacements()?;
    // A version that was published again because it was damaged is the same for those that follow it.
    let whole = |number: u64| replaced.get(&number).copied().unwrap_or(number);
    let listed = store.list()?.into_iter();
    let listed: BTreeMap<u64, Listed> = listed.map(|known| (known.version, known)).collect();
    let mut followed = Followed::default();
    let compared_nothing = |at: &Version| {
        let why = || format!("version {} was compared with none", at.number());
        compared_nothing(at).then(why)
    };
    followed.read(version, keys)?;
    if let Some(why) = compared_nothing(version) {
        return Ok((followed.stays, Some(why)));
    }
    let mut names = Names::of(version, store)?;
    let mut number = whole(version.commit().previous);
    while let Some(known) = listed.get(&number) {
        if followed.needs(known.as_of) {
            let at = match store.version(number) {
                Ok(found) => found,
                Err(StoreError::Expired { version }) => {
                    let why = format!("version {version} has expired");
                    return Ok((followed.stays, Some(why)));
                }
                Err(error @ StoreError::DamagedCommit { .. }) => {
                    return Ok((followed.stays, Some(error.to_string())));
                }
                Err(error) => return Err(error.into()),
            };
            if !names.follow(&at) {
                let why = format!("version {number} is of another pipeline");
                return Ok((followed.stays, Some(why)));
            }
            if let Err(error) = followed.read(&at, keys) {
                return match damage(&at, error) {
                    Ok(why) => Ok((followed.stays, Some(why))),
                    Err(error) => Err(error),
                };
            }
            if let Some(why) = compared_nothing(&at) {
                return Ok((followed.stays, Some(why)));
            }
        } else {
            followed.pass(known.as_of);
        }
        number = whole(known.previous);
    }
    let gone = (number != 0).then(|| format!("version {number} is not in the store"));
    Ok((followed.stays, gone))
}

/// The stays so far.
#[derive(Default)]
struct Followed {
    stays: Stays,
    /// Where each customer and scheme is; those that no version has had are not in it.
    at: BTreeMap<(String, String), At>,
    /// Those without a row in the version that was read last.
    broken: BTreeSet<(String, String)>,
}

impl Followed {
    /// Whether a version of that day must be read.
    fn needs(&self, day: NaiveDate) -> bool {
        let begins = |at: &At| match at {
            At::Stay(first) => *first >= day,
            At::Before => true,
        };
        self.at.is_empty() || self.at.values().any(begins)
    }

    /// Counts a version in the stays, without reading it.
    fn pass(&mut self, day: NaiveDate) {
        for stay in self.stays.values_mut().filter_map(|own| own.last_mut()) {
            stay.first_day = day;
            stay.versions += 1;
        }
    }

    fn read(&mut self, version: &Version, keys: &BTreeSet<String>) -> Result<(), PipelineError> {
        let rows = Rows::read(version, "memberships", keys)?;
        let (key, day) = (key_of(version), version.as_of());
        // Who has no row in a version has left its stay; it begins anew where an earlier version has the customer.
        let mut left: BTreeSet<(String, String)> = self.at.keys().cloned().collect();
        for row in 0..rows.len() {
            let text = |name: &str| rows.text(name, row).unwrap_or_default();
            let of = (text(key), text("scheme"));
            let id = rows.integer("segment_id", row).unwrap_or_default();
            let cause = rows.text("cause", row);
            let from_segment = rows.text("previous_segment", row);
            let from_segment = from_segment.filter(|_| cause.is_some());
            let entered = rows.text("entered_on", row);
            let entered = entered.and_then(|day| day.parse::<NaiveDate>().ok());
            let unbroken = left.remove(&of) && !self.broken.remove(&of);
            let own = self.stays.entry(of.clone()).or_default();
            match own
                .last_mut()
                .filter(|stay| unbroken && stay.segment_id == id)
            {
                Some(stay) => {
                    stay.first_day = day;
                    stay.versions += 1;
                    stay.cause = cause;
                    stay.from_segment = from_segment;
                }
                None => own.push(Stay {
                    segment_id: id,
                    segment: text("segment"),
                    first_day: day,
                    last_day: day,
                    versions: 1,
                    cause,
                    from_segment,
                }),
            }
            let at = entered.filter(|first| *first < day);
            self.at.insert(of, at.map_or(At::Before, At::Stay));
        }
        for of in left {
            self.at.insert(of.clone(), At::Before);
            self.broken.insert(of);
        }
        Ok(())
    }
}
