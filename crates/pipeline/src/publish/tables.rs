//! The tables of a version.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Value, json};
use tessera_segments::{Assignment, Listed, Parameter, Quality, SegmentError};
use tessera_snapshot::{NewArtifact, StoreError};
use tessera_spec::pipeline::Playbook;

use crate::customers::Assigned;
use crate::error::PipelineError;
use crate::experiments::{self, Conducted};
use crate::history::Told;
use crate::intervals::Intervals;
use crate::marks;
use crate::merged;
use crate::prepared::Prepared;
use crate::reliance::Reliance;
use crate::scores::{
    Backtest, CalibrationRow, Scored, backtest_table, calibration_table, quality_table,
};
use crate::sources::{
    RejectRow, SourceOutcome, epoch_day, reject_rules_table, rejects_schema, rejects_tables,
    sources_table,
};

/// Number of formatted batches of `memberships` that may wait to be written.
const BATCHES_AHEAD: usize = 2;

/// Rows of a table, in its order.
pub(crate) type Rows<'a> = &'a mut dyn Iterator<Item = Result<RecordBatch, StoreError>>;

/// Receives the name, the columns and the rows of a table.
pub(crate) type Take<'a> =
    &'a mut dyn FnMut(&'static str, &SchemaRef, Rows<'_>) -> Result<(), PipelineError>;

/// All tables of a version, ready to be written.
pub(crate) struct Tables {
    pub(super) as_of: i32,
    pub(super) customers: RecordBatch,
    pub(super) assigned: Assigned,
    pub(crate) told: Told,
    /// What was learned from data and applied.
    pub(crate) artifacts: Vec<NewArtifact>,
    pub(super) segments: RecordBatch,
    pub(super) profiles: RecordBatch,
    pub(super) models: RecordBatch,
    /// `None` without scores.
    pub(super) calibration: Option<RecordBatch>,
    /// `None` unless a score has a backtest with predictions per customer.
    pub(super) backtest: Option<RecordBatch>,
    /// Only where a score has intervals.
    pub(super) intervals: Option<Intervals>,
    /// Only where there are features of orders.
    pub(super) cohorts: Option<RecordBatch>,
    pub(super) quality: RecordBatch,
    pub(super) rejects: Vec<RecordBatch>,
    pub(super) reject_rules: RecordBatch,
    pub(super) sources: RecordBatch,
    pub(super) features: RecordBatch,
    /// Expectations of the pipeline file that hold.
    pub(crate) expectations: usize,
    pub(super) counts: Value,
    pub(super) playbooks: Vec<Playbook>,
    /// By scheme who may be contacted, where that is stated.
    reachable: BTreeMap<String, BooleanArray>,
    /// By scheme who is in the control of an experiment.
    kept_out: BTreeMap<String, BooleanArray>,
    /// Only with experiments.
    pub(super) experiments: Option<RecordBatch>,
    /// The column of what customers are worth, or where there is none of the probability of losing them.
    value: Option<String>,
    /// Columns of the customers that `actions` shows.
    pub(super) action_columns: Vec<(Field, ArrayRef)>,
}

