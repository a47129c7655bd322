//! Reading of the pipeline file.

use std::io::ErrorKind;
use std::path::Path;

use tessera_spec::{Loaded, Syntax};

use crate::error::PipelineError;
use crate::scores;

/// Reads and checks a pipeline file. A missing file, or one that is no pipeline file, is an error of the pipeline file; one that the
/// operating system does not allow to be read is an I/O error.
pub fn load(file: &Path, vars: &[(String, String)]) -> Result<Loaded, PipelineError> {
    let loaded = load_as_advised(file, vars)?;
    match loaded.warnings.has_errors() {
        true => Err(PipelineError::Invalid(Box::new(loaded.warnings))),
        false => Ok(loaded),
    }
}

/// The same also of a file with mistakes after which the rest can be checked as if their advice had been followed: these are among the
/// warnings.
pub(crate) fn load_as_advised(
    file: &Path,
    vars: &[(String, String)],
) -> Result<Loaded, PipelineError> {
    let is_none = |kind| {
        matches!(
            kind,
            ErrorKind::NotFound
                | ErrorKind::IsADirectory
                | ErrorKind::FileTooLarge
                | ErrorKind::InvalidData
        )
    };
    match tessera_spec::read(file) {
        Err(error) if !is_none(error.kind()) => Err(PipelineError::Io {
            step: "cannot read",
            path: file.to_owned(),
            error,
        }),
        read => tessera_spec::loaded(file, read, vars, &syntax())
            .map_err(|found| PipelineError::Invalid(Box::new(found))),
    }
}

/// What a pipeline file may say of every kind, by the crates that know what the kinds mean.
pub fn syntax() -> Syntax {
    Syntax {
        scores: scores::syntax(),
        formats: tessera_ingest::formats(),
        ..tessera_segments::syntax()
    }
}

/// The JSON Schema of pipeline files, as it is committed.
pub fn schema_text() -> String {
    tessera_spec::schema_text(&syntax())
}
