//! Tests the candidates on customers and, where there are dates, on a date that they were not trained on; and chooses one.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::calibration::{Calibrator, softened};
use super::choice::{Contender, choose};
use super::encoding::{Design, Encoding, Origin};
use super::error::{ChurnError, go_on};
use super::inputs::{Inputs, Panel};
use super::plan::{CalibrationKind, ChurnPlan};
use super::predictor::{ChurnServed, Predictor};
use super::split::{FOLDS, Split, fold_of};
use super::steadiness::{DateShare, shares};
use crate::metrics::{self, Auc, CalibrationBin, LogitLine, PairedGain, log_odds, logit_line};
use crate::special::logistic;

/// Largest number of test rows that importances are measured on.
const IMPORTANCE_ROWS: usize = 4_000;

/// The model name in tables of the choice: each customer is predicted by the candidate chosen without the customer's fold.
pub const CHOICE: &str = "choice";

/// How a candidate did on the test slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which one.
    pub model: ChurnServed,
    /// Area under the ROC curve with its 95% interval (DeLong).
    pub auc: Auc,
    /// Average precision, in (0, 1].
    pub average_precision: f64,
    /// Mean log loss, nats.
    pub log_loss: f64,
    /// The same after recalibration on other customers at the same date; the candidates are compared by this.
    pub recalibrated_log_loss: f64,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// Expected calibration error over the bins of [`Candidate::calibration`].
    pub calibration_error: f64,
    /// The limit that the error stays below in 95 of 100 samples of these sizes if the probabilities are right but for what chance did
    /// to the customers that they were learned from.
    pub calibration_error_limit: f64,
    /// Factor by which the latter adds to standard errors of what is observed.
    #[serde(default = "none_added")]
    pub learning_factor: f64,
    /// Line of the observed log-odds over the predicted ones; `None` where all predictions are equal.
    pub calibration_line: Option<LogitLine>,
    /// Churn rate of the tenth with the highest predictions divided by the churn rate of all.
    pub top_decile_lift: f64,
    /// By how much its log loss is below the recency rule's; `None` for the rule itself and without one.
    pub gain_over_recency: Option<PairedGain>,
    /// By how much its log loss is below the base rate's; `None` for the base rate itself.
    pub gain_over_base_rate: Option<PairedGain>,
    /// Predicted and observed, from the lowest predictions.
    pub calibration: Vec<CalibrationBin>,
    /// Increase of the log loss when the values of an input column are exchanged among the test customers of the first fold
    /// (permutation importance), by column; empty for rule and base rate.
    pub importances: Vec<(String, f64)>,
}

/// Predictions and outcomes of the test rows: every figure of a trial is computed from these rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    /// The customer's identifier, one per row.
    pub customer: Vec<u64>,
    /// Date of the prediction, days since 1970-01-01.
    pub observed_on: Vec<i32>,
    /// Whether the customer left within the horizon.
    pub churned: Vec<bool>,
    /// The calibrated probabilities of the choice ([`CHOICE`]) and of each candidate, one per row.
    pub predictions: Vec<(String, Vec<f64>)>,
}

/// The tested candidates, which of them is used, and why.
pub(super) struct Trial {
    pub(super) backtest: Backtest,
    pub(super) candidates: Vec<Candidate>,
    /// Models that could not be fitted, with the error message.
    pub(super) unfitted: Vec<(ChurnServed, String)>,
    pub(super) served: ChurnServed,
    pub(super) reason: String,
    /// The figures of the choice; see [`CHOICE`].
    pub(super) chosen: Candidate,
    /// The calibrator of the model that is used, fitted on out-of-fold predictions.
    pub(super) calibrator: Calibrator,
    /// Predicted and observed share of each date, by the model that is used.
    pub(super) dates: Vec<DateShare>,
}

