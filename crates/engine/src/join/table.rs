//! The rows of a lookup by key and time.

use std::ops::Range;
use std::path::PathBuf;

use polars::prelude::*;
use tessera_expr::rel::Join;
use tessera_spec::pipeline::Several;

use super::chain::{self, Circle};
use super::keys::{KeyColumns, Keys};
use super::{hold, micros};
use crate::column::col;
use crate::error::EngineError;
use crate::lower::lower;
use crate::per_key::Passing;
use crate::scan::ROW;

const TIME: &str = "__time";

/// Number of rows of one key that are shown as an example.
const EXAMPLE_ROWS: usize = 2;

/// Most rows of a lookup: row numbers have 32 bits.
const MOST_ROWS: usize = u32::MAX as usize - 1;

/// The rows of a lookup that may be found: of each key one, or with a time one of each key and time.
pub(crate) struct Table {
    keys: Keys,
    /// Where the rows of each key begin among `times` and `columns`, and where those of the last one end.
    starts: Vec<u32>,
    /// Rows are found at a time.
    timed: bool,
    /// Times of rows in microseconds, rising within a key; the smallest number where a row has none. Empty where time does not count.
    times: Vec<i64>,
    /// The joined columns, by key and time.
    columns: Vec<Series>,
    /// Of a chained join: the keys themselves, and which of them lead to themselves alone.
    chained: Option<Chained>,
}

/// Keys that lead to keys.
struct Chained {
    keys: Series,
    stays: Vec<bool>,
}

impl Table {
    /// Whether both joins can use the same table: the rows to which it is joined do not matter.
    pub(super) fn is_shared(one: &Join, other: &Join) -> bool {
        let keys = |join: &Join| -> Vec<_> { join.on.iter().map(|(_, key)| key.clone()).collect() };
        let columns = |join: &Join| -> Vec<_> {
            let columns = join.columns.iter();
            columns.map(|column| column.of.clone()).collect()
        };
        one.as_of.is_some() == other.as_of.is_some()
            && one.several == other.several
            && one.is_chained == other.is_chained
            && columns(one) == columns(other)
            && keys(one) == keys(other)
            && one.lookup == other.lookup
    }

    /// Reads the lookup of a join.
    pub(super) fn read(join: &Join) -> Result<Self, EngineError> {
        let rows = &*join.lookup;
        // What the lookup's own rows are joined with.
        let _held = hold(rows)?;
        let columns = selected(join, 0..rows.scan.files.len(), false)?;
        let columns: Vec<Series> = columns.iter().map(|column| column.rechunk()).collect();
        let (keys, rest) = columns.split_at(join.on.len());
        let Some((times, values)) = rest.split_first() else {
            return Err(EngineError::internal("a lookup without columns".to_owned()));
        };
        if times.len() > MOST_ROWS {
            return Err(EngineError::LookupTooLarge {
                name: rows.scan.source.clone(),
                rows: times.len() as u64,
            });
        }
        let mut values = values.to_vec();
        if join.is_chained {
            values.extend(keys.iter().cloned());
        }
        let keys = KeyColumns::new(keys)?;
        let mut table = Self::new(join, &keys, times.i64()?, &values)?;
        if join.is_chained {
            table.follow(join)?;
        }
        Ok(table)
    }

    /// Lets every key lead to the last one of its chain.
    fn follow(&mut self, join: &Join) -> Result<(), EngineError> {
        let (Some(keys), Some(to)) = (self.columns.pop(), self.columns.pop()) else {
            return Err(EngineError::internal("a map without columns".to_owned()));
        };
        let next = chain::next(&self.keys, &KeyColumns::new(std::slice::from_ref(&to))?);
        let ends = match chain::ends(&next) {
            Ok(ends) => ends,
            Err(Circle { keys: all, of_one }) => {
                let numbered = KeyColumns::new(std::slice::from_ref(&keys))?;
                let mut wanted = vec![Vec::new(); of_one.len()];
                for (number, key) in of_one.iter().zip(&mut wanted) {
                    numbered.write(*number as usize, key);
                }
                return Err(EngineError::KeyCircle {
                    name: join.lookup.scan.source.clone(),
                    keys: all,
                    example: rows_of(join, |key, _| wanted.iter().any(|one| one == key))?,
                });
            }
        };
        let stays = (0_u32..).zip(&next).map(|(key, next)| *next == Some(key));
        self.chained = Some(Chained {
            stays: stays.collect(),
            keys,
        });
        let ends = IdxCa::from_vec("".into(), ends);
        self.columns.push(to.take(&ends)?.rechunk());
        Ok(())
    }

