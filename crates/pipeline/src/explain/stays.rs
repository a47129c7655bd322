//! The segments of customers over the versions, by the table `memberships` of each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;
use tessera_snapshot::{Store, StoreError, Version};

use super::rows::Rows;
use crate::diff::key_of;
use crate::error::PipelineError;

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
}

/// Stays by customer and scheme, newest first.
type Stays = BTreeMap<(String, String), Vec<Stay>>;

/// Follows the commits back from a version, and states where that ends before the first one.
pub(super) fn stays(
    store: &Store,
    version: &Version,
    keys: &BTreeSet<String>,
) -> Result<(Stays, Option<String>), PipelineError> {
    let mut stays = Stays::new();
    let mut at = version.clone();
    // Who has no row in a version has left its stay open; it begins anew where a version has the customer again.
    let mut seen: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut number = 0;
    loop {
        let rows = Rows::read(&at, "memberships", keys)?;
        let key = key_of(&at);
        for row in 0..rows.len() {
            let text = |name: &str| rows.text(name, row).unwrap_or_default();
            let of = (text(key), text("scheme"));
            let id = rows.integer("segment_id", row).unwrap_or_default();
            let cause = rows.text("cause", row);
            let unbroken = seen.insert(of.clone(), number).map(|last| last + 1) == Some(number);
            let own = stays.entry(of).or_default();
            match own
                .last_mut()
                .filter(|stay| unbroken && stay.segment_id == id)
            {
                Some(stay) => {
                    stay.first_day = at.as_of();
                    stay.versions += 1;
                    stay.cause = cause;
                }
                None => own.push(Stay {
                    segment_id: id,
                    segment: text("segment"),
                    first_day: at.as_of(),
                    last_day: at.as_of(),
                    versions: 1,
                    cause,
                }),
            }
        }
        number += 1;
        let previous = at.commit().previous;
        if previous == 0 {
            return Ok((stays, None));
        }
        at = match store.version(previous) {
            Ok(found) if found.commit().pipeline["name"] == version.commit().pipeline["name"] => {
                found
            }
            Ok(found) => {
                let why = format!("version {} is of another pipeline", found.number());
                return Ok((stays, Some(why)));
            }
            Err(StoreError::Expired { version }) => {
                let why = format!("version {version} has expired");
                return Ok((stays, Some(why)));
            }
            Err(error) => return Err(error.into()),
        };
    }
}
