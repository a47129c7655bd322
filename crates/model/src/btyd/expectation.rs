//! Expected purchases of a living customer under Beta-geometric dropout, without overflow.
//!
//! With purchase rate ~ Gamma(n, A) and dropout probability ~ Beta(a, b) given all that is known,
//! E = (a+b-1)/(a-1) [1 - (1-z)^(a-1) 2F1(a+b-1-n, a-1; a+b-1; z)], z = t/(A+t)
//! (Fader, Hardie & Lee 2005 eq. 10 after Euler's transformation). Where the series is slow or cancels, the same expectation
//! is integrated over p directly.

use crate::special::hypergeometric_series;

const TOLERANCE: f64 = 1e-14;

/// Expected purchases in the next `t` of a customer alive now: rate ~ Gamma(`n`, rate parameter `rate`), dropout
/// probability ~ Beta(`a`, `b`). All arguments > 0, `t` >= 0, `rate` and `t` in the same time unit. Relative error < 1e-9.
pub(crate) fn alive_purchases(n: f64, rate: f64, a: f64, b: f64, t: f64) -> f64 {
    if t <= 0.0 {
        return 0.0;
    }
    if (n + 1.0) * t / rate < 0.1 {
        return short_horizon(n, t / rate, a, b);
    }
    if (a - 1.0).abs() < 1e-6 {
        // The closed form is 0/0 at a = 1; the function is smooth there, so the mean of its neighbours is exact to 1e-10.
        let (below, above) = (
            alive_purchases(n, rate, 1.0 - 1e-5, b, t),
            alive_purchases(n, rate, 1.0 + 1e-5, b, t),
        );
        return 0.5 * (below + above);
    }
    closed_form(n, rate, a, b, t).unwrap_or_else(|| quadrature(n, rate, a, b, t))
}

/// The expectation in powers of `ratio` = t / A, (n + 1) `ratio` < 0.1: the sum over k >= 1 of
/// (-1)^(k+1) (n)_k / k! ratio^k E[p^(k-1)]. Where the horizon is short the closed form is a difference of numbers near one.
fn short_horizon(n: f64, ratio: f64, a: f64, b: f64) -> f64 {
    let (mut term, mut sum) = (n * ratio, n * ratio);
    for k in 1..40 {
        let k = f64::from(k);
        term *= -(n + k) / (k + 1.0) * ratio * (a + k - 1.0) / (a + b + k - 1.0);
        sum += term;
        if term.abs() < 1e-17 * sum {
            break;
        }
    }
    sum
}

/// The closed form, or `None` where rounding or slow convergence would spoil it.
fn closed_form(n: f64, rate: f64, a: f64, b: f64, t: f64) -> Option<f64> {
    let c = a + b - 1.0;
    let z = t / (rate + t);
    if c < 0.05 || z > 0.97 {
        return None;
    }
    let series = hypergeometric_series(c - n, a - 1.0, c, z, TOLERANCE, 1000);
    if !series.converged || series.largest > 100.0 * series.value.abs() {
        return None;
    }
    let rest = (a - 1.0) * (-z).ln_1p();
    let survived = rest.exp() * series.value;
    let gone = 1.0 - survived;
    // The difference of two numbers near one: below this the quotient would have lost half its digits.
    (gone.abs() > 1e-6 * (1.0 + survived.abs())).then_some(c / (a - 1.0) * gone)
}

/// What is left of an integrand that has fallen by this many nats is below rounding.
const NEGLIGIBLE: f64 = 45.0;

