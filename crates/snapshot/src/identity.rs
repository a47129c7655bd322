//! What determines the published bytes of a run.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value;

use crate::commit::sha256;
use crate::listed::Digested;

/// Everything that determines the published bytes, and what is committed beside the tables.
#[derive(Debug, Clone)]
pub struct RunIdentity {
    /// sha256 over everything that determines the published bytes except the version before: format, program, canonical
    /// pipeline, dates, inputs.
    pub run_key: String,
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// Name of the program, its version, and a hash of its source code.
    pub program: String,
    /// What a report needs to know of the pipeline.
    pub pipeline: Value,
    /// Inputs with their fingerprints.
    pub inputs: Value,
}

impl RunIdentity {
    /// The idempotency key of this run with the version before its day, and the number of that version. Nothing is compared with
    /// one that has expired, which makes other tables.
    pub(crate) fn key_after(
        &self,
        previous: Option<&Arc<Digested>>,
        is_expired: bool,
    ) -> (String, u64) {
        let before = previous.map_or("", |before| before.idempotency_key.as_str());
        let alone = if is_expired { "\nexpired" } else { "" };
        let key = sha256(format!("{}\n{before}{alone}", self.run_key).as_bytes());
        (key, previous.map_or(0, |before| before.version))
    }
}
