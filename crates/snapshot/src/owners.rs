//! `PIPELINES`: the pipelines that publish into a store. `latest` would alternate between two pipelines in one store, so a
//! second one is rejected unless both declare that they share it. A pipeline that was renamed keeps the names that it had, so that
//! its versions stay its own. All of it can be read from the commits, where the file is missing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::StoreError;
use crate::folder::Folder;
use crate::step::Step;
use crate::store::Store;

/// Name of the file.
const FILE: &str = "PIPELINES";

/// A pipeline that publishes into a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name of the pipeline.
    pub name: String,
    /// Whether it declares that it shares the store.
    pub shared: bool,
    /// The name that it had before.
    pub was: Option<String>,
}

/// A pipeline as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    name: String,
    #[serde(default)]
    shared: bool,
    /// All names that it had before; none in a record of an earlier program.
    before: Option<BTreeSet<String>>,
}

/// Content of the file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Owners {
    pipelines: Vec<Known>,
}

impl Known {
    /// Its names, now and before.
    fn names(&self) -> impl Iterator<Item = &String> {
        self.before.iter().flatten().chain([&self.name])
    }
}

impl Owners {
    /// Takes a pipeline in: one that is known by this name, or by the one that it had, has both from now on.
    fn take(&mut self, owner: &Owner) {
        let is_own =
            |known: &Known| known.name == owner.name || owner.was.as_ref() == Some(&known.name);
        let (own, mut others): (Vec<_>, Vec<_>) =
            self.pipelines.drain(..).partition(|known| is_own(known));
        let mut before: BTreeSet<String> = own.iter().flat_map(Known::names).cloned().collect();
        before.extend(owner.was.clone());
        before.remove(&owner.name);
        // A name that another pipeline has by now is no longer that of this one.
        before.retain(|name| !others.iter().any(|other| other.name == *name));
        for other in &mut others {
            if let Some(before) = &mut other.before {
                before.remove(&owner.name);
            }
        }
        others.push(Known {
            name: owner.name.clone(),
            shared: owner.shared,
            before: Some(before),
        });
        others.sort_by(|a, b| a.name.cmp(&b.name));
        self.pipelines = others;
    }
}

impl Store {
    /// Records the pipeline in the store.
    ///
    /// # Errors
    /// [`StoreError::OtherPipeline`] where the store holds versions of another one, and not both share it.
    pub fn claim(&self, owner: &Owner) -> Result<(), StoreError> {
        let known = self.owners()?;
        if known.as_ref() == Some(&self.with(known.as_ref(), owner)?) {
            return Ok(());
        }
        let _lock = self.lock()?;
        self.claim_locked(owner)
    }

    /// As [`Store::claim`]; the caller holds the lock.
    pub(crate) fn claim_locked(&self, owner: &Owner) -> Result<(), StoreError> {
        let known = self.owners()?;
        let wanted = self.with(known.as_ref(), owner)?;
        if known.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let bytes = serde_json::to_vec_pretty(&wanted)
            .map_err(|error| StoreError::io("write file", &self.root.join(FILE), error))?;
        self.replace(Step::NamePipeline, &self.root, FILE, &bytes)?;
        self.root
            .sync()
            .map_err(|error| StoreError::io("fsync store", self.path(), error))
    }

    /// Whether the pipeline may publish into the store; nothing is written.
    ///
    /// # Errors
    /// [`StoreError::OtherPipeline`] where the store holds versions of another one, and not both share it.
    pub fn admit(&self, owner: &Owner) -> Result<(), StoreError> {
        self.with(self.owners()?.as_ref(), owner).map(drop)
    }

    /// All names of the pipeline that has, or had, this one.
    ///
    /// # Errors
    /// `PIPELINES` is missing or of an earlier program, and the commits cannot be read.
    pub fn names_of(&self, name: &str) -> Result<BTreeSet<String>, StoreError> {
        // What is wrong with the file, a run says.
        let known = self.owners().ok().flatten();
        let known = self.complete(known.as_ref())?.pipelines;
        let now = known.iter().find(|known| known.name == name);
        let found = now.or_else(|| {
            let mut had = known.iter();
            had.find(|known| known.names().any(|before| before == name))
        });
        let mut names: BTreeSet<String> =
            found.into_iter().flat_map(Known::names).cloned().collect();
        names.insert(name.to_owned());
        Ok(names)
    }

    /// The pipelines recorded in the store; `None` where there is no record.
    fn owners(&self) -> Result<Option<Owners>, StoreError> {
        let Some(bytes) = Folder::read(&self.root, FILE)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let way_out = "remove it: the next run writes it from the commits";
            StoreError::damaged(&self.root.join(FILE), format!("{error}; {way_out}"))
        })
    }

    /// The pipelines with this one among them.
    fn with(&self, known: Option<&Owners>, owner: &Owner) -> Result<Owners, StoreError> {
        // Without a commit the store belongs to no pipeline yet.
        let mut owners = match self.numbers()?.is_empty() {
            true => Owners::default(),
            false => self.complete(known)?,
        };
        owners.take(owner);
        let mut others = owners.pipelines.iter();
        match others.find(|known| known.name != owner.name && !(known.shared && owner.shared)) {
            Some(other) => Err(StoreError::OtherPipeline {
                path: self.path().to_owned(),
                other: other.name.clone(),
                own: owner.name.clone(),
            }),
            None => Ok(owners),
        }
    }

    /// The record; where it is missing, or does not state earlier names, with what the commits state.
    fn complete(&self, known: Option<&Owners>) -> Result<Owners, StoreError> {
        let recorded = known.map_or(&[][..], |known| &known.pipelines);
        if known.is_some() && recorded.iter().all(|known| known.before.is_some()) {
            let pipelines = recorded.to_vec();
            return Ok(Owners { pipelines });
        }
        let mut owners = Owners::default();
        for number in self.numbers()? {
            match self.stated_by(number) {
                Ok(stated) => stated.iter().for_each(|owner| owners.take(owner)),
                // A damaged commit is named by what needs the version.
                Err(StoreError::DamagedCommit { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // Several pipelines have published here, so all of them declared that they share the store, which their commits do not state.
        let shared = owners.pipelines.len() > 1;
        for known in &mut owners.pipelines {
            known.shared = shared;
        }
        for known in recorded {
            owners.take(&Owner {
                name: known.name.clone(),
                shared: known.shared,
                was: None,
            });
        }
        Ok(owners)
    }

    /// The pipeline that a commit states.
    fn stated_by(&self, version: u64) -> Result<Option<Owner>, StoreError> {
        let pipeline = self.pipeline_of(version)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(text(&pipeline["name"]).map(|name| Owner {
            name,
            shared: false,
            was: text(&pipeline["was"]),
        }))
    }
}
