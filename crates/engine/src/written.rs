//! Whether tables of the same customers write their keys in one way: `007` in one of them and `7` in another are two customers.
//!
//! Keys are compared by hashes of a form without what may differ ([`Difference`]). Of many keys a share is compared, which those with
//! certain hashes are, so that the memory does not grow with the base; the counts are estimates then.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array};
use arrow::datatypes::Int64Type;

use crate::drawn::{hash_of_bytes, hash_of_integer};

/// Share of the keys of the smaller side that must be shared: two lists of the same customers share most of them, so that less than
/// one key in a hundred is a sign that they are written differently, or that the lists are of different customers.
const FEWEST_SHARED: f64 = 0.01;

/// Keys below which nothing is said of a table: some customers may always be missing from another list.
const FEWEST_KEYS: u64 = 5;

/// Keys that are shown of a table.
const SHOWN: usize = 2;

/// Hashes that are held at once.
const HELD: u64 = 1 << 22;

/// Keys of a side that are drawn to find out which differences there are.
const DRAWN: usize = 1 << 20;

/// What may differ in a key of the same customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// White space around it.
    Blanks,
    /// `.0` behind it, which programs write that hold numbers as floats.
    Point,
    /// Zeros before it.
    Zeros,
    /// Upper and lower case.
    Case,
}

use Difference::{Blanks, Case, Point, Zeros};

/// What is tried where keys do not meet: what is found with fewer differences comes first.
const TRIED: [&[Difference]; 7] = [
    &[Blanks],
    &[Point],
    &[Zeros],
    &[Case],
    &[Blanks, Zeros],
    &[Blanks, Case],
    &[Blanks, Point, Zeros, Case],
];

/// What is looked for among the keys of all tables. Upper and lower case may distinguish customers.
const TWINS: [Difference; 3] = [Blanks, Point, Zeros];

/// How the keys of a table are written in comparison with those of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// It shares nearly no key with the other tables.
    pub apart: Option<Apart>,
    /// Its keys that are those of other customers but for a difference.
    pub twins: Vec<Twins>,
}

/// A table that shares nearly no key with the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// Its keys.
    pub keys: u64,
    /// Its keys that others have.
    pub shared: u64,
    /// Keys of the others.
    pub others: u64,
    /// Some of its keys, and some of others.
    pub shown: [Vec<String>; 2],
    /// Without what most keys would meet, if some would.
    pub meeting: Option<Meeting>,
}

/// Keys that would be the same without differences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The differences, in the order in which they are taken away.
    pub without: Vec<Difference>,
    /// Keys of the table that others would have, too.
    pub keys: u64,
    /// The number is that of a share of the keys, multiplied.
    pub is_estimate: bool,
    /// A key of the table, and the key of another that would be the same.
    pub example: [String; 2],
    /// The tables with keys that have such differences, by their place in the plan.
    pub tables: Vec<usize>,
}

/// Keys of a table that would be those of other customers without a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twins {
    /// The difference.
    pub without: Difference,
    /// Keys of the table that have it, and would be another key without it.
    pub keys: u64,
    /// The number is that of a share of the keys, multiplied.
    pub is_estimate: bool,
    /// A key of the table, and the other.
    pub example: [String; 2],
}

impl Difference {
    /// Whether a key may have the difference, by its ends.
    fn is_likely(self, key: &str) -> bool {
        let bytes = key.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return false;
        };
        let is_blank = |byte: u8| byte <= b' ' || !byte.is_ascii();
        match self {
            Blanks => is_blank(*first) || is_blank(*last),
            Point => *last == b'0',
            Zeros => *first == b'0',
            Case => true,
        }
    }

    /// A key without the difference. `docs/customers.md` and the messages have the same as expressions.
    fn taken_from(self, key: &str) -> Cow<'_, str> {
        match self {
            Blanks => key.trim().into(),
            Point => match key.rsplit_once('.') {
                Some((whole, zeros))
                    if !whole.is_empty()
                        && !zeros.is_empty()
                        && zeros.bytes().all(|digit| digit == b'0') =>
                {
                    whole.into()
                }
                _ => key.into(),
            },
            Zeros => match key.trim_start_matches('0') {
                "" if !key.is_empty() => "0".into(),
                rest => rest.into(),
            },
            Case => key.to_lowercase().into(),
        }
    }
}

