//! Names of runs: unique, and sorted by the time they began.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new name: milliseconds since 1970, process, and 32 random bits, in hexadecimal. Processes of different containers may have
/// the same number and begin in the same millisecond; the random bits (the seed of std's hash maps) make names unique.
pub(crate) fn new() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(now_millis());
    let random = hasher.finish() as u32;
    format!(
        "{:012x}-{:08x}-{random:08x}",
        now_millis(),
        std::process::id()
    )
}

/// When the run of this name began, in milliseconds since 1970.
pub(crate) fn began_millis(txid: &str) -> Option<u64> {
    u64::from_str_radix(txid.split('-').next()?, 16).ok()
}

/// Whether a text is a name of this kind, and so safe as part of a path.
pub(crate) fn is_txid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &&str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit())
    };
    matches!(parts.as_slice(), [time, process, random] if hex(time, 12) && hex(process, 8) && hex(random, 8))
}

/// Milliseconds since 1970.
pub(crate) fn now_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_even_within_a_millisecond_and_sorted_by_time() {
        let names: Vec<String> = (0..1_000).map(|_| new()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(
            names
                .windows(2)
                .all(|pair| began_millis(&pair[0]) <= began_millis(&pair[1]))
        );
        assert!(names.iter().all(|name| is_txid(name)));
    }

    #[test]
    fn nothing_else_passes_for_a_name() {
        for text in [
            "",
            "..",
            "a/b",
            "0-0-0",
            "../../../../etc-00000000-00000000",
            "000000000000-00000000-0000000g",
        ] {
            assert!(!is_txid(text), "{text}");
        }
    }
}
