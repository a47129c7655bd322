//! Sums, means and spreads that come out the same whatever the threads and the order of rows.

/// Number, mean and sum of squared deviations of some values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Moments {
    /// Number of values.
    pub count: u64,
    /// Their mean; 0 without values.
    pub mean: f64,
    /// Sum of the squared deviations from the mean.
    pub squares: f64,
}

impl Moments {
    /// Moments of values in rising order, in two passes.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let mean = exact_order_sum(values) / values.len() as f64;
        let squares = values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum();
        Self {
            count: values.len() as u64,
            mean,
            squares,
        }
    }

    /// Moments of two sets of values together (Chan, Golub and LeVeque 1979).
    fn with(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let (own, others) = (self.count as f64, other.count as f64);
        let (apart, all) = (other.mean - self.mean, own + others);
        Self {
            count: self.count + other.count,
            mean: self.mean + apart * (others / all),
            squares: self.squares + other.squares + apart * apart * (own * others / all),
        }
    }

    /// Cohen's d: difference of the means over the pooled standard deviation, positive where this mean is larger.
    /// Absent where either side is empty, fewer than three values exist or nothing varies.
    pub fn cohens_d(&self, other: &Self) -> Option<f64> {
        let freedom = (self.count + other.count)
            .checked_sub(2)
            .filter(|n| *n > 0)?;
        let pooled = ((self.squares + other.squares) / freedom as f64).sqrt();
        let d = (self.mean - other.mean) / pooled;
        (self.count > 0 && other.count > 0 && d.is_finite()).then_some(d)
    }
}

/// For each of the parts the moments of all others together: merged from the left and from the right, since subtracting a
/// dominant part from the whole would leave rounding errors only.
pub(crate) fn rests(parts: &[Moments]) -> Vec<Moments> {
    let mut rests = vec![Moments::default(); parts.len()];
    let mut before = Moments::default();
    for (rest, part) in rests.iter_mut().zip(parts) {
        *rest = before;
        before = before.with(*part);
    }
    let mut after = Moments::default();
    for (rest, part) in rests.iter_mut().zip(parts).rev() {
        *rest = rest.with(after);
        after = part.with(after);
    }
    rests
}

/// Sum with the rounding error carried along (Neumaier 1974). Called with rising values, so the result is a function of the
/// values alone.
pub(crate) fn exact_order_sum(rising: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for &value in rising {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    let total = sum + lost;
    // Beyond the range of f64 the carried error is not a number.
    if total.is_nan() { sum } else { total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_keeps_what_plain_addition_loses() {
        assert_eq!(exact_order_sum(&[-1e16, 1.0, 1.0, 1e16]), 2.0);
        assert_eq!(exact_order_sum(&[]), 0.0);
        assert_eq!(exact_order_sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
    }

    #[test]
    fn cohens_d_by_hand() {
        // Means 3 and 7, sums of squares 2 and 2, 4 degrees of freedom: d = -4 / 1.
        let (low, high) = (Moments::of(&[2.0, 3.0, 4.0]), Moments::of(&[6.0, 7.0, 8.0]));
        assert_eq!(low.cohens_d(&high), Some(-4.0));
        assert_eq!(high.cohens_d(&low), Some(4.0));
        assert_eq!(low.cohens_d(&Moments::default()), None);
        assert_eq!(
            Moments::of(&[1.0, 1.0]).cohens_d(&Moments::of(&[2.0])),
            None,
            "nothing varies"
        );
        assert_eq!(
            Moments::of(&[1.0]).cohens_d(&Moments::of(&[2.0])),
            None,
            "no freedom"
        );
    }

    #[test]
    fn rest_survives_a_dominant_part() {
        let parts = [
            Moments::of(&[1.0, 2.0, 3.0]),
            Moments::of(&[1e15, 2e15]),
            Moments::of(&[4.0, 5.0]),
        ];
        let rest = rests(&parts)[1];
        assert_eq!((rest.count, rest.mean), (5, 3.0));
        assert!((rest.squares - 10.0).abs() < 1e-12);
        assert_eq!(rests(&parts)[0].count, 4);
    }
}
