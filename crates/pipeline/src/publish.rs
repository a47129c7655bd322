//! Publishes the tables of a run as a version, and its report.

mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::NaiveDate;
use serde_json::{Value, json};
use tessera_report::{
    Before as Compared, FeatureMeta, GoalMeta, Options, ReportError, ReportInput, ReportMeta,
    SchemeMeta, TargetMeta,
};
use tessera_segments::{RfmGrid, RulesScheme};
use tessera_snapshot::{
    CommittedTable, Gate, Owner, Replaced, RunIdentity, Store, StoreError, Version, remedy,
};
use tessera_spec::activity::{self, Fact};
use tessera_spec::pipeline::{SchemeKind, Target, VALUE_COLUMNS};

use crate::error::PipelineError;
use crate::labels;
use crate::name::{self, Names};
use crate::prepared::Prepared;
pub(crate) use tables::{Tables, dated};

/// A version that a run published, or that the same run had published before.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its number.
    pub version: u64,
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// Whether the same run had published it before.
    pub already: bool,
    /// The damaged version that it replaces.
    pub replaces: Option<u64>,
    /// The version that `latest` names: that of the greatest `as_of`, which is another one if this version is of an earlier day.
    pub latest: u64,
    /// Day of that version.
    pub latest_as_of: NaiveDate,
    /// Folder of its tables.
    pub tables: PathBuf,
    /// Its report.
    pub report: PathBuf,
    /// Size of its tables in bytes.
    pub bytes: u64,
    /// Rows per table.
    pub rows: BTreeMap<String, u64>,
    /// Expectations of the pipeline file that were checked before.
    pub expectations: usize,
    /// The tables as they were written.
    pub tables_written: Vec<WrittenTable>,
    /// Summary for the terminal.
    pub summary: String,
    /// Messages about steps that failed after the version was published; the same run again completes it.
    pub incomplete: Vec<String>,
}

/// A table of a published version.
#[derive(Debug, Clone)]
pub struct WrittenTable {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Size of its files in bytes.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
    /// Name and type of its columns.
    pub columns: Vec<(String, String)>,
}

impl Published {
    /// The JSON that `--json` prints.
    pub fn to_json(&self) -> Value {
        json!({
            "version": self.version, "as_of": self.as_of.to_string(), "already_published": self.already,
            "replaces": self.replaces,
            "latest": {"version": self.latest, "as_of": self.latest_as_of.to_string()},
            "tables": self.tables, "report": self.report, "bytes": self.bytes, "rows": self.rows,
            "expectations": self.expectations, "incomplete": self.incomplete,
        })
    }
}

/// Opens the pipeline's store, which is created if it does not exist.
pub(crate) fn open(prepared: &Prepared) -> Result<Store, PipelineError> {
    let store =
        Store::open_or_create_with(Path::new(&prepared.pipeline.store), prepared.store.clone())?;
    store.check_newest()?;
    claim(prepared, &store)?;
    Ok(store)
}

/// Makes the store remember the pipeline; an error where it is another pipeline's.
pub(crate) fn claim(prepared: &Prepared, store: &Store) -> Result<(), PipelineError> {
    Ok(store.claim(&owner(prepared))?)
}

/// Opens the pipeline's store, if there is one; an error if it belongs to another pipeline.
pub(crate) fn opened(prepared: &Prepared) -> Result<Option<Store>, PipelineError> {
    let path = Path::new(&prepared.pipeline.store);
    if !path.join("FORMAT").exists() {
        return Ok(None);
    }
    let store = Store::open_with(path, prepared.store.clone())?;
    for lost in store.check_newest()? {
        tracing::warn!("{lost}");
    }
    store.admit(&owner(prepared))?;
    Ok(Some(store))
}

/// The pipeline as the owner of its store.
fn owner(prepared: &Prepared) -> Owner {
    Owner {
        name: prepared.pipeline.name.clone(),
        shared: prepared.pipeline.shared_store,
        was: prepared.pipeline.was.clone(),
    }
}

