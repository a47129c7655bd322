//! From assigned customers to a published version and its report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use chrono::NaiveDate;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tessera_report::{FeatureMeta, GoalMeta, Options, ReportMeta, SchemeMeta, TargetMeta};
use tessera_segments::{Assignment, CellMap, FrozenEdges, Quality};
use tessera_snapshot::{RunIdentity, Store, StoreError, Version};
use tessera_spec::pipeline::{RfmGrid, SchemeKind, ScoreMethod, Target};

use crate::customers::Assigned;
use crate::error::PipelineError;
use crate::prepare::Prepared;
use crate::scores::{Scored, calibration_table, quality_table};
use crate::sources::{
    RejectRow, SourceOutcome, epoch_day, rejects_schema, rejects_tables, sources_table,
};

/// Batches of memberships that may wait to be written.
const BATCHES_AHEAD: usize = 2;

/// Changes when the same inputs give other bytes.
const FORMAT: &str = "tessera-tables 1";

/// What identifies a run.
pub(crate) type Identity = RunIdentity;

/// Frozen edges by scheme.
pub(crate) type Frozen = BTreeMap<String, FrozenEdges>;

/// A version that a run published, or found published already.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its number.
    pub version: u64,
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// An equal run had published it before.
    pub already: bool,
    /// Folder of its tables.
    pub tables: PathBuf,
    /// Its report.
    pub report: PathBuf,
    /// Size of its tables.
    pub bytes: u64,
    /// Rows per table.
    pub rows: BTreeMap<String, u64>,
    /// What a terminal shows of it.
    pub summary: String,
}

impl Published {
    /// For machines.
    pub fn to_json(&self) -> Value {
        json!({
            "version": self.version, "as_of": self.as_of.to_string(), "already_published": self.already,
            "tables": self.tables, "report": self.report, "bytes": self.bytes, "rows": self.rows,
        })
    }
}

/// Opens the pipeline's store, which is made if it does not exist.
pub(crate) fn open(prepared: &Prepared) -> Result<Store, PipelineError> {
    Ok(Store::open_or_create(Path::new(&prepared.pipeline.store))?)
}

/// Everything that decides the published bytes.
pub(crate) fn identity(prepared: &Prepared) -> Identity {
    let inputs: Value = prepared
        .inventories
        .iter()
        .map(|inventory| json!({"source": inventory.source, "files": inventory.files}))
        .collect();
    let parts = json!([
        FORMAT,
        env!("CARGO_PKG_VERSION"),
        tessera_spec::canonical(&prepared.pipeline),
        prepared.as_of.to_string(),
        inputs
    ]);
    let hash = Sha256::digest(parts.to_string().as_bytes());
    RunIdentity {
        idempotency_key: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        as_of: prepared.as_of,
        pipeline: serde_json::to_value(meta(prepared)).unwrap_or(Value::Null),
        inputs,
    }
}

/// What the report needs to know of the pipeline.
fn meta(prepared: &Prepared) -> ReportMeta {
    let pipeline = &prepared.pipeline;
    ReportMeta {
        timezone: Some(pipeline.timezone.to_string()),
        currency: Some(pipeline.currency.clone()),
        key: Some(pipeline.customer.key.clone()),
        value: prepared.value_feature().map(str::to_owned),
        goal: pipeline.goal.as_ref().map(|goal| GoalMeta {
            objective: Some(word(&goal.objective)),
            kpi: goal.kpi.value.clone(),
            target: goal.target.map(|target| match target {
                Target::Below(limit) => TargetMeta::Below(limit),
                Target::Above(limit) => TargetMeta::Above(limit),
            }),
            owner: goal.owner.clone(),
            review_by: goal.review_by,
        }),
        schemes: pipeline
            .schemes
            .iter()
            .map(|scheme| SchemeMeta {
                name: scheme.name.value.clone(),
                kind: kind_name(&scheme.kind).to_owned(),
                scores: match &scheme.kind {
                    SchemeKind::RfmGrid(grid) => Some(grid.scores),
                    _ => None,
                },
                segments: segment_order(&scheme.kind),
            })
            .collect(),
        features: prepared
            .published()
            .map(|feature| FeatureMeta {
                name: feature.name.clone(),
                unit: Some(word(&feature.unit)),
                base: Some(word(&feature.base)),
                notes: Some(feature.definition.clone()),
            })
            .collect(),
        ..ReportMeta::new(pipeline.name.clone(), prepared.as_of)
    }
}

/// Segments in the order in which a report shows them; empty where only the data can tell.
fn segment_order(kind: &SchemeKind) -> Vec<String> {
    const STAGES: [&str; 7] = [
        "new", "active", "slipping", "at risk", "dormant", "lapsed", "churned",
    ];
    match kind {
        SchemeKind::RfmGrid(rfm) => CellMap::new(&rfm.grid.value, rfm.scores)
            .map(|cells| cells.segments().to_vec())
            .unwrap_or_default(),
        SchemeKind::Quantile(ranked) => ranked
            .tiers
            .iter()
            .map(|(tier, _)| tier)
            .chain([&ranked.missing])
            .cloned()
            .collect(),
        SchemeKind::Rules(rules) => rules
            .rules
            .iter()
            .map(|rule| &rule.segment.value)
            .chain([&rules.otherwise])
            .cloned()
            .collect(),
        SchemeKind::Lifecycle => STAGES.map(str::to_owned).to_vec(),
        SchemeKind::Attribute(_) | SchemeKind::Kmeans(_) => Vec::new(),
    }
}

