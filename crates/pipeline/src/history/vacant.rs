//! Segments of a scheme that nobody is in by its rules, so that an assignment lacks them, but into which customers can be put.

use tessera_segments::{Assignment, SegmentInfo, Vacant};
use tessera_spec::pipeline::{Scheme, SchemeInput};

use super::History;
use super::ids::{beside, name_now};
use crate::prepared::Prepared;

impl History {
    /// The segment of that name, with its permanent id, where the scheme has it and the assignment does not. The value of a label is one
    /// where customers had it before, and the scheme assigned by the same label then.
    pub(super) fn vacant(
        &self,
        prepared: &Prepared,
        (scheme, assignment): (&Scheme, &Assignment),
        name: &str,
    ) -> Option<SegmentInfo> {
        let limits = &prepared.pipeline.features.lifecycle;
        let found = tessera_segments::vacant(scheme, limits, name)?;
        if matches!(found, Vacant::Label(_)) && !self.had(scheme, name) {
            return None;
        }
        let names = std::iter::once(name);
        let ids = beside(&self.ledger, scheme, &assignment.segments, names);
        Some(SegmentInfo {
            id: *ids.get(name)?,
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
        let renamed = name_now(&self.ledger, scheme, &assignment.segments, (id, name));
        let found = self.vacant(prepared, (scheme, assignment), renamed.unwrap_or(name))?;
        (found.id == id).then_some(found)
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
