//! `tessera report`

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use tessera_snapshot::Store;

use super::named_version;
use crate::arguments::{Output, Report};
use crate::output::{Failure, print, print_document, print_json};

/// Renders the report of a version again.
pub(crate) fn run(arguments: &Report, output: &Output) -> Result<ExitCode, Failure> {
    let loaded = tessera_pipeline::load(&arguments.pipeline.file, &arguments.pipeline.vars.vars)?;
    let store = Store::open(Path::new(&loaded.pipeline.store))?;
    let version = named_version::numbered(&store, arguments.version)?;
    let page = tessera_pipeline::render(&store, &version, loaded.pipeline.report)?;
    if let (None, Some(why)) = (&arguments.to, page.keeps(&store, version.number())) {
        let kept = "the report that is there is kept; `--to FILE` writes one that compares nothing";
        return Err(Failure::new(format!("{why}; {kept}"), 4));
    }
    page.warn();
    let written = |to: &Path| match output.json {
        true => print_json(&json!({
            "version": version.number(), "as_of": version.as_of().to_string(), "report": to,
        })),
        false => print(&format!("{}\n", to.display())),
    };
    match &arguments.to {
        // The document itself was asked for.
        Some(to) if to.as_os_str() == "-" => print_document(&page.html)?,
        Some(to) => {
            std::fs::write(to, page.html)
                .map_err(|error| Failure::io("write report", to, &error))?;
            written(to)?;
        }
        None => {
            store.write_report(version.number(), &page.html)?;
            written(&store.report_path(version.number()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
