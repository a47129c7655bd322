//! Monitoring of a run: the summary in its last line, and the files of `--metrics` and `--lineage`.
//!
//! A [`Monitor`] observes a run from before its pipeline file is read to its end, however it ends, and then writes its files once.

mod lineage;
mod memory;
mod metrics;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use tessera_spec::activity::{self, Fact, Recorded};
use tessera_spec::noted::bare;
use tessera_spec::shown::grouped;

use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::publish::{self, Published};
use crate::sources::{SourceOutcome, percent};
use crate::stage::{Observer, Stage, StageReport};

/// Observes a run and writes its metrics and lineage where they are asked for.
#[derive(Debug)]
pub struct Monitor {
    metrics: Option<PathBuf>,
    lineage: Option<PathBuf>,
    record: Mutex<Record>,
}

/// The recorded facts of a run.
#[derive(Debug)]
struct Record {
    run_id: String,
    started: DateTime<Utc>,
    clock: Instant,
    /// Name of the pipeline; that of its file, without the ending, where it is not known.
    pipeline: String,
    /// The file, until the name is known.
    file: Option<PathBuf>,
    as_of: Option<NaiveDate>,
    store: Option<PathBuf>,
    inputs: Vec<Input>,
    outcomes: Vec<SourceOutcome>,
    stages: Vec<Done>,
    running: Option<(Stage, Instant)>,
    published: Option<Published>,
    /// The version published by a run that was ended after its commit; `published` describes it where its commit can be read.
    left: Option<u64>,
    /// Whether the event of the start is written.
    announced: bool,
    finished: bool,
}

/// A source as it was planned.
#[derive(Debug)]
struct Input {
    name: String,
    path: String,
    files: u64,
    bytes: u64,
    rows: u64,
    /// Name and type of the columns that are read.
    columns: Vec<(String, String)>,
}

/// A stage that ended, or in which the run ended.
#[derive(Debug)]
struct Done {
    stage: Stage,
    report: StageReport,
    peak_bytes: Option<u64>,
}

/// How a run ended.
#[derive(Debug)]
struct End<'a> {
    exit_code: u8,
    /// The first line of its error.
    message: Option<&'a str>,
    /// Warnings that it gave.
    warnings: u64,
    at: DateTime<Utc>,
    elapsed: Duration,
}

/// Messages after the end of a run.
#[derive(Debug)]
pub struct Finished {
    /// The run in one line, for a pager.
    pub summary: String,
    /// Files that could not be written.
    pub problems: Vec<String>,
}

