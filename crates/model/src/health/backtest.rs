//! Whether a health score predicts churn: earlier scores compared with who churned afterwards.
//!
//! A score is judged to discriminate if two things hold at every horizon that can be judged: the whole 95% interval of the area
//! under the ROC curve of 100 - score lies above one half, and churn does not rise from a worse band to a better one by more than chance.

use serde::{Deserialize, Serialize};

use super::error::HealthError;
use super::plan::HealthPlan;
use crate::metrics::{self, Auc};
use crate::special::Z_95;

/// Least number of churned and of kept customers with which a horizon is judged.
const LEAST_OF_EACH: u64 = 10;
/// Least number of customers in a band whose churn is compared with other bands.
const LEAST_IN_BAND: u64 = 20;

/// Scores as they were some days ago, and who has churned since.
#[derive(Debug, Clone, Copy)]
pub struct HealthTrial<'a> {
    /// Days between the scores and the outcome.
    pub days: u32,
    /// Scores at that time, 0 to 100, from what was known then; NaN where there was none.
    pub scores: &'a [f64],
    /// Whether the customer churned within those days, one per score.
    pub churned: &'a [bool],
}

/// Churn of the customers of one band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BandOutcome {
    /// The band.
    pub band: String,
    /// Customers whose score lay in it.
    pub customers: u64,
    /// Those of them who churned.
    pub churned: u64,
    /// Their share, in [0, 1]; `None` without customers.
    pub churn_rate: Option<f64>,
    /// Churn rate divided by that of all scored customers, >= 0; `None` without customers or without churn.
    pub lift: Option<f64>,
}

/// The backtest at one horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HorizonOutcome {
    /// Days between score and outcome.
    pub days: u32,
    /// Customers with a score.
    pub scored: u64,
    /// Customers without one: they are not part of any other figure.
    pub unscored: u64,
    /// Scored customers who churned.
    pub churned: u64,
    /// Their share, in [0, 1]; `None` without scored customers.
    pub churn_rate: Option<f64>,
    /// Per band, from worst to best.
    pub bands: Vec<BandOutcome>,
    /// Share of the churned customers that were in the worst band, in [0, 1]; `None` without churn. The precision of the band is
    /// its churn rate.
    pub recall_of_worst: Option<f64>,
    /// How well a low score predicts churn; `None` with fewer than two churned or two kept.
    pub auc: Option<Auc>,
    /// Whether churn never rises from a band to a better one by more than chance, among bands of at least 20 customers.
    pub monotone: bool,
    /// Whether there are at least 10 churned and 10 kept customers.
    pub judged: bool,
    /// Whether the score discriminates at this horizon: judged, monotone, and the whole interval of the area above 0.5.
    pub discriminates: bool,
    /// Why, as a text.
    pub reason: String,
}

/// The backtest of a health score over several horizons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthBacktest {
    /// One per trial, in the order given.
    pub horizons: Vec<HorizonOutcome>,
    /// Whether the score discriminates at every horizon that could be judged, and one could be.
    pub discriminates: bool,
    /// Why, as a text.
    pub reason: String,
}

impl HealthBacktest {
    /// Compares the scores of `trials` (usually from 30, 60 and 90 days ago) with who churned afterwards.
    ///
    /// # Errors
    /// [`HealthError::LengthMismatch`] when a trial's scores and outcomes differ in number.
    pub fn run(plan: &HealthPlan, trials: &[HealthTrial<'_>]) -> Result<Self, HealthError> {
        let horizons = trials
            .iter()
            .map(|trial| HorizonOutcome::of(plan, trial))
            .collect::<Result<Vec<_>, _>>()?;
        let judged: Vec<&HorizonOutcome> = horizons.iter().filter(|h| h.judged).collect();
        let against: Vec<&&HorizonOutcome> = judged.iter().filter(|h| !h.discriminates).collect();
        let list = |of: &[&HorizonOutcome]| {
            let parts: Vec<String> = of
                .iter()
                .map(|h| format!("at {} days {}", h.days, h.reason))
                .collect();
            parts.join("; ")
        };
        let (discriminates, reason) = if judged.is_empty() {
            let all: Vec<&HorizonOutcome> = horizons.iter().collect();
            let why = if all.is_empty() {
                "no earlier scores were given".to_owned()
            } else {
                list(&all)
            };
            (false, format!("the score could not be judged: {why}"))
        } else if against.is_empty() {
            (true, format!("the score predicts churn: {}", list(&judged)))
        } else {
            let against: Vec<&HorizonOutcome> = against.into_iter().copied().collect();
            let why = list(&against);
            (false, format!("the score does not predict churn: {why}"))
        };
        Ok(Self {
            horizons,
            discriminates,
            reason,
        })
    }
}

impl HorizonOutcome {
    fn of(plan: &HealthPlan, trial: &HealthTrial<'_>) -> Result<Self, HealthError> {
        let HealthTrial {
            days,
            scores,
            churned,
        } = *trial;
        if scores.len() != churned.len() {
            return Err(HealthError::LengthMismatch {
                days,
                scores: scores.len(),
                churned: churned.len(),
            });
        }
        let mut counts = vec![[0_u64; 2]; plan.bands().len()];
        for (score, churned) in scores.iter().zip(churned) {
            if let Some(band) = plan.band_of(*score) {
                counts[band][0] += 1;
                counts[band][1] += u64::from(*churned);
            }
        }
        let scored: u64 = counts.iter().map(|c| c[0]).sum();
        let left: u64 = counts.iter().map(|c| c[1]).sum();
        let rate = |of: u64, all: u64| (all > 0).then(|| of as f64 / all as f64);
        let base = rate(left, scored);
        let bands: Vec<BandOutcome> = plan
            .bands()
            .iter()
            .zip(&counts)
            .map(|(band, &[customers, churned])| {
                let churn_rate = rate(churned, customers);
                BandOutcome {
                    band: band.name.clone(),
                    customers,
                    churned,
                    churn_rate,
                    lift: churn_rate
                        .zip(base.filter(|b| *b > 0.0))
                        .map(|(r, b)| r / b),
                }
            })
            .collect();
        let risk: Vec<f64> = scores.iter().map(|score| 100.0 - score).collect();
        let mut outcome = Self {
            days,
            scored,
            unscored: scores.len() as u64 - scored,
            churned: left,
            churn_rate: base,
            recall_of_worst: rate(counts[0][1], left),
            auc: metrics::auc(&risk, churned),
            monotone: rising(&bands).is_none(),
            judged: left >= LEAST_OF_EACH && scored - left >= LEAST_OF_EACH,
            discriminates: false,
            reason: String::new(),
            bands,
        };
        (outcome.discriminates, outcome.reason) = outcome.verdict();
        Ok(outcome)
    }

