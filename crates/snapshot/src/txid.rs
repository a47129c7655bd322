//! Names of runs: unique, and sorted by the time they began.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::StoreError;

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

/// The end of the year 9999: names of runs hold times up to the year 10889, and dates have four digits.
const END_MILLIS: u128 = 253_402_300_800_000;

/// An error where the clock of the machine is before 1970 or after 9999: no run can be named then, and no commit be dated.
pub fn check_clock() -> Result<(), StoreError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    check_time(since.ok().map(|since| since.as_millis()))
}

fn check_time(millis: Option<u128>) -> Result<(), StoreError> {
    match millis {
        Some(millis) if millis < END_MILLIS => Ok(()),
        Some(_) => Err(StoreError::Clock {
            says: "after the year 9999",
        }),
        None => Err(StoreError::Clock {
            says: "before the year 1970",
        }),
    }
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
    fn a_clock_that_no_name_can_hold_is_refused() {
        check_clock().unwrap();
        check_time(Some(0)).unwrap();
        let last = END_MILLIS - 1;
        check_time(Some(last)).unwrap();
        assert!(is_txid(&format!("{last:012x}-00000000-00000000")));
        for (millis, says) in [(Some(END_MILLIS), "9999"), (None, "1970")] {
            let error = check_time(millis).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.exit_code(), 4);
        }
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
