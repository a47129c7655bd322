//! Repeated rows: a pass over the identifying columns before the pass that computes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::*;
use rayon::prelude::*;
use tessera_expr::rel::{Dedup, SourceRows, Unconverted};
use xxhash_rust::xxh3::xxh3_128;

use crate::aggregate::status;
use crate::budget::Budget;
use crate::column::col;
use crate::error::EngineError;
use crate::repeats::{array, digests};
use crate::scan::{as_held, as_stored, date_literal, each_window, in_file, is_converted, raw_name};
use crate::sorter::{Equal, Sorter};

const STATUS: &str = "__status";

/// Of the rows that are searched, those before the first day that is read.
const BEFORE: &str = "__before";

/// Bits of a position; the rest of a [`Search`]'s entries is hash.
const POSITION_BITS: u32 = 38;
const POSITION: u128 = (1 << POSITION_BITS) - 1;

/// Bits of a hash that choose where an entry goes, and are not repeated in it: enough parts to sort each within a cache.
const PART_BITS: u32 = 12;

/// Rows that one thread hashes at a time, so that what it writes stays in its cache.
const HASHED_ROWS: usize = 1 << 12;

/// Positions, among the visible rows that pass the checks, of rows that repeat an earlier one. The earlier one may lie before
/// [`SourceRows::not_before`]: which rows repeat others does not depend on what is computed.
///
/// Rows are compared by 102 bits of a hash of their values: 12 choose the part, 90 stand in its entries. Among n different rows
/// some two have the same bits with a probability of about n² / 2^103, which is 1e-13 for a thousand million. The search needs
/// 16 bytes a row, in memory or in files. In the comparison null is a value of its own, NaN is not null, and -0.0 is 0.0.
#[derive(Debug, Clone)]
pub(crate) struct Duplicates {
    /// A bit per position.
    repeated: Vec<u64>,
}

impl Duplicates {
    /// Reads the identifying columns and finds the repetitions.
    pub(crate) fn find(
        rows: &SourceRows,
        dedup: &Dedup,
        budget: &Budget,
    ) -> Result<Self, EngineError> {
        let pruned = pruned(rows, dedup);
        let every = pruned.as_ref().map(|_| {
            let mut every = rows.clone();
            every.not_before = None;
            every
        });
        let rows = every.as_ref().unwrap_or(rows);
        let mut columns = identity(rows, dedup);
        columns.extend(status(rows).map(|status| status.alias(STATUS)));
        columns.extend(pruned.map(|pruned| pruned.alias(BEFORE)));
        let search = Arc::new(Mutex::new(Search::new(budget)));
        let select = |frame: LazyFrame| Ok(frame.select(columns.clone()));
        let files = 0..rows.scan.files.len();
        each_window(rows, files, false, &select, &mut |frame| {
            let inner = search.clone();
            let callback = PlanCallback::new(move |frame: DataFrame| -> PolarsResult<bool> {
                let hashes = row_hashes(&frame)?;
                let mut search = inner.lock().unwrap_or_else(PoisonError::into_inner);
                let [status, before] = [STATUS, BEFORE].map(|name| frame.column(name).ok());
                search.take(&hashes, status, before)?;
                search.failure = search.entries.relieve().err();
                Ok(search.failure.is_some())
            });
            frame
                .sink_batches(callback, true, None)?
                .collect_with_engine(Engine::Streaming)?;
            let search = search.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(search.failure.is_none())
        })?;
        let mut search = search.lock().unwrap_or_else(PoisonError::into_inner);
        let search = std::mem::replace(&mut *search, Search::new(budget));
        Ok(Self {
            repeated: search.repeated()?,
        })
    }

    /// Whether the row at this position repeats an earlier one.
    pub(crate) fn contains(&self, position: u64) -> bool {
        bit(&self.repeated, position)
    }
}

