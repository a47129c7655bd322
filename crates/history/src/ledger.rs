//! Every segment id ever given: its names, its first and last day. Ids are never used again.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};

use crate::columns::Columns;
use crate::error::HistoryError;

/// The table that holds a ledger.
const LEDGER: &str = "segment_ledger";

/// Ids of clusters are counted from 1 and stay below this; almost all ids that are derived from names are above.
const COUNTED: i64 = 1 << 32;

/// All segment ids of all schemes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    schemes: BTreeMap<String, BTreeMap<i64, Entry>>,
}

/// What is known of one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name shown last.
    pub name: String,
    /// The name by which the pipeline declares it; `None` for clusters, which are matched by their customers.
    pub declared: Option<String>,
    /// Names shown before, oldest first.
    pub names_before: Vec<String>,
    /// First day with the segment, in days since 1970-01-01.
    pub first_day: i32,
    /// Last day with it.
    pub last_day: i32,
    /// Whether the version of the last day has it.
    pub active: bool,
}

/// A segment that the pipeline declares by name, or that a label gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared<'a> {
    /// Its name.
    pub name: &'a str,
    /// The name it had before, where the pipeline states a rename.
    pub was: Option<&'a str>,
}

impl Ledger {
    /// Reads a ledger as it was published.
    ///
    /// # Errors
    /// A column is missing.
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Self, HistoryError> {
        let mut ledger = Self::default();
        for batch in batches {
            let table = LEDGER;
            let columns = Columns { table, batch };
            let ids = columns.integers("segment_id")?;
            let (schemes, names) = (columns.texts("scheme")?, columns.texts("segment")?);
            let status = columns.texts("status")?;
            let declared = columns.texts("declared_as")?;
            let before = columns.texts("names_before")?;
            let (first, last) = (columns.days("first_day")?, columns.days("last_day")?);
            for row in 0..batch.num_rows() {
                let names_before = match before.is_null(row) {
                    true => Vec::new(),
                    false => serde_json::from_str(before.value(row))
                        .map_err(|_| columns.missing("names_before"))?,
                };
                let entry = Entry {
                    name: names.value(row).to_owned(),
                    declared: (!declared.is_null(row)).then(|| declared.value(row).to_owned()),
                    names_before,
                    first_day: first.value(row),
                    last_day: last.value(row),
                    active: status.value(row) == ACTIVE,
                };
                let scheme = ledger
                    .schemes
                    .entry(schemes.value(row).to_owned())
                    .or_default();
                scheme.insert(ids.value(row), entry);
            }
        }
        Ok(ledger)
    }

    /// A ledger made from the table `segments` of a version without a ledger.
    ///
    /// # Errors
    /// A column is missing.
    pub fn from_segments(day: i32, batches: &[RecordBatch]) -> Result<Self, HistoryError> {
        let mut ledger = Self::default();
        for batch in batches {
            let table = "segments";
            let columns = Columns { table, batch };
            let ids = columns.integers("segment_id")?;
            let (schemes, names) = (columns.texts("scheme")?, columns.texts("segment")?);
            for row in 0..batch.num_rows() {
                let name = names.value(row);
                let entry = Entry::new(name, Some(name), day);
                let scheme = ledger
                    .schemes
                    .entry(schemes.value(row).to_owned())
                    .or_default();
                scheme.insert(ids.value(row), entry);
            }
        }
        Ok(ledger)
    }

    /// Every entry, by scheme and id.
    pub fn entries(&self) -> impl Iterator<Item = (&str, i64, &Entry)> {
        let of_scheme = |(scheme, entries)| {
            let scheme: &String = scheme;
            let entries: &BTreeMap<i64, Entry> = entries;
            entries
                .iter()
                .map(move |(id, entry)| (scheme.as_str(), *id, entry))
        };
        self.schemes.iter().flat_map(of_scheme)
    }

    /// The segments of a scheme in the last version; empty where it had no such scheme.
    pub fn active(&self, scheme: &str) -> Vec<(i64, String)> {
        let entries = self.schemes.get(scheme).into_iter().flatten();
        let active = entries.filter(|(_, entry)| entry.active);
        active
            .map(|(id, entry)| (*id, entry.name.clone()))
            .collect()
    }

