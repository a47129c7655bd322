//! Fitted artifacts: what scores and schemes learn from data, stored beside the version that learned it and applied by later
//! ones.
//!
//! A run decides before it reads a row, by the commit of the version before its day: an artifact is applied as long as what it
//! depends on (`basis`) is unchanged and `refit` is not due; otherwise it is fitted. A fit that is due is compared with the
//! artifact in use, and the better one is used.

mod basis;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_features::FeatureInfo;
use tessera_segments::{Fit, FrozenEdges, RfmGrid, ScoreMethod};
use tessera_snapshot::{CommittedArtifact, NewArtifact, Store, StoreError, Version, artifact_id};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{Learns, Refit, Scheme, SchemeKind};

use crate::error::PipelineError;
use crate::name::Names;
use crate::scores::{self, LearnedScore};

/// Changes when stored artifacts are written in another way.
const FORMAT: u32 = 1;

/// What a score or scheme learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Learned {
    /// By a score.
    Score(Box<LearnedScore>),
    /// By a scheme.
    Scheme(Fit),
}

/// The content of a stored artifact.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    of: String,
    fitted_on: NaiveDate,
    learned: Learned,
}

/// Something learned by an earlier version.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) committed: CommittedArtifact,
    pub(crate) learned: Learned,
}

/// What a run does about one score or scheme that learns.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// Hashes of what it depends on.
    pub(crate) basis: BTreeMap<String, String>,
    /// What an earlier version learned, with the same basis.
    pub(crate) known: Option<Known>,
    /// Why it is fitted; `None` where the known one is applied.
    pub(crate) fit: Option<String>,
    /// What has another meaning now than when frozen edges were fitted, which stay all the same.
    pub(crate) differs: Option<String>,
}

/// What a run does about everything that learns, by what it is of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Artifacts {
    decisions: BTreeMap<String, Decision>,
    /// What the version before applied in schemes that hold its definition where they fall short of a gate.
    before: BTreeMap<String, Known>,
}

/// The name under which commits know what a score learned.
pub(crate) fn of_score(name: &str) -> String {
    format!("scores.{name}")
}

/// The name under which commits know what a scheme learned.
pub(crate) fn of_scheme(name: &str) -> String {
    format!("schemes.{name}")
}

/// The name under which commits know what today's definition of a scheme learned, where it fell short of a gate and an earlier
/// definition serves. The next runs judge that again without fitting it.
pub(crate) fn tried(of: &str) -> String {
    format!("tried.{of}")
}

impl Artifacts {
    /// The decision about a score or scheme; `None` for what learns nothing.
    pub(crate) fn get(&self, of: &str) -> Option<&Decision> {
        self.decisions.get(of)
    }

    /// What the version before applied in a scheme that holds its definition where it falls short of a gate.
    pub(crate) fn before(&self, of: &str) -> Option<&Known> {
        self.before.get(of)
    }

    /// Whether this run fits it.
    pub(crate) fn fits(&self, of: &str) -> bool {
        self.decisions
            .get(of)
            .is_none_or(|decision| decision.fit.is_some())
    }

    /// What is fitted, and the artifact that is applied or compared with.
    pub(crate) fn choices(&self) -> Vec<(&str, bool, Option<&str>)> {
        let mut choices = Vec::new();
        for (of, decision) in &self.decisions {
            let known = decision.known.as_ref();
            let id = known.map(|known| known.committed.id.as_str());
            choices.push((of.as_str(), decision.fit.is_some(), id));
        }
        choices
    }

    /// Whether a run does the same about everything by other decisions.
    pub(crate) fn follows_as(&self, other: &Self) -> bool {
        let before = |of: &Self| -> Vec<(String, String)> {
            let known = of.before.iter();
            let ids = known.map(|(of, known)| (of.clone(), known.committed.id.clone()));
            ids.collect()
        };
        self.choices() == other.choices() && before(self) == before(other)
    }

    /// The artifacts of stated versions, which show in published tables and do not follow from the version before.
    pub(crate) fn pinned(&self, pipeline: &Pipeline) -> Value {
        let stated = pipeline
            .schemes
            .iter()
            .filter(|scheme| matches!(frozen(&scheme.kind), Some((_, Some(_)))));
        stated
            .filter_map(|scheme| {
                let of = of_scheme(&scheme.name.value);
                let known = self.decisions.get(&of)?.known.as_ref()?;
                Some(json!([scheme.name.value, known.committed.id]))
            })
            .collect()
    }

