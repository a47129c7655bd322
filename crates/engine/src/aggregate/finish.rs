//! From the workers' states to one table, sorted by key.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringBuilder,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rayon::prelude::*;
use tessera_expr::Type;
use tessera_expr::aggregate::{Found, Part};
use tessera_expr::decimal::MAX_DIGITS;
use tessera_expr::exact::{SquaresOf, SumOf, Wide, decimal_to_float};
use tessera_expr::rel::Sparse;

use super::layout::{Layout, NULL, Output, Slot};
use super::place::Place;
use super::worker::{Worker, distinct_count, get};
use crate::error::EngineError;
use crate::table::TableRef;

/// Rows per batch of the output: few enough for their states to stay in the second-level cache from column to column.
const BATCH_ROWS: usize = 1 << 11;

/// Batches between two hand-overs to the writer.
const BATCHES_AT_ONCE: usize = 64;

/// Bytes of the texts of a column at most: their places are numbers of 31 bits.
const MOST_TEXT_BYTES: u64 = i32::MAX as u64;

/// How many rows ahead a state is asked for.
const AHEAD: usize = 16;

/// A customer of the output with the state that the columns are made from.
#[derive(Clone, Copy)]
struct Row<'a> {
    place: Place,
    state: &'a [u64],
    /// Number and state of the record of its newest rows, where it has some.
    newest: Option<(u32, &'a [u64])>,
}

/// The arrow type that stands for a type of the expression language.
pub(crate) fn arrow_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float64,
        Type::Decimal { scale } => DataType::Decimal128(MAX_DIGITS, scale as i8),
        Type::String | Type::Null => DataType::Utf8,
        Type::Date => DataType::Date32,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// What the table of a source is called in messages and how it is keyed.
pub(crate) struct Naming<'a> {
    /// The source.
    pub(crate) source: &'a str,
    /// Name of the key column.
    pub(crate) key: &'a str,
    /// Keys are texts, otherwise integers.
    pub(crate) key_is_text: bool,
}

