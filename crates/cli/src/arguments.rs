//! Arguments of the command line.

mod export;
mod gc;

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tessera_pipeline::backfill::Every;
use tessera_pipeline::plan::Limit;
use tessera_snapshot::Options;

pub(crate) use export::Export;
pub(crate) use gc::Gc;

/// Computes features, scores and segments of customers from Parquet, CSV or NDJSON files, as a TOML file describes, and publishes
/// them as versioned Parquet tables with a report.
#[derive(Debug, Parser)]
#[command(
    name = "tessera",
    version,
    max_term_width = 100,
    after_help = "Exit codes:\n  0 done (also: already published)   1 internal error   2 pipeline file or arguments\n  \
                  3 data or lake                     4 store or I/O     5 another run holds the lock\n  \
                  6 published but incomplete, or in doubt: run again\n  130 interrupted, nothing published\n\nStart with:\n  tessera demo"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results and progress are shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct Output {
    /// Print results as JSON on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Format of the log lines on stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "TESSERA_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Only warnings and errors on stderr, no progress.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Number of threads; all cores by default. It changes no published byte.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=1024), env = "TESSERA_THREADS")]
    pub(crate) threads: Option<u16>,
}

/// Formats of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for schedulers.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a sample lake from a seed, run its pipeline, and print where the report and the tables are.
    #[command(
        after_help = "Examples:\n  tessera demo\n  tessera demo /var/tmp/tessera --customers 1000 --months 1"
    )]
    Demo(Demo),
    /// Look at a lake and write a first pipeline file for it, which says what was guessed.
    #[command(
        after_help = "Examples:\n  tessera init data/lake > first.toml\n  tessera init data/lake --out second.toml --timezone Europe/Berlin --currency EUR\n  \
                            tessera init data/lake/tickets --key customer_id"
    )]
    Init(Init),
    /// Validate pipeline files, and their columns and types against the lake; shows all errors at once.
    #[command(
        after_help = "Examples:\n  tessera check pipelines/*.toml\n  tessera check pipelines/demo.toml --var lake=data/lake"
    )]
    Check(Check),
    /// Run a pipeline: read the lake, assign the customers to segments, publish a version, write the report.
    #[command(
        after_help = "Examples:\n  tessera run pipelines/demo.toml --as-of 2026-10-31\n  \
                            tessera run pipelines/cdnow.toml --as-of 1997-09-30 --var out=/var/tmp/store\n  \
                            tessera run pipelines/demo.toml --as-of 2026-10-31 --memory 2GiB --log-format json\n  \
                            tessera run pipelines/demo.toml --as-of 2026-10-31 --dry-run"
    )]
    Run(Run),
    /// Compute whom a run would move and which columns it would change; nothing is published.
    #[command(
        after_help = "Examples:\n  tessera plan pipelines/demo.toml\n  tessera plan pipelines/demo.toml --as-of 2026-10-31 --sample 3\n  \
                            tessera plan pipelines/demo.toml --format markdown --fail-if 'moved > 50%'\n  \
                            tessera plan pipelines/demo.toml --out plan.json\n  tessera run pipelines/demo.toml --plan plan.json\n  \
                            tessera plan pipelines/demo.toml --json"
    )]
    Plan(Plan),
    /// Run a pipeline for past days, oldest first; days that have their version are skipped, so it goes on where it was stopped.
    #[command(
        after_help = "Examples:\n  tessera backfill pipelines/demo.toml --from 2026-07-31 --to 2026-10-31 --every 1mo\n  \
                            tessera backfill pipelines/demo.toml --from 2026-10-29 --to 2026-10-31 --every 1d --json"
    )]
    Backfill(Backfill),
    /// Render the report of a published version again.
    #[command(
        after_help = "Examples:\n  tessera report pipelines/demo.toml\n  tessera report pipelines/demo.toml --version 1 --to report.html"
    )]
    Report(Report),
    /// Write the customers of a playbook for other systems: the whole list, or what changed since a version.
    #[command(
        after_help = "Examples:\n  tessera export pipelines/demo.toml --playbook win-back > win-back.csv\n  \
                            tessera export pipelines/demo.toml --playbook win-back --since 2026-09-30 --out changes.csv\n  \
                            tessera export pipelines/demo.toml --playbook rescue --format ndjson --columns customer_id,owner\n  \
                            tessera export pipelines/demo.toml --all --out lists"
    )]
    Export(Export),
    /// List the published versions of a store: the newest 30, or all of them.
    #[command(
        after_help = "Examples:\n  tessera snapshots data/store/demo\n  tessera snapshots data/store/demo --all\n  tessera snapshots data/store/demo --json"
    )]
    Snapshots(Snapshots),
    /// Print the folder with the tables of the newest version, so that a script reads all of them from one version.
    #[command(
        after_help = "Examples:\n  tessera path data/store/demo\n  tessera path data/store/demo --version 1"
    )]
    Path(FolderOf),
    /// Compare two versions of a store: definitions, sources, segments, moves by cause, values of features and scores.
    #[command(
        after_help = "Examples:\n  tessera diff data/store/demo 2026-08-31 latest\n  tessera diff data/store/demo 1 2\n  \
                            tessera diff data/store/demo 2026-08-31 2026-10-31 --sample 5 --json"
    )]
    Diff(Diff),
    /// State what experiments show: groups, means, differences with their intervals, verdicts, and what to do.
    #[command(
        after_help = "Examples:\n  tessera experiment retail.toml\n  tessera experiment retail.toml winback\n  \
                            tessera experiment retail.toml winback --version 2026-08-31 --json"
    )]
    Experiment(Experiment),
    /// State why customers are in their segments: conditions with values, the nearest change, scores, earlier segments.
    #[command(
        after_help = "Examples:\n  tessera explain data/store/demo C000001\n  tessera explain data/store/demo C000001 C000002 --scheme touch\n  \
                            tessera explain data/store/demo C000001 --as-of 2026-08-31 --json"
    )]
    Explain(Explain),
    /// Check every file of a store against its commit: checksums, footers, row counts, the chain of commits.
    #[command(
        after_help = "Examples:\n  tessera verify data/store/demo\n  tessera verify data/store/demo --version 1 --deep"
    )]
    Verify(Verify),
    /// Complete an interrupted publication, rewrite `latest`, the catalogue and the views, and remove files that killed runs left
    /// behind more than seven days ago.
    #[command(after_help = "Example:\n  tessera repair data/store/demo")]
    Repair(Repair),
    /// Show which old versions of a store expire, why the others stay, and how much is freed; with `--apply` they expire, and their
    /// files are removed an hour later by the next `gc --apply`.
    #[command(
        after_help = "Examples:\n  tessera gc data/store/demo\n  tessera gc data/store/demo --keep-last 90 --keep-monthly 36\n  \
                            tessera gc data/store/demo --apply\n  tessera gc data/store/demo --json"
    )]
    Gc(Gc),
    /// Show the feature catalogue: names, formulas, missing values, examples; with --json also units.
    #[command(after_help = "Examples:\n  tessera features\n  tessera features recency_days")]
    Features(Features),
    /// Print the JSON Schema of pipeline files, the published tables, the kinds of schemes and scores, the aggregates, the gates, or the file formats.
    #[command(
        after_help = "Examples:\n  tessera schema > schema/pipeline.schema.json\n  tessera schema --tables\n  tessera schema --schemes > docs/schemes.md\n  tessera schema --scores > docs/scores.md\n  tessera schema --aggregates > docs/aggregates.md\n  tessera schema --gates > docs/criteria.md\n  tessera schema --formats > docs/formats.md"
    )]
    Schema(Schema),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  tessera completions bash > /etc/bash_completion.d/tessera")]
    Completions(Completions),
}

