//! Checks a pipeline file against its lake and plans the run before a row is read; all mistakes are reported together.

mod limits;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::NaiveDate;
use tessera_expr::rel::Cutoff;
use tessera_expr::{Expr, Schema, condition_at};
use tessera_features::{FeatureInfo, FeaturePlan, SourceInput};
use tessera_ingest::{IngestError, Inventory, Planned};
use tessera_snapshot::Store;
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{Scheme, Source};

use crate::artifacts::{self, Artifacts};
use crate::base;
use crate::cohorts;
use crate::error::PipelineError;
use crate::expect;
use crate::gates;
use crate::history::aged_columns;
use crate::labels::{self, Labels};
use crate::leaves;
use crate::pins::Pins;
use crate::pipeline_file::load_as_advised;
use crate::prepared::Prepared;
use crate::scores;
use crate::store_place;
use crate::value;
use crate::work::private_folder;
pub(crate) use names::customer_key;
use names::{action_columns, export_columns, expressions, kpi, schemes, score_inputs};

/// Options for reading a pipeline file.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// `--var name=value`
    pub vars: Vec<(String, String)>,
    /// Whether fingerprints are of whole files instead of footers.
    pub hash_inputs: bool,
    /// Whether the records of text files are kept; each file is read once.
    pub records: Records,
    /// How the store is written.
    pub store: tessera_snapshot::Options,
    /// Rows that became known after this day are not used, for sources with `known_at`; the day of the run by default.
    pub known_as_of: Option<NaiveDate>,
}

/// Whether the records of text files are kept.
#[derive(Debug, Clone, Default)]
pub enum Records {
    /// Not kept: a check only tries to convert the values of declared columns.
    #[default]
    Tried,
    /// Kept for a run, in a new folder within this one, which is the work folder of the run.
    Kept(PathBuf),
}

impl Prepared {
    /// The predicates of a scheme that an earlier version declared, none where it has no rules; or why it does not fit today's
    /// columns.
    pub(crate) fn fitting(&self, scheme: &Scheme) -> Result<Option<Vec<Expr>>, String> {
        let published: Vec<FeatureInfo> = self.published().cloned().collect();
        names::fitting(&self.pipeline, &published, scheme)
    }

    /// The earlier dates on which scores are trained, oldest first, each with the number of customers that is enough; `None` if all
    /// are needed.
    pub(crate) fn observations(&self) -> BTreeMap<NaiveDate, Option<usize>> {
        let mut dates = BTreeMap::new();
        let fitted = self.pipeline.scores.iter();
        let fitted = fitted.filter(|s| self.artifacts.fits(&artifacts::of_score(&s.name.value)));
        for score in fitted {
            let model = scores::of(&score.kind);
            for date in model.observations(self.as_of) {
                let enough = dates.entry(date).or_insert(Some(0));
                *enough = enough.zip(model.enough()).map(|(a, b)| a.max(b));
            }
        }
        dates
    }

    /// Whether what was planned is the same after the version that comes before this day now: the day since which rows are new, and the
    /// artifacts that were decided on.
    pub(crate) fn follows(&self, version: u64) -> Result<(), PipelineError> {
        let (pipeline, published) = (&self.pipeline, &self.features.published);
        let mut found = Diagnostics::default();
        let now = Artifacts::decide(pipeline, published, self.as_of, &mut found)?;
        let since = self.aged.as_ref().map(|aged| aged.since);
        if now.follows_as(&self.artifacts) && previous_day(pipeline, self.as_of) == since {
            return Ok(());
        }
        Err(PipelineError::Overtaken { version })
    }

