//! How versions relate: which one readers see, which one is before another, which ones a later commit superseded. All of it is
//! computed from the commits: their number, their `as_of`, and the version before each when it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::listed::{Digested, Standing};

/// The version that `LATEST` and `latest` name: the greatest `as_of`, and of several versions of that day the highest. Expired
/// versions count only where every version has expired.
pub(crate) fn shown<'a>(
    versions: &'a [Arc<Digested>],
    expired: &BTreeSet<u64>,
) -> Option<&'a Arc<Digested>> {
    let greatest = |found: &&Arc<Digested>| (found.as_of, found.version);
    versions
        .iter()
        .filter(|known| !expired.contains(&known.version))
        .max_by_key(greatest)
        .or_else(|| versions.iter().max_by_key(greatest))
}

/// The version that comes before a run of this day: the greatest earlier `as_of`, and of several versions of that day the
/// highest. Expired versions count, since their commits still exist.
pub(crate) fn previous(versions: &[Arc<Digested>], as_of: NaiveDate) -> Option<&Arc<Digested>> {
    versions
        .iter()
        .filter(|known| known.as_of < as_of)
        .max_by_key(|known| (known.as_of, known.version))
}

/// The newest version of every `as_of`.
pub(crate) fn newest<'a>(
    versions: impl Iterator<Item = &'a Arc<Digested>>,
) -> BTreeMap<NaiveDate, &'a Digested> {
    // Versions are in ascending order, so later ones replace earlier ones.
    versions
        .map(|known| (known.as_of, known.as_ref()))
        .collect()
}

/// The damaged versions with those that replaced them.
pub(crate) fn replaced(versions: &[Arc<Digested>]) -> BTreeMap<u64, u64> {
    let replaced = versions.iter();
    replaced
        .filter_map(|known| Some((known.replaces?, known.version)))
        .collect()
}

/// The version itself, or the one that has its place: a version that was published again because it was damaged counts as the same
/// for the versions after it.
pub(crate) fn current(replaced: &BTreeMap<u64, u64>, mut version: u64) -> u64 {
    while let Some(&by) = replaced.get(&version).filter(|&&by| by > version) {
        version = by;
    }
    version
}

/// How the commits affect each other, in the order of the versions.
pub(crate) fn standings(versions: &[Arc<Digested>]) -> Vec<Standing> {
    let newest = newest(versions.iter());
    let replaced = replaced(versions);
    let keys = versions.iter();
    let keys: BTreeMap<u64, &str> = keys
        .map(|known| (known.version, known.idempotency_key.as_str()))
        .collect();
    // A version of the same key holds the same, as where an edit was taken back and its day was run again.
    let is_as_then = |before: Option<&Digested>, then: u64| match before {
        None => then == 0,
        Some(before) => {
            before.version == current(&replaced, then)
                || keys.get(&then) == Some(&before.idempotency_key.as_str())
        }
    };
    let standing = |known: &Arc<Digested>| {
        let superseded_by = newest
            .get(&known.as_of)
            .map(|by| by.version)
            .filter(|&by| by != known.version);
        let before = newest.range(..known.as_of).next_back();
        Standing {
            superseded_by,
            outdated: !is_as_then(before.map(|(_, before)| *before), known.previous),
            damaged_replaced_by: replaced.get(&known.version).copied(),
        }
    };
    versions.iter().map(standing).collect()
}

