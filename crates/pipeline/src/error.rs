//! Errors that end a run, and their exit codes.

use std::io::ErrorKind;

use tessera_engine::EngineError;
use tessera_history::HistoryError;
use tessera_ingest::IngestError;
use tessera_report::ReportError;
use tessera_report::export::ExportError;
use tessera_segments::SegmentError;
use tessera_snapshot::StoreError;
use tessera_spec::diagnostic::Diagnostics;

use crate::unmet::Unmet;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The pipeline file is wrong; the diagnostics say where, and how to correct it.
    #[error("the pipeline file has mistakes")]
    Invalid(Box<Diagnostics>),
    /// The lake does not fit a pipeline file any more that made a version before.
    #[error("the files of the lake do not fit the pipeline file any more")]
    ChangedLake(Box<Diagnostics>),
    /// Files of sources cannot be used: one problem a source; and the mistakes of the pipeline file, where it has some besides.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Lake(Vec<IngestError>, Option<Box<Diagnostics>>),
    /// A plan failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Rows broke a rule whose `on_fail` is `fail`.
    #[error(
        "source `{name}`: {rule} in {rows}, {example}; by the contract this fails the run, so nothing was published. Correct the rows, or change `on_fail` of the rule"
    )]
    Contract {
        /// Name of the source.
        name: String,
        /// What was found; the name of a rule that the pipeline file states.
        rule: String,
        /// Rows that broke it, of how many.
        rows: String,
        /// The first such row: what the rule met, file and row number.
        example: String,
    },
    /// More rows were rejected than the contract allows.
    #[error(
        "source `{name}`: {rows} are rejected, more than the limit of {limit}: {because}; nothing was published. Correct the files or the contract, or {setting}"
    )]
    TooManyRejected {
        /// Name of the source.
        name: String,
        /// How many of how many rows.
        rows: String,
        /// The rule that rejected most of them, with an example.
        because: String,
        /// The limit in words.
        limit: String,
        /// What allows as many.
        setting: String,
    },
    /// The newest used row of a source is older than its `freshness.fail`, or there is none.
    #[error(
        "source `{name}`: {age} at the close of the day; `freshness.fail` allows {limit}, so nothing was published"
    )]
    Stale {
        /// Name of the source.
        name: String,
        /// Age of the newest used row, or that there is none.
        age: String,
        /// The limit.
        limit: String,
    },
    /// Sources are not complete through the day that `data_through` states: the run came before their data.
    #[error(
        "the data is not complete yet: {}; nothing was published. Run again when these sources are loaded: nothing needs to be corrected. `data_through` in [run] or in a source sets the required day", .sources.join("; ")
    )]
    Waiting {
        /// What each source lacks.
        sources: Vec<String>,
    },
    /// Customers have several valid rows in an attributes source, and no setting says which one counts.
    #[error(
        "source `{name}`: {customers} several rows that are valid at the same time and differ in a used attribute, such as {example}; no setting says which one counts, so nothing was published. {}", capital(.help)
    )]
    SeveralRows {
        /// Name of the source.
        name: String,
        /// Customers concerned, such as "2 customers have".
        customers: String,
        /// Files and rows of one of them.
        example: String,
        /// What to do.
        help: String,
    },
    /// Schemes fall short of gates that fail the run.
    #[error(
        "{}; nothing was published. Correct the schemes, or the limits in [gates]; `on_fail = \"flag\"` publishes and states it in the table `quality`", .failures.join("; ")
    )]
    Gates {
        /// What each falls short of.
        failures: Vec<String>,
    },
    /// The run is not the one that was planned.
    #[error(
        "the run is not the one that was planned: {}; nothing was published. Make a new plan with `tessera plan --out`, and look at it", .changed.join("; ")
    )]
    OtherPlan {
        /// What is not as it was.
        changed: Vec<String>,
    },
    /// Expectations of the pipeline file do not hold.
    #[error(
        "{}; nothing was published. Correct the pipeline, the data or the expectation; {checked} expectations of the pipeline file were checked", said(.unmet)
    )]
    Expectations {
        /// Expectations that were checked.
        checked: usize,
        /// What was found instead.
        unmet: Vec<Unmet>,
    },
    /// The rows of a source's files are not all accounted for: a fault of the program.
    #[error(
        "internal error: source `{name}` has {file_rows} rows in its files, but {accounted} were accounted for; please report this"
    )]
    Unaccounted {
        /// Name of the source.
        name: String,
        /// Rows that the files hold.
        file_rows: u64,
        /// Rows that were counted as not visible, used, filtered, quarantined or dropped.
        accounted: u64,
    },
    /// No customer is left to be assigned.
    #[error(
        "there are no customers up to {as_of}: {}; choose another date, or correct `filter` and the contract of these sources", .sources.join("; ")
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
    /// Tables of the previous version are not as they are published, or those of the history cannot be made.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Why a run ended, and where the rows are that its message must not show.
    #[error("{error}; {rows}")]
    WithRows {
        /// Why it ended.
        error: Box<PipelineError>,
        /// A sentence that names their file.
        rows: String,
    },
    /// A file could not be written.
    #[error("{step} {}: {error}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// Another run published a version before this day while this one ran, which read the lake for another version before it: other rows
    /// have come since, or other artifacts follow.
    #[error(
        "version {version} was published meanwhile and comes before this day; this run was computed after another one, so nothing was published. Start the run again"
    )]
    Overtaken {
        /// That version.
        version: u64,
    },
    /// Edges that stay as they were fitted cannot be read any more.
    #[error(
        "the frozen edges of `{of}`, fitted by version {version}, cannot be read: {reason}; `tessera verify` names what is damaged. State other edges, or another scheme name to fit new ones"
    )]
    FrozenEdges {
        /// The scheme.
        of: String,
        /// The version that fitted them.
        version: u64,
        /// What was found.
        reason: String,
    },
    /// A stage ran before the one that makes what it needs: a fault of the program.
    #[error("internal error: a stage came before the one that makes {what}; please report this")]
    Order {
        /// What it needs.
        what: &'static str,
    },
    /// Arrow refused to build a table.
    #[error("internal error: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The date of the run has not come yet.
    #[error(
        "{day} is later than today ({today} in {zone}): the lake cannot know what happens until then; choose an earlier `{option}`{}",
        or_allow(.can_be_allowed)
    )]
    Future {
        /// The argument that states the day.
        option: &'static str,
        /// Whether the command has `--allow-future`.
        can_be_allowed: bool,
        /// The day.
        day: chrono::NaiveDate,
        /// The current day.
        today: chrono::NaiveDate,
        /// Zone of the pipeline.
        zone: String,
    },
    /// A day up to which rows are known, where no source says when its rows became known.
    #[error(
        "no source states `known_at`, so `--known-as-of` has no effect; leave it out, or state `known_at`, the column that says when a row became known"
    )]
    NothingKnown,
    /// A lake in which no file has the name of a data file.
    #[error(
        "there is no data in {lake}: no file below it is named as Parquet, CSV or NDJSON files are; give the folder of a lake, or a file"
    )]
    NoTables {
        /// The path.
        lake: String,
    },
    /// No column of a lake was recognised as the customer's key.
    #[error(
        "no column {} was found: {}. Name the column with `--key`", .wanted.as_ref().map_or_else(|| "whose name says that it holds the keys of customers".to_owned(), |key| format!("`{key}` that could be a key")), .tables.join("; ")
    )]
    NoKey {
        /// The name that was asked for.
        wanted: Option<String>,
        /// The columns of each table.
        tables: Vec<String>,
    },
    /// A version does not have the customer.
    #[error(
        "version {version} of {as_of} has no customer `{key}`; keys are compared as they are written in column `{column}`"
    )]
    NoCustomer {
        /// The key asked for.
        key: String,
        /// Name of the key.
        column: String,
        /// The version.
        version: u64,
        /// Its day.
        as_of: chrono::NaiveDate,
    },
    /// A version does not have the customer, but one before it has.
    #[error(
        "version {version} of {as_of} has no customer `{key}` any more; version {last} of {day} is the newest that has: `--as-of {day}`"
    )]
    GoneCustomer {
        /// The key asked for.
        key: String,
        /// The version.
        version: u64,
        /// Its day.
        as_of: chrono::NaiveDate,
        /// The newest version that has the customer.
        last: u64,
        /// Its day.
        day: chrono::NaiveDate,
    },
    /// A version does not have the customer, since its key belongs to another one.
    #[error(
        "version {version} of {as_of} has no customer `{key}`: the key belongs to customer `{customer}` by the map of `[customer.identity]`; ask for that one"
    )]
    MergedCustomer {
        /// The key asked for.
        key: String,
        /// The customer.
        customer: String,
        /// The version.
        version: u64,
        /// Its day.
        as_of: chrono::NaiveDate,
    },
    /// A version does not have the scheme.
    #[error("version {version} has no scheme `{scheme}`; it has {available}")]
    NoScheme {
        /// The scheme asked for.
        scheme: String,
        /// The version.
        version: u64,
        /// Its schemes.
        available: String,
    },
    /// A version does not have the experiment, or none at all.
    #[error("version {version} of {as_of} has no experiment{}; {why}", named(.experiment))]
    NoExperiment {
        /// The experiment asked for.
        experiment: Option<String>,
        /// The version.
        version: u64,
        /// Its day.
        as_of: chrono::NaiveDate,
        /// What it has, or which version has it.
        why: String,
    },
    /// A table of a version does not have the columns that this program reads.
    #[error(
        "the table `{table}` of this version was written by another program, and is not what this one reads: {reason}"
    )]
    OtherTable {
        /// The table.
        table: &'static str,
        /// What was found.
        reason: String,
    },
    /// A playbook that neither the version nor the pipeline file has.
    #[error(
        "there is no playbook `{playbook}`{}; version {version} of {as_of} has {has}",
        near.as_ref().map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
    )]
    NoPlaybook {
        /// The playbook asked for.
        playbook: String,
        /// One with a name like it.
        near: Option<String>,
        /// The version.
        version: u64,
        /// Its day.
        as_of: chrono::NaiveDate,
        /// Its playbooks, as a text.
        has: String,
    },
    /// A playbook that the pipeline file has, and the version has not.
    #[error(
        "version {version} of {as_of} was published without playbook `{playbook}`, which the pipeline file has; it has {has}. Publish a version with it first: `tessera run`"
    )]
    LaterPlaybook {
        /// The playbook asked for.
        playbook: String,
        /// The version.
        version: u64,
        /// Its day.
        as_of: chrono::NaiveDate,
        /// Its playbooks, as a text.
        has: String,
    },
    /// A version of another pipeline that shares the store.
    #[error(
        "version {version} is of pipeline `{pipeline}`, which shares the store, not of `{own}`; name a version of `{own}` with `--version`, or its day"
    )]
    OtherVersion {
        /// The version.
        version: u64,
        /// Its pipeline.
        pipeline: String,
        /// The pipeline of the file.
        own: String,
    },
    /// A list could not be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The user interrupted the run.
    #[error("interrupted; nothing was published")]
    Interrupted,
}