    /// The keys of a lookup whose only key column is one of texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.keys.texts()
    }

    /// Of a chained join: the keys that lead to another one, and the last one of each.
    pub(super) fn replaced(&self) -> PolarsResult<Option<(Series, Series)>> {
        let (Some(Chained { keys, stays }), Some(ends)) = (&self.chained, self.columns.first())
        else {
            return Ok(None);
        };
        let leads: BooleanChunked = stays.iter().map(|stays| !stays).collect();
        Ok(Some((keys.filter(&leads)?, ends.filter(&leads)?)))
    }

    fn new(
        join: &Join,
        columns: &KeyColumns,
        times: &Int64Chunked,
        values: &[Series],
    ) -> Result<Self, EngineError> {
        let mut keys = Keys::default();
        let mut key = Vec::new();
        // key, time, row
        let mut rows: Vec<(u32, i64, u32)> = Vec::with_capacity(times.len());
        for (row, time) in times.iter().enumerate() {
            if columns.write(row, &mut key) {
                rows.push((keys.number(&key), time.unwrap_or(i64::MIN), row as u32));
            }
        }
        rows.sort_unstable();
        let choice = Choice {
            timed: join.as_of.is_some(),
            several: join.several,
            values,
        };
        let mut chosen = Vec::new();
        let mut undecided = Vec::new();
        for alike in rows.chunk_by(|a, b| choice.is_alike(a, b)) {
            match choice.of(alike) {
                Some(row) => chosen.push(*row),
                None => undecided.push(alike[0]),
            }
        }
        if let Some(first) = undecided.first() {
            return Err(several_matches(join, columns, &undecided, *first)?);
        }
        let mut starts = vec![0_u32; keys.len() + 1];
        for (key, ..) in &chosen {
            starts[*key as usize + 1] += 1;
        }
        for key in 1..starts.len() {
            starts[key] += starts[key - 1];
        }
        let order: Vec<u32> = chosen.iter().map(|(_, _, row)| *row).collect();
        let order = IdxCa::from_vec("".into(), order);
        let columns = values
            .iter()
            .map(|values| Ok(values.take(&order)?.rechunk()))
            .collect::<PolarsResult<_>>()?;
        let times = if choice.timed {
            chosen.iter().map(|(_, time, _)| *time).collect()
        } else {
            Vec::new()
        };
        Ok(Self {
            keys,
            starts,
            timed: choice.timed,
            times,
            columns,
            chained: None,
        })
    }

    /// The place of the row that each row finds, from its key columns and, where time counts, its time behind them.
    pub(super) fn places(&self, columns: &[Series]) -> PolarsResult<UInt32Chunked> {
        let timed = usize::from(self.timed);
        let (keys, time) = columns.split_at(columns.len() - timed);
        let rows = KeyColumns::new(keys)?;
        let time = time.first().map(|time| time.i64()).transpose()?;
        let len = rows.len().max(time.map_or(1, |time| time.len()));
        let mut key = Vec::new();
        let places = (0..len).map(|row| {
            if !rows.write(row, &mut key) {
                return None;
            }
            let number = self.keys.find(&key)? as usize;
            let stays = |chained: &Chained| chained.stays.get(number) == Some(&true);
            if self.chained.as_ref().is_some_and(stays) {
                return None;
            }
            let (start, end) = (self.starts[number], self.starts[number + 1]);
            let Some(time) = time else {
                return Some(start);
            };
            let asked = time.get(if time.len() == 1 { 0 } else { row })?;
            let times = &self.times[start as usize..end as usize];
            let older = times.partition_point(|time| *time <= asked);
            older.checked_sub(1).map(|newest| start + newest as u32)
        });
        let name = columns.first().map(|column| column.name().clone());
        Ok(UInt32Chunked::from_iter_options(
            name.unwrap_or_default(),
            places,
        ))
    }

    /// The values of a joined column at these places; null where there is none.
    pub(super) fn gather(&self, column: usize, places: &UInt32Chunked) -> PolarsResult<Series> {
        let values = self.columns[column].take(places)?;
        Ok(values.with_name(places.name().clone()))
    }
}

