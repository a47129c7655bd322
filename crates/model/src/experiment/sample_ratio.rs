//! Whether the groups have the sizes that their shares say.

use crate::special::chi_squared_above;

/// The p value of Pearson's chi-squared test that the counts came about by the shares, which need not sum to 1. A share of 0 is left
/// out where it has no customer, and gives 0 where it has some. None below two variants with a share, without customers, and
/// where a share is negative or not finite.
pub fn sample_ratio_p(counts: &[u64], shares: &[f64]) -> Option<f64> {
    let total = counts.iter().sum::<u64>() as f64;
    let whole: f64 = shares.iter().sum();
    let valid = shares
        .iter()
        .all(|share| share.is_finite() && *share >= 0.0);
    let variants = shares.iter().filter(|share| **share > 0.0).count();
    if counts.len() != shares.len() || !valid || variants < 2 || total == 0.0 {
        return None;
    }
    let mut chi = 0.0;
    for (count, share) in counts.iter().zip(shares) {
        let expected = total * share / whole;
        if expected > 0.0 {
            let off = *count as f64 - expected;
            chi += off * off / expected;
        } else if *count > 0 {
            return Some(0.0);
        }
    }
    Some(chi_squared_above(chi, (variants - 1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_scipy_chisquare() {
        // `ratios` of tests/oracle/experiment.py: scipy.stats.chisquare of scipy 1.17.1.
        for (counts, shares, want) in [
            (&[5000, 5200][..], &[0.5, 0.5][..], 0.047_670_380_656_161_5),
            (&[180, 820], &[0.2, 0.8], 0.113_846_298_006_657_63),
            (
                &[1000, 1000, 1100],
                &[1.0, 1.0, 1.0],
                0.039_723_733_386_441_02,
            ),
            (&[10, 90], &[0.5, 0.5], 1.244_192_114_854_357_8e-15),
            (&[50, 50], &[0.5, 0.5], 1.0),
        ] {
            let found = sample_ratio_p(counts, shares).unwrap();
            assert!((found / want - 1.0).abs() < 1e-9, "{counts:?}: {found}");
        }
    }

    #[test]
    fn what_cannot_be_tested_is_none() {
        assert_eq!(sample_ratio_p(&[10], &[1.0]), None);
        assert_eq!(sample_ratio_p(&[0, 0], &[0.5, 0.5]), None);
        assert_eq!(sample_ratio_p(&[1, 2], &[0.5, f64::NAN]), None);
        assert_eq!(sample_ratio_p(&[1, 2], &[0.5, -0.5]), None);
        assert_eq!(sample_ratio_p(&[1, 2], &[0.5]), None);
        assert_eq!(sample_ratio_p(&[1, 2, 1], &[0.5, 0.5, 0.0]), Some(0.0));
        assert_eq!(
            sample_ratio_p(&[3, 2, 0], &[0.5, 0.5, 0.0]),
            sample_ratio_p(&[3, 2], &[0.5, 0.5])
        );
    }
}