/// The bit of a position, unset beyond the last word.
fn bit(words: &[u64], position: u64) -> bool {
    let word = words.get(position as usize / 64);
    word.is_some_and(|word| word >> (position % 64) & 1 == 1)
}

/// True for rows before the first day that is read; none where every row before it repeats only such rows, since the time is one
/// of the columns that are compared.
fn pruned(rows: &SourceRows, dedup: &Dedup) -> Option<Expr> {
    let (time, first) = (rows.time.as_ref()?, rows.not_before?);
    if dedup.columns.is_empty() || dedup.columns.contains(time) {
        return None;
    }
    let day = col(time.as_str()).cast(DataType::Date);
    Some(day.lt(date_literal(first)).fill_null(lit(false)))
}

/// What two rows have in common where one repeats the other, each under [`identity_name`]: the columns that the contract names, as the
/// pipeline sees them; else all columns as the files hold them, also where a derived one has taken the name.
pub(crate) fn identity(rows: &SourceRows, dedup: &Dedup) -> Vec<Expr> {
    let exact = dedup.columns.is_empty();
    let columns = rows.scan.columns.iter().map(|column| &column.name);
    let names: Vec<&String> = match exact {
        true => columns.collect(),
        false => dedup.columns.iter().collect(),
    };
    let values = names.iter().map(|name| match exact {
        true => as_held(rows, name),
        false => as_stored(rows, name),
    });
    let texts = names
        .iter()
        .filter_map(|name| unconverted(rows, name, exact));
    let all = values.chain(texts).enumerate();
    all.map(|(number, value)| value.alias(identity_name(number)))
        .collect()
}

/// Name of a column of [`identity`]; no other column has such a name.
pub(crate) fn identity_name(number: usize) -> String {
    format!("__identity_{number}")
}

/// The texts of a column that do not convert, which are null as its values: two of them need not be the same. None for columns
/// whose values all convert where rows are compared.
fn unconverted(rows: &SourceRows, name: &str, exact: bool) -> Option<Expr> {
    let scan = &rows.scan;
    let is_derived = scan.derive.iter().any(|(derived, _)| derived == name);
    let is_null = rows.unconverted == Unconverted::Null && (exact || !is_derived);
    let mut columns = scan.columns.iter().filter(|_| is_null);
    let column = columns.find(|column| column.name == name && is_converted(column))?;
    let texts = when(in_file(scan, name).is_null()).then(col(raw_name(&column.name)));
    Some(texts.otherwise(lit(NULL)))
}

/// The rows so far: hash and position of each, in parts by the first bits of the hash.
struct Search {
    entries: Sorter<u128>,
    position: u64,
    /// A bit per position of a row before the first day that is read.
    before: Vec<u64>,
    failure: Option<EngineError>,
}

impl Search {
    fn new(budget: &Budget) -> Self {
        Self {
            entries: Sorter::new(1 << PART_BITS, Equal::Kept, budget),
            position: 0,
            before: Vec::new(),
            failure: None,
        }
    }

    /// Adds the rows whose status is 0, or all where there is none. `before` says which of them only others can repeat.
    fn take(
        &mut self,
        hashes: &[u128],
        status: Option<&Column>,
        before: Option<&Column>,
    ) -> PolarsResult<()> {
        let before = before.map(|before| before.as_materialized_series().bool());
        let before = before.transpose()?.filter(|before| before.any());
        let is_before = |row| before.is_some_and(|before| before.get(row) == Some(true));
        match status {
            None => {
                for (row, hash) in hashes.iter().enumerate() {
                    self.add(*hash, is_before(row));
                }
            }
            Some(status) => {
                let status = status.as_materialized_series().u32()?;
                for (row, (hash, status)) in hashes.iter().zip(status.iter()).enumerate() {
                    if status == Some(0) {
                        self.add(*hash, is_before(row));
                    }
                }
            }
        }
        polars_ensure!(
            self.position >> POSITION_BITS == 0,
            ComputeError: "repeated rows can only be searched among fewer than 270,000,000,000 rows"
        );
        Ok(())
    }

