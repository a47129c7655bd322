//! Scoring customers with intervals: P(alive), expected purchases, P(no purchase), discounted purchases, lifetime value.
//!
//! Given that a customer is alive, nothing depends on t_x any more; given the parameters, being alive needs one logarithm and
//! one exponential. So the closed forms are evaluated per draw at a few nodes of (x, T) and interpolated, and the rest is
//! arithmetic per distinct history: ten million customers with two hundred draws each take seconds.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::fit::{BtydFit, ClosedForms};
use super::history::{PurchaseHistory, Row};
use super::interpolation::{DiscountedSum, Interpolation};
use crate::laplace::{self, Estimate};
use crate::lifetime_error::LifetimeError;
use crate::spend::SpendFit;

/// What to forecast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForecastPlan {
    /// Length of the horizon in the model's time unit; > 0.
    pub horizon: f64,
    /// Discount per year (365 days), >= 0; applied at the end of each period of one time unit.
    pub discount_per_year: f64,
    /// Parameter draws behind the intervals; 0 for none, else at least [`ForecastPlan::MIN_DRAWS`].
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl ForecastPlan {
    /// Fewer draws do not support a 95% interval.
    pub const MIN_DRAWS: usize = 200;
}

/// The forecast for one purchase history. Intervals are those of expected values (see [`crate::laplace`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// P(alive) at the end of observation, in [0, 1].
    pub p_alive: Estimate,
    /// Expected purchases within the horizon, >= 0.
    pub purchases: Estimate,
    /// Probability of no purchase within the horizon, in [0, 1].
    pub p_no_purchase: Estimate,
    /// Expected purchases within the horizon, each discounted to the end of observation, >= 0.
    pub discounted_purchases: Estimate,
}

/// A fitted model made ready to score many customers.
pub struct Forecaster {
    forms: ClosedForms,
    draws: Vec<ClosedForms>,
    horizon: f64,
    sum: DiscountedSum,
    /// alpha at the estimate: the scale of time on which the model's curves bend.
    scale: f64,
    plan: ForecastPlan,
}

/// Nodes in T for each x; an x with no more distinct T than this is evaluated at each.
const TENURE_NODES: usize = 12;
/// Largest table of logarithms (times x draws) that is kept: 64 MB.
const TABLE_LIMIT: usize = 8_000_000;

/// Living-customer quantities at the nodes of one x: `[node][draw]`, flat.
struct NodeTable {
    tenure: Interpolation,
    purchases: Vec<f64>,
    silence: Vec<f64>,
    discounted: Vec<f64>,
}

/// Draws of one history; buffers reused from row to row.
#[derive(Default)]
struct Draws {
    alive_purchases: Vec<f64>,
    alive_silence: Vec<f64>,
    alive_discounted: Vec<f64>,
    ln_tenure: Vec<f64>,
    p_alive: Vec<f64>,
    scratch: Vec<f64>,
}

/// One history at the estimate.
struct Point {
    p_alive: f64,
    purchases: f64,
    silence: f64,
    discounted: f64,
}

impl Forecaster {
    /// Prepares `fit` for `plan`.
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a horizon, discount or number of draws outside its range, or a stored fit whose
    /// covariance is not positive definite.
    pub fn new(fit: &BtydFit, plan: ForecastPlan) -> Result<Self, LifetimeError> {
        let model = fit.model.name();
        let bad = |what, value, range| {
            Err(LifetimeError::OutOfRange {
                model,
                what,
                value,
                range,
            })
        };
        if !(plan.horizon > 0.0 && plan.horizon.is_finite()) {
            return bad("the horizon", plan.horizon, "positive and finite");
        }
        if !(plan.discount_per_year >= 0.0 && plan.discount_per_year.is_finite()) {
            return bad(
                "the discount per year",
                plan.discount_per_year,
                ">= 0 and finite",
            );
        }
        if plan.draws != 0 && plan.draws < ForecastPlan::MIN_DRAWS {
            return bad(
                "the number of draws",
                plan.draws as f64,
                "0 or at least 200",
            );
        }
        let theta: Vec<f64> = fit.parameters.iter().map(|p| p.ln()).collect();
        let covariance: Vec<Vec<f64>> = fit.log_covariance.iter().map(|row| row.to_vec()).collect();
        let Some(drawn) = laplace::draws(&theta, &covariance, plan.draws, plan.seed) else {
            return bad("the smallest eigenvalue of the covariance", 0.0, "positive");
        };
        let form = |t: &Vec<f64>| {
            ClosedForms::new(fit.model, [t[0].exp(), t[1].exp(), t[2].exp(), t[3].exp()])
        };
        let scale = fit.parameters[1];
        let per_period = (fit.unit.days() / 365.0 * plan.discount_per_year.ln_1p()).exp_m1();
        Ok(Self {
            forms: fit.closed_forms(),
            draws: drawn.iter().map(form).collect(),
            horizon: plan.horizon,
            sum: DiscountedSum::new(plan.horizon, per_period, scale),
            scale,
            plan,
        })
    }

