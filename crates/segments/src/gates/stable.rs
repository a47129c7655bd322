//! Whether segments hold: the mix since the previous version, and who is in them still. Whether clusters come out of other draws of
//! customers is judged where they are made.

use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Since, each};
use crate::quality::{Quality, QualityStatus};
use crate::wording::percent;

pub(super) static GATE: Gate = Gate {
    name: "stable",
    criteria: &["stable"],
    asks: "Whether clusters come out of other draws of customers, and whether segments are as they were in the previous version.",
    on_fail: |criteria| criteria.stable.on_fail,
    judge,
};

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let criteria = &judged.criteria.stable;
    let (psi, psi_critical, kept) = match judged.since {
        Since::Unknown(reason) => {
            let row = Quality::not_computed("", GATE.name, "mix_psi", reason.clone());
            return Ok(vec![row]);
        }
        Since::Compared {
            psi,
            psi_critical,
            kept,
        } => (*psi, *psi_critical, kept),
    };
    let mut rows = Vec::new();
    if let Some(psi) = psi {
        let by_chance = psi_critical.is_none_or(|critical| psi <= critical);
        let reason = (psi > criteria.max_psi && !by_chance).then(|| {
            "segments are of other sizes than in the previous version; `drift` and `migrations` say which and why".to_owned()
        });
        let values = (psi, criteria.max_psi);
        rows.push(Quality::judged("", GATE.name, "mix_psi", values, reason));
    }
    rows.extend(each(judged.assignment, |place, segment| {
        let share = kept.get(place).copied().flatten()?;
        let below = criteria.min_kept.filter(|limit| share < *limit);
        let reason = below.map(|limit| {
            format!(
                "{} of its customers of the previous version are in it still; {} would pass",
                percent(share),
                percent(limit)
            )
        });
        Some(Quality {
            segment: segment.to_owned(),
            criterion: GATE.name,
            metric: "kept_share".to_owned(),
            value: Some(share),
            threshold: criteria.min_kept,
            status: match reason {
                Some(_) => QualityStatus::Flagged,
                None => QualityStatus::Ok,
            },
            reason,
        })
    }));
    Ok(rows)
}
