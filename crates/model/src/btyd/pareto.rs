//! Pareto/NBD (Schmittlein, Morrison & Colombo 1987): likelihood and closed forms.
//!
//! Purchases are Poisson with rate lambda ~ Gamma(r, alpha); lifetime is exponential with rate mu ~ Gamma(s, beta). The
//! likelihood of (x, t_x, T) is
//! Gamma(r+x) alpha^r beta^s / Gamma(r) * { (alpha+T)^-(r+x) (beta+T)^-s + s I },
//! I = integral from t_x to T of (alpha+u)^-(r+x) (beta+u)^-(s+1) du,
//! where I is Fader & Hardie's A0 / (r+s+x) before it is written with Gauss' function. It is integrated numerically (fixed
//! rules in a logarithmic variable, relative error below 1e-10 for parameters from 1e-4 to 1e6): this needs no case
//! distinction alpha >= beta, does not overflow, and gives the gradient from the same nodes.

use rayon::prelude::*;

use super::history::PurchaseHistory;
use crate::optimise::Objective;
use crate::special::{
    GAUSS_16, GAUSS_32, digamma, discounted_decay, exp_ratio, ln_rising, softplus,
};

/// Parameters in the model's time unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParetoNbd {
    pub r: f64,
    pub alpha: f64,
    pub s: f64,
    pub beta: f64,
}

/// ln of P(dead) / P(alive), and the averages over the time of death that its gradient needs.
struct DeadOdds {
    ln_odds: f64,
    ln_alpha: f64,
    inverse_alpha: f64,
    ln_beta: f64,
    inverse_beta: f64,
}

/// Once the integrand has fallen by this many nats, the rest of the integral is below the precision of f64.
const NEGLIGIBLE: f64 = 45.0;
/// Largest number of bisection steps when the effective end of the integral is searched.
const END_STEPS: usize = 60;

impl ParetoNbd {
    /// By how much the log integrand has fallen from `from` to `to`, nats.
    fn fall(&self, n: f64, from: f64, to: f64) -> f64 {
        n * ((to - from) / (self.alpha + from)).ln_1p()
            + (self.s + 1.0) * ((to - from) / (self.beta + from)).ln_1p()
    }

    /// The upper limit shortened to where the integrand has fallen by about [`NEGLIGIBLE`] nats, and the fall up to there.
    fn effective_end(&self, n: f64, from: f64, to: f64) -> (f64, f64) {
        let whole = self.fall(n, from, to);
        if whole <= NEGLIGIBLE {
            return (to, whole);
        }
        let (mut low, mut high) = (0.0, to - from);
        // The fall is concave, and `slope` is its slope at the start: the first guess is below the distance looked for.
        let slope = n / (self.alpha + from) + (self.s + 1.0) / (self.beta + from);
        let mut step = (NEGLIGIBLE / slope).min(0.5 * high);
        for _ in 0..END_STEPS {
            let fall = self.fall(n, from, from + step);
            if fall < NEGLIGIBLE {
                low = step;
            } else if fall > 1.3 * NEGLIGIBLE {
                high = step;
            } else {
                return (from + step, fall);
            }
            // A slow fall grows like a power of the distance, so the interval is halved on a logarithmic scale.
            step = if low > 0.0 {
                (low * high).sqrt()
            } else {
                0.5 * high
            };
        }
        (from + high, 1.3 * NEGLIGIBLE)
    }

