//! The permanent ids of segments to which a scheme assigns customers in another state: rules may read them.

use std::collections::BTreeMap;

use tessera_history::{Declared, Ledger};
use tessera_segments::{Assignment, segment_id};
use tessera_spec::pipeline::Scheme;

/// Gives segments the ids that segments of their names have in the run; those that nobody of the run is in, the ids that they would
/// have.
pub(crate) fn identify(
    ledger: &Ledger,
    scheme: &Scheme,
    published: &Assignment,
    made: &mut Assignment,
) {
    let own = scheme.name.value.as_str();
    let known = published.segments.iter();
    let known: BTreeMap<&str, i64> = known.map(|one| (one.name.as_str(), one.id)).collect();
    for segment in &mut made.segments {
        let name = segment.name.as_str();
        let declared = || {
            let was = scheme.naming.was(name);
            let first = |segment: &str| segment_id(own, segment);
            ledger.declare(own, &[Declared { name, was }], first).pop()
        };
        let id = known.get(name).copied();
        let id = match scheme.finds_clusters() {
            true => id,
            false => id.or_else(declared),
        };
        segment.id = id.unwrap_or(segment.id);
    }
}