impl Monitor {
    /// A monitor of a run that begins now. A run whose file cannot be used bears the name that the file states: a failed night belongs
    /// to the series of its pipeline. Without one, the name of the file stands for it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn new(
        file: &Path,
        metrics: Option<PathBuf>,
        lineage: Option<PathBuf>,
    ) -> Result<Self, PipelineError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| PipelineError::Io {
                step: "cannot write",
                path,
                error,
            }
        };
        if let Some(path) = &metrics {
            let drafted = match path.is_dir() {
                true => Err(io::ErrorKind::IsADirectory.into()),
                false => draft(path).map(drop),
            };
            drafted.map_err(failed(path))?;
        }
        if let Some(path) = &lineage {
            append(path, "").map_err(failed(path))?;
        }
        let stem = file.file_stem().map(|stem| stem.to_string_lossy());
        let read = tessera_spec::read(file).ok();
        let stated = read.and_then(|text| tessera_spec::stated_name(&text));
        if let Some(name) = &stated {
            activity::note(Fact::Pipeline, name);
        }
        Ok(Self {
            record: Mutex::new(Record {
                run_id: lineage::run_id(),
                started: Utc::now(),
                clock: Instant::now(),
                file: stated.is_none().then(|| file.to_owned()),
                pipeline: stated.unwrap_or_else(|| stem.unwrap_or_default().into_owned()),
                as_of: None,
                store: None,
                inputs: Vec::new(),
                outcomes: Vec::new(),
                stages: Vec::new(),
                running: None,
                published: None,
                left: None,
                announced: false,
                finished: false,
            }),
            metrics,
            lineage,
        })
    }

    /// A monitor of a run whose process was killed, from its record and the version that it had published.
    ///
    /// # Errors
    /// As [`Monitor::new`].
    pub fn of_dead(
        file: &Path,
        (metrics, lineage): (Option<PathBuf>, Option<PathBuf>),
        elapsed: Duration,
        recorded: &Recorded,
        version: Option<u64>,
    ) -> Result<Self, PipelineError> {
        let monitor = Self::new(file, metrics, lineage)?;
        let mut record = monitor.record();
        record.clock = record.clock.checked_sub(elapsed).unwrap_or(record.clock);
        record.started -= elapsed;
        let store = recorded.fact(Fact::Store).map(Path::new);
        record.store = store.and_then(|store| std::path::absolute(store).ok());
        record.leave(version);
        if let Some(name) = recorded.text(Fact::Pipeline) {
            record.name(&name);
        }
        let as_of = recorded.text(Fact::AsOf);
        record.as_of = as_of.and_then(|day| day.parse().ok());
        if let Some(run_id) = recorded.text(Fact::Run) {
            record.run_id = run_id;
            record.announced = true;
        }
        drop(record);
        Ok(monitor)
    }

    /// The run is ended after it committed this version.
    pub fn left(&self, version: u64) {
        self.record().leave(Some(version));
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The day of the run is known.
    pub fn day(&self, pipeline: &str, as_of: NaiveDate) {
        activity::note(Fact::Pipeline, pipeline);
        activity::note(Fact::AsOf, as_of.to_string());
        let mut record = self.record();
        record.name(pipeline);
        record.as_of = Some(as_of);
    }

    /// The files of the lake are known; the event of the start is written. A run that starts again reads its sources again.
    pub fn prepared(&self, prepared: &Prepared) {
        let mut record = self.record();
        record.outcomes.clear();
        let store = PathBuf::from(&prepared.pipeline.store);
        record.store = Some(std::path::absolute(&store).unwrap_or(store));
        record.inputs = inputs(prepared);
        if let Err(error) = self.announce(&mut record) {
            tracing::warn!("{error}");
        }
    }

    /// Writes the event of the start, once.
    fn announce(&self, record: &mut Record) -> Result<(), String> {
        let Some(path) = self.lineage.as_ref().filter(|_| !record.announced) else {
            return Ok(());
        };
        record.announced = true;
        activity::note(Fact::Run, &record.run_id);
        append(path, &lineage::start(record))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// The run ended: writes the files, the first time that this is called. `message` is the first line of the error.
    pub fn finish(&self, exit_code: u8, message: Option<&str>, warnings: u64) -> Finished {
        let mut record = self.record();
        let end = End {
            exit_code,
            message,
            warnings,
            at: Utc::now(),
            elapsed: record.clock.elapsed(),
        };
        let summary = summary(&record, &end);
        let mut problems = Vec::new();
        if !std::mem::replace(&mut record.finished, true) {
            if let Some((stage, since)) = record.running.take() {
                let report = StageReport {
                    elapsed: since.elapsed(),
                    ..StageReport::default()
                };
                let peak_bytes = self.metrics.as_ref().and_then(|_| memory::peak_bytes());
                record.stages.push(Done {
                    stage,
                    report,
                    peak_bytes,
                });
            }
            problems.extend(self.announce(&mut record).err());
            if let Some(path) = &self.lineage {
                let written = append(path, &lineage::end(&record, &end));
                problems.extend(problem(path, written));
            }
            if let Some(path) = &self.metrics {
                let text = metrics::text(&record, &end, metrics::last_success(path));
                problems.extend(problem(path, replace(path, &text)));
            }
        }
        Finished { summary, problems }
    }
}

impl Record {
    /// The name of the pipeline is known.
    fn name(&mut self, pipeline: &str) {
        pipeline.clone_into(&mut self.pipeline);
        self.file = None;
    }

    /// Records the version that the run published before it was ended, unless it has recorded it.
    fn leave(&mut self, version: Option<u64>) {
        self.left = version;
        if let (Some(version), None, Some(store)) = (version, &self.published, &self.store) {
            self.published = publish::left(store, version).ok();
        }
    }
}

impl Observer for Monitor {
    fn started(&self, stage: &Stage, _: usize, _: usize) {
        if self.metrics.is_some() {
            memory::begin();
        }
        self.record().running = Some((stage.clone(), Instant::now()));
    }

    fn finished(&self, stage: &Stage, report: &StageReport) {
        let peak_bytes = self.metrics.as_ref().and_then(|_| memory::peak_bytes());
        let mut record = self.record();
        record.running = None;
        record.stages.push(Done {
            stage: stage.clone(),
            report: *report,
            peak_bytes,
        });
    }

    fn source(&self, outcome: &SourceOutcome) {
        self.record().outcomes.push(outcome.clone());
    }

    fn published(&self, published: &Published) {
        self.record().published = Some(published.clone());
    }
}

fn inputs(prepared: &Prepared) -> Vec<Input> {
    let passes = prepared.features.passes.iter();
    let sources = prepared.pipeline.sources.iter();
    let all = sources.zip(&prepared.inventories).zip(passes);
    all.map(|((source, inventory), pass)| {
        let columns = pass.aggregate.rows.scan.columns.iter();
        Input {
            name: source.name.value.clone(),
            path: source.path.value.clone(),
            files: inventory.files.len() as u64,
            bytes: inventory.bytes(),
            rows: inventory.rows(),
            columns: columns
                .map(|c| (c.name.clone(), c.ty.to_string()))
                .collect(),
        }
    })
    .collect()
}

/// The run in one line: pipeline and day, what is published, how many rows were rejected, how long it took, why it failed.
fn summary(record: &Record, end: &End<'_>) -> String {
    let mut name = match &record.file {
        Some(file) => format!("pipeline file {}", file.display()),
        None => record.pipeline.clone(),
    };
    if let Some(as_of) = record.as_of {
        name.push_str(&format!(" as of {as_of}"));
    }
    let mut parts = Vec::new();
    match (&record.published, end.exit_code) {
        (Some(published), _) => {
            let word = if published.already {
                "was already"
            } else {
                "is"
            };
            let customers = published.rows.get("customers").copied().unwrap_or(0);
            parts.push(format!(
                "version {} {word} published, {} customers",
                published.version,
                grouped(customers)
            ));
        }
        (None, _) if record.left.is_some() => {
            let version = record.left.unwrap_or_default();
            parts.push(format!("version {version} is published"));
        }
        (None, 6) => parts.push("it is in doubt whether a version is published".to_owned()),
        (None, _) => parts.push("nothing is published".to_owned()),
    }
    if end.exit_code != 0 {
        parts.push(format!("exit code {}", end.exit_code));
    }
    if !record.outcomes.is_empty() {
        let sum = |rows: fn(&SourceOutcome) -> u64| record.outcomes.iter().map(rows).sum::<u64>();
        let (rows, rejected) = (sum(SourceOutcome::rows), sum(SourceOutcome::rejected));
        parts.push(format!(
            "{} rows, {} rejected ({})",
            grouped(rows),
            grouped(rejected),
            percent(rejected, rows)
        ));
    }
    match end.warnings {
        0 => {}
        1 => parts.push("1 warning".to_owned()),
        n => parts.push(format!("{n} warnings")),
    }
    parts.push(format!("{:.1} s", end.elapsed.as_secs_f64()));
    parts.extend(end.message.map(str::to_owned));
    format!("summary: {name}: {}", parts.join("; "))
}

fn problem(path: &Path, written: io::Result<()>) -> Option<String> {
    let error = written.err()?;
    Some(format!("cannot write {}: {error}", path.display()))
}

/// A temporary file in the same folder, to replace this one; it is removed if it does not.
fn draft(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // Collectors of metrics read files that end with `.prom`, which a draft must not.
    builder.prefix(".tessera-").suffix(".tmp");
    // Collectors run as users of their own.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.tempfile_in(folder).map_err(bare)
}

/// Replaces a file in one step, so that no reader sees a part of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut draft = draft(path)?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Appends lines to a file in one write, so that lines of runs at the same time do not mix.
fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).create(true).open(path)?;
    file.write_all(lines.as_bytes())
}