/// The expectation as an integral over p = 1/(1+e^-v), v = centre + sinh(w): double exponential decay at both ends.
///
/// E[X | p] = (1 - (1 + p t / A)^(-n)) / p has no singularity, whatever a. The density of p is divided by its own sum over
/// the nodes, so that no ln B(a, b) of large arguments is needed.
fn quadrature(n: f64, rate: f64, a: f64, b: f64, t: f64) -> f64 {
    let ratio = t / rate;
    let centre = (a / b).ln();
    // The density falls like e^(a v) and e^(-b v) far from its mode; close to it, first like exp(-a e^v) or exp(-b e^-v).
    // E[X | p] grows like 1/p down to p = 1/(n ratio).
    let below = NEGLIGIBLE / a + (NEGLIGIBLE / b).ln_1p() + (n * ratio).ln_1p() + 3.0;
    let above = NEGLIGIBLE / b + (NEGLIGIBLE / a).ln_1p() + 3.0;
    // Trapezoids a sixteenth wide are exact to rounding unless the density is narrower: its spread in v is about this.
    let spread = (1.0 / a + 1.0 / b).sqrt();
    let step = (spread / 1.5).min(1.0 / 16.0);
    let first = -(below.asinh() / step).ceil();
    let nodes = ((above.asinh() / step).ceil() - first) as usize;
    let log_density = |v: f64| -a * softplus_of(-v) - b * softplus_of(v);
    let mode = log_density(centre);
    let (mut sum, mut mass) = (0.0, 0.0);
    for k in 0..=nodes {
        let w = (first + k as f64) * step;
        let v = centre + w.sinh();
        let density = (log_density(v) - mode).exp() * w.cosh();
        if density == 0.0 {
            continue;
        }
        let p = (-softplus_of(-v)).exp();
        let conditional = if p * ratio * n < 1e-12 {
            n * ratio
        } else {
            -(-n * (p * ratio).ln_1p()).exp_m1() / p
        };
        sum += density * conditional;
        mass += density;
    }
    sum / mass
}

fn softplus_of(v: f64) -> f64 {
    if v > 0.0 {
        v + (-v).exp().ln_1p()
    } else {
        v.exp().ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_form_and_quadrature_agree_where_both_serve() {
        for n in [0.3, 1.2, 7.0, 60.0] {
            for a in [0.2, 0.8, 0.9999, 1.0, 1.7, 4.0] {
                for b in [0.9, 2.5, 30.0] {
                    for t in [1e-9, 1e-3, 0.5, 10.0, 200.0] {
                        let (got, want) = (
                            alive_purchases(n, 20.0, a, b, t),
                            quadrature(n, 20.0, a, b, t),
                        );
                        assert!(
                            (got / want - 1.0).abs() < 1e-8,
                            "n {n} a {a} b {b} t {t}: {got} vs {want}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn narrow_densities_and_endless_horizons_have_their_limits() {
        // a and b large: p is known to be a / (a + b), and E = (1 - (1 + p t / A)^-n) / p.
        let (n, rate, t) = (3.0, 20.0, 4000.0);
        let p = 0.25_f64;
        let known = (1.0 - (1.0 + p * t / rate).powf(-n)) / p;
        let value = quadrature(n, rate, 1e8, 3e8, t);
        assert!((value / known - 1.0).abs() < 1e-6, "{value} {known}");
        // An endless horizon: E[1/p] = (a + b - 1) / (a - 1).
        let value = quadrature(n, rate, 2.5, 4.0, 1e30);
        assert!((value / (5.5 / 1.5) - 1.0).abs() < 1e-9, "{value}");
    }

    #[test]
    fn no_overflow_for_four_hundred_purchases_in_ten_years_of_days() {
        for t in [1.0, 365.0, 3650.0, 1e6] {
            let value = alive_purchases(400.24, 3654.4, 0.79, 402.4, t);
            assert!(
                value.is_finite() && value > 0.0 && value <= 400.24 / 3654.4 * t * 1.000_001,
                "{t}: {value}"
            );
        }
    }

    #[test]
    fn without_dropout_it_is_the_poisson_gamma_mean() {
        let value = alive_purchases(2.0, 10.0, 1e-5, 1e4, 5.0);
        assert!((value - 1.0).abs() < 1e-6, "{value}");
    }
}
