//! BG/NBD (Fader, Hardie & Lee 2005) and MBG/NBD (Batislam, Denizel & Filiztekin 2007): likelihood and closed forms.
//!
//! Purchases are Poisson with rate lambda ~ Gamma(r, alpha) while alive; after a purchase the customer drops out with
//! p ~ Beta(a, b), as if a coin were tossed. BG/NBD tosses it after repeat purchases only, MBG/NBD after the first purchase
//! too. So the two differ only in the number of coins that a customer with x repeat purchases has survived:
//! [`Dropout::coins`].

use rayon::prelude::*;

use super::expectation::alive_purchases;
use super::history::PurchaseHistory;
use crate::optimise::Objective;
use crate::special::{digamma, ln_rising};

/// When a customer may drop out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropout {
    /// After each repeat purchase: BG/NBD. A customer without one is alive.
    AfterRepeat,
    /// After each purchase, the first included: MBG/NBD.
    AfterEvery,
}

impl Dropout {
    /// Coins survived beyond one per repeat purchase: 0 or 1.
    fn extra(self) -> f64 {
        match self {
            Self::AfterRepeat => 0.0,
            Self::AfterEvery => 1.0,
        }
    }

    /// Coins survived by a customer who is alive after `x` repeat purchases.
    pub(crate) fn coins(self, x: f64) -> f64 {
        x + self.extra()
    }
}

/// Parameters in the model's time unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BgFamily {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
    pub dropout: Dropout,
}

impl BgFamily {
    /// ln of a / (b + coins - 1): the odds of having dropped out at the last purchase, before the time since then is
    /// considered.
    pub(crate) fn ln_dropout_odds(&self, x: f64) -> f64 {
        let coins = self.dropout.coins(x);
        if coins == 0.0 {
            f64::NEG_INFINITY
        } else {
            self.a.ln() - (self.b + coins - 1.0).ln()
        }
    }

    /// ln of P(dead) / P(alive) given (x, t_x, T).
    pub(crate) fn ln_dead_odds(&self, x: f64, t_x: f64, tenure: f64) -> f64 {
        self.ln_dropout_odds(x)
            + (self.r + x) * ((self.alpha + tenure).ln() - (self.alpha + t_x).ln())
    }

    /// Expected purchases in (T, T + t] of a customer alive at T.
    pub(crate) fn alive_purchases(&self, x: f64, tenure: f64, t: f64) -> f64 {
        alive_purchases(
            self.r + x,
            self.alpha + tenure,
            self.a,
            self.b + self.dropout.coins(x),
            t,
        )
    }

    /// P(no purchase in (T, T + t]) of a customer alive at T: it can drop out only at a purchase.
    pub(crate) fn alive_silence(&self, x: f64, tenure: f64, t: f64) -> f64 {
        (-(self.r + x) * (t / (self.alpha + tenure)).ln_1p()).exp()
    }

    /// Expected repeat purchases of a new customer in (0, t].
    pub(crate) fn new_customer_purchases(&self, t: f64) -> f64 {
        let alive = 1.0 / (1.0 + self.ln_dropout_odds(0.0).exp());
        alive * self.alive_purchases(0.0, 0.0, t)
    }
}

/// What all rows with the same x have in common.
pub(super) struct RowTerm {
    /// r + x.
    pub shape: f64,
    /// ln of the odds of having dropped out at the last purchase, before the time since then is considered.
    pub ln_dropout_odds: f64,
    /// 1 / (b + coins - 1); 0 where no coin was tossed.
    pub odds_slope: f64,
}

/// What the likelihood adds once per customer of one x: the value, and its derivatives in r, alpha, a, b.
struct XTerm {
    value: f64,
    slope: [f64; 4],
}

/// The mean negative log-likelihood of the family over a history, in log-parameters (r, alpha, a, b) and scaled time.
pub(crate) struct BgObjective<'a> {
    history: &'a PurchaseHistory,
    dropout: Dropout,
    times: Vec<f64>,
    weight_by_x: Vec<f64>,
    customers: f64,
}

/// Rows per chunk of the reduction: sums are formed in this order whatever the number of threads.
const CHUNK: usize = 8192;

impl<'a> BgObjective<'a> {
    /// `scale`: units of the history's time per unit of scaled time.
    pub(crate) fn new(history: &'a PurchaseHistory, dropout: Dropout, scale: f64) -> Self {
        let times = history.times.iter().map(|t| t / scale).collect();
        Self {
            history,
            dropout,
            times,
            weight_by_x: weight_by_x(history),
            customers: history.observed_customers(),
        }
    }

