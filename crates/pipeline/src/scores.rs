//! Scores: what models predict of each customer, with the figures to judge the predictions.
//!
//! A kind of score is a file of `scores/` and its line in [`KINDS`]: its keys in the pipeline file, its columns, and how it is learned
//! and applied ([`kind::Kind`]). It may ask for hidden aggregates in the pass over a source
//! ([`ScoreModel::hidden`]) and for the features at earlier dates ([`ScoreModel::observations`]); then it computes its columns
//! and, in rows of `models`, `calibration` and `quality`, how good they are. Where the data is not enough for a score, its
//! columns are null and `quality` states why; this is not an error.

mod applied;
mod calibrated;
mod churned;
mod clv;
mod columns;
mod contractual;
mod health;
mod inputs;
mod keys;
mod kind;
mod labelled;
mod learned;
mod lifetimes;
mod page;
mod population;
mod reasons;
mod supervised;
mod survival;
mod tables;
mod telling;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tessera_expr::rel::{Agg, Sample};
use tessera_expr::{Expr, Type};
use tessera_features::{FeatureInfo, SourceInput};
use tessera_model::interrupt::Interrupt;
use tessera_segments::{Fit, Parameter, Quality, QualityStatus};
use tessera_snapshot::NewArtifact;
use tessera_spec::pipeline::{At, Base, ExprText, Score, ScoreKind, Wanted};
use tessera_spec::{Pipeline, ScoreSyntax};

use crate::base;
use crate::error::PipelineError;
use crate::prepared::Prepared;

pub(crate) use inputs::label_name;
use kind::Kind;
pub(crate) use learned::{Fitted, InUse, LearnedScore};
pub use page::markdown;
pub(crate) use population::{Standing, condition_name};
pub(crate) use tables::{Backtest, backtest_table, calibration_table, quality_table};

/// One kind of score: what it needs, and how it is computed.
pub(crate) trait ScoreModel {
    /// What kind of knowledge its columns are.
    fn base(&self) -> Base;

    /// The features that the file names, with what they must be.
    fn inputs(&self) -> Vec<(&At<String>, Wanted)> {
        Vec::new()
    }

    /// The labels that its columns of text can have, by column, where they are known before a run.
    fn labels(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let _ = name;
        Vec::new()
    }

    /// Features that decide what is learned. `published` are all features of the pipeline.
    fn reads(&self, published: &[FeatureInfo]) -> Vec<String> {
        let _ = published;
        Vec::new()
    }

    /// Aggregates over a source that the score needs at the date of the run, by source.
    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)>;

    /// Aggregates over a source that the score needs at the date of the run and at each earlier date: `asked` is of that date.
    fn at_each_date(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        let _ = asked;
        Vec::new()
    }

    /// Whether the values of one of its columns depend on the other customers of the table, once it is learned.
    fn compares(&self, name: &str, column: &str) -> bool {
        let _ = (name, column);
        false
    }

    /// The condition over features that defines the population of the score, if the pipeline states one.
    fn population(&self) -> Option<&ExprText> {
        None
    }

    /// The condition over features that says who has churned, if the pipeline states one.
    fn label(&self) -> Option<&ExprText> {
        None
    }

    /// Earlier dates at which the features are needed.
    fn observations(&self, as_of: NaiveDate) -> Vec<NaiveDate> {
        let _ = as_of;
        Vec::new()
    }

    /// What it learns from at these dates; nothing where it uses the features of today alone.
    fn trained_on(&self) -> Option<TrainedOn<'_>> {
        None
    }

    /// Number of customers that are enough at each of these dates, sampled by their keys; `None` means all customers.
    fn enough(&self) -> Option<usize> {
        None
    }

    /// Learns from what is available. `in_use` is what an earlier version learned, to be compared with.
    fn fit(&self, given: &Given<'_>, in_use: Option<InUse<'_>>) -> Result<Fitted, NotComputed>;

    /// The columns of the score by what was learned, in this run or in an earlier one, and the rows about these customers.
    fn apply(&self, learned: &LearnedScore, given: &Given<'_>) -> Result<Scored, NotComputed>;
}

/// What a score is trained on at earlier dates.
pub(crate) struct TrainedOn<'a> {
    /// The features that the file names; every published one where it names none.
    pub(crate) features: &'a [At<String>],
    /// Who is trained on.
    pub(crate) population: Option<&'a ExprText>,
    /// The source that the file names.
    pub(crate) from: &'a At<String>,
}

