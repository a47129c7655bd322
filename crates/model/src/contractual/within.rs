//! Contracts in the middle of a period: who leaves within one, and who at its end.
//!
//! Of those who leave in a period a share does so at its end (contracts that are cancelled end there); the others leave at any time
//! within it, as the survival between whole periods says. So S at the age k + u, 0 <= u < 1, is the mean of S(k) and S(k + u), weighted
//! with that share and the rest.

use crate::laplace::Estimate;
use crate::metrics::logit;
use crate::optimise::Cholesky;
use crate::special::GAUSS_16;

use super::age::ContractAge;
use super::renewal::{RenewalFit, ln_survival};

/// Pieces, each a quarter of the one before, in which a period is integrated whose start is the start of the contract: there the hazard
/// of BdW with c < 1 has no bound.
const PIECES: u32 = 12;

impl RenewalFit {
    /// Probability that a customer whose contract has one age still has it at a later one, in [0, 1].
    pub fn stays(&self, from: ContractAge, to: ContractAge) -> f64 {
        stays(&self.parameters, self.at_ends, from, to)
    }

    /// [`Self::stays`] with intervals over `draws` parameter draws.
    pub fn stays_estimate(
        &self,
        (from, to): (ContractAge, ContractAge),
        draws: usize,
        seed: u64,
    ) -> Estimate {
        self.estimated(|p| stays(p, self.at_ends, from, to), draws, seed)
    }

    /// What the errors of the parameters do to predictions of [`Self::stays`] for customers of these ages. The parameters err together, as
    /// their covariance says; by each of its independent parts: by how much one standard deviation moves the sum of the predictions,
    /// and the sum of their products with the log-odds of `predicted`, which are inside (0, 1). None where the covariance is not known.
    pub fn errors_of_predictions(
        &self,
        ages: &[[ContractAge; 2]],
        predicted: &[f64],
    ) -> Vec<[f64; 2]> {
        let parts = self.parameters.len();
        let known = Some(&self.log_covariance).filter(|covariance| covariance.len() == parts);
        let Some(factor) = known.and_then(|covariance| Cholesky::new(covariance)) else {
            return Vec::new();
        };
        let moved = (0..parts).map(|part| {
            let one: Vec<f64> = (0..parts).map(|i| f64::from(u8::from(i == part))).collect();
            let by = factor.colour(&one);
            let at = |sign: f64| -> Vec<f64> {
                let both = self.parameters.iter().zip(&by);
                both.map(|(p, by)| p * (sign * by).exp()).collect()
            };
            let (up, down) = (at(1.0), at(-1.0));
            let moves = ages.iter().zip(predicted).map(|(&[from, to], p)| {
                let of = |parameters: &[f64]| stays(parameters, self.at_ends, from, to);
                let by = (of(&up) - of(&down)) / 2.0;
                [by, by * logit(*p)]
            });
            moves.fold([0.0; 2], |sum, by| [sum[0] + by[0], sum[1] + by[1]])
        });
        moved.collect()
    }

    /// Expected part of a period, between two parts of it, in which a customer of an age at or before them still has the contract: the
    /// area under [`Self::stays`], in periods.
    pub fn time_within(&self, from: ContractAge, period: u32, [start, end]: [f64; 2]) -> f64 {
        let rule = &*GAUSS_16;
        let mut area = 0.0;
        let mut add = |from_part: f64, to_part: f64| {
            let width = to_part - from_part;
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let at = ContractAge {
                    periods: period,
                    part: from_part + width * node,
                };
                area += width * weight * self.stays(from, at);
            }
        };
        let mut to = end;
        if period == 0 {
            for _ in 0..PIECES {
                let middle = start + (to - start) / 4.0;
                add(middle, to);
                to = middle;
            }
        }
        add(start, to);
        area
    }
}

fn stays(p: &[f64], at_ends: f64, from: ContractAge, to: ContractAge) -> f64 {
    let [from, to] = [from, to].map(|age| {
        let whole = ln_survival(p, f64::from(age.periods));
        let within = ln_survival(p, f64::from(age.periods) + age.part);
        (whole, at_ends + (1.0 - at_ends) * (within - whole).exp())
    });
    (to.0 - from.0).exp() * to.1 / from.1
}

#[cfg(test)]
mod tests {
    use super::super::renewal::{RenewalHistory, RenewalModel};
    use super::*;

    fn fit(parameters: &[f64], at_ends: f64) -> RenewalFit {
        let model = match parameters.len() {
            1 => RenewalModel::OneRate,
            2 => RenewalModel::Sbg,
            _ => RenewalModel::Bdw,
        };
        RenewalFit {
            model,
            parameters: parameters.to_vec(),
            standard_errors: vec![],
            log_covariance: vec![],
            log_likelihood: 0.0,
            customers: 0.0,
            gradient_norm: 0.0,
            at_ends,
        }
    }

    fn age(periods: u32, part: f64) -> ContractAge {
        ContractAge { periods, part }
    }