    fn add(&mut self, hash: u128, is_before: bool) {
        if is_before {
            self.before.resize((self.position / 64 + 1) as usize, 0);
            self.before[(self.position / 64) as usize] |= 1 << (self.position % 64);
        }
        let part = (hash >> (u128::BITS - PART_BITS)) as usize;
        let entry = hash << PART_BITS & !POSITION | u128::from(self.position);
        self.entries.push(part, entry);
        self.position += 1;
    }

    /// A bit per position among the rows that are read, set for all but the first row of each hash.
    fn repeated(self) -> Result<Vec<u64>, EngineError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let bits: Vec<AtomicU64> = (0..self.position.div_ceil(64))
            .map(|_| AtomicU64::new(0))
            .collect();
        let parts = self.entries.into_parts().into_par_iter();
        parts.try_for_each(|part| {
            let mut last = None;
            part.each(|entry| {
                let hash = entry >> POSITION_BITS;
                if last == Some(hash) {
                    let position = (entry & POSITION) as u64;
                    bits[position as usize / 64].fetch_or(1 << (position % 64), Ordering::Relaxed);
                }
                last = Some(hash);
            })
        })?;
        let bits: Vec<u64> = bits.into_iter().map(AtomicU64::into_inner).collect();
        if self.before.is_empty() {
            return Ok(bits);
        }
        let kept = (0..self.position).filter(|position| !bit(&self.before, *position));
        let mut read = vec![0; bits.len()];
        for (place, position) in kept.enumerate() {
            read[place / 64] |= u64::from(bit(&bits, position)) << (place % 64);
        }
        Ok(read)
    }
}

/// A hash of the identifying columns of each row.
fn row_hashes(frame: &DataFrame) -> PolarsResult<Vec<u128>> {
    let mut hashes = vec![0; frame.height()];
    hashes
        .par_chunks_mut(HASHED_ROWS)
        .enumerate()
        .try_for_each(|(chunk, hashes)| {
            let rows = frame.slice((chunk * HASHED_ROWS) as i64, hashes.len());
            rows.columns()
                .iter()
                .filter(|column| ![STATUS, BEFORE].contains(&column.name().as_str()))
                .try_for_each(|column| absorb(column.as_materialized_series(), hashes))
        })?;
    Ok(hashes)
}

/// Mixes the values of a column into the hashes of their rows.
fn absorb(series: &Series, hashes: &mut [u128]) -> PolarsResult<()> {
    let physical = series.to_physical_repr();
    match physical.dtype() {
        DataType::String => {
            let texts = physical.str()?.rechunk();
            let digest = |text: &str| xxh3_128(text.as_bytes());
            match array(&texts).and_then(digests) {
                Some(digests) => {
                    let texts = texts.iter().zip(digests);
                    mix(texts.map(|(text, digest)| text.map(|_| digest)), hashes);
                }
                None => mix(texts.iter().map(|text| text.map(digest)), hashes),
            }
        }
        DataType::Binary => {
            mix(physical.binary()?.iter().map(|b| b.map(xxh3_128)), hashes);
        }
        DataType::Float32 | DataType::Float64 => {
            let floats = physical.cast(&DataType::Float64)?;
            let bits = |number: f64| marked(float_bits(number));
            mix(floats.f64()?.iter().map(|n| n.map(bits)), hashes);
        }
        DataType::Int128 => {
            let bits = |number: i128| xxh3_128(&number.to_le_bytes());
            mix(physical.i128()?.iter().map(|n| n.map(bits)), hashes);
        }
        DataType::UInt64 => {
            mix(physical.u64()?.iter().map(|n| n.map(marked)), hashes);
        }
        DataType::List(_) | DataType::Array(..) | DataType::Struct(_) => {
            let whole = series.rechunk();
            let mut bytes = Vec::new();
            let mut digests = Vec::with_capacity(whole.len());
            for value in whole.iter() {
                bytes.clear();
                encode(&value, &mut bytes);
                digests.push((!value.is_null()).then(|| xxh3_128(&bytes)));
            }
            mix(digests.into_iter(), hashes);
        }
        _ => {
            let numbers = physical.strict_cast(&DataType::Int64)?;
            let bits = |number: i64| marked(number as u64);
            mix(numbers.i64()?.iter().map(|n| n.map(bits)), hashes);
        }
    }
    Ok(())
}