/// A key without any of the differences.
fn bare<'k>(key: &'k str, differences: &[Difference]) -> Cow<'k, str> {
    let mut bare = Cow::Borrowed(key);
    for difference in differences {
        let changed = match difference.taken_from(&bare) {
            less if less.len() == bare.len() && less == bare => None,
            less => Some(less.into_owned()),
        };
        bare = changed.map_or(bare, Cow::Owned);
    }
    bare
}

/// The hashes that are compared: all of them, or those that end in so many zeros.
#[derive(Clone, Copy)]
struct Share {
    bits: u32,
}

impl Share {
    /// All hashes.
    const ALL: Self = Self { bits: 0 };

    fn of(keys: u64) -> Self {
        let times = keys.div_ceil(HELD).max(1);
        Self {
            bits: times.next_power_of_two().trailing_zeros(),
        }
    }

    fn holds(self, hash: u64) -> bool {
        hash.trailing_zeros() >= self.bits
    }

    fn all(self, found: u64) -> u64 {
        found << self.bits
    }

    fn is_part(self) -> bool {
        self.bits > 0
    }
}

/// How the tables write their keys. `keys` are all keys of the base. Every column of keys is sorted and in the same type.
pub(crate) fn compare(
    tables: &[(&ArrayRef, bool)],
    keys: &ArrayRef,
    holders: Holders,
) -> Vec<Written> {
    let mut written = vec![Written::default(); tables.len()];
    let counts = holders.counts(tables, keys.len() as u64);
    for (table, (of, written)) in counts.iter().zip(&mut written).enumerate() {
        written.apart = of.and_then(|of| apart(tables, table, of));
    }
    let base = tables.iter().filter(|(_, in_base)| *in_base).count();
    keep_one_of_two(tables, base, &mut written);
    if let Some(keys) = keys.as_string_opt::<i32>() {
        for without in TWINS {
            let told = written.iter().filter_map(|written| written.apart.as_ref());
            let mut told = told.filter_map(|apart| apart.meeting.as_ref());
            if !told.any(|meeting| meeting.without.contains(&without)) {
                twins(tables, keys, without, &mut written);
            }
        }
    }
    written
}

/// Where two tables make up the base, each is apart from the other: it is said once, of the table with the differences, or of the
/// smaller one.
fn keep_one_of_two(tables: &[(&ArrayRef, bool)], base: usize, written: &mut [Written]) {
    let apart: Vec<usize> = (0..tables.len())
        .filter(|&table| tables[table].1 && written[table].apart.is_some())
        .collect();
    let &[first, second] = apart.as_slice() else {
        return;
    };
    if base != 2 {
        return;
    }
    let differs = |table: usize| {
        let apart = written[table].apart.as_ref();
        let meeting = apart.and_then(|apart| apart.meeting.as_ref());
        meeting.is_some_and(|meeting| meeting.tables.contains(&table))
    };
    let smaller = tables[first].0.len() < tables[second].0.len();
    let is_first = match (differs(first), differs(second)) {
        (true, false) => true,
        (false, true) => false,
        _ => smaller,
    };
    written[if is_first { second } else { first }].apart = None;
}

/// Which keys of the base several of its tables have.
pub(crate) struct Holders {
    /// For each key 0, the number of the only table with it counted from 1, or [`SEVERAL`].
    holder: Vec<u8>,
    /// Of each table so far, how many of its keys are in the base.
    inside: Vec<u64>,
}

/// More than one table has the key.
const SEVERAL: u8 = u8::MAX;

impl Holders {
    /// No table yet, of a base with so many keys.
    pub(crate) fn new(keys: usize) -> Self {
        Self {
            holder: vec![0; keys],
            inside: Vec::new(),
        }
    }

