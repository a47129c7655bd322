//! Renewal with one rate for all: every contract ends with the same probability at the end of each period (shifted geometric), the
//! limit of sBG (Fader & Hardie 2007) and of BdW with c = 1 as alpha and beta grow. Where customers do not differ in their risk, those
//! have no finite estimate, and this is what is left of them.

use super::renewal::{RenewalFit, RenewalHistory, RenewalModel, ln_survival};
use crate::lifetime_error::LifetimeError;

/// Twice the log-likelihood by which differing risks must explain more than one rate: chi-squared with one degree of freedom, of
/// which one rate is the boundary, at 5% (Self & Liang 1987).
const LEAST_RATIO: f64 = 2.705_543_454_095_404;

/// The same for a risk that changes with age, which may rise or fall: chi-squared with one degree of freedom at 0.1%. No model is left
/// then that could serve, so a right one should be refused once in a thousand times.
const LEAST_RATIO_OF_AGE: f64 = 10.827_566_170_662_733;

/// Powers of age, in twentieths, at which a risk that changes with age is compared with one rate: from 0.3 to 3.
const POWERS: std::ops::RangeInclusive<i32> = 6..=60;

/// Sums alpha + beta at which sBG is compared with one rate, as powers of ten in quarters: from -1 to 6.
const SUMS: std::ops::RangeInclusive<i32> = -4..=24;

impl RenewalFit {
    /// One rate for all customers: those who left, divided by the renewals that all decided on.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] with fewer than ten customers or none who left; [`LifetimeError::OutOfRange`] where nobody
    /// renewed, or where one rate is not all there is, by likelihood ratios: where sBG explains the history better (at 5%), or a risk
    /// that rises or falls with age (at 0.1%).
    pub fn of_one_rate(history: &RenewalHistory) -> Result<Self, LifetimeError> {
        let model = RenewalModel::OneRate;
        let name = model.name();
        let customers = history.customers();
        let early = history.within.iter().filter(|((.., left), _)| *left);
        let left = history.left.iter().sum::<f64>() + early.map(|(_, w)| w).sum::<f64>();
        for (what, found, needed) in [
            ("customers", customers, 10),
            ("customers who left", left, 1),
        ] {
            if found < needed as f64 {
                return Err(LifetimeError::TooLittleData {
                    model: name,
                    what,
                    found: found as u64,
                    needed,
                });
            }
        }
        let decided = decisions(history);
        let rate = left / decided;
        let bad = |what, value, range| {
            Err(LifetimeError::OutOfRange {
                model: name,
                what,
                value,
                range,
            })
        };
        if rate >= 1.0 {
            return bad("the share that ends in a period", rate, "below 1");
        }
        let (rate, log_likelihood) = if history.within.is_empty() {
            let log_likelihood = left * rate.ln() + (decided - left) * (-rate).ln_1p();
            (rate, log_likelihood)
        } else {
            most_likely(history, rate)
        };
        let by_sbg = |quarters: i32| {
            let sum = 10_f64.powf(f64::from(quarters) / 4.0);
            likelihood(history, &[rate * sum, (1.0 - rate) * sum])
        };
        let best = SUMS.map(by_sbg).fold(f64::NEG_INFINITY, f64::max);
        let ratio = 2.0 * (best - log_likelihood);
        if ratio > LEAST_RATIO {
            return bad(
                "twice the log-likelihood by which differing risks explain more",
                ratio,
                "at most 2.71",
            );
        }
        let by_age = |power: i32| ageing(history, f64::from(power) / 20.0, rate);
        let best = POWERS.map(by_age).fold(f64::NEG_INFINITY, f64::max);
        let ratio = 2.0 * (best - log_likelihood);
        if ratio > LEAST_RATIO_OF_AGE {
            return bad(
                "twice the log-likelihood by which a risk that changes with age explains more",
                ratio,
                "at most 10.83",
            );
        }
        let error = (rate * (1.0 - rate) / decided).sqrt();
        Ok(Self {
            model,
            parameters: vec![rate],
            standard_errors: vec![error],
            log_covariance: vec![vec![(error / rate).powi(2)]],
            log_likelihood,
            customers,
            gradient_norm: 0.0,
            at_ends: history.at_ends,
        })
    }
}

/// Ends of periods at which a customer renewed or left; of a period that has not ended the part that counts.
fn decisions(history: &RenewalHistory) -> f64 {
    let left = (1_u32..).zip(&history.left);
    let staying = (0_u32..).zip(&history.staying);
    let all = left.chain(staying);
    let whole = all.map(|(periods, customers)| f64::from(periods) * customers);
    let within = history
        .within
        .iter()
        .map(|(&(period, part, left), customers)| {
            let part = match left {
                true => 1.0,
                false => (1.0 - history.at_ends) * f64::from_bits(part),
            };
            customers * (f64::from(period) + part)
        });
    whole.sum::<f64>() + within.sum::<f64>()
}

/// The rate of the largest likelihood near another one, and its logarithm, by golden section.
fn most_likely(history: &RenewalHistory, near: f64) -> (f64, f64) {
    let at = |log: f64| likelihood_of(history, |t| -log.exp() * t);
    let log = (-(-near).ln_1p()).ln();
    let (log, likelihood) = largest(at, log - 3.0, log + 3.0);
    (-(-log.exp()).exp_m1(), likelihood)
}

