//! The discrete-time hazard: the probability that a customer still there leaves in a period, from age and covariates.
//!
//! logit h(t | x) = alpha_t + x b, or cloglog h = alpha_t + x b (grouped proportional hazards). The baseline alpha_t is constant
//! within *bands* of age, joined so that each holds enough departures; it is fitted by iteratively reweighted least squares on
//! one row per customer and band, not per customer and period.

mod scoring;

use serde::{Deserialize, Serialize};

use crate::lifetime_error::LifetimeError;
use crate::special::logistic;
use scoring::{Cell, Design, Solved};

/// How the linear predictor becomes a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HazardLink {
    /// Log-odds: h = 1 / (1 + e^-eta).
    Logit,
    /// Complementary log-log: h = 1 - e^(-e^eta); coefficients are log hazard ratios.
    Cloglog,
}

impl HazardLink {
    /// h and its derivative in eta.
    fn hazard(self, eta: f64) -> (f64, f64) {
        let eta = eta.clamp(-30.0, 30.0);
        match self {
            Self::Logit => {
                let h = logistic(eta);
                (h, h * (1.0 - h))
            }
            Self::Cloglog => {
                let e = eta.min(3.5).exp();
                (-(-e).exp_m1(), e * (-e).exp())
            }
        }
    }

    fn eta(self, hazard: f64) -> f64 {
        match self {
            Self::Logit => (hazard / (1.0 - hazard)).ln(),
            Self::Cloglog => (-(-hazard).ln_1p()).ln(),
        }
    }
}

/// One customer under observation for whole periods.
#[derive(Debug, Clone, PartialEq)]
pub struct Spell {
    /// Periods the customer had completed before observation began (left truncation); 0 when seen from the start.
    pub entry: u32,
    /// Periods completed at the end of observation, the one in which it left included; > `entry`.
    pub exit: u32,
    /// Whether it left in period `exit`.
    pub left: bool,
    /// Covariates, the same number for every spell, finite; constant over the spell.
    pub covariates: Vec<f64>,
    /// Number of customers, > 0.
    pub weight: f64,
}

/// A fitted hazard model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HazardFit {
    /// The link.
    pub link: HazardLink,
    /// First period of each baseline band, ascending from 1; the last band is open.
    pub band_starts: Vec<u32>,
    /// alpha of each band.
    pub baseline: Vec<f64>,
    /// Coefficients of the covariates as given, not standardised.
    pub coefficients: Vec<f64>,
    /// Standard errors of `baseline`, then `coefficients`.
    pub standard_errors: Vec<f64>,
    /// Maximised log-likelihood.
    pub log_likelihood: f64,
    /// Customers used by the fit.
    pub customers: f64,
    /// Departures among them.
    pub departures: f64,
    /// Largest component of the gradient of the mean log-likelihood at the estimate, standardised covariates.
    pub gradient_norm: f64,
}

/// Least number of departures in a baseline band: with fewer its alpha is too uncertain.
const BAND_DEPARTURES: f64 = 10.0;
/// Largest number of bands: more would only add noise to the baseline.
const MAX_BANDS: usize = 60;
/// The spread of a standardised covariate below which it counts as constant.
const CONSTANT: f64 = 1e-12;

impl HazardFit {
    /// Fits by maximum likelihood.
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a spell that is impossible or a covariate that is not finite or constant;
    /// [`LifetimeError::LengthMismatch`] when spells have different numbers of covariates;
    /// [`LifetimeError::TooLittleData`] with fewer than ten departures per covariate, counting the baseline as one;
    /// [`LifetimeError::NotFitted`] when the covariates are collinear or separate those who leave from those who stay.
    pub fn fit(link: HazardLink, spells: &[Spell]) -> Result<Self, LifetimeError> {
        let model = "discrete_hazard";
        check(model, spells)?;
        let width = spells.first().map_or(0, |s| s.covariates.len());
        let departures: f64 = spells.iter().filter(|s| s.left).map(|s| s.weight).sum();
        let needed = 10 * (width as u64 + 1);
        if departures < needed as f64 {
            return Err(LifetimeError::TooLittleData {
                model,
                what: "departures",
                found: departures as u64,
                needed,
            });
        }
        let band_starts = bands(spells);
        let cells = cells(spells, &band_starts);
        let (means, spreads) = standardisation(model, spells, width)?;
        let customers: f64 = spells.iter().map(|s| s.weight).sum();
        let design = Design {
            link,
            spells,
            cells,
            bands: band_starts.len(),
            means,
            spreads,
            customers,
        };
        let solved = design
            .solve()
            .map_err(|failure| LifetimeError::not_fitted(model, failure, None))?;
        Ok(design.published(&solved, band_starts, departures))
    }

