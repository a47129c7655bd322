//! The table `experiments`: each variant beside its control.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Field, Int64Type, Schema};
use tessera_model::experiment::{
    Arm, ArmReadout, Circumstances, UNEVEN_BELOW, Uplift, Verdict, readout, sample_ratio_p, verdict,
};
use tessera_spec::pipeline::{Direction, Experiment};

use super::enrol::{Enrolled, Everyone};
use super::{TABLE, measured_days};
use crate::error::{PipelineError, needed};
use crate::sources::epoch_day;

/// One variant of an experiment.
struct Row<'a> {
    experiment: &'a Experiment,
    /// Place of the variant.
    place: usize,
    measured_days: u32,
    counts: Counts,
    readout: ArmReadout,
    adjusted: bool,
    ended: bool,
    sample_ratio_p: Option<f64>,
    verdict: Verdict,
    reason: String,
}

/// The customers of a variant.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    enrolled: u64,
    lost: u64,
    too_recent: u64,
    missing: u64,
}

/// The metric of the customers who are compared, now and when they were drawn, in the order of keys.
#[derive(Debug, Clone, Default)]
struct Measured {
    values: Vec<f64>,
    before: Vec<f64>,
}

/// The table, without its column `as_of`, by experiment and variant.
pub(super) fn table(
    everyone: &Everyone<'_>,
    drawn: &[(&Experiment, Enrolled)],
) -> Result<RecordBatch, PipelineError> {
    let mut rows = Vec::new();
    for (experiment, enrolled) in drawn {
        rows.extend(compare(everyone, experiment, enrolled)?);
    }
    let name = |row: &Row<'_>| row.experiment.variants[row.place].name.clone();
    rows.sort_by(|a, b| {
        let by_experiment = a.experiment.name.value.cmp(&b.experiment.name.value);
        by_experiment.then_with(|| name(a).cmp(&name(b)))
    });
    columns(&rows)
}

/// The variants of an experiment.
fn compare<'a>(
    everyone: &Everyone<'_>,
    experiment: &'a Experiment,
    enrolled: &Enrolled,
) -> Result<Vec<Row<'a>>, PipelineError> {
    let pipeline = &everyone.prepared.pipeline;
    let days = measured_days(pipeline, &everyone.prepared.features, experiment);
    let days = needed(days, "days of the metric")?;
    let (mut counts, measured) = count(everyone, experiment, enrolled, days)?;
    for (place, counts) in counts.iter_mut().enumerate() {
        let before = lost_before(everyone, experiment, place)?;
        counts.lost = enrolled.gone[place] + before;
    }
    let arms: Vec<Arm<'_>> = measured
        .iter()
        .map(|one| Arm {
            values: &one.values,
            before: &one.before,
        })
        .collect();
    // The metric is finite, and the parser of the file asks for two variants.
    let found = needed(readout(&arms).ok(), "two variants")?;
    let shares: Vec<f64> = experiment.variants.iter().map(|one| one.share).collect();
    let all: Vec<u64> = counts.iter().map(|one| one.enrolled + one.lost).collect();
    let p = sample_ratio_p(&all, &shares);
    let mut columns = everyone.prepared.published();
    let metric = columns.find(|info| info.name == experiment.metric.value);
    let ends = experiment.ends.map(epoch_day);
    let at = Circumstances {
        higher_is_better: match metric.map(|info| info.direction) {
            Some(Direction::High) => Some(true),
            Some(Direction::Low) => Some(false),
            Some(Direction::None) | None => None,
        },
        ended: ends.is_some_and(|last| everyone.day >= last.saturating_add(days as i32)),
        waiting: ends.is_none_or(|last| everyone.day < last)
            || counts.iter().any(|one| one.too_recent > 0),
        sample_ratio_p: p,
    };
    let rows = found.arms.into_iter().enumerate().map(|(place, arm)| {
        let verdict = match place {
            0 => Verdict::Control,
            _ => verdict(&arm, &at),
        };
        Row {
            experiment,
            place,
            measured_days: days,
            counts: counts[place],
            reason: reason(verdict, &arm, at.ended),
            readout: arm,
            adjusted: found.adjusted,
            ended: at.ended,
            sample_ratio_p: p,
            verdict,
        }
    });
    Ok(rows.collect())
}

/// Counts the customers of each variant, and takes the metric of those who are compared.
fn count(
    everyone: &Everyone<'_>,
    experiment: &Experiment,
    enrolled: &Enrolled,
    days: u32,
) -> Result<(Vec<Counts>, Vec<Measured>), PipelineError> {
    let metric = everyone.metric(experiment)?;
    let variants = experiment.variants.len();
    let mut counts = vec![Counts::default(); variants];
    let mut measured = vec![Measured::default(); variants];
    for row in everyone.by_key.values().iter().map(|row| *row as usize) {
        let Some(place) = enrolled.variant[row] else {
            continue;
        };
        let counts = &mut counts[place];
        counts.enrolled += 1;
        let drawn = enrolled.day[row].unwrap_or(everyone.day);
        if everyone.day.saturating_sub(drawn) < days as i32 {
            counts.too_recent += 1;
        } else if !metric[row].is_finite() {
            counts.missing += 1;
        } else {
            let before = enrolled.metric_before[row];
            measured[place].values.push(metric[row]);
            measured[place]
                .before
                .push(if before.is_finite() { before } else { f64::NAN });
        }
    }
    Ok((counts, measured))
}