    /// One forecast per distinct history, in the order of [`PurchaseHistory::summary`]; customers find theirs by
    /// [`PurchaseHistory::row_of`]. The history must be in the model's time unit.
    pub fn forecast(&self, history: &PurchaseHistory) -> Vec<Forecast> {
        let mut all = Vec::with_capacity(history.len());
        self.by_x(
            history,
            |_, point, draws, out: &mut Vec<Forecast>| out.push(self.summarise(point, draws)),
            |_, forecasts| all.extend(forecasts),
        );
        all
    }

    /// Residual lifetime value of every customer, in input order: margin times expected spend per occasion times discounted
    /// expected purchases within the horizon. The past is not part of it.
    ///
    /// `mean_spend`: each customer's mean spend over repeat occasions, ignored where it has none. `margin`: profit per unit
    /// of spend, finite.
    ///
    /// # Errors
    /// [`LifetimeError::LengthMismatch`] unless there is one mean spend per customer of `history`;
    /// [`LifetimeError::OutOfRange`] for a margin that is not finite.
    pub fn residual_values(
        &self,
        history: &PurchaseHistory,
        mean_spend: &[f64],
        spend: &SpendFit,
        margin: f64,
    ) -> Result<Vec<Estimate>, LifetimeError> {
        let customers = history.row_of().len();
        if mean_spend.len() != customers {
            let (column, found) = ("mean_spend", mean_spend.len());
            return Err(LifetimeError::LengthMismatch {
                column,
                found,
                first: "customers",
                expected: customers,
            });
        }
        if !margin.is_finite() {
            let (model, what) = ("lifetime value", "the margin");
            return Err(LifetimeError::OutOfRange {
                model,
                what,
                value: margin,
                range: "finite",
            });
        }
        let index = CustomerIndex::new(history);
        // Spend is drawn independently of purchases, as the models assume; another stream of the same seed.
        let spend_draws = spend.draws(self.draws.len(), self.plan.seed ^ 0x5eed_0f5e_4d00_0001);
        let mut values = vec![Estimate::exact(0.0); customers];
        let lines: Vec<Vec<(f64, f64)>> = history
            .xs
            .iter()
            .map(|&x| spend_draws.iter().map(|s| s.line(x)).collect())
            .collect();
        self.by_x(
            history,
            |row, point, draws, out| {
                let x_place = history.rows[row].x_place as usize;
                let x = history.xs[x_place];
                let purchases = point.p_alive * point.discounted;
                let drawn = draws.p_alive.iter().zip(&draws.alive_discounted);
                let drawn: Vec<f64> = drawn.map(|(alive, purchases)| alive * purchases).collect();
                let mut value = |mean: f64| {
                    let mean = if x == 0 { 0.0 } else { mean };
                    draws.scratch.clear();
                    let terms = drawn.iter().zip(&lines[x_place]);
                    draws
                        .scratch
                        .extend(terms.map(|(purchases, (constant, slope))| {
                            margin * purchases * (constant + slope * mean)
                        }));
                    Estimate::from_draws(
                        margin * purchases * spend.expected_spend(x, mean),
                        &mut draws.scratch,
                    )
                };
                // Without a repeat occasion there is no own mean: customers with this history share one value.
                if x == 0 {
                    out.push(value(0.0));
                } else {
                    out.extend(
                        index
                            .customers(row)
                            .iter()
                            .map(|&customer| value(mean_spend[customer as usize])),
                    );
                }
            },
            |rows, estimates: Vec<Estimate>| {
                let shared = history.xs[history.rows[rows.start].x_place as usize] == 0;
                let mut next = estimates.into_iter();
                for row in rows {
                    let mut one = if shared { next.next() } else { None };
                    for &customer in index.customers(row) {
                        one = if shared { one } else { next.next() };
                        if let Some(estimate) = one {
                            values[customer as usize] = estimate;
                        }
                    }
                }
            },
        );
        Ok(values)
    }