    fn eta(&self, period: u32, covariates: &[f64]) -> f64 {
        let band = self
            .band_starts
            .partition_point(|start| *start <= period)
            .max(1)
            - 1;
        self.baseline[band]
            + self
                .coefficients
                .iter()
                .zip(covariates)
                .map(|(b, x)| b * x)
                .sum::<f64>()
    }

    /// Probability to leave in `period` (1-based), given that the customer is still there at its start; in (0, 1).
    pub fn hazard(&self, period: u32, covariates: &[f64]) -> f64 {
        self.link.hazard(self.eta(period, covariates)).0
    }

    /// Probability to be there after `period` periods.
    pub fn survival(&self, period: u32, covariates: &[f64]) -> f64 {
        self.conditional_survival(0, period, covariates)
    }

    /// Probability that a customer there after `age` periods is there `ahead` periods later. The hazard of the last band
    /// continues without end.
    pub fn conditional_survival(&self, age: u32, ahead: u32, covariates: &[f64]) -> f64 {
        (1..=ahead)
            .map(|k| 1.0 - self.hazard(age + k, covariates))
            .product()
    }

    /// Expected periods stayed among the next `horizon` by a customer there after `age`, and the same discounted: a period
    /// stayed to its end counts (1 + discount)^-k. The second times the margin per period is the residual value.
    pub fn expected_remaining(
        &self,
        age: u32,
        horizon: u32,
        covariates: &[f64],
        discount: f64,
    ) -> (f64, f64) {
        let (mut there, mut plain, mut discounted) = (1.0, 0.0, 0.0);
        for k in 1..=horizon {
            there *= 1.0 - self.hazard(age + k, covariates);
            plain += there;
            discounted += there * (-f64::from(k) * discount.ln_1p()).exp();
        }
        (plain, discounted)
    }
}

fn check(model: &'static str, spells: &[Spell]) -> Result<(), LifetimeError> {
    let width = spells.first().map_or(0, |s| s.covariates.len());
    for spell in spells {
        let bad = |what, value, range| {
            Err(LifetimeError::OutOfRange {
                model,
                what,
                value,
                range,
            })
        };
        if spell.exit <= spell.entry {
            return bad(
                "the end of a spell",
                f64::from(spell.exit),
                "after its entry",
            );
        }
        if !(spell.weight > 0.0 && spell.weight.is_finite()) {
            return bad(
                "the weight of a customer",
                spell.weight,
                "positive and finite",
            );
        }
        if spell.covariates.len() != width {
            let found = spell.covariates.len();
            return Err(LifetimeError::LengthMismatch {
                column: "covariates",
                found,
                first: "the first spell's",
                expected: width,
            });
        }
        if let Some(&value) = spell.covariates.iter().find(|v| !v.is_finite()) {
            return bad("a covariate", value, "finite");
        }
    }
    Ok(())
}

/// First periods of bands with at least [`BAND_DEPARTURES`] departures each; a last band with fewer joins the one before.
fn bands(spells: &[Spell]) -> Vec<u32> {
    let mut by_period = std::collections::BTreeMap::new();
    for spell in spells.iter().filter(|s| s.left) {
        *by_period.entry(spell.exit).or_insert(0.0) += spell.weight;
    }
    let total: f64 = by_period.values().sum();
    let needed = BAND_DEPARTURES.max(total / MAX_BANDS as f64);
    let (mut starts, mut held, mut spoken_for) = (vec![1], 0.0, 0.0);
    for (period, left) in by_period {
        held += left;
        spoken_for += left;
        if held >= needed && total - spoken_for >= needed {
            starts.push(period + 1);
            held = 0.0;
        }
    }
    starts
}

fn cells(spells: &[Spell], band_starts: &[u32]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (place, spell) in spells.iter().enumerate() {
        for (band, &start) in band_starts.iter().enumerate() {
            let end = band_starts.get(band + 1).map_or(u32::MAX, |next| next - 1);
            // Periods entry + 1 ..= exit, cut to the band.
            let (first, last) = (start.max(spell.entry + 1), end.min(spell.exit));
            if first <= last {
                let left = f64::from(u8::from(spell.left && last == spell.exit));
                cells.push(Cell {
                    band,
                    spell: place,
                    periods: f64::from(last - first + 1),
                    left,
                });
            }
        }
    }
    cells
}

