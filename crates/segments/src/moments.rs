//! Sums, means and variances that do not depend on threads or on the order of rows, since sums are exact.

use tessera_expr::exact::{Squares, Sum};

/// Number, sum and sum of squares of some values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moments {
    /// Number of values.
    pub count: u64,
    sum: Sum,
    squares: Squares,
}

impl Moments {
    /// Moments of values in any order.
    pub fn of(values: &[f64]) -> Self {
        let mut moments = Self::default();
        for &value in values {
            moments.count += 1;
            moments.sum.add(value);
            moments.squares.add(value);
        }
        moments
    }

    /// Adds the moments of other values.
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// The mean; absent without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.mean(self.count))
    }

    /// Sum of the squared deviations from the mean; 0 without values.
    fn deviations(&self) -> f64 {
        self.squares.deviations(self.count, &self.sum)
    }

    /// Cohen's d: difference of the means over the pooled standard deviation, positive where this mean is larger.
    /// Absent where either side is empty, fewer than three values exist or nothing varies.
    pub fn cohens_d(&self, other: &Self) -> Option<f64> {
        let freedom = (self.count + other.count)
            .checked_sub(2)
            .filter(|n| *n > 0)?;
        let pooled = ((self.deviations() + other.deviations()) / freedom as f64).sqrt();
        let d = (self.mean()? - other.mean()?) / pooled;
        d.is_finite().then_some(d)
    }
}

/// For each part, the moments of all other parts together.
pub(crate) fn rests(parts: &[Moments]) -> Vec<Moments> {
    let mut rests = vec![Moments::default(); parts.len()];
    let mut before = Moments::default();
    for (rest, part) in rests.iter_mut().zip(parts) {
        rest.merge(&before);
        before.merge(part);
    }
    let mut after = Moments::default();
    for (rest, part) in rests.iter_mut().zip(parts).rev() {
        rest.merge(&after);
        after.merge(part);
    }
    rests
}

/// The sum of values, whatever their order: exact, then rounded once.
pub(crate) fn sum(values: &[f64]) -> f64 {
    values.iter().copied().collect::<Sum>().value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_keeps_what_plain_addition_loses() {
        assert_eq!(sum(&[-1e16, 1.0, 1.0, 1e16]), 2.0);
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
    }

    #[test]
    fn order_does_not_matter() {
        let values = [0.1, 1e17, -0.3, 1e-9, -1e17, 7.7];
        let mut turned = values;
        turned.reverse();
        assert_eq!(sum(&values), sum(&turned));
        let (one, other) = (Moments::of(&values), Moments::of(&turned));
        assert_eq!(one.mean(), other.mean());
        assert_eq!(one.deviations(), other.deviations());
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
        let rest = &rests(&parts)[1];
        assert_eq!((rest.count, rest.mean()), (5, Some(3.0)));
        assert_eq!(rest.deviations(), 10.0);
        assert_eq!(rests(&parts)[0].count, 4);
    }
}
