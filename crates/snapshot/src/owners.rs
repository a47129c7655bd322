//! `PIPELINES`: the pipelines that publish into a store. `latest` would alternate between two pipelines in one store, so a
//! second one is rejected unless both declare that they share it.

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::folder::Folder;
use crate::step::Step;
use crate::store::Store;

/// Name of the file.
const FILE: &str = "PIPELINES";

/// A pipeline that publishes into a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the pipeline.
    pub name: String,
    /// Whether it declares that it shares the store.
    #[serde(default)]
    pub shared: bool,
    /// The name that it had before.
    #[serde(skip)]
    pub was: Option<String>,
}

/// Content of the file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Owners {
    pipelines: Vec<Owner>,
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
        let wanted = self.with(self.owners()?.as_ref(), owner)?;
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

    /// The pipelines recorded in the store; `None` where there is no record.
    fn owners(&self) -> Result<Option<Owners>, StoreError> {
        let Some(bytes) = Folder::read(&self.root, FILE)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let way_out = "remove it: the next run writes it from the newest commit";
            StoreError::damaged(&self.root.join(FILE), format!("{error}; {way_out}"))
        })
    }

    /// The pipelines with this one among them.
    fn with(&self, known: Option<&Owners>, owner: &Owner) -> Result<Owners, StoreError> {
        // A store of an earlier program names its pipeline in its newest commit. Without a commit it belongs to no pipeline yet.
        let newest = self.numbers()?.last().copied();
        let mut pipelines = match (known, newest) {
            (_, None) => Vec::new(),
            (Some(known), Some(_)) => known.pipelines.clone(),
            (None, Some(newest)) => self.owner_of(newest)?.into_iter().collect(),
        };
        pipelines
            .retain(|other| other.name != owner.name && owner.was.as_ref() != Some(&other.name));
        if let Some(other) = pipelines
            .iter()
            .find(|other| !(other.shared && owner.shared))
        {
            return Err(StoreError::OtherPipeline {
                path: self.path().to_owned(),
                other: other.name.clone(),
                own: owner.name.clone(),
            });
        }
        pipelines.push(Owner {
            was: None,
            ..owner.clone()
        });
        pipelines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Owners { pipelines })
    }

    fn owner_of(&self, version: u64) -> Result<Option<Owner>, StoreError> {
        let version = self.version(version);
        if let Err(StoreError::Expired { .. }) = version {
            return Ok(None);
        }
        let name = version?.commit().pipeline["name"]
            .as_str()
            .map(str::to_owned);
        Ok(name.map(|name| Owner {
            name,
            shared: false,
            was: None,
        }))
    }
}
