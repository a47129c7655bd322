//! Isotonic regression: a non-decreasing curve from a number to a probability, by pooling adjacent violators (Ayer et al.
//! 1955).

use serde::{Deserialize, Serialize};

/// Every step is smoothed with this many additional rows at the base rate, so that no step is exactly 0 or 1.
const PRIOR_ROWS: f64 = 2.0;

/// Points by ascending x and y; linear between them, constant beyond them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RisingCurve {
    x: Vec<f64>,
    y: Vec<f64>,
}

struct Block {
    first: f64,
    last: f64,
    weight: f64,
    sum: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

impl RisingCurve {
    /// The non-decreasing curve nearest to `targets` (in [0, 1]) over `x` (not NaN, at least one), smoothed to the base rate.
    pub(super) fn fit(x: &[f64], targets: &[f64]) -> Self {
        let base = targets.iter().sum::<f64>() / targets.len() as f64;
        let mut rows: Vec<(f64, f64)> = x.iter().copied().zip(targets.iter().copied()).collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let equal = rows.chunk_by(|a, b| a.0 == b.0).map(|run| Block {
            first: run[0].0,
            last: run[0].0,
            weight: run.len() as f64,
            sum: run.iter().map(|(_, target)| target).sum(),
        });
        let pooled = pool(equal);
        // Smoothing moves small steps more than large ones and may change their order, so they are pooled again.
        let smoothed = pooled.into_iter().map(|block| {
            let mean = (block.sum + PRIOR_ROWS * base) / (block.weight + PRIOR_ROWS);
            Block {
                sum: mean * block.weight,
                ..block
            }
        });
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for block in pool(smoothed) {
            xs.push(block.first);
            ys.push(block.mean());
            if block.last > block.first {
                xs.push(block.last);
                ys.push(block.mean());
            }
        }
        Self { x: xs, y: ys }
    }

    /// The probability at `x`, not NaN.
    pub(super) fn at(&self, x: f64) -> f64 {
        let above = self.x.partition_point(|&point| point < x);
        if above == 0 {
            return self.y[0];
        }
        if above == self.x.len() {
            return self.y[above - 1];
        }
        let (from, to) = (self.x[above - 1], self.x[above]);
        let share = (x - from) / (to - from);
        self.y[above - 1] + share * (self.y[above] - self.y[above - 1])
    }
}

/// Merges neighbouring blocks until their means ascend.
fn pool(blocks: impl Iterator<Item = Block>) -> Vec<Block> {
    let mut pooled: Vec<Block> = Vec::new();
    for block in blocks {
        pooled.push(block);
        while let [.., before, last] = pooled.as_mut_slice()
            && before.mean() >= last.mean()
        {
            before.last = last.last;
            before.weight += last.weight;
            before.sum += last.sum;
            pooled.pop();
        }
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_equal_scikit_learn_before_smoothing() {
        // IsotonicRegression().fit_transform([1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 0, 0, 1, 1, 0, 1])
        let expected = [
            0.0,
            1.0 / 3.0,
            1.0 / 3.0,
            1.0 / 3.0,
            2.0 / 3.0,
            2.0 / 3.0,
            2.0 / 3.0,
            1.0,
        ];
        let y = [0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0];
        let blocks = y.iter().zip(1..).map(|(&sum, x)| Block {
            first: f64::from(x),
            last: f64::from(x),
            weight: 1.0,
            sum,
        });
        let pooled = pool(blocks);
        for (x, expected) in (1..).zip(expected) {
            let x = f64::from(x);
            let block = pooled.iter().find(|b| b.first <= x && x <= b.last).unwrap();
            assert!((block.mean() - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn the_curve_rises_and_never_claims_certainty() {
        let x: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 50)).collect();
        let y: Vec<f64> = x.iter().map(|x| f64::from(u8::from(*x > 30.0))).collect();
        let curve = RisingCurve::fit(&x, &y);
        let values: Vec<f64> = (-5..60).map(|x| curve.at(f64::from(x))).collect();
        assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(values[0] > 0.0 && values[0] < 0.05 && values[64] > 0.95 && values[64] < 1.0);
    }
}
