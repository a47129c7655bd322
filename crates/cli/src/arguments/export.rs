//! `tessera export`

use std::path::PathBuf;

use clap::Args;
use tessera_spec::pipeline::ExportFormat;

use super::{Pipeline, VersionName, version_name};

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// The playbook whose customers are exported.
    #[arg(long, value_name = "NAME", required_unless_present = "all")]
    pub(crate) playbook: Option<String>,
    /// Export every playbook of the version, each into a file of its name in the folder of `--out`, which is made if needed.
    #[arg(long, conflicts_with = "playbook", requires = "out")]
    pub(crate) all: bool,
    /// The version: its number, its day (of several versions of a day the newest), or `latest`.
    #[arg(long, value_name = "VERSION", value_parser = version_name, default_value = "latest")]
    pub(crate) version: VersionName,
    /// Only what changed since this version: customers who were added, removed, or of whom an exported column differs.
    #[arg(long, value_name = "VERSION", value_parser = version_name)]
    pub(crate) since: Option<VersionName>,
    /// Format: csv, ndjson or parquet; by default what the pipeline file states in `export` of the playbook, else csv.
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub(crate) format: Option<ExportFormat>,
    /// Columns in their order, the customer's key among them: those of table `actions`, and of `customers`. By default what the
    /// pipeline file states in `export`, else all columns of `actions`.
    #[arg(long, value_name = "COLUMN,COLUMN", value_delimiter = ',', value_parser = column)]
    pub(crate) columns: Option<Vec<String>>,
    /// Where to write it, in one step: a file that is there is replaced when the new one is complete. `-` is stdout, which is the default
    /// of csv and ndjson.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Of csv: write for people who open the file in a spreadsheet. It begins with a byte order mark, and a text that a spreadsheet
    /// would take for a formula (=, +, - or @ in front) begins with an apostrophe. Programs read such texts with the apostrophe.
    #[arg(long)]
    pub(crate) spreadsheet: bool,
}

fn format(text: &str) -> Result<ExportFormat, String> {
    let mut all = ExportFormat::ALL.into_iter();
    all.find(|format| format.name() == text).ok_or_else(|| {
        let names = ExportFormat::ALL.map(ExportFormat::name);
        format!("expected one of {}", names.join(", "))
    })
}

fn column(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected names of columns with commas between them".to_owned()),
        name => Ok(name.to_owned()),
    }
}
