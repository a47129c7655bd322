//! Kaplan and Meier's survival curve, with late entry.

use serde::{Deserialize, Serialize};

use crate::lifetime_error::LifetimeError;
use crate::metrics::logit;
use crate::special::Z_95;

/// One customer's observed lifetime, in any one unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lifetime {
    /// Age at which observation began: 0, or later when the customer was there before records start (left truncation).
    pub entry: f64,
    /// Age at the end of observation; > `entry`.
    pub exit: f64,
    /// Whether the customer left at `exit`; otherwise it was still there.
    pub left: bool,
    /// Number of customers, > 0.
    pub weight: f64,
}

/// The curve at one age at which somebody left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurveStep {
    /// Age.
    pub time: f64,
    /// Customers under observation just before it.
    pub at_risk: f64,
    /// Customers who left at it.
    pub left: f64,
    /// S: share still there after it, in [0, 1].
    pub survival: f64,
    /// Greenwood's standard error of S.
    pub standard_error: f64,
    /// Lower end of the 95% interval on the log-log scale; `None` once S is 0.
    pub low_95: Option<f64>,
    /// Upper end.
    pub high_95: Option<f64>,
}

/// A survival curve: 1 until the first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurvivalCurve {
    /// Its steps, by age.
    pub steps: Vec<CurveStep>,
    /// Age beyond which nobody was observed: the curve has no estimate there.
    pub observed_until: f64,
}

impl SurvivalCurve {
    /// Estimates the curve (Kaplan & Meier 1958; variance of Greenwood 1926). A customer counts as at risk at age t when
    /// entry < t <= exit; departures at an age come before censoring at it. With late entry all customers at risk at an early
    /// age may leave; the curve is then 0 from there on, as the estimator is defined.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] without customers; [`LifetimeError::OutOfRange`] for an exit not after its entry,
    /// a negative entry, or a weight that is not positive (NaN included).
    pub fn fit(lifetimes: &[Lifetime]) -> Result<Self, LifetimeError> {
        let model = "kaplan_meier";
        if lifetimes.is_empty() {
            return Err(LifetimeError::TooLittleData {
                model,
                what: "customers",
                found: 0,
                needed: 1,
            });
        }
        for l in lifetimes {
            let bad = |what, value, range| {
                Err(LifetimeError::OutOfRange {
                    model,
                    what,
                    value,
                    range,
                })
            };
            if !(l.entry >= 0.0 && l.entry.is_finite()) {
                return bad("the age at entry", l.entry, ">= 0 and finite");
            }
            if !(l.exit > l.entry && l.exit.is_finite()) {
                return bad(
                    "the age at exit",
                    l.exit,
                    "after the age at entry, and finite",
                );
            }
            if !(l.weight > 0.0 && l.weight.is_finite()) {
                return bad("the weight of a customer", l.weight, "positive and finite");
            }
        }
        let mut entries: Vec<(f64, f64)> = lifetimes.iter().map(|l| (l.entry, l.weight)).collect();
        entries.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut exits: Vec<&Lifetime> = lifetimes.iter().collect();
        exits.sort_unstable_by(|a, b| {
            a.exit
                .total_cmp(&b.exit)
                .then(a.left.cmp(&b.left))
                .then(a.weight.total_cmp(&b.weight))
        });
        let (mut steps, mut next_entry) = (Vec::new(), 0);
        let (mut entered, mut gone) = (0.0, 0.0);
        let (mut survival, mut greenwood) = (1.0, 0.0);
        for group in exits.chunk_by(|a, b| a.exit == b.exit) {
            let time = group[0].exit;
            while let Some((_, weight)) = entries.get(next_entry).filter(|(entry, _)| *entry < time)
            {
                entered += weight;
                next_entry += 1;
            }
            let at_risk: f64 = entered - gone;
            let left: f64 = group.iter().filter(|l| l.left).map(|l| l.weight).sum();
            if left > 0.0 {
                // With fractional weights, rounding may make the customers at risk fewer than those who leave.
                let stay = (1.0 - left / at_risk).max(0.0);
                survival *= stay;
                greenwood += if stay > 0.0 {
                    left / (at_risk * (at_risk - left))
                } else {
                    f64::INFINITY
                };
                steps.push(step(time, at_risk, left, survival, greenwood));
            }
            gone += group.iter().map(|l| l.weight).sum::<f64>();
        }
        let observed_until = exits.last().map_or(0.0, |l| l.exit);
        Ok(Self {
            steps,
            observed_until,
        })
    }