    /// The ids of declared segments: the id of the entry with the declared name; where a rename is stated, of the entry with the
    /// earlier name; else a new id, which is `first(name)` unless another segment has it.
    pub fn declare(
        &self,
        scheme: &str,
        segments: &[Declared<'_>],
        first: impl Fn(&str) -> i64,
    ) -> Vec<i64> {
        let none = BTreeMap::new();
        let entries = self.schemes.get(scheme).unwrap_or(&none);
        let by_name = |name: &str| {
            let mut found = entries
                .iter()
                .filter(|(_, entry)| entry.declared.as_deref() == Some(name));
            found.next().map(|(id, _)| *id)
        };
        let mut ids: Vec<Option<i64>> = vec![None; segments.len()];
        let mut taken: Vec<i64> = Vec::new();
        // A new segment with the old name of a renamed one must not get that one's id, so renames come first.
        for renames in [true, false] {
            for (place, segment) in segments.iter().enumerate() {
                let own = by_name(segment.name);
                let found = match (renames, own, segment.was) {
                    (true, None, Some(was)) => by_name(was),
                    (false, own, _) if ids[place].is_none() => own,
                    _ => None,
                };
                if let Some(id) = found.filter(|id| !taken.contains(id)) {
                    taken.push(id);
                    ids[place] = Some(id);
                }
            }
        }
        let fresh = |(place, id): (usize, Option<i64>)| {
            id.unwrap_or_else(|| {
                let name = segments[place].name;
                let mut id = first(name);
                while entries.contains_key(&id) || taken.contains(&id) {
                    id = first(&format!("{name}\u{0}{id}"));
                }
                taken.push(id);
                id
            })
        };
        ids.into_iter().enumerate().map(fresh).collect()
    }

    /// Stated renames that keep no id: the segment, the earlier name, and whether a segment with that name is known. Then the renamed
    /// one is known too and was not in the last version: it has an id of its own. None where the scheme is new.
    pub fn without_effect<'s>(
        &self,
        scheme: &str,
        segments: &[Declared<'s>],
    ) -> Vec<(&'s str, &'s str, bool)> {
        let Some(entries) = self.schemes.get(scheme) else {
            return Vec::new();
        };
        let by_name = |name: &str| {
            let mut found = entries.values();
            found.find(|entry| entry.declared.as_deref() == Some(name))
        };
        let still_there = |name: &str| segments.iter().any(|segment| segment.name == name);
        let renames = segments.iter().filter_map(|s| Some((s.name, s.was?)));
        renames
            .filter_map(|(name, was)| match (by_name(name), by_name(was)) {
                (None, None) => Some((name, was, false)),
                (Some(own), Some(old)) if !own.active && old.active && !still_there(was) => {
                    Some((name, was, true))
                }
                _ => None,
            })
            .collect()
    }

    /// The ids of clusters: the id of the earlier cluster that each continues, else the next number that was never used.
    pub fn number(&self, scheme: &str, continued: &[Option<i64>]) -> Vec<i64> {
        let entries = self.schemes.get(scheme).into_iter().flatten();
        let counted = entries.map(|(id, _)| *id).filter(|id| *id < COUNTED);
        let mut last = counted.max().unwrap_or(0).max(0);
        let mut next = || {
            last += 1;
            last
        };
        continued
            .iter()
            .map(|id| id.unwrap_or_else(&mut next))
            .collect()
    }

    /// Records the segments of a version. Segments of the scheme that are not among them have ended.
    pub fn note(&mut self, scheme: &str, day: i32, segments: &[(i64, &str, bool)]) {
        let entries = self.schemes.entry(scheme.to_owned()).or_default();
        for entry in entries.values_mut() {
            entry.active = false;
        }
        for &(id, name, declared) in segments {
            let declared = declared.then_some(name);
            let entry = entries
                .entry(id)
                .or_insert_with(|| Entry::new(name, declared, day));
            if entry.name != name {
                let old = std::mem::replace(&mut entry.name, name.to_owned());
                entry.names_before.retain(|known| *known != old);
                entry.names_before.push(old);
            }
            entry.declared = declared.map(str::to_owned);
            entry.last_day = day;
            entry.active = true;
        }
    }

    /// Ends every segment of schemes that a version does not have.
    pub fn keep_schemes(&mut self, schemes: &[&str]) {
        for (name, entries) in &mut self.schemes {
            if !schemes.contains(&name.as_str()) {
                entries.values_mut().for_each(|entry| entry.active = false);
            }
        }
    }
}

/// Status of a segment that the version has.
pub(crate) const ACTIVE: &str = "active";

/// Status of a segment that the version does not have.
pub(crate) const ENDED: &str = "ended";

impl Entry {
    fn new(name: &str, declared: Option<&str>, day: i32) -> Self {
        Self {
            name: name.to_owned(),
            declared: declared.map(str::to_owned),
            names_before: Vec::new(),
            first_day: day,
            last_day: day,
            active: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::ledger_table;

    fn plain(name: &str) -> Declared<'_> {
        Declared { name, was: None }
    }

    /// An id that depends only on the name.
    fn first(name: &str) -> i64 {
        COUNTED + name.bytes().map(i64::from).sum::<i64>()
    }

    fn after(segments: &[(i64, &str, bool)]) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.note("s", 10, segments);
        ledger
    }