/// What is available when the passes are planned.
pub(crate) struct Asked<'a> {
    /// Name of the score.
    pub(crate) name: &'a str,
    /// The checked pipeline.
    pub(crate) pipeline: &'a Pipeline,
    /// Rows and columns of the sources.
    pub(crate) inputs: &'a BTreeMap<String, SourceInput>,
    /// Date of the run.
    pub(crate) as_of: NaiveDate,
    /// Whether the score is fitted; otherwise what an earlier version learned is applied.
    pub(crate) fits: bool,
}

impl Asked<'_> {
    /// Which rows of a source are purchases; `None` where every row is one.
    pub(crate) fn purchase(&self, source: &str) -> Option<Expr> {
        let declared = self.pipeline.source(source)?;
        let schema = &self.inputs.get(source)?.schema;
        // The condition was checked when the source was planned.
        tessera_features::purchase(declared, schema).ok().flatten()
    }
}

/// What is available when a score is computed.
pub(crate) struct Given<'a> {
    /// Name of the score.
    pub(crate) name: &'a str,
    /// The pipeline.
    pub(crate) prepared: &'a Prepared,
    /// The day at whose close the customers are scored: that of the run, or of the previous version.
    pub(crate) as_of: NaiveDate,
    /// The customers at that day: key, features, hidden aggregates, earlier scores.
    pub(crate) table: &'a RecordBatch,
    /// The customers at earlier dates.
    pub(crate) past: &'a BTreeMap<NaiveDate, RecordBatch>,
    /// The dates at which only a sample of the customers was read.
    pub(crate) samples: &'a BTreeMap<NaiveDate, Sample>,
    /// Whether to stop: long loops check it, and their results are then not used.
    pub(crate) interrupt: Interrupt<'a>,
}

/// A score of all customers.
#[derive(Clone, Default)]
pub(crate) struct Scored {
    /// The columns of [`Score::columns`], by name; missing ones are published as null.
    pub(crate) columns: BTreeMap<String, ArrayRef>,
    /// Whether no model is used: every customer has the base rate.
    pub(crate) base_rate_only: bool,
    /// Rows of `models`.
    pub(crate) parameters: Vec<Parameter>,
    /// Rows of `calibration`.
    pub(crate) calibration: Vec<CalibrationRow>,
    /// Rows of `quality`.
    pub(crate) quality: Vec<Quality>,
    /// Rows of `backtest`.
    pub(crate) backtest: Option<Backtest>,
}

/// One bin of predictions and outcomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CalibrationRow {
    pub(crate) model: String,
    pub(crate) bin: i64,
    pub(crate) predicted: f64,
    pub(crate) observed: f64,
    pub(crate) customers: i64,
    pub(crate) lift: Option<f64>,
}

/// The criterion of rows of `quality` about what was not computed.
pub(crate) const COMPUTABLE: &str = "computable";

/// Metric of rows of `quality` about a score without any value.
pub(crate) const WHOLE: &str = "score";

/// What the metrics of rows of `quality` about backtests begin with.
pub(crate) const BACKTEST: &str = "backtest";

/// Something that was not computed, and why.
pub(crate) fn not_computed(metric: &str, reason: impl ToString) -> Quality {
    Quality {
        segment: String::new(),
        criterion: COMPUTABLE,
        metric: metric.to_owned(),
        value: None,
        threshold: None,
        status: QualityStatus::NotComputed,
        reason: Some(reason.to_string()),
    }
}

/// Name of a hidden aggregate of a score.
pub(crate) fn hidden_name(score: &str, what: &str) -> String {
    format!("__{score}_{what}")
}

/// Why a score has no values.
#[derive(Debug)]
pub(crate) enum NotComputed {
    /// The data is not enough: what is missing, as a text.
    Data(String),
    /// An error that is not caused by the data.
    Failed(PipelineError),
}

impl From<tessera_model::lifetime_error::LifetimeError> for NotComputed {
    fn from(error: tessera_model::lifetime_error::LifetimeError) -> Self {
        Self::Data(error.to_string())
    }
}

impl From<PipelineError> for NotComputed {
    fn from(error: PipelineError) -> Self {
        Self::Failed(error)
    }
}

