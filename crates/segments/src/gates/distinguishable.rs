//! Whether segments differ from the rest of the customers, in columns that they are not made of. Overlapping rules are judged where
//! they are evaluated, and whether there are clusters at all where these are made.

use tessera_spec::{GateSyntax, Limit};

use crate::customers::{ColumnKind, Labels};
use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Measure, each};
use crate::moments::{Moments, rests};
use crate::quality::{Quality, Threshold};

const NAME: &str = "distinguishable";

/// Columns in which segments should differ; the caller knows those of a pipeline that states none.
pub static KPIS: Limit<Option<Vec<String>>> = Limit::columns(
    NAME,
    "kpis",
    "Columns of `customers` of which a segment must differ in two, or in the only one; the KPI of the goal and the columns of \
     `[value]` by default. Columns that the scheme assigns by, or that are computed from these, are left out.",
);

static MIN_EFFECT: Limit<f64> = Limit::size(
    NAME,
    "min_effect",
    0.3,
    "Smallest Cohen's d of a number, of either sign.",
);

static MIN_ASSOCIATION: Limit<f64> = Limit::share(
    NAME,
    "min_association",
    0.1,
    "Smallest Cramér's V of a label.",
);

/// Rules are held against it where they are evaluated.
pub(crate) static MAX_OVERLAP: Limit<f64> = Limit::share(
    NAME,
    "max_overlap",
    0.1,
    "Largest share of customers for whom the rules of two segments are true, of those for whom one of them is.",
);

pub(super) static GATE: Gate = Gate {
    syntax: GateSyntax {
        name: NAME,
        summary: "Segments differ from the rest of the customers.",
        limits: &[&KPIS, &MIN_EFFECT, &MIN_ASSOCIATION, &MAX_OVERLAP],
    },
    criteria: &["clustered", NAME],
    asks: "Whether a segment differs from the rest of the customers, rules overlap little, and clusters are more than chance.",
    measures: &[
        Measure::new(
            "kpis_apart",
            &["kpis", "min_effect", "min_association"],
            "KPIs in which the segment differs from the rest, by Cohen's d of a number or Cramér's V of a label; two are needed, or \
             one where there is no other; columns in which nobody differs do not count",
        ),
        Measure::new(
            "overlap",
            &["max_overlap"],
            "of the rules of two segments: customers for whom both are true, of those for whom one is",
        ),
        Measure::new(
            "p_value",
            &[],
            "of criterion `clustered`: how often rows without clusters look as clustered; at most 0.05",
        ),
    ],
    judge,
};

/// Columns in which a segment has to differ, where so many are given.
const KPIS_APART: usize = 2;

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let min_effect = MIN_EFFECT.of(judged.criteria);
    let min_association = MIN_ASSOCIATION.of(judged.criteria);
    let is_input = |kpi: &String| judged.inputs.contains(&kpi.as_str());
    let others = judged.kpis.iter().filter(|kpi| !is_input(kpi));
    let others: Vec<&str> = others.map(String::as_str).collect();
    let mut kpis = Vec::new();
    for kpi in &others {
        if varies(judged, kpi)? {
            kpis.push(*kpi);
        }
    }
    if kpis.is_empty() {
        let reason = match (judged.kpis.is_empty(), others.is_empty()) {
            (true, _) => {
                "there is no column to differ in: state `kpis` of [gates], or a `kpi` of [goal]"
            }
            (false, true) => {
                "the scheme assigns by every KPI, or by what it is computed from; state other `kpis` in [gates]"
            }
            (false, false) => {
                "every KPI by which the scheme does not assign is the same for all customers; state other `kpis` in [gates]"
            }
        };
        let row = Quality::not_computed("", NAME, "kpis_apart", reason.to_owned());
        return Ok(vec![row]);
    }
    let counts = judged.assignment.counts();
    let segments = counts.len();
    let mut apart = vec![0_usize; segments];
    let mut effects: Vec<Vec<String>> = vec![Vec::new(); segments];
    for kpi in &kpis {
        let (sizes, limit, measure) = match kind(judged, kpi) {
            Some(ColumnKind::Label) => {
                let labels = judged.customers.labels(kpi)?;
                (associations(judged, &labels), min_association, "V")
            }
            _ => (differences(judged, kpi)?, min_effect, "d"),
        };
        for (segment, size) in sizes.into_iter().enumerate() {
            apart[segment] += usize::from(size.is_some_and(|size| size.abs() >= limit));
            effects[segment].push(match size {
                Some(size) => format!("{kpi} {measure} = {size:.2}"),
                None => format!("{kpi} is not comparable"),
            });
        }
    }
    let wanted = KPIS_APART.min(kpis.len());
    let rows = each(judged.assignment, |place, segment| {
        if counts[place] == 0 || counts[place] == judged.assignment.len() as u64 {
            return None;
        }
        let reason = (apart[place] < wanted).then(|| {
            format!(
                "differs too little from the rest: {}; d of {min_effect} or V of {min_association} in {wanted} of them would pass",
                effects[place].join(", ")
            )
        });
        let values = (apart[place] as f64, Threshold::at_least(wanted as f64));
        Some(Quality::judged(segment, NAME, "kpis_apart", values, reason))
    });
    Ok(rows.collect())
}

