//! Which keys belong to another customer.

use serde::Serialize;

use super::At;

/// `[customer.identity]`: keys that belong to another customer now, in every source with customers' keys.
#[derive(Debug, Clone, Serialize)]
pub struct Identity {
    /// The source of kind `lookup` with the map: its key is the key that is replaced.
    pub from: At<String>,
    /// Its column with the customer that a key belongs to.
    pub to: At<String>,
}
