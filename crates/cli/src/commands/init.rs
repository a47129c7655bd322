//! `tessera init`

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;
use tessera_pipeline::draft::{Wanted, draft};

use super::run::use_threads;
use crate::arguments::{Init, Output};
use crate::interrupt;
use crate::output::{Failure, print, print_json, tell};

/// Writes a first pipeline file for a lake, and says what each table is in it.
pub(crate) fn run(arguments: &Init, output: &Output) -> Result<ExitCode, Failure> {
    use_threads(output);
    interrupt::watch();
    let out = arguments.out.as_deref();
    if let Some(file) = out.filter(|file| file.exists()) {
        let message = format!("{} exists; name a new file with `--out`", file.display());
        return Err(Failure::new(message, 2));
    }
    let wanted = Wanted {
        lake: arguments.lake.clone(),
        key: arguments.key.clone(),
        name: arguments.name.clone(),
        timezone: arguments.timezone.to_string(),
        currency: arguments.currency.clone(),
    };
    let draft = draft(&wanted, &|what| tell(output, what))?;
    if let Some(file) = out {
        let mut made = OpenOptions::new();
        made.write(true).create_new(true);
        made.open(file)
            .and_then(|mut made| made.write_all(draft.text.as_bytes()))
            .map_err(|error| Failure::io("write pipeline file", file, &error))?;
    }
    if output.json {
        let day = draft.as_of.map(|day| day.to_string());
        print_json(
            &json!({"pipeline": draft.text, "file": out, "as_of": day, "tables": draft.tables}),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in &draft.tables {
        tell(output, line);
    }
    let Some(file) = out else {
        print(&draft.text)?;
        return Ok(ExitCode::SUCCESS);
    };
    let file = file.display();
    let day = draft
        .as_of
        .map_or_else(String::new, |day| format!(" --as-of {day}"));
    print(&format!("{file}\n"))?;
    tell(
        output,
        &format!("next: tessera check {file}; tessera run {file}{day}"),
    );
    Ok(ExitCode::SUCCESS)
}