impl Trial {
    pub(super) fn run(plan: &ChurnPlan, split: &Split) -> Result<Self, ChurnError> {
        let parts = Parts::new(plan, split)?;
        let (mut contenders, mut unfitted) = (Vec::new(), Vec::new());
        for kind in kinds(plan) {
            // Without one of its parts there is nothing to combine.
            if kind == ChurnServed::Combined && !unfitted.is_empty() {
                continue;
            }
            match parts.contend(kind, &contenders) {
                Ok(contender) => contenders.push(contender),
                Err(error @ ChurnError::Fit { .. }) => unfitted.push((kind, error.to_string())),
                Err(error) => return Err(error),
            }
        }
        let of = |kind: ChurnServed| contenders.iter().find(|c| c.kind == kind);
        let happened = &split.test.churned;
        let gain = |contender: &Contender, rival: ChurnServed| {
            let rival = of(rival).filter(|rival| rival.kind != contender.kind)?;
            metrics::log_loss_gain(&contender.probabilities, &rival.probabilities, happened)
        };
        let unusable = |kind: ChurnServed| ChurnError::Fit {
            model: "candidate",
            reason: format!("the {kind} predicts a value that is not a number"),
        };
        let factor = learning_factor(split);
        let candidates = contenders.iter().map(|contender| {
            let gains = [ChurnServed::RecencyRule, ChurnServed::BaseRate];
            let gains = gains.map(|rival| gain(contender, rival));
            judged(contender, (happened, factor), gains).ok_or_else(|| unusable(contender.kind))
        });
        let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
        let everyone: Vec<usize> = (0..split.test.rows()).collect();
        let choice = choose(&contenders, happened, &everyone);
        let served = of(choice.served).ok_or_else(|| unusable(choice.served))?;
        let chosen = parts.chosen(&contenders, served);
        let chosen_of = judged(&chosen, (happened, factor), [None, None]);
        let calibrator = calibrator(plan, served, &parts);
        let dates = served.dates.clone();
        let mut predictions: Vec<(String, Vec<f64>)> =
            vec![(CHOICE.to_owned(), chosen.probabilities)];
        let named = contenders.into_iter();
        predictions.extend(named.map(|c| (c.kind.name().to_owned(), c.probabilities)));
        Ok(Self {
            backtest: Backtest {
                customer: split.test.customer.clone(),
                observed_on: split.test.observed_on.clone(),
                churned: split.test.churned.clone(),
                predictions,
            },
            candidates,
            unfitted,
            served: choice.served,
            reason: choice.reason(split.test.rows()),
            chosen: chosen_of.ok_or_else(|| unusable(choice.served))?,
            calibrator,
            dates,
        })
    }
}

/// The candidates of a plan, in the order of tables. What is combined comes after its parts.
fn kinds(plan: &ChurnPlan) -> Vec<ChurnServed> {
    let models = plan.models.iter().map(|&model| ChurnServed::from(model));
    let both = (plan.models.len() > 1).then_some(ChurnServed::Combined);
    let rule = plan.recency.is_some().then_some(ChurnServed::RecencyRule);
    models
        .chain(both)
        .chain(rule)
        .chain([ChurnServed::BaseRate])
        .collect()
}

/// One fold of the customers, and the encoding learnt from the others.
struct Part {
    encoding: Encoding,
    train: Panel,
    design: Design,
    base_rate: f64,
    early: Held,
    test: Held,
}

/// Rows of the fold that is held out.
struct Held {
    /// Their places in the panel.
    rows: Vec<usize>,
    inputs: Inputs,
    design: Design,
}

impl Held {
    fn new(encoding: &Encoding, panel: &Panel, rows: Vec<usize>) -> Result<Self, ChurnError> {
        let inputs = panel.gather(&rows).inputs;
        let design = encoding.encode(&inputs)?;
        Ok(Self {
            rows,
            inputs,
            design,
        })
    }

    /// Writes the predictions of the rows to their positions in the panel.
    fn predict(&self, fitted: &Predictor, into: &mut [f64]) -> Result<(), ChurnError> {
        let predicted = fitted.probabilities(&self.inputs, &self.design)?;
        for (&row, p) in self.rows.iter().zip(predicted) {
            into[row] = p;
        }
        Ok(())
    }
}