    fn x_term(&self, model: &BgFamily, x: f64) -> XTerm {
        let BgFamily { r, alpha, a, b, .. } = *model;
        let coins = self.dropout.coins(x);
        let value =
            ln_rising(r, x) + r * alpha.ln() + ln_rising(b, coins) - ln_rising(a + b, coins);
        let both = digamma(a + b) - digamma(a + b + coins);
        XTerm {
            value,
            slope: [
                digamma(r + x) - digamma(r) + alpha.ln(),
                r / alpha,
                both,
                both + digamma(b + coins) - digamma(b),
            ],
        }
    }

    fn row_term(&self, model: &BgFamily, x: f64) -> RowTerm {
        let coins = self.dropout.coins(x);
        RowTerm {
            shape: model.r + x,
            ln_dropout_odds: model.ln_dropout_odds(x),
            odds_slope: if coins == 0.0 {
                0.0
            } else {
                1.0 / (model.b + coins - 1.0)
            },
        }
    }
}

/// Customers by place of x. A customer with T = 0 has likelihood one in both models and adds nothing, so it need not be left
/// out.
pub(super) fn weight_by_x(history: &PurchaseHistory) -> Vec<f64> {
    let mut sums = vec![0.0; history.xs.len()];
    for (row, weight) in history.rows.iter().zip(&history.weights) {
        sums[row.x_place as usize] += weight;
    }
    sums
}

/// What depends on t_x and T, summed over the rows: the log-likelihood without its terms by x; its derivatives in r and alpha;
/// P(dead); and minus P(dead) times the odds' slope in b. `terms`: by place of x.
pub(super) fn row_sums(
    history: &PurchaseHistory,
    times: &[f64],
    terms: &[RowTerm],
    alpha: f64,
) -> [f64; 5] {
    let logs: Vec<(f64, f64)> = times
        .iter()
        .map(|t| ((alpha + t).ln(), 1.0 / (alpha + t)))
        .collect();
    let chunks: Vec<[f64; 5]> = history
        .rows
        .par_chunks(CHUNK)
        .zip(history.weights.par_chunks(CHUNK))
        .map(|(rows, weights)| {
            let mut sum = [0.0; 5];
            for (row, weight) in rows.iter().zip(weights) {
                let term = &terms[row.x_place as usize];
                let (ln_tenure, inv_tenure) = logs[row.tenure_place as usize];
                let (ln_last, inv_last) = logs[row.t_x_place as usize];
                let (silence, n) = (ln_tenure - ln_last, term.shape);
                let odds = term.ln_dropout_odds + n * silence;
                // One exponential serves both softplus(odds) and P(dead) = logistic(odds).
                let e = (-odds.abs()).exp();
                let soft = odds.max(0.0) + (1.0 + e).ln();
                let dead = if odds >= 0.0 { 1.0 } else { e } / (1.0 + e);
                sum[0] += weight * (soft - n * ln_tenure);
                sum[1] += weight * (dead * silence - ln_tenure);
                sum[2] += weight * n * (dead * (inv_tenure - inv_last) - inv_tenure);
                sum[3] += weight * dead;
                sum[4] -= weight * dead * term.odds_slope;
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
    total
}

impl Objective for BgObjective<'_> {
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let [r, alpha, a, b] = [
            theta[0].exp(),
            theta[1].exp(),
            theta[2].exp(),
            theta[3].exp(),
        ];
        let model = BgFamily {
            r,
            alpha,
            a,
            b,
            dropout: self.dropout,
        };
        let xs = self.history.xs.iter().map(|&x| f64::from(x));
        let terms: Vec<XTerm> = xs.clone().map(|x| self.x_term(&model, x)).collect();
        let row_terms: Vec<RowTerm> = xs.map(|x| self.row_term(&model, x)).collect();
        let [mut value, mut by_r, mut by_alpha, dead, mut by_b] =
            row_sums(self.history, &self.times, &row_terms, alpha);
        let mut by_a = dead / a;
        for (term, weight) in terms.iter().zip(&self.weight_by_x) {
            value += weight * term.value;
            by_r += weight * term.slope[0];
            by_alpha += weight * term.slope[1];
            by_a += weight * term.slope[2];
            by_b += weight * term.slope[3];
        }
        let n = -self.customers;
        (
            value / n,
            vec![
                by_r * r / n,
                by_alpha * alpha / n,
                by_a * a / n,
                by_b * b / n,
            ],
        )
    }
}
