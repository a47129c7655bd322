//! Which versions of a store are those of a pipeline, also where it was renamed.

use std::collections::BTreeSet;

use tessera_snapshot::Version;
use tessera_spec::Pipeline;

/// Key of the commit's `pipeline` object under which its name stands.
const NAME: &str = "name";

/// Key of the commit's `pipeline` object under which the name stands that the pipeline had before it was renamed.
pub(crate) const WAS: &str = "was";

/// The names of one pipeline: now, and before it was renamed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Those that the pipeline file states.
    pub(crate) fn stated(pipeline: &Pipeline) -> Self {
        let names = pipeline.was.iter().chain([&pipeline.name]);
        Self(names.cloned().collect())
    }

    /// Those that a version states.
    pub(crate) fn of(version: &Version) -> Self {
        let stated = &version.commit().pipeline;
        let names = [NAME, WAS].iter().filter_map(|key| stated[*key].as_str());
        Self(names.map(str::to_owned).collect())
    }

    /// Whether an earlier version is one of this pipeline; then it has the names of that version, too.
    pub(crate) fn follow(&mut self, earlier: &Version) -> bool {
        let is_own = self.has(earlier);
        if is_own {
            self.0.extend(Self::of(earlier).0);
        }
        is_own
    }

    /// Whether a version is one of this pipeline.
    pub(crate) fn has(&self, version: &Version) -> bool {
        let name = version.commit().pipeline[NAME].as_str();
        name.is_some_and(|name| self.0.contains(name))
    }
}
