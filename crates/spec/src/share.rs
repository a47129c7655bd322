//! Counts beside a share that a pipeline states. A count that meets the share exactly is neither more nor less, however its digits are
//! rounded: 7 of 100 are 7%.

/// By how much of itself a share that was read may differ from its digits.
const ROUNDING: f64 = 1e-12;

/// Whether so many of all are more than a share.
pub fn is_more(count: u64, all: u64, share: f64) -> bool {
    of_all(count, all) > share * (1.0 + ROUNDING)
}

/// Whether so many of all are less than a share.
pub fn is_less(count: u64, all: u64, share: f64) -> bool {
    of_all(count, all) < share * (1.0 - ROUNDING)
}

fn of_all(count: u64, all: u64) -> f64 {
    count as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: whole numbers.
    #[test]
    fn a_share_that_is_met_exactly_is_neither_more_nor_less() {
        for percent in 0..=100_u64 {
            let written: f64 = format!("0.{percent:02}").parse().unwrap();
            let read = if percent == 100 { 1.0 } else { written };
            for share in [read, percent as f64 / 100.0] {
                for all in [100, 300, 7_000, 10_000_000_000] {
                    for count in [percent * (all / 100) + 1, percent * (all / 100)] {
                        let is_above = count * 100 > percent * all;
                        assert_eq!(is_more(count, all, share), is_above, "{count} of {all}");
                        assert!(!is_less(count, all, share), "{count} of {all}");
                    }
                    let below = (percent * (all / 100)).saturating_sub(1);
                    assert_eq!(is_less(below, all, share), percent > 0, "{below} of {all}");
                }
            }
        }
        assert!(!is_more(0, 0, 0.0) && !is_less(0, 0, 0.0));
    }
}