impl Tables {
    pub(crate) fn new(
        prepared: &Prepared,
        assigned: Assigned,
        told: Told,
        outcomes: &[SourceOutcome],
        rejects: Vec<RejectRow>,
        (scored, mut artifacts): (Vec<(String, Scored)>, Vec<NewArtifact>),
        (reachable, conducted): (BTreeMap<String, BooleanArray>, Conducted),
    ) -> Result<Self, PipelineError> {
        let as_of = epoch_day(prepared.as_of);
        let kpi = prepared
            .pipeline
            .goal
            .as_ref()
            .map(|goal| goal.kpi.value.as_str());
        let assignments = assigned.assignments();
        let summaries = tessera_segments::summarise(
            assigned.customers(),
            assignments,
            prepared.value_feature(),
            kpi,
        )?;
        let profiles = tessera_segments::profiles(&assigned.profiled(prepared)?, assignments)?;
        artifacts.extend(assigned.learned().cloned());
        let mut model_rows = tessera_segments::model_rows(assignments);
        model_rows.extend(assigned.artifact_rows());
        let playbooks = &prepared.pipeline.playbooks;
        let listed = Listed {
            reachable: &reachable,
            kept_out: &conducted.kept_out,
        };
        let uncalled = tessera_segments::without_playbook(assignments, playbooks, listed);
        model_rows.extend(uncalled);
        let mut quality = quality_of_schemes(assignments);
        for (scheme, row) in tessera_segments::for_nobody(assignments, playbooks) {
            tracing::warn!("{}", row.reason.as_deref().unwrap_or_default());
            quality.push((scheme, row));
        }
        let reliance = Reliance::new(prepared, &scored);
        let of_scores = OfScores::of(scored);
        model_rows.extend(of_scores.parameters);
        quality.extend(of_scores.quality);
        quality.extend(assigned.counts(prepared));
        quality.extend(merged::quality(told.merged.as_ref(), outcomes)?);
        let customers = assigned.with_schemes()?;
        let action_columns = action_columns(prepared, &customers, &conducted.columns)?;
        quality.extend(reliance.quality(&prepared.pipeline));
        let segments = tessera_segments::segments_table(as_of, &summaries, playbooks)?;
        let of = (&customers, assignments);
        let segments = marks::segments(&segments, prepared, of, &reliance)?;
        Ok(Self {
            as_of,
            action_columns,
            reachable,
            value: prepared.order_feature(),
            playbooks: playbooks.clone(),
            customers: dated(as_of, &conducted.customers)?,
            experiments: conducted
                .table
                .map(|table| dated(as_of, &table))
                .transpose()?,
            kept_out: conducted.kept_out,
            segments,
            profiles: tessera_segments::profiles_table(as_of, &profiles)?,
            models: tessera_segments::models_table(as_of, model_rows)?,
            calibration: of_scores
                .calibration
                .map(|rows| calibration_table(as_of, rows))
                .transpose()?,
            intervals: Intervals::read(as_of, &prepared.pipeline, &customers)?,
            backtest: backtest_table(as_of, &prepared.pipeline.customer.key, &of_scores.backtests)?,
            cohorts: None,
            expectations: 0,
            quality: quality_table(as_of, quality)?,
            rejects: rejects_tables(prepared.as_of, rejects)?,
            reject_rules: reject_rules_table(prepared.as_of, outcomes)?,
            sources: sources_table(prepared.as_of, outcomes)?,
            features: crate::dictionary::table(as_of, prepared, &reliance)?,
            counts: outcomes.iter().map(counts).collect(),
            artifacts,
            assigned,
            told,
        })
    }

    /// Adds the table `cohorts`.
    pub(crate) fn add_cohorts(&mut self, cohorts: Option<RecordBatch>) {
        self.cohorts = cohorts;
    }

    /// Passes every table of the version to `take`.
    pub(crate) fn each(&self, take: Take<'_>) -> Result<(), PipelineError> {
        let merged = self.told.merged.as_ref();
        let merged = merged.map(|keys| dated(self.as_of, keys)).transpose()?;
        let held = [
            ("backtest", self.backtest.as_ref()),
            ("calibration", self.calibration.as_ref()),
            ("cohorts", self.cohorts.as_ref()),
            ("customers", Some(&self.customers)),
            ("drift", Some(&self.told.drift)),
            (experiments::TABLE, self.experiments.as_ref()),
            ("features", Some(&self.features)),
            (merged::TABLE, merged.as_ref()),
            ("migrations", Some(&self.told.migrations)),
            ("models", Some(&self.models)),
            ("moves", Some(&self.told.moves)),
            ("profiles", Some(&self.profiles)),
            ("quality", Some(&self.quality)),
            ("reject_rules", Some(&self.reject_rules)),
            ("segment_events", Some(&self.told.events)),
            ("segment_ledger", Some(&self.told.ledger)),
            ("segments", Some(&self.segments)),
            ("sources", Some(&self.sources)),
        ];
        for (name, batch) in held {
            if let Some(batch) = batch {
                take(
                    name,
                    &batch.schema(),
                    &mut std::iter::once(Ok(batch.clone())),
                )?;
            }
        }
        self.actions(take)?;
        if let Some(intervals) = &self.intervals {
            let batches = &mut intervals.batches();
            take("score_intervals", &intervals.schema(), batches)?;
        }
        let rejects = &mut self.rejects.iter().cloned().map(Ok);
        take("rejects", &rejects_schema(), rejects)?;
        self.memberships(take)
    }

    /// The table `actions`, if there are playbooks.
    fn actions(&self, take: Take<'_>) -> Result<(), PipelineError> {
        if self.playbooks.is_empty() {
            return Ok(());
        }
        let listed = Listed {
            reachable: &self.reachable,
            kept_out: &self.kept_out,
        };
        let actions = tessera_segments::actions(
            self.as_of,
            self.assigned.customers(),
            self.assigned.assignments(),
            &self.playbooks,
            (self.value.as_deref(), listed),
            self.action_columns.clone(),
        )?;
        let schema = actions.schema().clone();
        let rows = &mut actions.map(|batch| batch.map_err(|error| bad_table("actions", error)));
        take("actions", &schema, rows)
    }