/// Writes key column and aggregates of all workers to a stage file, sorted by key, without customers whose hash is `left_out` or
/// higher. Batches are made while those before them
/// are written.
pub(crate) fn finish(
    workers: &[Worker<'_>],
    layout: &Layout,
    naming: &Naming<'_>,
    (as_of_day, left_out): (i32, Option<u64>),
    (sparse, to): (Option<&Sparse>, &Path),
) -> Result<TableRef, EngineError> {
    let key_is_text = naming.key_is_text;
    let order = sorted(workers, key_is_text, left_out);
    let key_type = if key_is_text {
        DataType::Utf8
    } else {
        DataType::Int64
    };
    let mut fields = vec![Field::new(naming.key, key_type, false)];
    fields.extend(
        layout
            .outputs
            .iter()
            .map(|(name, _, ty)| Field::new(name, arrow_type(*ty), true)),
    );
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let made = Making {
        workers,
        layout,
        as_of_day,
        naming,
    };
    made.refuse_long_texts(&order)?;
    let batch = |places: &&[Place]| {
        let rows = rows(workers, places);
        let mut columns = vec![keys(workers, places, key_is_text)?];
        let counted = sparse.map(|sparse| made.counted(&sparse.count, &rows));
        for (name, output, ty) in &layout.outputs {
            let is_sparse = sparse.is_some_and(|sparse| sparse.columns.contains(name));
            columns.push(match counted.as_ref().filter(|_| is_sparse) {
                Some((places, rows)) => {
                    let values = made.column(name, *output, *ty, rows)?;
                    take(&values, places, None)?
                }
                None => made.column(name, *output, *ty, &rows)?,
            });
        }
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    };
    let parts: Vec<&[Place]> = order.chunks(BATCH_ROWS).collect();
    TableRef::write_parts(to, schema.clone(), &parts, BATCHES_AT_ONCE, batch)
}

fn sorted(workers: &[Worker<'_>], key_is_text: bool, left_out: Option<u64>) -> Vec<Place> {
    let mut order: Vec<(u128, Place)> =
        Vec::with_capacity(workers.iter().map(|w| w.customers.len()).sum());
    for (w, worker) in workers.iter().enumerate() {
        let kept = (0..worker.customers.len()).filter(|number| worker.keeps(*number, left_out));
        for number in kept {
            let place = Place {
                worker: w as u32,
                number: number as u32,
            };
            order.push((sort_key(worker, number, key_is_text), place));
        }
    }
    order.par_sort_unstable_by(|(a, a_place), (b, b_place)| {
        a.cmp(b)
            .then_with(|| text_of(workers, *a_place).cmp(text_of(workers, *b_place)))
    });
    order.into_iter().map(|(_, place)| place).collect()
}

/// Integers: their order. Texts: the first twelve bytes, then (for short ones) the length; long ones with equal beginnings are
/// told apart by their text, and come after a short one, whose text here is empty.
fn sort_key(worker: &Worker<'_>, number: usize, key_is_text: bool) -> u128 {
    let words = worker.customers.words(number);
    if !key_is_text {
        return u128::from((words as u64) ^ (1 << 63));
    }
    let mut twelve = [0u8; 16];
    if worker.customers.is_long(number) {
        twelve[..12].copy_from_slice(&worker.customers.text(number)[..12]);
        u128::from_be_bytes(twelve) | 13
    } else {
        twelve[..12].copy_from_slice(&words.to_le_bytes()[4..]);
        u128::from_be_bytes(twelve) | (words & 0xff)
    }
}

fn text_of<'a>(workers: &'a [Worker<'_>], place: Place) -> &'a [u8] {
    workers[place.worker as usize]
        .customers
        .text(place.number as usize)
}

/// The states of the customers, which lie all over memory: each is asked for some rows before it is its turn.
fn rows<'a>(workers: &'a [Worker<'_>], places: &[Place]) -> Vec<Row<'a>> {
    let worker = |place: Place| &workers[place.worker as usize];
    let row = |(at, &place): (usize, &Place)| {
        if let Some(&later) = places.get(at + AHEAD) {
            let records = &worker(later).customers.records;
            records.prefetch_all(later.number as usize);
        }
        let (customers, newest) = (&worker(place).customers, &worker(place).newest);
        let number = newest.of(place.number as usize);
        Row {
            place,
            state: customers.records.state(place.number as usize),
            newest: number.map(|number| (number, newest.records.state(number as usize))),
        }
    };
    places.iter().enumerate().map(row).collect()
}

fn keys(
    workers: &[Worker<'_>],
    places: &[Place],
    key_is_text: bool,
) -> Result<ArrayRef, EngineError> {
    if !key_is_text {
        let values = places.iter().map(|p| {
            workers[p.worker as usize]
                .customers
                .words(p.number as usize) as u64 as i64
        });
        return Ok(Arc::new(Int64Array::from_iter_values(values)));
    }
    let mut builder = StringBuilder::with_capacity(places.len(), places.len() * 16);
    for place in places {
        let mut inline = [0; 16];
        let text = std::str::from_utf8(key_bytes(workers, *place, &mut inline))
            .map_err(|_| EngineError::internal("a key that is no text".to_owned()))?;
        builder.append_value(text);
    }
    Ok(Arc::new(builder.finish()))
}

/// The text of a key; `inline` holds it where it is short.
fn key_bytes<'a>(workers: &'a [Worker<'_>], place: Place, inline: &'a mut [u8; 16]) -> &'a [u8] {
    let customers = &workers[place.worker as usize].customers;
    let number = place.number as usize;
    if customers.is_long(number) {
        return customers.text(number);
    }
    *inline = customers.words(number).to_le_bytes();
    &inline[4..4 + usize::from(inline[0])]
}

/// What output columns are made from.
struct Making<'a> {
    workers: &'a [Worker<'a>],
    layout: &'a Layout,
    as_of_day: i32,
    naming: &'a Naming<'a>,
}

impl Making<'_> {
    /// An error where the texts of a column are longer together than a column can hold.
    fn refuse_long_texts(&self, order: &[Place]) -> Result<(), EngineError> {
        for (name, output, ty) in &self.layout.outputs {
            let (Output::Pick(slot) | Output::InOrder(slot), Type::String) = (*output, *ty) else {
                continue;
            };
            let side = self.layout.slots[slot].side;
            let bytes = |place: &Place| {
                let worker = &self.workers[place.worker as usize];
                let state = worker.customers.records.state(place.number as usize);
                let code = state[self.layout.slots[slot].at + 1];
                let text = worker.sides[side].texts.get(code);
                text.map_or(0, |text| text.len() as u64)
            };
            let bytes = order.iter().map(bytes).sum();
            if bytes > MOST_TEXT_BYTES {
                return Err(EngineError::LongTexts {
                    name: self.naming.source.to_owned(),
                    column: name.clone(),
                    bytes,
                    customers: order.len() as u64,
                    limit: MOST_TEXT_BYTES,
                });
            }
        }
        Ok(())
    }

    /// The rows of which the aggregate of this name counts something, and for every row its place among them.
    fn counted<'r>(&self, count: &str, rows: &[Row<'r>]) -> (UInt32Array, Vec<Row<'r>>) {
        let mut outputs = self.layout.outputs.iter();
        let slot = outputs.find_map(|(name, output, _)| match output {
            Output::Count(slot) if name == count => Some(*slot),
            _ => None,
        });
        let counts = |row: &&Row<'_>| slot.is_none_or(|slot| self.words(slot, row)[0] > 0);
        let mut kept = Vec::new();
        let place = |row: &Row<'r>| {
            counts(&row).then(|| {
                kept.push(*row);
                kept.len() as u32 - 1
            })
        };
        (rows.iter().map(place).collect(), kept)
    }

    fn column(
        &self,
        name: &str,
        output: Output,
        ty: Type,
        rows: &[Row<'_>],
    ) -> Result<ArrayRef, EngineError> {
        let finite = |row: &Row<'_>, value: f64| match value.is_finite() {
            true => Ok(value),
            false => Err(self.overflow(name, row, "a float of 64 bits")),
        };
        match output {
            Output::Count(slot) => self.ints(rows, |row| Ok(self.words(slot, row)[0] as i64)),
            Output::Distinct(slot) => {
                self.ints(rows, |row| Ok(distinct_count(self.words(slot, row)) as i64))
            }
            Output::SumInt(slot) => self.ints(rows, |row| {
                let sum = self.sum(slot, 0, row).to_integer();
                sum.ok_or_else(|| self.overflow(name, row, "an integer of 64 bits"))
            }),
            Output::SumFloat(slot, unit) => self.floats(rows, |row| {
                finite(row, self.sum(slot, 0, row).to_float(unit)).map(Some)
            }),
            Output::SumOnFirstDay(slot, unit) => self.floats(rows, |row| {
                finite(row, self.sum(slot, 1, row).to_float(unit)).map(Some)
            }),
            Output::Computed(slots, compute, unit) => self.floats(rows, |row| {
                let found = slots.compute(compute, unit, |part, slot| self.found(part, slot, row));
                found.map(|value| finite(row, value)).transpose()
            }),
            Output::Day(slot) => {
                let days = rows.iter().map(|row| {
                    let age = self.words(slot, row)[0] as i64;
                    (age != i64::MAX && age != i64::MIN).then(|| self.as_of_day - age as i32)
                });
                Ok(Arc::new(days.collect::<Date32Array>()))
            }
            Output::InOrder(slot) => {
                let word = |row: &Row<'_>| {
                    let words = self.words(slot, row);
                    (words[0] != 0).then_some(words[1])
                };
                Ok(match ty {
                    Type::String | Type::Null => self.texts(slot, rows, word),
                    _ => self.typed(ty, rows, word),
                })
            }
            Output::InOrderWide(slot, scale) => self.decimals(name, ty, scale, rows, |row| {
                let words = self.words(slot, row);
                (words[0] != 0).then(|| get(&words[1..]))
            }),
            Output::Extreme(slot) => Ok(self.typed(ty, rows, |row| {
                let words = self.words(slot, row);
                (words[1] != 0).then_some(words[0])
            })),
            Output::Pick(slot) => Ok(self.picked(slot, ty, rows)),
            Output::ExtremeWide(slot, scale) => self.decimals(name, ty, scale, rows, |row| {
                let words = self.words(slot, row);
                (words[2] != 0).then(|| get(words))
            }),
            Output::PickWide(slot, scale) => self.decimals(name, ty, scale, rows, |row| {
                let words = self.words(slot, row);
                (words[3] != 0).then(|| get(&words[1..]))
            }),
        }
    }

    /// The sum in the words of a slot from `at` on, with what they could not hold.
    fn sum(&self, slot: usize, at: usize, row: &Row<'_>) -> SumOf<'_> {
        SumOf {
            fixed: get(&self.words(slot, row)[at..]),
            beyond: self.beyond(slot, row),
        }
    }

    /// What a slot found for a part of a computed aggregate.
    fn found(&self, part: Part, slot: usize, row: &Row<'_>) -> Found<'_> {
        match part {
            Part::Rows | Part::Values => Found::Count(self.words(slot, row)[0]),
            Part::Sum => Found::Sum(self.sum(slot, 0, row)),
            Part::Squares => Found::Squares(self.squares(slot, row)),
        }
    }

    fn squares(&self, slot: usize, row: &Row<'_>) -> SquaresOf<'_> {
        let words = self.words(slot, row);
        SquaresOf {
            fixed: [words[0], words[1], words[2], words[3]],
            beyond: self.beyond(slot, row),
        }
    }

    fn beyond(&self, slot: usize, row: &Row<'_>) -> Option<&Wide> {
        let (slot, number) = match (&self.layout.slots[slot], row.newest) {
            (slot, Some((number, _))) if slot.newest_of.is_some() => (slot, number),
            (slot, _) => (self.whole(slot), row.place.number),
        };
        let worker = &self.workers[row.place.worker as usize];
        let beyond = &worker.sides[slot.side].beyond;
        // Hardly any column has such values.
        if beyond.is_empty() {
            return None;
        }
        beyond.get(&number)
    }

    /// The slot with all rows of a customer who has no newest ones.
    fn whole<'s>(&'s self, slot: &'s Slot) -> &'s Slot {
        slot.newest_of
            .map_or(slot, |older| &self.layout.slots[older])
    }

    fn overflow(&self, name: &str, row: &Row<'_>, limit: &'static str) -> EngineError {
        let key = if self.naming.key_is_text {
            let mut inline = [0; 16];
            String::from_utf8_lossy(key_bytes(self.workers, row.place, &mut inline)).into_owned()
        } else {
            let customers = &self.workers[row.place.worker as usize].customers;
            (customers.words(row.place.number as usize) as u64 as i64).to_string()
        };
        EngineError::Overflow {
            name: self.naming.source.to_owned(),
            column: name.to_owned(),
            key,
            limit,
        }
    }

    fn words<'r>(&self, slot: usize, row: &Row<'r>) -> &'r [u64] {
        match (&self.layout.slots[slot], row.newest) {
            (slot, Some((_, newest))) if slot.newest_of.is_some() => &newest[slot.at..],
            (slot, _) => &row.state[self.whole(slot).at..],
        }
    }

    fn ints(
        &self,
        rows: &[Row<'_>],
        value: impl Fn(&Row<'_>) -> Result<i64, EngineError>,
    ) -> Result<ArrayRef, EngineError> {
        let values: Vec<i64> = rows.iter().map(value).collect::<Result<_, _>>()?;
        Ok(Arc::new(Int64Array::from(values)))
    }

    fn floats(
        &self,
        rows: &[Row<'_>],
        value: impl Fn(&Row<'_>) -> Result<Option<f64>, EngineError>,
    ) -> Result<ArrayRef, EngineError> {
        let values = rows.iter().map(value);
        Ok(Arc::new(values.collect::<Result<Float64Array, _>>()?))
    }

    /// Decimals as they are published.
    fn decimals(
        &self,
        name: &str,
        ty: Type,
        scale: u8,
        rows: &[Row<'_>],
        whole: impl Fn(&Row<'_>) -> Option<i128>,
    ) -> Result<ArrayRef, EngineError> {
        if ty == Type::Float {
            return self.floats(rows, |row| {
                Ok(whole(row).map(|whole| decimal_to_float(whole, scale)))
            });
        }
        let short = |row: &Row<'_>| {
            let short = whole(row).map(i64::try_from).transpose();
            short.map_err(|_| self.overflow(name, row, "an integer of 64 bits"))
        };
        let values = rows.iter().map(short);
        Ok(Arc::new(values.collect::<Result<Int64Array, _>>()?))
    }

    fn picked(&self, slot: usize, ty: Type, rows: &[Row<'_>]) -> ArrayRef {
        let largest = |row: &Row<'_>| {
            let side = self.layout.slots[slot].side;
            let largest = &self.workers[row.place.worker as usize].sides[side].largest;
            !largest.is_empty() && largest.contains(&row.place.number)
        };
        let word = |row: &Row<'_>| {
            let word = self.words(slot, row)[1];
            (word != NULL || largest(row)).then_some(word)
        };
        match ty {
            Type::String | Type::Null => self.texts(slot, rows, word),
            Type::Float | Type::Decimal { .. } => self.typed(ty, rows, word),
            Type::Bool | Type::Int | Type::Date | Type::Timestamp => {
                self.typed(ty, rows, |row| word(row).map(|w| w ^ (1 << 63)))
            }
        }
    }

    /// The texts of these codes.
    fn texts(
        &self,
        slot: usize,
        rows: &[Row<'_>],
        code: impl Fn(&Row<'_>) -> Option<u64>,
    ) -> ArrayRef {
        let side = self.layout.slots[slot].side;
        let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 8);
        for row in rows {
            let texts = &self.workers[row.place.worker as usize].sides[side].texts;
            builder.append_option(code(row).and_then(|code| texts.get(code)));
        }
        Arc::new(builder.finish())
    }

    fn typed(
        &self,
        ty: Type,
        rows: &[Row<'_>],
        word: impl Fn(&Row<'_>) -> Option<u64>,
    ) -> ArrayRef {
        let words = rows.iter().map(word);
        match ty {
            Type::Float | Type::Decimal { .. } => Arc::new(
                words
                    .map(|w| w.map(f64::from_bits))
                    .collect::<Float64Array>(),
            ),
            Type::Bool => Arc::new(words.map(|w| w.map(|w| w != 0)).collect::<BooleanArray>()),
            Type::Date => Arc::new(words.map(|w| w.map(|w| w as i32)).collect::<Date32Array>()),
            Type::Timestamp => Arc::new(
                words
                    .map(|w| w.map(|w| w as i64))
                    .collect::<TimestampMicrosecondArray>(),
            ),
            Type::Int | Type::String | Type::Null => {
                Arc::new(words.map(|w| w.map(|w| w as i64)).collect::<Int64Array>())
            }
        }
    }
}
