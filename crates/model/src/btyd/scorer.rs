//! Scoring many customers with intervals: P(alive), expected purchases, P(no purchase), discounted purchases, lifetime value.
//!
//! Given that a customer is alive, nothing depends on t_x; given the parameters, P(alive) takes one logarithm and one
//! exponential. So the closed forms are evaluated per draw at a few nodes of (x, T) and interpolated, and the rest is
//! arithmetic per distinct history: ten million customers with two hundred draws each take seconds.
//!
//! [`Scorer`] keeps tables that grow with the distinct x and times only. Results are made for the histories or customers asked
//! for, so a caller that writes row groups needs memory for one row group at a time.

use std::ops::Range;

use rayon::prelude::*;

use super::fit::ClosedForms;
use super::history::{PurchaseHistory, Row};
use super::interpolation::Interpolation;
use super::score::{Forecast, Forecaster};
use crate::laplace::Estimate;
use crate::lifetime_error::LifetimeError;
use crate::spend::SpendFit;

/// Nodes in T for each x; an x with no more distinct T than this is evaluated at each.
const TENURE_NODES: usize = 12;
/// Largest table of logarithms (times x draws) that is kept, in numbers of 8 bytes: 64 MB.
const TABLE_LIMIT: usize = 8_000_000;
/// Customers scored together; limits the memory for sorting them by history.
const BATCH: usize = 1 << 20;

/// A forecaster with the tables it needs to score the customers of one [`PurchaseHistory`]. Memory: under a megabyte per ten
/// distinct x, and at most 64 MB for logarithms.
pub struct Scorer<'a> {
    forecaster: &'a Forecaster<'a>,
    history: &'a PurchaseHistory,
    logs: Option<Vec<f64>>,
    /// By place of x.
    tables: Vec<XTable>,
}

/// What does not depend on the single history, for one x: `[node][draw]`, flat, of a living customer.
struct XTable {
    tenure: Interpolation,
    purchases: Vec<f64>,
    silence: Vec<f64>,
    discounted: Vec<f64>,
    /// Per draw: ln of the odds of having dropped out at the last purchase, and r + x. Empty for Pareto/NBD.
    dropout: Vec<(f64, f64)>,
}

/// Draws of one history; buffers reused from row to row.
#[derive(Default)]
pub(super) struct Draws {
    pub(super) alive_purchases: Vec<f64>,
    pub(super) alive_silence: Vec<f64>,
    alive_discounted: Vec<f64>,
    ln_tenure: Vec<f64>,
    pub(super) p_alive: Vec<f64>,
    scratch: Vec<f64>,
    value: Vec<(f64, f64)>,
}

/// One history at the estimate.
#[derive(Default)]
pub(super) struct Point {
    pub(super) p_alive: f64,
    purchases: f64,
    pub(super) silence: f64,
    discounted: f64,
}

/// The place of a distinct history, and how many customers have it.
pub(super) struct Weighed {
    pub(super) place: usize,
    pub(super) weight: f64,
}

/// A customer of a batch: the place of its history, its place in the batch. Ordered by both.
type Member = (u32, u32);

impl Forecaster<'_> {
    /// Prepares to score the customers of `history`, which must be in the model's time unit: all at once or part by part.
    pub fn scorer<'a>(&'a self, history: &'a PurchaseHistory) -> Scorer<'a> {
        Scorer::new(self, history)
    }

    /// One forecast per distinct history, in the order of [`PurchaseHistory::summary`]; customers find theirs by
    /// [`PurchaseHistory::row_of`]. The history must be in the model's time unit.
    pub fn forecast(&self, history: &PurchaseHistory) -> Vec<Forecast> {
        self.scorer(history).forecast(0..history.len())
    }

    /// Residual lifetime value of every customer, in input order: see [`Scorer::residual_values`].
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
        let customers = 0..history.row_of().len();
        self.scorer(history)
            .residual_values(customers, mean_spend, spend, margin)
    }
}

impl<'a> Scorer<'a> {
    fn new(forecaster: &'a Forecaster<'a>, history: &'a PurchaseHistory) -> Self {
        let tables = history
            .rows
            .chunk_by(|a, b| a.x_place == b.x_place)
            .map(|rows| XTable::new(forecaster, history, rows))
            .collect();
        Self {
            forecaster,
            history,
            logs: log_table(forecaster, history),
            tables,
        }
    }

    /// Number of parameter draws.
    pub(super) fn draw_count(&self) -> usize {
        self.forecaster.draws.len()
    }

