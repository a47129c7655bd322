//! Whether segments are large enough to matter and to measure something on.

use tessera_model::special::Z_95;
use tessera_spec::shown::grouped;
use tessera_spec::{GateSyntax, Limit};

use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Measure, each};
use crate::moments::sum;
use crate::quality::{Quality, QualityStatus, Threshold};
use crate::wording::percent;

const NAME: &str = "substantial";

static MIN_CUSTOMERS: Limit<u64> =
    Limit::count(NAME, "min_customers", 200, "Fewest customers of a segment.");

static MIN_SHARE: Limit<f64> =
    Limit::share(NAME, "min_share", 0.01, "Smallest share of all customers.");

static MAX_MEASURABLE_EFFECT: Limit<Option<f64>> = Limit::size_if_stated(
    NAME,
    "max_measurable_effect",
    "The effect that a test on the segment must be able to measure, in standard deviations.",
);

pub(super) static GATE: Gate = Gate {
    syntax: GateSyntax {
        name: NAME,
        summary: "Segments are large enough.",
        limits: &[&MIN_CUSTOMERS, &MIN_SHARE, &MAX_MEASURABLE_EFFECT],
    },
    criteria: &[NAME],
    asks: "Whether a segment has enough customers, and enough to measure an effect on.",
    measures: &[
        Measure::new("customers", &["min_customers"], "customers of the segment"),
        Measure::new("share", &["min_share"], "share of all customers"),
        Measure::new("value_share", &[], "share of the value of all customers"),
        Measure::new(
            "measurable_effect",
            &["max_measurable_effect"],
            "smallest difference, in standard deviations, that a test on the segment finds: two-sided at 5% with a power of 80%, \
             half of the segment as a control group",
        ),
    ],
    judge,
};

/// Quantiles of the normal distribution at 1 - 0.05 / 2 and at 0.8: a two-sided test at 5% with a power of 80%.
const QUANTILES: f64 = Z_95 + 0.841_621_233_572_914_3;

/// The smallest difference of two means, in standard deviations, that a test with half of the customers in each group finds.
fn measurable_effect(customers: u64) -> Option<f64> {
    let half = customers / 2;
    (half > 0).then(|| QUANTILES * (2.0 / half as f64).sqrt())
}

/// The smallest number of customers for which [`measurable_effect`] is not above a limit, above 0.
fn customers_for(limit: f64) -> f64 {
    2.0 * (2.0 * (QUANTILES / limit).powi(2)).ceil()
}

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let criteria = judged.criteria;
    let (counts, all) = (judged.assignment.counts(), judged.assignment.len());
    if all == 0 {
        return Ok(Vec::new());
    }
    let (min_customers, min_share) = (MIN_CUSTOMERS.of(criteria), MIN_SHARE.of(criteria));
    let max_effect = MAX_MEASURABLE_EFFECT.of(criteria);
    let mut rows: Vec<Quality> = each(judged.assignment, |place, segment| {
        let (count, limit) = (counts[place], min_customers);
        let reason = (count < limit).then(|| {
            format!(
                "{} customers; {} more would pass, or a wider segment",
                grouped(count),
                grouped(limit - count)
            )
        });
        let values = (count as f64, Threshold::at_least(limit as f64));
        Some(Quality::judged(segment, NAME, "customers", values, reason))
    })
    .collect();
    rows.extend(each(judged.assignment, |place, segment| {
        let (share, limit) = (counts[place] as f64 / all as f64, min_share);
        let reason = (share < limit).then(|| {
            format!(
                "{} of all customers; a wider segment would pass",
                percent(share)
            )
        });
        Some(Quality::judged(
            segment,
            NAME,
            "share",
            (share, Threshold::at_least(limit)),
            reason,
        ))
    }));
    rows.extend(each(judged.assignment, |place, segment| {
        let value = measurable_effect(counts[place]);
        let limit = max_effect;
        let above = limit.filter(|limit| value.is_none_or(|value| value > *limit));
        let reason = above.map(|limit| match customers_for(limit) {
            customers if customers < 1e15 => format!(
                "an effect of {limit} standard deviations takes {} customers, half of them as a control group",
                grouped(customers as u64)
            ),
            _ => format!("no number of customers shows an effect of {limit} standard deviations"),
        });
        Some(reported(segment, "measurable_effect", value, limit.map(Threshold::at_most), reason))
    }));
    rows.extend(value_shares(judged)?);
    Ok(rows)
}

fn reported(
    segment: &str,
    metric: &str,
    value: Option<f64>,
    threshold: Option<Threshold>,
    reason: Option<String>,
) -> Quality {
    Quality {
        segment: segment.to_owned(),
        criterion: NAME,
        metric: metric.to_owned(),
        value,
        threshold,
        status: match reason {
            Some(_) => QualityStatus::Flagged,
            None => QualityStatus::Ok,
        },
        reason,
    }
}

/// Shares of the value of all customers, which have no limit.
fn value_shares(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let Some(name) = judged.value else {
        return Ok(Vec::new());
    };
    let values = judged.customers.numeric(name)?;
    let mut of_segment: Vec<Vec<f64>> = vec![Vec::new(); judged.assignment.segments.len()];
    for (&segment, &value) in judged.assignment.segment_of.iter().zip(values.values()) {
        if !value.is_nan() {
            of_segment[segment as usize].push(value);
        }
    }
    let sums: Vec<f64> = of_segment.iter().map(|values| sum(values)).collect();
    let all = sum(&sums);
    let rows = each(judged.assignment, move |place, segment| {
        let share = sums[place] / all;
        let share = share.is_finite().then_some(share);
        Some(reported(segment, "value_share", share, None, None))
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `statsmodels.stats.power.TTestIndPower` with the normal distribution in place of t: 2 x (1.96 + 0.84)^2 / d^2 in each group.
    #[test]
    fn four_hundred_customers_show_a_little_over_a_quarter_of_a_standard_deviation() {
        let found = measurable_effect(400).unwrap();
        assert!((found - 0.280_158_521_811_297).abs() < 1e-12, "{found}");
        assert_eq!((measurable_effect(1), measurable_effect(0)), (None, None));
    }

    #[test]
    fn as_many_customers_as_are_asked_for_pass_and_fewer_do_not() {
        for limit in (1..200).map(|step| 0.013 * f64::from(step)) {
            let asked = customers_for(limit) as u64;
            assert!(measurable_effect(asked).unwrap() <= limit, "{limit}");
            let fewer = measurable_effect(asked - 1);
            assert!(fewer.is_none_or(|effect| effect > limit), "{limit}");
        }
    }
}