    /// Decides about everything that learns. `published` are the features.
    pub(crate) fn decide(
        pipeline: &Pipeline,
        published: &[FeatureInfo],
        as_of: NaiveDate,
        found: &mut Diagnostics,
    ) -> Result<Self, PipelineError> {
        let store = opened(pipeline)?;
        let previous = match &store {
            Some(store) => previous(store, pipeline, as_of)?,
            None => None,
        };
        let day = Day {
            as_of,
            store: store.as_ref(),
            previous: previous.as_ref(),
        };
        let mut decisions = BTreeMap::new();
        for score in &pipeline.scores {
            let of = of_score(&score.name.value);
            let basis = basis::of_score(pipeline, score, published);
            let decision = day.decide(&of, basis, score.refit);
            decisions.insert(of, decision);
        }
        for scheme in pipeline.schemes.iter().filter(|scheme| learns(scheme)) {
            let of = of_scheme(&scheme.name.value);
            let basis = || basis::of_scheme(pipeline, scheme, published);
            let decision = match frozen(&scheme.kind) {
                // Frozen edges stay whatever changes.
                Some((rfm, version)) => day.frozen((scheme, rfm), basis(), version, found)?,
                None => day.decide(&of, basis(), scheme.refit),
            };
            decisions.insert(of, decision);
        }
        Ok(Self {
            decisions,
            before: day.before(pipeline),
        })
    }
}

/// What a version applied in a scheme; nothing of schemes that learn nothing. The error is a sentence.
pub(crate) fn of_version(store: &Store, version: &Version, scheme: &Scheme) -> Result<Fit, String> {
    let Some(committed) = artifact_of(version, &of_scheme(&scheme.name.value)) else {
        return Ok(Fit::default());
    };
    let day = Day {
        as_of: version.as_of(),
        store: Some(store),
        previous: None,
    };
    match day.load(committed)?.learned {
        Learned::Scheme(fit) => Ok(fit),
        Learned::Score(_) => Err("what the version learned is not of a scheme".to_owned()),
    }
}

/// Whether a scheme learns something of the customers.
pub(crate) fn learns(scheme: &Scheme) -> bool {
    !matches!(scheme.kind.settings().learns(), Learns::Nothing(_))
}

/// The settings of a scheme with frozen edges, and the version that it states.
fn frozen(kind: &SchemeKind) -> Option<(&RfmGrid, Option<u64>)> {
    let rfm: &RfmGrid = kind.of()?;
    match rfm.score_method {
        ScoreMethod::Frozen { version } => Some((rfm, version)),
        _ => None,
    }
}

/// The pipeline's store, if there is one.
fn opened(pipeline: &Pipeline) -> Result<Option<Store>, PipelineError> {
    let path = Path::new(&pipeline.store);
    let exists = path.join("FORMAT").exists();
    Ok(exists.then(|| Store::open(path)).transpose()?)
}

