//! The customers with newest rows, whose accumulators over these have states of their own.

use super::super::layout::Layout;
use super::super::records::{Records, Spot};

/// In place of the number of a record: the customer has none.
const NONE: u32 = u32::MAX;

/// Records of the customers with newest rows.
pub(crate) struct Newest {
    /// Rows of a lower age in days are the newest.
    end: i64,
    pub(crate) records: Records,
    /// The customer of each record.
    pub(super) owners: Vec<u32>,
    /// The record of each customer; shorter than there are customers while the later ones have none.
    of: Vec<u32>,
    /// Where the records of the rows of a chunk lie.
    pub(super) spots: Vec<Spot>,
}

impl Newest {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            end: layout.newest_end,
            records: Records::new(0, layout.newest_empty.clone()),
            owners: Vec::new(),
            of: Vec::new(),
            spots: Vec::new(),
        }
    }

    /// The record of a customer, where it has newest rows.
    #[inline]
    pub(crate) fn of(&self, customer: usize) -> Option<u32> {
        self.of.get(customer).copied().filter(|of| *of != NONE)
    }

    /// Finds the records of these rows' customers, who get one with their first newest row.
    pub(super) fn find(&mut self, customers: &[Spot], ages: &[i32]) {
        self.spots.clear();
        for (customer, &age) in customers.iter().zip(ages) {
            let spot = match i64::from(age) < self.end {
                true => {
                    let number = self.number(customer.number);
                    self.records.spot(number)
                }
                false => Spot::NONE,
            };
            self.spots.push(spot);
        }
    }

    fn number(&mut self, customer: u32) -> u32 {
        let at = customer as usize;
        if at >= self.of.len() {
            self.of.resize(at + 1, NONE);
        }
        if self.of[at] == NONE {
            self.of[at] = self.owners.len() as u32;
            self.owners.push(customer);
            self.records.push(&[]);
        }
        self.of[at]
    }

    /// Bytes of the records and of what leads to them.
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.owners.capacity() + self.of.capacity();
        self.records.bytes() + numbers * size_of::<u32>()
    }
}
