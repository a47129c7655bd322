//! Whether segments hold: the mix since the previous version, and who is in them still. Whether clusters come out of other draws of
//! customers is judged where they are made.

use tessera_spec::{GateSyntax, Limit};

use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Measure, Since, each};
use crate::quality::{Quality, QualityStatus, Threshold};
use crate::wording::percent;

const NAME: &str = "stable";

/// Clusters are held against it where they are made.
pub(crate) static MIN_JACCARD: Limit<f64> = Limit::share(
    NAME,
    "min_jaccard",
    0.75,
    "Smallest mean Jaccard similarity of a cluster with those of other draws of customers.",
);

static MIN_KEPT: Limit<Option<f64>> = Limit::share_if_stated(
    NAME,
    "min_kept",
    "Smallest share of a segment's customers of the previous version that are in it still.",
);

static MAX_PSI: Limit<f64> = Limit::size(
    NAME,
    "max_psi",
    0.25,
    "Largest population stability index of the mix of segments against the previous version.",
);

pub(super) static GATE: Gate = Gate {
    syntax: GateSyntax {
        name: NAME,
        summary: "Segments hold.",
        limits: &[&MIN_JACCARD, &MIN_KEPT, &MAX_PSI],
    },
    criteria: &[NAME],
    asks: "Whether clusters come out of other draws of customers, and whether segments are as they were in the previous version.",
    measures: &[
        Measure::new(
            "mean_jaccard",
            &["min_jaccard"],
            "of a cluster with those of other draws of customers (Hennig 2007)",
        ),
        Measure::new(
            "kept_share",
            &["min_kept"],
            "customers of the previous version who are in the segment still; also of a segment that nobody is in now",
        ),
        Measure::new(
            "mix_psi",
            &["max_psi"],
            "population stability index of the mix of segments against the previous version; not judged where it is within what \
             chance makes of so few customers",
        ),
    ],
    judge,
};

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let (max_psi, min_kept) = (MAX_PSI.of(judged.criteria), MIN_KEPT.of(judged.criteria));
    let (psi, psi_critical, kept, emptied) = match judged.since {
        Since::Unknown(reason) => {
            let row = Quality::not_computed("", NAME, "mix_psi", reason.clone());
            return Ok(vec![row]);
        }
        Since::Compared {
            psi,
            psi_critical,
            kept,
            emptied,
        } => (*psi, *psi_critical, kept, emptied),
    };
    let mut rows = Vec::new();
    if let Some(psi) = psi {
        let by_chance = psi_critical.is_none_or(|critical| psi <= critical);
        let is_above = psi > max_psi;
        let reason = (is_above && !by_chance).then(|| {
            "segments are of other sizes than in the previous version; `drift` and `migrations` say which and why".to_owned()
        });
        let values = (psi, Threshold::at_most(max_psi));
        let mut row = Quality::judged("", NAME, "mix_psi", values, reason);
        if is_above && by_chance {
            row.threshold = None;
            row.reason =
                Some("within what chance makes of so few customers: not judged".to_owned());
        }
        rows.push(row);
    }
    rows.extend(each(judged.assignment, move |place, segment| {
        let share = kept.get(place).copied().flatten()?;
        Some(kept_share(segment, share, min_kept))
    }));
    // Nobody of theirs is in them still.
    let emptied = emptied.iter();
    rows.extend(emptied.map(|segment| kept_share(segment, 0.0, min_kept)));
    Ok(rows)
}

fn kept_share(segment: &str, share: f64, min_kept: Option<f64>) -> Quality {
    let below = min_kept.filter(|limit| share < *limit);
    let reason = below.map(|limit| {
        format!(
            "{} of its customers of the previous version are in it still; {} would pass",
            percent(share),
            percent(limit)
        )
    });
    Quality {
        segment: segment.to_owned(),
        criterion: NAME,
        metric: "kept_share".to_owned(),
        value: Some(share),
        threshold: min_kept.map(Threshold::at_least),
        status: match reason {
            Some(_) => QualityStatus::Flagged,
            None => QualityStatus::Ok,
        },
        reason,
    }
}
