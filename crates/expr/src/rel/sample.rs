//! A sample of the customers, the same in every source and run.

/// Rows of customers whose key is drawn: the hash of its text lies in the lowest part of all hashes. The draw depends on the key
/// alone, so a customer is in the sample of every source and day or of none, and a larger share holds the customers of a smaller one.
///
/// Row order and rows: those of the source; rows gain the column [`Sample::DRAWN`], by which a check leaves the others out. Nulls:
/// a row without a key is not drawn. Invariants: integers are drawn as the text of their digits; neither files, order nor threads
/// show.
///
/// ```text
/// in   id | amount     share 0.5     out  id | amount | drawn
///      a  | 10                            a  | 10     | true
///      b  | 20                            b  | 20     | false
///      a  | 30                            a  | 30     | true
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Share of the customers, above 0 and below 1.
    pub share: f64,
}

/// The part of the customers that a pass keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Drawn {
    /// Those that a sample draws.
    Share(Sample),
    /// Those whose keys have the lowest hashes: so many at most, and fewer only where there are no more or where memory ends. Which
    /// they are is decided while rows are read, so nobody has to know the number of all customers before.
    Lowest(usize),
}

impl Sample {
    /// Name of the column that is true where the customer is drawn.
    pub const DRAWN: &str = "\u{1f}drawn";

    /// Whether a key with this hash is drawn; hashes are spread evenly over all numbers of 64 bits.
    pub fn draws(self, hash: u64) -> bool {
        // The upper 53 bits are a fraction that a float holds exactly.
        ((hash >> 11) as f64) < self.share * (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_lowest_hashes() {
        let sample = Sample { share: 0.25 };
        let quarter = 1_u64 << 62;
        assert!(sample.draws(0) && sample.draws(quarter - 1));
        assert!(!sample.draws(quarter) && !sample.draws(u64::MAX));
    }
}