/// The split by folds of the customers.
struct Parts<'a> {
    plan: &'a ChurnPlan,
    split: &'a Split,
    parts: Vec<Part>,
    /// The fold of each row.
    early: Vec<usize>,
    test: Vec<usize>,
}

impl<'a> Parts<'a> {
    fn new(plan: &'a ChurnPlan, split: &'a Split) -> Result<Self, ChurnError> {
        let of = |panel: &Panel| -> Vec<usize> {
            let fold = |&customer: &u64| fold_of(customer, plan.seed);
            panel.customer.iter().map(fold).collect()
        };
        let (early, test) = (of(&split.early), of(&split.test));
        let part = |number: usize| {
            let rows = |parts: &[usize], own: bool| -> Vec<usize> {
                let rows = parts.iter().enumerate();
                rows.filter(|(_, part)| (**part == number) == own)
                    .map(|(row, _)| row)
                    .collect()
            };
            let train = split.early.gather(&rows(&early, false));
            let (encoding, design) = Encoding::fit(&train.inputs)?;
            Ok(Part {
                base_rate: train.churners() as f64 / train.rows().max(1) as f64,
                early: Held::new(&encoding, &split.early, rows(&early, true))?,
                test: Held::new(&encoding, &split.test, rows(&test, true))?,
                encoding,
                train,
                design,
            })
        };
        let parts: Vec<_> = (0..FOLDS).into_par_iter().map(part).collect();
        let parts = parts.into_iter().collect::<Result<_, ChurnError>>()?;
        Ok(Self {
            plan,
            split,
            parts,
            early,
            test,
        })
    }

    fn contend(&self, kind: ChurnServed, others: &[Contender]) -> Result<Contender, ChurnError> {
        let split = self.split;
        let mut early = vec![f64::NAN; split.early.rows()];
        let mut raw = vec![f64::NAN; split.test.rows()];
        let fitted = self.fitted(kind, others)?;
        for (part, fitted) in self.parts.iter().zip(&fitted) {
            part.early.predict(fitted, &mut early)?;
            part.test.predict(fitted, &mut raw)?;
        }
        let calibrators: Vec<Calibrator> = (0..FOLDS)
            .into_par_iter()
            .map(|part| self.calibrator_without(kind, &early, part))
            .collect();
        let calibrated = |raw: &[f64], parts: &[usize]| -> Vec<f64> {
            let rows = raw.iter().zip(parts);
            rows.map(|(&p, &part)| calibrators[part].apply(p)).collect()
        };
        let probabilities = calibrated(&raw, &self.test);
        let known = calibrated(&early, &self.early);
        let dates = shares([(&split.early, &known), (&split.test, &probabilities)]);
        let importances = match (fitted.first(), self.parts.first()) {
            (Some(fitted), Some(part)) if kind.is_model() => {
                self.importances(fitted, part, &calibrators[0])?
            }
            _ => Vec::new(),
        };
        let losses = self.recalibrated_losses(kind, &probabilities);
        Ok(Contender {
            kind,
            fitted,
            early,
            raw,
            probabilities,
            dates,
            losses,
            importances,
        })
    }

    /// Fits without each of the folds.
    fn fitted(
        &self,
        kind: ChurnServed,
        others: &[Contender],
    ) -> Result<Vec<Predictor>, ChurnError> {
        let fit = |part: &Part| {
            go_on()?;
            Predictor::fit(kind, self.plan, &part.train, &part.design, part.base_rate)
        };
        match kind {
            // Of two models that were fitted.
            ChurnServed::Combined => Ok(Predictor::combined(others.iter().map(|c| &c.fitted[..]))),
            // A forest is grown by all threads, for which the one that asks for it waits: it must not be one of them.
            ChurnServed::RandomForest => self.parts.iter().map(fit).collect(),
            // Of several errors the first is stated.
            _ => {
                let fitted: Vec<_> = self.parts.par_iter().map(fit).collect();
                fitted.into_iter().collect()
            }
        }
    }