    /// The distinct histories.
    pub(super) fn rows_with_weights(&self) -> impl Iterator<Item = Weighed> + '_ {
        let summaries = self.history.summaries().enumerate();
        summaries.map(|(place, summary)| Weighed {
            place,
            weight: summary.weight,
        })
    }

    /// One forecast per distinct history in places `rows` (within [`PurchaseHistory::len`]), in that order.
    pub fn forecast(&self, rows: Range<usize>) -> Vec<Forecast> {
        let none = Estimate::exact(0.0);
        let empty = Forecast {
            p_alive: none,
            purchases: none,
            p_no_purchase: none,
            discounted_purchases: none,
        };
        let mut all = vec![empty; rows.len()];
        let places = &self.history.rows[rows.clone()];
        let same = |a: &Row, b: &Row| (a.x_place, a.tenure_place) == (b.x_place, b.tenure_place);
        let (mut runs, mut from, mut rest) = (Vec::new(), rows.start, all.as_mut_slice());
        for run in places.chunk_by(same) {
            let (out, after) = rest.split_at_mut(run.len());
            runs.push((from, out));
            (from, rest) = (from + run.len(), after);
        }
        runs.par_iter_mut()
            .with_min_len(4)
            .for_each_init(Draws::default, |draws, (start, out)| {
                if self.forecaster.interrupt.requested() {
                    return;
                }
                let mut point = self.living(*start, draws);
                for (row, slot) in (*start..).zip(out.iter_mut()) {
                    self.alive(row, &mut point, draws);
                    *slot = summarise(&point, draws);
                }
            });
        all
    }

    /// Residual lifetime value of the customers at input positions `customers`, in that order: margin times expected spend per
    /// occasion times discounted expected purchases within the horizon. The past is not part of it.
    ///
    /// `mean_spend`: their mean spends over repeat occasions, ignored where there is none. `margin`: profit per unit of spend,
    /// finite. Where the spend model has no draws ([`SpendFit::draws`]) the values have no intervals.
    ///
    /// # Errors
    /// [`LifetimeError::LengthMismatch`] unless there is one mean spend per customer asked for, and each is a customer of the
    /// history; [`LifetimeError::OutOfRange`] for a margin that is not finite.
    pub fn residual_values(
        &self,
        customers: Range<usize>,
        mean_spend: &[f64],
        spend: &SpendFit,
        margin: f64,
    ) -> Result<Vec<Estimate>, LifetimeError> {
        let Some(row_of) = self
            .history
            .row_of()
            .get(customers.clone())
            .filter(|rows| rows.len() == mean_spend.len())
        else {
            return Err(LifetimeError::LengthMismatch {
                column: "mean_spend",
                found: mean_spend.len(),
                first: "customers",
                expected: customers.len().min(self.history.row_of().len()),
            });
        };
        if !margin.is_finite() {
            let (model, what) = ("lifetime value", "the margin");
            return Err(LifetimeError::OutOfRange {
                model,
                what,
                value: margin,
                range: "finite",
            });
        }
        // Spend is drawn independently of purchases, as the models assume; another stream of the same seed.
        let seed = self.forecaster.plan.seed ^ 0x5eed_0f5e_4d00_0001;
        let drawn = spend.draws(self.forecaster.draws.len(), seed);
        let xs = self.history.xs.iter();
        let lines = |drawn: &Vec<SpendFit>| -> Vec<Vec<(f64, f64)>> {
            xs.map(|&x| drawn.iter().map(|s| s.line(x)).collect())
                .collect()
        };
        let money = Money {
            spend,
            lines: drawn.as_ref().map(lines),
            margin,
        };
        let mut values = vec![Estimate::exact(0.0); mean_spend.len()];
        let batches = values.chunks_mut(BATCH);
        let given = row_of.chunks(BATCH).zip(mean_spend.chunks(BATCH));
        for (out, (rows, means)) in batches.zip(given) {
            self.value_batch(rows, means, &money, out);
            if self.forecaster.interrupt.requested() {
                return Err(LifetimeError::Interrupted);
            }
        }
        Ok(values)
    }

    fn value_batch(&self, rows: &[u32], means: &[f64], money: &Money<'_>, out: &mut [Estimate]) {
        let mut members: Vec<Member> = rows.iter().copied().zip(0..).collect();
        members.par_sort_unstable();
        let mut sorted = vec![Estimate::exact(0.0); members.len()];
        let key = |member: &Member| {
            let row = &self.history.rows[member.0 as usize];
            (row.x_place, row.tenure_place)
        };
        let (mut runs, mut rest) = (Vec::new(), sorted.as_mut_slice());
        for run in members.chunk_by(|a, b| key(a) == key(b)) {
            let (slots, after) = rest.split_at_mut(run.len());
            runs.push((run, slots));
            rest = after;
        }
        runs.par_iter_mut()
            .with_min_len(4)
            .for_each_init(Draws::default, |draws, (run, slots)| {
                if self.forecaster.interrupt.requested() {
                    return;
                }
                let mut point = self.living(run[0].0 as usize, draws);
                let mut from = 0;
                for same in run.chunk_by(|a, b| a.0 == b.0) {
                    self.alive(same[0].0 as usize, &mut point, draws);
                    let slots = &mut slots[from..from + same.len()];
                    from += same.len();
                    self.value_history(same, means, money, &point, draws, slots);
                }
            });
        for (member, estimate) in members.iter().zip(&sorted) {
            out[member.1 as usize] = *estimate;
        }
    }

    /// The customers of one history.
    fn value_history(
        &self,
        members: &[Member],
        means: &[f64],
        money: &Money<'_>,
        point: &Point,
        draws: &mut Draws,
        slots: &mut [Estimate],
    ) {
        let Draws {
            alive_discounted,
            p_alive,
            scratch,
            value,
            ..
        } = draws;
        let x_place = self.history.rows[members[0].0 as usize].x_place as usize;
        let x = self.history.xs[x_place];
        // Per draw the value is a line in the mean spend.
        value.clear();
        let purchases = p_alive.iter().zip(alive_discounted.iter());
        let lines = money.lines.as_ref().map(|lines| &lines[x_place]);
        value.extend(purchases.zip(lines.into_iter().flatten()).map(
            |((alive, purchases), (constant, slope))| {
                let profit = money.margin * alive * purchases;
                (profit * constant, profit * slope)
            },
        ));
        let mut estimate = |mean: f64| {
            scratch.clear();
            scratch.extend(
                value
                    .iter()
                    .map(|(constant, slope)| constant + slope * mean),
            );
            let spend = money.spend.expected_spend(x, mean);
            let expected = money.margin * point.p_alive * point.discounted * spend;
            match lines {
                Some(_) => Estimate::from_draws(expected, scratch),
                None => Estimate::without_interval(expected),
            }
        };
        if x == 0 {
            // Without a repeat occasion there is no own mean: customers with this history share one value.
            slots.fill(estimate(0.0));
        } else {
            for (member, slot) in members.iter().zip(slots) {
                *slot = estimate(means[member.1 as usize]);
            }
        }
    }

    /// What holds for all living customers with the x and T of a row.
    pub(super) fn living(&self, row: usize, draws: &mut Draws) -> Point {
        let Forecaster {
            forms,
            horizon,
            sum,
            draws: drawn,
            ..
        } = self.forecaster;
        let place = self.history.rows[row];
        let x = f64::from(self.history.xs[place.x_place as usize]);
        let tenure = self.history.times[place.tenure_place as usize];
        let table = &self.tables[place.x_place as usize];
        let weights = table.tenure.weights(tenure);
        let count = drawn.len();
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
        self.fill_logs(place.tenure_place, &mut draws.ln_tenure);
        Point {
            p_alive: 0.0,
            purchases: forms.alive_purchases(x, tenure, *horizon),
            silence: forms.alive_silence(x, tenure, *horizon),
            discounted: sum.of(|t| forms.alive_purchases(x, tenure, t)),
        }
    }

    /// P(alive) of one row, at the estimate and per draw.
    pub(super) fn alive(&self, row: usize, point: &mut Point, draws: &mut Draws) {
        let place = self.history.rows[row];
        let table = &self.tables[place.x_place as usize];
        let x = f64::from(self.history.xs[place.x_place as usize]);
        let t_x = self.history.times[place.t_x_place as usize];
        let tenure = self.history.times[place.tenure_place as usize];
        point.p_alive = self.forecaster.forms.p_alive(x, t_x, tenure);
        draws.p_alive.clear();
        if table.dropout.is_empty() {
            let forms = self.forecaster.draws.iter();
            draws
                .p_alive
                .extend(forms.map(|f| f.p_alive(x, t_x, tenure)));
        } else {
            self.fill_logs(place.t_x_place, &mut draws.scratch);
            let silence = draws.ln_tenure.iter().zip(&draws.scratch);
            let terms = table.dropout.iter().zip(silence);
            draws
                .p_alive
                .extend(terms.map(|((ln_odds, shape), (ln_tenure, ln_last))| {
                    1.0 / (1.0 + (ln_odds + shape * (ln_tenure - ln_last)).exp())
                }));
        }
    }

    fn fill_logs(&self, place: u32, out: &mut Vec<f64>) {
        out.clear();
        let drawn = &self.forecaster.draws;
        match &self.logs {
            Some(table) => {
                out.extend_from_slice(&table[place as usize * drawn.len()..][..drawn.len()]);
            }
            None => {
                let time = self.history.times[place as usize];
                out.extend(drawn.iter().map(|d| d.ln_alpha(time)));
            }
        }
    }
}