    /// ln of I (alpha+t_x)^n (beta+t_x)^(s+1), n = r + x, and the sum of the masses with which `visit` is called for each node
    /// u, beside the logarithms of (alpha+u)/(alpha+t_x) and (beta+u)/(beta+t_x).
    fn ln_integral(
        &self,
        n: f64,
        from: f64,
        to: f64,
        mut visit: impl FnMut(f64, f64, [f64; 2]),
    ) -> (f64, f64) {
        let (end, fall) = self.effective_end(n, from, to);
        // u = (m + t_x) e^y - m with the smaller parameter as origin keeps singularities a distance pi from the real axis.
        let alpha_first = self.alpha <= self.beta;
        let origin = self.alpha.min(self.beta) + from;
        let other = self.alpha.max(self.beta) + from;
        let length = ((end - from) / origin).ln_1p();
        // Each rule is accurate to 12 digits where it is used; most customers' integrals are short.
        let (rule, panels) = if fall <= 12.0 && length <= 3.0 {
            (&*GAUSS_16, 1)
        } else if length <= 6.0 {
            (&*GAUSS_32, 1)
        } else {
            (&*GAUSS_32, (length / 4.0).ceil() as usize)
        };
        let width = length / panels as f64;
        let mut sum = 0.0;
        for panel in 0..panels {
            let start = panel as f64 * width;
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                // The logarithm at the origin is y itself. Both logarithms need a small absolute error, not a small
                // relative one.
                let y = start + width * node;
                let step = origin * (y.exp() - 1.0);
                let far = (1.0 + step / other).ln();
                let [by_alpha, by_beta] = if alpha_first { [y, far] } else { [far, y] };
                let fall = n * by_alpha + (self.s + 1.0) * by_beta;
                let mass = weight * (y - fall).exp();
                sum += mass;
                visit(from + step, mass, [by_alpha, by_beta]);
            }
        }
        ((sum * width * origin).ln(), sum)
    }

    fn dead_odds(&self, x: f64, t_x: f64, tenure: f64) -> DeadOdds {
        let n = self.r + x;
        let mut means = DeadOdds {
            ln_odds: f64::NEG_INFINITY,
            ln_alpha: 0.0,
            inverse_alpha: 0.0,
            ln_beta: 0.0,
            inverse_beta: 0.0,
        };
        if tenure <= t_x {
            return means;
        }
        let (ln_integral, whole) =
            self.ln_integral(n, t_x, tenure, |u, mass, [by_alpha, by_beta]| {
                means.ln_alpha += mass * by_alpha;
                means.inverse_alpha += mass / (self.alpha + u);
                means.ln_beta += mass * by_beta;
                means.inverse_beta += mass / (self.beta + u);
            });
        means.inverse_alpha /= whole;
        means.inverse_beta /= whole;
        means.ln_alpha = means.ln_alpha / whole + (self.alpha + t_x).ln();
        means.ln_beta = means.ln_beta / whole + (self.beta + t_x).ln();
        means.ln_odds = self.ln_odds_from(n, t_x, tenure, ln_integral);
        means
    }

    fn ln_odds_from(&self, n: f64, t_x: f64, tenure: f64, ln_integral: f64) -> f64 {
        let silence = n * ((tenure - t_x) / (self.alpha + t_x)).ln_1p()
            + self.s * ((tenure - t_x) / (self.beta + t_x)).ln_1p();
        self.s.ln() - (self.beta + t_x).ln() + silence + ln_integral
    }

    /// ln of P(dead) / P(alive) given (x, t_x, T); -infinity when the last purchase was at T.
    pub(crate) fn ln_dead_odds(&self, x: f64, t_x: f64, tenure: f64) -> f64 {
        if tenure <= t_x {
            return f64::NEG_INFINITY;
        }
        let n = self.r + x;
        self.ln_odds_from(
            n,
            t_x,
            tenure,
            self.ln_integral(n, t_x, tenure, |_, _, _| ()).0,
        )
    }

    /// Expected purchases in (T, T + t] of a customer alive at T.
    pub(crate) fn alive_purchases(&self, x: f64, tenure: f64, t: f64) -> f64 {
        let (rate, end) = (self.alpha + tenure, self.beta + tenure);
        (self.r + x) / rate * end * exp_ratio(self.s - 1.0, (t / end).ln_1p())
    }

    /// P(no purchase in (T, T + t]) of a customer alive at T: silent and alive, or dead before it bought again.
    pub(crate) fn alive_silence(&self, x: f64, tenure: f64, t: f64) -> f64 {
        if t <= 0.0 {
            return 1.0;
        }
        let then = Self {
            r: self.r + x,
            alpha: self.alpha + tenure,
            s: self.s,
            beta: self.beta + tenure,
        };
        let alive = (-then.r * (t / then.alpha).ln_1p() - then.s * (t / then.beta).ln_1p()).exp();
        let dead =
            (then.s.ln() - then.beta.ln() + then.ln_integral(then.r, 0.0, t, |_, _, _| ()).0).exp();
        (alive + dead).min(1.0)
    }

    /// Discounted expected residual transactions of a customer alive at T, over an infinite horizon, with continuous
    /// `discount` per time unit (Fader, Hardie & Lee 2005b, eq. 2, divided by P(alive)).
    pub(crate) fn alive_residual(&self, x: f64, tenure: f64, discount: f64) -> f64 {
        let end = self.beta + tenure;
        (self.r + x) / (self.alpha + tenure) * end * discounted_decay(self.s, discount * end)
    }

    /// Expected purchases of a new customer in (0, t].
    pub(crate) fn new_customer_purchases(&self, t: f64) -> f64 {
        self.alive_purchases(0.0, 0.0, t)
    }
}

