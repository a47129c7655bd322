//! What a plan depends on, so that a run can tell whether it is still the one that was planned.

use serde::{Deserialize, Serialize};
use tessera_snapshot::{Store, StoreError};

use crate::digits::digits;
use crate::error::PipelineError;
use crate::identity;
use crate::prepared::Prepared;

/// What a plan depends on. Texts are sha256 where they would be long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The day, and the last day on which a row may have become known.
    days: [chrono::NaiveDate; 2],
    program: String,
    pipeline: String,
    inputs: String,
    /// The version before the day, and the newest one of it: their number and run.
    versions: [Option<(u64, String)>; 2],
    /// Everything else that a run depends on, such as pins.
    run: String,
}

impl Basis {
    /// The day of the run.
    pub fn as_of(&self) -> chrono::NaiveDate {
        self.days[0]
    }

    /// What a run of a pipeline depends on now.
    pub(crate) fn of(prepared: &Prepared, store: Option<&Store>) -> Result<Self, PipelineError> {
        let identity = identity::identity(prepared);
        let known = |version: Option<tessera_snapshot::Version>| {
            version.map(|version| (version.number(), version.commit().idempotency_key.clone()))
        };
        // A run compares nothing with a version that has expired.
        let before = match store
            .map(|store| store.previous(prepared.as_of))
            .transpose()
        {
            Err(StoreError::Expired { .. }) => None,
            found => found?.flatten(),
        };
        let of_day = match store.map(|store| store.of_day(prepared.as_of)).transpose() {
            Err(StoreError::NoDay { .. } | StoreError::Expired { .. }) => None,
            found => found?,
        };
        Ok(Self {
            days: [prepared.as_of, prepared.known_as_of],
            program: identity.program,
            pipeline: digits(&tessera_spec::canonical(&prepared.pipeline)),
            inputs: digits(&identity.inputs.to_string()),
            versions: [known(before), known(of_day)],
            run: identity.run_key,
        })
    }

    /// Whether a run of now is the planned one, whatever has been published of its day since.
    pub(crate) fn is_run_of(&self, now: &Self) -> bool {
        self.run == now.run && self.versions[0] == now.versions[0]
    }

    /// What is not as it was planned, in words; nothing where all is.
    pub(crate) fn changed(&self, now: &Self) -> Vec<String> {
        let mut changed = Vec::new();
        let [then, day] = [self.days[0], now.days[0]];
        if then != day {
            changed.push(format!("the plan is of {then}, and the run of {day}"));
        }
        if self.days[1] != now.days[1] {
            changed.push("rows are known up to another day".to_owned());
        }
        if self.pipeline != now.pipeline {
            changed.push("the pipeline was edited".to_owned());
        }
        if self.inputs != now.inputs {
            changed.push("the files of the lake are others".to_owned());
        }
        if self.program != now.program {
            changed.push("the program is another one".to_owned());
        }
        for (what, then, now) in [
            (
                "the version before the day",
                &self.versions[0],
                &now.versions[0],
            ),
            (
                "the newest version of the day",
                &self.versions[1],
                &now.versions[1],
            ),
        ] {
            let number = |version: &Option<(u64, String)>| {
                version
                    .as_ref()
                    .map_or_else(|| "none".to_owned(), |(number, _)| number.to_string())
            };
            if then != now {
                changed.push(format!(
                    "{what} was {}, and is {}",
                    number(then),
                    number(now)
                ));
            }
        }
        if changed.is_empty() && self.run != now.run {
            changed.push("pins, or edges of a stated version, are others".to_owned());
        }
        changed
    }
}
