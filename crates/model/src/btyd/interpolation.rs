//! Chebyshev interpolation in a logarithmic variable, and the discounted sum of purchases as a weighted sum over few nodes.
//!
//! Expected purchases are smooth in the horizon and in the length of observation. A dozen nodes reproduce them to about
//! 1e-9, so that an interval over hundreds of parameter draws costs a dozen closed forms per draw and x, not one per customer.

use std::f64::consts::PI;

/// Nodes on [low, high] in the variable ln(origin + t), with the weights to interpolate anywhere between.
#[derive(Debug, Clone)]
pub(crate) struct Interpolation {
    origin: f64,
    /// Where to evaluate.
    pub(crate) nodes: Vec<f64>,
    logs: Vec<f64>,
    barycentric: Vec<f64>,
}

impl Interpolation {
    /// `count` Chebyshev nodes on [low, high]; `origin` > -low moves the singularity of ln away from the interval.
    pub(crate) fn chebyshev(low: f64, high: f64, origin: f64, count: usize) -> Self {
        let (from, to) = ((origin + low).ln(), (origin + high).ln());
        let angle = |k: usize| (2 * k + 1) as f64 * PI / (2 * count) as f64;
        let logs: Vec<f64> = (0..count)
            .map(|k| 0.5 * (from + to) - 0.5 * (to - from) * angle(k).cos())
            .collect();
        let nodes = logs
            .iter()
            .map(|l| (l.exp() - origin).clamp(low, high))
            .collect();
        let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        let barycentric = (0..count).map(|k| sign(k) * angle(k).sin()).collect();
        Self {
            origin,
            nodes,
            logs,
            barycentric,
        }
    }

    /// Every given point is a node: nothing is interpolated.
    pub(crate) fn exact(points: Vec<f64>) -> Self {
        let logs = points.clone();
        Self {
            origin: f64::NAN,
            nodes: points,
            logs,
            barycentric: Vec::new(),
        }
    }

    /// The weight of each node in the value at `t`; they sum to one.
    pub(crate) fn weights(&self, t: f64) -> Vec<f64> {
        let place = if self.barycentric.is_empty() {
            t
        } else {
            (self.origin + t).ln()
        };
        if let Some(at) = self.logs.iter().position(|l| *l == place) {
            return (0..self.nodes.len())
                .map(|k| f64::from(u8::from(k == at)))
                .collect();
        }
        let mut weights: Vec<f64> = self
            .barycentric
            .iter()
            .zip(&self.logs)
            .map(|(b, l)| b / (place - l))
            .collect();
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        weights
    }
}

/// The sum over periods i of (C(i) - C(i-1)) / (1 + d)^i as a weighted sum of C at few times.
#[derive(Debug, Clone)]
pub(crate) struct DiscountedSum {
    /// Times at which expected purchases C are needed.
    pub(crate) times: Vec<f64>,
    /// Their weights.
    pub(crate) weights: Vec<f64>,
}

/// Up to this many periods each period end is evaluated; with more, this many Chebyshev nodes replace them.
const NODES: usize = 14;

impl DiscountedSum {
    /// Periods of one time unit up to `horizon` (> 0; the last may be shorter), discounted at their ends by
    /// `discount_per_period` >= 0. `origin`: the time scale on which C curves, about alpha.
    pub(crate) fn new(horizon: f64, discount_per_period: f64, origin: f64) -> Self {
        let mut ends: Vec<f64> = (1..)
            .map(f64::from)
            .take_while(|end| *end < horizon - 1e-9)
            .collect();
        ends.push(horizon);
        let factor = |end: f64| (-end * discount_per_period.ln_1p()).exp();
        // Summation by parts: the weight of C(end) is the decrease of the discount factor after it.
        let falls: Vec<f64> = (0..ends.len())
            .map(|i| factor(ends[i]) - ends.get(i + 1).map_or(0.0, |next| factor(*next)))
            .collect();
        if ends.len() <= NODES {
            return Self {
                times: ends,
                weights: falls,
            };
        }
        let curve = Interpolation::chebyshev(0.0, horizon, origin, NODES);
        let mut weights = vec![0.0; NODES];
        for (end, fall) in ends.iter().zip(&falls) {
            for (total, weight) in weights.iter_mut().zip(curve.weights(*end)) {
                *total += fall * weight;
            }
        }
        Self {
            times: curve.nodes,
            weights,
        }
    }

    /// The sum for the curve `c`.
    pub(crate) fn of(&self, c: impl Fn(f64) -> f64) -> f64 {
        self.times
            .iter()
            .zip(&self.weights)
            .map(|(t, w)| w * c(*t))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btyd::expectation::alive_purchases;

    #[test]
    fn discounted_sum_matches_the_sum_as_written() {
        for (horizon, discount) in [(3.0, 0.1), (52.0, 0.002), (365.0, 0.000_27), (104.5, 0.001)] {
            for (rate, a) in [(4.4, 0.8), (80.0, 1.7)] {
                let c = |t: f64| alive_purchases(2.5, rate, a, 4.0, t);
                let factor: f64 = 1.0 + discount;
                let mut want = 0.0;
                let (mut before, mut i) = (0.0, 0.0);
                while i < horizon {
                    i = (i + 1.0_f64).min(horizon);
                    want += (c(i) - before) / factor.powf(i);
                    before = c(i);
                }
                let got = DiscountedSum::new(horizon, discount, 4.4).of(c);
                assert!(
                    (got / want - 1.0).abs() < 1e-7,
                    "{horizon} {rate}: {got} {want}"
                );
            }
        }
    }

    #[test]
    fn interpolates_smooth_curves_and_reproduces_nodes() {
        let nodes = Interpolation::chebyshev(0.0, 700.0, 60.0, 12);
        let curve = |t: f64| alive_purchases(3.0, 60.0 + t, 0.8, 5.0, 365.0);
        for t in [0.0, 3.0, 350.0, 700.0] {
            let got: f64 = nodes
                .weights(t)
                .iter()
                .zip(&nodes.nodes)
                .map(|(w, n)| w * curve(*n))
                .sum();
            assert!((got / curve(t) - 1.0).abs() < 1e-8, "{t}");
        }
        let exact = Interpolation::exact(vec![1.0, 5.0]);
        assert_eq!(exact.weights(5.0), vec![0.0, 1.0]);
    }
}
