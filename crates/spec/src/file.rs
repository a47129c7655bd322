//! The file as a whole: from text to a checked pipeline.

mod description;
mod encoding;
mod expect;
mod experiment;
mod feature;
mod form;
mod gates;
mod goal;
mod identity;
mod join;
mod locale;
mod memberships;
mod name;
mod playbook;
mod refit;
mod scheme;
mod score;
mod source;
mod syntax;
mod value;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::de::DeTable;

use crate::activity;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::pipeline::{Customer, Log, Pipeline, Report, RunSettings, Source, Through};
use crate::reader::{Notes, ROOT, Reader, integer_of, variables, wrong_type};
use crate::syntax::Syntax;
use name::{Names, check_name, check_unique_columns};

/// Bytes of a pipeline file at most: others are no pipeline files.
const MOST_BYTES: u64 = 16 << 20;

/// Customers that the first page of a report can show.
const MOST_ON_FIRST_PAGE: i64 = 200;

/// Seed of pipelines that state none.
const DEFAULT_SEED: u64 = 20_260_101;

/// A pipeline file that can run, unless errors are among its warnings, of which the rest is read as if their advice had been followed.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub pipeline: Pipeline,
    /// Its text, into which every span points.
    pub text: String,
    /// Its name, as it was given.
    pub file_name: String,
    /// Warnings; later checks add their findings here.
    pub warnings: Diagnostics,
}

/// Reads and checks a pipeline file with these kinds.
///
/// Relative paths in it (sources, store) are left as they are: they are relative to the current directory of the process, as
/// paths on the command line are, not to the folder of the file. So one file serves a checkout, a container and a scheduler,
/// and `--var lake=DIR` means what the shell means by DIR.
///
/// # Errors
/// All mistakes of the file at once; a file that cannot be read is one of them.
pub fn load(path: &Path, vars: &[(String, String)], kinds: &Syntax) -> Result<Loaded, Diagnostics> {
    loaded(path, read(path), vars, kinds)
}

/// The text of a pipeline file, which is read once: it may be a pipe.
///
/// # Errors
/// Those of the operating system; and `FileTooLarge` for what is too large for a pipeline file, `InvalidData` for what is no text.
pub fn read(path: &Path) -> io::Result<String> {
    let _reading = activity::reading("", path);
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        let what = format!("it has more than {} MiB", MOST_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    encoding::text(bytes)
}

/// Checks what was read of a pipeline file.
///
/// # Errors
/// As [`load`].
pub fn loaded(
    path: &Path,
    read: io::Result<String>,
    vars: &[(String, String)],
    kinds: &Syntax,
) -> Result<Loaded, Diagnostics> {
    let file_name = path.display().to_string();
    let text = match read {
        Ok(text) => text,
        Err(error) => {
            if let Some(found) = encoding::described(&file_name, &error) {
                return Err(found);
            }
            let mut found = Diagnostics::new(file_name.clone(), "");
            found.extend([Diagnostic::error(
                "TS-P000",
                format!("cannot read {file_name}: {error}"),
                0..0,
            )
            .with_help(
                "give the path of a pipeline file; pipelines/demo.toml is one to start from",
            )]);
            return Err(found);
        }
    };
    match parse(&text, &file_name, vars, kinds) {
        (Some(pipeline), warnings) => Ok(Loaded {
            pipeline,
            text,
            file_name,
            warnings,
        }),
        (None, found) => Err(found),
    }
}

/// Checks the text of a pipeline file; `file_name` is only for messages. Without errors there is a pipeline, and the
/// diagnostics are warnings; with errors there is none, unless the rest can be checked as if their advice had been followed.
pub fn parse(
    text: &str,
    file_name: &str,
    vars: &[(String, String)],
    kinds: &Syntax,
) -> (Option<Pipeline>, Diagnostics) {
    let mut found = Diagnostics::new(file_name, text);
    let (table, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        // After a syntax error, what was read of the file would only give follow-up errors about what was not read.
        found.extend(syntax::syntax_error(text, &syntax));
        return (None, found);
    }
    let notes = Notes::new(text);
    let reader = Reader::new(table.get_ref(), 0..0, ROOT, &notes);
    variables(&reader, vars);
    let pipeline = pipeline(&reader, kinds);
    reader.finish();
    drop(reader);
    found.extend(notes.into_found());
    ((!found.end_the_check()).then_some(pipeline), found)
}

/// The name that a pipeline file states, where that can be read in spite of its mistakes.
pub fn stated_name(text: &str) -> Option<String> {
    let (table, _) = DeTable::parse_recoverable(text);
    let name = table.get_ref().get("name")?.get_ref().as_str()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!name.is_empty() && name.chars().all(is_plain)).then(|| name.to_owned())
}

