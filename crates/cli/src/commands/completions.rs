//! `tessera completions`

use std::process::ExitCode;

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::output::{Failure, print_document};

/// Writes the completions of a shell to stdout.
pub(crate) fn run(arguments: &Completions) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "tessera",
        &mut text,
    );
    print_document(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}
