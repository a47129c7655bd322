//! Values of customers that no state has room for: those of distinct counts beyond the common ones, and those of aggregates that are
//! found among values in their order.

use crate::budget::Budget;
use crate::error::EngineError;
use crate::sorter::{Entry, Equal, Long, Short, Sorter};

/// Parts of the customers: their numbers modulo this.
const PARTS: usize = 512;

/// Values with the numbers of their customers.
pub(super) struct Entries {
    short: Sorter<Short>,
    long: Sorter<Long>,
}

/// A value of a customer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Short(u64),
    Long(u128),
}

impl Entries {
    pub(super) fn new(equal: Equal, budget: &Budget) -> Self {
        Self {
            short: Sorter::new(PARTS, equal, budget),
            long: Sorter::new(PARTS, equal, budget),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, number: u32, value: u64) {
        self.short
            .push(number as usize % PARTS, Short::new(number, value));
    }

    #[inline]
    pub(super) fn push_long(&mut self, number: u32, value: u128) {
        self.long
            .push(number as usize % PARTS, Long::new(number, value));
    }

    /// Writes entries to files if the memory is used up.
    pub(super) fn relieve(&mut self) -> Result<(), EngineError> {
        self.short.relieve()?;
        self.long.relieve()
    }

    /// Hands over the values of 64 bits, then those of 128, each with its customer: those of one stand together, in order.
    pub(super) fn each(self, mut take: impl FnMut(u32, Value)) -> Result<(), EngineError> {
        each(self.short, |entry| {
            take(entry.number(), Value::Short(entry.value()))
        })?;
        each(self.long, |entry| {
            take(entry.number(), Value::Long(entry.value()))
        })
    }
}

fn each<E: Entry>(sorter: Sorter<E>, mut take: impl FnMut(E)) -> Result<(), EngineError> {
    for part in sorter.into_parts() {
        part.each(&mut take)?;
    }
    Ok(())
}