fn pipeline(file: &Reader<'_>, kinds: &Syntax) -> Pipeline {
    spec_version(file);
    let name = file.required_text("name", "add `name = \"…\"`: letters, digits, `_` and `-`");
    if !name.value.is_empty() {
        check_name(file.notes, Names::Dashed, "pipeline", &name);
    }
    let sources = source::sources(file, &kinds.formats);
    let features = feature::features(file, &sources, &kinds.aggregates);
    let scores = score::scores(file, &sources, &kinds.scores);
    let schemes = scheme::schemes(file, &kinds.schemes);
    let pipeline = Pipeline {
        name: name.value,
        timezone: locale::required_zone(file),
        currency: locale::currency(file),
        store: file
            .required_path(
                "store",
                "add `store = \"data/store/NAME\"`, the folder of the snapshot store",
            )
            .value,
        shared_store: file.flag("shared_store").unwrap_or(false),
        was: file.text("was").map(|was| was.value),
        seed: file
            .integer("seed", 0..=i64::MAX)
            .map_or(DEFAULT_SEED, |seed| seed.value.unsigned_abs()),
        goal: file.table("goal").map(|table| goal::goal(&table)),
        value: value::value(file),
        customer: customer(file, &sources),
        run: file
            .table("run")
            .map_or_else(RunSettings::default, |table| run(&table)),
        log: file
            .table("log")
            .map_or_else(Log::default, |table| log(&table)),
        report: file
            .table("report")
            .map_or_else(Report::default, |table| report(&table)),
        playbooks: playbook::playbooks(file, &schemes),
        memberships: memberships::memberships(file, &schemes),
        gates: gates::gates(file, &schemes, &kinds.gates),
        expect: expect::expectations(file, &schemes),
        action_columns: playbook::action_columns(file),
        experiments: experiment::experiments(file, &schemes),
        features,
        scores,
        schemes,
        sources,
    };
    file.not_built("engine", "`engine` is");
    join::check_used(
        file.notes,
        &pipeline.sources,
        pipeline.customer.identity.as_ref(),
    );
    value::check_risk(file.notes, &pipeline);
    playbook::check_exports(file.notes, &pipeline);
    check_unique_columns(file.notes, &pipeline);
    pipeline
}

/// `[run]`
fn run(table: &Reader<'_>) -> RunSettings {
    let data_through = through(table);
    if data_through == Some(Through::Any) {
        table.notes.add(
            Diagnostic::error(
                "TS-P065",
                "`data_through = \"any\"` in [run] has no effect",
                table.value_span("data_through"),
            )
            .with_help("remove it; \"any\" is for single sources that need not be complete"),
        );
    }
    table.finish();
    RunSettings { data_through }
}

