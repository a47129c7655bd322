//! One file per command: parse, call one library function, render.

mod backfill;
mod check;
mod completions;
mod demo;
mod diff;
mod experiment;
mod explain;
mod export;
mod features;
mod gc;
mod init;
mod named_version;
mod path;
mod plan;
mod report;
mod run;
mod schema;
mod snapshots;
mod verify;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::output::Failure;
use crate::panics;

/// Runs the command. A panic becomes an internal error with a message.
pub(crate) fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { output, command } = arguments;
    catch_unwind(AssertUnwindSafe(|| match command {
        Command::Demo(demo) => demo::run(&demo, &output),
        Command::Init(init) => init::run(&init, &output),
        Command::Check(check) => check::run(&check, &output),
        Command::Run(run) => run::run(&run, &output),
        Command::Plan(arguments) => plan::run(&arguments, &output),
        Command::Backfill(arguments) => backfill::run(&arguments, &output),
        Command::Report(report) => report::run(&report, &output),
        Command::Export(arguments) => export::run(&arguments, &output),
        Command::Snapshots(store) => snapshots::list(&store, &output),
        Command::Path(folder) => path::run(&folder, &output),
        Command::Diff(arguments) => diff::run(&arguments, &output),
        Command::Experiment(arguments) => experiment::run(&arguments, &output),
        Command::Explain(arguments) => explain::run(&arguments, &output),
        Command::Verify(verify) => verify::run(&verify, &output),
        Command::Repair(store) => verify::repair(&store, &output),
        Command::Gc(arguments) => gc::run(&arguments, &output),
        Command::Features(features) => features::run(&features, &output),
        Command::Schema(schema) => schema::run(&schema, &output),
        Command::Completions(completions) => completions::run(&completions),
    }))
    .unwrap_or_else(|_| Err(panics::failure()))
}
