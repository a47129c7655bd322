//! The identity of a run: everything that its published bytes depend on.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tessera_snapshot::RunIdentity;

use crate::digits::digits;
use crate::history;
use crate::name::WAS;
use crate::pins::Pins;
use crate::prepared::Prepared;
use crate::publish;

/// To be changed when the published tables change although the program's sources, which are hashed, do not.
const FORMAT: &str = "tessera-tables 2";

/// Key of the commit's `pipeline` object under which the canonical pipeline stands.
pub(crate) const DECLARED: &str = "declared";

/// Key of the commit's `pipeline` object under which the last day stands on which a row may have become known.
pub(crate) const KNOWN_AS_OF: &str = "known_as_of";

/// Key of the commit's `pipeline` object under which the hash of the pins of the day stands, where there are any.
pub(crate) const PINS: &str = "pins";

/// sha256 over the program's own sources, templates and locked dependencies; see `build.rs`.
const SOURCES_SHA256: &str = env!("TESSERA_SOURCES_SHA256");

/// The identity of a run: format, program, canonical pipeline, pins, dates, frozen edges and inputs. The store adds the version that
/// comes before. Nothing in it depends on the order of tables and keys in the pipeline file, or on where lake and store lie.
pub(crate) fn identity(prepared: &Prepared) -> RunIdentity {
    let inputs = inputs(prepared);
    let parts = json!([
        FORMAT,
        SOURCES_SHA256,
        tessera_spec::canonical(&prepared.pipeline),
        prepared.pins,
        prepared.as_of.to_string(),
        prepared.known_as_of.to_string(),
        prepared.artifacts.pinned(&prepared.pipeline),
        inputs
    ]);
    let hash = Sha256::digest(parts.to_string().as_bytes());
    RunIdentity {
        run_key: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        as_of: prepared.as_of,
        program: program(),
        pipeline: pipeline(prepared),
        inputs,
    }
}

/// Name of the program, its version, and the hash of its sources.
pub(crate) fn program() -> String {
    format!(
        "tessera {}, sources {SOURCES_SHA256}",
        env!("CARGO_PKG_VERSION")
    )
}

/// The parts of the pipeline that a report and the next version need.
pub(crate) fn pipeline(prepared: &Prepared) -> Value {
    let mut meta = serde_json::to_value(publish::meta(prepared)).unwrap_or(Value::Null);
    if let Some(meta) = meta.as_object_mut() {
        meta.insert(
            history::DEFINITIONS.to_owned(),
            history::definitions(prepared),
        );
        let declared = tessera_spec::canonical(&prepared.pipeline);
        let declared = serde_json::from_str(&declared).unwrap_or(Value::Null);
        meta.insert(DECLARED.to_owned(), declared);
        let known = prepared.known_as_of.to_string();
        meta.insert(KNOWN_AS_OF.to_owned(), known.into());
        let was = prepared.pipeline.was.as_deref();
        meta.extend(was.map(|was| (WAS.to_owned(), was.into())));
        let pins = pins(&prepared.pins);
        meta.extend(pins.map(|pins| (PINS.to_owned(), pins.into())));
    }
    meta
}

/// Hash of the pins that hold on the day of a run; none where there are none.
pub(crate) fn pins(pins: &Pins) -> Option<String> {
    (!pins.is_empty()).then(|| digits(&json!(pins).to_string()))
}

/// The files of every source, by its name.
pub(crate) fn inputs(prepared: &Prepared) -> Value {
    let mut inventories: Vec<_> = prepared.inventories.iter().collect();
    inventories.sort_by(|a, b| a.source.cmp(&b.source));
    inventories
        .into_iter()
        .map(|inventory| json!({"source": inventory.source, "files": inventory.files}))
        .collect()
}