    /// Visits the rows of each x: `score` in parallel over runs of equal (x, T), `take` in order with all results of one x.
    fn by_x<R: Send>(
        &self,
        history: &PurchaseHistory,
        score: impl Fn(usize, &Point, &mut Draws, &mut Vec<R>) + Sync,
        mut take: impl FnMut(Range<usize>, Vec<R>),
    ) {
        let logs = self.log_table(history);
        let mut from = 0;
        for rows in history.rows.chunk_by(|a, b| a.x_place == b.x_place) {
            let range = from..from + rows.len();
            from = range.end;
            let x = f64::from(history.xs[rows[0].x_place as usize]);
            let table = self.node_table(history, rows, x);
            let runs = runs_of_equal_tenure(rows, range.start);
            let parts: Vec<Vec<R>> = runs
                .par_iter()
                .with_min_len(4)
                .map_init(Draws::default, |draws, run| {
                    let mut out = Vec::new();
                    self.score_run(
                        history,
                        &table,
                        logs.as_deref(),
                        x,
                        run,
                        draws,
                        |row, point, draws| {
                            score(row, point, draws, &mut out);
                        },
                    );
                    out
                })
                .collect();
            take(range, parts.into_iter().flatten().collect());
        }
    }

    /// All histories with one x and one T.
    #[allow(clippy::too_many_arguments)] // the buffers and tables of one pass; a struct would only rename them
    fn score_run(
        &self,
        history: &PurchaseHistory,
        table: &NodeTable,
        logs: Option<&[f64]>,
        x: f64,
        run: &Range<usize>,
        draws: &mut Draws,
        mut score: impl FnMut(usize, &Point, &mut Draws),
    ) {
        let tenure_place = history.rows[run.start].tenure_place as usize;
        let tenure = history.times[tenure_place];
        let mut point = Point {
            p_alive: 0.0,
            purchases: self.forms.alive_purchases(x, tenure, self.horizon),
            silence: self.forms.alive_silence(x, tenure, self.horizon),
            discounted: self.sum.of(|t| self.forms.alive_purchases(x, tenure, t)),
        };
        let weights = table.tenure.weights(tenure);
        let count = self.draws.len();
        mix(
            &weights,
            &table.purchases,
            count,
            &mut draws.alive_purchases,
        );
        mix(&weights, &table.silence, count, &mut draws.alive_silence);
        mix(
            &weights,
            &table.discounted,
            count,
            &mut draws.alive_discounted,
        );
        self.fill_logs(logs, tenure_place, tenure, &mut draws.ln_tenure);
        for row in run.clone() {
            let t_x_place = history.rows[row].t_x_place as usize;
            let t_x = history.times[t_x_place];
            point.p_alive = self.forms.p_alive(x, t_x, tenure);
            self.fill_logs(logs, t_x_place, t_x, &mut draws.scratch);
            draws.p_alive.clear();
            let terms = self
                .draws
                .iter()
                .zip(draws.ln_tenure.iter().zip(&draws.scratch));
            draws
                .p_alive
                .extend(terms.map(|(forms, (ln_tenure, ln_last))| match forms {
                    ClosedForms::Bg(m) => {
                        1.0 / (1.0
                            + (m.ln_dropout_odds(x) + (m.r + x) * (ln_tenure - ln_last)).exp())
                    }
                    ClosedForms::Pareto(_) => forms.p_alive(x, t_x, tenure),
                }));
            score(row, &point, draws);
        }
    }

    fn summarise(&self, point: &Point, draws: &mut Draws) -> Forecast {
        let Draws {
            alive_purchases,
            alive_silence,
            alive_discounted,
            p_alive,
            scratch,
            ..
        } = draws;
        let mut product = |value: f64, living: &[f64], combine: fn(f64, f64) -> f64| {
            scratch.clear();
            scratch.extend(
                p_alive
                    .iter()
                    .zip(living)
                    .map(|(alive, given)| combine(*alive, *given)),
            );
            Estimate::from_draws(value, scratch)
        };
        let both = |alive: f64, given: f64| alive * given;
        let silent = |alive: f64, silence: f64| 1.0 - alive * (1.0 - silence);
        let purchases = product(both(point.p_alive, point.purchases), alive_purchases, both);
        let p_no_purchase = product(silent(point.p_alive, point.silence), alive_silence, silent);
        let discounted_purchases = product(
            both(point.p_alive, point.discounted),
            alive_discounted,
            both,
        );
        Forecast {
            p_alive: Estimate::from_draws(point.p_alive, p_alive),
            purchases,
            p_no_purchase,
            discounted_purchases,
        }
    }

    /// ln(alpha + t) for every distinct time and draw, where that is small enough to keep.
    fn log_table(&self, history: &PurchaseHistory) -> Option<Vec<f64>> {
        if history.times.len().saturating_mul(self.draws.len()) > TABLE_LIMIT {
            return None;
        }
        Some(
            history
                .times
                .iter()
                .flat_map(|t| self.draws.iter().map(move |d| d.ln_alpha(*t)))
                .collect(),
        )
    }

