//! By how much predictions of all customers move together, because the parameters of their model are estimates.
//!
//! The parameters are drawn as for intervals; each draw moves the predictions of all customers at once, so that no number of customers
//! makes their sum exact.

use super::scorer::{Draws, Scorer};

/// The errors of the predictions of all customers of a history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedErrors {
    /// Standard error of the sum of the expected purchases.
    pub purchases: f64,
    /// Mean of the standard errors of the probabilities of no purchase.
    pub p_no_purchase: f64,
    /// Errors that are independent of each other, each as the standard deviations by which it moves the sum of these probabilities and
    /// the sum of their products with their log-odds.
    pub shared: [[f64; 2]; 2],
}

impl Scorer<'_> {
    /// The errors over the draws of the forecaster; 0 without draws.
    pub fn shared_errors(&self) -> SharedErrors {
        let count = self.draw_count();
        let (mut purchases, mut sums, mut products) =
            (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
        let mut individual = 0.0;
        let mut draws = Draws::default();
        let mut silence = Vec::with_capacity(count);
        for row in self.rows_with_weights() {
            let mut point = self.living(row.place, &mut draws);
            self.alive(row.place, &mut point, &mut draws);
            let expected = 1.0 - point.p_alive * (1.0 - point.silence);
            let bounded = expected.clamp(1e-12, 1.0 - 1e-12);
            let log_odds = bounded.ln() - (-bounded).ln_1p();
            silence.clear();
            let drawn = draws.p_alive.iter().zip(&draws.alive_silence);
            silence.extend(drawn.map(|(alive, given)| 1.0 - alive * (1.0 - given)));
            let drawn = draws.p_alive.iter().zip(&draws.alive_purchases);
            for (total, (alive, given)) in purchases.iter_mut().zip(drawn) {
                *total += row.weight * alive * given;
            }
            for ((sum, product), drawn) in sums.iter_mut().zip(&mut products).zip(&silence) {
                *sum += row.weight * drawn;
                *product += row.weight * drawn * log_odds;
            }
            individual += row.weight * covariance(&silence, &silence).sqrt();
        }
        let customers = self.rows_with_weights().map(|row| row.weight).sum::<f64>();
        SharedErrors {
            purchases: covariance(&purchases, &purchases).sqrt(),
            p_no_purchase: individual / customers.max(1.0),
            shared: independent(&sums, &products),
        }
    }
}

/// Two errors that are independent of each other and together vary as these: the first moves both, the second the latter alone.
fn independent(sums: &[f64], products: &[f64]) -> [[f64; 2]; 2] {
    let deviation = covariance(sums, sums).sqrt();
    let along = match deviation > 0.0 {
        true => covariance(sums, products) / deviation,
        false => 0.0,
    };
    let rest = covariance(products, products) - along * along;
    [[deviation, along], [0.0, rest.max(0.0).sqrt()]]
}

/// Of two lists over the same draws; 0 without draws.
fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len().max(1) as f64;
    let mean = |of: &[f64]| of.iter().sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let products = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b));
    products.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_errors_vary_as_what_they_are_made_of() {
        let sums = [1.0, -2.0, 3.0, 0.5];
        let products = [0.5, 1.0, -4.0, 2.0];
        let [[a, b], [none, c]] = independent(&sums, &products);
        assert_eq!(none, 0.0);
        assert!((a * a - covariance(&sums, &sums)).abs() < 1e-12);
        assert!((a * b - covariance(&sums, &products)).abs() < 1e-12);
        assert!((b * b + c * c - covariance(&products, &products)).abs() < 1e-12);
        assert_eq!(independent(&[], &[]), [[0.0; 2]; 2]);
    }
}