    #[test]
    fn who_leaves_at_the_ends_of_periods_stays_within_them() {
        let ends = fit(&[0.668, 3.806], 1.0);
        assert_eq!(ends.stays(age(3, 0.2), age(3, 0.9)), 1.0);
        let renewed = ends.survival(5.0) / ends.survival(3.0);
        assert!((ends.stays(age(3, 0.9), age(5, 0.1)) - renewed).abs() < 1e-15);
        // On any day: 0.7 to the power of the time between.
        let any = fit(&[0.3], 0.0);
        assert!((any.stays(age(3, 0.9), age(5, 0.1)) - 0.7_f64.powf(1.2)).abs() < 1e-15);
        // A half and a half: (0.5 + 0.5 * 0.7^0.1) / (0.5 + 0.5 * 0.7^0.9) * 0.7^2.
        let both = fit(&[0.3], 0.5);
        let want = (1.0 + 0.7_f64.powf(0.1)) / (1.0 + 0.7_f64.powf(0.9)) * 0.49;
        assert!((both.stays(age(3, 0.9), age(5, 0.1)) - want).abs() < 1e-15);
    }

    /// Of one age, the parts add up to the spread of the prediction over draws of the parameters, times the number of customers.
    #[test]
    fn errors_of_predictions_are_those_of_the_parameters() {
        let mut fitted = fit(&[0.668, 3.806, 1.2], 0.3);
        fitted.log_covariance = vec![
            vec![4e-4, 2e-4, -1e-4],
            vec![2e-4, 9e-4, 1e-4],
            vec![-1e-4, 1e-4, 1e-4],
        ];
        let ages = [age(3, 0.2), age(9, 0.5)];
        let share = fitted.stays(ages[0], ages[1]);
        let errors = fitted.errors_of_predictions(&[ages; 40], &[share; 40]);
        assert_eq!(errors.len(), 3);
        let estimate = fitted.stays_estimate((ages[0], ages[1]), 4_000, 1);
        let error = (estimate.high_95 - estimate.low_95) / (2.0 * crate::special::Z_95);
        let sum = |of: usize| errors.iter().map(|e| e[of] * e[of]).sum::<f64>().sqrt();
        assert!((sum(0) / (40.0 * error) - 1.0).abs() < 0.02);
        assert!((sum(1) / (sum(0) * logit(share).abs()) - 1.0).abs() < 1e-12);
        // A rate that is known, and a whole period within which nobody leaves.
        let known = fit(&[0.3], 1.0);
        assert!(known.errors_of_predictions(&[ages], &[share]).is_empty());
    }

    #[test]
    fn time_within_periods_is_the_area_under_the_curve() {
        let falling = [0.7, 2.0, 0.4];
        for (parameters, at_ends) in [
            (&[0.3][..], 0.0),
            (&[0.668, 3.806], 0.25),
            (&falling, 0.0),
            (&falling, 0.9),
            (&falling, 1.0),
        ] {
            let fit = fit(parameters, at_ends);
            for (from, period, [start, end]) in [
                (age(0, 0.0), 0, [0.0, 1.0]),
                (age(0, 0.0), 0, [0.0, 0.3]),
                (age(0, 0.2), 0, [0.2, 0.9]),
                (age(2, 0.5), 7, [0.0, 0.5]),
            ] {
                let found = fit.time_within(from, period, [start, end]);
                // Substituting u = v^4 takes the unbounded hazard away; the midpoint rule does the rest.
                let steps = 200_000;
                let width = f64::powf(end - start, 0.25) / f64::from(steps);
                let at = |step: i32| {
                    let v = (f64::from(step) + 0.5) * width;
                    fit.stays(from, age(period, start + v.powi(4))) * 4.0 * v.powi(3)
                };
                let area = (0..steps).map(at).sum::<f64>() * width;
                assert!(
                    (found - area).abs() < 1e-6,
                    "{parameters:?} {from:?}: {found} {area}"
                );
            }
        }
    }

    /// Contracts of one exponential rate, seen up to any part of a period. The rate is within four standard errors of the simulated
    /// one, and its likelihood falls on both sides. Counting who leaves within a period that has not ended, but not who stays in it,
    /// gives a rate that is more than four too high.
    #[test]
    fn contracts_within_a_period_are_counted_as_long_as_they_were_seen() {
        let (hazard, mut random) = (0.08_f64, 11_u64);
        let mut unit = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((random >> 11) as f64 + 0.5) / 2_f64.powi(53)
        };
        let mut history = RenewalHistory::leaving(0.0);
        let (mut left, mut decided) = (0.0, 0.0);
        for customer in 0..20_000 {
            // Whole parts, so that few ages are distinct.
            let seen = f64::from(1 + customer % 60) / 10.0;
            let life = -unit().ln() / hazard;
            let now = age(seen.floor() as u32, seen.fract());
            let period = life.floor() as u32;
            if life >= seen {
                history.add_within(now, false).unwrap();
                decided += f64::from(now.periods);
                continue;
            }
            left += 1.0;
            decided += f64::from(period + 1);
            if f64::from(period + 1) <= seen {
                history.add(period + 1, true, 1.0).unwrap();
            } else {
                history.add_within(now, true).unwrap();
            }
        }
        let apart = |rate: f64| ((-(-rate).ln_1p()) / hazard - 1.0) * f64::sqrt(left);
        let found = RenewalFit::of_one_rate(&history).unwrap().parameters[0];
        assert!(apart(found).abs() < 4.0, "{found}");
        let biased = left / decided;
        assert!(apart(biased) > 4.0, "{biased}");
        // sBG with the same data: where customers do not differ it has no estimate, or one that is as good.
        if let Ok(fit) = RenewalFit::fit(RenewalModel::Sbg, &history) {
            let within = fit.stays(age(1, 0.3), age(2, 0.8));
            assert!(
                (within / (-hazard * 1.5).exp() - 1.0).abs() < 0.02,
                "{within}"
            );
        }
    }
}
