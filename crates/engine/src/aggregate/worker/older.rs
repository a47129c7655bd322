//! What accumulators found among newer rows, with what others found among the older ones.

use std::cmp::Ordering;

use tessera_expr::Type;
use tessera_expr::exact::{Unit, add_fixed, add_fixed_squares, add_squares};

use super::super::layout::{Op, Slot};
use super::Worker;
use super::sums::{add, get};

/// The words of an accumulator that adds up: at most as many as those of the longest one.
const WORDS: usize = 4;

impl Worker<'_> {
    /// Adds what was found among older rows to what was found among newer ones, of every customer with newer rows.
    pub(super) fn add_older(&mut self) {
        let slots = &self.layout.slots;
        let pairs = self.layout.older.iter();
        let pairs = pairs.map(|&(slot, older)| (&slots[slot], &slots[older]));
        // Those that lie in the same state first: the others are added to by them.
        for (slot, older) in pairs.clone().filter(|pair| pair.0.newest_of.is_none()) {
            for number in 0..self.customers.len() as u32 {
                self.add(slot, (older, number), number);
            }
        }
        for (slot, older) in pairs.filter(|pair| pair.0.newest_of.is_some()) {
            for number in 0..self.newest.records.len() as u32 {
                let owner = self.newest.owners[number as usize];
                self.add(slot, (older, owner), number);
            }
        }
    }

    /// Adds what `older` found for a customer to what `slot` has in this record.
    fn add(&mut self, slot: &Slot, (older, owner): (&Slot, u32), number: u32) {
        let count = slot.op.words();
        let mut more = [0; WORDS];
        let from = &self.customers.records.state(owner as usize)[older.at..];
        more[..count].copy_from_slice(&from[..count]);
        let records = match slot.newest_of {
            Some(_) => &mut self.newest.records,
            None => &mut self.customers.records,
        };
        let words = &mut records.state_mut(number as usize)[slot.at..slot.at + count];
        let adds_beyond = slot.op.keeps_beside() && !matches!(slot.op, Op::SumOnFirstDay(_));
        let beyond = match slot.op.keeps_beside() {
            true => self.sides[older.side].beyond.get(&owner).cloned(),
            false => None,
        };
        if let Some(beyond) = beyond.as_ref().filter(|_| adds_beyond) {
            let own = &mut self.sides[slot.side].beyond;
            own.entry(number).or_default().merge(beyond);
        }
        match slot.op {
            Op::CountRows | Op::CountValues(_) => words[0] += more[0],
            Op::Sum(value) => {
                if !add(words, get(&more)) {
                    let unit = Unit::of(self.layout.values[value].ty);
                    let beyond = self.sides[slot.side].beyond.entry(number).or_default();
                    add_fixed(beyond, get(&more), unit);
                }
            }
            Op::SumSquares(value) => {
                let sum = words.first_chunk_mut();
                if !sum.is_some_and(|sum| add_squares(sum, &more)) {
                    let unit = Unit::of(self.layout.values[value].ty);
                    let beyond = self.sides[slot.side].beyond.entry(number).or_default();
                    add_fixed_squares(beyond, &more, unit);
                }
            }
            Op::Min(value) | Op::Max(value) => {
                let is_float = matches!(self.layout.values[value].ty, Type::Float | Type::Null);
                let order = if is_float {
                    f64::from_bits(more[0]).total_cmp(&f64::from_bits(words[0]))
                } else {
                    (more[0] as i64).cmp(&(words[0] as i64))
                };
                take_extreme(slot.op, words, &more[..count], order);
            }
            Op::MinWide(_) | Op::MaxWide(_) => {
                let order = get(&more).cmp(&get(words));
                take_extreme(slot.op, words, &more[..count], order);
            }
            Op::FirstDay => words[0] = (words[0] as i64).max(more[0] as i64) as u64,
            Op::LastDay => words[0] = (words[0] as i64).min(more[0] as i64) as u64,
            Op::SumOnFirstDay(_) => {
                // The first day of older rows, where there are any, is the first of all.
                if more[0] as i64 > words[0] as i64 {
                    words.copy_from_slice(&more[..count]);
                    let own = &mut self.sides[slot.side].beyond;
                    own.remove(&number);
                    own.extend(beyond.map(|beyond| (number, beyond)));
                }
            }
            // These do not add up, so they are never divided.
            Op::First(_)
            | Op::Last(_)
            | Op::FirstWide(_)
            | Op::LastWide(_)
            | Op::Distinct(_)
            | Op::DistinctDays
            | Op::InOrder(..)
            | Op::InOrderWide(..) => {}
        }
    }
}

/// Takes the smallest or largest value, which the last word says there is, where it is beyond the known one.
fn take_extreme(op: Op, words: &mut [u64], more: &[u64], order: Ordering) {
    let wanted = match op {
        Op::Min(_) | Op::MinWide(_) => Ordering::Less,
        _ => Ordering::Greater,
    };
    let has = |words: &[u64]| words.last().is_some_and(|last| *last != 0);
    if has(more) && (!has(words) || order == wanted) {
        words.copy_from_slice(more);
    }
}