    /// S(t): share still there after age `t`. Beyond [`Self::observed_until`] the last value is used.
    pub fn survival(&self, t: f64) -> f64 {
        match self.steps.partition_point(|s| s.time <= t) {
            0 => 1.0,
            place => self.steps[place - 1].survival,
        }
    }

    /// Probability that a customer there at age `age` is still there `ahead` later: S(age + ahead) / S(age). `None` when
    /// nobody survives to `age` or `age + ahead` was never observed.
    pub fn conditional_survival(&self, age: f64, ahead: f64) -> Option<f64> {
        let now = self.survival(age);
        (now > 0.0 && age + ahead <= self.observed_until).then(|| self.survival(age + ahead) / now)
    }

    /// Greenwood's standard error of [`Self::conditional_survival`], of which it is the curve from `age` on. `None` where that is, and
    /// where nobody survives so long.
    pub fn conditional_error(&self, age: f64, ahead: f64) -> Option<f64> {
        let share = self.conditional_survival(age, ahead)?;
        let relative = |t: f64| match self.steps.partition_point(|s| s.time <= t) {
            0 => 0.0,
            place => {
                let step = &self.steps[place - 1];
                (step.standard_error / step.survival).powi(2)
            }
        };
        let variance = relative(age + ahead) - relative(age);
        (share > 0.0).then(|| share * variance.max(0.0).sqrt())
    }

    /// What the errors of the curve do to predictions of [`Self::conditional_survival`] for customers of these ages: each of its steps errs
    /// independently of the others (Greenwood 1926), and moves the predictions of all customers who are to outlast it. By step: by how much
    /// one standard deviation moves the sum of the predictions, and the sum of their products with their log-odds. The predictions are
    /// inside (0, 1).
    pub fn errors_of_predictions(
        &self,
        ages: &[f64],
        ahead: f64,
        predicted: &[f64],
    ) -> Vec<[f64; 2]> {
        let mut rows: Vec<(f64, f64)> = ages
            .iter()
            .copied()
            .zip(predicted.iter().copied())
            .collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut sums = vec![[0.0; 2]];
        let mut sum = [0.0; 2];
        for (_, p) in &rows {
            sum = [sum[0] + p, sum[1] + p * logit(*p)];
            sums.push(sum);
        }
        let younger = |age: f64| rows.partition_point(|row| row.0 < age);
        let steps = self.steps.iter().filter(|step| step.at_risk > step.left);
        let moved = steps.map(|step| {
            let hazard = (step.left / (step.at_risk * (step.at_risk - step.left))).sqrt();
            let (first, last) = (younger(step.time - ahead), younger(step.time));
            [0, 1].map(|of| hazard * (sums[last][of] - sums[first][of]))
        });
        moved.filter(|moved| *moved != [0.0; 2]).collect()
    }

    /// Restricted mean survival time: the integral of S from 0 to `tau`. `None` when `tau` was never observed and somebody
    /// might have lived until then.
    pub fn restricted_mean(&self, tau: f64) -> Option<f64> {
        let last = self.steps.last().map_or(1.0, |s| s.survival);
        if tau.is_nan() || tau < 0.0 || (tau > self.observed_until && last > 0.0) {
            return None;
        }
        let (mut area, mut from, mut level) = (0.0, 0.0, 1.0);
        for step in self.steps.iter().take_while(|s| s.time < tau) {
            area += level * (step.time - from);
            (from, level) = (step.time, step.survival);
        }
        Some(area + level * (tau - from))
    }

