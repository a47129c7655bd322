//! The candidates on customers and, where there is time, a date that they did not learn from; and which of them may serve.

use serde::{Deserialize, Serialize};

use super::calibration::Calibrator;
use super::encoding::{Design, Encoding, Origin};
use super::error::{ChurnError, go_on};
use super::inputs::Panel;
use super::plan::{CalibrationKind, ChurnPlan};
use super::predictor::{ChurnServed, Predictor};
use super::split::Split;
use crate::metrics::{self, Auc, CalibrationBin, LogitLine, PairedGain};

/// Test rows that importances are measured on.
const IMPORTANCE_ROWS: usize = 4_000;

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
    /// Mean squared error of the probability.
    pub brier: f64,
    /// Expected calibration error over ten bins of equal counts.
    pub calibration_error: f64,
    /// Line of the log-odds of what happened over those predicted; `None` where all predictions are equal.
    pub calibration_line: Option<LogitLine>,
    /// Rate among the tenth with the highest predictions over the rate among all.
    pub top_decile_lift: f64,
    /// By how much its log loss is below the recency rule's; `None` for the rule itself and without one.
    pub gain_over_recency: Option<PairedGain>,
    /// By how much its log loss is below the base rate's; `None` for the base rate itself.
    pub gain_over_base_rate: Option<PairedGain>,
    /// Predicted and observed, by tenths of the predictions.
    pub calibration: Vec<CalibrationBin>,
    /// Increase of the log loss when the values of an input column are exchanged among the test customers (permutation
    /// importance), by column; empty for rule and base rate.
    pub importances: Vec<(String, f64)>,
}

/// What the candidates predicted for the test rows, and what happened: the rows that every figure of a trial is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    /// Number of the customer, one per row.
    pub customer: Vec<u64>,
    /// Date of the prediction, days since 1970-01-01.
    pub observed_on: Vec<i32>,
    /// Whether the customer left within the horizon.
    pub churned: Vec<bool>,
    /// The calibrated probabilities of each candidate, one per row.
    pub predictions: Vec<(ChurnServed, Vec<f64>)>,
}

/// The candidates, which serves, and why.
pub(super) struct Trial {
    pub(super) backtest: Backtest,
    pub(super) candidates: Vec<Candidate>,
    /// Models that could not be fitted, with what they said.
    pub(super) unfitted: Vec<(ChurnServed, String)>,
    pub(super) served: ChurnServed,
    pub(super) reason: String,
}

/// A candidate fitted on training rows and calibrated, with its probabilities on the test rows.
struct Contender {
    kind: ChurnServed,
    probabilities: Vec<f64>,
    importances: Vec<(String, f64)>,
}

impl Trial {
    pub(super) fn run(plan: &ChurnPlan, split: &Split) -> Result<Self, ChurnError> {
        let slices = Slices::new(plan, split)?;
        let (mut contenders, mut unfitted) = (Vec::new(), Vec::new());
        for kind in kinds(plan) {
            match slices.contend(kind) {
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
        let candidates = contenders.iter().map(|contender| {
            let gains = [ChurnServed::RecencyRule, ChurnServed::BaseRate];
            judged(
                contender,
                happened,
                gains.map(|rival| gain(contender, rival)),
            )
            .ok_or_else(|| ChurnError::Fit {
                model: "candidate",
                reason: format!("the {} predicts what is no number", contender.kind),
            })
        });
        let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
        let (served, reason) = chosen(&candidates, split.test.rows());
        let predictions = contenders.into_iter().map(|c| (c.kind, c.probabilities));
        Ok(Self {
            backtest: Backtest {
                customer: split.test.customer.clone(),
                observed_on: split.test.observed_on.clone(),
                churned: split.test.churned.clone(),
                predictions: predictions.collect(),
            },
            candidates,
            unfitted,
            served,
            reason,
        })
    }
}

/// The candidates of a plan, in the order of tables.
fn kinds(plan: &ChurnPlan) -> Vec<ChurnServed> {
    let models = plan.models.iter().map(|&model| ChurnServed::from(model));
    let rule = plan.recency.is_some().then_some(ChurnServed::RecencyRule);
    models.chain(rule).chain([ChurnServed::BaseRate]).collect()
}

/// The split, encoded.
struct Slices<'a> {
    plan: &'a ChurnPlan,
    split: &'a Split,
    encoding: Encoding,
    train: Design,
    calibration: Design,
    test: Design,
    base_rate: f64,
}

impl<'a> Slices<'a> {
    fn new(plan: &'a ChurnPlan, split: &'a Split) -> Result<Self, ChurnError> {
        let (encoding, train) = Encoding::fit(&split.train.inputs)?;
        let (learnt, held) = (&split.train, &split.calibration);
        let churners = (learnt.churners() + held.churners()) as f64;
        Ok(Self {
            plan,
            split,
            train,
            calibration: encoding.encode(&held.inputs)?,
            test: encoding.encode(&split.test.inputs)?,
            encoding,
            base_rate: churners / (learnt.rows() + held.rows()) as f64,
        })
    }