/// Key columns, time and joined columns of the lookup's rows that pass, and behind them their numbers where these are wanted.
fn selected(join: &Join, files: Range<usize>, numbered: bool) -> Result<Vec<Series>, EngineError> {
    let rows = &*join.lookup;
    let keys = join.on.iter().enumerate();
    let keys = keys.map(|(number, (_, key))| lower(key, rows).alias(format!("__key_{number}")));
    let time = match &rows.time {
        Some(time) => micros(col(time.as_str())),
        None => lit(NULL).cast(DataType::Int64),
    };
    let values = join.columns.iter().enumerate();
    let values = values.map(|(number, column)| {
        let value = col(column.of.as_str());
        value.alias(format!("__value_{number}"))
    });
    let all = keys.chain([time.alias(TIME)]).chain(values);
    let all = all.chain(numbered.then(|| col(ROW).cast(DataType::UInt64)));
    let passing = Passing {
        rows,
        columns: &all.collect::<Vec<_>>(),
        kept: None,
        files,
        numbered,
    };
    let frame = passing.collect(&|frame| frame)?;
    let columns = frame.columns().iter();
    let columns = columns.take(join.on.len() + 1 + join.columns.len() + usize::from(numbered));
    Ok(columns
        .map(|column| column.as_materialized_series().clone())
        .collect())
}

/// Which of several rows of a key counts.
struct Choice<'a> {
    /// Rows of other times are found at other times.
    timed: bool,
    several: Several,
    values: &'a [Series],
}

impl Choice<'_> {
    /// Whether only one of two rows can be found.
    fn is_alike(&self, a: &(u32, i64, u32), b: &(u32, i64, u32)) -> bool {
        a.0 == b.0 && (!self.timed || a.1 == b.1)
    }

    /// The row that is used among rows of one key, by time and row number; `None` if they differ and no setting chooses one.
    fn of<'r>(&self, alike: &'r [(u32, i64, u32)]) -> Option<&'r (u32, i64, u32)> {
        let newest = alike.last().map(|(_, time, _)| *time);
        let rivals = match self.several {
            Several::First => return alike.iter().min_by_key(|(_, _, row)| *row),
            // Without a time all are equally new; with one, older rows are superseded.
            Several::Newest | Several::Fail => {
                let begin = alike.partition_point(|(_, time, _)| Some(*time) < newest);
                &alike[begin..]
            }
        };
        let (first, others) = rivals.split_first()?;
        others
            .iter()
            .all(|other| self.is_same(first.2, other.2))
            .then_some(first)
    }

    fn is_same(&self, a: u32, b: u32) -> bool {
        self.values.iter().all(|values| {
            let (a, b) = (values.get(a as usize), values.get(b as usize));
            matches!((a, b), (Ok(a), Ok(b)) if a == b)
        })
    }
}

/// An error that names the key columns, and file and row of some rows of one key.
fn several_matches(
    join: &Join,
    columns: &KeyColumns,
    undecided: &[(u32, i64, u32)],
    (_, time, row): (u32, i64, u32),
) -> Result<EngineError, EngineError> {
    let rows = &*join.lookup;
    let mut wanted = Vec::new();
    columns.write(row as usize, &mut wanted);
    let example = rows_of(join, |key, of| {
        (join.as_of.is_none() || of == time) && key == wanted
    })?;
    let mut keys: Vec<u32> = undecided.iter().map(|(key, ..)| *key).collect();
    keys.dedup();
    Ok(EngineError::SeveralMatches {
        name: rows.scan.source.clone(),
        columns: join.on.iter().map(|(_, key)| key_names(key)).collect(),
        keys: keys.len() as u64,
        at_one_time: rows.time.is_some(),
        example,
    })
}

/// Files and rows, from 1, of the first rows of the lookup with such a key and time.
fn rows_of(
    join: &Join,
    is_wanted: impl Fn(&[u8], i64) -> bool,
) -> Result<Vec<(PathBuf, u64)>, EngineError> {
    let rows = &*join.lookup;
    let mut example = Vec::new();
    for (place, file) in rows.scan.files.iter().enumerate() {
        let series = selected(join, place..place + 1, true)?;
        let (keys, rest) = series.split_at(join.on.len());
        let (Some(times), Some(numbers)) = (rest.first(), rest.last()) else {
            break;
        };
        let (found, times, numbers) = (KeyColumns::new(keys)?, times.i64()?, numbers.u64()?);
        let mut key = Vec::new();
        for row in 0..found.len() {
            let time = times.get(row).unwrap_or(i64::MIN);
            if found.write(row, &mut key) && is_wanted(&key, time) {
                example.push((
                    rows.scan.lake_file(file).to_owned(),
                    numbers.get(row).unwrap_or(0) + 1,
                ));
            }
        }
        if example.len() >= EXAMPLE_ROWS {
            break;
        }
    }
    example.truncate(EXAMPLE_ROWS);
    Ok(example)
}

fn key_names(key: &tessera_expr::Expr) -> String {
    let names: Vec<String> = tessera_expr::columns(key)
        .into_iter()
        .map(|name| format!("`{name}`"))
        .collect();
    names.join(", ")
}