    /// The plan of the features as of another date; the same code over the same files, and the rows that were known by a day.
    /// `scores`: those whose columns are kept with which they are applied.
    pub(crate) fn features_at(
        &self,
        as_of: NaiveDate,
        known_by: NaiveDate,
        scores: &BTreeSet<&str>,
    ) -> Result<FeaturePlan, PipelineError> {
        let cutoff = Cutoff { as_of, known_by };
        let today = Cutoff {
            as_of: self.as_of,
            known_by: self.known_as_of,
        };
        let sources: Vec<_> = self
            .pipeline
            .sources
            .iter()
            .zip(&self.inventories)
            .collect();
        let (inputs, wrong) = source_inputs(&self.pipeline, &sources, (cutoff, today));
        let (mut features, of_features) = tessera_features::plan(&self.pipeline, &inputs);
        let wrong: Vec<Diagnostic> = wrong.into_iter().chain(of_features).collect();
        let planned = if wrong.is_empty() { Ok(()) } else { Err(wrong) };
        let planned = planned.and_then(|()| {
            // The condition of `active` may be unknown at earlier days.
            let active = !self.untimed.contains_key(base::CONDITION);
            populations(&self.pipeline, &inputs, as_of, active, &mut features)?;
            let all = self.pipeline.scores.iter();
            for score in all.filter(|score| scores.contains(score.name.value.as_str())) {
                let with = (&self.pipeline, &inputs);
                let known = features.aggregate_names();
                for (source, mut aggs) in scores::aggregates_to_apply(score, with, as_of) {
                    aggs.retain(|agg| !known.contains(&agg.name));
                    features.keep_hidden(&source, aggs);
                }
            }
            Ok(features)
        });
        planned.map_err(|problems| {
            let mut found = self.warnings.clone();
            found.extend(problems);
            PipelineError::Invalid(Box::new(found))
        })
    }
}

/// The folder in which the records of text files are kept; `None` if they are not kept.
fn folder_of_records(reading: &Reading) -> Result<Option<tempfile::TempDir>, PipelineError> {
    let Records::Kept(work) = &reading.records else {
        return Ok(None);
    };
    let made = private_folder(work, "records-").map_err(|error| PipelineError::Io {
        step: "cannot make a folder for temporary files in",
        path: work.clone(),
        error,
    });
    made.map(Some)
}

/// Warns of irregularities in the files of each source.
fn warn_of_files(pipeline: &Pipeline, sources: &[(&Source, &Inventory)], found: &mut Diagnostics) {
    for &(source, inventory) in sources {
        found.extend(inventory.warnings(source));
        found.extend(tessera_ingest::delivered_twice(source, inventory));
        found.extend(tessera_ingest::text_findings(
            source,
            inventory,
            pipeline.log,
        ));
        found.extend(tessera_ingest::column_warnings(pipeline, source, inventory));
    }
}

/// Reads, checks and plans the pipeline file against its lake.
pub fn prepare(
    file: &Path,
    as_of: NaiveDate,
    reading: &Reading,
) -> Result<Prepared, PipelineError> {
    let started = SystemTime::now();
    let loaded = load_as_advised(file, &reading.vars)?;
    let mut found = loaded.warnings;
    let pipeline = loaded.pipeline;
    store_place::check(&pipeline, &found)?;
    let known_as_of = reading.known_as_of.unwrap_or(as_of);
    let kept = folder_of_records(reading)?;
    let stage = kept.as_ref().map(tempfile::TempDir::path);
    let cutoff = Cutoff {
        as_of,
        known_by: known_as_of,
    };
    let Read {
        inventories,
        lake,
        inputs,
        mut features,
    } = read(&pipeline, (reading, stage), cutoff, &mut found);
    let of_features = features.aggregate_names();
    let artifacts = artifacts(&pipeline, (&features, as_of), lake.is_empty(), &mut found)?;
    hidden_aggregates(&pipeline, &inputs, (as_of, &artifacts), &mut features);
    let cohorts = cohorts::plan::plan(&pipeline, &inputs, &mut features);
    if let Err(problems) = populations(&pipeline, &inputs, as_of, true, &mut features) {
        found.extend(problems);
    }
    let scored = scores::published(&pipeline);
    score_inputs(&pipeline, &features.published, &mut found);
    let untimed = crate::untimed::untimed(&pipeline, &features);
    crate::untimed::check(&pipeline, &features, &untimed, &mut found);
    let mut published: Vec<FeatureInfo> =
        features.published.iter().chain(&scored).cloned().collect();
    let mut labels = Labels::new(&pipeline, features.derived.iter().chain(&features.late));
    let value = value::plan(&pipeline, &published, &labels, &mut found);
    published.extend(value.iter().map(|(info, _)| info.clone()));
    let is_untimed = untimed.contains_key(base::CONDITION);
    check_base(&pipeline, &published, (as_of, is_untimed), &mut found);
    expressions(&pipeline, &features, &labels, &mut found);
    customer_key(&pipeline, &mut found);
    names::rules(&pipeline, &features, &mut found);
    let rules = schemes(&pipeline, &published, &mut labels, &mut found);
    labels::segment_names(&pipeline, &mut found);
    kpi(&pipeline, &published, &mut found);
    gates::plan(&pipeline, &published, &labels, &mut features, &mut found);
    expect::check_columns(&pipeline, &published, &labels, &mut found);
    let pins = Pins::read(&pipeline, as_of, &mut found);
    action_columns(&pipeline, &published, &mut found);
    crate::experiments::check(&pipeline, (&features, &published), &mut found);
    names::experiments(&pipeline, &published, &mut found);
    export_columns(&pipeline, &published, &mut found);
    wrong(lake, &found)?;
    Store::check(Path::new(&pipeline.store), &reading.store)?;
    let mut prepared = Prepared {
        started,
        pipeline,
        as_of,
        known_as_of,
        inventories,
        features,
        scored,
        untimed,
        value,
        rules,
        artifacts,
        cohorts,
        pins,
        aged: None,
        leaves: None,
        warnings: found,
        store: reading.store.clone(),
        kept,
    };
    plan_aged(&mut prepared, &inputs, &of_features);
    leaves::plan(&mut prepared);
    Ok(prepared)
}

