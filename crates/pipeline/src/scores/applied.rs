//! What a churn model says of the customers of a table: some thousand customers after the other, so that the inputs and the
//! reasons of all of them are never held at once.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Builder, RecordBatch};
use arrow::compute::{concat, filter, filter_record_batch};
use rayon::prelude::*;
use tessera_features::FeatureInfo;
use tessera_model::churn::{ChurnFit, Inputs, Typical};
use tessera_spec::interrupt;

use super::NotComputed;
use super::inputs::inputs;
use super::population::Standing;
use super::reasons::{Sentences, Wording};
use crate::error::{PipelineError, needed};

/// Customers at a time.
const CHUNK: usize = 32_768;

/// The columns of a churn score, a row per customer; null for those that cannot churn.
pub(super) struct Applied {
    pub(super) probability: ArrayRef,
    /// The reasons by rank, the strongest first.
    pub(super) reasons: Vec<ArrayRef>,
    /// To which side they move.
    pub(super) direction: ArrayRef,
}

/// Applies the model to the customers of the table that can churn.
pub(super) fn applied(
    fit: &ChurnFit,
    table: &RecordBatch,
    standings: &[Standing],
    wording: &Wording<'_>,
) -> Result<Applied, NotComputed> {
    let mut names = wording.features.iter().map(|info| info.name.as_str());
    let schema = table.schema();
    let places = names.try_fold(Vec::new(), |mut places, name| {
        places.push(schema.index_of(name)?);
        Ok::<_, arrow::error::ArrowError>(places)
    });
    let projected = places.and_then(|places| table.project(&places));
    let table = projected.map_err(PipelineError::from)?;
    let typical = fit.typical(typical(&table, standings, wording)?)?;
    let starts: Vec<usize> = (0..table.num_rows().max(1)).step_by(CHUNK).collect();
    let part = |start: &usize| {
        if interrupt::requested() {
            return Err(NotComputed::Failed(PipelineError::Interrupted));
        }
        let end = table.num_rows().min(start + CHUNK);
        let rows = table.slice(*start, end - start);
        part(fit, (&rows, &standings[*start..end]), &typical, wording)
    };
    let parts: Vec<Vec<ArrayRef>> = starts.par_iter().map(part).collect::<Result<_, _>>()?;
    let mut columns = joined(parts)?.into_iter();
    let probability = needed(columns.next(), "probabilities")?;
    let direction = needed(columns.next(), "reasons")?;
    Ok(Applied {
        probability,
        direction,
        reasons: columns.collect(),
    })
}

/// Probability, side and reasons of some customers.
fn part(
    fit: &ChurnFit,
    (rows, standings): (&RecordBatch, &[Standing]),
    typical: &Typical,
    wording: &Wording<'_>,
) -> Result<Vec<ArrayRef>, NotComputed> {
    let living = filter_record_batch(rows, &lives(standings)).map_err(PipelineError::from)?;
    let inputs = inputs(&living, wording.features, wording.as_of, None)?;
    let reasons = fit.reasons_beside(&inputs, typical)?;
    let mut probability = Float64Builder::with_capacity(standings.len());
    let mut sentences = Sentences::new(standings.len());
    let mut row = 0;
    for standing in standings {
        if !standing.lives() {
            probability.append_null();
            sentences.none();
            continue;
        }
        probability.append_value(reasons.probabilities[row]);
        sentences.of((row, &inputs), &reasons, wording);
        row += 1;
    }
    let mut columns: Vec<ArrayRef> = vec![Arc::new(probability.finish())];
    let mut ranked = sentences.finish();
    columns.extend(ranked.pop());
    columns.extend(ranked);
    Ok(columns)
}

/// The typical customer among those that can churn, a column at a time.
fn typical(
    table: &RecordBatch,
    standings: &[Standing],
    wording: &Wording<'_>,
) -> Result<Inputs, NotComputed> {
    let lives = lives(standings);
    let of = |(place, info): (usize, &&FeatureInfo)| {
        let living = filter(table.column(place), &lives).and_then(|column| {
            let schema = table.schema().project(&[place])?;
            RecordBatch::try_new(Arc::new(schema), vec![column])
        });
        let living = living.map_err(PipelineError::from)?;
        Ok::<_, NotComputed>(inputs(&living, &[*info], wording.as_of, None)?.typical())
    };
    let features = wording.features.par_iter().enumerate();
    let columns: Vec<Inputs> = features.map(of).collect::<Result<_, _>>()?;
    let mut columns = columns.into_iter();
    Ok(columns.try_fold(Inputs::new(1), Inputs::beside)?)
}

fn lives(standings: &[Standing]) -> BooleanArray {
    standings.iter().map(|s| Some(s.lives())).collect()
}

/// Joins the parts of each column; those of a column are given back before the next one is joined.
fn joined(parts: Vec<Vec<ArrayRef>>) -> Result<Vec<ArrayRef>, PipelineError> {
    let width = parts.first().map_or(0, Vec::len);
    let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
    let next = |_| {
        let own: Vec<ArrayRef> = parts.iter_mut().filter_map(Iterator::next).collect();
        let own: Vec<_> = own.iter().map(AsRef::as_ref).collect();
        Ok(concat(&own)?)
    };
    (0..width).map(next).collect()
}