/// The parts of the pipeline that the report needs.
pub(crate) fn meta(prepared: &Prepared) -> ReportMeta {
    let pipeline = &prepared.pipeline;
    ReportMeta {
        timezone: Some(pipeline.timezone.to_string()),
        currency: Some(pipeline.currency.clone()),
        key: Some(pipeline.customer.key.clone()),
        value: prepared.value_feature().map(str::to_owned),
        value_per: pipeline.value.as_ref().and_then(|value| {
            let now = value.now.as_ref();
            now.and(value.per).map(|per| per.name().to_owned())
        }),
        risk: pipeline
            .risk_scores()
            .iter()
            .map(|score| score.name.value.clone())
            .collect(),
        loss: prepared.loss_feature(),
        sample: pipeline.customer.sample,
        goal: pipeline.goal.as_ref().map(|goal| GoalMeta {
            objective: Some(word(&goal.objective)),
            kpi: goal.kpi.value.clone(),
            target: goal.target.as_ref().map(|target| match target {
                Target::Below(limit) => TargetMeta::Below(limit.value),
                Target::Above(limit) => TargetMeta::Above(limit.value),
            }),
            owner: goal.owner.clone(),
            review_by: goal.review_by,
        }),
        schemes: pipeline
            .schemes
            .iter()
            .map(|scheme| SchemeMeta {
                name: scheme.name.value.clone(),
                kind: scheme.kind.name().to_owned(),
                words: tessera_segments::kind(scheme.kind.name())
                    .map_or_else(String::new, |kind| kind.words.to_owned()),
                scores: scheme.kind.of::<RfmGrid>().map(|grid| grid.scores),
                by: made_of(pipeline, &scheme.kind),
                segments: labels::segments(scheme, &prepared.pipeline.features.lifecycle)
                    .unwrap_or_default(),
            })
            .collect(),
        features: prepared
            .in_customers()
            .map(|feature| FeatureMeta {
                name: feature.name.clone(),
                unit: Some(word(&feature.unit)),
                base: Some(word(&feature.base)),
                notes: Some(feature.definition.clone()),
                score: pipeline
                    .scores
                    .iter()
                    .find(|score| score.columns().iter().any(|c| c.name == feature.name))
                    .map(|score| score.name.value.clone()),
                label: Some(feature.label.clone()),
                direction: Some(feature.direction.name().to_owned()),
            })
            .collect(),
        ..ReportMeta::new(pipeline.name.clone(), prepared.as_of)
    }
}

/// The columns that segments are defined by: those of their rules, also through other schemes and expressions of `[value]`. Empty
/// for clusters, which are described by the very features they are made of.
fn made_of(pipeline: &tessera_spec::Pipeline, kind: &SchemeKind) -> Vec<String> {
    let own = kind.settings().made_of().into_iter();
    let mut by: Vec<String> = own.map(str::to_owned).collect();
    if let Some(scheme) = kind.of::<RulesScheme>() {
        let rules = scheme.rules.iter();
        by.extend(rules.flat_map(|rule| names(&rule.when.value)));
        // A scheme that rules read was declared earlier, so the recursion ends.
        let others = pipeline.schemes.iter();
        let others: Vec<_> = others
            .filter(|other| by.contains(&other.name.value))
            .collect();
        let of_others = others
            .iter()
            .flat_map(|other| made_of(pipeline, &other.kind));
        by.extend(of_others);
    }
    if by.is_empty() {
        return by;
    }
    for column in pipeline.value_columns() {
        if by.iter().any(|name| name == column.name) {
            by.extend(names(&column.text));
            // The other columns of `[value]` depend on the same money.
            by.extend(VALUE_COLUMNS.map(str::to_owned));
        }
    }
    by.sort();
    by.dedup();
    by
}

/// The words of an expression that may be names of columns: those outside of text literals.
pub(crate) fn names(expression: &str) -> Vec<String> {
    let outside = expression.split('\'').step_by(2);
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words = outside.flat_map(|text| text.split(move |c| !is_part(c)));
    words
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic()))
        .map(str::to_owned)
        .collect()
}

/// How the pipeline file writes a value of one of its enums.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// What the same run published before.
pub(crate) enum Before {
    /// No version.
    Nothing,
    /// An intact version, whose `latest`, catalogue and report have been completed.
    Done(Box<Published>),
    /// A version that is damaged, to be published again.
    Damaged(Replaced),
}

