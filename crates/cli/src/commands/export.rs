//! `tessera export`

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;
use tessera_pipeline::PipelineError;
use tessera_pipeline::export::{ExportError, Exported, Style, Wanted, export, playbooks, write};
use tessera_snapshot::{Store, Version};
use tessera_spec::pipeline::ExportFormat;

use super::named_version;
use crate::arguments::{Export, Output};
use crate::output::{Failure, print, print_json, tell};
use crate::{interrupt, progress, whole_file};

/// Writes the customers of playbooks, whole or as changes.
pub(crate) fn run(arguments: &Export, output: &Output) -> Result<ExitCode, Failure> {
    check(arguments, output)?;
    let loaded = tessera_pipeline::load(&arguments.pipeline.file, &arguments.pipeline.vars.vars)?;
    let store = Store::open(Path::new(&loaded.pipeline.store))?;
    let version = named_version::find(&store, arguments.version)?;
    let since = arguments
        .since
        .map(|name| named_version::find(&store, name));
    let since = since.transpose()?;
    let names = match &arguments.playbook {
        Some(name) => vec![name.clone()],
        None => every(&version, arguments)?,
    };
    interrupt::watch();
    let mut results = Vec::new();
    for name in &names {
        let wanted = Wanted {
            playbook: name,
            version: &version,
            since: since.as_ref(),
            format: arguments.format,
            columns: arguments.columns.as_deref(),
        };
        let bar = progress::spinner(output, &format!("exporting {name}"));
        let exported = export(&loaded.pipeline, &store, &wanted);
        bar.finish_and_clear();
        let exported = exported?;
        let file = placed(&exported, arguments)?;
        exported
            .notes
            .iter()
            .for_each(|note| tracing::warn!("{note}"));
        for line in exported.summary.to_lines() {
            tell(output, &line);
        }
        if let (Some(file), false) = (&file, output.json) {
            print(&format!("{}\n", file.display()))?;
        }
        let mut result = serde_json::to_value(&exported.summary)?;
        result["file"] = file.map_or(Value::Null, |file| file.display().to_string().into());
        result["notes"] = exported.notes.into();
        results.push(result);
    }
    if output.json {
        match arguments.all {
            true => print_json(&results.into())?,
            false => results.iter().try_for_each(print_json)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the list goes to stdout.
fn is_stdout(out: Option<&Path>) -> bool {
    out.is_none_or(|out| out.as_os_str() == "-")
}

fn check(arguments: &Export, output: &Output) -> Result<(), Failure> {
    let to_stdout = is_stdout(arguments.out.as_deref());
    if arguments.all && to_stdout {
        return Err(Failure::new("`--all` needs a folder: `--out DIR`", 2));
    }
    if output.json && to_stdout {
        let message = "`--json` prints the counts on stdout, so that the list needs a file of its own: `--out FILE`";
        return Err(Failure::new(message, 2));
    }
    Ok(())
}

/// Every playbook of a version; the folder for their files is made.
fn every(version: &Version, arguments: &Export) -> Result<Vec<String>, Failure> {
    let names = playbooks(version);
    if names.is_empty() {
        let (number, day) = (version.number(), version.as_of());
        let message = format!("version {number} of {day} has no playbook");
        return Err(Failure::new(message, 2));
    }
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::io("make folder", folder, &error))?;
    }
    Ok(names)
}

/// Writes a list to where it is asked for; returns the file.
fn placed(exported: &Exported, arguments: &Export) -> Result<Option<PathBuf>, Failure> {
    let format = exported.format;
    let style = match arguments.spreadsheet {
        true => Style::Spreadsheet,
        false => Style::Exact,
    };
    if style == Style::Spreadsheet && format != ExportFormat::Csv {
        let message = format!(
            "`--spreadsheet` is for csv, and this list is {}",
            format.name()
        );
        return Err(Failure::new(message, 2));
    }
    let out = arguments.out.as_deref();
    if format == ExportFormat::Parquet && out.is_none() {
        let message = "parquet is no text: name the file with `--out`; `--out -` writes to stdout all the same";
        return Err(Failure::new(message, 2));
    }
    let rows = &exported.rows;
    let Some(out) = out.filter(|_| !is_stdout(out)) else {
        let mut stdout = BufWriter::new(std::io::stdout());
        let written = write((format, style), rows, &mut stdout, Path::new("stdout"));
        return match written {
            Err(error) if !error.is_closed_pipe() => Err(PipelineError::from(error).into()),
            _ => Ok(None),
        };
    };
    let file = match arguments.all {
        true => out.join(format!("{}.{}", exported.summary.playbook, format.name())),
        false => out.to_owned(),
    };
    whole_file::write(&file, |to| write((format, style), rows, to, &file)).map_err(|error| {
        match error {
            ExportError::Write(error) => Failure::io("write list", &file, &error),
            other => PipelineError::from(other).into(),
        }
    })?;
    Ok(Some(file))
}