/// Every kind, by name.
pub(crate) static KINDS: &[&Kind] = &[
    &clv::KIND,
    &contractual::KIND,
    &health::KIND,
    &supervised::KIND,
    &survival::KIND,
];

/// What the pipeline file may say of every kind.
pub(crate) fn syntax() -> Vec<&'static ScoreSyntax> {
    KINDS.iter().map(|kind| &kind.syntax).collect()
}

/// The kind of a score.
pub(crate) fn kind(of: &ScoreKind) -> Option<&'static Kind> {
    let mut kinds = KINDS.iter().copied();
    kinds.find(|kind| kind.syntax.name == of.name())
}

/// The implementation of a kind of score.
pub(crate) fn of(score: &ScoreKind) -> &dyn ScoreModel {
    let found = kind(score).and_then(|kind| (kind.model)(score));
    found.unwrap_or(&NoKind)
}

/// What was read from a store, with the type that its kind gives it.
///
/// # Errors
/// A form that no kind has, or that is stored in another way now; a sentence.
pub(crate) fn restored(read: Fit) -> Result<Fit, String> {
    let Some((name, stored)) = read.stored() else {
        return Ok(read);
    };
    let kind = KINDS.iter().find(|kind| kind.syntax.name == name);
    let kind = kind.ok_or_else(|| format!("no kind of score learns `{name}`"))?;
    (kind.restore)(name, stored).map_err(|error| error.to_string())
}

/// A score of none of these kinds: the parser reads none.
struct NoKind;

impl ScoreModel for NoKind {
    fn base(&self) -> Base {
        Base::Value
    }

    fn hidden(&self, _: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        Vec::new()
    }

    fn fit(&self, _: &Given<'_>, _: Option<InUse<'_>>) -> Result<Fitted, NotComputed> {
        Err(NotComputed::Data("there is no such kind".to_owned()))
    }

    fn apply(&self, _: &LearnedScore, _: &Given<'_>) -> Result<Scored, NotComputed> {
        Ok(Scored::default())
    }
}

/// The published columns of all scores, by the name of the score, so that the order in the file does not matter.
pub(crate) fn published(pipeline: &Pipeline) -> Vec<FeatureInfo> {
    let info = |score: &Score| {
        let base = of(&score.kind).base();
        let name = score.name.value.clone();
        score.columns().into_iter().map(move |column| FeatureInfo {
            ty: if column.is_text() {
                Type::String
            } else {
                Type::Float
            },
            name: column.name,
            unit: column.unit,
            base,
            label: column.label,
            direction: column.direction,
            definition: format!("Score `{name}`: {}.", column.about),
            source: None,
        })
    };
    let mut scores: Vec<&Score> = pipeline.scores.iter().collect();
    scores.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    scores.into_iter().flat_map(info).collect()
}

/// What the scores of a run applied, by their names; not of those that are not computed.
pub(crate) type LearnedScores = BTreeMap<String, LearnedScore>;

/// A score of all customers, and what was learned for it.
pub(crate) struct OneScore {
    /// The table with the columns of the score appended.
    pub(crate) table: RecordBatch,
    pub(crate) scored: Scored,
    /// What was applied; `None` where the score is not computed.
    pub(crate) learned: Option<LearnedScore>,
    pub(crate) artifact: Option<NewArtifact>,
}

/// Computes one score and appends its columns to the table.
pub(crate) fn compute(
    score: &Score,
    prepared: &Prepared,
    table: &RecordBatch,
    (past, samples): (
        &BTreeMap<NaiveDate, RecordBatch>,
        &BTreeMap<NaiveDate, Sample>,
    ),
    interrupt: Interrupt<'_>,
) -> Result<OneScore, PipelineError> {
    let given = Given {
        name: &score.name.value,
        prepared,
        as_of: prepared.as_of,
        table,
        past,
        samples,
        interrupt,
    };
    let computed = scored(score, &given);
    // The result of an interrupted model is incomplete.
    if interrupt.requested() {
        return Err(PipelineError::Interrupted);
    }
    let (scored, learned, artifact) = match computed {
        Ok((scored, learned, artifact)) => (scored, Some(learned), artifact),
        Err(NotComputed::Data(reason)) => {
            tracing::warn!(
                score = score.name.value,
                "score `{}` is not computed: {reason}",
                score.name.value
            );
            let scored = Scored {
                quality: vec![not_computed(WHOLE, reason)],
                ..Scored::default()
            };
            (scored, None, None)
        }
        Err(NotComputed::Failed(error)) => return Err(error),
    };
    Ok(OneScore {
        table: with_columns(score, table, &scored)?,
        scored,
        learned,
        artifact,
    })
}