/// The mean negative log-likelihood over a history, in log-parameters (r, alpha, s, beta) and scaled time.
pub(crate) struct ParetoObjective<'a> {
    history: &'a PurchaseHistory,
    times: Vec<f64>,
    customers: f64,
}

/// Rows per chunk of the reduction: sums are formed in this order whatever the number of threads.
const CHUNK: usize = 256;

impl<'a> ParetoObjective<'a> {
    /// `scale`: units of the history's time per unit of scaled time.
    pub(crate) fn new(history: &'a PurchaseHistory, scale: f64) -> Self {
        let times = history.times.iter().map(|t| t / scale).collect();
        Self {
            history,
            times,
            customers: history.observed_customers(),
        }
    }
}

impl Objective for ParetoObjective<'_> {
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let model = ParetoNbd {
            r: theta[0].exp(),
            alpha: theta[1].exp(),
            s: theta[2].exp(),
            beta: theta[3].exp(),
        };
        let ParetoNbd { r, alpha, s, beta } = model;
        let constants: Vec<(f64, f64)> = self
            .history
            .xs
            .iter()
            .map(|&x| {
                (
                    ln_rising(r, f64::from(x)),
                    digamma(r + f64::from(x)) - digamma(r),
                )
            })
            .collect();
        let row_terms = |row: &super::history::Row| {
            let x = f64::from(self.history.xs[row.x_place as usize]);
            let tenure = self.times[row.tenure_place as usize];
            let (constant, slope) = constants[row.x_place as usize];
            let n = r + x;
            let odds = model.dead_odds(x, self.times[row.t_x_place as usize], tenure);
            let (ln_a, ln_b) = ((alpha + tenure).ln(), (beta + tenure).ln());
            let dead = crate::special::logistic(odds.ln_odds);
            let value = constant + r * alpha.ln() - n * ln_a
                + s * (beta.ln() - ln_b)
                + softplus(odds.ln_odds);
            // d ln(odds) in each parameter is that of the logarithm of I minus that of the living branch.
            let by_r = slope + alpha.ln() - ln_a + dead * (ln_a - odds.ln_alpha);
            let by_alpha = r / alpha - n / (alpha + tenure)
                + dead * n * (1.0 / (alpha + tenure) - odds.inverse_alpha);
            let by_s = beta.ln() - ln_b + dead * (1.0 / s + ln_b - odds.ln_beta);
            let living = s / (beta + tenure);
            let by_beta = s / beta - living + dead * (living - (s + 1.0) * odds.inverse_beta);
            [value, by_r * r, by_alpha * alpha, by_s * s, by_beta * beta]
        };
        let chunks: Vec<[f64; 5]> = self
            .history
            .rows
            .par_chunks(CHUNK)
            .zip(self.history.weights.par_chunks(CHUNK))
            .map(|(rows, weights)| {
                let mut sum = [0.0; 5];
                for (row, weight) in rows.iter().zip(weights) {
                    for (total, term) in sum.iter_mut().zip(row_terms(row)) {
                        *total += weight * term;
                    }
                }
                sum
            })
            .collect();
        let mut total = [0.0; 5];
        for chunk in &chunks {
            for (t, c) in total.iter_mut().zip(chunk) {
                *t += c;
            }
        }
        let n = -self.customers;
        (total[0] / n, total[1..].iter().map(|g| g / n).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::hypergeometric_series;

    /// A0 of Fader & Hardie's note on Pareto/NBD, by Gauss' function: the oracle for the integral.
    fn a0(m: &ParetoNbd, x: f64, t_x: f64, tenure: f64) -> f64 {
        let (large, small) = (m.alpha.max(m.beta), m.alpha.min(m.beta));
        let total = m.r + m.s + x;
        let q = if m.alpha >= m.beta {
            m.s + 1.0
        } else {
            m.r + x
        };
        let f = |u: f64| {
            let z = (large - small) / (large + u);
            hypergeometric_series(total, q, total + 1.0, z, 1e-16, 100_000).value
                / (large + u).powf(total)
        };
        f(t_x) - f(tenure)
    }

    #[test]
    fn dead_odds_match_gauss_function_of_fader_hardie() {
        for (alpha, beta) in [(10.6, 11.7), (2.0, 40.0), (40.0, 2.0), (5.0, 5.0)] {
            let m = ParetoNbd {
                r: 0.553,
                alpha,
                s: 0.606,
                beta,
            };
            for (x, t_x, tenure) in [
                (0.0, 0.0, 38.86),
                (2.0, 30.43, 38.86),
                (26.0, 30.86, 31.0),
                (30.0, 5.0, 78.0),
            ] {
                let n = m.r + x;
                let want = m.s / (m.r + m.s + x)
                    * (m.alpha + tenure).powf(n)
                    * (m.beta + tenure).powf(m.s)
                    * a0(&m, x, t_x, tenure);
                let got = m.ln_dead_odds(x, t_x, tenure).exp();
                assert!(
                    (got / want - 1.0).abs() < 1e-8,
                    "{alpha} {beta} {x}: {got} vs {want}"
                );
            }
        }
    }

    #[test]
    fn both_rules_give_integrals_that_add_up() {
        // From t_x to T is from t_x to u and from u to T, whichever rule serves each part.
        for (alpha, beta) in [(10.6, 11.7), (0.3, 40.0), (40.0, 0.3)] {
            let m = ParetoNbd {
                r: 0.553,
                alpha,
                s: 0.606,
                beta,
            };
            for n in [0.6, 3.0, 8.0, 30.0] {
                let integral = |from: f64, to: f64| {
                    let at_start = -n * (alpha + from).ln() - (m.s + 1.0) * (beta + from).ln();
                    (at_start + m.ln_integral(n, from, to, |_, _, _| ()).0).exp()
                };
                for (from, to) in [(0.0, 2.0), (3.0, 30.0), (0.0, 78.0)] {
                    let whole = integral(from, to);
                    for share in [0.01, 0.2, 0.6, 0.97] {
                        let middle = from + share * (to - from);
                        let parts = integral(from, middle) + integral(middle, to);
                        assert!(
                            (parts / whole - 1.0).abs() < 1e-12,
                            "{alpha} {n} {from} {to} {share}: {parts} {whole}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn no_overflow_for_four_hundred_purchases_in_ten_years_of_days() {
        let m = ParetoNbd {
            r: 0.5,
            alpha: 30.0,
            s: 0.6,
            beta: 300.0,
        };
        for t_x in [10.0, 1800.0, 3650.0] {
            let odds = m.ln_dead_odds(400.0, t_x, 3650.0);
            assert!(!odds.is_nan() && odds < f64::INFINITY, "{t_x}: {odds}");
        }
        assert!(m.ln_dead_odds(400.0, 10.0, 3650.0) > 1000.0);
    }

    #[test]
    fn dert_matches_fader_hardie_lee_2005b() {
        let m = ParetoNbd {
            r: 0.562_996_6,
            alpha: 12.559_037,
            s: 0.408_109_5,
            beta: 10.514_804_8,
        };
        let alive = crate::special::logistic(-m.ln_dead_odds(7.0, 35.0, 77.86));
        let dert = alive * m.alive_residual(7.0, 77.86, 0.0027);
        assert!((dert / 1.864_18 - 1.0).abs() < 1e-5, "{dert}");
    }

    #[test]
    fn silence_falls_from_one_to_the_share_that_dies_first() {
        let m = ParetoNbd {
            r: 0.553,
            alpha: 10.6,
            s: 0.606,
            beta: 11.7,
        };
        assert_eq!(m.alive_silence(2.0, 30.0, 0.0), 1.0);
        let (short, long) = (
            m.alive_silence(2.0, 30.0, 1.0),
            m.alive_silence(2.0, 30.0, 500.0),
        );
        assert!(short < 1.0 && long < short && long > 0.0);
        // Over a short time only a purchase ends the silence: its rate is (r + x) / (alpha + T).
        let slope = (1.0 - m.alive_silence(2.0, 30.0, 1e-4)) / 1e-4;
        assert!((slope / (2.553 / 40.6) - 1.0).abs() < 1e-3, "{slope}");
    }
}