/// `data_through`: "as_of", "as_of - 2d" or "any".
fn through(table: &Reader<'_>) -> Option<Through> {
    let text = table.text("data_through")?;
    let days = |rest: &str| {
        let days = rest.trim().strip_prefix('-')?.trim();
        days.strip_suffix('d')?.trim().parse::<u16>().ok()
    };
    let through = match text.value.trim() {
        "any" => Some(Through::Any),
        "as_of" => Some(Through::DaysBefore(0)),
        other => other
            .strip_prefix("as_of")
            .and_then(days)
            .map(|days| Through::DaysBefore(days.into())),
    };
    if through.is_none() {
        let message = format!("`{}` is not a day for `data_through`", text.value);
        table.notes.add(
            Diagnostic::error("TS-P066", message, text.span).with_help(
                "write \"as_of\", a number of days before it such as \"as_of - 1d\", or in a source \"any\"",
            ),
        );
    }
    through
}

/// `[log]`
fn log(table: &Reader<'_>) -> Log {
    let values = table.boolean("values").is_some_and(|values| values.value);
    table.finish();
    Log { values }
}

/// `[report]`
fn report(table: &Reader<'_>) -> Report {
    let customers = table.integer("customers", 0..=MOST_ON_FIRST_PAGE);
    table.finish();
    Report {
        customers: customers.map_or(Report::default().customers, |customers| {
            usize::try_from(customers.value).unwrap_or(0)
        }),
    }
}

fn spec_version(file: &Reader<'_>) {
    let Some(value) = file.get("spec_version") else {
        file.missing("spec_version", "add `spec_version = 1`");
        return;
    };
    match integer_of(value.get_ref()) {
        Some(1) => {}
        Some(other) => file.notes.add(
            Diagnostic::error(
                "TS-P040",
                format!("this version of tessera does not support spec_version {other}"),
                value.span(),
            )
            .with_help("it supports `spec_version = 1`; a newer version may support more"),
        ),
        None => wrong_type(file.notes, value, "`spec_version`", "the integer 1"),
    }
}

fn customer(file: &Reader<'_>, sources: &[Source]) -> Customer {
    let Some(table) = file.table("customer") else {
        if !file.has("customer") {
            file.missing(
                "customer",
                "add a table [customer] with `key = \"customer_id\"`",
            );
        }
        return Customer {
            key: String::new(),
            key_span: 0..0,
            from: Vec::new(),
            sample: None,
            identity: None,
            active: None,
            cohorts: false,
        };
    };
    let key = table.required_text(
        "key",
        "add `key = \"customer_id\"`, the name of the key in the published tables",
    );
    if !key.value.is_empty() {
        check_name(table.notes, Names::Key, "key", &key);
    }
    let from = table.texts("from").unwrap_or_default();
    if table.has("from") && from.is_empty() {
        table.notes.add(
            Diagnostic::error("TS-P009", "`from` in [customer] names no source", table.value_span("from"))
                .with_help("name the sources whose keys make up the customer base, or remove the key: then it is all sources"),
        );
    }
    for name in &from {
        source::check_source(&table, name, sources);
    }
    let sample = sample(&table);
    let identity = identity::identity(&table, sources);
    let active = table.expression("active");
    let cohorts = table.flag("cohorts").unwrap_or(false);
    table.finish();
    Customer {
        key: key.value,
        key_span: key.span,
        from,
        sample,
        identity,
        active,
        cohorts,
    }
}

/// A share of the customers; then the published numbers are not those of all customers.
fn sample(table: &Reader<'_>) -> Option<f64> {
    let share = table.number("sample")?;
    if !(share.value > 0.0 && share.value < 1.0) {
        let message = "`sample` must be a share above 0 and below 1";
        table
            .notes
            .add(Diagnostic::error("TS-P078", message, share.span).with_help(
                "0.01 is one customer in a hundred; without the key all customers are used",
            ));
        return None;
    }
    let message = format!(
        "the run uses a sample of the customers (share {}): all numbers are those of this sample",
        share.value
    );
    table.notes.add(
        Diagnostic::warning("TS-P079", message, share.span)
            .with_help("remove `sample` when the pipeline works as intended"),
    );
    Some(share.value)
}
