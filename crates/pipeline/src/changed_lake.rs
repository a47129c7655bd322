//! Whether mistakes are the lake's: the pipeline file has made a version before, so that it is not wrong.

use std::path::Path;

use chrono::NaiveDate;
use serde_json::Value;
use tessera_snapshot::{Store, Version};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostics, Severity};

use crate::error::PipelineError;
use crate::identity::{self, DECLARED};
use crate::pipeline_file::load;
use crate::prepare::{Reading, prepare};
use crate::prepared::Prepared;

/// Prepares a run, as [`prepare`]. Mistakes about columns of the lake are an error of the data if the same pipeline file has made the
/// newest version of its store.
pub fn prepare_run(
    file: &Path,
    as_of: NaiveDate,
    reading: &Reading,
) -> Result<Prepared, PipelineError> {
    prepare(file, as_of, reading).map_err(|error| match error {
        PipelineError::Invalid(found) => judged(file, reading, found),
        other => other,
    })
}

fn judged(file: &Path, reading: &Reading, mut found: Box<Diagnostics>) -> PipelineError {
    let made = load(file, &reading.vars).ok();
    let made = made.and_then(|loaded| newest(&loaded.pipeline));
    let Some(version) = made.filter(|version| are_of_the_lake(&found, version)) else {
        return PipelineError::Invalid(found);
    };
    let version_is = format!(
        "the same pipeline file made version {} of {}, so the files of the lake have changed since",
        version.number(),
        version.as_of()
    );
    found.note_errors(&version_is);
    PipelineError::ChangedLake(found)
}

/// The newest version of the store, if this pipeline made it.
fn newest(pipeline: &Pipeline) -> Option<Version> {
    let path = Path::new(&pipeline.store);
    if !path.join("FORMAT").exists() {
        return None;
    }
    let version = Store::open(path).ok()?.latest().ok()??;
    let declared: Value = serde_json::from_str(&tessera_spec::canonical(pipeline)).ok()?;
    (version.commit().pipeline[DECLARED] == declared).then_some(version)
}

/// Whether all mistakes are about columns and their types. Expressions and features meet columns of the lake too; of these it is known
/// only if the same program read the pipeline file before.
fn are_of_the_lake(found: &Diagnostics, version: &Version) -> bool {
    let same_program = version.commit().program == identity::program();
    let of_the_lake = |code: &str| {
        let met = code.starts_with("TS-E") || code.starts_with("TS-F");
        code.starts_with("TS-D") || same_program && met
    };
    let mut errors = found.iter().filter(|one| one.severity == Severity::Error);
    errors.all(|one| of_the_lake(one.code))
}