fn kind_name(kind: &SchemeKind) -> &'static str {
    match kind {
        SchemeKind::RfmGrid(_) => "rfm_grid",
        SchemeKind::Quantile(_) => "quantile",
        SchemeKind::Rules(_) => "rules",
        SchemeKind::Attribute(_) => "attribute",
        SchemeKind::Lifecycle => "lifecycle",
        SchemeKind::Kmeans(_) => "kmeans",
    }
}

/// The word of the pipeline file for a value of one of its enums.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The version that an equal run published before, with its hints completed and its report at hand.
pub(crate) fn already(
    store: &Store,
    identity: &Identity,
) -> Result<Option<Published>, PipelineError> {
    let Some(version) = store.find(&identity.idempotency_key)? else {
        return Ok(None);
    };
    store.repair()?;
    let mut published = published(store, &version, true);
    if !published.report.exists() {
        write_report(store, &published)?;
    }
    published.summary = summary(&version)?;
    Ok(Some(published))
}

fn published(store: &Store, version: &Version, already: bool) -> Published {
    Published {
        version: version.number(),
        as_of: version.as_of(),
        already,
        tables: version.folder().to_owned(),
        report: report_path(store, version.number()),
        bytes: version.bytes(),
        rows: version
            .commit()
            .tables
            .iter()
            .map(|table| (table.name.clone(), table.rows()))
            .collect(),
        summary: String::new(),
    }
}

/// Edges that `rfm_grid` schemes with frozen scores take from an earlier version.
pub(crate) fn frozen_edges(store: &Store, prepared: &Prepared) -> Result<Frozen, PipelineError> {
    let mut frozen = Frozen::new();
    for scheme in &prepared.pipeline.schemes {
        let SchemeKind::RfmGrid(RfmGrid {
            score_method: ScoreMethod::Frozen { version },
            ..
        }) = &scheme.kind
        else {
            continue;
        };
        let candidates = match version {
            Some(number) => vec![store.version(*number)?],
            None => store.versions()?,
        };
        for candidate in candidates {
            if let Some(edges) = edges_of(&candidate, &scheme.name.value)? {
                frozen.insert(scheme.name.value.clone(), edges);
                break;
            }
        }
    }
    Ok(frozen)
}

fn edges_of(version: &Version, scheme: &str) -> Result<Option<FrozenEdges>, PipelineError> {
    let mut rows: Vec<(String, Option<f64>, Option<String>)> = Vec::new();
    for batch in version.read("models")? {
        let text = |name: &str| {
            batch
                .column_by_name(name)
                .and_then(|column| column.as_string_opt::<i32>())
        };
        let (Some(scores), Some(models), Some(names), Some(texts)) =
            (text("score"), text("model"), text("name"), text("text"))
        else {
            continue;
        };
        let values = batch
            .column_by_name("value")
            .and_then(|column| column.as_primitive_opt::<Float64Type>());
        for row in 0..batch.num_rows() {
            if scores.value(row) == scheme && models.value(row) == "rfm_grid" {
                let value = values.and_then(|values| values.iter().nth(row).flatten());
                rows.push((
                    names.value(row).to_owned(),
                    value,
                    texts.iter().nth(row).flatten().map(str::to_owned),
                ));
            }
        }
    }
    let edges = FrozenEdges::from_parameters(
        Some(version.number()),
        rows.iter()
            .map(|(name, value, text)| (name.as_str(), *value, text.as_deref())),
    )?;
    Ok(edges)
}

/// All tables of a version, ready to be written.
pub(crate) struct Tables {
    as_of: i32,
    customers: RecordBatch,
    assigned: Assigned,
    segments: RecordBatch,
    profiles: RecordBatch,
    models: RecordBatch,
    /// Only where there are scores.
    calibration: Option<RecordBatch>,
    quality: RecordBatch,
    rejects: Vec<RecordBatch>,
    sources: RecordBatch,
    counts: Value,
}