    /// The calibrator fitted on the predictions of the other folds at the training dates.
    fn calibrator_without(&self, kind: ChurnServed, early: &[f64], part: usize) -> Calibrator {
        let rows = self.early.iter().enumerate();
        let rows: Vec<usize> = rows
            .filter(|(_, own)| **own != part)
            .map(|(row, _)| row)
            .collect();
        let raw: Vec<f64> = rows.iter().map(|&row| early[row]).collect();
        let targets = targets_of(&self.split.early.churned, &rows);
        Calibrator::fit(asked(self.plan, kind), &raw, &targets)
    }

    /// Log losses of the test rows where each fold is recalibrated on the others at the same date: by a line in the log-odds,
    /// or by their churn rate where no line rises. Where all who left have higher predictions than all who stayed, no line is the
    /// most likely one, and Platt's targets are used.
    fn recalibrated_losses(&self, kind: ChurnServed, probabilities: &[f64]) -> Vec<f64> {
        let happened = &self.split.test.churned;
        let mut recalibrated = vec![f64::NAN; probabilities.len()];
        for part in 0..FOLDS {
            let others: Vec<usize> = (0..probabilities.len())
                .filter(|&row| self.test[row] != part)
                .collect();
            let rows = others.iter();
            let logits: Vec<f64> = rows.map(|&row| log_odds(probabilities[row])).collect();
            let targets = targets_of(happened, &others);
            // Adding a half keeps the rate strictly between 0 and 1.
            let rate = (targets.iter().sum::<f64>() + 0.5) / (targets.len() as f64 + 1.0);
            let line = logit_line(&logits, &targets)
                .or_else(|| logit_line(&logits, &softened(&targets)))
                .filter(|line| line.slope > 0.0 && kind != ChurnServed::BaseRate);
            for (row, p) in recalibrated.iter_mut().enumerate() {
                if self.test[row] == part {
                    *p = line.map_or(rate, |line| {
                        logistic(line.intercept + line.slope * log_odds(probabilities[row]))
                    });
                }
            }
        }
        metrics::row_log_losses(&recalibrated, happened)
    }

    /// Increase of the log loss when the values of an input are permuted among the test customers of a fold, of whom there
    /// are at most [`IMPORTANCE_ROWS`].
    fn importances(
        &self,
        fitted: &Predictor,
        part: &Part,
        calibrator: &Calibrator,
    ) -> Result<Vec<(String, f64)>, ChurnError> {
        let rows = part.test.rows.len().min(IMPORTANCE_ROWS);
        let happened: Vec<bool> = part.test.rows[..rows]
            .iter()
            .map(|&row| self.split.test.churned[row])
            .collect();
        let inputs = &part.test.inputs;
        let loss = |design: &Design| -> Result<Option<f64>, ChurnError> {
            let raw = fitted.probabilities(inputs, design)?.into_iter();
            let calibrated: Vec<f64> = raw.take(rows).map(|p| calibrator.apply(p)).collect();
            Ok(metrics::log_loss(&calibrated, &happened))
        };
        let own = loss(&part.exchanged(None, rows))?;
        let mut importances = Vec::new();
        for origin in part.encoding.origins() {
            go_on()?;
            if let (Some(own), Some(without)) = (own, loss(&part.exchanged(Some(origin), rows))?) {
                let name = part.encoding.origin_name(origin).to_owned();
                importances.push((name, without - own));
            }
        }
        Ok(importances)
    }

