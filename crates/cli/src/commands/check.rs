//! `tessera check`

use std::process::ExitCode;

use serde_json::json;
use tessera_pipeline::Reading;

use crate::arguments::{Check, Output};
use crate::output::{Failure, diagnostics, print, print_json, say};

/// Checks every file; the exit code is 2 if one has errors.
pub(crate) fn run(check: &Check, output: &Output) -> Result<ExitCode, Failure> {
    let reading = Reading {
        vars: check.vars.vars.clone(),
        ..Reading::default()
    };
    let mut worst = 0;
    let mut results = Vec::new();
    for file in &check.files {
        match tessera_pipeline::check(file, &reading, !check.no_lake) {
            Ok(checked) => {
                if output.json {
                    results.push(json!({"file": file, "ok": true, "summary": checked.summary, "diagnostics": checked.warnings.to_json()}));
                } else {
                    say(checked.warnings.render(false).trim_end());
                    print(&format!("{}: ok: {}\n", file.display(), checked.summary))?;
                }
            }
            Err(error) => {
                worst = worst.max(error.exit_code());
                if output.json {
                    let diagnostics = diagnostics(&error);
                    results.push(json!({"file": file, "ok": false, "diagnostics": diagnostics}));
                } else {
                    crate::output::fail(&error.into());
                }
            }
        }
    }
    if output.json {
        print_json(&results.into())?;
    }
    Ok(ExitCode::from(worst))
}
