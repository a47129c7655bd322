//! From the workers' states to one table, sorted by key.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rayon::prelude::*;
use tessera_expr::Type;

use super::layout::{Layout, NULL, Output};
use super::worker::{Worker, get};
use crate::error::EngineError;
use crate::fixed::{sample_variance, to_float};
use crate::table::{TableRef, TableWriter};

/// Rows per batch of the output: few enough for their states to stay in the second-level cache from column to column.
const BATCH_ROWS: usize = 1 << 13;

/// Batches that are made at the same time.
const BATCHES_AT_ONCE: usize = 16;

/// Where a customer stands: worker and number there.
#[derive(Clone, Copy)]
struct Place {
    worker: u32,
    number: u32,
}

/// The arrow type that stands for a type of the expression language.
pub(crate) fn arrow_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float64,
        Type::String | Type::Null => DataType::Utf8,
        Type::Date => DataType::Date32,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// Writes key column and aggregates of all workers to a stage file, sorted by key. Batches are made while those before them
/// are written.
pub(crate) fn finish(
    workers: &mut [Worker<'_>],
    layout: &Layout,
    key: &str,
    key_is_text: bool,
    as_of_day: i32,
    to: &Path,
) -> Result<TableRef, EngineError> {
    let order = sorted(workers, key_is_text);
    let medians: Vec<Vec<Vec<Option<f64>>>> = workers
        .iter_mut()
        .map(|worker| medians(worker, layout))
        .collect();
    let workers = &*workers;
    let key_type = if key_is_text {
        DataType::Utf8
    } else {
        DataType::Int64
    };
    let mut fields = vec![Field::new(key, key_type, false)];
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
        medians: &medians,
        as_of_day,
    };
    let batch = |places: &[Place]| {
        let mut columns = vec![keys(workers, places, key_is_text)];
        let outputs = layout.outputs.iter();
        columns.extend(outputs.map(|(_, output, ty)| made.column(*output, *ty, places)));
        RecordBatch::try_new(schema.clone(), columns)
    };
    let mut writer = TableWriter::new(to, schema.clone())?;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Vec<RecordBatch>>(1);
        let written = scope.spawn(move || {
            for batch in receiver.iter().flatten() {
                writer.push(&batch)?;
            }
            writer.finish()
        });
        for places in order.chunks(BATCHES_AT_ONCE * BATCH_ROWS) {
            let batches = places.par_chunks(BATCH_ROWS).map(batch);
            if sender.send(batches.collect::<Result<_, _>>()?).is_err() {
                // Writing has failed; it says why.
                break;
            }
        }
        drop(sender);
        written
            .join()
            .map_err(|_| EngineError::internal("the writer of a stage stopped".to_owned()))?
    })
}