    /// The smallest age at which S is at most one half; `None` when the curve does not fall that far.
    pub fn median(&self) -> Option<f64> {
        self.steps
            .iter()
            .find(|s| s.survival <= 0.5 + 1e-12)
            .map(|s| s.time)
    }
}

fn step(time: f64, at_risk: f64, left: f64, survival: f64, greenwood: f64) -> CurveStep {
    if survival <= 0.0 {
        return CurveStep {
            time,
            at_risk,
            left,
            survival: 0.0,
            standard_error: 0.0,
            low_95: None,
            high_95: None,
        };
    }
    // On the scale ln(-ln S) the interval stays within [0, 1].
    let spread = Z_95 * greenwood.sqrt() / survival.ln().abs();
    let bound = |sign: f64| Some(survival.powf((sign * spread).exp()));
    CurveStep {
        time,
        at_risk,
        left,
        survival,
        standard_error: survival * greenwood.sqrt(),
        low_95: bound(1.0),
        high_95: bound(-1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(entry: f64, exit: f64, left: bool) -> Lifetime {
        Lifetime {
            entry,
            exit,
            left,
            weight: 1.0,
        }
    }

    /// Remission times of 21 leukaemia patients on 6-MP: Freireich et al. 1963, as tabulated in Kalbfleisch & Prentice.
    fn six_mp() -> Vec<Lifetime> {
        let times = [
            (6.0, true),
            (6.0, true),
            (6.0, true),
            (6.0, false),
            (7.0, true),
            (9.0, false),
            (10.0, true),
            (10.0, false),
            (11.0, false),
            (13.0, true),
            (16.0, true),
            (17.0, false),
            (19.0, false),
            (20.0, false),
            (22.0, true),
            (23.0, true),
            (25.0, false),
            (32.0, false),
            (32.0, false),
            (34.0, false),
            (35.0, false),
        ];
        times
            .iter()
            .map(|&(exit, left)| life(0.0, exit, left))
            .collect()
    }

    #[test]
    fn matches_freireich_1963_as_published() {
        let curve = SurvivalCurve::fit(&six_mp()).unwrap();
        let want = [
            (6.0, 21.0, 0.857, 0.0764),
            (7.0, 17.0, 0.807, 0.0869),
            (10.0, 15.0, 0.753, 0.0963),
            (13.0, 12.0, 0.690, 0.1068),
            (16.0, 11.0, 0.627, 0.1141),
            (22.0, 7.0, 0.538, 0.1282),
            (23.0, 6.0, 0.448, 0.1346),
        ];
        assert_eq!(curve.steps.len(), want.len());
        for (step, (time, at_risk, survival, error)) in curve.steps.iter().zip(want) {
            assert_eq!((step.time, step.at_risk), (time, at_risk));
            assert!(
                (step.survival - survival).abs() < 5e-4
                    && (step.standard_error - error).abs() < 5e-5,
                "{step:?}"
            );
        }
        assert_eq!(curve.median(), Some(23.0));
        // 6 + 6/7 + ... by hand: the area under the published steps up to 10.
        let area = 6.0 + 0.857_142_857 + 3.0 * 0.806_722_689;
        assert!((curve.restricted_mean(10.0).unwrap() - area).abs() < 1e-8);
        assert!(curve.restricted_mean(40.0).is_none());
        let first = curve.steps[0];
        assert!(first.low_95.unwrap() < first.survival && first.high_95.unwrap() < 1.0);
    }

    #[test]
    fn the_error_of_a_conditional_share_is_that_of_those_who_were_there() {
        let all = SurvivalCurve::fit(&six_mp()).unwrap();
        let there = six_mp().into_iter().filter(|life| life.exit > 10.0);
        let later: Vec<Lifetime> = there
            .map(|life| Lifetime {
                entry: 10.0,
                ..life
            })
            .collect();
        let alone = SurvivalCurve::fit(&later).unwrap();
        for (until, place) in [(13.0, 0), (22.0, 2), (23.0, 3)] {
            let error = all.conditional_error(10.0, until - 10.0).unwrap();
            assert!((error - alone.steps[place].standard_error).abs() < 1e-12);
        }
        assert_eq!(all.conditional_error(10.0, 2.0), Some(0.0));
        assert_eq!(all.conditional_error(10.0, 90.0), None);
    }

    /// Of one age, the errors of the steps add up to Greenwood's error of the share, times the number of customers.
    #[test]
    fn errors_of_predictions_are_those_of_the_curve() {
        let curve = SurvivalCurve::fit(&six_mp()).unwrap();
        let (age, ahead) = (7.0, 15.0);
        let share = curve.conditional_survival(age, ahead).unwrap();
        let errors = curve.errors_of_predictions(&[age; 40], ahead, &[share; 40]);
        let error = curve.conditional_error(age, ahead).unwrap();
        let sum = |of: usize| errors.iter().map(|e| e[of] * e[of]).sum::<f64>().sqrt();
        assert!((sum(0) / (40.0 * error) - 1.0).abs() < 1e-12);
        let odds = (share / (1.0 - share)).ln();
        assert!((sum(1) / (40.0 * error * odds.abs()) - 1.0).abs() < 1e-12);
        // The steps at 10, 13, 16 and 22; those at 6 and 7 are over, and that at 23 is beyond.
        assert_eq!(errors.len(), 4);
        // Who is to outlast other steps adds nothing to these.
        let apart = curve.errors_of_predictions(&[age, 22.0], 1.0, &[share, share]);
        assert_eq!(apart.len(), 1);
    }

    #[test]
    fn late_entry_counts_from_entry_only() {
        let lives = [
            life(0.0, 2.0, true),
            life(0.0, 5.0, false),
            life(3.0, 4.0, true),
            life(3.0, 6.0, false),
        ];
        let curve = SurvivalCurve::fit(&lives).unwrap();
        // At 2: two at risk, one leaves. At 4: the survivor and the two late entrants, one leaves.
        assert_eq!(
            curve.steps.iter().map(|s| s.at_risk).collect::<Vec<_>>(),
            [2.0, 3.0]
        );
        assert!((curve.survival(4.0) - 0.5 * 2.0 / 3.0).abs() < 1e-15);
        assert!((curve.conditional_survival(2.0, 2.0).unwrap() - 2.0 / 3.0).abs() < 1e-15);
        assert!(curve.conditional_survival(5.0, 2.0).is_none());
    }

    #[test]
    fn weights_equal_repeated_rows_and_order_does_not_matter() {
        let mut doubled: Vec<Lifetime> = six_mp().into_iter().chain(six_mp()).collect();
        doubled.reverse();
        let weighted: Vec<Lifetime> = six_mp()
            .iter()
            .map(|l| Lifetime { weight: 2.0, ..*l })
            .collect();
        assert_eq!(
            SurvivalCurve::fit(&doubled).unwrap(),
            SurvivalCurve::fit(&weighted).unwrap()
        );
    }

    #[test]
    fn impossible_lifetimes_are_refused() {
        assert!(SurvivalCurve::fit(&[]).is_err());
        for bad in [
            life(0.0, 0.0, true),
            life(-1.0, 2.0, true),
            life(0.0, f64::NAN, true),
            life(f64::NAN, 1.0, true),
        ] {
            assert!(SurvivalCurve::fit(&[bad]).is_err());
        }
        let nobody_left = SurvivalCurve::fit(&[life(0.0, 3.0, false)]).unwrap();
        assert_eq!(
            (nobody_left.survival(2.0), nobody_left.restricted_mean(3.0)),
            (1.0, Some(3.0))
        );
        let all_left = SurvivalCurve::fit(&[life(0.0, 3.0, true)]).unwrap();
        assert_eq!(
            (all_left.survival(3.0), all_left.restricted_mean(10.0)),
            (0.0, Some(3.0))
        );
    }
}