/// The version before a day, unless it is of another pipeline or has expired.
fn previous(
    store: &Store,
    pipeline: &Pipeline,
    as_of: NaiveDate,
) -> Result<Option<Version>, PipelineError> {
    let version = match store.previous(as_of) {
        Ok(version) => version,
        Err(StoreError::Expired { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let names = Names::stated(pipeline, store)?;
    Ok(version.filter(|version| names.has(version)))
}

/// A day, and what is known of the past on it.
struct Day<'a> {
    as_of: NaiveDate,
    store: Option<&'a Store>,
    previous: Option<&'a Version>,
}

impl Day<'_> {
    fn decide(&self, of: &str, basis: BTreeMap<String, String>, refit: Refit) -> Decision {
        let fit = |basis, why: String, known| Decision {
            basis,
            known,
            fit: Some(why),
            differs: None,
        };
        if refit == Refit::Always {
            return fit(basis, "refit = \"always\"".to_owned(), None);
        }
        let Some(committed) = self.committed(of, &basis) else {
            let why = "no version before this day has an artifact of it";
            return fit(basis, why.to_owned(), None);
        };
        let (version, tried) = (committed.version, committed.tried_on);
        if let Some(what) = changed(&committed.basis, &basis) {
            let why = format!("{what} changed since version {version} fitted it");
            return fit(basis, why, None);
        }
        let known = match self.load(&committed) {
            Ok(mut known) => {
                known.committed.of = of.to_owned();
                known
            }
            Err(reason) => {
                let why = format!("the artifact of version {version} cannot be used: {reason}");
                tracing::warn!("`{of}` is fitted: {why}");
                return fit(basis, why, None);
            }
        };
        let fit = refit
            .due(tried)
            .filter(|due| *due <= self.as_of)
            .map(|_| format!("refit = \"{refit}\", last on {tried}"));
        Decision {
            basis,
            known: Some(known),
            fit,
            differs: None,
        }
    }

    /// What the version before learned of a score or scheme: what it applied, unless only what it tried has this basis.
    fn committed(&self, of: &str, basis: &BTreeMap<String, String>) -> Option<CommittedArtifact> {
        let fits = |found: &&CommittedArtifact| found.basis == *basis;
        let version = self.previous?;
        let applied = self.last(of);
        let tried = artifact_of(version, &tried(of)).filter(fits).cloned();
        if applied.as_ref().is_some_and(|applied| fits(&applied)) {
            return applied;
        }
        tried.or(applied)
    }

    /// What the version before applied, or the last one that has the score or scheme at all: it may have been left out for a while.
    fn last(&self, of: &str) -> Option<CommittedArtifact> {
        let (store, previous) = (self.store?, self.previous?);
        if let Some(found) = artifact_of(previous, of) {
            return Some(found.clone());
        }
        let Ok(mut names) = Names::of(previous, store) else {
            return None;
        };
        let mut number = previous.commit().previous;
        while number != 0 {
            let version = match store.version(number) {
                // What it learned is still there.
                Err(StoreError::Expired { .. }) => store.committed(number),
                found => found,
            };
            let version = match version {
                Ok(version) => version,
                // What is no longer there has nothing that could be applied.
                Err(StoreError::NoVersion { .. }) => return None,
                Err(error) => {
                    tracing::warn!(
                        "nothing earlier than version {number} is applied in `{of}`: {error}"
                    );
                    return None;
                }
            };
            if !names.follow(&version) {
                return None;
            }
            if let Some(found) = artifact_of(&version, of) {
                return Some(found.clone());
            }
            number = version.commit().previous;
        }
        None
    }

    /// What the version before applied in the schemes that may hold its definition; what cannot be read is left out.
    fn before(&self, pipeline: &Pipeline) -> BTreeMap<String, Known> {
        let mut before = BTreeMap::new();
        for scheme in &pipeline.schemes {
            let criteria = pipeline.gates.of(&scheme.name.value);
            let of = of_scheme(&scheme.name.value);
            let applied = self.previous.and_then(|version| artifact_of(version, &of));
            if let Some(committed) = applied.filter(|_| criteria.may_hold()) {
                match self.load(committed) {
                    Ok(known) => drop(before.insert(of, known)),
                    Err(why) => {
                        tracing::warn!("the earlier artifact of `{of}` cannot be used: {why}")
                    }
                }
            }
        }
        before
    }

    /// Edges that stay as they are once they are fitted: those of a stated version, or of the last version with the scheme.
    fn frozen(
        &self,
        (scheme, rfm): (&Scheme, &RfmGrid),
        basis: BTreeMap<String, String>,
        stated: Option<u64>,
        found: &mut Diagnostics,
    ) -> Result<Decision, PipelineError> {
        let of = of_scheme(&scheme.name.value);
        let known = match stated {
            Some(number) => match self.edges_of_version(&of, number)? {
                Ok(known) => Some(known),
                Err(what) => {
                    found.extend([missing(scheme, what)]);
                    None
                }
            },
            None => match self.last(&of) {
                Some(committed) => Some(self.load(&committed).map_err(|reason| {
                    let version = committed.version;
                    PipelineError::FrozenEdges {
                        of: of.clone(),
                        version,
                        reason,
                    }
                })?),
                None => None,
            },
        };
        if let Some(Known {
            learned: Learned::Scheme(fit),
            ..
        }) = &known
            && let Some(Err(error)) = fit.get::<FrozenEdges>().map(|edges| edges.fits(rfm))
        {
            let span = scheme.name.span.clone();
            found.extend([Diagnostic::error("TS-G006", error.to_string(), span)]);
        }
        let fit = known
            .is_none()
            .then(|| "no version before this day has frozen edges of it".to_owned());
        let then = known.as_ref().map(|known| &known.committed.basis);
        // Versions of earlier programs do not state it.
        let then = then.filter(|then| !then.is_empty());
        let of_data = |basis: &BTreeMap<String, String>| {
            let mut basis = basis.clone();
            basis.retain(|what, _| basis::OF_DATA.contains(&what.as_str()));
            basis
        };
        let differs = then.and_then(|then| changed(&of_data(then), &of_data(&basis)));
        Ok(Decision {
            differs,
            basis,
            known,
            fit,
        })
    }

    /// The artifact of the version that a scheme states, or why there is none.
    fn edges_of_version(
        &self,
        of: &str,
        number: u64,
    ) -> Result<Result<Known, String>, PipelineError> {
        let Some(store) = self.store else {
            return Ok(Err(format!(
                "there is no store, so there is no version {number}"
            )));
        };
        let version = match store.version(number) {
            // Its edges stay as long as a version that stays applies them.
            Err(StoreError::Expired { .. }) => store.committed(number)?,
            Err(error @ StoreError::NoVersion { .. }) => return Ok(Err(error.to_string())),
            version => version?,
        };
        Ok(match artifact_of(&version, of) {
            Some(committed) => self.load(committed),
            None => Err(format!("version {number} has no edges of `{of}`")),
        })
    }

    /// Reads an artifact; the error is a sentence.
    fn load(&self, committed: &CommittedArtifact) -> Result<Known, String> {
        let store = self.store.ok_or("there is no store")?;
        let bytes = store
            .artifact(&committed.id)
            .map_err(|error| error.to_string())?;
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if stored.format != FORMAT {
            return Err(format!("format {} is not known", stored.format));
        }
        Ok(Known {
            committed: committed.clone(),
            learned: restored(stored.learned)?,
        })
    }
}

/// What was read from a store, with the types that its kinds give it.
fn restored(read: Learned) -> Result<Learned, String> {
    Ok(match read {
        Learned::Scheme(fit) => Learned::Scheme(tessera_segments::restored(fit)?),
        Learned::Score(mut score) => {
            score.model = scores::restored(score.model)?;
            Learned::Score(score)
        }
    })
}

fn artifact_of<'v>(version: &'v Version, of: &str) -> Option<&'v CommittedArtifact> {
    let mut artifacts = version.commit().artifacts.iter();
    artifacts.find(|artifact| artifact.of == of)
}

