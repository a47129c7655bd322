//! What can end a run, and the exit code that says so to a scheduler.

use tessera_engine::EngineError;
use tessera_ingest::IngestError;
use tessera_report::ReportError;
use tessera_segments::SegmentError;
use tessera_snapshot::StoreError;
use tessera_spec::diagnostic::Diagnostics;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The pipeline file is wrong; the diagnostics say where, and how to correct it.
    #[error("the pipeline file has mistakes")]
    Invalid(Box<Diagnostics>),
    /// Files of sources cannot be used: one problem a source.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Lake(Vec<IngestError>),
    /// A plan failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Rows broke a rule whose `on_fail` is `fail`.
    #[error(
        "source `{name}`: {rows} rows break the rule \"{rule}\", which fails the run; nothing was published{example}"
    )]
    Contract {
        /// Name of the source.
        name: String,
        /// The rule.
        rule: String,
        /// Rows that broke it.
        rows: u64,
        /// The first such row: file, row number and content.
        example: String,
    },
    /// The newest event of a source is older than its `freshness.fail`.
    #[error(
        "source `{name}`: its newest event is {age_hours:.1} hours old at the close of the day, the limit is {limit_hours:.1}; nothing was published"
    )]
    Stale {
        /// Name of the source.
        name: String,
        /// Age of the newest event.
        age_hours: f64,
        /// The limit.
        limit_hours: f64,
    },
    /// No customer is left to be assigned.
    #[error(
        "there is no customer up to {as_of}: {}; choose another date, or change what the pipeline file says of these rows", .sources.join("; ")
    )]
    NoCustomers {
        /// The date of the run.
        as_of: chrono::NaiveDate,
        /// How many rows of each source were used, filtered, quarantined and dropped.
        sources: Vec<String>,
    },
    /// Customers could not be assigned.
    #[error(transparent)]
    Segments(#[from] SegmentError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file could not be written.
    #[error("{}: operating system error: {error}", path.display())]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// Arrow refused to build a table.
    #[error("internal error: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The date of the run has not come yet.
    #[error(
        "{as_of} is later than today ({today} in {zone}): the lake cannot know what happens until then; choose an earlier `--as-of`, or add `--allow-future` if this is meant"
    )]
    Future {
        /// The date of the run.
        as_of: chrono::NaiveDate,
        /// The current day.
        today: chrono::NaiveDate,
        /// Zone of the pipeline.
        zone: String,
    },
    /// The user interrupted the run.
    #[error("interrupted; nothing was published")]
    Interrupted,
}

impl PipelineError {
    /// The exit code of the program: 1 internal, 2 pipeline file, 3 data and lake, 4 store or I/O, 5 locked, 6 in doubt, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Invalid(_) | Self::Future { .. } => 2,
            Self::Lake(problems) => lake_code(problems),
            Self::Contract { .. } | Self::Stale { .. } | Self::NoCustomers { .. } => 3,
            Self::Engine(
                EngineError::UnreadableFile { .. }
                | EngineError::UnreadableSource { .. }
                | EngineError::Unsummable { .. }
                | EngineError::Overflow { .. }
                | EngineError::RowOverflow { .. },
            ) => 3,
            Self::Engine(EngineError::Io { .. }) | Self::Io { .. } => 4,
            Self::Segments(_) => 3,
            Self::Store(error) => error.exit_code(),
            Self::Report(_) => 4,
            Self::Engine(_) | Self::Arrow(_) => 1,
            Self::Interrupted => 130,
        }
    }
}

/// A lake that is missing, empty, unreadable or damaged has one code; only a pattern that is none is a mistake of the file.
fn lake_code(problems: &[IngestError]) -> u8 {
    let code = |problem: &IngestError| match problem {
        // A lake that is missing, unreadable or empty is one and the same to a scheduler.
        IngestError::Io { .. } | IngestError::NoFiles { .. } => 4,
        IngestError::BadPattern { .. }
        | IngestError::SeveralFormats { .. }
        | IngestError::Table { .. } => 2,
        _ => 3,
    };
    problems.iter().map(code).max().unwrap_or(3)
}

impl From<IngestError> for PipelineError {
    fn from(error: IngestError) -> Self {
        Self::Lake(vec![error])
    }
}