impl PipelineError {
    /// What would heal the store, where a file of it is missing or damaged.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::WithRows { error, .. } => error.remedy(),
            Self::Store(error)
            | Self::Report(ReportError::Store(error))
            | Self::Export(ExportError::Store(error)) => tessera_snapshot::remedy(error),
            _ => None,
        }
    }

    /// The version that was published meanwhile and comes before the day of the run, if that is why nothing was.
    pub fn overtaken_by(&self) -> Option<u64> {
        match self {
            Self::Overtaken { version } => Some(*version),
            _ => None,
        }
    }

    /// The sources whose files changed while they were read, if that is the only error.
    pub fn changed(&self) -> Vec<&str> {
        match self {
            Self::WithRows { error, .. } => error.changed(),
            Self::Engine(EngineError::ChangedFile { name, .. }) => vec![name],
            Self::Lake(problems, None) => {
                let changed = problems.iter().map(|problem| match problem {
                    IngestError::Changed { source_name, .. } => Some(source_name.as_str()),
                    _ => None,
                });
                changed.collect::<Option<_>>().unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The exit code of the program: 1 internal, 2 pipeline file, 3 data and lake, 4 store or I/O, 5 locked, 6 in doubt, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::WithRows { error, .. } => error.exit_code(),
            Self::Invalid(_)
            | Self::Future { .. }
            | Self::NothingKnown
            | Self::NoKey { .. }
            | Self::NoCustomer { .. }
            | Self::GoneCustomer { .. }
            | Self::MergedCustomer { .. }
            | Self::OtherPlan { .. }
            | Self::NoExperiment { .. }
            | Self::NoPlaybook { .. }
            | Self::LaterPlaybook { .. }
            | Self::OtherVersion { .. }
            | Self::NoScheme { .. } => 2,
            Self::Export(error) => error.exit_code(),
            Self::Lake(problems, _) => lake_code(problems),
            Self::ChangedLake(_)
            | Self::Contract { .. }
            | Self::TooManyRejected { .. }
            | Self::Stale { .. }
            | Self::Waiting { .. }
            | Self::SeveralRows { .. }
            | Self::Gates { .. }
            | Self::Expectations { .. }
            | Self::NoCustomers { .. }
            | Self::NoTables { .. } => 3,
            Self::Unaccounted { .. } | Self::Order { .. } => 1,
            Self::Engine(
                EngineError::UnreadableFile { .. }
                | EngineError::ChangedFile { .. }
                | EngineError::UnreadableSource { .. }
                | EngineError::Unsummable { .. }
                | EngineError::Overflow { .. }
                | EngineError::RowOverflow { .. }
                | EngineError::LongTexts { .. }
                | EngineError::Memory { .. }
                | EngineError::SeveralMatches { .. }
                | EngineError::KeyCircle { .. }
                | EngineError::LookupTooLarge { .. },
            ) => 3,
            Self::Engine(EngineError::Io { .. } | EngineError::LakeIo { .. }) | Self::Io { .. } => {
                4
            }
            Self::Segments(_) => 3,
            Self::Store(error) => error.exit_code(),
            Self::Overtaken { .. } => 5,
            Self::History(HistoryError::Column { .. } | HistoryError::Unsorted) => 4,
            Self::History(HistoryError::Table { .. }) => 1,
            Self::Report(_) | Self::FrozenEdges { .. } | Self::OtherTable { .. } => 4,
            Self::Engine(EngineError::Interrupted) | Self::Interrupted => 130,
            Self::Engine(_) | Self::Arrow(_) => 1,
        }
    }
}

