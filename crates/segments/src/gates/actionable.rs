//! Whether something can be done with a segment: a playbook says what, and enough of its customers may be contacted.

use crate::error::SegmentError;
use crate::gates::{Gate, Judged, each};
use crate::quality::Quality;
use crate::wording::percent;

pub(super) static GATE: Gate = Gate {
    name: "actionable",
    criteria: &["actionable"],
    asks: "Whether a segment has a playbook, and whether enough of its customers may be contacted.",
    on_fail: |criteria| criteria.actionable.on_fail,
    judge,
};

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let (criteria, scheme) = (&judged.criteria.actionable, &judged.assignment.scheme);
    let mut rows = Vec::new();
    let books: Vec<&str> = judged
        .playbooks
        .iter()
        .filter(|book| book.scheme.value == *scheme)
        .map(|book| book.segment.value.as_str())
        .collect();
    if criteria.playbook && books.is_empty() {
        let reason =
            "no playbook is for a segment of this scheme, so that it describes only".to_owned();
        rows.push(Quality::not_computed("", GATE.name, "playbook", reason));
    } else if criteria.playbook {
        rows.extend(each(judged.assignment, |_, segment| {
            let has = books.contains(&segment);
            let reason = (!has).then(|| {
                format!("a playbook would pass: [playbooks.NAME] with `scheme = \"{scheme}\"` and `segment = \"{segment}\"`")
            });
            Some(Quality::judged(segment, GATE.name, "playbook", (f64::from(u8::from(has)), 1.0), reason))
        }));
    }
    if let Some(reachable) = judged.reachable {
        let segments = judged.assignment.segments.len();
        let (mut all, mut reached) = (vec![0_u64; segments], vec![0_u64; segments]);
        for (&segment, fits) in judged.assignment.segment_of.iter().zip(reachable) {
            all[segment as usize] += 1;
            reached[segment as usize] += u64::from(fits == Some(true));
        }
        let limit = criteria.min_reachable;
        rows.extend(each(judged.assignment, move |place, segment| {
            if all[place] == 0 {
                return None;
            }
            let share = reached[place] as f64 / all[place] as f64;
            let reason = (share < limit).then(|| {
                format!(
                    "{} of its customers may be contacted; {} would pass",
                    percent(share),
                    percent(limit)
                )
            });
            Some(Quality::judged(
                segment,
                GATE.name,
                "reachable_share",
                (share, limit),
                reason,
            ))
        }));
    }
    Ok(rows)
}
