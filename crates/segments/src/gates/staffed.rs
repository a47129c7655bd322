//! Whether there are people enough for the segments that people look after: each touch of a playbook serves so many customers.

use tessera_spec::shown::grouped;
use tessera_spec::{GateSyntax, Limit};

use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Measure};
use crate::quality::{Quality, Threshold};

const NAME: &str = "staffed";

static MAX_HIGH_TOUCH: Limit<Option<u64>> = Limit::count_if_stated(
    NAME,
    "max_high_touch",
    "Most customers in segments whose playbook has `touch = \"high\"`: how many the named persons can serve.",
);

static MAX_LOW_TOUCH: Limit<Option<u64>> = Limit::count_if_stated(
    NAME,
    "max_low_touch",
    "Most customers in segments whose playbook has `touch = \"low\"`: how many the pool of people can serve.",
);

pub(super) static GATE: Gate = Gate {
    syntax: GateSyntax {
        name: NAME,
        summary: "There are people enough for the customers whom people look after.",
        limits: &[&MAX_HIGH_TOUCH, &MAX_LOW_TOUCH],
    },
    criteria: &[NAME],
    asks: "Whether no more customers are in segments with a playbook of high or low touch than people can serve.",
    measures: &[
        Measure::new(
            "high_touch_customers",
            &["max_high_touch"],
            "customers in segments whose playbook has `touch = \"high\"`; published where its limit is stated",
        ),
        Measure::new(
            "low_touch_customers",
            &["max_low_touch"],
            "customers in segments whose playbook has `touch = \"low\"`; published where its limit is stated",
        ),
    ],
    judge,
};

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let touches = [
        ("high", "high_touch_customers", &MAX_HIGH_TOUCH),
        ("low", "low_touch_customers", &MAX_LOW_TOUCH),
    ];
    let stated = touches.into_iter().filter_map(|(touch, metric, limit)| {
        let limit = limit.of(judged.criteria)?;
        Some(served(judged, (touch, metric), limit))
    });
    Ok(stated.collect())
}

/// The customers of all segments with a playbook of this touch.
fn served(judged: &Judged<'_>, (touch, metric): (&str, &str), limit: u64) -> Quality {
    let scheme = &judged.assignment.scheme;
    let is_served = |segment: &str| {
        let mut books = judged.playbooks.iter();
        books.any(|book| {
            book.scheme.value == *scheme
                && book.segment.value == segment
                && book.touch.as_deref() == Some(touch)
        })
    };
    let segments = judged.assignment.segments.iter();
    let counted = segments.zip(judged.assignment.counts());
    let served: Vec<(&str, u64)> = counted
        .filter(|(segment, _)| is_served(&segment.name))
        .map(|(segment, count)| (segment.name.as_str(), count))
        .collect();
    if served.is_empty() {
        let reason = format!("no segment of this scheme has a playbook with `touch = \"{touch}\"`");
        return Quality::not_computed("", NAME, metric, reason);
    }
    let customers: u64 = served.iter().map(|(_, count)| count).sum();
    let reason = (customers > limit).then(|| {
        let shown = served
            .iter()
            .map(|(segment, count)| format!("`{segment}` {}", grouped(*count)));
        let shown: Vec<String> = shown.collect();
        format!(
            "{} too many for the people there are ({}); narrower segments, or a playbook with less touch, would pass",
            grouped(customers - limit),
            shown.join(", ")
        )
    });
    Quality::judged(
        "",
        NAME,
        metric,
        (customers as f64, Threshold::at_most(limit as f64)),
        reason,
    )
}