    /// Takes the next table. `places` are its rows of the base's keys; none where it is the whole base.
    pub(crate) fn take(&mut self, places: Option<&UInt32Array>, in_base: bool) {
        let number = u8::try_from(self.inside.len() + 1).unwrap_or(SEVERAL);
        let mut inside = 0;
        for (key, holder) in self.holder.iter_mut().enumerate() {
            if places.is_none_or(|places| places.is_valid(key)) {
                inside += 1;
                *holder = match *holder {
                    known if !in_base => known,
                    0 => number,
                    _ => SEVERAL,
                };
            }
        }
        self.inside.push(inside);
    }

    /// The counts of each table; none for the only table of a base, and where there are too many tables.
    fn counts(self, tables: &[(&ArrayRef, bool)], keys: u64) -> Vec<Option<Counts>> {
        let base = tables.iter().filter(|(_, in_base)| *in_base).count();
        if tables.len() >= usize::from(SEVERAL) {
            return vec![None; tables.len()];
        }
        let mut alone = vec![0; tables.len()];
        for holder in self.holder {
            if let Some(alone) = alone.get_mut(usize::from(holder).wrapping_sub(1)) {
                *alone += 1;
            }
        }
        let of_tables = tables.iter().zip(self.inside).zip(alone);
        let counts = of_tables.map(|(((table, in_base), inside), alone)| {
            let own = table.len() as u64;
            match in_base {
                true => (base > 1).then_some(Counts {
                    keys: own,
                    shared: own - alone,
                    others: keys - alone,
                }),
                false => Some(Counts {
                    keys: own,
                    shared: inside,
                    others: keys,
                }),
            }
        });
        counts.collect()
    }
}

/// Keys of a table, of those that others have, and of the others.
#[derive(Clone, Copy)]
struct Counts {
    keys: u64,
    shared: u64,
    others: u64,
}

/// What is said of a table that shares nearly no key with the others, or, outside the base, lacks customers for many of its keys.
fn apart(tables: &[(&ArrayRef, bool)], table: usize, of: Counts) -> Option<Apart> {
    let Counts {
        keys,
        shared,
        others,
    } = of;
    let smaller = keys.min(others);
    if smaller < FEWEST_KEYS || shared as f64 >= FEWEST_SHARED * smaller as f64 {
        return None;
    }
    let rest = || {
        let others = tables.iter().enumerate();
        others.filter(move |(other, (_, in_base))| *other != table && *in_base)
    };
    let largest = rest().max_by_key(|(_, (keys, _))| keys.len());
    let (_, (largest, _)) = largest?;
    let own = tables[table].0.as_string_opt::<i32>();
    let meeting = own.and_then(|own| {
        let rest = rest().filter_map(|(other, (keys, _))| Some((other, keys.as_string_opt()?)));
        meeting((table, own), &rest.collect::<Vec<_>>())
    });
    let enough = |meeting: &Meeting| {
        meeting.keys > shared && meeting.keys as f64 >= FEWEST_SHARED * smaller as f64
    };
    Some(Apart {
        keys,
        shared,
        others,
        shown: [some(tables[table].0), some(largest)],
        meeting: meeting.filter(enough),
    })
}

/// The first keys of a table.
fn some(keys: &ArrayRef) -> Vec<String> {
    match keys.as_primitive_opt::<Int64Type>() {
        Some(keys) => keys
            .values()
            .iter()
            .take(SHOWN)
            .map(i64::to_string)
            .collect(),
        None => {
            let keys = keys.as_string_opt::<i32>();
            let keys = keys.into_iter().flat_map(|keys| keys.iter().flatten());
            keys.take(SHOWN).map(str::to_owned).collect()
        }
    }
}

