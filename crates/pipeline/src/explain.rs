//! Why customers are in their segments, from the tables of a version and of those before it.
//!
//! The types that matter: [`Explanation`] of a customer, [`SchemeExplained`], [`ScoreExplained`].
//!
//! Where to look: `rows` reads the rows of the customers, `rules` evaluates conditions, `nearest` looks for the smallest change
//! that leads to another segment, `experiments` those the customer takes part in, `scores` and `missing` say what is known of scores and of values that are missing, `stays`
//! goes back through the versions, `text` shows it.

mod experiments;
mod missing;
mod nearest;
mod rows;
mod rules;
mod scores;
mod stays;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use tessera_snapshot::{Store, Version};

use crate::diff::key_of;
use crate::error::PipelineError;
use crate::held;
use crate::merged;

pub use experiments::ExperimentExplained;
pub use missing::Missing;
pub use nearest::Change;
use rows::Rows;
pub(crate) use rows::value;
pub use rules::{ConditionExplained, RuleExplained};
pub use scores::{Estimate, ScoreExplained};
pub use stays::Stay;

/// Why a customer is where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The key.
    pub customer: String,
    /// The version.
    pub version: u64,
    /// Its day.
    pub as_of: NaiveDate,
    /// Whether schemes assign the customer; closed accounts have values, but no segment.
    pub assigned: bool,
    /// Why it is in its segment, by scheme.
    pub schemes: Vec<SchemeExplained>,
    /// The experiments that it takes part in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<ExperimentExplained>,
    /// What models say.
    pub scores: Vec<ScoreExplained>,
    /// Features without a value, and why.
    pub missing: Vec<Missing>,
    /// All features and values.
    pub features: BTreeMap<String, Value>,
    /// The version before which nothing is known of the customer's segments, and why.
    pub history_ends: Option<String>,
}

/// Why a customer is in the segment of a scheme.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemeExplained {
    /// The scheme.
    pub scheme: String,
    /// Its kind, as the pipeline file writes it.
    pub kind: String,
    /// The segment.
    pub segment: String,
    /// Its permanent id.
    pub segment_id: i64,
    /// Why, as published.
    pub reason: String,
    /// Who decided, as in `memberships`.
    pub assigned_by: String,
    /// First day of the unbroken stay.
    pub entered_on: Option<String>,
    /// The segment in the version before.
    pub previous_segment: Option<String>,
    /// Why the customer moved since.
    pub cause: Option<String>,
    /// The day on which the customer leaves the segment if no row comes, where the pipeline asks for it.
    pub leaves_on: Option<String>,
    /// The segment that it then goes to.
    pub leaves_to: Option<String>,
    /// The rule of the segment, as in `segments`.
    pub rule: Option<String>,
    /// Of a scheme of rules: every rule up to the one that decides, with its conditions; all of them where none is true.
    pub rules: Vec<RuleExplained>,
    /// The smallest changes of single columns that lead to another segment, nearest first.
    pub nearest: Vec<Change>,
    /// What is to be known of them.
    pub nearest_note: Option<String>,
    /// What is done with the customer.
    pub playbooks: Vec<Playbook>,
    /// The segments over the versions, newest first.
    pub stays: Vec<Stay>,
}

/// What is done with the customer, from `actions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Playbook {
    /// The playbook.
    pub playbook: String,
    /// What it is to achieve.
    pub goal: Option<String>,
    /// Through what channel.
    pub channel: Option<String>,
    /// Who acts.
    pub owner: Option<String>,
    /// The customer's rank within it.
    pub priority: i64,
}

/// A version whose customers are explained, with what its pipeline declared.
struct Explained<'a> {
    version: &'a Version,
    /// The canonical pipeline; null in versions of earlier programs.
    declared: Value,
    customers: Rows,
    memberships: Rows,
    segments: Vec<Segment>,
}

/// A segment, from `segments`.
struct Segment {
    scheme: String,
    id: i64,
    name: String,
    rule: Option<String>,
}

