//! Means, spreads and quantiles of one column.

/// Rows reduced together. Part of the definition of a result: another size rounds differently.
pub(super) const CHUNK: usize = 4096;

/// Sum of `term(x)`, added chunk by chunk, so that rounding grows with the chunks and not with the rows.
fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let chunk_sum = |chunk: &[f64]| {
        let mut lanes = [0.0; LANES];
        let blocks = chunk.chunks_exact(LANES);
        let rest: f64 = blocks.remainder().iter().map(|&x| term(x)).sum();
        for block in blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane += term(x);
            }
        }
        lanes.iter().sum::<f64>() + rest
    };
    values.chunks(CHUNK).map(chunk_sum).sum()
}

/// Arithmetic mean; 0 for no values.
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        sum_of(values, |x| x) / values.len() as f64
    }
}

/// Mean and standard deviation of the population (divided by n) of finite values.
pub(super) fn mean_sd(values: &[f64]) -> (f64, f64) {
    let plain = |values: &[f64]| {
        let mean = mean(values);
        let squares = sum_of(values, |x| (x - mean) * (x - mean));
        (mean, (squares / values.len().max(1) as f64).sqrt())
    };
    let (mean, sd) = plain(values);
    if sd.is_finite() {
        return (mean, sd);
    }
    // Squares overflow beyond 1e154; as shares of the largest they cannot.
    let (unit, scaled) = shares(values);
    let (mean, sd) = plain(&scaled);
    (mean * unit, sd * unit)
}

/// The values as shares of the largest absolute one, and that one.
fn shares(values: &[f64]) -> (f64, Vec<f64>) {
    let largest = values.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    (largest, values.iter().map(|x| x / largest).collect())
}

/// Skewness of the population, m3 / m2^1.5 (g1 of Joanes and Gill 1998); 0 for constant or no values.
pub(super) fn skewness(values: &[f64]) -> f64 {
    let plain = |values: &[f64]| {
        let (mean, sd) = mean_sd(values);
        if sd > 0.0 {
            // Standardised before cubing, so that large values do not overflow.
            sum_of(values, |x| ((x - mean) / sd).powi(3)) / values.len() as f64
        } else {
            0.0
        }
    };
    let skewness = plain(values);
    if skewness.is_finite() {
        skewness
    } else {
        plain(&shares(values).1)
    }
}

/// Mean of the products of two columns of the same length.
pub(super) fn mean_product(first: &[f64], second: &[f64]) -> f64 {
    let chunk = |(a, b): (&[f64], &[f64])| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    first
        .chunks(CHUNK)
        .zip(second.chunks(CHUNK))
        .map(chunk)
        .sum::<f64>()
        / first.len().max(1) as f64
}

/// Quantile by linear interpolation (type 7 of Hyndman and Fan 1996) of finite values; reorders them. None for no values.
pub(super) fn quantile(values: &mut [f64], probability: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let position = probability * last as f64;
    let below = (position.floor() as usize).min(last);
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + (position - below as f64) * (high - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_equal_numpy_linear() {
        // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [.01, .25, .5, .99])
        let expected = [(0.01, 1.0), (0.25, 1.75), (0.5, 3.5), (0.99, 8.79)];
        for (probability, value) in expected {
            let mut values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
            assert!((quantile(&mut values, probability).unwrap() - value).abs() < 1e-12);
        }
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn values_whose_squares_overflow_have_moments() {
        let small = [1.0, 2.0, 3.0, 4.0, 100.0];
        let huge = small.map(|x| x * 1e300);
        let ((mean, sd), (huge_mean, huge_sd)) = (mean_sd(&small), mean_sd(&huge));
        assert!((huge_mean / 1e300 - mean).abs() < 1e-12 * mean);
        assert!((huge_sd / 1e300 - sd).abs() < 1e-12 * sd);
        assert!((skewness(&huge) - skewness(&small)).abs() < 1e-12);
    }

    #[test]
    fn skewness_equals_scipy() {
        // scipy.stats.skew([1, 2, 3, 4, 100]) = 1.4975367033335198
        assert!((skewness(&[1.0, 2.0, 3.0, 4.0, 100.0]) - 1.497_536_703_333_519_8).abs() < 1e-12);
        assert_eq!(skewness(&[7.0; 9]), 0.0);
    }
}
