//! Segments of a scheme that nobody is in by its rules, so that an assignment lacks them, but into which customers can be put.

use tessera_history::Declared;
use tessera_segments::{Assignment, SegmentInfo, Vacant, segment_id};
use tessera_spec::pipeline::{Scheme, SchemeInput};

use super::History;
use crate::prepared::Prepared;

impl History {
    /// The segment of that name, with its permanent id, where the scheme has it. The value of a label is one where customers had it
    /// before, and the scheme assigned by the same label then.
    pub(super) fn vacant(
        &self,
        prepared: &Prepared,
        scheme: &Scheme,
        name: &str,
    ) -> Option<SegmentInfo> {
        let limits = &prepared.pipeline.features.lifecycle;
        let found = tessera_segments::vacant(scheme, limits, name)?;
        if matches!(found, Vacant::Label(_)) && !self.had(scheme, name) {
            return None;
        }
        let own = scheme.name.value.as_str();
        let was = scheme.naming.was(name);
        let first = |segment: &str| segment_id(own, segment);
        let ids = self.ledger.declare(own, &[Declared { name, was }], first);
        Some(SegmentInfo {
            id: *ids.first()?,
            name: name.to_owned(),
            rule: Some(found.rule().to_owned()),
        })
    }

    /// The segment that goes on as this one of the previous version, where nobody of an assignment is in it; none where the scheme does
    /// not have it any more.
    pub(super) fn vacant_since(
        &self,
        prepared: &Prepared,
        (scheme, assignment): (&Scheme, &Assignment),
        (id, name): (i64, &str),
    ) -> Option<SegmentInfo> {
        let mut renamed = scheme.naming.was.iter();
        let renamed = renamed.find(|(_, was)| was == name);
        let name = renamed.map_or(name, |(name, _)| name.as_str());
        let is_there = |segment: &SegmentInfo| segment.name == name;
        let found = self.vacant(prepared, scheme, name)?;
        (found.id == id && !assignment.segments.iter().any(is_there)).then_some(found)
    }

    /// Whether customers had the value of a label, or the one that it is renamed from, in an earlier version.
    fn had(&self, scheme: &Scheme, name: &str) -> bool {
        let own = scheme.name.value.as_str();
        let names = [Some(name), scheme.naming.was(name)];
        let is_known = self.ledger.entries().any(|(of, _, entry)| {
            of == own && names.iter().flatten().any(|name| entry.name == *name)
        });
        let label = |scheme: &Scheme| -> Vec<String> {
            let inputs = scheme.kind.settings().inputs();
            let names = inputs.iter().map(SchemeInput::name);
            names.map(str::to_owned).collect()
        };
        let before = self.serving(own);
        is_known && before.is_none_or(|before| label(&before.scheme) == label(scheme))
    }
}
