//! The permanent ids of segments that nobody of a run is in: of those into which customers can be put, of those to which a scheme
//! assigns customers in another state, which rules may read, and of those that customers only pass through between two versions.

use std::collections::{BTreeMap, BTreeSet};

use tessera_history::{Declared, Ledger};
use tessera_segments::{Assignment, SegmentInfo, segment_id};
use tessera_spec::pipeline::Scheme;

use super::state::Steps;

/// Gives segments the ids that segments of their names have in the run; those that nobody of the run is in, the ids that they would
/// have.
pub(crate) fn identify(
    ledger: &Ledger,
    scheme: &Scheme,
    published: &Assignment,
    made: &mut Assignment,
) {
    let known = published.segments.iter();
    let mut ids: BTreeMap<String, i64> = known.map(|one| (one.name.clone(), one.id)).collect();
    if !scheme.finds_clusters() {
        let names = made.segments.iter().map(|segment| segment.name.as_str());
        ids.extend(beside(ledger, scheme, &published.segments, names));
    }
    for segment in &mut made.segments {
        segment.id = ids.get(&segment.name).copied().unwrap_or(segment.id);
    }
}

/// The ids of the segments that only the states between two versions have.
pub(super) fn of_states(
    ledger: &Ledger,
    scheme: &Scheme,
    published: &Assignment,
    steps: &Steps,
) -> BTreeMap<String, i64> {
    let names = steps.states.iter().flat_map(|(_, state)| &state.names);
    let names = names.map(String::as_str);
    match scheme.finds_clusters() {
        true => names
            .map(|name| (name.to_owned(), segment_id(&scheme.name.value, name)))
            .collect(),
        false => beside(ledger, scheme, &published.segments, names),
    }
}

/// The ids that declared segments would have beside those of a run, by name; of its own segments there are none. Who is called by an
/// earlier name still keeps the id of that name.
pub(super) fn beside<'n>(
    ledger: &Ledger,
    scheme: &Scheme,
    segments: &[SegmentInfo],
    names: impl Iterator<Item = &'n str>,
) -> BTreeMap<String, i64> {
    let there: BTreeSet<&str> = segments.iter().map(|one| one.name.as_str()).collect();
    let names: BTreeSet<&str> = names.filter(|name| !there.contains(name)).collect();
    if names.is_empty() {
        return BTreeMap::new();
    }
    let own = segments.iter().map(|segment| Declared {
        name: &segment.name,
        was: scheme.naming.was(&segment.name),
    });
    let others = names.iter().map(|name| Declared {
        name,
        was: scheme.naming.was(name).filter(|was| !there.contains(was)),
    });
    let declared: Vec<Declared<'_>> = own.chain(others).collect();
    let of = scheme.name.value.as_str();
    let ids = ledger.declare(of, &declared, |segment| segment_id(of, segment));
    let ids = ids.into_iter().skip(segments.len());
    names.into_iter().map(str::to_owned).zip(ids).collect()
}

/// What a segment of an earlier version is called since, where a rename is stated and nobody of a run is in it.
pub(super) fn name_now<'s>(
    ledger: &Ledger,
    scheme: &'s Scheme,
    segments: &[SegmentInfo],
    (id, name): (i64, &str),
) -> Option<&'s str> {
    let mut renamed = scheme.naming.was.iter().filter(|(_, was)| was == name);
    renamed.find_map(|(now, _)| {
        let ids = beside(ledger, scheme, segments, std::iter::once(now.as_str()));
        (ids.get(now) == Some(&id)).then_some(now.as_str())
    })
}
