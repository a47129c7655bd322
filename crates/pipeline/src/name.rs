//! Which versions of a store are those of a pipeline, also where it was renamed.

use std::collections::BTreeSet;

use tessera_snapshot::{Store, StoreError, Version};
use tessera_spec::Pipeline;

/// Key of the commit's `pipeline` object under which its name stands.
const NAME: &str = "name";

/// Key of the commit's `pipeline` object under which the name stands that the pipeline had before it was renamed.
pub(crate) const WAS: &str = "was";

/// The names of one pipeline: now, and before it was renamed, however often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Those that the pipeline file states, and those that the store knows of them.
    pub(crate) fn stated(pipeline: &Pipeline, store: &Store) -> Result<Self, StoreError> {
        let names = pipeline.was.iter().chain([&pipeline.name]);
        Self::known(names.map(String::as_str), store)
    }

    /// Those that a version states, and those that the store knows of them.
    pub(crate) fn of(version: &Version, store: &Store) -> Result<Self, StoreError> {
        Self::known(stated_by(version), store)
    }

    fn known<'a>(names: impl Iterator<Item = &'a str>, store: &Store) -> Result<Self, StoreError> {
        let mut all = BTreeSet::new();
        for name in names {
            all.extend(store.names_of(name)?);
        }
        Ok(Self(all))
    }

    /// Whether an earlier version is one of this pipeline; then it has the names of that version, too.
    pub(crate) fn follow(&mut self, earlier: &Version) -> bool {
        let is_own = self.has(earlier);
        if is_own {
            self.0.extend(stated_by(earlier).map(str::to_owned));
        }
        is_own
    }

    /// Whether a version is one of this pipeline.
    pub(crate) fn has(&self, version: &Version) -> bool {
        stated(version).is_some_and(|name| self.0.contains(name))
    }
}

/// The names that a version states.
fn stated_by(version: &Version) -> impl Iterator<Item = &str> {
    let was = version.commit().pipeline[WAS].as_str();
    stated(version).into_iter().chain(was)
}

/// The name of the pipeline that a version is of, as its commit states it.
pub(crate) fn stated(version: &Version) -> Option<&str> {
    version.commit().pipeline[NAME].as_str()
}
