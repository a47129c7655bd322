//! `tessera experiment`

use std::path::Path;
use std::process::ExitCode;

use tessera_snapshot::Store;

use super::named_version;
use crate::arguments::{Experiment, Output};
use crate::output::{Failure, print, print_json};

/// Shows what the experiments of a version show.
pub(crate) fn run(arguments: &Experiment, output: &Output) -> Result<ExitCode, Failure> {
    let loaded = tessera_pipeline::load(&arguments.pipeline.file, &arguments.pipeline.vars.vars)?;
    let store = Store::open(Path::new(&loaded.pipeline.store))?;
    let version = named_version::find(&store, arguments.version)?;
    let declared = loaded.pipeline.experiments.iter();
    let declared: Vec<String> = declared.map(|one| one.name.value.clone()).collect();
    let name = arguments.name.as_deref();
    let found = tessera_pipeline::readout::readout(&store, &version, name, &declared)?;
    match output.json {
        true => print_json(&serde_json::to_value(&found)?)?,
        false => print(&found.to_text())?,
    }
    Ok(ExitCode::SUCCESS)
}