impl Tables {
    pub(crate) fn new(
        prepared: &Prepared,
        assigned: Assigned,
        outcomes: &[SourceOutcome],
        rejects: Vec<RejectRow>,
        scored: Vec<(String, Scored)>,
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
        let mut model_rows = tessera_segments::model_rows(assignments);
        let has_scores = !scored.is_empty();
        let mut calibration = Vec::new();
        let judged = |assignment: &Assignment| {
            let scheme = assignment.scheme.clone();
            let rows = assignment.quality.clone().into_iter();
            rows.map(move |row| (scheme.clone(), row))
                .collect::<Vec<_>>()
        };
        let mut quality: Vec<(String, Quality)> = assignments.iter().flat_map(judged).collect();
        for (score, rows) in scored {
            model_rows.extend(rows.parameters.into_iter().map(|row| (score.clone(), row)));
            calibration.extend(rows.calibration.into_iter().map(|row| (score.clone(), row)));
            quality.extend(rows.quality.into_iter().map(|row| (score.clone(), row)));
        }
        Ok(Self {
            as_of,
            customers: dated(as_of, &assigned.with_schemes()?)?,
            segments: tessera_segments::segments_table(as_of, &summaries, &prepared.pipeline.playbooks)?,
            profiles: tessera_segments::profiles_table(as_of, &profiles)?,
            models: tessera_segments::models_table(as_of, model_rows)?,
            calibration: has_scores
                .then(|| calibration_table(as_of, calibration))
                .transpose()?,
            quality: quality_table(as_of, quality)?,
            rejects: rejects_tables(prepared.as_of, rejects)?,
            sources: sources_table(prepared.as_of, outcomes)?,
            counts: outcomes
                .iter()
                .map(|o| {
                    json!({
                        "source": o.name, "rows": o.counts.rows, "used": o.counts.used, "filtered": o.counts.filtered,
                        "quarantined": o.counts.quarantined, "dropped": o.counts.dropped, "duplicates": o.counts.duplicates,
                    })
                })
                .collect(),
            assigned,
        })
    }

    /// Rows of the table `profiles`.
    pub(crate) fn profile_rows(&self) -> u64 {
        self.profiles.num_rows() as u64
    }

    /// Rows of the table `customers`.
    pub(crate) fn rows(&self) -> u64 {
        self.customers.num_rows() as u64
    }
}

/// The table with `as_of` before its own columns.
fn dated(as_of: i32, table: &RecordBatch) -> Result<RecordBatch, PipelineError> {
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

/// Publishes the tables as one version.
pub(crate) fn publish(
    store: &Store,
    identity: &Identity,
    tables: Tables,
) -> Result<Published, PipelineError> {
    let mut staging = store.stage(identity.clone())?;
    for (name, batch) in [
        ("customers", &tables.customers),
        ("models", &tables.models),
        ("profiles", &tables.profiles),
        ("quality", &tables.quality),
        ("segments", &tables.segments),
        ("sources", &tables.sources),
    ] {
        staging.write(name, &batch.schema(), std::iter::once(Ok(batch.clone())))?;
    }
    if let Some(batch) = &tables.calibration {
        let rows = std::iter::once(Ok(batch.clone()));
        staging.write("calibration", &batch.schema(), rows)?;
    }
    staging.write(
        "rejects",
        &rejects_schema(),
        tables.rejects.iter().cloned().map(Ok),
    )?;
    let memberships = tessera_segments::memberships(
        tables.as_of,
        tables.assigned.customers(),
        tables.assigned.assignments(),
    )?;
    let schema = memberships.schema().clone();
    let failed = |error: tessera_segments::SegmentError| StoreError::BadTable {
        table: "memberships".to_owned(),
        reason: error.to_string(),
    };
    // Reasons are written in words while the batch before is compressed.
    std::thread::scope(|scope| {
        let (sender, ready) = std::sync::mpsc::sync_channel(BATCHES_AHEAD);
        scope.spawn(move || {
            for batch in memberships {
                if sender.send(batch.map_err(failed)).is_err() {
                    break;
                }
            }
        });
        staging.write("memberships", &schema, ready.into_iter())
    })?;
    let done = staging.publish(tables.counts)?;
    let mut published = published(store, &done.version, done.already);
    published.summary = summary(&done.version)?;
    Ok(published)
}

/// Where the report of a version lies.
fn report_path(store: &Store, version: u64) -> PathBuf {
    store
        .path()
        .join("reports")
        .join(format!("version-{version}.html"))
}

/// Renders the report of a version and puts it beside the others of the store; returns its size.
pub(crate) fn write_report(store: &Store, published: &Published) -> Result<u64, PipelineError> {
    let version = store.version(published.version)?;
    let html = render(&version)?;
    let io = |error| PipelineError::Io {
        path: published.report.clone(),
        error,
    };
    let folder = store.path().join("reports");
    std::fs::create_dir_all(&folder).map_err(io)?;
    let mut draft = tempfile::NamedTempFile::new_in(&folder).map_err(io)?;
    std::io::Write::write_all(&mut draft, html.as_bytes()).map_err(io)?;
    draft
        .persist(&published.report)
        .map_err(|error| io(error.error))?;
    Ok(html.len() as u64)
}

/// The report of a version as one HTML page.
pub fn render(version: &Version) -> Result<String, PipelineError> {
    Ok(tessera_report::render(
        &tessera_report::from_version(version)?,
        &Options::default(),
    )?)
}

/// The terminal's summary of a version.
fn summary(version: &Version) -> Result<String, PipelineError> {
    Ok(tessera_report::summary(&tessera_report::from_version(
        version,
    )?)?)
}