/// What was learned, in this run or before, applied to the customers.
fn scored(
    score: &Score,
    given: &Given<'_>,
) -> Result<(Scored, LearnedScore, Option<NewArtifact>), NotComputed> {
    let mut used = learned::used(score, given)?;
    let mut scored = of(&score.kind).apply(&used.learned, given)?;
    for found in [std::mem::take(&mut used.learned.findings), used.rows] {
        scored.parameters.extend(found.parameters);
        scored.calibration.extend(found.calibration);
        scored.quality.extend(found.quality);
    }
    scored.backtest = used.backtest;
    let artifact = used.artifact;
    scored.parameters.extend(artifact_rows(artifact.as_ref()));
    Ok((scored, used.learned, artifact))
}

/// Customers in another state than that of the run, with the columns of a score appended by what this run applied; null where it
/// applied nothing.
pub(crate) fn applied(
    score: &Score,
    prepared: &Prepared,
    (table, as_of): (&RecordBatch, NaiveDate),
    learned: Option<&LearnedScore>,
) -> Result<RecordBatch, PipelineError> {
    let given = Given {
        name: &score.name.value,
        prepared,
        as_of,
        table,
        past: &BTreeMap::new(),
        samples: &BTreeMap::new(),
        interrupt: Interrupt::PROCESS,
    };
    let scored = learned.map(|learned| of(&score.kind).apply(learned, &given));
    let scored = match scored {
        Some(Ok(scored)) => scored,
        // Nobody in this state can be scored.
        None | Some(Err(NotComputed::Data(_))) => Scored::default(),
        Some(Err(NotComputed::Failed(error))) => return Err(error),
    };
    with_columns(score, table, &scored)
}

/// The aggregates with which what a score learned is applied to customers at the close of a day, by source.
pub(crate) fn aggregates_to_apply(
    score: &Score,
    (pipeline, inputs): (&Pipeline, &BTreeMap<String, SourceInput>),
    as_of: NaiveDate,
) -> Vec<(String, Vec<Agg>)> {
    let asked = Asked {
        name: &score.name.value,
        pipeline,
        inputs,
        as_of,
        fits: false,
    };
    let model = of(&score.kind);
    let mut aggs = model.hidden(&asked);
    aggs.extend(model.at_each_date(&asked));
    aggs
}

/// What `models` says of an artifact: the day of its data, and its id, which the commits of all versions that apply it name.
pub(crate) fn artifact_rows(artifact: Option<&NewArtifact>) -> Vec<Parameter> {
    const MODEL: &str = "artifact";
    let rows = artifact.map(|artifact| {
        let committed = &artifact.committed;
        [
            Parameter::text(MODEL, "fitted_on", committed.fitted_on.to_string()),
            Parameter::text(MODEL, "id", committed.id.clone()),
        ]
    });
    rows.into_iter().flatten().collect()
}

/// The table with the columns of a score appended.
fn with_columns(
    score: &Score,
    table: &RecordBatch,
    scored: &Scored,
) -> Result<RecordBatch, PipelineError> {
    let active = base::active(table);
    let loss = score.loss();
    let mut fields: Vec<Arc<Field>> = table.schema().fields().iter().cloned().collect();
    let mut columns = table.columns().to_vec();
    for column in score.columns() {
        let ty = if column.is_text() {
            DataType::Utf8
        } else {
            DataType::Float64
        };
        let values = scored.columns.get(&column.name).cloned();
        let values = values.unwrap_or_else(|| new_null_array(&ty, table.num_rows()));
        // The reason why a customer has no score is also known for closed accounts.
        let says_why = loss
            .as_ref()
            .is_some_and(|loss| loss.excluded == column.name);
        columns.push(match &active {
            Some(active) if !says_why => base::without_closed(&values, active)?,
            _ => values,
        });
        fields.push(Arc::new(Field::new(&column.name, ty, true)));
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Numbers that look random, in [0, 1), from a seed: the congruential generator of Knuth's MMIX.
#[cfg(test)]
fn uniform(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}
