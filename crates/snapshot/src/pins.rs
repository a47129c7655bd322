//! `pins/`: versions that someone still needs, each named by a small file that people and programs write:
//! `{"version": 7, "expires_at": "2027-01-31T00:00:00Z"}`; one without `expires_at` holds until it is removed.

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::error::StoreError;
use crate::store::Store;

/// The folder of the pins.
const FOLDER: &str = "pins";

/// Content of a pin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    version: u64,
    expires_at: Option<String>,
}

impl Store {
    /// The pins that hold at this time: their names by the version.
    ///
    /// # Errors
    /// A file that cannot be read as a pin: which version it means is not known, so nothing may be removed.
    pub(crate) fn pins(&self, now: DateTime<Utc>) -> Result<BTreeMap<u64, String>, StoreError> {
        let folder = match self.root.enter(FOLDER) {
            Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(BTreeMap::new());
            }
            folder => folder?,
        };
        let mut pins = BTreeMap::new();
        for name in folder.list()? {
            let bytes = folder.read(&name)?.unwrap_or_default();
            let unread = |error: String| {
                let wanted = r#"a pin is {"version": 7, "expires_at": "2027-01-31T00:00:00Z"}"#;
                StoreError::damaged(&folder.join(&name), format!("{error}; {wanted}"))
            };
            let pin: Pin =
                serde_json::from_slice(&bytes).map_err(|error| unread(error.to_string()))?;
            let end = pin.expires_at.map(|end| DateTime::parse_from_rfc3339(&end));
            let end = end.transpose().map_err(|error| unread(error.to_string()))?;
            if end.is_none_or(|end| end > now) {
                pins.insert(pin.version, format!("{FOLDER}/{name}"));
            }
        }
        Ok(pins)
    }
}
