//! How much samples of one distribution differ by chance: critical values of the chi-squared and the Kolmogorov distribution.

use statrs::function::gamma::gamma_ur;

/// Probability that samples of one distribution exceed a critical value.
pub const LEVEL: f64 = 0.05;

/// Halvings after which the ends of an interval of floats meet.
const HALVINGS: usize = 2_000;

/// The value that a chi-squared variable of so many degrees of freedom exceeds with probability `level`; none without freedom.
pub fn chi_squared_critical(freedom: usize, level: f64) -> Option<f64> {
    let shape = freedom as f64 / 2.0;
    let exceeds = |value: f64| gamma_ur(shape, value / 2.0);
    (freedom > 0).then(|| falls_to(level, exceeds))
}

/// The value that the limit of sqrt(nm / (n + m)) x D exceeds with probability `level`, where D is the largest distance between
/// the distributions of two samples (Kolmogorov 1933).
pub fn kolmogorov_critical(level: f64) -> f64 {
    falls_to(level, kolmogorov)
}

/// Probability that a Kolmogorov variable exceeds a value: of its two series the one that converges fast.
fn kolmogorov(value: f64) -> f64 {
    use std::f64::consts::PI;
    if value <= 0.0 {
        return 1.0;
    }
    let squared = value * value;
    if value < 1.0 {
        let term = |k: i32| (-f64::from((2 * k - 1).pow(2)) * PI * PI / (8.0 * squared)).exp();
        return 1.0 - (2.0 * PI).sqrt() / value * (1..=20).map(term).sum::<f64>();
    }
    let term = |k: i32| {
        let size = (-2.0 * f64::from(k * k) * squared).exp();
        if k % 2 == 1 { size } else { -size }
    };
    2.0 * (1..=20).map(term).sum::<f64>()
}

/// Where a falling function from 1 to 0 over the numbers above 0 comes down to `level`.
fn falls_to(level: f64, exceeds: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while exceeds(high) > level {
        low = high;
        high *= 2.0;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if exceeds(middle) > level {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.chi2.isf(0.05, freedom)` and `scipy.stats.kstwobign.isf(level)`, to 1e-9.
    #[test]
    fn critical_values_of_scipy() {
        let chi_squared = [
            (1, 3.841_458_820_694_124),
            (4, 9.487_729_036_781_154),
            (9, 16.918_977_604_620_448),
            (20, 31.410_432_844_230_918),
        ];
        for (freedom, wanted) in chi_squared {
            let found = chi_squared_critical(freedom, LEVEL).unwrap();
            assert!((found - wanted).abs() < 1e-9, "{freedom}: {found}");
        }
        assert_eq!(chi_squared_critical(0, LEVEL), None);
        let found = kolmogorov_critical(LEVEL);
        assert!((found - 1.358_098_639_320_551).abs() < 1e-9, "{found}");
    }

    #[test]
    fn both_series_of_kolmogorov_meet() {
        let below = kolmogorov(1.0 - 1e-13);
        assert!((below - kolmogorov(1.0)).abs() < 1e-12, "{below}");
    }
}
