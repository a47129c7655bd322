//! The fit: split, test, choice, and the chosen model trained again on all dates; and the scores of customers.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::calibration::Calibrator;
use super::encoding::Encoding;
use super::error::{ChurnError, go_on};
use super::inputs::{Inputs, Panel};
use super::plan::ChurnPlan;
use super::predictor::{ChurnServed, Predictor};
use super::split::{Split, SplitKind, sample};
use super::steadiness::DateShare;
use super::trial::{Backtest, Candidate, Trial};
use crate::metrics::log_loss;

/// Rows scored at a time.
const CHUNK: usize = 32_768;

/// A fitted churn model: the chosen model, the figures of the test, and everything that scoring needs. After it is stored and
/// loaded, its scores are the same to the last bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChurnFit {
    pub(super) plan: ChurnPlan,
    pub(super) encoding: Encoding,
    pub(super) predictor: Predictor,
    pub(super) calibrator: Calibrator,
    pub(super) base_rate: f64,
    pub(super) out_of_time: bool,
    pub(super) sizes: Vec<SliceSize>,
    /// Customers of the training slice; `None` where an earlier program stored the fit.
    #[serde(default)]
    pub(super) train_customers: Option<u64>,
    pub(super) learnt_from: (i32, i32),
    pub(super) tested_on: i32,
    pub(super) candidates: Vec<Candidate>,
    pub(super) chosen: Candidate,
    /// Predicted and observed share of each date; empty without dates, and where an earlier program stored the fit.
    #[serde(default)]
    pub(super) dates: Vec<DateShare>,
    pub(super) unfitted: Vec<(ChurnServed, String)>,
    pub(super) reason: String,
}

/// Rows of a slice, and how many of them churned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SliceSize {
    pub(super) slice: String,
    pub(super) rows: u64,
    pub(super) churned: u64,
}

impl SliceSize {
    fn of(slice: &str, panel: &Panel) -> Self {
        Self {
            slice: slice.to_owned(),
            rows: panel.rows() as u64,
            churned: panel.churners() as u64,
        }
    }
}

impl ChurnFit {
    /// Trains the candidates, tests them on the newest observation date, and chooses one.
    ///
    /// The newest date is the test date; training dates are those at least the horizon before it. Customers are split into
    /// folds ([`fold_of`](super::fold_of)). Each fold is predicted by models trained on the other folds, calibrated on their
    /// out-of-fold predictions at the training dates, so every customer is tested on. The candidate is chosen by its ranking:
    /// its log loss at the test date after its predictions were recalibrated on the other folds at that date. The figures of
    /// the choice are, for each customer, those of the candidate chosen without the customer's fold. The chosen candidate is
    /// then trained again on all dates and customers, and calibrated on out-of-fold predictions. The same panel, in any order
    /// of rows, and plan give the same fit for any number of threads.
    ///
    /// # Errors
    /// An impossible plan, a missing recency column, fewer than two usable dates, fewer than 50 churned or 50 staying rows to
    /// train on, or fewer than 10 of either to test on.
    pub fn fit(panel: &Panel, plan: &ChurnPlan) -> Result<Self, ChurnError> {
        Self::fit_tested(panel, plan).map(|(fit, _)| fit)
    }

    /// As [`ChurnFit::fit`], with what every candidate predicted for each customer of the test slice.
    ///
    /// # Errors
    /// As [`ChurnFit::fit`].
    pub fn fit_tested(panel: &Panel, plan: &ChurnPlan) -> Result<(Self, Backtest), ChurnError> {
        Self::fit_split(panel, plan, SplitKind::Time)
    }

    /// As [`ChurnFit::fit`] for a table without time: all dates are used alike, and training and test rows differ by customer
    /// only. Its figures therefore do not show how predictions hold at a later date.
    ///
    /// # Errors
    /// As [`ChurnFit::fit`], without dates.
    pub fn fit_static(panel: &Panel, plan: &ChurnPlan) -> Result<Self, ChurnError> {
        Self::fit_static_tested(panel, plan).map(|(fit, _)| fit)
    }

    /// As [`ChurnFit::fit_static`], with what every candidate predicted for each customer without having learnt from it.
    ///
    /// # Errors
    /// As [`ChurnFit::fit_static`].
    pub fn fit_static_tested(
        panel: &Panel,
        plan: &ChurnPlan,
    ) -> Result<(Self, Backtest), ChurnError> {
        Self::fit_split(panel, plan, SplitKind::Customers)
    }

