//! The fit: split, trial, and the served kind fitted again to all that may be learnt from; and the scores of customers.

use serde::{Deserialize, Serialize};

use super::calibration::Calibrator;
use super::encoding::Encoding;
use super::error::{ChurnError, go_on};
use super::inputs::{Inputs, Panel};
use super::plan::ChurnPlan;
use super::predictor::{ChurnServed, Predictor};
use super::split::{Split, SplitKind, sample};
use super::trial::{Backtest, Candidate, Trial};

/// Rows scored at a time.
const CHUNK: usize = 32_768;

/// A fitted churn model: what serves, how it was judged, and everything that scoring needs. Stored and loaded, it scores
/// the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChurnFit {
    pub(super) plan: ChurnPlan,
    pub(super) encoding: Encoding,
    pub(super) predictor: Predictor,
    pub(super) calibrator: Calibrator,
    pub(super) base_rate: f64,
    pub(super) out_of_time: bool,
    pub(super) sizes: Vec<SliceSize>,
    pub(super) learnt_from: (i32, i32),
    pub(super) tested_on: i32,
    pub(super) candidates: Vec<Candidate>,
    pub(super) chosen: Candidate,
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
    /// Fits, tests on the newest observation date, and chooses what serves.
    ///
    /// The test is the newest date; what is learnt from are the dates at least the horizon before it. Each part of the customers
    /// ([`fold_of`](super::fold_of)) is predicted by models that learnt from the others, and calibrated on what these predicted
    /// of the others at the dates learnt from, so that all customers are tested on. What serves is chosen by ranking: what each
    /// candidate predicted at the test's date, recalibrated on the other parts there. The figures of the choice are those of
    /// models that were chosen without the customer. What serves is then fitted again to all dates and customers, and calibrated
    /// on what was predicted of customers that were held out. The same panel, in any order, and plan give the same fit for any
    /// number of threads.
    ///
    /// # Errors
    /// An impossible plan, a recency column that is not there, fewer than two usable dates, fewer than 50 churned or 50
    /// staying rows to learn from, or 10 to test on.
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

    /// As [`ChurnFit::fit`] for a table without time: all dates are used alike, and only customers part the test from the
    /// rest. What it reports is not proven out of time.
    ///
    /// # Errors
    /// As [`ChurnFit::fit`], without dates.
    pub fn fit_static(panel: &Panel, plan: &ChurnPlan) -> Result<Self, ChurnError> {
        Self::fit_split(panel, plan, SplitKind::Customers).map(|(fit, _)| fit)
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
            learnt_from: split.learnt_from,
            tested_on: split.tested_on,
            candidates: trial.candidates,
            chosen: trial.chosen,
            unfitted: trial.unfitted,
            reason: trial.reason,
        };
        Ok((fit, trial.backtest))
    }

    /// What serves.
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

    /// Every candidate that could be fitted, judged on the test slice: the models as planned, the rule, the base rate.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// What was chosen without the customer that it was tested on: how good the choice is; its model is what serves.
    pub fn chosen(&self) -> &Candidate {
        &self.chosen
    }

    /// The calibrated probability to churn within the horizon, one per row, in (0, 1); no rows give none.
    ///
    /// Columns are found by name; others are ignored. Missing numbers count as the training median (and as missing, where
    /// training knew that), labels that training did not hold as another; a number below 0 counts as 0 where training took
    /// the logarithm of a column that never fell below 0.
    ///
    /// # Errors
    /// A column of the fit is not there.
    pub fn probabilities(&self, inputs: &Inputs) -> Result<Vec<f64>, ChurnError> {
        let chunks: Vec<Vec<f64>> = chunks(inputs)
            .map(|rows| {
                go_on()?;
                let inputs = inputs.gather(&rows);
                let design = self.encoding.encode(&inputs)?;
                let raw = self.predictor.probabilities(&inputs, &design)?;
                Ok(raw.into_iter().map(|p| self.calibrator.apply(p)).collect())
            })
            .collect::<Result<_, ChurnError>>()?;
        Ok(chunks.concat())
    }
}

/// The rows in pieces, so that the encoded columns of many customers are never held at once.
pub(super) fn chunks(inputs: &Inputs) -> impl Iterator<Item = Vec<usize>> {
    let rows = inputs.rows();
    let starts = (0..rows).step_by(CHUNK);
    starts.map(move |from| (from..(from + CHUNK).min(rows)).collect())
}