fn standardisation(
    model: &'static str,
    spells: &[Spell],
    width: usize,
) -> Result<(Vec<f64>, Vec<f64>), LifetimeError> {
    let total: f64 = spells.iter().map(|s| s.weight).sum();
    let (mut means, mut spreads) = (Vec::with_capacity(width), Vec::with_capacity(width));
    for k in 0..width {
        let mean = spells
            .iter()
            .map(|s| s.weight * s.covariates[k])
            .sum::<f64>()
            / total;
        let variance = spells
            .iter()
            .map(|s| s.weight * (s.covariates[k] - mean).powi(2))
            .sum::<f64>()
            / total;
        let spread = variance.sqrt();
        if spread <= CONSTANT * (1.0 + mean.abs()) {
            let what = "the spread of a covariate";
            return Err(LifetimeError::OutOfRange {
                model,
                what,
                value: spread,
                range: "> 0: a constant covariate has no information",
            });
        }
        means.push(mean);
        spreads.push(spread);
    }
    Ok((means, spreads))
}

impl Design<'_> {
    /// Back to the covariates as given: b = b* / spread, alpha = alpha* - sum of b mean.
    fn published(&self, solved: &Solved, band_starts: Vec<u32>, departures: f64) -> HazardFit {
        let covariance = solved.information.inverse();
        let coefficients: Vec<f64> = solved.theta[self.bands..]
            .iter()
            .zip(&self.spreads)
            .map(|(b, s)| b / s)
            .collect();
        let shift: f64 = coefficients
            .iter()
            .zip(&self.means)
            .map(|(b, m)| b * m)
            .sum();
        // alpha is linear in the standardised parameters: one for its band, -mean / spread for each covariate.
        let size = solved.theta.len();
        let baseline_error = |band: usize| {
            let mut direction = vec![0.0; size];
            direction[band] = 1.0;
            for k in 0..self.means.len() {
                direction[self.bands + k] = -self.means[k] / self.spreads[k];
            }
            let quadratic: f64 = (0..size)
                .flat_map(|i| (0..size).map(move |j| (i, j)))
                .map(|(i, j)| direction[i] * covariance[i][j] * direction[j])
                .sum();
            quadratic.sqrt()
        };
        let own = |k: usize| covariance[self.bands + k][self.bands + k].sqrt() / self.spreads[k];
        HazardFit {
            link: self.link,
            band_starts,
            baseline: solved.theta[..self.bands]
                .iter()
                .map(|a| a - shift)
                .collect(),
            standard_errors: (0..self.bands)
                .map(baseline_error)
                .chain((0..self.means.len()).map(own))
                .collect(),
            coefficients,
            log_likelihood: solved.value,
            customers: self.customers,
            departures,
            gradient_norm: solved.gradient_norm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    fn simulate(link: HazardLink, seed: u64, count: usize) -> Vec<Spell> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut unit = || (random.next_u64() >> 11) as f64 * 2f64.powi(-53);
        (0..count)
            .map(|_| {
                let covariates = vec![4.0 * unit() + 10.0, f64::from(u8::from(unit() < 0.3))];
                let mut period = 1;
                loop {
                    let baseline = if period <= 3 { -2.0 } else { -3.0 };
                    let (h, _) =
                        link.hazard(baseline + 0.4 * (covariates[0] - 12.0) - 0.8 * covariates[1]);
                    let left = unit() < h;
                    if left || period == 24 {
                        return Spell {
                            entry: 0,
                            exit: period,
                            left,
                            covariates,
                            weight: 1.0,
                        };
                    }
                    period += 1;
                }
            })
            .collect()
    }

    #[test]
    fn recovers_simulated_coefficients_within_three_standard_errors() {
        for link in [HazardLink::Logit, HazardLink::Cloglog] {
            let fit = HazardFit::fit(link, &simulate(link, 5, 8000)).unwrap();
            let errors = &fit.standard_errors[fit.baseline.len()..];
            for ((got, want), error) in fit.coefficients.iter().zip([0.4, -0.8]).zip(errors) {
                assert!(
                    (got - want).abs() < 3.0 * error && *error < 0.05,
                    "{link:?} {got} {want} {error}"
                );
            }
            // alpha in the first period, covariates as given.
            assert!((fit.baseline[0] - (-2.0 - 0.4 * 12.0)).abs() < 3.0 * fit.standard_errors[0]);
            assert!(fit.hazard(1, &[12.0, 0.0]) > fit.hazard(20, &[12.0, 0.0]));
        }
    }

    #[test]
    fn without_covariates_it_is_the_life_table() {
        let mut spells = simulate(HazardLink::Logit, 6, 3000);
        for spell in &mut spells {
            spell.covariates.clear();
        }
        let fit = HazardFit::fit(HazardLink::Logit, &spells).unwrap();
        // In a band of one period the maximum likelihood hazard is departures over customers at risk.
        let at_risk = spells.iter().filter(|s| s.exit >= 2).count() as f64;
        let left = spells.iter().filter(|s| s.left && s.exit == 2).count() as f64;
        assert_eq!(&fit.band_starts[..3], [1, 2, 3]);
        assert!((fit.hazard(2, &[]) - left / at_risk).abs() < 1e-9);
        let survival = fit.survival(5, &[]);
        assert!(
            (fit.conditional_survival(2, 3, &[]) - survival / fit.survival(2, &[])).abs() < 1e-12
        );
        let (plain, discounted) = fit.expected_remaining(2, 12, &[], 0.01);
        assert!(discounted < plain && plain < 12.0);
    }

    #[test]
    fn late_entry_adds_no_exposure_before_it() {
        let mut spells = simulate(HazardLink::Logit, 7, 4000);
        let whole = HazardFit::fit(HazardLink::Logit, &spells).unwrap();
        // Every other customer who lasts beyond period 2 is seen only from then on: the later hazard must not change.
        for spell in spells.iter_mut().filter(|s| s.exit > 2).step_by(2) {
            spell.entry = 2;
        }
        let late = HazardFit::fit(HazardLink::Logit, &spells).unwrap();
        let x = [12.0, 0.0];
        assert!((whole.hazard(8, &x) - late.hazard(8, &x)).abs() < 5e-3);
        // Of those seen from the start, twice the share now leaves early.
        assert!(late.hazard(1, &x) > 1.5 * whole.hazard(1, &x));
    }

    #[test]
    fn weights_equal_repeated_rows() {
        let spells = simulate(HazardLink::Logit, 8, 600);
        let doubled: Vec<Spell> = spells.iter().chain(&spells).cloned().collect();
        let weighted: Vec<Spell> = spells
            .iter()
            .map(|s| Spell {
                weight: 2.0,
                ..s.clone()
            })
            .collect();
        let (a, b) = (
            HazardFit::fit(HazardLink::Logit, &doubled).unwrap(),
            HazardFit::fit(HazardLink::Logit, &weighted).unwrap(),
        );
        assert_eq!(a.band_starts, b.band_starts);
        assert!(
            a.coefficients
                .iter()
                .zip(&b.coefficients)
                .all(|(a, b)| (a - b).abs() < 1e-8)
        );
    }

    #[test]
    fn what_is_not_identified_is_refused() {
        let good = simulate(HazardLink::Logit, 9, 2000);
        let changed = |change: &dyn Fn(&mut Spell)| {
            let mut spells = good.clone();
            spells.iter_mut().for_each(change);
            HazardFit::fit(HazardLink::Logit, &spells)
        };
        assert!(matches!(
            changed(&|s| s.covariates[1] = 1.0),
            Err(LifetimeError::OutOfRange { .. })
        ));
        assert!(matches!(
            changed(&|s| s.covariates[1] = 3.0 * s.covariates[0] - 1.0),
            Err(LifetimeError::NotFitted { .. })
        ));
        assert!(matches!(
            changed(&|s| s.covariates[1] = f64::from(u8::from(s.left))),
            Err(LifetimeError::NotFitted { .. })
        ));
        assert!(matches!(
            changed(&|s| s.covariates[0] = f64::NAN),
            Err(LifetimeError::OutOfRange { .. })
        ));
        assert!(matches!(
            changed(&|s| s.left = false),
            Err(LifetimeError::TooLittleData { .. })
        ));
        assert!(matches!(
            changed(&|s| s.exit = s.entry),
            Err(LifetimeError::OutOfRange { .. })
        ));
        assert!(HazardFit::fit(HazardLink::Logit, &[]).is_err());
    }
}