/// Looks for the version that the same run published before. Checks that its files exist with their sizes; if `thorough`, also their
/// content, page by page.
pub(crate) fn before(
    store: &Store,
    identity: &RunIdentity,
    thorough: bool,
    settings: tessera_spec::Report,
) -> Result<Before, PipelineError> {
    let Some(version) = store.find(identity)? else {
        if let Err(StoreError::Expired { version }) = store.of_day(identity.as_of) {
            let day = identity.as_of;
            tracing::warn!("version {version} of {day} has expired, so the day is published again");
        }
        return Ok(Before::Nothing);
    };
    if let Some(error) = store.restore_inputs(version.commit(), &identity.inputs)? {
        tracing::warn!("{error}; it was written again");
    }
    let found = match version.check().and_then(|()| check_fitted(store, &version)) {
        Ok(()) if thorough => version.verify_pages(),
        checked => checked,
    };
    // The report reads most tables, so it also finds damage of their content.
    let rendered = found.map(|()| match render(store, &version, settings) {
        Err(PipelineError::Report(ReportError::Store(error))) if error.is_damage() => Err(error),
        rendered => Ok(rendered),
    });
    match rendered.and_then(|rendered| rendered) {
        Ok(page) => Ok(Before::Done(Box::new(already(store, &version, page)?))),
        Err(error) if thorough || error.is_damage() => {
            let version = version.number();
            let reason = error.to_string();
            tracing::warn!(
                version,
                "version {version} is damaged, so it is published again: {reason}"
            );
            Ok(Before::Damaged(Replaced { version, reason }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Checks the artifacts that a version fitted, and warns of those that it applies and another version fitted.
pub(crate) fn check_fitted(store: &Store, version: &Version) -> Result<(), StoreError> {
    for (artifact, error) in store.unread_artifacts(version) {
        if artifact.version == version.number() {
            return Err(error);
        }
        let heals = remedy(&error).map_or_else(String::new, |heals| format!("; {heals}"));
        tracing::warn!(
            "the artifact of {} that version {} applies: {error}{heals}",
            artifact.of,
            version.number()
        );
    }
    Ok(())
}

fn already(
    store: &Store,
    version: &Version,
    page: Result<Page, PipelineError>,
) -> Result<Published, PipelineError> {
    let repaired = store.repair();
    // Nothing completes this.
    if let Err(error @ StoreError::DamagedCommit { .. }) = repaired {
        return Err(error.into());
    }
    let mut published = published(store, version, true);
    published.summarise(summary(version));
    published.note(NOT_SHOWN, repaired);
    let written = page.and_then(|page| {
        if let Some(why) = page.keeps(store, published.version) {
            tracing::warn!("{why}; the report that is there is kept");
            return Ok(());
        }
        page.warn();
        Ok(store.write_report(published.version, &page.html)?)
    });
    published.note(NO_REPORT, written);
    Ok(published)
}

/// Message if `LATEST`, `latest`, the catalogue or the views cannot be written.
const NOT_SHOWN: &str = "`latest`, the catalogue or the views could not be updated";

/// Message if the report cannot be written.
pub(crate) const NO_REPORT: &str = "the report could not be written";

impl Published {
    fn summarise(&mut self, summary: Result<String, PipelineError>) {
        match summary {
            Ok(text) => self.summary = text,
            failed => self.note("its summary could not be made", failed),
        }
    }

    /// Records an error of a step after the version was published.
    pub(crate) fn note<T, E: std::fmt::Display>(&mut self, what: &str, done: Result<T, E>) {
        if let Err(error) = done {
            self.incomplete.push(format!("{what}: {error}"));
        }
    }
}

/// Describes a published version, without its summary; errors are recorded in `incomplete`.
fn published(store: &Store, version: &Version, already: bool) -> Published {
    let (latest, latest_error) = match store.latest() {
        Ok(latest) => (latest, None),
        Err(error) => (None, Some(error)),
    };
    let latest = latest.as_ref().unwrap_or(version);
    let mut published = Published {
        version: version.number(),
        as_of: version.as_of(),
        already,
        replaces: version
            .commit()
            .replaces
            .as_ref()
            .map(|damaged| damaged.version),
        latest: latest.number(),
        latest_as_of: latest.as_of(),
        tables: version.folder().to_owned(),
        report: store.report_path(version.number()),
        bytes: version.bytes(),
        rows: version
            .commit()
            .tables
            .iter()
            .map(|table| (table.name.clone(), table.rows()))
            .collect(),
        expectations: 0,
        tables_written: version.commit().tables.iter().map(written).collect(),
        summary: String::new(),
        incomplete: Vec::new(),
    };
    let latest_known = latest_error.map_or(Ok(()), Err);
    published.note("the latest version is not known", latest_known);
    published
}

/// Describes the version that a run published before it was ended.
pub(crate) fn left(store: &Path, version: u64) -> Result<Published, StoreError> {
    let store = Store::open(store)?;
    let version = store.version(version)?;
    Ok(published(&store, &version, false))
}

fn written(table: &CommittedTable) -> WrittenTable {
    let columns = table.schema.iter();
    WrittenTable {
        name: table.name.clone(),
        rows: table.rows(),
        bytes: table.files.iter().map(|file| file.bytes).sum(),
        files: table.files.len() as u64,
        columns: columns.map(|c| (c.name.clone(), c.ty.clone())).collect(),
    }
}

/// Publishes the tables as one version of the pipeline.
pub(crate) fn publish(
    (store, prepared): (&Store, &Prepared),
    identity: &RunIdentity,
    tables: &Tables,
    (started, replaces): (SystemTime, Option<Replaced>),
    gate: &Gate,
) -> Result<Published, PipelineError> {
    let mut staging = store.stage(identity.clone())?;
    activity::note(Fact::Store, store.path());
    activity::note(Fact::Transaction, staging.txid());
    if let Some(damaged) = replaces {
        staging.replace(damaged);
    }
    staging.began(started);
    staging.stop_at(gate);
    staging.own(owner(prepared));
    staging.follow(tables.told.follows);
    staging.apply(tables.artifacts.clone());
    tables.each(&mut |name, schema, rows| Ok(staging.write(name, schema, rows)?))?;
    match staging.publish(tables.counts.clone()) {
        Ok(done) => Ok(published(store, &done.version, done.already)),
        // The version is published, so the run continues with its report.
        Err(StoreError::NotYetVisible { version, error, .. }) => {
            let mut published = published(store, &store.version(version)?, false);
            published.note(NOT_SHOWN, Err::<(), _>(error));
            Ok(published)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes the report of a version to the store's folder of reports, unless it is there already, and its summary for the terminal,
/// from one reading of its tables; returns the size of the report in bytes.
pub(crate) fn write_report(
    store: &Store,
    published: &mut Published,
    settings: tessera_spec::Report,
) -> Result<u64, PipelineError> {
    let mut input = input(store, &store.version(published.version)?)?;
    let before = std::mem::take(&mut input.before);
    published.summarise(tessera_report::summary(&input).map_err(PipelineError::from));
    input.before = before;
    let page = page(&input, settings)?;
    page.warn();
    store.write_report(published.version, &page.html)?;
    Ok(page.html.len() as u64)
}

/// A report.
#[derive(Debug)]
pub struct Page {
    /// The HTML.
    pub html: String,
    /// Why it is not compared with the version before, where that cannot be read.
    pub alone: Option<String>,
}

impl Page {
    /// Why a report that is there is better than this one: it was made while the version before could be read.
    pub fn keeps(&self, store: &Store, version: u64) -> Option<&str> {
        let there = std::fs::metadata(store.report_path(version));
        let is_there = there.is_ok_and(|there| there.len() > 0);
        self.alone.as_deref().filter(|_| is_there)
    }

    /// Warns where it is not compared with the version before.
    pub fn warn(&self) {
        if let Some(why) = &self.alone {
            tracing::warn!("{why}; the report compares nothing with it");
        }
    }
}

/// The report of a version as one HTML page, compared with the previous version that the commit names.
pub fn render(
    store: &Store,
    version: &Version,
    settings: tessera_spec::Report,
) -> Result<Page, PipelineError> {
    page(&input(store, version)?, settings)
}

fn page(input: &ReportInput, settings: tessera_spec::Report) -> Result<Page, PipelineError> {
    let alone = match &input.before {
        Compared::Gone { error, .. } => {
            let heals = match &**error {
                ReportError::Store(error) => remedy(error),
                _ => None,
            };
            let heals = heals.map_or_else(String::new, |heals| format!("; {heals}"));
            Some(format!("the version before cannot be read: {error}{heals}"))
        }
        _ => None,
    };
    Ok(Page {
        html: tessera_report::render(input, &options(settings))?,
        alone,
    })
}

/// The tables of a version that its report shows, beside those of the previous version that the commit names.
fn input(store: &Store, version: &Version) -> Result<ReportInput, PipelineError> {
    let previous = version.commit().previous;
    let replaced = store.replacements()?;
    let previous = replaced.get(&previous).copied().unwrap_or(previous);
    let before = (previous > 0).then(|| store.version(previous));
    // Nothing is compared with a version of another pipeline, neither by the run nor by its report.
    let stranger = match &before {
        Some(Ok(before)) if !Names::of(version, store)?.has(before) => Some(Compared::Other {
            pipeline: name::stated(before).unwrap_or_default().to_owned(),
        }),
        _ => None,
    };
    let Some(stranger) = stranger else {
        return Ok(tessera_report::from_version(version, before)?);
    };
    let mut input = tessera_report::from_version(version, None)?;
    input.before = stranger;
    Ok(input)
}

fn options(settings: tessera_spec::Report) -> Options {
    Options {
        customers: settings.customers,
        ..Options::default()
    }
}

/// The summary of a version for the terminal.
fn summary(version: &Version) -> Result<String, PipelineError> {
    Ok(tessera_report::summary(&tessera_report::from_version(
        version, None,
    )?)?)
}