/// Whether the versions from some number on, as these are, decide the standings of so many of the newest of them. What comes before
/// a day was, when its version was made, the version that this one names; whatever came later is newer than that. So the standing
/// of a version is decided by the one that it follows and all that are newer than that.
pub(crate) fn decides(versions: &[Arc<Digested>], count: usize) -> bool {
    let Some(first) = versions.first().map(|known| known.version) else {
        return false;
    };
    let follows = |known: &Arc<Digested>| known.previous >= first;
    first == 1 || (versions.len() >= count && versions.iter().rev().take(count).all(follows))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions 1, 2, … of these days, each made after the version that came before it then.
    fn history(days: &[u32]) -> Vec<Arc<Digested>> {
        let mut versions = Vec::new();
        for (&day, version) in days.iter().zip(1..) {
            let as_of = NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
            let previous = previous(&versions, as_of).map_or(0, |before| before.version);
            versions.push(Arc::new(Digested {
                version,
                as_of,
                txid: version.to_string(),
                idempotency_key: format!("key of {version}"),
                previous,
                files: Arc::new([]),
                program: Arc::from(""),
                finished_at: String::new(),
                replaces: None,
                sha256: String::new(),
            }));
        }
        versions
    }

    #[test]
    fn a_day_that_is_as_it_was_again_makes_nothing_outdated() {
        let mut versions = history(&[30, 31, 30, 30]);
        let outdated = |versions: &[Arc<Digested>]| standings(versions)[1].outdated;
        assert!(outdated(&versions[..3]) && outdated(&versions));
        // The edit of version 3 was taken back.
        let first = versions[0].idempotency_key.clone();
        Arc::get_mut(&mut versions[3]).unwrap().idempotency_key = first;
        assert!(!outdated(&versions));
    }

    fn shown_of(days: &[u32], expired: &[u64]) -> Option<u64> {
        shown(&history(days), &expired.iter().copied().collect()).map(|found| found.version)
    }

    #[test]
    fn readers_are_shown_the_newest_day_and_its_newest_commit() {
        assert_eq!(shown_of(&[], &[]), None);
        assert_eq!(shown_of(&[31, 1], &[]), Some(1));
        assert_eq!(shown_of(&[1, 31, 2, 31, 30], &[]), Some(4));
        assert_eq!(shown_of(&[1, 31, 2, 31, 30], &[4]), Some(2));
        assert_eq!(shown_of(&[1, 31], &[1, 2]), Some(2));
    }

    #[test]
    fn the_end_of_the_versions_decides_what_all_of_them_do() {
        // Nights, days run again, and days run late, by a generator of Numerical Recipes.
        let mut state = 7_u32;
        let mut below = |limit: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % limit
        };
        let (mut decided, mut undecided) = (0, 0);
        for _ in 0..400 {
            let mut day = 1;
            let days: Vec<u32> = (0..20)
                .map(|_| match below(6) {
                    0 => 1 + below(day),
                    1 => day,
                    _ => {
                        day += 1;
                        day
                    }
                })
                .collect();
            let versions = history(&days);
            let all = standings(&versions);
            for from in 0..versions.len() {
                let end = &versions[from..];
                let count = 1 + below(end.len() as u32) as usize;
                if !decides(end, count) {
                    undecided += 1;
                    continue;
                }
                decided += 1;
                let (own, all) = (standings(end), &all[from..]);
                let newest = end.len() - count.min(end.len());
                assert_eq!(own[newest..], all[newest..], "{days:?} from {from}");
            }
        }
        assert!(decided > 500 && undecided > 500, "{decided} {undecided}");
    }

    #[test]
    fn a_version_is_superseded_by_its_day_and_outdated_by_what_now_comes_before_it() {
        let found = standings(&history(&[10, 20, 10, 15, 20]));
        let by = |superseded_by, outdated| Standing {
            superseded_by,
            outdated,
            damaged_replaced_by: None,
        };
        assert_eq!(
            found,
            [
                by(Some(3), false),
                by(Some(5), true),
                by(None, false),
                by(None, false),
                by(None, false)
            ]
        );
        // The day before is made again: both later days follow a version that no longer counts.
        let found = standings(&history(&[10, 20, 30, 10]));
        assert_eq!(
            found.iter().map(|one| one.outdated).collect::<Vec<_>>(),
            [false, true, false, false],
            "only the direct successor follows a version that was replaced"
        );
    }
}