    fn verdict(&self) -> (bool, String) {
        let auc = match self.auc {
            Some(auc) if self.judged => auc,
            _ => {
                let kept = self.scored - self.churned;
                return (
                    false,
                    format!(
                        "{} scored customers churned and {kept} stayed, at least {LEAST_OF_EACH} of each are needed",
                        self.churned
                    ),
                );
            }
        };
        let figures = format!(
            "the AUC is {:.3} (95% interval {:.3} to {:.3})",
            auc.value, auc.low_95, auc.high_95
        );
        if auc.high_95 < 0.5 {
            let why = format!("{figures}: customers with a high score churn more");
            return (false, why);
        }
        if auc.low_95 <= 0.5 {
            let why = format!("{figures}: this is not distinguishable from chance");
            return (false, why);
        }
        match rising(&self.bands) {
            Some((worse, better)) => (
                false,
                format!(
                    "{figures}, but churn rises from band `{}` ({:.1}%) to the better `{}` ({:.1}%)",
                    worse.band,
                    100.0 * worse.churn_rate.unwrap_or(0.0),
                    better.band,
                    100.0 * better.churn_rate.unwrap_or(0.0)
                ),
            ),
            None => (true, figures),
        }
    }
}

/// The first pair of neighbouring bands, among those with enough customers, whose churn rises from worse to better by more than chance:
/// two equal rates rise so far in one of forty samples.
fn rising(bands: &[BandOutcome]) -> Option<(&BandOutcome, &BandOutcome)> {
    let told: Vec<&BandOutcome> = bands
        .iter()
        .filter(|band| band.customers >= LEAST_IN_BAND)
        .collect();
    told.windows(2)
        .find(|pair| {
            let [worse, better] = [pair[0], pair[1]].map(|band| band.churn_rate.unwrap_or(0.0));
            let [a, b] = [pair[0], pair[1]].map(|band| band.customers as f64);
            let rate = (pair[0].churned + pair[1].churned) as f64 / (a + b);
            better - worse > Z_95 * (rate * (1.0 - rate) * (1.0 / a + 1.0 / b)).sqrt()
        })
        .map(|pair| (pair[0], pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{HealthBand, HealthComponent, HealthScale};

    fn plan() -> HealthPlan {
        let component = HealthComponent {
            name: "usage".to_owned(),
            weight: 1.0,
            scale: HealthScale::Linear {
                worst: 0.0,
                best: 100.0,
            },
        };
        let bands = [("red", Some(36.0)), ("yellow", Some(71.0)), ("green", None)];
        let bands = bands.map(|(name, below)| HealthBand {
            name: name.to_owned(),
            below,
        });
        HealthPlan::new(vec![component], 0.6, bands.to_vec()).unwrap()
    }

    /// 300 scores from 0 to 99 and who churned, by a rule on score and place.
    fn trial(churns: impl Fn(usize, f64) -> bool) -> (Vec<f64>, Vec<bool>) {
        (0..300)
            .map(|i| {
                let score = (i * 37 % 100) as f64;
                (score, churns(i, score))
            })
            .unzip()
    }

    fn run(scores: &[f64], churned: &[bool]) -> HealthBacktest {
        let trial = HealthTrial {
            days: 60,
            scores,
            churned,
        };
        HealthBacktest::run(&plan(), &[trial]).unwrap()
    }

    #[test]
    fn counts_rates_and_lift_by_hand() {
        // Everybody below 20 churns, and everybody else at a place divisible by 10 (place 0, 10, ...).
        let (scores, churned) = trial(|i, score| score < 20.0 || i % 10 == 0);
        let backtest = run(&scores, &churned);
        let horizon = &backtest.horizons[0];
        // Scores 0..36, 36..71, 71..100 thrice each. Scores at places divisible by 10 are 0, 70, 40, 10, 80, ...:
        // the multiples of 10, three times each. Churned: 60 below 20; then 20, 30 | 40, 50, 60, 70 | 80, 90, thrice.
        let got: Vec<(u64, u64)> = horizon
            .bands
            .iter()
            .map(|b| (b.customers, b.churned))
            .collect();
        assert_eq!(got, [(108, 66), (105, 12), (87, 6)]);
        assert_eq!(horizon.churn_rate, Some(84.0 / 300.0));
        let lift = horizon.bands[0].lift.unwrap();
        assert!((lift - (66.0 / 108.0) / (84.0 / 300.0)).abs() < 1e-15);
        assert_eq!(horizon.recall_of_worst, Some(66.0 / 84.0));
        assert!(
            horizon.monotone && backtest.discriminates,
            "{}",
            backtest.reason
        );
        assert!(backtest.reason.contains("at 60 days the AUC is 0."));
    }

    #[test]
    fn a_score_by_chance_is_told() {
        // Churn depends on the place only, and places are spread evenly over scores.
        let (scores, churned) = trial(|i, _| i / 100 == 1);
        let backtest = run(&scores, &churned);
        assert!(!backtest.discriminates);
        assert!((backtest.horizons[0].auc.unwrap().value - 0.5).abs() < 1e-12);
        assert!(
            backtest.reason.contains("not distinguishable from chance"),
            "{}",
            backtest.reason
        );
    }

    #[test]
    fn a_score_the_wrong_way_round_is_told() {
        let (scores, churned) = trial(|_, score| score > 80.0);
        let backtest = run(&scores, &churned);
        assert!(!backtest.discriminates && !backtest.horizons[0].monotone);
        assert!(backtest.reason.contains("high score churn more"));
    }

    #[test]
    fn bands_that_are_not_monotone_do_not_pass() {
        // Low scores churn, but yellow churns more than red.
        let (scores, churned) =
            trial(|i, score| (36.0..71.0).contains(&score) || score < 36.0 && i % 2 == 0);
        let backtest = run(&scores, &churned);
        assert!(backtest.horizons[0].auc.unwrap().low_95 > 0.5);
        assert!(!backtest.discriminates);
        assert!(
            backtest.reason.contains("rises from band `red`"),
            "{}",
            backtest.reason
        );
    }

    /// Of 108, 105 and 87 customers 12, 14 and 3 churn: a rise by two points, with a standard error of five.
    #[test]
    fn a_rise_by_chance_is_none() {
        let mut left = [12, 14, 3];
        let churned: Vec<bool> = (0..300)
            .map(|i| {
                let score = i * 37 % 100;
                let band = usize::from(score >= 36) + usize::from(score >= 71);
                let churns = left[band] > 0;
                left[band] -= i32::from(churns);
                churns
            })
            .collect();
        let backtest = run(&trial(|_, _| false).0, &churned);
        let horizon = &backtest.horizons[0];
        assert!(horizon.bands[0].churn_rate < horizon.bands[1].churn_rate);
        assert!(horizon.monotone, "{}", backtest.reason);
    }

    #[test]
    fn too_few_outcomes_are_not_judged_and_missing_scores_are_counted() {
        let (mut scores, churned) = trial(|i, score| i < 20 && score < 20.0);
        scores[299] = f64::NAN;
        let backtest = run(&scores, &churned);
        let horizon = &backtest.horizons[0];
        assert_eq!((horizon.scored, horizon.unscored), (299, 1));
        assert!(!horizon.judged && !backtest.discriminates);
        assert!(
            backtest.reason.contains("could not be judged"),
            "{}",
            backtest.reason
        );
        let none = HealthBacktest::run(&plan(), &[]).unwrap();
        assert!(!none.discriminates && none.reason.contains("no earlier scores"));
        let empty = run(&[], &[]);
        assert_eq!(empty.horizons[0].churn_rate, None);
    }

    #[test]
    fn one_horizon_that_fails_fails_the_score() {
        let (scores, good) = trial(|_, score| score < 30.0);
        let (_, chance) = trial(|i, _| i / 100 == 1);
        let trials = [(30, &good), (90, &chance)].map(|(days, churned)| HealthTrial {
            days,
            scores: &scores,
            churned,
        });
        let backtest = HealthBacktest::run(&plan(), &trials).unwrap();
        assert!(backtest.horizons[0].discriminates && !backtest.discriminates);
        assert!(
            backtest.reason.contains("at 90 days"),
            "{}",
            backtest.reason
        );
    }

    #[test]
    fn outcomes_must_cover_the_same_customers() {
        let trial = HealthTrial {
            days: 30,
            scores: &[1.0, 2.0],
            churned: &[true],
        };
        assert!(HealthBacktest::run(&plan(), &[trial]).is_err());
    }
}