/// What of a basis changed, in words.
fn changed(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<String> {
    let mut names: Vec<&str> = then.keys().chain(now.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| then.get(*name) != now.get(*name));
    (!names.is_empty()).then(|| names.join(" and "))
}

fn missing(scheme: &Scheme, what: String) -> Diagnostic {
    Diagnostic::error("TS-G006", what, scheme.name.span.clone()).with_help(
        "choose a version of `tessera snapshots STORE` that has this scheme, or write \
         `score_method = \"frozen\"` without a version: then the first run computes the edges",
    )
}

/// An artifact that this run fitted, ready to be published. Nothing where its numbers cannot be written: then it is used by this
/// run alone.
pub(crate) fn sealed(
    of: &str,
    as_of: NaiveDate,
    basis: &BTreeMap<String, String>,
    learned: &Learned,
) -> Option<NewArtifact> {
    let stored = Stored {
        format: FORMAT,
        of: of.to_owned(),
        fitted_on: as_of,
        learned: learned.clone(),
    };
    let written = serde_json::to_vec(&stored).ok().filter(|bytes| {
        let read = serde_json::from_slice::<Stored>(bytes).ok();
        let read = read.and_then(|read| restored(read.learned).ok());
        read.is_some_and(|read| read == stored.learned)
    });
    let Some(content) = written else {
        tracing::warn!(
            "`{of}` holds a number that is not finite, so it is not stored: the next run fits it again"
        );
        return None;
    };
    Some(NewArtifact {
        committed: CommittedArtifact {
            of: of.to_owned(),
            id: artifact_id(&content),
            fitted_on: as_of,
            version: 0,
            tried_on: as_of,
            basis: basis.clone(),
        },
        content: Some(content),
    })
}

impl Known {
    /// As a version that applies it names it. `tried_on`: the day on which a fit was not better.
    pub(crate) fn applied(&self, tried_on: Option<NaiveDate>) -> NewArtifact {
        let mut committed = self.committed.clone();
        if let Some(day) = tried_on {
            committed.tried_on = day;
        }
        NewArtifact {
            committed,
            content: None,
        }
    }
}

/// Says in the log what is applied, and why something is fitted.
pub(crate) fn announce(of: &str, decision: &Decision, refit: Refit) {
    match (&decision.fit, &decision.known) {
        (None, Some(known)) => {
            let committed = &known.committed;
            let due = refit.due(committed.tried_on);
            let due = due.map_or_else(String::new, |due| format!(", fitted again from {due}"));
            tracing::info!(
                artifact = committed.id,
                fitted_on = %committed.fitted_on,
                fitted_by = committed.version,
                "`{of}`: applied as fitted on {} by version {}{due}",
                committed.fitted_on,
                committed.version
            );
        }
        (Some(why), _) => tracing::info!("`{of}`: fitted ({why})"),
        (None, None) => {}
    }
}
