//! What a score learned, as it is stored, and how it came to be used.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tessera_model::metrics;
use tessera_segments::{Fit, Parameter, Quality, QualityStatus};
use tessera_snapshot::NewArtifact;
use tessera_spec::pipeline::Score;

use super::{
    Backtest, COMPUTABLE, CalibrationRow, Given, KINDS, NotComputed, Scored, not_computed, of,
};
use crate::artifacts::{self, Known, Learned};

/// What a score learned; nothing of any customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LearnedScore {
    /// What is applied, of a type of the kind of score; nothing where the data did not allow a fit.
    pub(crate) model: Fit,
    /// How good it is, as of its fit.
    pub(crate) findings: Findings,
}

/// Rows of `models`, `calibration` and `quality` that a fit gives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Findings {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) calibration: Vec<CalibrationRow>,
    #[serde(with = "stored_quality")]
    pub(crate) quality: Vec<Quality>,
}

impl From<Scored> for Findings {
    fn from(scored: Scored) -> Self {
        Self {
            parameters: scored.parameters,
            calibration: scored.calibration,
            quality: scored.quality,
        }
    }
}

/// A fit.
pub(crate) struct Fitted {
    pub(crate) learned: LearnedScore,
    /// What it predicted of single customers.
    pub(crate) backtest: Option<Backtest>,
    /// It and the artifact in use on the newest data whose outcome is known.
    pub(crate) comparison: Option<Comparison>,
}

/// What an earlier version learned and this run would replace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InUse<'a> {
    pub(crate) learned: &'a LearnedScore,
    /// The day on whose data it was fitted.
    pub(crate) fitted_on: NaiveDate,
}

/// A fit and the artifact in use, judged on the same customers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// What was measured; small is good.
    pub(crate) metric: &'static str,
    pub(crate) refit: f64,
    pub(crate) in_use: f64,
    /// The artifact in use is better and stays.
    pub(crate) stays: bool,
    pub(crate) reason: &'static str,
}

/// Why a comparison does not decide.
const SEEN: &str = "the artifact in use has learned from a part of these outcomes, so its figure is too good: the refit is used";

impl Comparison {
    /// By log loss. `seen`: the artifact in use has learned from a part of what happened; then the figures are published, and
    /// it stays only if the refit is worse by another measure (`broken`).
    pub(crate) fn of(
        metric: &'static str,
        (refit, in_use): (f64, f64),
        seen: bool,
        broken: Option<&'static str>,
    ) -> Self {
        let (stays, reason) = match (seen, broken) {
            (false, _) if in_use < refit => (true, "the artifact in use is better"),
            (false, _) => (false, "the refit is not worse"),
            (true, Some(broken)) => (true, broken),
            (true, None) => (false, SEEN),
        };
        Self {
            metric,
            refit,
            in_use,
            stays,
            reason,
        }
    }

    /// By the log loss of probabilities.
    pub(crate) fn of_probabilities(
        metric: &'static str,
        (refit, in_use): (&[f64], &[f64]),
        happened: &[bool],
        seen: bool,
    ) -> Option<Self> {
        let figures = (
            metrics::log_loss(refit, happened)?,
            metrics::log_loss(in_use, happened)?,
        );
        Some(Self::of(metric, figures, seen, None))
    }

    fn rows(&self) -> Vec<Parameter> {
        const MODEL: &str = "refit";
        let used = if self.stays {
            "the artifact in use"
        } else {
            "the refit"
        };
        vec![
            Parameter::text(MODEL, "metric", self.metric),
            Parameter::number(MODEL, "refit", self.refit),
            Parameter::number(MODEL, "in_use", self.in_use),
            Parameter::text(MODEL, "used", used),
            Parameter::text(MODEL, "reason", self.reason),
        ]
    }

    fn words(&self) -> String {
        format!(
            "{} {:.4} of the refit, {:.4} of the artifact in use; {}",
            self.metric, self.refit, self.in_use, self.reason
        )
    }
}

/// What is applied to the customers of a run, and how it came to be.
pub(crate) struct Used {
    pub(crate) learned: LearnedScore,
    /// As the commit names it; `None` where nothing can be stored.
    pub(crate) artifact: Option<NewArtifact>,
    /// Rows of this run alone.
    pub(crate) rows: Findings,
    pub(crate) backtest: Option<Backtest>,
}

/// The artifact in use, or a fit where one is due.
pub(crate) fn used(score: &Score, given: &Given<'_>) -> Result<Used, NotComputed> {
    let name = artifacts::of_score(given.name);
    let artifacts = &given.prepared.artifacts;
    let decision = artifacts.get(&name);
    if let Some(decision) = decision {
        artifacts::announce(&name, decision, score.refit);
    }
    let known = decision.and_then(|decision| decision.known.as_ref());
    let known = known.and_then(|known| match &known.learned {
        Learned::Score(learned) => Some((known, learned.as_ref())),
        Learned::Scheme(_) => None,
    });
    match known {
        Some((known, learned)) if !artifacts.fits(&name) => Ok(Used::known(known, learned)),
        _ => fitted(score, given, &name, known),
    }
}

