//! `tessera report`

use std::path::Path;
use std::process::ExitCode;

use tessera_snapshot::Store;

use super::named_version;
use crate::arguments::Report;
use crate::output::{Failure, print, print_document};

/// Renders the report of a version again.
pub(crate) fn run(arguments: &Report) -> Result<ExitCode, Failure> {
    let loaded = tessera_pipeline::load(&arguments.pipeline.file, &arguments.pipeline.vars.vars)?;
    let store = Store::open(Path::new(&loaded.pipeline.store))?;
    let version = named_version::numbered(&store, arguments.version)?;
    let html = tessera_pipeline::render(&store, &version, loaded.pipeline.report)?;
    match &arguments.to {
        Some(to) if to.as_os_str() == "-" => print_document(&html)?,
        Some(to) => {
            std::fs::write(to, html).map_err(|error| Failure::io("write report", to, &error))?;
            print(&format!("{}\n", to.display()))?;
        }
        None => {
            store.write_report(version.number(), &html)?;
            let to = store.report_path(version.number());
            print(&format!("{}\n", to.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