/// A missing, empty or damaged lake has one code, a lake that the operating system does not let us read that of I/O; only an
/// invalid pattern, several formats and unsupported table formats are mistakes of the pipeline file.
fn lake_code(problems: &[IngestError]) -> u8 {
    let code = |problem: &IngestError| match problem {
        IngestError::BadPattern { .. }
        | IngestError::SeveralFormats { .. }
        | IngestError::Table { .. } => 2,
        IngestError::Interrupted => 130,
        IngestError::Unreadable { .. }
        | IngestError::UnreadableLog { .. }
        | IngestError::Unkept { .. } => 4,
        IngestError::Io { error, .. } if error.kind() != ErrorKind::NotFound => 4,
        // A lake that is missing, damaged or empty is one and the same to a scheduler.
        _ => 3,
    };
    problems.iter().map(code).max().unwrap_or(3)
}

impl From<IngestError> for PipelineError {
    fn from(error: IngestError) -> Self {
        Self::Lake(vec![error], None)
    }
}

/// What does not hold, in one sentence each.
fn said(unmet: &[Unmet]) -> String {
    let said: Vec<String> = unmet.iter().map(Unmet::to_string).collect();
    said.join("; ")
}

/// What else can be done about a day in the future, where the command has an option for it.
fn or_allow(can_be_allowed: &bool) -> &'static str {
    match can_be_allowed {
        true => ", or add `--allow-future` if this is meant",
        false => "",
    }
}

/// The name of an experiment; of none in particular the plural.
fn named(experiment: &Option<String>) -> String {
    let named = experiment.as_ref().map(|name| format!(" `{name}`"));
    named.unwrap_or_else(|| "s".to_owned())
}

/// A sentence with its first letter in upper case.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A result of an earlier stage; an error if it is missing.
pub(crate) fn needed<T>(made: Option<T>, what: &'static str) -> Result<T, PipelineError> {
    made.ok_or(PipelineError::Order { what })
}
