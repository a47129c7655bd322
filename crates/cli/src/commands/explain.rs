//! `tessera explain`

use std::process::ExitCode;

use tessera_pipeline::explain::{Explanation, explain};
use tessera_snapshot::Store;

use super::named_version;
use crate::arguments::{Explain, Output};
use crate::output::{Failure, print, print_json};
use crate::progress;

/// States why customers are in their segments.
pub(crate) fn run(arguments: &Explain, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open(&arguments.store)?;
    let version = named_version::find(&store, arguments.as_of)?;
    let bar = progress::spinner(output, "reading versions");
    let scheme = arguments.scheme.as_deref();
    let found = explain(&store, &version, &arguments.customers, scheme);
    bar.finish_and_clear();
    let found = found?;
    if output.json {
        print_json(&serde_json::to_value(&found)?)?;
    } else {
        let texts: Vec<String> = found.iter().map(Explanation::to_text).collect();
        print(&texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
