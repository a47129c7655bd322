//! Whether something can be done with a segment: a playbook says what, and enough of its customers may be contacted.

use tessera_spec::pipeline::ExprText;
use tessera_spec::{GateSyntax, Limit};

use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Measure, each};
use crate::quality::{Quality, Threshold};
use crate::wording::percent;

const NAME: &str = "actionable";
const SHARE: &str = "reachable_share";
const KNOWN: &str = "reachable_known_share";

/// Smallest share of a segment's customers of whom it must be known whether they may be contacted.
const LEAST_KNOWN: f64 = 0.9;

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
    "SQL condition over features: who may be contacted. Others are not in `actions`, nor are those for whom it is neither true nor false, since a value in it is missing.",
);

static MIN_REACHABLE: Limit<f64> = Limit::share(
    NAME,
    "min_reachable",
    0.5,
    "Smallest share for whom `reachable` is true, of the segment's customers for whom it is true or false.",
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
            SHARE,
            &["reachable", "min_reachable"],
            "share who may be contacted, of the segment's customers of whom the condition says so or not",
        ),
        Measure::new(
            KNOWN,
            &["reachable"],
            "share of the segment's customers of whom it does; at least 0.9, and no row where it does of all",
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
        let mut found = vec![Reached::default(); segments];
        for (&segment, fits) in judged.assignment.segment_of.iter().zip(reachable) {
            found[segment as usize].add(fits);
        }
        let limit = MIN_REACHABLE.of(criteria);
        rows.extend(each(judged.assignment, |place, segment| {
            found[place].share(segment, limit)
        }));
        rows.extend(each(judged.assignment, |place, segment| {
            found[place].known(segment)
        }));
    }
    Ok(rows)
}

/// Customers of a segment by whether they may be contacted.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    yes: u64,
    no: u64,
    /// The condition is neither true nor false, since a value in it is missing.
    unknown: u64,
}

impl Reached {
    fn add(&mut self, fits: Option<bool>) {
        match fits {
            Some(true) => self.yes += 1,
            Some(false) => self.no += 1,
            None => self.unknown += 1,
        }
    }

    fn all(self) -> u64 {
        self.yes + self.no + self.unknown
    }

    /// The share of those of whom it is known.
    fn share(self, segment: &str, limit: f64) -> Option<Quality> {
        let known = self.yes + self.no;
        if self.all() == 0 {
            return None;
        }
        if known == 0 {
            let reason = "`reachable` is neither true nor false for any of its customers, since a value in it is missing".to_owned();
            return Some(Quality::not_computed(segment, NAME, SHARE, reason));
        }
        let share = self.yes as f64 / known as f64;
        let reason = (share < limit).then(|| {
            format!(
                "{} of its customers{} may be contacted; {} would pass",
                percent(share),
                if self.unknown > 0 {
                    " of whom it is known"
                } else {
                    ""
                },
                percent(limit)
            )
        });
        let measured = (share, Threshold::at_least(limit));
        Some(Quality::judged(segment, NAME, SHARE, measured, reason))
    }

    /// The share of whom it is known, where it is not known of all.
    fn known(self, segment: &str) -> Option<Quality> {
        if self.unknown == 0 {
            return None;
        }
        let share = (self.yes + self.no) as f64 / self.all() as f64;
        let reason = (share < LEAST_KNOWN).then(|| {
            format!(
                "whether they may be contacted is known of {} of its customers: the others are not in `actions`; {} would pass",
                percent(share),
                percent(LEAST_KNOWN)
            )
        });
        let measured = (share, Threshold::at_least(LEAST_KNOWN));
        Some(Quality::judged(segment, NAME, KNOWN, measured, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::QualityStatus;

    #[test]
    fn who_is_not_known_is_no_no() {
        let of = |answers: &[Option<bool>]| {
            let mut found = Reached::default();
            answers.iter().for_each(|fits| found.add(*fits));
            let part = |row: Option<Quality>| row.map(|row| (row.value, row.status, row.reason));
            (part(found.share("a", 0.5)), part(found.known("a")))
        };
        let (yes, no) = (Some(true), Some(false));
        let ok = |share| Some((Some(share), QualityStatus::Ok, None));
        assert_eq!(of(&[]), (None, None));
        assert_eq!(of(&[yes, no]), (ok(0.5), None));
        let (share, known) = of(&[yes, None, None, None]);
        assert_eq!(share, ok(1.0));
        let (value, status, reason) = known.unwrap();
        assert_eq!((value, status), (Some(0.25), QualityStatus::Flagged));
        assert!(reason.unwrap().contains("known of 25% of its customers"));
        let (share, known) = of(&[None, None]);
        let (value, status, _) = share.unwrap();
        assert_eq!((value, status), (None, QualityStatus::NotComputed));
        assert_eq!(known.unwrap().0, Some(0.0));
        let (share, _) = of(&[yes, no, no, None]);
        let reason = share.unwrap().2.unwrap();
        assert!(
            reason.contains("of its customers of whom it is known"),
            "{reason}"
        );
        let mut many = vec![yes; 19];
        many.push(None);
        assert_eq!(of(&many), (ok(1.0), ok(0.95)));
    }
}