    fn fit_split(
        panel: &Panel,
        plan: &ChurnPlan,
        kind: SplitKind,
    ) -> Result<(Self, Backtest), ChurnError> {
        plan.check()?;
        if let Some(column) = &plan.recency {
            panel.inputs.number_named(column)?;
        }
        let split = Split::new(panel, plan, kind)?;
        let trial = Trial::run(plan, &split)?;
        let learnt = sample(panel, plan, &|_| true);
        let sizes = [
            ("train", &split.early),
            ("test", &split.test),
            ("refit", &learnt),
        ];
        let sizes = sizes.map(|(slice, panel)| SliceSize::of(slice, panel));
        let base_rate = learnt.churners() as f64 / learnt.rows() as f64;
        let (encoding, design) = Encoding::fit(&learnt.inputs)?;
        let predictor = Predictor::fit(trial.served, plan, &learnt, &design, base_rate)?;
        let calibrator = trial.calibrator;
        let fit = Self {
            plan: plan.clone(),
            encoding,
            predictor,
            calibrator,
            base_rate,
            out_of_time: kind == SplitKind::Time,
            sizes: sizes.to_vec(),
            train_customers: Some(split.early.customers() as u64),
            learnt_from: split.learnt_from,
            tested_on: split.tested_on,
            candidates: trial.candidates,
            chosen: trial.chosen,
            dates: match kind {
                SplitKind::Time => trial.dates,
                SplitKind::Customers => Vec::new(),
            },
            unfitted: trial.unfitted,
            reason: trial.reason,
        };
        Ok((fit, trial.backtest))
    }

    /// The model that is used.
    pub fn served(&self) -> ChurnServed {
        self.predictor.kind()
    }

    /// Why, in one sentence.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Share of all rows that churned, in (0, 1).
    pub fn base_rate(&self) -> f64 {
        self.base_rate
    }

    /// Figures on the test rows of every candidate that could be fitted: the models of the plan, the rule, the base rate.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The figures of the choice: each customer is predicted by the candidate chosen without the customer's fold. Its `model` is
    /// the one that is used.
    pub fn chosen(&self) -> &Candidate {
        &self.chosen
    }

    /// Predicted and observed share of each observation date, oldest first, by the model that is used; empty without dates.
    pub fn dates(&self) -> &[DateShare] {
        &self.dates
    }

    /// Mean log loss of this fit on the rows of another fit's test, in nats; `None` where a row has no prediction.
    ///
    /// # Errors
    /// A column of this fit is not in the panel.
    pub fn log_loss_of(&self, panel: &Panel, test: &Backtest) -> Result<Option<f64>, ChurnError> {
        let places: HashMap<(u64, i32), usize> = (0..panel.rows())
            .map(|row| ((panel.customer[row], panel.observed_on[row]), row))
            .collect();
        let tested = test
            .customer
            .iter()
            .copied()
            .zip(test.observed_on.iter().copied());
        let rows: Option<Vec<usize>> = tested.map(|row| places.get(&row).copied()).collect();
        let Some(rows) = rows else {
            return Ok(None);
        };
        let probabilities = self.probabilities(&panel.gather(&rows).inputs)?;
        Ok(log_loss(&probabilities, &test.churned))
    }

    /// The calibrated probability to churn within the horizon, one per row, in (0, 1); no rows give none.
    ///
    /// Columns are found by name; others are ignored. Missing numbers count as the training median (and are marked as missing
    /// where training had missing values); unknown labels are encoded like rare ones; a number below 0 counts as 0 where
    /// training took the logarithm of a column without values below 0.
    ///
    /// # Errors
    /// A column of the fit is missing.
    pub fn probabilities(&self, inputs: &Inputs) -> Result<Vec<f64>, ChurnError> {
        let calibrated = |inputs: &Inputs| {
            let design = self.encoding.encode(inputs)?;
            let raw = self.predictor.probabilities(inputs, &design)?;
            let calibrated = raw.into_iter().map(|p| self.calibrator.apply(p));
            Ok::<Vec<f64>, ChurnError>(calibrated.collect())
        };
        let mut all = Vec::with_capacity(inputs.rows());
        in_chunks(inputs, calibrated, |chunk| all.extend(chunk))?;
        Ok(all)
    }
}

/// Hands over the results of pieces of the rows, in their order. Some pieces are computed at the same time: the encoded columns and the
/// results of many customers are never held at once.
pub(super) fn in_chunks<T: Send>(
    inputs: &Inputs,
    of: impl Fn(&Inputs) -> Result<T, ChurnError> + Sync,
    mut take: impl FnMut(T),
) -> Result<(), ChurnError> {
    let rows = inputs.rows();
    if (1..=CHUNK).contains(&rows) {
        go_on()?;
        take(of(inputs)?);
        return Ok(());
    }
    let starts: Vec<usize> = (0..rows).step_by(CHUNK).collect();
    let chunk = |from: &usize| {
        go_on()?;
        let rows: Vec<usize> = (*from..(from + CHUNK).min(rows)).collect();
        of(&inputs.gather(&rows))
    };
    for starts in starts.chunks(rayon::current_num_threads()) {
        let made: Vec<Result<T, ChurnError>> = starts.par_iter().map(chunk).collect();
        for made in made {
            take(made?);
        }
    }
    Ok(())
}