fn sorted(workers: &[Worker<'_>], key_is_text: bool) -> Vec<Place> {
    let mut order: Vec<(u128, Place)> =
        Vec::with_capacity(workers.iter().map(|w| w.customers.len()).sum());
    for (w, worker) in workers.iter().enumerate() {
        for number in 0..worker.customers.len() {
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

fn keys(workers: &[Worker<'_>], places: &[Place], key_is_text: bool) -> ArrayRef {
    if !key_is_text {
        let values = places.iter().map(|p| {
            workers[p.worker as usize]
                .customers
                .words(p.number as usize) as u64 as i64
        });
        return Arc::new(Int64Array::from_iter_values(values));
    }
    let mut builder = StringBuilder::with_capacity(places.len(), places.len() * 16);
    for place in places {
        let customers = &workers[place.worker as usize].customers;
        let number = place.number as usize;
        let inline = customers.words(number).to_le_bytes();
        let bytes = if customers.is_long(number) {
            customers.text(number)
        } else {
            &inline[4..4 + inline[0] as usize]
        };
        // The bytes came out of a text column; `lossy` only spares an unsafe conversion.
        builder.append_value(String::from_utf8_lossy(bytes));
    }
    Arc::new(builder.finish())
}

/// Median per customer number, for every median slot by its side.
fn medians(worker: &mut Worker<'_>, layout: &Layout) -> Vec<Vec<Option<f64>>> {
    let count = worker.customers.len();
    let mut by_side = vec![Vec::new(); layout.sides];
    for slot in &layout.slots {
        if !matches!(slot.op, super::layout::Op::Median(_)) {
            continue;
        }
        let mut list = std::mem::take(&mut worker.sides[slot.side].list);
        list.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut result = vec![None; count];
        for group in list.chunk_by(|a, b| a.0 == b.0) {
            let middle = group.len() / 2;
            let median = if group.len() % 2 == 1 {
                group[middle].1
            } else {
                f64::midpoint(group[middle - 1].1, group[middle].1)
            };
            result[group[0].0 as usize] = Some(median);
        }
        by_side[slot.side] = result;
    }
    by_side
}

/// What output columns are made from.
struct Making<'a> {
    workers: &'a [Worker<'a>],
    layout: &'a Layout,
    medians: &'a [Vec<Vec<Option<f64>>>],
    as_of_day: i32,
}

impl Making<'_> {
    fn column(&self, output: Output, ty: Type, places: &[Place]) -> ArrayRef {
        match output {
            Output::Count(slot) => self.ints(slot, places, |words| Some(words[0] as i64)),
            Output::Distinct(slot) => self.ints(slot, places, |words| {
                Some(i64::from(words[0].count_ones()) + words[1] as i64)
            }),
            Output::SumInt(slot) => self.ints(slot, places, |words| i64::try_from(get(words)).ok()),
            Output::SumFloat(slot) => {
                self.floats(places, |m, p| Some(to_float(get(m.words(slot, p)))))
            }
            Output::MeanInt { sum, count } => self.floats(places, |m, p| {
                let n = m.words(count, p)[0];
                (n > 0).then(|| get(m.words(sum, p)) as f64 / n as f64)
            }),
            Output::MeanFloat { sum, count } => self.floats(places, |m, p| {
                let n = m.words(count, p)[0];
                (n > 0).then(|| to_float(get(m.words(sum, p))) / n as f64)
            }),
            Output::Std {
                sum,
                squares,
                count,
            } => self.floats(places, |m, p| {
                let n = m.words(count, p)[0];
                (n > 1).then(|| {
                    sample_variance(n, get(m.words(sum, p)), get(m.words(squares, p))).sqrt()
                })
            }),
            Output::Day(slot) => {
                let days = places.iter().map(|&p| {
                    let age = self.words(slot, p)[0] as i64;
                    (age != i64::MAX && age != i64::MIN).then(|| self.as_of_day - age as i32)
                });
                Arc::new(days.collect::<Date32Array>())
            }
            Output::SumOnFirstDay(slot) => {
                self.floats(places, |m, p| Some(to_float(get(&m.words(slot, p)[1..]))))
            }
            Output::Median(slot) => {
                let side = self.layout.slots[slot].side;
                self.floats(places, |m, p| {
                    m.medians[p.worker as usize][side][p.number as usize]
                })
            }
            Output::Extreme(slot) => self.typed(ty, places, |m, p| {
                let words = m.words(slot, p);
                (words[1] != 0).then_some(words[0])
            }),
            Output::Pick(slot) => self.picked(slot, ty, places),
        }
    }

    fn words(&self, slot: usize, place: Place) -> &[u64] {
        &self.workers[place.worker as usize]
            .customers
            .state(place.number as usize)[self.layout.slots[slot].at..]
    }

    fn ints(
        &self,
        slot: usize,
        places: &[Place],
        value: impl Fn(&[u64]) -> Option<i64>,
    ) -> ArrayRef {
        Arc::new(
            places
                .iter()
                .map(|&p| value(self.words(slot, p)))
                .collect::<Int64Array>(),
        )
    }

    fn floats(&self, places: &[Place], value: impl Fn(&Self, Place) -> Option<f64>) -> ArrayRef {
        Arc::new(
            places
                .iter()
                .map(|&p| value(self, p))
                .collect::<Float64Array>(),
        )
    }

    fn picked(&self, slot: usize, ty: Type, places: &[Place]) -> ArrayRef {
        let word = |p: Place| Some(self.words(slot, p)[1]).filter(|&word| word != NULL);
        match ty {
            Type::String | Type::Null => {
                let side = self.layout.slots[slot].side;
                let mut builder = StringBuilder::with_capacity(places.len(), places.len() * 8);
                for &place in places {
                    let texts = &self.workers[place.worker as usize].sides[side].texts;
                    builder.append_option(word(place).map(|code| &*texts[code as usize]));
                }
                Arc::new(builder.finish())
            }
            Type::Float => self.typed(ty, places, |_, p| word(p)),
            Type::Bool | Type::Int | Type::Date | Type::Timestamp => {
                self.typed(ty, places, |_, p| word(p).map(|w| w ^ (1 << 63)))
            }
        }
    }

    fn typed(
        &self,
        ty: Type,
        places: &[Place],
        word: impl Fn(&Self, Place) -> Option<u64>,
    ) -> ArrayRef {
        let words = places.iter().map(|&p| word(self, p));
        match ty {
            Type::Float => Arc::new(
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