/// Customers of a variant who were no customers any more in the version before.
fn lost_before(
    everyone: &Everyone<'_>,
    experiment: &Experiment,
    place: usize,
) -> Result<u64, PipelineError> {
    let Some(version) = everyone.before.filter(|version| version.has(TABLE)) else {
        return Ok(0);
    };
    let variant = experiment.variants[place].name.as_str();
    let mut lost = 0;
    let wanted = ["experiment", "variant", "lost"];
    for batch in version.read_columns(TABLE, |name| wanted.contains(&name))? {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let counts = batch.column_by_name("lost");
        let counts = counts.and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(experiments), Some(variants), Some(counts)) =
            (text("experiment"), text("variant"), counts)
        else {
            continue;
        };
        for row in 0..batch.num_rows() {
            if experiments.value(row) == experiment.name.value && variants.value(row) == variant {
                lost += counts.value(row).unsigned_abs();
            }
        }
    }
    Ok(lost)
}

/// Why a variant has its verdict.
fn reason(verdict: Verdict, arm: &ArmReadout, ended: bool) -> String {
    let shown = match ended {
        true => {
            "the experiment has ended, and so large a difference comes about by chance in fewer than 5 of 100"
        }
        false => "the interval that holds however often it is looked at leaves out 0",
    };
    match verdict {
        Verdict::Control => "the others are compared with it".to_owned(),
        Verdict::Better | Verdict::Worse => shown.to_owned(),
        Verdict::Higher | Verdict::Lower => {
            format!("{shown}; the metric does not state which direction is good")
        }
        Verdict::NoDifferenceShown if ended => {
            "the experiment has ended, and such a difference may come about by chance".to_owned()
        }
        Verdict::NoDifferenceShown => {
            "the interval that holds however often it is looked at has 0 in it".to_owned()
        }
        Verdict::UnevenGroups => format!(
            "chance alone makes groups as uneven as these in fewer than {} of 1,000 experiments: something besides the draw decides who is in them, so nothing may be concluded",
            1_000.0 * UNEVEN_BELOW
        ),
        Verdict::TooEarly | Verdict::NotComputed => arm
            .reason
            .map_or_else(String::new, |reason| reason.to_string()),
    }
}

/// The rows as a table.
fn columns(rows: &[Row<'_>]) -> Result<RecordBatch, PipelineError> {
    let variant = |row: &Row<'_>| row.experiment.variants[row.place].clone();
    let text = |of: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let count = |of: &dyn Fn(&Row<'_>) -> u64| -> ArrayRef {
        let counts = rows.iter().map(|row| of(row) as i64);
        Arc::new(counts.collect::<Int64Array>())
    };
    let number = |of: &dyn Fn(&Row<'_>) -> Option<f64>| -> ArrayRef {
        let known = |row| of(row).filter(|number| number.is_finite());
        Arc::new(rows.iter().map(known).collect::<Float64Array>())
    };
    let uplift = |of: &dyn Fn(&Uplift) -> Option<f64>| -> ArrayRef {
        number(&|row| row.readout.uplift.as_ref().and_then(of))
    };
    let day = |of: &dyn Fn(&Experiment) -> Option<chrono::NaiveDate>| -> ArrayRef {
        let days = rows.iter().map(|row| of(row.experiment).map(epoch_day));
        Arc::new(days.collect::<Date32Array>())
    };
    let flag = |of: &dyn Fn(&Row<'_>) -> bool| -> ArrayRef {
        let flags: Vec<bool> = rows.iter().map(of).collect();
        Arc::new(BooleanArray::from(flags))
    };
    let of = |row: &Row<'_>| row.experiment.of.clone();
    let columns: [(&str, ArrayRef); 33] = [
        (
            "experiment",
            text(&|row| Some(row.experiment.name.value.clone())),
        ),
        ("scheme", text(&|row| Some(of(row)?.scheme.value))),
        ("segment", text(&|row| Some(of(row)?.segment.value))),
        ("variant", text(&|row| Some(variant(row).name))),
        ("control", flag(&|row| row.place == 0)),
        ("share", number(&|row| Some(variant(row).share))),
        ("starts", day(&|experiment| experiment.starts)),
        ("ends", day(&|experiment| experiment.ends)),
        ("ended", flag(&|row| row.ended)),
        ("enrolled", count(&|row| row.counts.enrolled)),
        ("lost", count(&|row| row.counts.lost)),
        (
            "metric",
            text(&|row| Some(row.experiment.metric.value.clone())),
        ),
        ("measured_days", count(&|row| row.measured_days.into())),
        ("too_recent", count(&|row| row.counts.too_recent)),
        ("missing", count(&|row| row.counts.missing)),
        ("customers", count(&|row| row.readout.customers)),
        ("mean", number(&|row| row.readout.mean)),
        ("std", number(&|row| row.readout.std)),
        ("adjusted", flag(&|row| row.adjusted)),
        ("adjusted_mean", number(&|row| row.readout.adjusted_mean)),
        ("difference", uplift(&|one| Some(one.difference))),
        ("difference_low", uplift(&|one| Some(one.difference_low))),
        ("difference_high", uplift(&|one| Some(one.difference_high))),
        ("uplift", uplift(&|one| one.relative)),
        ("uplift_low", uplift(&|one| one.low)),
        ("uplift_high", uplift(&|one| one.high)),
        ("anytime_low", uplift(&|one| Some(one.anytime_low))),
        ("anytime_high", uplift(&|one| Some(one.anytime_high))),
        ("p", uplift(&|one| Some(one.p))),
        ("smallest_effect", uplift(&|one| Some(one.smallest_effect))),
        ("srm_p", number(&|row| row.sample_ratio_p)),
        ("verdict", text(&|row| Some(row.verdict.name().to_owned()))),
        ("reason", text(&|row| Some(row.reason.clone()))),
    ];
    let fields = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let columns = columns.iter().map(|(_, column)| column.clone()).collect();
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}