fn fitted(
    score: &Score,
    given: &Given<'_>,
    name: &str,
    known: Option<(&Known, &LearnedScore)>,
) -> Result<Used, NotComputed> {
    let as_of = given.as_of;
    let stays = |known: &Known, learned: &LearnedScore, status, reason: String| {
        tracing::warn!("`{name}`: the refit is not used: {reason}");
        let mut used = Used::known(known, learned);
        used.artifact = Some(known.applied(Some(as_of)));
        used.rows.quality.push(refit_not_used(status, reason));
        used
    };
    let in_use = known.map(|(known, learned)| InUse {
        learned,
        fitted_on: known.committed.fitted_on,
    });
    let fit = match (of(&score.kind).fit(given, in_use), known) {
        (Err(NotComputed::Data(reason)), Some((known, learned))) => {
            return Ok(stays(known, learned, QualityStatus::Flagged, reason));
        }
        (fit, _) => fit?,
    };
    let Fitted {
        learned,
        backtest,
        comparison,
    } = fit;
    if let Some((known, before)) = known.filter(|_| learned.model.is_none()) {
        let mut reasons = learned.findings.quality.into_iter();
        let reason = reasons.find_map(|row| row.reason);
        let reason = reason.unwrap_or_default();
        return Ok(stays(known, before, QualityStatus::Flagged, reason));
    }
    // Of this run alone: what is learned may be compared with later fits, too.
    let rows = Findings {
        parameters: comparison
            .as_ref()
            .map(Comparison::rows)
            .unwrap_or_default(),
        ..Findings::default()
    };
    if let (Some(comparison), Some((known, before))) = (&comparison, known) {
        tracing::info!("`{name}`: {}", comparison.words());
        if comparison.stays {
            // The better one is used: that is no doubt about it.
            let mut used = stays(known, before, QualityStatus::Ok, comparison.words());
            used.rows.parameters = rows.parameters;
            return Ok(used);
        }
    }
    let learned = Learned::Score(Box::new(learned));
    let basis = given
        .prepared
        .artifacts
        .get(name)
        .map(|decision| &decision.basis);
    let artifact = basis.and_then(|basis| artifacts::sealed(name, as_of, basis, &learned));
    let Learned::Score(learned) = learned else {
        return Err(NotComputed::Data("it is of a scheme".to_owned()));
    };
    Ok(Used {
        artifact: artifact.filter(|_| !learned.model.is_none()),
        learned: *learned,
        rows,
        backtest,
    })
}

impl Used {
    fn known(known: &Known, learned: &LearnedScore) -> Self {
        Self {
            learned: learned.clone(),
            artifact: Some(known.applied(None)),
            rows: Findings::default(),
            backtest: None,
        }
    }
}

/// A fit that was due and did not replace the artifact in use.
fn refit_not_used(status: QualityStatus, reason: String) -> Quality {
    Quality {
        status,
        criterion: REFIT,
        ..not_computed("refit", reason)
    }
}

/// The criterion of fits that were due.
const REFIT: &str = "refit";

/// The criterion of a stored row: a name of the program.
fn criterion(stored: &str) -> Option<&'static str> {
    let of_kinds = KINDS.iter().flat_map(|kind| kind.criteria);
    let mut known = of_kinds.copied().chain([COMPUTABLE, REFIT]);
    known.find(|known| *known == stored)
}

/// Rows of `quality`, whose criteria are names of the program.
mod stored_quality {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tessera_segments::{Quality, QualityStatus, Threshold};

    use super::criterion;

    #[derive(Serialize, Deserialize)]
    struct Row {
        segment: String,
        criterion: String,
        metric: String,
        value: Option<f64>,
        threshold: Option<Threshold>,
        status: QualityStatus,
        reason: Option<String>,
    }

    pub(super) fn serialize<S: Serializer>(rows: &[Quality], to: S) -> Result<S::Ok, S::Error> {
        let row = |row: &Quality| Row {
            segment: row.segment.clone(),
            criterion: row.criterion.to_owned(),
            metric: row.metric.clone(),
            value: row.value,
            threshold: row.threshold,
            status: row.status,
            reason: row.reason.clone(),
        };
        to.collect_seq(rows.iter().map(row))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Quality>, D::Error> {
        let rows = Vec::<Row>::deserialize(from)?.into_iter();
        let known = |row: Row| {
            let criterion = criterion(&row.criterion)
                .ok_or_else(|| D::Error::custom(format!("unknown criterion {}", row.criterion)))?;
            Ok(Quality {
                segment: row.segment,
                criterion,
                metric: row.metric,
                value: row.value,
                threshold: row.threshold,
                status: row.status,
                reason: row.reason,
            })
        };
        rows.map(known).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_one_is_used_unless_the_artifact_in_use_knows_the_outcomes() {
        let of = |figures, seen, broken| Comparison::of("log loss", figures, seen, broken).stays;
        assert!(of((0.5, 0.4), false, None), "better, and it saw nothing");
        assert!(
            !of((0.4, 0.4), false, None),
            "a refit that is as good is used"
        );
        assert!(
            !of((0.5, 0.4), true, None),
            "it knows a part of the answers"
        );
        assert!(of((0.5, 0.4), true, Some("the refit ranks worse")));
    }

    #[test]
    fn findings_come_back_as_they_were_stored() {
        let findings = Findings {
            parameters: vec![Parameter::number("m", "a", 0.1 + 0.2)],
            calibration: Vec::new(),
            quality: vec![
                not_computed(crate::scores::WHOLE, "too few"),
                refit_not_used(QualityStatus::Ok, "worse".to_owned()),
            ],
        };
        let stored = serde_json::to_string(&findings).unwrap();
        assert_eq!(serde_json::from_str::<Findings>(&stored).unwrap(), findings);
        let unknown = stored.replace("\"refit\"", "\"other\"");
        assert!(serde_json::from_str::<Findings>(&unknown).is_err());
    }
}