/// Without which differences most keys of a table are those of others.
pub(crate) fn meeting(
    (table, own): (usize, &StringArray),
    rest: &[(usize, &StringArray)],
) -> Option<Meeting> {
    let others: usize = rest.iter().map(|(_, keys)| keys.len()).sum();
    let without = differences((table, own), rest, others)?;
    let share = Share::of((others + own.len()) as u64);
    let all = |keys: &[(usize, &StringArray)]| -> Vec<u64> {
        let keys = keys.iter().flat_map(|(_, keys)| keys.iter().flatten());
        hashes(keys, without, share)
    };
    let (known, mut mine) = (all(rest), all(&[(table, own)]));
    mine.retain(|hash| known.binary_search(hash).is_ok());
    let found = mine.len() as u64;
    let hash = |key: &str| hash_of_bytes(bare(key, without).as_bytes());
    let mut mine = own.iter().flatten();
    let example = mine.find(|key| known.binary_search(&hash(key)).is_ok())?;
    let mut theirs = rest.iter().flat_map(|(_, keys)| keys.iter().flatten());
    let other = theirs.find(|key| hash(key) == hash(example))?;
    let differs = |keys: &StringArray| {
        let mut keys = keys.iter().flatten();
        keys.any(|key| bare(key, without) != key)
    };
    let of_table = [(table, own)];
    let all = rest.iter().chain(&of_table);
    let mut differing: Vec<usize> = all
        .filter(|(_, keys)| differs(keys))
        .map(|(table, _)| *table)
        .collect();
    differing.sort_unstable();
    Some(Meeting {
        without: without.to_vec(),
        keys: share.all(found).min(own.len() as u64),
        is_estimate: share.is_part(),
        example: [example.to_owned(), other.to_owned()],
        tables: differing,
    })
}

/// Without which differences most of the keys that are drawn of a table are those that are drawn of others.
fn differences(
    (table, own): (usize, &StringArray),
    rest: &[(usize, &StringArray)],
    others: usize,
) -> Option<&'static [Difference]> {
    let part = |keys: &StringArray| DRAWN.saturating_mul(keys.len()) / others.max(1) + 1;
    let mut best: Option<(usize, &'static [Difference])> = None;
    for without in TRIED {
        let theirs = rest.iter();
        let theirs = theirs.flat_map(|(table, keys)| drawn(*table, keys, part(keys)));
        let known = hashes(theirs, without, Share::ALL);
        let mut mine = hashes(drawn(table, own, DRAWN), without, Share::ALL);
        mine.retain(|hash| known.binary_search(hash).is_ok());
        if mine.len() > best.map_or(0, |(most, _)| most) {
            best = Some((mine.len(), without));
        }
    }
    best.map(|(_, without)| without)
}

/// Keys of a table: all of them, or so many at random, which are the same in every run.
fn drawn(table: usize, keys: &StringArray, most: usize) -> impl Iterator<Item = &str> {
    let is_all = keys.len() <= most;
    let place = move |number: usize| match is_all {
        true => number,
        false => {
            let seed = ((table as i64) << 32) | (number as i64);
            (hash_of_integer(seed) % keys.len() as u64) as usize
        }
    };
    (0..keys.len().min(most)).map(move |number| keys.value(place(number)))
}