fn kind(judged: &Judged<'_>, kpi: &str) -> Option<ColumnKind> {
    let mut features = judged.customers.features();
    let found = features.find(|(name, _)| *name == kpi);
    found.map(|(_, kind)| kind)
}

/// Whether any two customers differ in a column, of those who have a value.
fn varies(judged: &Judged<'_>, kpi: &str) -> Result<bool, SegmentError> {
    if let Some(ColumnKind::Label) = kind(judged, kpi) {
        let counts = judged.customers.labels(kpi)?.counts();
        return Ok(counts.iter().filter(|count| **count > 0).count() > 1);
    }
    let numbers = judged.customers.numeric(kpi)?;
    let mut known = numbers.values().iter().filter(|value| !value.is_nan());
    let first = known.next();
    Ok(known.any(|value| Some(value) != first))
}

/// Cohen's d of every segment against the rest; none where either has too few values to compare.
fn differences(judged: &Judged<'_>, kpi: &str) -> Result<Vec<Option<f64>>, SegmentError> {
    let numbers = judged.customers.numeric(kpi)?;
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); judged.assignment.segments.len()];
    for (&segment, &value) in judged.assignment.segment_of.iter().zip(numbers.values()) {
        if !value.is_nan() {
            values[segment as usize].push(value);
        }
    }
    let parts: Vec<Moments> = values.iter().map(|values| Moments::of(values)).collect();
    let pairs = parts.iter().zip(rests(&parts));
    Ok(pairs.map(|(own, rest)| own.cohens_d(&rest)).collect())
}

/// Cramér's V of every segment against the rest over the labels: the square root of chi-squared over the customers with a label.
fn associations(judged: &Judged<'_>, labels: &Labels<'_>) -> Vec<Option<f64>> {
    let (segments, width) = (judged.assignment.segments.len(), labels.values().len());
    let mut counts = vec![0_u64; segments * width];
    for (&segment, &code) in judged.assignment.segment_of.iter().zip(labels.codes()) {
        if code != Labels::MISSING {
            counts[segment as usize * width + code as usize] += 1;
        }
    }
    let of_label = |label: usize| -> u64 {
        (0..segments)
            .map(|segment| counts[segment * width + label])
            .sum()
    };
    let totals: Vec<u64> = (0..width).map(of_label).collect();
    let all = totals.iter().sum::<u64>() as f64;
    let of_segment = |segment: usize| {
        let own = &counts[segment * width..(segment + 1) * width];
        let inside = own.iter().sum::<u64>() as f64;
        let outside = all - inside;
        let deviation = |(&count, &total): (&u64, &u64)| {
            let (count, total) = (count as f64, total as f64);
            let (expected, rest) = (total * inside / all, total * outside / all);
            (count - expected).powi(2) / expected + (total - count - rest).powi(2) / rest
        };
        let squared: f64 = own
            .iter()
            .zip(&totals)
            .filter(|(_, total)| **total > 0)
            .map(deviation)
            .sum();
        let v = (squared / all).sqrt();
        v.is_finite().then_some(v)
    };
    (0..segments).map(of_segment).collect()
}
