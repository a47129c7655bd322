//! Schemes whose segments are those of an earlier definition, because today's falls short of a gate with
//! `on_fail = "hold_previous"`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Value, json};
use tessera_segments::{Quality, QualityStatus, Threshold};
use tessera_snapshot::Version;
use tessera_spec::pipeline::Scheme;

use crate::identity::{self, DECLARED};
use crate::prepared::Prepared;

/// Key of the commit's `pipeline` object under which earlier definitions stand that served the version, by scheme.
const HELD: &str = "held";

/// The measure in `quality` that says which definition serves a scheme that falls short of such a gate.
pub(crate) const HOLD_PREVIOUS: &str = "hold_previous";

/// A definition of a scheme that assigned the customers of a version.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Held {
    /// The scheme as it was declared.
    pub(crate) scheme: Scheme,
    /// Day of the version that declared it.
    pub(crate) as_of: NaiveDate,
}

/// The pipeline of a run with the earlier definitions that serve it.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    /// The pipeline in which they stand for today's.
    pub(crate) prepared: Arc<Prepared>,
    /// By scheme.
    pub(crate) held: BTreeMap<String, Held>,
}

impl Served {
    /// With one more scheme that an earlier definition serves.
    pub(crate) fn with(before: Option<&Self>, prepared: Prepared, held: Held) -> Self {
        let mut all = before.map(|served| served.held.clone()).unwrap_or_default();
        all.insert(held.scheme.name.value.clone(), held);
        Self {
            prepared: Arc::new(prepared),
            held: all,
        }
    }

    /// What the commit states of the pipeline, of which `declared` is today's.
    pub(crate) fn stated(&self, declared: &Value) -> Value {
        let mut stated = identity::pipeline(&self.prepared);
        if let Some(stated) = stated.as_object_mut() {
            stated.insert(DECLARED.to_owned(), declared[DECLARED].clone());
            stated.insert(HELD.to_owned(), json!(self.held));
        }
        stated
    }
}

/// Whether an earlier definition than that of its pipeline gave a version the segments of a scheme.
pub(crate) fn is_held(version: &Version, scheme: &str) -> bool {
    !version.commit().pipeline[HELD][scheme].is_null()
}

/// What a version states of a scheme: the definition by which it assigned the customers, before that of its pipeline where it is another.
pub(crate) fn stated<'v>(version: &'v Version, scheme: &str) -> impl Iterator<Item = &'v Value> {
    let pipeline = &version.commit().pipeline;
    let held = &pipeline[HELD][scheme]["scheme"];
    let declared = pipeline[DECLARED]["schemes"].as_array();
    let declared = declared
        .into_iter()
        .flatten()
        .find(|known| known["name"] == scheme);
    std::iter::once(held)
        .filter(|held| !held.is_null())
        .chain(declared)
}

/// The definition by which a version assigned the customers in a scheme; none where it does not state one that can be read.
pub(crate) fn serving(version: &Version, scheme: &str) -> Option<Held> {
    let held = &version.commit().pipeline[HELD][scheme];
    let as_of = match held.is_null() {
        true => version.as_of(),
        false => held["as_of"].as_str()?.parse().ok()?,
    };
    let scheme = tessera_segments::declared(stated(version, scheme).next()?)?;
    Some(Held { scheme, as_of })
}

/// The canonical pipeline of a version with the definitions of schemes by which it assigned its customers.
pub(crate) fn declared(version: &Version) -> Value {
    let stated = &version.commit().pipeline;
    let mut declared = stated[DECLARED].clone();
    let schemes = declared["schemes"].as_array_mut().into_iter().flatten();
    for scheme in schemes {
        let held = scheme["name"].as_str().map(|name| &stated[HELD][name]);
        if let Some(held) = held.filter(|held| !held.is_null()) {
            *scheme = held["scheme"].clone();
        }
    }
    declared
}

/// The row of `quality` of a scheme that falls short of gates that hold the previous definition. `serves`: the day of the
/// definition that serves, or why none can.
pub(crate) fn row(short: &[String], serves: Result<NaiveDate, String>) -> Quality {
    let measures = short.join("; ");
    let reason = match serves {
        Ok(day) => format!("the definition of {day} serves, because with today's {measures}"),
        Err(why) => format!("no earlier definition serves, because {why}; {measures}"),
    };
    Quality {
        segment: String::new(),
        criterion: "held",
        metric: HOLD_PREVIOUS.to_owned(),
        value: Some(short.len() as f64),
        threshold: Some(Threshold::at_most(0.0)),
        status: QualityStatus::Flagged,
        reason: Some(reason),
    }
}