/// The hashes of keys without differences, each once, sorted.
fn hashes<'k>(
    keys: impl Iterator<Item = &'k str>,
    without: &[Difference],
    share: Share,
) -> Vec<u64> {
    let hashes = keys.map(|key| hash_of_bytes(bare(key, without).as_bytes()));
    let mut hashes: Vec<u64> = hashes.filter(|hash| share.holds(*hash)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Adds to each table of the base its keys that would be other keys of the base without a difference.
fn twins(
    tables: &[(&ArrayRef, bool)],
    keys: &StringArray,
    without: Difference,
    written: &mut [Written],
) {
    let differs = |key: &&str| without.is_likely(key) && without.taken_from(key) != *key;
    let differing = keys.iter().flatten().filter(differs).count();
    if differing == 0 {
        return;
    }
    let share = Share::of(differing as u64);
    let hash = |key: &str| hash_of_bytes(without.taken_from(key).as_bytes());
    let numbered = keys.iter().enumerate();
    let mut changed: Vec<(u64, usize)> = numbered
        .filter_map(|(place, key)| Some((place, key.filter(differs)?)))
        .map(|(place, key)| (hash(key), place))
        .filter(|(hash, _)| share.holds(*hash))
        .collect();
    changed.sort_unstable();
    let mut other: Vec<Option<usize>> = vec![None; changed.len()];
    for at in 1..changed.len() {
        if changed[at].0 == changed[at - 1].0 {
            other[at] = Some(changed[at - 1].1);
            other[at - 1].get_or_insert(changed[at].1);
        }
    }
    for (place, key) in keys.iter().enumerate() {
        let Some(key) = key.filter(|key| !differs(key)) else {
            continue;
        };
        let hash = hash_of_bytes(key.as_bytes());
        let first = changed.partition_point(|(known, _)| *known < hash);
        let same = changed[first..]
            .iter()
            .take_while(|(known, _)| *known == hash);
        for (at, _) in same.enumerate() {
            other[first + at] = Some(place);
        }
    }
    let mut met: Vec<(usize, usize)> = changed
        .iter()
        .zip(other)
        .filter_map(|((_, place), other)| Some((*place, other?)))
        .collect();
    met.sort_unstable();
    for ((table, in_base), written) in tables.iter().zip(written) {
        let Some(table) = table.as_string_opt::<i32>().filter(|_| *in_base) else {
            continue;
        };
        let is_own = |(place, _): &&(usize, usize)| holds(table, keys.value(*place));
        let mut own = met.iter().filter(is_own);
        let Some((place, other)) = own.next() else {
            continue;
        };
        written.twins.push(Twins {
            without,
            keys: share.all(1 + own.count() as u64).min(table.len() as u64),
            is_estimate: share.is_part(),
            example: [*place, *other].map(|place| keys.value(place).to_owned()),
        });
    }
}

/// Whether a sorted column has a key.
fn holds(table: &StringArray, key: &str) -> bool {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low.midpoint(high);
        if table.value(middle) < key {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low < table.len() && table.value(low) == key
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    fn texts(keys: impl IntoIterator<Item = String>) -> ArrayRef {
        let mut keys: Vec<String> = keys.into_iter().collect();
        keys.sort();
        Arc::new(StringArray::from(keys))
    }

    fn compared(tables: &[&ArrayRef]) -> Vec<Written> {
        let mut all: Vec<&str> = tables
            .iter()
            .flat_map(|keys| keys.as_string::<i32>().iter().flatten())
            .collect();
        all.sort_unstable();
        all.dedup();
        let all: ArrayRef = Arc::new(StringArray::from(all));
        let tables: Vec<(&ArrayRef, bool)> = tables.iter().map(|keys| (*keys, true)).collect();
        compare(&tables, &all, holders(&tables, &all))
    }

    /// The places of the tables as a search finds them.
    fn holders(tables: &[(&ArrayRef, bool)], keys: &ArrayRef) -> Holders {
        let text = |keys: &ArrayRef| -> Vec<String> {
            let texts = arrow::compute::cast(keys, &arrow::datatypes::DataType::Utf8).unwrap();
            let texts = texts.as_string::<i32>().iter().flatten();
            texts.map(str::to_owned).collect()
        };
        let mut holders = Holders::new(keys.len());
        for (table, in_base) in tables {
            let own = text(table);
            let place = |key: &String| own.iter().position(|known| known == key);
            let places = text(keys).iter().map(place).collect::<Vec<_>>().into_iter();
            let places: UInt32Array = places.map(|place| place.map(|row| row as u32)).collect();
            holders.take(Some(&places), *in_base);
        }
        holders
    }

    /// Every way of writing a key is recognised with the number of keys that a comparison of the numbers gives.
    #[test]
    fn keys_that_would_meet_are_counted() {
        let plain = texts((1..=100).map(|key| key.to_string()));
        type Written = fn(i32) -> String;
        let cases: [(Written, &[Difference]); 4] = [
            (|key| format!("{key:06}"), &[Zeros]),
            (|key| format!("{key}.0"), &[Point]),
            (|key| format!(" {key} "), &[Blanks]),
            (|key| format!("{key:06} "), &[Blanks, Zeros]),
        ];
        for (write, without) in cases {
            let other = texts((51..=250).map(write));
            let found = compared(&[&plain, &other]);
            assert_eq!(found[0].apart, None);
            let apart = found[1].apart.as_ref().unwrap();
            assert_eq!((apart.keys, apart.shared, apart.others), (200, 0, 100));
            let meeting = apart.meeting.as_ref().unwrap();
            assert_eq!((meeting.keys, meeting.is_estimate), (50, false));
            assert_eq!(meeting.without, without);
            assert_eq!(meeting.tables, [1]);
        }
        let lower = texts((1..=20).map(|key| format!("ab{key}")));
        let upper = texts((11..=30).map(|key| format!("AB{key}")));
        let found = compared(&[&lower, &upper]);
        let meeting = found[1].apart.as_ref().unwrap().meeting.as_ref().unwrap();
        assert_eq!(
            (meeting.keys, meeting.without.as_slice()),
            (10, &[Case][..])
        );
    }

    #[test]
    fn tables_that_share_keys_and_tables_with_few_keys_are_not_apart() {
        let a = texts((1..=100).map(|key| key.to_string()));
        let b = texts((100..=180).map(|key| key.to_string()));
        assert!(
            compared(&[&a, &b])
                .iter()
                .all(|found| found.apart.is_none())
        );
        let few = texts((200..204).map(|key| key.to_string()));
        assert!(
            compared(&[&a, &few])
                .iter()
                .all(|found| found.apart.is_none())
        );
        let others = texts((200..=300).map(|key| key.to_string()));
        let found = compared(&[&a, &others]);
        let apart: Vec<&Apart> = found
            .iter()
            .filter_map(|found| found.apart.as_ref())
            .collect();
        assert_eq!(apart.len(), 1);
        assert_eq!((apart[0].shared, &apart[0].meeting), (0, &None));
    }

    #[test]
    fn integers_that_do_not_meet_are_apart_and_outside_tables_are_compared_with_the_base() {
        let of = |keys: std::ops::Range<i64>| -> ArrayRef { Arc::new(Int64Array::from_iter(keys)) };
        let (a, b, outside) = (of(0..50), of(100..150), of(20..30));
        let all: ArrayRef = Arc::new(Int64Array::from_iter((0..50).chain(100..150)));
        let tables = [(&a, true), (&b, true), (&outside, false)];
        let found = compare(&tables, &all, holders(&tables, &all));
        let apart = [&found[0], &found[1]].map(|found| found.apart.as_ref());
        assert_eq!(apart.iter().flatten().count(), 1);
        assert_eq!(found[2], Written::default());
    }

    #[test]
    fn keys_that_are_others_but_for_a_difference_are_counted_by_table() {
        let a = texts(["C1", "C1 ", " C2", "C2  ", "C3", "7", "007", "x "].map(str::to_owned));
        let b = texts(["C1", "C3 ", "8", "8.0"].map(str::to_owned));
        let found = compared(&[&a, &b]);
        let twins = |table: usize| -> Vec<(Difference, u64)> {
            let twins = found[table].twins.iter();
            twins.map(|twins| (twins.without, twins.keys)).collect()
        };
        assert_eq!(twins(0), [(Blanks, 3), (Zeros, 1)]);
        assert_eq!(twins(1), [(Blanks, 1), (Point, 1)]);
        assert_eq!(found[1].twins[1].example, ["8.0", "8"].map(str::to_owned));
    }

    #[test]
    fn keys_are_drawn_from_all_of_a_table() {
        let keys = texts((0..1_000).map(|key| format!("{key:04}")));
        let keys = keys.as_string::<i32>();
        assert!(drawn(0, keys, 1_000).eq(keys.iter().flatten()));
        let few: Vec<&str> = drawn(0, keys, 100).collect();
        assert_eq!(few.len(), 100);
        for first in ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] {
            assert!(few.iter().any(|key| key.chars().nth(1) == Some(first)));
        }
        assert_ne!(few, drawn(1, keys, 100).collect::<Vec<_>>());
    }

    #[test]
    fn a_share_of_many_hashes_is_compared() {
        assert_eq!(Share::of(HELD).bits, 0);
        assert_eq!(Share::of(HELD + 1).bits, 1);
        assert_eq!(Share::of(5 * HELD).bits, 3);
        let share = Share { bits: 3 };
        assert!(share.holds(8) && !share.holds(4));
        // 10,000 of 80,000 are expected, with a standard deviation of 94.
        let keys: Vec<String> = (0..80_000).map(|key| format!("{key:08}")).collect();
        let found = hashes(keys.iter().map(String::as_str), &[Zeros], share).len() as u64;
        assert!(share.all(found).abs_diff(80_000) < 8 * 5 * 94, "{found}");
    }
}
