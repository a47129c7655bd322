//! Reading of the pipeline file.

use std::io::ErrorKind;
use std::path::Path;

use tessera_spec::Loaded;

use crate::error::PipelineError;

/// Reads and checks a pipeline file. A missing file is an error of the pipeline file; one that the operating system does not allow
/// to be read is an I/O error.
pub fn load(file: &Path, vars: &[(String, String)]) -> Result<Loaded, PipelineError> {
    if let Err(error) = std::fs::read(file)
        && !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory)
    {
        return Err(PipelineError::Io {
            step: "cannot read",
            path: file.to_owned(),
            error,
        });
    }
    tessera_spec::load(file, vars).map_err(|found| PipelineError::Invalid(Box::new(found)))
}
