//! Repeated rows: a pass over the identifying columns before the pass that computes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use polars::prelude::*;
use tessera_expr::rel::{Dedup, RowFate, SourceRows};
use xxhash_rust::xxh3::Xxh3;

use crate::aggregate::status;
use crate::error::EngineError;
use crate::scan::visible_rows;

const STATUS: &str = "__status";

/// Positions, among the visible rows that pass the checks, of rows that repeat an earlier one. Rows are compared by a 128-bit
/// hash of their values: two different rows among a thousand million collide with a probability below 1e-20.
#[derive(Debug, Clone)]
pub(crate) struct Duplicates {
    fate: RowFate,
    positions: HashSet<u64>,
}

impl Duplicates {
    /// Reads the identifying columns and finds the repetitions.
    pub(crate) fn find(rows: &SourceRows, dedup: &Dedup) -> Result<Self, EngineError> {
        let names: Vec<String> = if dedup.columns.is_empty() {
            rows.scan.columns.iter().map(|c| c.name.clone()).collect()
        } else {
            dedup.columns.clone()
        };
        let mut columns: Vec<Expr> = names.iter().map(|name| col(name.as_str())).collect();
        if let Some(status) = status(rows) {
            columns.push(status.alias(STATUS));
        }
        let frame = visible_rows(rows, &rows.scan.files, false)?.select(columns);
        let search: Arc<Mutex<Search>> = Arc::default();
        let inner = search.clone();
        let callback = PlanCallback::new(move |frame: DataFrame| -> PolarsResult<bool> {
            let mut search = inner
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            search.take(&frame, &names)?;
            Ok(false)
        });
        frame
            .sink_batches(callback, true, None)?
            .collect_with_engine(Engine::Streaming)?;
        let search = std::mem::take(
            &mut *search
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        Ok(Self {
            fate: dedup.fate,
            positions: search.repeated,
        })
    }

    /// Whether the row at this position repeats an earlier one.
    pub(crate) fn contains(&self, position: u64) -> bool {
        self.positions.contains(&position)
    }

    /// What happens to repeated rows.
    pub(crate) fn fate(&self) -> RowFate {
        self.fate
    }
}

#[derive(Default)]
struct Search {
    seen: HashSet<u128>,
    repeated: HashSet<u64>,
    position: u64,
}

impl Search {
    fn take(&mut self, frame: &DataFrame, names: &[String]) -> PolarsResult<()> {
        let mut hashes = vec![Xxh3::new(); frame.height()];
        for name in names {
            hash_column(frame.column(name)?.as_materialized_series(), &mut hashes)?;
        }
        let passing = match frame.column(STATUS) {
            Ok(status) => status
                .as_materialized_series()
                .u32()?
                .iter()
                .map(|s| s == Some(0))
                .collect(),
            Err(_) => vec![true; frame.height()],
        };
        for (hash, passes) in hashes.iter().zip(passing) {
            if passes {
                if !self.seen.insert(hash.digest128()) {
                    self.repeated.insert(self.position);
                }
                self.position += 1;
            }
        }
        Ok(())
    }
}

/// Feeds each row's value into its hash: a mark for null, the length before a text.
fn hash_column(series: &Series, hashes: &mut [Xxh3]) -> PolarsResult<()> {
    let physical = series.to_physical_repr();
    match physical.dtype() {
        DataType::String => {
            for (hash, text) in hashes.iter_mut().zip(physical.str()?.iter()) {
                match text {
                    Some(text) => {
                        hash.update(&(text.len() as u64).to_le_bytes());
                        hash.update(text.as_bytes());
                    }
                    None => hash.update(&u64::MAX.to_le_bytes()),
                }
            }
        }
        DataType::Float64 => {
            for (hash, number) in hashes.iter_mut().zip(physical.f64()?.iter()) {
                feed(hash, number.map(|n| (n + 0.0).to_bits() as i64));
            }
        }
        _ => {
            let numbers = physical.cast(&DataType::Int64)?;
            for (hash, number) in hashes.iter_mut().zip(numbers.i64()?.iter()) {
                feed(hash, number);
            }
        }
    }
    Ok(())
}

fn feed(hash: &mut Xxh3, number: Option<i64>) {
    hash.update(&[u8::from(number.is_some())]);
    hash.update(&number.unwrap_or(0).to_le_bytes());
}