/// A value within a list or a structure as bytes: equal for equal values, other for others. Each begins with its kind, and what has
/// a length states it, so that no two values run into one another.
fn encode(value: &AnyValue<'_>, bytes: &mut Vec<u8>) {
    let mut sized = |kind: u8, content: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
        bytes.extend_from_slice(content);
    };
    match value {
        AnyValue::Null => bytes.push(0),
        AnyValue::String(text) => sized(1, text.as_bytes()),
        AnyValue::StringOwned(text) => sized(1, text.as_bytes()),
        AnyValue::Binary(content) => sized(2, content),
        AnyValue::BinaryOwned(content) => sized(2, content),
        AnyValue::List(values) | AnyValue::Array(values, _) => {
            bytes.push(3);
            bytes.extend_from_slice(&(values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| encode(&value, bytes));
        }
        AnyValue::Struct(..) => {
            bytes.push(4);
            value
                ._iter_struct_av()
                .for_each(|value| encode(&value, bytes));
        }
        AnyValue::StructOwned(fields) => {
            bytes.push(4);
            fields.0.iter().for_each(|value| encode(value, bytes));
        }
        AnyValue::Float32(number) => {
            bytes.push(5);
            bytes.extend_from_slice(&float_bits(f64::from(*number)).to_le_bytes());
        }
        AnyValue::Float64(number) => {
            bytes.push(5);
            bytes.extend_from_slice(&float_bits(*number).to_le_bytes());
        }
        // Numbers, times and words print in full.
        other => sized(6, other.to_string().as_bytes()),
    }
}

/// The bits of a float, of which 0 and NaN have several that mean the same.
fn float_bits(number: f64) -> u64 {
    if number.is_nan() {
        f64::NAN.to_bits()
    } else {
        (number + 0.0).to_bits()
    }
}

/// A number as no null looks.
fn marked(bits: u64) -> u128 {
    1 << 64 | u128::from(bits)
}

