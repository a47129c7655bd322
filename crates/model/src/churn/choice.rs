//! Which candidate is used: the one that ranks best, if it is better than the base rate by more than noise.

use tessera_spec::shown::grouped;

use super::predictor::{ChurnServed, Predictor};
use super::steadiness::DateShare;
use crate::metrics::{self, PairedGain, paired_gain};

/// Fewer who leave, or stay, at the test date are few: a line of two parameters is fitted to two thirds of them.
const FEW: usize = 100;

/// A candidate's out-of-fold predictions.
pub(super) struct Contender {
    pub(super) kind: ChurnServed,
    /// Fitted without each of the folds; none of the choice.
    pub(super) fitted: Vec<Predictor>,
    /// Before calibration: at the training dates (`early`) and at the test date (`raw`).
    pub(super) early: Vec<f64>,
    pub(super) raw: Vec<f64>,
    /// At the test date, calibrated on the training dates.
    pub(super) probabilities: Vec<f64>,
    pub(super) dates: Vec<DateShare>,
    /// Log losses of the test rows after recalibration on the other folds at the same date: they measure the ranking, whatever
    /// the base rate of that date.
    pub(super) losses: Vec<f64>,
    pub(super) importances: Vec<(String, f64)>,
}

/// The candidate chosen on some test rows, and its gains in log loss, nats.
pub(super) struct Choice {
    pub(super) served: ChurnServed,
    /// The candidate with the lowest recalibrated log loss beside the base rate, also where it gains too little to be used.
    best: Option<ChurnServed>,
    log_loss: f64,
    /// Gain of `best` over the base rate, after recalibration.
    gain: Option<PairedGain>,
    /// The gain of its own probabilities, where that decides.
    own_gain: Option<PairedGain>,
    /// Gain of the chosen model over the recency rule, after recalibration, where both exist.
    over_rule: Option<PairedGain>,
}

/// The candidate with the lowest recalibrated log loss, if it is better than the base rate by more than noise; else the base rate.
/// Where a model is better, the mean of both models takes its place if its loss is lower still.
/// Recalibration removes the effect of a base rate that has changed since training: calibration corrects that, whichever candidate is
/// used. It is better if the 95% interval of its gain lies above 0. Where [`FEW`] leave, the line of the recalibration is mostly noise;
/// then its own probabilities show it, too, which learned nothing of that date: if the intervals of their gain and of their area under
/// the ROC curve, which a changed base rate leaves as it is, both lie above what the base rate has.
pub(super) fn choose(contenders: &[Contender], happened: &[bool], rows: &[usize]) -> Choice {
    let of = |kind: ChurnServed| contenders.iter().find(|c| c.kind == kind);
    let picked = |all: &[f64]| rows.iter().map(|&row| all[row]).collect::<Vec<f64>>();
    let loss = |contender: &Contender| metrics::mean(&picked(&contender.losses));
    let gain = |own: &Contender, rival: &Contender| {
        let differences = rows.iter().map(|&row| rival.losses[row] - own.losses[row]);
        paired_gain(&differences.collect::<Vec<f64>>())
    };
    let above = |gain: &PairedGain| gain.low_95 > 0.0;
    let left = happened.iter().filter(|left| **left).count();
    let few = left.min(happened.len() - left) < FEW;
    let outcomes: Vec<bool> = rows.iter().map(|&row| happened[row]).collect();
    let own_gain = |(own, base): (&Contender, &Contender)| {
        let [own, base] = [own, base].map(|c| picked(&c.probabilities));
        metrics::auc(&own, &outcomes).filter(|auc| few && auc.low_95 > 0.5)?;
        metrics::log_loss_gain(&own, &base, &outcomes).filter(above)
    };
    let base = of(ChurnServed::BaseRate);
    let apart = [ChurnServed::BaseRate, ChurnServed::Combined];
    let ranked = contenders.iter().filter(|c| !apart.contains(&c.kind));
    let best = ranked.min_by(|a, b| loss(a).total_cmp(&loss(b)));
    let recalibrated = best.zip(base).and_then(|(best, base)| gain(best, base));
    let is_above = recalibrated.as_ref().is_some_and(above);
    let own_gain = best.zip(base).filter(|_| !is_above).and_then(own_gain);
    let better = best.filter(|_| is_above || own_gain.is_some());
    // Whether there is a ranking, its parts decide: a further candidate would find one by chance more often.
    let both = of(ChurnServed::Combined);
    let both = both.filter(|both| better.is_some_and(|own| loss(both) < loss(own)));
    let better = both.or(better);
    let rule = of(ChurnServed::RecencyRule);
    let over_rule = better.filter(|own| own.kind.is_model()).zip(rule);
    Choice {
        served: better.map_or(ChurnServed::BaseRate, |own| own.kind),
        best: best.map(|best| best.kind),
        log_loss: better.or(base).map_or(f64::NAN, loss),
        gain: both
            .zip(base)
            .map_or(recalibrated, |(own, base)| gain(own, base)),
        own_gain: match both.zip(base).filter(|_| own_gain.is_some()) {
            Some((own, base)) => {
                let [own, base] = [own, base].map(|c| picked(&c.probabilities));
                metrics::log_loss_gain(&own, &base, &outcomes)
            }
            None => own_gain,
        },
        over_rule: over_rule.and_then(|(own, rule)| gain(own, rule)),
    }
}

impl Choice {
    /// Why, in one sentence.
    pub(super) fn reason(&self, rows: usize) -> String {
        let said = |gain: Option<PairedGain>, rival: &str| {
            gain.map_or_else(String::new, |gain| {
                format!(
                    "a gain of {:.4} nats over the {rival} (95% interval {:.4} to {:.4})",
                    gain.mean, gain.low_95, gain.high_95
                )
            })
        };
        let served = self.served;
        let rows = grouped(rows as u64);
        match (served, self.best) {
            (ChurnServed::BaseRate, Some(best)) => format!(
                "The base rate is used: no candidate is better by more than noise on {rows} customers, neither as it is nor after recalibration; the best, the {best}, has {} after it.",
                said(self.gain, "base rate")
            ),
            (ChurnServed::BaseRate, None) => {
                "The base rate is used: no model was fitted.".to_owned()
            }
            _ => {
                let over_rule = match self.over_rule {
                    Some(_) => format!(" and {}", said(self.over_rule, "recency rule")),
                    None => String::new(),
                };
                let own = self.own_gain.map_or_else(String::new, |_| {
                    format!(
                        "; its own probabilities have {}",
                        said(self.own_gain, "base rate")
                    )
                });
                format!(
                    "The {served} is used: on {rows} customers its log loss after recalibration is {:.4}, {}{over_rule}{own}.",
                    self.log_loss,
                    said(self.gain, "base rate")
                )
            }
        }
    }
}
