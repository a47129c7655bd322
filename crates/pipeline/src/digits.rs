//! Hashes of texts that are compared between runs.

use sha2::{Digest, Sha256};

/// sha256 in hexadecimal digits.
pub(crate) fn digits(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
