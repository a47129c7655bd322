//! `tessera path`

use std::process::ExitCode;

use serde_json::json;
use tessera_snapshot::Store;

use super::named_version;
use crate::arguments::{FolderOf, Output};
use crate::output::{Failure, print_document, print_json};

/// Prints the folder of a version's tables, with links resolved, after checking that its files exist.
pub(crate) fn run(arguments: &FolderOf, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open(&arguments.store)?;
    let version = named_version::numbered(&store, arguments.version)?;
    version.check()?;
    let folder = version
        .folder()
        .canonicalize()
        .map_err(|error| Failure::io("resolve folder", version.folder(), &error))?;
    if output.json {
        print_json(&json!({
            "version": version.number(), "as_of": version.as_of().to_string(), "folder": folder,
        }))?;
    } else {
        print_document(&format!("{}\n", folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