/// `tessera init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// A folder with the tables of the lake, a file, or a pattern.
    pub(crate) lake: String,
    /// The new pipeline file; it is written to stdout otherwise.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Column with the customer's key; found by its name otherwise.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,
    /// Name of the pipeline; that of the lake otherwise.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Time zone whose calendar days are counted, and that timestamps without a zone are in.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) timezone: chrono_tz::Tz,
    /// Currency of all money.
    #[arg(long, value_name = "CODE", default_value = "EUR")]
    pub(crate) currency: String,
}

/// A pipeline file and its variables.
#[derive(Debug, Clone, Args)]
pub(crate) struct Pipeline {
    /// The pipeline file.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) vars: Vars,
}

/// Values of variables.
#[derive(Debug, Clone, Args)]
pub(crate) struct Vars {
    /// Value of a variable of the file's table `vars`; may be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) vars: Vec<(String, String)>,
}

/// How a version of a store is named: by its number, its day, or as the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionName {
    /// The version that `latest` names.
    Latest,
    /// The version of this number.
    Number(u64),
    /// The newest version of this day.
    Day(NaiveDate),
}

fn version_name(text: &str) -> Result<VersionName, String> {
    if text == "latest" {
        return Ok(VersionName::Latest);
    }
    let number = text.parse().map(VersionName::Number);
    number
        .or_else(|_| day(text).map(VersionName::Day))
        .map_err(|_| {
            "expected the number of a version, its day such as 2026-02-28, or `latest`".to_owned()
        })
}

