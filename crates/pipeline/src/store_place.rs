//! Where the store lies: outside of the folders and the patterns of the sources, whose files are all read.

use std::path::{Path, PathBuf};

use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::Source;

use crate::error::PipelineError;

/// An error where the store lies, or would lie, in the folder or the pattern of a source: the next run would read its tables as rows
/// of the source.
pub(crate) fn check(pipeline: &Pipeline, found: &Diagnostics) -> Result<(), PipelineError> {
    let store = real(Path::new(&pipeline.store));
    let within: Vec<Diagnostic> = pipeline
        .sources
        .iter()
        .filter(|source| is_within(source, &store))
        .map(|source| {
            let message = format!(
                "the store {} lies in the {} of source `{}`, so that the next run would read the store's own tables as rows",
                pipeline.store,
                match Path::new(&source.path.value).is_dir() {
                    true => "folder",
                    false => "path",
                },
                source.name.value
            );
            Diagnostic::error("TS-G028", message, source.path.span.clone())
                .with_help("choose a folder for `store` that no source reads, or a folder below for the source")
        })
        .collect();
    if within.is_empty() {
        return Ok(());
    }
    let mut found = found.clone();
    found.extend(within);
    Err(PipelineError::Invalid(Box::new(found)))
}

fn is_within(source: &Source, store: &Path) -> bool {
    let path = Path::new(&source.path.value);
    if !path.exists() {
        let pattern = tessera_ingest::resolved_pattern(&source.path.value, real);
        let asks_for = |file: &str| {
            let mut pattern = pattern.iter();
            pattern.any(|pattern| tessera_ingest::asks_for(pattern, &store.join(file)))
        };
        return tessera_snapshot::EXAMPLES.iter().any(|file| asks_for(file));
    }
    // Of a Delta table only the files are read that its log names.
    if !path.is_dir() || path.join("_delta_log").exists() {
        return false;
    }
    let below = store.strip_prefix(real(path)).ok();
    // Names with a dot in front are not read.
    let is_read = |below: &Path| {
        let mut parts = below.iter();
        parts.all(|part| !part.to_string_lossy().starts_with('.'))
    };
    below.is_some_and(is_read)
}

/// A path without links as far as it exists.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in whole.ancestors() {
        if let (Ok(found), Ok(rest)) = (above.canonicalize(), whole.strip_prefix(above)) {
            return found.join(rest);
        }
    }
    whole
}