/// What a version before learned, which matters to a pipeline that can run.
fn artifacts(
    pipeline: &Pipeline,
    (features, as_of): (&FeaturePlan, NaiveDate),
    has_lake: bool,
    found: &mut Diagnostics,
) -> Result<Artifacts, PipelineError> {
    match has_lake && !found.has_errors() {
        true => Artifacts::decide(pipeline, &features.published, as_of, found),
        false => Ok(Artifacts::default()),
    }
}

/// Checks who is in the base; whether the condition for it is known of today alone matters where earlier days are looked at.
fn check_base(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    (as_of, is_untimed): (NaiveDate, bool),
    found: &mut Diagnostics,
) {
    let checked = base::Checked {
        pipeline,
        published,
        condition_is_untimed: looks_back(pipeline, as_of) && is_untimed,
    };
    base::check(&checked, found);
}

/// Plans what the features, and the scores that schemes read, would be without the rows since the previous version.
fn plan_aged(
    prepared: &mut Prepared,
    inputs: &BTreeMap<String, SourceInput>,
    of_features: &BTreeSet<String>,
) {
    let Some(since) = previous_day(&prepared.pipeline, prepared.as_of) else {
        return;
    };
    let of_scores = aged_columns(prepared, inputs);
    let wanted = |name: &str| of_features.contains(name) || of_scores.contains(name);
    let sources = &prepared.pipeline.sources;
    prepared.aged = Some(prepared.features.add_aged(sources, since, wanted));
}

/// The lake, and the features over it.
struct Read {
    inventories: Vec<Inventory>,
    lake: Vec<IngestError>,
    inputs: BTreeMap<String, SourceInput>,
    features: FeaturePlan,
}

/// Lists the lake, plans the sources and the features over them, and adds what is wrong with either. What depends on something with a
/// mistake is known without a type, so that it is not reported as well.
fn read(
    pipeline: &Pipeline,
    (reading, stage): (&Reading, Option<&Path>),
    cutoff: Cutoff,
    found: &mut Diagnostics,
) -> Read {
    let (inventories, lake) = inventories(pipeline, reading, stage);
    let listed = pipeline.sources.iter().zip(&inventories);
    let sources: Vec<(&Source, &Inventory)> = listed
        .filter_map(|(source, inventory)| Some((source, inventory.as_ref()?)))
        .collect();
    warn_of_files(pipeline, &sources, found);
    let (inputs, problems) = source_inputs(pipeline, &sources, (cutoff, cutoff));
    found.extend(problems);
    let (features, problems) = tessera_features::plan(pipeline, &inputs);
    found.extend(problems);
    Read {
        inventories: inventories.into_iter().flatten().collect(),
        lake,
        inputs,
        features,
    }
}

/// The mistakes in the lake and in the pipeline file as one error; none where there are only warnings.
fn wrong(lake: Vec<IngestError>, found: &Diagnostics) -> Result<(), PipelineError> {
    let found = found.has_errors().then(|| Box::new(found.clone()));
    Err(match found {
        Some(found) if lake.is_empty() => PipelineError::Invalid(found),
        None if lake.is_empty() => return Ok(()),
        found => PipelineError::Lake(lake, found),
    })
}