fn likelihood(history: &RenewalHistory, p: &[f64]) -> f64 {
    likelihood_of(history, |t| ln_survival(p, t))
}

/// The log-likelihood of a history, by the logarithm of the survival.
fn likelihood_of(history: &RenewalHistory, ln_survival: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    let left = (1_u32..).zip(&history.left);
    for (t, left) in left.filter(|(_, left)| **left > 0.0) {
        let (before, now) = (ln_survival(f64::from(t - 1)), ln_survival(f64::from(t)));
        sum += left * (before + (-(now - before).exp_m1()).ln());
    }
    let staying = (0_u32..).zip(&history.staying);
    for (t, staying) in staying.filter(|(_, staying)| **staying > 0.0) {
        sum += staying * ln_survival(f64::from(t));
    }
    for (&(period, part, left), customers) in &history.within {
        let start = f64::from(period);
        let (from, to) = (
            ln_survival(start),
            ln_survival(start + f64::from_bits(part)),
        );
        let within = match left {
            true => -(to - from).exp_m1(),
            false => history.at_ends + (1.0 - history.at_ends) * (to - from).exp(),
        };
        sum += customers * (from + within.ln());
    }
    sum
}

/// The largest log-likelihood of S(t) = exp(-b t^power), the discrete Weibull (Nakagawa & Osaki 1975), over b.
fn ageing(history: &RenewalHistory, power: f64, rate: f64) -> f64 {
    let at = |log: f64| likelihood_of(history, |t| -log.exp() * t.powf(power));
    let of_one_rate = (-(-rate).ln_1p()).ln();
    largest(at, of_one_rate - 12.0, of_one_rate + 3.0).1
}

/// Where a function with one maximum between two places has it, and its value there, by golden section.
fn largest(at: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let mut inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    let mut values = inner.map(&at);
    for _ in 0..60 {
        if values[0] < values[1] {
            low = inner[0];
            inner = [inner[1], low + GOLDEN * (high - low)];
            values = [values[1], at(inner[1])];
        } else {
            high = inner[1];
            inner = [high - GOLDEN * (high - low), inner[0]];
            values = [at(inner[0]), values[0]];
        }
    }
    let place = if values[0] < values[1] { 1 } else { 0 };
    (inner[place], values[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million customers with these shares of renewal, and those who stay at the end.
    fn cohort(retention: impl Fn(u32) -> f64, periods: u32) -> RenewalHistory {
        let mut alive = vec![1e6];
        for period in 1..=periods {
            let last = alive.last().copied().unwrap();
            alive.push(last * retention(period));
        }
        RenewalHistory::from_cohort(&alive).unwrap()
    }

    #[test]
    fn one_rate_is_found_where_sbg_has_no_estimate() {
        let history = cohort(|_| 0.8, 11);
        assert!(RenewalFit::fit(RenewalModel::Sbg, &history).is_err());
        let fit = RenewalFit::of_one_rate(&history).unwrap();
        assert!((fit.parameters[0] - 0.2).abs() < 1e-12);
        assert!((fit.survival(5.0) - 0.8_f64.powi(5)).abs() < 1e-12);
        assert!((fit.conditional_survival(7.0, 1.5) - 0.8_f64.powf(1.5)).abs() < 1e-12);
        // The standard error of a share of the decisions.
        let decided: f64 = (0..11).map(|t| 1e6 * 0.8_f64.powi(t)).sum();
        let error = (0.2 * 0.8 / decided).sqrt();
        assert!((fit.standard_errors[0] / error - 1.0).abs() < 1e-12);
        // The discrete Weibull with power 1 is one rate.
        let exponential = ageing(&history, 1.0, fit.parameters[0]);
        assert!((exponential / fit.log_likelihood - 1.0).abs() < 1e-9);
        // The limit of sBG.
        let (rate, sum) = (fit.parameters[0], 1e9);
        let limit = likelihood(&history, &[rate * sum, (1.0 - rate) * sum]);
        assert!((limit / fit.log_likelihood - 1.0).abs() < 1e-6);
    }

    #[test]
    fn one_rate_is_refused_where_risks_differ_or_nothing_can_be_said() {
        let differing = cohort(|t| f64::from(t + 1) / f64::from(t + 2), 11);
        assert!(matches!(
            RenewalFit::of_one_rate(&differing),
            Err(LifetimeError::OutOfRange { .. })
        ));
        assert!(RenewalFit::fit(RenewalModel::Sbg, &differing).is_ok());
        // Risks that rise and fall with age, of customers who do not differ.
        for power in [1.4, 0.7] {
            let survival = |t: u32| (-0.1 * f64::from(t).powf(power)).exp();
            let history = cohort(|t| survival(t) / survival(t - 1), 11);
            let found = RenewalFit::of_one_rate(&history);
            assert!(
                matches!(found, Err(LifetimeError::OutOfRange { .. })),
                "{power}"
            );
        }
        assert!(RenewalFit::of_one_rate(&cohort(|_| 0.0, 2)).is_err());
        assert!(RenewalFit::of_one_rate(&RenewalHistory::new()).is_err());
    }
}