    /// The table `memberships`: the reasons of a batch are formatted while the previous batch is written.
    fn memberships(&self, take: Take<'_>) -> Result<(), PipelineError> {
        let memberships = tessera_segments::memberships(
            self.as_of,
            self.assigned.customers(),
            self.assigned.assignments(),
            &self.told.stays,
        )?;
        let schema = memberships.schema().clone();
        std::thread::scope(|scope| {
            let (sender, ready) = sync_channel(BATCHES_AHEAD);
            scope.spawn(move || {
                for batch in memberships {
                    let batch = batch.map_err(|error| bad_table("memberships", error));
                    if sender.send(batch).is_err() {
                        break;
                    }
                }
            });
            take("memberships", &schema, &mut ready.into_iter())
        })
    }

    /// The table of the segments.
    pub(crate) fn segments(&self) -> &RecordBatch {
        &self.segments
    }

    /// Rows of a table; none where the version does not have it.
    pub(crate) fn rows_of(&self, name: &str) -> Result<Option<u64>, PipelineError> {
        let mut found = None;
        self.each(&mut |known, _, rows| {
            if known == name {
                let mut count = 0;
                for batch in rows {
                    count += batch?.num_rows() as u64;
                }
                found = Some(count);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Rows of the table `profiles`.
    pub(crate) fn profile_rows(&self) -> u64 {
        self.profiles.num_rows() as u64
    }

    /// The table of the customers.
    pub(crate) fn customers(&self) -> &RecordBatch {
        &self.customers
    }

    /// Rows of the table `customers`.
    pub(crate) fn rows(&self) -> u64 {
        self.customers.num_rows() as u64
    }
}

/// The rows of all scores, each with the name of its score.
#[derive(Default)]
struct OfScores {
    parameters: Vec<(String, Parameter)>,
    backtests: Vec<(String, Backtest)>,
    /// `None` without scores.
    calibration: Option<Vec<(String, CalibrationRow)>>,
    quality: Vec<(String, Quality)>,
}

impl OfScores {
    fn of(scored: Vec<(String, Scored)>) -> Self {
        let mut all = Self::default();
        for (score, rows) in scored {
            let calibration = all.calibration.get_or_insert_default();
            calibration.extend(rows.calibration.into_iter().map(|row| (score.clone(), row)));
            all.parameters
                .extend(rows.parameters.into_iter().map(|row| (score.clone(), row)));
            all.quality
                .extend(rows.quality.into_iter().map(|row| (score.clone(), row)));
            all.backtests
                .extend(rows.backtest.map(|backtest| (score.clone(), backtest)));
        }
        all
    }
}

/// What was judged of the schemes, each row with the name of its scheme.
fn quality_of_schemes(assignments: &[Assignment]) -> Vec<(String, Quality)> {
    let judged = |assignment: &Assignment| {
        let scheme = assignment.scheme.clone();
        let rows = assignment.quality.clone().into_iter();
        rows.map(move |row| (scheme.clone(), row))
            .collect::<Vec<_>>()
    };
    assignments.iter().flat_map(judged).collect()
}

fn bad_table(table: &str, error: SegmentError) -> StoreError {
    StoreError::BadTable {
        table: table.to_owned(),
        reason: error.to_string(),
    }
}

/// The table with `as_of` before its own columns.
pub(crate) fn dated(as_of: i32, table: &RecordBatch) -> Result<RecordBatch, PipelineError> {
    let mut fields = vec![Arc::new(Field::new("as_of", DataType::Date32, false))];
    fields.extend(table.schema().fields().iter().cloned());
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(Date32Array::from(vec![as_of; table.num_rows()]))];
    columns.extend(table.columns().iter().cloned());
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

/// The columns that `[actions]` asks for.
fn action_columns(
    prepared: &Prepared,
    customers: &RecordBatch,
    of_experiments: &[(Field, ArrayRef)],
) -> Result<Vec<(Field, ArrayRef)>, PipelineError> {
    let asked = prepared.pipeline.action_columns.iter().map(|column| {
        let mut drawn = of_experiments.iter();
        if let Some(drawn) = drawn.find(|(field, _)| *field.name() == column.value) {
            return Ok(drawn.clone());
        }
        let place = customers.schema().index_of(&column.value)?;
        let field = customers.schema().field(place).clone();
        Ok((field, customers.column(place).clone()))
    });
    asked.collect()
}

/// The row counts of a source in the commit.
fn counts(of: &SourceOutcome) -> Value {
    json!({
        "source": of.name, "file_rows": of.file_rows, "future": of.counts.unseen.future,
        "unknown": of.counts.unseen.unknown, "pruned": of.counts.unseen.pruned, "rows": of.rows(),
        "used": of.counts.used, "filtered": of.filtered, "quarantined": of.quarantined,
        "dropped": of.dropped, "duplicates": of.counts.repeated,
    })
}
