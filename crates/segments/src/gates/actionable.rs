//! Whether something can be done with a segment: a playbook says what, and enough of its customers may be contacted.

use tessera_spec::pipeline::ExprText;
use tessera_spec::{GateSyntax, Limit};

use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Measure, each};
use crate::quality::{Quality, Threshold};
use crate::wording::percent;

const NAME: &str = "actionable";

static PLAYBOOK: Limit<bool> = Limit::flag(
    NAME,
    "playbook",
    true,
    "Whether a segment must have a playbook, in schemes for which there are playbooks.",
);

/// Gate and limit of who may be contacted.
pub const WHO_MAY_BE_CONTACTED: (&str, &str) = (NAME, "reachable");

static REACHABLE: Limit<Option<ExprText>> = Limit::condition(
    NAME,
    WHO_MAY_BE_CONTACTED.1,
    "SQL condition over features: who may be contacted. Others are not in `actions`.",
);

static MIN_REACHABLE: Limit<f64> = Limit::share(
    NAME,
    "min_reachable",
    0.5,
    "Smallest share of a segment's customers for whom `reachable` is true.",
)
.only_with(
    "reachable",
    "add `reachable = \"…\"`, a condition over features, or remove this",
);

pub(super) static GATE: Gate = Gate {
    syntax: GateSyntax {
        name: NAME,
        summary: "Something can be done with segments.",
        limits: &[&PLAYBOOK, &REACHABLE, &MIN_REACHABLE],
    },
    criteria: &[NAME],
    asks: "Whether a segment has a playbook, and whether enough of its customers may be contacted.",
    measures: &[
        Measure::new(
            "playbook",
            &["playbook"],
            "1 where the segment has a playbook, in schemes for which there are playbooks",
        ),
        Measure::new(
            "reachable_share",
            &["reachable", "min_reachable"],
            "share of the segment's customers who may be contacted",
        ),
    ],
    judge,
};

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let (criteria, scheme) = (judged.criteria, &judged.assignment.scheme);
    let asks_playbook = PLAYBOOK.of(criteria);
    let mut rows = Vec::new();
    let books: Vec<&str> = judged
        .playbooks
        .iter()
        .filter(|book| book.scheme.value == *scheme)
        .map(|book| book.segment.value.as_str())
        .collect();
    if asks_playbook && books.is_empty() {
        let reason =
            "no playbook is for a segment of this scheme, so that it describes only".to_owned();
        rows.push(Quality::not_computed("", NAME, "playbook", reason));
    } else if asks_playbook {
        rows.extend(each(judged.assignment, |_, segment| {
            let has = books.contains(&segment);
            let reason = (!has).then(|| {
                format!("a playbook would pass: [playbooks.NAME] with `scheme = \"{scheme}\"` and `segment = \"{segment}\"`")
            });
            Some(Quality::judged(segment, NAME, "playbook", (f64::from(u8::from(has)), Threshold::at_least(1.0)), reason))
        }));
    }
    if let Some(reachable) = judged.condition(NAME, &REACHABLE) {
        let segments = judged.assignment.segments.len();
        let (mut all, mut reached) = (vec![0_u64; segments], vec![0_u64; segments]);
        for (&segment, fits) in judged.assignment.segment_of.iter().zip(reachable) {
            all[segment as usize] += 1;
            reached[segment as usize] += u64::from(fits == Some(true));
        }
        let limit = MIN_REACHABLE.of(criteria);
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
                NAME,
                "reachable_share",
                (share, Threshold::at_least(limit)),
                reason,
            ))
        }));
    }
    Ok(rows)
}