/// Parses a date.
fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| "expected an existing date, such as 2026-02-28".to_owned())
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder for the lake and the store.
    #[arg(default_value = "data")]
    pub(crate) dir: PathBuf,
    /// Number of customers, prospects without an order included.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(20..=999_999))]
    pub(crate) customers: u32,
    /// Seed of the lake.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// How many monthly versions to make, the last as of 2026-10-31, so that the report shows who moved; each is a run of its own.
    /// The second and third apply the models that the first fitted.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=24))]
    pub(crate) months: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Pipeline files.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) vars: Vars,
    /// Check only the pipeline file, not the lake.
    #[arg(long)]
    pub(crate) no_lake: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// State of the customer base at the close of this day; yesterday in the pipeline's time zone by default.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) as_of: Option<NaiveDate>,
    /// Rows that became known after the close of this day are left out, of sources that state `known_at`; the day of the run by
    /// default. A later day takes in what was delivered late.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) known_as_of: Option<NaiveDate>,
    /// Allow a day in the future.
    #[arg(long)]
    pub(crate) allow_future: bool,
    /// Run only what `tessera plan --out FILE` planned: exit code 2 if the pipeline, the files of the lake or the version before the
    /// day are others since. The day is that of the plan, unless stated.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Fingerprint inputs by their whole content instead of their footers.
    #[arg(long)]
    pub(crate) hash_inputs: bool,
    /// Write metrics of the run to this file, in the text format of Prometheus, also if the run fails.
    #[arg(long, value_name = "FILE", env = "TESSERA_METRICS")]
    pub(crate) metrics: Option<PathBuf>,
    /// Append the run's OpenLineage events to this file, one JSON object per line, also if the run fails.
    #[arg(long, value_name = "FILE", env = "TESSERA_LINEAGE")]
    pub(crate) lineage: Option<PathBuf>,
    /// Memory limit of the run, such as 2GiB; three quarters of what the machine or its control group allows by default. It
    /// changes no published byte: data beyond the limit is written to files in the folder of `--work`; if that is not possible,
    /// the run ends with exit code 3.
    #[arg(long, value_name = "SIZE", value_parser = crate::size::parse, env = "TESSERA_MEMORY")]
    pub(crate) memory: Option<u64>,
    /// Folder for temporary files, and for the rejected rows of a failed run; by default the temporary folder of the operating
    /// system.
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// If the same run has already published, check the content of its version, page by page, and publish it again if it is
    /// damaged. Missing files and wrong sizes are found and replaced without this option.
    #[arg(long)]
    pub(crate) replace_damaged: bool,
    /// Print the stages of the run in their order without executing them: the lake is listed and the pipeline is checked against
    /// it; no store is created and nothing is published.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) store: StoreAccess,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// The day of the run; that of the newest version by default, so that the plan shows the edit alone.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) as_of: Option<NaiveDate>,
    /// As for `run`.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) known_as_of: Option<NaiveDate>,
    /// Allow a day in the future.
    #[arg(long)]
    pub(crate) allow_future: bool,
    /// How the plan is printed.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(crate) format: PlanFormat,
    /// Name up to this many customers per scheme who would move.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) sample: usize,
    /// End with exit code 3 if more customers would move: `moved > 5%`, `moved > 200`, or of one scheme `touch.moved > 5%`. It
    /// does not count those who leave or come: `left > 1%` and `came > 1%` do, or `touch.left > 1%`. May be repeated.
    #[arg(long, value_name = "LIMIT", value_parser = limit)]
    pub(crate) fail_if: Vec<Limit>,
    /// Write the plan as JSON to this file too: `tessera run --plan FILE` runs it, unless something it depends on is another since.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Fingerprint inputs by their whole content instead of their footers.
    #[arg(long)]
    pub(crate) hash_inputs: bool,
    /// Memory limit, as for `run`.
    #[arg(long, value_name = "SIZE", value_parser = crate::size::parse, env = "TESSERA_MEMORY")]
    pub(crate) memory: Option<u64>,
    /// Folder for temporary files, as for `run`.
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
    /// For a pull request.
    Markdown,
}

fn limit(text: &str) -> Result<Limit, String> {
    Limit::parse(text).ok_or_else(|| {
        "expected `moved > 5%`, `left > 200` or `came > 1%`, or of one scheme `touch.moved > 5%`"
            .to_owned()
    })
}

