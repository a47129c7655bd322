//! `tessera`: computes customer segments from a lake of Parquet, CSV or NDJSON files and publishes them as versions.
//!
//! Each command parses its arguments, calls one library function and renders what comes back: see `commands/`.

mod allocator;
mod arguments;
mod commands;
mod interrupt;
mod memory;
mod output;
mod panics;
mod processor;
mod progress;
mod signals;
mod size;
#[cfg(target_os = "linux")]
mod supervisor;
mod telemetry;
mod whole_file;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    telemetry::prepare(&given);
    // First of all, since the rest of the program may use these instructions anywhere.
    if let Some(missing) = processor::missing_feature() {
        return output::fail(&output::Failure::new(
            format!(
                "this build of tessera needs a processor with {missing} (x86-64-v3, as made since 2013 by Intel and 2015 by AMD)\n  \
                 help: build it for this machine: RUSTFLAGS=\"-C target-cpu=x86-64\" cargo build --release -p tessera-cli"
            ),
            1,
        ));
    }
    let arguments = match arguments::Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        Err(error) => {
            let json = given.iter().any(|argument| argument == "--json");
            return output::usage(&error, json);
        }
    };
    // Names of runs and logs hold the time.
    if let Err(error) = tessera_snapshot::check_clock() {
        return output::fail(&error.into());
    }
    #[cfg(target_os = "linux")]
    if let Some(code) = supervisor::supervise(&arguments, &given) {
        return code;
    }
    telemetry::start(&arguments.output);
    if arguments.output.json {
        output::use_json_results();
    }
    match commands::dispatch(arguments) {
        Ok(code) => code,
        Err(failure) => output::fail(&failure),
    }
}