/// What turns purchases into money.
struct Money<'a> {
    spend: &'a SpendFit,
    /// By place of x, per draw: expected spend as constant and slope in the mean spend; `None` where nothing is drawn.
    lines: Option<Vec<Vec<(f64, f64)>>>,
    margin: f64,
}

fn summarise(point: &Point, draws: &mut Draws) -> Forecast {
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
        let terms = p_alive.iter().zip(living);
        scratch.extend(terms.map(|(alive, given)| combine(*alive, *given)));
        Estimate::from_draws(value, scratch)
    };
    let both = |alive: f64, given: f64| alive * given;
    let silent = |alive: f64, silence: f64| 1.0 - alive * (1.0 - silence);
    let purchases = product(both(point.p_alive, point.purchases), alive_purchases, both);
    let p_no_purchase = product(silent(point.p_alive, point.silence), alive_silence, silent);
    let discounted = both(point.p_alive, point.discounted);
    let discounted_purchases = product(discounted, alive_discounted, both);
    Forecast {
        p_alive: Estimate::from_draws(point.p_alive, p_alive),
        purchases,
        p_no_purchase,
        discounted_purchases,
    }
}

/// ln(alpha + t) for every distinct time and draw, where that is small enough to keep.
fn log_table(forecaster: &Forecaster<'_>, history: &PurchaseHistory) -> Option<Vec<f64>> {
    let drawn = &forecaster.draws;
    if history.times.len().saturating_mul(drawn.len()) > TABLE_LIMIT {
        return None;
    }
    let times = history.times.iter();
    Some(
        times
            .flat_map(|t| drawn.iter().map(move |d| d.ln_alpha(*t)))
            .collect(),
    )
}