    fn fill_logs(&self, logs: Option<&[f64]>, place: usize, time: f64, out: &mut Vec<f64>) {
        out.clear();
        match logs {
            Some(table) => {
                out.extend_from_slice(&table[place * self.draws.len()..][..self.draws.len()])
            }
            None => out.extend(self.draws.iter().map(|d| d.ln_alpha(time))),
        }
    }

    fn node_table(&self, history: &PurchaseHistory, rows: &[Row], x: f64) -> NodeTable {
        let mut tenures: Vec<f64> = rows
            .iter()
            .map(|row| history.times[row.tenure_place as usize])
            .collect();
        tenures.dedup();
        let tenure = match (
            tenures.len() > TENURE_NODES,
            tenures.first(),
            tenures.last(),
        ) {
            (true, Some(low), Some(high)) => {
                Interpolation::chebyshev(*low, *high, self.scale, TENURE_NODES)
            }
            _ => Interpolation::exact(tenures),
        };
        let cells: Vec<(&f64, &ClosedForms)> = tenure
            .nodes
            .iter()
            .flat_map(|n| self.draws.iter().map(move |d| (n, d)))
            .collect();
        let values: Vec<[f64; 3]> = cells
            .par_iter()
            .map(|(node, forms)| {
                let purchases = forms.alive_purchases(x, **node, self.horizon);
                let discounted = self.sum.of(|t| forms.alive_purchases(x, **node, t));
                [
                    purchases,
                    forms.alive_silence(x, **node, self.horizon),
                    discounted,
                ]
            })
            .collect();
        let column = |k: usize| values.iter().map(|v| v[k]).collect();
        NodeTable {
            purchases: column(0),
            silence: column(1),
            discounted: column(2),
            tenure,
        }
    }
}

impl ClosedForms {
    fn ln_alpha(&self, t: f64) -> f64 {
        match self {
            Self::Bg(m) => (m.alpha + t).ln(),
            // P(alive) of Pareto/NBD takes no table of logarithms.
            Self::Pareto(_) => 0.0,
        }
    }
}

/// `out[draw]` = the node values of the draw, weighted.
fn mix(weights: &[f64], table: &[f64], draws: usize, out: &mut Vec<f64>) {
    out.clear();
    out.resize(draws, 0.0);
    if draws == 0 {
        return;
    }
    for (weight, values) in weights.iter().zip(table.chunks_exact(draws)) {
        if *weight != 0.0 {
            for (total, value) in out.iter_mut().zip(values) {
                *total += weight * value;
            }
        }
    }
}

/// Ranges of rows with one T; `rows` share x and start at `offset`.
fn runs_of_equal_tenure(rows: &[Row], offset: usize) -> Vec<Range<usize>> {
    let mut from = offset;
    rows.chunk_by(|a, b| a.tenure_place == b.tenure_place)
        .map(|run| {
            let range = from..from + run.len();
            from = range.end;
            range
        })
        .collect()
}

/// For every distinct history, its customers.
struct CustomerIndex {
    offsets: Vec<u32>,
    customers: Vec<u32>,
}

impl CustomerIndex {
    fn new(history: &PurchaseHistory) -> Self {
        let mut offsets = vec![0_u32; history.len() + 1];
        for &row in history.row_of() {
            offsets[row as usize + 1] += 1;
        }
        for i in 1..offsets.len() {
            offsets[i] += offsets[i - 1];
        }
        let mut next = offsets.clone();
        let mut customers = vec![0_u32; history.row_of().len()];
        for (customer, &row) in history.row_of().iter().enumerate() {
            let place = &mut next[row as usize];
            customers[*place as usize] = customer as u32;
            *place += 1;
        }
        Self { offsets, customers }
    }

    fn customers(&self, row: usize) -> &[u32] {
        &self.customers[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

/// Past and future value of a customer, kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LifetimeValue {
    /// Margin on everything bought so far, the first occasion included; undiscounted.
    pub past: f64,
    /// Residual value within the horizon, discounted.
    pub residual: Estimate,
}

impl LifetimeValue {
    /// `past_spend`: everything the customer has spent so far.
    pub fn new(past_spend: f64, margin: f64, residual: Estimate) -> Self {
        Self {
            past: past_spend * margin,
            residual,
        }
    }

    /// Past plus residual, at the estimate.
    pub fn total(&self) -> f64 {
        self.past + self.residual.value
    }
}