/// Day of the previous version. A store that cannot be read is reported when the run publishes.
fn previous_day(pipeline: &Pipeline, as_of: NaiveDate) -> Option<NaiveDate> {
    let path = Path::new(&pipeline.store);
    if pipeline.schemes.is_empty() || !path.join("FORMAT").exists() {
        return None;
    }
    let previous = Store::open(path).and_then(|store| store.previous(as_of));
    previous.ok().flatten().map(|version| version.as_of())
}

/// Adds the columns that only scores need to the passes.
fn hidden_aggregates(
    pipeline: &Pipeline,
    inputs: &BTreeMap<String, SourceInput>,
    (as_of, artifacts): (NaiveDate, &Artifacts),
    features: &mut FeaturePlan,
) {
    for score in &pipeline.scores {
        let asked = scores::Asked {
            name: &score.name.value,
            pipeline,
            inputs,
            as_of,
            fits: artifacts.fits(&artifacts::of_score(&score.name.value)),
        };
        for (source, aggs) in scores::of(&score.kind).hidden(&asked) {
            features.add_hidden(&source, aggs);
        }
    }
}

/// Lists the files of every source, none of those that have none, and what is wrong with these.
fn inventories(
    pipeline: &Pipeline,
    reading: &Reading,
    stage: Option<&Path>,
) -> (Vec<Option<Inventory>>, Vec<IngestError>) {
    let mut problems = Vec::new();
    let sources = pipeline.sources.iter();
    let taken = sources.map(|source| {
        let taken = tessera_ingest::take(source, reading.hash_inputs, stage);
        taken.map_err(|problem| problems.push(problem)).ok()
    });
    (taken.collect(), problems)
}

/// The sources as of a date, with the map of keys of the day of the run, and all mistakes in them.
fn source_inputs(
    pipeline: &Pipeline,
    sources: &[(&Source, &Inventory)],
    (cutoff, today): (Cutoff, Cutoff),
) -> (BTreeMap<String, SourceInput>, Vec<Diagnostic>) {
    let (planned, problems) = tessera_ingest::plan(pipeline, sources, cutoff, today);
    let input = |(name, planned): (String, Planned)| {
        let Planned {
            rows,
            schema,
            is_wrong,
        } = planned;
        let input = SourceInput {
            rows,
            schema,
            is_wrong,
        };
        (name, input)
    };
    (planned.into_iter().map(input).collect(), problems)
}

/// Adds the conditions for which customers each score is computed and, if `active`, which customers are in the base; the same at the
/// date of the run and at earlier dates.
fn populations(
    pipeline: &Pipeline,
    inputs: &BTreeMap<String, SourceInput>,
    as_of: NaiveDate,
    active: bool,
    features: &mut FeaturePlan,
) -> Result<(), Vec<Diagnostic>> {
    let known = Schema {
        columns: features
            .published
            .iter()
            .map(|f| (f.name.clone(), f.ty))
            .collect(),
    };
    let mut problems = Vec::new();
    if active {
        let planned = base::plan(pipeline, &known, features);
        problems.extend(planned.err().into_iter().flatten());
    }
    for score in &pipeline.scores {
        let (name, model) = (&score.name.value, scores::of(&score.kind));
        let asked = scores::Asked {
            name,
            pipeline,
            inputs,
            as_of,
            fits: true,
        };
        for (source, aggs) in model.at_each_date(&asked) {
            features.keep_hidden(&source, aggs);
        }
        let conditions = [
            (model.population(), scores::condition_name(name)),
            (model.label(), scores::label_name(name)),
        ];
        for (text, column) in conditions {
            match text.map(|text| condition_at(text, &known)).transpose() {
                Ok(Some(expr)) => features.keep_derived(column, expr),
                Ok(None) => {}
                Err(found) => problems.extend(found),
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Whether a score learns from the customers as they were at earlier dates.
fn looks_back(pipeline: &Pipeline, as_of: NaiveDate) -> bool {
    let mut scores = pipeline.scores.iter();
    scores.any(|score| !scores::of(&score.kind).observations(as_of).is_empty())
}