    #[test]
    fn a_declared_name_keeps_its_id_and_so_does_a_stated_rename() {
        let ids = Ledger::default().declare("s", &[plain("a"), plain("b")], first);
        assert_eq!(ids, [first("a"), first("b")]);
        let mut ledger = after(&[(ids[0], "a", true), (ids[1], "b", true)]);
        let renamed = Declared {
            name: "c",
            was: Some("a"),
        };
        // Another segment gets the old name on the same day.
        let later = ledger.declare("s", &[renamed.clone(), plain("b"), plain("a")], first);
        assert_eq!(later[..2], ids[..]);
        assert!(
            !ids.contains(&later[2]),
            "the id of a renamed segment is never used again"
        );
        ledger.note(
            "s",
            11,
            &[
                (later[0], "c", true),
                (later[1], "b", true),
                (later[2], "a", true),
            ],
        );
        let again = ledger.declare("s", &[renamed, plain("b"), plain("a")], first);
        assert_eq!(again, later, "the rename may stay in the file");
        let entries: Vec<_> = ledger
            .entries()
            .filter(|entry| entry.1 == later[0])
            .collect();
        assert_eq!(entries[0].2.names_before, ["a"]);
        assert_eq!((entries[0].2.first_day, entries[0].2.last_day), (10, 11));
    }

    #[test]
    fn renames_that_keep_no_id_are_found() {
        let mut ledger = after(&[(1, "a", true), (2, "b", true)]);
        let renamed = |name, was| Declared {
            name,
            was: Some(was),
        };
        let found = |ledger: &Ledger, one| ledger.without_effect("s", &[one, plain("b")]);
        assert!(found(&ledger, renamed("c", "a")).is_empty());
        assert_eq!(found(&ledger, renamed("c", "A")), [("c", "A", false)]);
        ledger.note("s", 11, &[(1, "c", true), (2, "b", true)]);
        // It was applied, and may stay in the file.
        assert!(found(&ledger, renamed("c", "a")).is_empty());
        ledger.note("s", 12, &[(3, "d", true), (2, "b", true)]);
        assert_eq!(found(&ledger, renamed("c", "d")), [("c", "d", true)]);
        assert!(ledger.without_effect("t", &[renamed("c", "A")]).is_empty());
    }

    #[test]
    fn a_name_that_comes_back_has_its_id_again_and_others_never_do() {
        let mut ledger = after(&[(first("a"), "a", true)]);
        ledger.note("s", 11, &[(first("b"), "b", true)]);
        assert_eq!(ledger.active("s"), [(first("b"), "b".to_owned())]);
        assert_eq!(ledger.declare("s", &[plain("a")], first), [first("a")]);
    }

    #[test]
    fn clusters_are_numbered_and_no_number_is_given_twice() {
        let ledger = Ledger::default();
        assert_eq!(ledger.number("s", &[None, None]), [1, 2]);
        let mut ledger = after(&[(1, "x", false), (2, "y", false)]);
        assert_eq!(ledger.number("s", &[Some(2), None]), [2, 3]);
        ledger.note("s", 11, &[(2, "y", false), (3, "z", false)]);
        ledger.note("s", 12, &[(2, "y", false)]);
        assert_eq!(
            ledger.number("s", &[None, Some(2)]),
            [4, 2],
            "3 has ended and is not used again"
        );
    }

    #[test]
    fn what_is_published_is_read_back() {
        let mut ledger = after(&[(1, "x", false), (first("a"), "a", true)]);
        ledger.note("s", 11, &[(1, "w \"quoted\"", false)]);
        ledger.note("s", 12, &[(1, "x", false)]);
        let table = ledger_table(12, &ledger).unwrap();
        assert_eq!(Ledger::from_batches(&[table]).unwrap(), ledger);
    }
}