impl XTable {
    /// `rows`: all rows of one x.
    fn new(forecaster: &Forecaster<'_>, history: &PurchaseHistory, rows: &[Row]) -> Self {
        let x = f64::from(history.xs[rows[0].x_place as usize]);
        let mut tenures: Vec<f64> = rows
            .iter()
            .map(|row| history.times[row.tenure_place as usize])
            .collect();
        tenures.dedup();
        let ends = (tenures.first(), tenures.last());
        let tenure = match (tenures.len() > TENURE_NODES, ends) {
            (true, (Some(low), Some(high))) => {
                Interpolation::chebyshev(*low, *high, forecaster.scale, TENURE_NODES)
            }
            _ => Interpolation::exact(tenures),
        };
        let drawn = &forecaster.draws;
        let nodes = tenure.nodes.iter();
        let cells: Vec<(f64, &ClosedForms)> = nodes
            .flat_map(|node| drawn.iter().map(move |forms| (*node, forms)))
            .collect();
        let values: Vec<[f64; 3]> = cells
            .par_iter()
            .map(|(node, forms)| {
                if forecaster.interrupt.requested() {
                    return [0.0; 3];
                }
                [
                    forms.alive_purchases(x, *node, forecaster.horizon),
                    forms.alive_silence(x, *node, forecaster.horizon),
                    forecaster.sum.of(|t| forms.alive_purchases(x, *node, t)),
                ]
            })
            .collect();
        let column = |k: usize| values.iter().map(|v| v[k]).collect();
        let dropout = drawn.iter().filter_map(|forms| match forms {
            ClosedForms::Bg(m) => Some((m.ln_dropout_odds(x), m.r + x)),
            ClosedForms::SharedDropout(m) => Some((m.ln_dropout_odds(x), m.r + x)),
            ClosedForms::Pareto(_) | ClosedForms::Nbd(_) => None,
        });
        Self {
            purchases: column(0),
            silence: column(1),
            discounted: column(2),
            dropout: dropout.collect(),
            tenure,
        }
    }
}

impl ClosedForms {
    fn ln_alpha(&self, t: f64) -> f64 {
        match self {
            Self::Bg(m) => (m.alpha + t).ln(),
            Self::SharedDropout(m) => (m.alpha + t).ln(),
            // The other models need no table of logarithms for P(alive).
            Self::Pareto(_) | Self::Nbd(_) => 0.0,
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