    fn contend(&self, kind: ChurnServed) -> Result<Contender, ChurnError> {
        let (plan, split) = (self.plan, self.split);
        let fitted = Predictor::fit(kind, plan, &split.train, &self.train, self.base_rate)?;
        let held = fitted.probabilities(&split.calibration.inputs, &self.calibration)?;
        let calibrator = calibrator(plan, kind, &held, &split.calibration);
        let test = fitted.probabilities(&split.test.inputs, &self.test)?;
        let calibrated = |raw: Vec<f64>| raw.into_iter().map(|p| calibrator.apply(p)).collect();
        let probabilities: Vec<f64> = calibrated(test);
        let mut importances = Vec::new();
        if matches!(kind, ChurnServed::Logistic | ChurnServed::RandomForest) {
            let rows = self.test.rows.min(IMPORTANCE_ROWS);
            let happened = &split.test.churned[..rows];
            let own = metrics::log_loss(&probabilities[..rows], happened);
            for origin in self.encoding.origins() {
                go_on()?;
                let exchanged = self.exchanged(origin, rows);
                let without = fitted.probabilities(&split.test.inputs, &exchanged)?;
                let loss = metrics::log_loss(&calibrated(without), happened);
                if let (Some(own), Some(loss)) = (own, loss) {
                    let name = self.encoding.origin_name(origin).to_owned();
                    importances.push((name, loss - own));
                }
            }
        }
        Ok(Contender {
            kind,
            probabilities,
            importances,
        })
    }

    /// The first test rows with the columns of one input taken from others of them. The rows are in random order, so that
    /// half a turn is a random exchange.
    fn exchanged(&self, origin: Origin, rows: usize) -> Design {
        let columns = self.encoding.columns.iter().zip(&self.test.columns);
        let columns = columns.map(|(column, values)| {
            let mut values = values[..rows].to_vec();
            if column.source.origin() == origin {
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

/// The calibrator of a candidate from its probabilities on held-out rows; the base rate is a count already.
pub(super) fn calibrator(
    plan: &ChurnPlan,
    kind: ChurnServed,
    probabilities: &[f64],
    panel: &Panel,
) -> Calibrator {
    let asked = match kind {
        ChurnServed::BaseRate => CalibrationKind::None,
        _ => plan.calibration,
    };
    Calibrator::fit(asked, probabilities, &panel.targets())
}

fn judged(
    contender: &Contender,
    happened: &[bool],
    [gain_over_recency, gain_over_base_rate]: [Option<PairedGain>; 2],
) -> Option<Candidate> {
    let p = &contender.probabilities;
    Some(Candidate {
        model: contender.kind,
        auc: metrics::auc(p, happened)?,
        average_precision: metrics::average_precision(p, happened)?,
        log_loss: metrics::log_loss(p, happened)?,
        brier: metrics::brier(p, happened)?,
        calibration_error: metrics::expected_calibration_error(p, happened)?,
        calibration_line: metrics::calibration_line(p, happened),
        top_decile_lift: metrics::lift_at(p, happened, 0.1)?,
        gain_over_recency,
        gain_over_base_rate,
        calibration: metrics::calibration_table(p, happened)?,
        importances: contender.importances.clone(),
    })
}

/// The best model by log loss if it beats rule and base rate by more than noise; else the rule if it beats the base rate so;
/// else the base rate. With why, in one sentence.
fn chosen(candidates: &[Candidate], rows: usize) -> (ChurnServed, String) {
    let of = |kind: ChurnServed| candidates.iter().find(|c| c.model == kind);
    let is_model =
        |c: &&Candidate| matches!(c.model, ChurnServed::Logistic | ChurnServed::RandomForest);
    let models = candidates.iter().filter(is_model);
    let best = models.min_by(|a, b| a.log_loss.total_cmp(&b.log_loss));
    let rule = of(ChurnServed::RecencyRule);
    let beats = |gain: Option<PairedGain>| gain.is_none_or(|gain| gain.low_95 > 0.0);
    let said = |gain: Option<PairedGain>, rival: &str| {
        gain.map_or_else(String::new, |gain| {
            format!(
                "a gain of {:.4} nats over the {rival} (95% interval {:.4} to {:.4})",
                gain.mean, gain.low_95, gain.high_95
            )
        })
    };
    if let Some(best) = best
        && beats(best.gain_over_recency)
        && beats(best.gain_over_base_rate)
    {
        let (gain, rival) = match best.gain_over_recency {
            Some(gain) => (Some(gain), "recency rule"),
            None => (best.gain_over_base_rate, "base rate"),
        };
        let reason = format!(
            "The {} serves: on {rows} held-out customers its log loss is {:.4}, {}.",
            best.model,
            best.log_loss,
            said(gain, rival)
        );
        return (best.model, reason);
    }
    let no_model = best.map_or_else(
        || "no model was fitted".to_owned(),
        |best| {
            let (gain, rival) = match best.gain_over_recency {
                Some(gain) if gain.low_95 <= 0.0 => (Some(gain), "recency rule"),
                _ => (best.gain_over_base_rate, "base rate"),
            };
            format!(
                "no model beats the {rival} by more than noise on {rows} held-out customers; the best, the {}, makes {}",
                best.model,
                said(gain, rival)
            )
        },
    );
    match rule {
        Some(rule) if beats(rule.gain_over_base_rate) => (
            ChurnServed::RecencyRule,
            format!(
                "The recency rule serves: {no_model}; the rule makes {}.",
                said(rule.gain_over_base_rate, "base rate")
            ),
        ),
        Some(rule) => (
            ChurnServed::BaseRate,
            format!(
                "The base rate serves: {no_model}; nor does the recency rule, which makes {}.",
                said(rule.gain_over_base_rate, "base rate")
            ),
        ),
        None => (
            ChurnServed::BaseRate,
            format!("The base rate serves: {no_model}."),
        ),
    }
}