fn mix(values: impl Iterator<Item = Option<u128>>, hashes: &mut [u128]) {
    for (hash, value) in hashes.iter_mut().zip(values) {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&hash.to_le_bytes());
        bytes[16..].copy_from_slice(&value.unwrap_or(0).to_le_bytes());
        *hash = xxh3_128(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    type Row = (Option<&'static str>, Option<i64>, u32);

    fn found(batches: &[Vec<Row>], limit: u64) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget::spilling_at(limit, folder.path());
        let mut search = Search::new(&budget);
        for rows in batches {
            let text: Vec<Option<&str>> = rows.iter().map(|row| row.0).collect();
            let number: Vec<Option<i64>> = rows.iter().map(|row| row.1).collect();
            let status: Vec<u32> = rows.iter().map(|row| row.2).collect();
            let frame = df!("text" => text, "number" => number, STATUS => status).unwrap();
            let hashes = row_hashes(&frame).unwrap();
            search
                .take(&hashes, frame.column(STATUS).ok(), None)
                .unwrap();
            search.entries.relieve().unwrap();
        }
        let rows = search.position;
        let repeated = search.repeated().unwrap();
        let duplicates = Duplicates { repeated };
        (0..rows + 64).filter(|p| duplicates.contains(*p)).collect()
    }

    /// What a set of rows seen says.
    fn expected(batches: &[Vec<Row>]) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let passing = batches.iter().flatten().filter(|row| row.2 == 0);
        (0..)
            .zip(passing)
            .filter_map(|(position, row)| (!seen.insert((row.0, row.1))).then_some(position))
            .collect()
    }

    proptest! {
        #[test]
        fn rows_that_a_set_has_seen_are_found(
            batches in prop::collection::vec(
                prop::collection::vec(
                    (
                        prop::sample::select(vec![None, Some(""), Some("a"), Some("ab"), Some("b")]),
                        prop::option::of(-1..3_i64),
                        0..2_u32,
                    ),
                    0..40,
                ),
                0..4,
            )
        ) {
            prop_assert_eq!(found(&batches, u64::MAX), expected(&batches));
            prop_assert_eq!(found(&batches, 1), expected(&batches));
        }
    }

    /// Rows before the first day are repeated by later ones, and have no place among those that are read.
    #[test]
    fn rows_before_the_first_day_are_repeated_and_not_numbered() {
        let folder = tempfile::tempdir().unwrap();
        let mut search = Search::new(&Budget::spilling_at(1, folder.path()));
        for batch in [
            df!("id" => ["a", "b", "a", "c"], BEFORE => [true, false, false, true]),
            df!("id" => ["b", "c", "c", "d"], BEFORE => [true, true, false, false]),
        ] {
            let frame = batch.unwrap();
            let hashes = row_hashes(&frame).unwrap();
            let before = frame.column(BEFORE).ok();
            search.take(&hashes, None, before).unwrap();
        }
        let repeated = search.repeated().unwrap();
        let duplicates = Duplicates { repeated };
        // Those that are read: b, a again, c again, d.
        let found: Vec<bool> = (0..5).map(|p| duplicates.contains(p)).collect();
        assert_eq!(found, [false, true, true, false, false]);
    }

    #[test]
    fn rows_of_many_chunks_are_found() {
        let rows = |from: i64| (from..from + 10_000).map(|n| (Some("x"), Some(n), 0));
        let batches = [rows(0).collect(), rows(5_000).collect::<Vec<_>>()];
        let expected: Vec<u64> = (10_000..15_000).collect();
        assert_eq!(found(&batches, u64::MAX), expected);
        assert_eq!(found(&batches, 1), expected);
    }

    #[test]
    fn every_kind_of_value_is_compared() {
        let list = |values: &[i64]| Series::new("".into(), values);
        let lists = Series::new(
            "list".into(),
            [list(&[1]), list(&[1, 2]), list(&[1]), list(&[])],
        );
        let binary = Series::new("binary".into(), [b"a".as_slice(), b"b", b"a", b"a"]);
        let unsigned = Series::new("unsigned".into(), [u64::MAX, 1, u64::MAX, u64::MAX]);
        let wide = Series::new("wide".into(), [1i128 << 100, 1 << 100, 1 << 100, 1 << 101]);
        let fields = [lists.clone(), binary.clone()];
        let structs = StructChunked::from_series("struct".into(), 4, fields.iter()).unwrap();
        for series in [lists, binary, unsigned, wide, structs.into_series()] {
            let name = series.name().clone();
            let hashes = row_hashes(&series.into_frame()).unwrap();
            assert_eq!(hashes[0], hashes[2], "{name}");
            assert!(hashes.iter().collect::<BTreeSet<_>>().len() > 1, "{name}");
        }
        let floats = Series::new("x".into(), [Some(f64::NAN), None, Some(f64::NAN)]);
        let hashes = row_hashes(&floats.into_frame()).unwrap();
        assert_eq!(hashes[0], hashes[2]);
        assert_ne!(hashes[0], hashes[1], "NaN is not null");
    }

    #[test]
    fn zeros_of_both_signs_are_one_number_and_null_is_none() {
        let values = [Some(0.0), Some(-0.0), None, Some(1.0)];
        let hashes = row_hashes(&df!("x" => values).unwrap()).unwrap();
        assert_eq!(hashes[0], hashes[1]);
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), 3);
    }
}