#[derive(Debug, Args)]
pub(crate) struct Backfill {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// The first day.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) from: NaiveDate,
    /// The last day at most.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) to: NaiveDate,
    /// Step from day to day, counted from the first: 1d, 1w, 1mo or 1y. From the 31st on, months end on their last day.
    #[arg(long, value_name = "STEP", value_parser = Every::parse, default_value = "1mo")]
    pub(crate) every: Every,
    /// Run days that have their version too: what was delivered to the lake since is taken in. An equal run publishes nothing.
    #[arg(long)]
    pub(crate) again: bool,
    /// Fingerprint inputs by their whole content instead of their footers.
    #[arg(long)]
    pub(crate) hash_inputs: bool,
    /// Memory limit of each run, as for `run`.
    #[arg(long, value_name = "SIZE", value_parser = crate::size::parse, env = "TESSERA_MEMORY")]
    pub(crate) memory: Option<u64>,
    /// Folder for temporary files, as for `run`.
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreAccess,
}

/// How a store is accessed.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreAccess {
    /// How long to wait for another run to release the store's lock, such as 90s, 10m or 1h; runs hold it for milliseconds.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(crate) lock_wait: Duration,
    /// Publish to a store on NFS, SMB, FUSE or 9P, where locks and fsync may not be reliable.
    #[arg(long)]
    pub(crate) allow_network_store: bool,
}

impl Default for StoreAccess {
    fn default() -> Self {
        let Options {
            allow_network,
            lock_wait,
        } = Options::default();
        Self {
            lock_wait,
            allow_network_store: allow_network,
        }
    }
}

impl StoreAccess {
    /// As options of the store.
    pub(crate) fn options(&self) -> Options {
        Options {
            allow_network: self.allow_network_store,
            lock_wait: self.lock_wait,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(unit_at.unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err("expected a number and s, m or h, such as 10m".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number and s, m or h, such as 10m".to_owned())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(|| "too long".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Version to render; the latest by default.
    #[arg(long)]
    pub(crate) version: Option<u64>,
    /// Where to write it; `-` for stdout. `reports/version-N.html` in the store by default.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Snapshots {
    /// Folder of the store.
    pub(crate) store: PathBuf,
    /// Print every version instead of the newest 30; `--json` always lists every version.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// Folder of the store.
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) access: StoreAccess,
}

#[derive(Debug, Args)]
pub(crate) struct FolderOf {
    /// Folder of the store.
    pub(crate) store: PathBuf,
    /// This version instead of the newest.
    #[arg(long)]
    pub(crate) version: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Folder of the store.
    pub(crate) store: PathBuf,
    /// The one version: its number, its day (of several versions of a day the newest), or `latest`.
    #[arg(value_name = "VERSION", value_parser = version_name)]
    pub(crate) from: VersionName,
    /// The other version.
    #[arg(value_name = "VERSION", value_parser = version_name)]
    pub(crate) to: VersionName,
    /// Name up to this many customers per scheme who moved, and the customer with the largest change of each column.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) sample: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Experiment {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Only this experiment.
    pub(crate) name: Option<String>,
    /// The version of this number, of this day (of several the newest), or `latest`.
    #[arg(long, value_name = "VERSION", value_parser = version_name, default_value = "latest")]
    pub(crate) version: VersionName,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Folder of the store.
    pub(crate) store: PathBuf,
    /// Keys of the customers, as tables have them.
    #[arg(value_name = "CUSTOMER", required = true)]
    pub(crate) customers: Vec<String>,
    /// Only this scheme.
    #[arg(long)]
    pub(crate) scheme: Option<String>,
    /// The version of this day (of several the newest), of this number, or `latest`.
    #[arg(long, value_name = "VERSION", value_parser = version_name, default_value = "latest")]
    pub(crate) as_of: VersionName,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Folder of the store.
    pub(crate) store: PathBuf,
    /// Only this version.
    #[arg(long)]
    pub(crate) version: Option<u64>,
    /// Also decode every page of every column and compare its checksum.
    #[arg(long, conflicts_with = "quick")]
    pub(crate) deep: bool,
    /// Only check that files exist and have their sizes.
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Features {
    /// Only this feature.
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The published tables instead of the pipeline file.
    #[arg(long)]
    pub(crate) tables: bool,
    /// The kinds of schemes with their keys, as Markdown.
    #[arg(long, conflicts_with = "tables")]
    pub(crate) schemes: bool,
    /// The kinds of scores with their columns and keys, as Markdown.
    #[arg(long, conflicts_with_all = ["tables", "schemes"])]
    pub(crate) scores: bool,
    /// The aggregates of features with their definitions, as Markdown.
    #[arg(long, conflicts_with_all = ["tables", "schemes", "scores"])]
    pub(crate) aggregates: bool,
    /// The gates with their measures and keys, as Markdown.
    #[arg(long, conflicts_with_all = ["tables", "schemes", "scores", "aggregates"])]
    pub(crate) gates: bool,
    /// The file formats of sources with their files and keys, as Markdown.
    #[arg(long, conflicts_with_all = ["tables", "schemes", "scores", "aggregates", "gates"])]
    pub(crate) formats: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}