    /// For each fold the candidate chosen on the other folds, combined into one contender.
    fn chosen(&self, contenders: &[Contender], served: &Contender) -> Contender {
        let mut chosen = Contender {
            kind: served.kind,
            fitted: Vec::new(),
            early: Vec::new(),
            raw: Vec::new(),
            dates: Vec::new(),
            probabilities: served.probabilities.clone(),
            losses: served.losses.clone(),
            importances: Vec::new(),
        };
        for part in 0..FOLDS {
            let others: Vec<usize> = (0..self.test.len())
                .filter(|&row| self.test[row] != part)
                .collect();
            let kind = choose(contenders, &self.split.test.churned, &others).served;
            let Some(found) = contenders.iter().find(|c| c.kind == kind) else {
                continue;
            };
            for (row, own) in self.test.iter().enumerate() {
                if *own == part {
                    chosen.probabilities[row] = found.probabilities[row];
                    chosen.losses[row] = found.losses[row];
                }
            }
        }
        chosen
    }
}

impl Part {
    /// The first `rows` test rows, with the columns of one input permuted among them. The rows are in random order, so
    /// rotating by half is a random permutation.
    fn exchanged(&self, origin: Option<Origin>, rows: usize) -> Design {
        let columns = self.encoding.columns.iter().zip(&self.test.design.columns);
        let columns = columns.map(|(column, values)| {
            let mut values = values[..rows].to_vec();
            if Some(column.source.origin()) == origin {
                values.rotate_left(rows / 2);
            }
            values
        });
        Design {
            columns: columns.collect(),
            rows,
        }
    }
}

/// The outcomes of some rows, as numbers.
fn targets_of(happened: &[bool], rows: &[usize]) -> Vec<f64> {
    let of = |&row: &usize| f64::from(u8::from(happened[row]));
    rows.iter().map(of).collect()
}

/// How a candidate is calibrated; the base rate needs no calibration.
fn asked(plan: &ChurnPlan, kind: ChurnServed) -> CalibrationKind {
    match kind {
        ChurnServed::BaseRate => CalibrationKind::None,
        _ => plan.calibration,
    }
}

/// The calibrator of the model that is used, fitted on out-of-fold predictions at all dates. In a table without time the test
/// rows are the training rows, so each row is used once.
fn calibrator(plan: &ChurnPlan, served: &Contender, parts: &Parts<'_>) -> Calibrator {
    let split = parts.split;
    let (mut raw, mut targets) = (served.early.clone(), split.early.targets());
    if split.learnt_from.1 < split.tested_on {
        raw.extend(&served.raw);
        targets.extend(split.test.targets());
    }
    Calibrator::fit(asked(plan, served.kind), &raw, &targets)
}

/// The factor of figures that an earlier program stored.
fn none_added() -> f64 {
    1.0
}

/// Factor by which standard errors of observed less predicted exceed those of what is observed: predictions are learned from a sample,
/// too, as many customers as the folds that a fold is predicted from have. Rows of one customer at several dates count once, since
/// they know much of one another. Per bin, the rates of two independent samples of n and m differ with variance p (1 - p) (1/n + 1/m).
fn learning_factor(split: &Split) -> f64 {
    let learnt = split.early.customers() as f64 * (FOLDS - 1) as f64 / FOLDS as f64;
    (1.0 + split.test.rows() as f64 / learnt.max(1.0)).sqrt()
}

fn judged(
    contender: &Contender,
    (happened, learning_factor): (&[bool], f64),
    [gain_over_recency, gain_over_base_rate]: [Option<PairedGain>; 2],
) -> Option<Candidate> {
    let p = &contender.probabilities;
    Some(Candidate {
        model: contender.kind,
        auc: metrics::auc(p, happened)?,
        average_precision: metrics::average_precision(p, happened)?,
        log_loss: metrics::log_loss(p, happened)?,
        recalibrated_log_loss: metrics::mean(&contender.losses),
        brier: metrics::brier(p, happened)?,
        calibration_error: metrics::expected_calibration_error(p, happened)?,
        calibration_error_limit: learning_factor * metrics::calibration_error_limit(p, happened)?,
        learning_factor,
        calibration_line: metrics::calibration_line(p, happened),
        top_decile_lift: metrics::lift_at(p, happened, 0.1)?,
        gain_over_recency,
        gain_over_base_rate,
        calibration: metrics::calibration_table(p, happened)?,
        importances: contender.importances.clone(),
    })
}
