//! The version that an argument names.

use tessera_snapshot::{Store, StoreError, Version};

use crate::arguments::VersionName;
use crate::output::Failure;

/// Finds the version in a store.
pub(crate) fn find(store: &Store, name: VersionName) -> Result<Version, Failure> {
    Ok(match name {
        VersionName::Number(number) => store.version(number)?,
        VersionName::Day(day) => store.of_day(day)?,
        VersionName::Latest => store.latest()?.ok_or_else(|| StoreError::NoVersion {
            path: store.path().to_owned(),
            version: 1,
            available: "none yet".to_owned(),
        })?,
    })
}

/// The version of this number, or the newest one.
pub(crate) fn numbered(store: &Store, number: Option<u64>) -> Result<Version, Failure> {
    find(
        store,
        number.map_or(VersionName::Latest, VersionName::Number),
    )
}
