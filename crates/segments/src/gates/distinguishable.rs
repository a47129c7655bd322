//! Whether segments differ from the rest of the customers, in columns that they are not made of. Overlapping rules are judged where
//! they are evaluated, and whether there are clusters at all where these are made.

use tessera_model::special::{Z_95, chi_squared_95};
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
    "Features, scores and columns of `[value]` of which a segment must differ in two, or in the only one; the KPI of the goal and the columns of \
     `[value]` by default. Columns that the scheme assigns by, or that are computed from these, are left out.",
);

static MIN_EFFECT: Limit<f64> = Limit::size(
    NAME,
    "min_effect",
    0.3,
    "Smallest Cohen's d of a number, of either sign; where a segment has so few customers that chance alone explains more in one of \
     twenty segments, it must be larger than that.",
);

static MIN_ASSOCIATION: Limit<f64> = Limit::share(
    NAME,
    "min_association",
    0.1,
    "Smallest Cramér's V of a label, corrected for what chance adds to it; it must be larger than chance alone explains, as `min_effect`.",
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
            "KPIs in which the segment differs from the rest, by Cohen's d of a number or Cramér's V of a label (bias-corrected, Bergsma 2013), \
             beyond what chance explains at 5%; two are needed, or one where there is no other; columns in which nobody differs do not count",
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
            apart[segment] += usize::from(size.is_some_and(|effect| effect.reaches(limit)));
            effects[segment].push(match size {
                Some(Effect { size, chance }) if chance > limit => {
                    format!("{kpi} {measure} = {size:.2}, of which chance explains {chance:.2}")
                }
                Some(Effect { size, .. }) => format!("{kpi} {measure} = {size:.2}"),
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

/// How far a segment differs from the rest in a column.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Effect {
    size: f64,
    /// The size that one of twenty segments exceeds that differ from the rest by chance alone.
    chance: f64,
}

impl Effect {
    fn reaches(self, limit: f64) -> bool {
        self.size.abs() >= limit && self.size.abs() > self.chance
    }
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

/// Cohen's d of every segment against the rest; none where either has too few values to compare. By chance the difference of two means
/// is normal, with the variance of a value divided by the number of values of each.
fn differences(judged: &Judged<'_>, kpi: &str) -> Result<Vec<Option<Effect>>, SegmentError> {
    let numbers = judged.customers.numeric(kpi)?;
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); judged.assignment.segments.len()];
    for (&segment, &value) in judged.assignment.segment_of.iter().zip(numbers.values()) {
        if !value.is_nan() {
            values[segment as usize].push(value);
        }
    }
    let parts: Vec<Moments> = values.iter().map(|values| Moments::of(values)).collect();
    let effect = |(own, rest): (&Moments, Moments)| {
        let variance = 1.0 / own.count as f64 + 1.0 / rest.count as f64;
        Some(Effect {
            size: own.cohens_d(&rest)?,
            chance: Z_95 * variance.sqrt(),
        })
    };
    Ok(parts.iter().zip(rests(&parts)).map(effect).collect())
}

/// Cramér's V of every segment against the rest over the labels.
fn associations(judged: &Judged<'_>, labels: &Labels<'_>) -> Vec<Option<Effect>> {
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
    let of_segment = |segment: usize| {
        let own = &counts[segment * width..(segment + 1) * width];
        association(own, &totals)
    };
    (0..segments).map(of_segment).collect()
}

/// Cramér's V of a segment, of whom so many have each label, and the rest of all customers with a label. Chi-squared of a table grows
/// with the number of labels even where nothing is associated; V is corrected for that (Bergsma 2013). None where either side is empty.
fn association(own: &[u64], totals: &[u64]) -> Option<Effect> {
    let all = totals.iter().sum::<u64>() as f64;
    let inside = own.iter().sum::<u64>() as f64;
    let outside = all - inside;
    if inside == 0.0 || outside == 0.0 || all < 2.0 {
        return None;
    }
    let used = own.iter().zip(totals).filter(|(_, total)| **total > 0);
    let deviation = |(&count, &total): (&u64, &u64)| {
        let (count, total) = (count as f64, total as f64);
        let (expected, rest) = (total * inside / all, total * outside / all);
        (count - expected).powi(2) / expected + (total - count - rest).powi(2) / rest
    };
    let freedom = used.clone().count().saturating_sub(1) as f64;
    let squared: f64 = used.map(deviation).sum();
    // With n customers and r labels: phi^2 less (r - 1) / (n - 1), over the smaller of the corrected numbers of rows and columns, less 1.
    let corrected = |count: f64| count - (count - 1.0).powi(2) / (all - 1.0) - 1.0;
    let most = corrected(2.0).min(corrected(freedom + 1.0));
    let v = |squared: f64| ((squared / all - freedom / (all - 1.0)).max(0.0) / most).sqrt();
    let effect = Effect {
        size: v(squared),
        chance: v(chi_squared_95(freedom)),
    };
    (most > 0.0 && effect.size.is_finite()).then_some(effect)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of numbers from 0 to 1.
    fn uniform(mut state: u64) -> impl FnMut() -> f64 {
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((state >> 11) as f64 + 0.5) / 2_f64.powi(53)
        }
    }

    #[test]
    fn v_is_corrected_as_an_independent_computation_does() {
        // Bergsma's formula on scipy.stats.contingency.association(table, "cramer") of scipy 1.17.1.
        for (own, rest, want) in [
            (
                vec![12, 3, 5, 0],
                vec![20, 40, 33, 7],
                0.312_477_619_886_117_9,
            ),
            (vec![30, 10], vec![10, 30], 0.490_290_337_845_460_1),
            (
                vec![4, 5, 6, 5, 4, 6, 5, 5, 4, 6, 5, 5],
                vec![41, 40, 44, 35, 40, 40, 38, 42, 40, 40, 41, 39],
                0.0,
            ),
            (vec![9, 1, 1], vec![100, 90, 80], 0.157_229_266_606_558_62),
        ] {
            let totals: Vec<u64> = own.iter().zip(rest).map(|(a, b)| a + b).collect();
            let found = association(&own, &totals).unwrap();
            assert!((found.size - want).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(association(&[0, 0], &[3, 4]), None);
        assert_eq!(association(&[3, 4], &[3, 4]), None);
    }

    /// Segments of 20 to 60 of 400 customers that are drawn without regard to a label of 12 values or to a skewed number. One of twenty
    /// is beyond chance: of 2,000 no more than 100 and four standard deviations of the binomial, 139. The sizes alone pass the limits
    /// more often than that.
    #[test]
    fn segments_without_structure_are_seldom_apart() {
        let mut next = uniform(3);
        let (mut labels, mut numbers, mut before) = (0, 0, [0; 2]);
        for round in 0..2_000_u64 {
            let size = 20 + round % 41;
            let (mut own, mut totals) = ([0; 12], [0; 12]);
            let (mut inside, mut outside) = (Vec::new(), Vec::new());
            for customer in 0..400 {
                let label = (12.0 * next()) as usize;
                totals[label] += 1;
                // The sum of two exponential numbers, skewed as money is.
                let number = -next().ln() - next().ln();
                if customer < size {
                    own[label] += 1;
                    inside.push(number);
                } else {
                    outside.push(number);
                }
            }
            let label = association(&own, &totals).unwrap();
            labels += u32::from(label.reaches(0.1));
            let d = Moments::of(&inside)
                .cohens_d(&Moments::of(&outside))
                .unwrap();
            let variance = 1.0 / inside.len() as f64 + 1.0 / outside.len() as f64;
            let number = Effect {
                size: d,
                chance: Z_95 * variance.sqrt(),
            };
            numbers += u32::from(number.reaches(0.3));
            before[0] += u32::from(label.size >= 0.1);
            before[1] += u32::from(d.abs() >= 0.3);
        }
        assert!(labels <= 139 && numbers <= 139, "{labels} {numbers}");
        assert!(before[0] > 139 && before[1] > 139, "{before:?}");
    }
}
