//! `tessera diff`

use std::process::ExitCode;

use tessera_snapshot::Store;

use super::named_version;
use crate::arguments::{Diff, Output};
use crate::output::{Failure, print, print_json};
use crate::progress;

/// Compares two versions of a store.
pub(crate) fn run(arguments: &Diff, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open(&arguments.store)?;
    let from = named_version::find(&store, arguments.from)?;
    let to = named_version::find(&store, arguments.to)?;
    let bar = progress::spinner(
        output,
        &format!("comparing versions {} and {}", from.number(), to.number()),
    );
    let found = tessera_pipeline::diff::diff(&store, &from, &to, arguments.sample);
    bar.finish_and_clear();
    let found = found?;
    match output.json {
        true => print_json(&serde_json::to_value(&found)?)?,
        false => print(&found.to_text())?,
    }
    Ok(ExitCode::SUCCESS)
}
