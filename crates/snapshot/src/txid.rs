//! Names of runs: unique, and sorted by the time they began.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new name: milliseconds since 1970, process, and a counter, in hexadecimal.
pub(crate) fn new() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{millis:012x}-{:08x}-{count:04x}", std::process::id())
}

/// When the run of this name began, in milliseconds since 1970.
pub(crate) fn began_millis(txid: &str) -> Option<u64> {
    u64::from_str_radix(txid.split('-').next()?, 16).ok()
}