/// Explains customers of a version, in the order of the keys given; with `scheme` only that scheme.
pub fn explain(
    store: &Store,
    version: &Version,
    keys: &[String],
    scheme: Option<&str>,
) -> Result<Vec<Explanation>, PipelineError> {
    let wanted = keys.iter().cloned().collect();
    let explained = Explained {
        version,
        declared: held::declared(version),
        customers: Rows::read(version, "customers", &wanted)?,
        memberships: Rows::read(version, "memberships", &wanted)?,
        segments: segments(version)?,
    };
    for key in keys {
        if explained.customers.of(key).is_empty() {
            if let Some(customer) = merged::customer_of(version, key)? {
                return Err(PipelineError::MergedCustomer {
                    key: key.clone(),
                    customer,
                    version: version.number(),
                    as_of: version.as_of(),
                });
            }
            return Err(match last_with(store, version, key)? {
                Some(last) => PipelineError::GoneCustomer {
                    key: key.clone(),
                    version: version.number(),
                    as_of: version.as_of(),
                    last: last.number(),
                    day: last.as_of(),
                },
                None => PipelineError::NoCustomer {
                    key: key.clone(),
                    column: key_of(version).to_owned(),
                    version: version.number(),
                    as_of: version.as_of(),
                },
            });
        }
    }
    let kinds = kinds(version, scheme)?;
    let actions = match version.has("actions") {
        true => Rows::read(version, "actions", &wanted)?,
        false => Rows::default(),
    };
    let (stays, history_ends) = stays::stays(store, version, &wanted)?;
    let mut schemes = rules::explain(&explained, &kinds)?;
    nearest::explain(store, &explained, &kinds, &mut schemes)?;
    let scores = scores::Scores::read(version, &wanted)?;
    let of = |key: &String| {
        let row = explained.customers.of(key)[0];
        let mut own = schemes.remove(key).unwrap_or_default();
        for scheme in &mut own {
            let name = scheme.scheme.as_str();
            let mut segments = explained.segments.iter();
            let segment = segments.find(|of| of.scheme == name && of.id == scheme.segment_id);
            scheme.rule = segment.and_then(|segment| segment.rule.clone());
            scheme.playbooks = playbooks(&actions, key, name);
            let known = stays.get(&(key.clone(), name.to_owned()));
            scheme.stays = known.cloned().unwrap_or_default();
        }
        Explanation {
            customer: key.clone(),
            version: version.number(),
            as_of: version.as_of(),
            assigned: !explained.memberships.of(key).is_empty(),
            schemes: own,
            experiments: experiments::experiments(&explained.declared, &explained.customers, row),
            scores: scores.of(&explained.customers, key, row),
            missing: missing::missing(version, &explained.customers, row),
            features: scores::features(version, &explained.customers, row),
            history_ends: history_ends.clone(),
        }
    };
    Ok(keys.iter().map(of).collect())
}

/// The newest version before this one that has a customer, of those that can be read.
fn last_with(
    store: &Store,
    version: &Version,
    key: &str,
) -> Result<Option<Version>, PipelineError> {
    let listed = store.list()?.into_iter();
    let mut earlier: Vec<(NaiveDate, u64)> = listed
        .filter(|known| known.as_of < version.as_of())
        .map(|known| (known.as_of, known.version))
        .collect();
    earlier.sort_unstable_by(|one, other| other.cmp(one));
    let wanted = BTreeSet::from([key.to_owned()]);
    let mut readable = earlier
        .into_iter()
        .filter_map(|(_, number)| store.version(number).ok());
    Ok(readable.find(|at| {
        let rows = Rows::read(at, "customers", &wanted);
        rows.is_ok_and(|rows| !rows.of(key).is_empty())
    }))
}

impl Explanation {
    /// As text for people.
    pub fn to_text(&self) -> String {
        text::text(self)
    }
}

/// The schemes to explain with their kinds, in the order of the pipeline file.
fn kinds(version: &Version, only: Option<&str>) -> Result<Vec<(String, String)>, PipelineError> {
    let schemes = version.commit().pipeline["schemes"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut kinds: Vec<(String, String)> = schemes
        .into_iter()
        .flatten()
        .map(|scheme| (text(&scheme["name"]), text(&scheme["kind"])))
        .collect();
    let names: Vec<String> = kinds.iter().map(|kind| kind.0.clone()).collect();
    if let Some(only) = only {
        kinds.retain(|kind| kind.0 == only);
        if kinds.is_empty() {
            return Err(PipelineError::NoScheme {
                scheme: only.to_owned(),
                version: version.number(),
                available: match names.is_empty() {
                    true => "none".to_owned(),
                    false => names.join(", "),
                },
            });
        }
    }
    Ok(kinds)
}

/// The segments of every scheme.
fn segments(version: &Version) -> Result<Vec<Segment>, PipelineError> {
    let mut segments = Vec::new();
    for batch in version.read("segments")? {
        let rows = Rows::of_batch(batch);
        segments.extend((0..rows.len()).filter_map(|row| {
            Some(Segment {
                scheme: rows.text("scheme", row)?,
                id: rows.integer("segment_id", row)?,
                name: rows.text("segment", row)?,
                rule: rows.text("rule", row),
            })
        }));
    }
    Ok(segments)
}

fn playbooks(actions: &Rows, key: &str, scheme: &str) -> Vec<Playbook> {
    let rows = actions.of(key).iter().copied();
    let own = rows.filter(|&row| actions.text("scheme", row).as_deref() == Some(scheme));
    own.map(|row| Playbook {
        playbook: actions.text("playbook", row).unwrap_or_default(),
        goal: actions.text("goal", row),
        channel: actions.text("channel", row),
        owner: actions.text("owner", row),
        priority: actions.integer("priority", row).unwrap_or_default(),
    })
    .collect()
}
