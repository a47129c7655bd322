//! Expected purchases of a living customer under Beta-geometric dropout, without overflow.
//!
//! With purchase rate ~ Gamma(n, A) and dropout probability ~ Beta(a, b) given all that is known,
//! E = (a+b-1)/(a-1) [1 - (1-z)^(a-1) 2F1(a+b-1-n, a-1; a+b-1; z)], z = t/(A+t)
//! (Fader, Hardie & Lee 2005 eq. 10 after Euler's transformation). Where the series is slow or cancels, the same expectation
//! is integrated over p directly.

use crate::special::{hypergeometric_series, ln_beta};

const TOLERANCE: f64 = 1e-14;

/// Expected purchases in the next `t` of a customer alive now: rate ~ Gamma(`n`, rate parameter `rate`), dropout
/// probability ~ Beta(`a`, `b`). All arguments > 0, `t` >= 0, `rate` and `t` in the same time unit. Relative error < 1e-9.
pub(crate) fn alive_purchases(n: f64, rate: f64, a: f64, b: f64, t: f64) -> f64 {
    if t <= 0.0 {
        return 0.0;
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

/// The expectation as an integral over p = 1/(1+e^-v), v = sinh(w): double exponential decay at both ends.
///
/// E[X | p] = (1 - (1 + p t / A)^(-n)) / p has no singularity, whatever a.
fn quadrature(n: f64, rate: f64, a: f64, b: f64, t: f64) -> f64 {
    let ratio = t / rate;
    let norm = ln_beta(a, b);
    let step = 1.0 / 32.0;
    let centre = (a / b).ln();
    let mut sum = 0.0;
    for k in -704..=704_i32 {
        let w = f64::from(k) * step;
        let v = centre + w.sinh();
        // ln p and ln(1 - p) without loss at either end.
        let (ln_p, ln_q) = (-softplus_of(-v), -softplus_of(v));
        let density = (a * ln_p + b * ln_q - norm).exp() * w.cosh() * step;
        if density == 0.0 {
            continue;
        }
        let p = ln_p.exp();
        let conditional = if p * ratio * n < 1e-12 {
            n * ratio
        } else {
            -(-n * (p * ratio).ln_1p()).exp_m1() / p
        };
        sum += density * conditional;
    }
    sum
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
                    for t in [0.5, 10.0, 200.0] {
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
