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
    /// The name by which the pipeline declares it, or declared it last; `None` for clusters, which are matched by their customers.
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

/// A stated rename by which a segment does not keep the id of the earlier name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unapplied<'a> {
    /// The segment.
    pub name: &'a str,
    /// The earlier name.
    pub was: &'a str,
    /// Why.
    pub why: WhyUnapplied<'a>,
}

/// Why a segment does not keep the id of an earlier name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUnapplied<'a> {
    /// No segment has that name.
    Unknown,
    /// It has an id of its own, `again` where it was not in the last version; the segment with the earlier name ends.
    OwnId {
        /// Whether it was not in the last version.
        again: bool,
    },
    /// This segment has the id of the earlier name.
    Taken(&'a str),
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

    /// The ids of declared segments: the id of the entry with the declared name; where a rename is stated and the name is new, or its
    /// entry belongs to a renamed segment, that of the entry with the earlier name; else a new id. That is `first` of the earlier name
    /// where the ledger does not know it, so that a version that was made again under another name has the same ids; else of the
    /// name, unless another segment has it.
    pub fn declare(
        &self,
        scheme: &str,
        segments: &[Declared<'_>],
        first: impl Fn(&str) -> i64,
    ) -> Vec<i64> {
        let mut ids = self.renamed(scheme, segments);
        let mut taken: Vec<i64> = ids.iter().flatten().copied().collect();
        for (segment, id) in segments.iter().zip(&mut ids) {
            let own = || self.declared(scheme, segment.name);
            if id.is_none()
                && let Some(own) = own().filter(|own| !taken.contains(own))
            {
                taken.push(own);
                *id = Some(own);
            }
        }
        let has_entry = |id: i64| {
            let entries = self.schemes.get(scheme);
            entries.is_some_and(|entries| entries.contains_key(&id))
        };
        let mut fresh = |name: &str| {
            let mut id = first(name);
            while has_entry(id) || taken.contains(&id) {
                id = first(&format!("{name}\u{0}{id}"));
            }
            taken.push(id);
            id
        };
        let unknown = |segment: &Declared<'_>| {
            let was = segment.was?;
            self.declared(scheme, was).is_none().then(|| was.to_owned())
        };
        for (segment, id) in segments.iter().zip(&mut ids) {
            if let Some(was) = unknown(segment) {
                id.get_or_insert_with(|| fresh(&was));
            }
        }
        let ids = segments.iter().zip(ids);
        ids.map(|(segment, id)| id.unwrap_or_else(|| fresh(segment.name)))
            .collect()
    }

    /// The ids of segments that keep the id of an earlier name. A new segment with the old name of a renamed one must not get that one's
    /// id, so renames come first. One that was applied may stay in the file: its segment has an id of its own.
    fn renamed(&self, scheme: &str, segments: &[Declared<'_>]) -> Vec<Option<i64>> {
        let mut ids: Vec<Option<i64>> = vec![None; segments.len()];
        // Each rename may free the name of another segment.
        loop {
            let next = segments.iter().enumerate().find_map(|(place, segment)| {
                let was = segment.was.filter(|_| ids[place].is_none())?;
                if let Some(own) = self.declared(scheme, segment.name) {
                    let is_kept = !ids.contains(&Some(own));
                    let is_over = self.was_called(scheme, own, was) && is_there(segments, was);
                    if is_kept || is_over {
                        return None;
                    }
                }
                let id = self.declared(scheme, was)?;
                (!ids.contains(&Some(id))).then_some((place, id))
            });
            let Some((place, id)) = next else {
                return ids;
            };
            ids[place] = Some(id);
        }
    }

    /// The id of the segment that is declared by a name.
    fn declared(&self, scheme: &str, name: &str) -> Option<i64> {
        let mut entries = self.schemes.get(scheme)?.iter();
        let found = entries.find(|(_, entry)| entry.declared.as_deref() == Some(name));
        found.map(|(id, _)| *id)
    }

    /// Whether a segment had a name before.
    fn was_called(&self, scheme: &str, id: i64, name: &str) -> bool {
        let entry = self
            .schemes
            .get(scheme)
            .and_then(|entries| entries.get(&id));
        entry.is_some_and(|entry| entry.names_before.iter().any(|before| before == name))
    }

    /// Stated renames by which a segment does not keep the id of the earlier name, of segments with the ids that
    /// [`declare`](Self::declare) gave. None where the scheme is new.
    pub fn without_effect<'s>(
        &self,
        scheme: &str,
        segments: &[Declared<'s>],
        ids: &[i64],
    ) -> Vec<Unapplied<'s>> {
        let Some(entries) = self.schemes.get(scheme) else {
            return Vec::new();
        };
        let active = |id: &i64| entries.get(id).is_some_and(|entry| entry.active);
        let found = segments.iter().zip(ids).filter_map(|(segment, own)| {
            let (name, was) = (segment.name, segment.was?);
            let old = self.declared(scheme, was);
            let keeps_own = self.declared(scheme, name) == Some(*own);
            let why = match old {
                None if keeps_own => return None,
                None => WhyUnapplied::Unknown,
                Some(old) if old == *own => return None,
                Some(old) if keeps_own => {
                    let applied = active(own) && self.was_called(scheme, *own, was);
                    if !active(&old) || is_there(segments, was) || applied {
                        return None;
                    }
                    WhyUnapplied::OwnId {
                        again: !active(own),
                    }
                }
                Some(old) => {
                    let place = ids.iter().position(|id| *id == old);
                    WhyUnapplied::Taken(place.map_or(was, |place| segments[place].name))
                }
            };
            Some(Unapplied { name, was, why })
        });
        found.collect()
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
            // A cluster that continues a declared segment keeps the name for the day on which the pipeline declares it again.
            if let Some(declared) = declared {
                entry.declared = Some(declared.to_owned());
            }
            entry.last_day = day;
            entry.active = true;
        }
    }

    /// Records a segment that customers only passed through since the previous version, unless its id is known: it has ended.
    pub fn pass(&mut self, scheme: &str, day: i32, (id, name, declared): (i64, &str, bool)) {
        let entries = self.schemes.entry(scheme.to_owned()).or_default();
        entries.entry(id).or_insert_with(|| Entry {
            active: false,
            ..Entry::new(name, declared.then_some(name), day)
        });
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

/// Whether a segment is among these.
fn is_there(segments: &[Declared<'_>], name: &str) -> bool {
    segments.iter().any(|segment| segment.name == name)
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

    fn renamed<'a>(name: &'a str, was: &'a str) -> Declared<'a> {
        Declared {
            name,
            was: Some(was),
        }
    }

    /// The next version of a scheme: its segments, and what was found out about their renames.
    fn next<'s>(
        ledger: &mut Ledger,
        day: i32,
        segments: &[Declared<'s>],
    ) -> (Vec<i64>, Vec<(&'s str, WhyUnapplied<'s>)>) {
        let ids = ledger.declare("s", segments, first);
        let found = ledger.without_effect("s", segments, &ids);
        let found = found.iter().map(|found| (found.name, found.why)).collect();
        let noted = segments.iter().zip(&ids);
        let noted: Vec<_> = noted.map(|(one, id)| (*id, one.name, true)).collect();
        ledger.note("s", day, &noted);
        (ids, found)
    }

    #[test]
    fn renames_that_keep_no_id_are_found() {
        let start = after(&[(1, "a", true), (2, "b", true)]);
        let mut ledger = start.clone();
        let unknown = next(&mut ledger, 11, &[renamed("c", "A"), plain("b")]).1;
        assert_eq!(unknown, [("c", WhyUnapplied::Unknown)]);
        let mut ledger = start.clone();
        let twice = [renamed("c", "a"), renamed("d", "a"), plain("b")];
        assert_eq!(
            next(&mut ledger, 11, &twice).1,
            [("d", WhyUnapplied::Taken("c"))]
        );
        let mut ledger = start.clone();
        let merged = next(&mut ledger, 11, &[renamed("b", "a")]).1;
        assert_eq!(merged, [("b", WhyUnapplied::OwnId { again: false })]);
        let mut ledger = start;
        assert!(
            next(&mut ledger, 11, &[renamed("c", "a"), plain("b")])
                .1
                .is_empty()
        );
        // It was applied, and may stay in the file, also where the name is used for another segment, and that one ends.
        for (day, others) in [(12, &["b"][..]), (13, &["b", "a"]), (14, &["b"])] {
            let mut segments = vec![renamed("c", "a")];
            segments.extend(others.iter().copied().map(plain));
            let found = next(&mut ledger, day, &segments).1;
            assert!(found.is_empty(), "{day} {found:?}");
        }
        next(&mut ledger, 15, &[plain("d"), plain("b")]);
        let again = next(&mut ledger, 16, &[renamed("c", "d"), plain("b")]).1;
        assert_eq!(again, [("c", WhyUnapplied::OwnId { again: true })]);
        let ids = ledger.declare("t", &[renamed("c", "A")], first);
        assert!(
            ledger
                .without_effect("t", &[renamed("c", "A")], &ids)
                .is_empty()
        );
    }

    /// Names that move on by one place in one edit, in any order of the segments: every segment keeps its id, and so on later days, with
    /// and without the renames in the file.
    #[test]
    fn names_that_move_on_keep_their_ids() {
        let steps = [renamed("a", "b"), renamed("b", "c"), renamed("c", "d")];
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut ledger = after(&[(1, "b", true), (2, "c", true), (3, "d", true)]);
            let segments = order.map(|place: usize| steps[place].clone());
            let wanted: Vec<i64> = order.iter().map(|place| *place as i64 + 1).collect();
            for day in [11, 12] {
                let (ids, found) = next(&mut ledger, day, &segments);
                assert_eq!(
                    (ids, found),
                    (wanted.clone(), Vec::new()),
                    "{order:?} {day}"
                );
            }
            let names = order.map(|place: usize| plain(steps[place].name));
            assert_eq!(next(&mut ledger, 13, &names).0, wanted, "{order:?}");
        }
    }

    /// The second rename of `b` was applied long ago: it must not take the id of the segment that is called `c` since.
    #[test]
    fn a_rename_that_was_applied_takes_no_other_id() {
        let mut ledger = after(&[(1, "c", true)]);
        next(&mut ledger, 11, &[renamed("b", "c")]);
        let (ids, _) = next(&mut ledger, 12, &[renamed("b", "c"), plain("c")]);
        let segments = [renamed("a", "b"), renamed("b", "c"), plain("c")];
        let (now, found) = next(&mut ledger, 13, &segments);
        assert_eq!((now[0], now[2]), (1, ids[1]));
        assert!(!ids.contains(&now[1]));
        assert_eq!(found, [("b", WhyUnapplied::Taken("c"))]);
    }

    /// The first version of a scheme, made again under other names: nothing but the file says that it is the same segment.
    #[test]
    fn the_first_version_has_the_ids_of_earlier_names() {
        let ledger = Ledger::default();
        let before = ledger.declare("s", &[plain("b"), plain("c"), plain("d")], first);
        let segments = [plain("c"), renamed("a", "b"), renamed("b", "c"), plain("d")];
        let now = ledger.declare("s", &segments, first);
        assert_eq!(now[1..], before[..]);
        assert!(
            !before.contains(&now[0]),
            "another segment gets the old name"
        );
        // So does a segment that is new in a scheme that is known.
        let known = after(&[(1, "x", true)]);
        let new = known.declare("s", &[plain("x"), renamed("a", "b")], first);
        assert_eq!(new, [1, first("b")]);
    }

    #[test]
    fn a_name_that_comes_back_has_its_id_again_and_others_never_do() {
        let mut ledger = after(&[(first("a"), "a", true)]);
        ledger.note("s", 11, &[(first("b"), "b", true)]);
        assert_eq!(ledger.active("s"), [(first("b"), "b".to_owned())]);
        assert_eq!(ledger.declare("s", &[plain("a")], first), [first("a")]);
    }

    /// Rules that are tried as clusters for a day, one of which has the customers of a rule.
    #[test]
    fn a_declared_segment_has_its_id_again_after_a_cluster_continued_it() {
        let mut ledger = after(&[(first("a"), "a", true), (first("b"), "b", true)]);
        let ids = ledger.number("s", &[Some(first("a")), None]);
        ledger.note(
            "s",
            11,
            &[(ids[0], "large", false), (ids[1], "small", false)],
        );
        let again = ledger.declare("s", &[plain("a"), plain("b")], first);
        assert_eq!(again, [first("a"), first("b")]);
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
