//! What `[gates]` means: what a scheme and its segments must be like, and what happens where they are not. What gates there are is not
//! known here: each is a file of the crate that judges segments, which gives the parser its [`crate::GateSyntax`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::{At, ExprText};

/// The criteria of every scheme.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Gates {
    /// Of schemes that have no own ones.
    pub all: Criteria,
    /// Of single schemes, by name.
    pub schemes: BTreeMap<String, Criteria>,
}

impl Gates {
    /// The criteria of a scheme.
    pub fn of(&self, scheme: &str) -> &Criteria {
        self.schemes.get(scheme).unwrap_or(&self.all)
    }

    /// All criteria that are stated: the general ones first.
    pub fn each(&self) -> impl Iterator<Item = &Criteria> {
        std::iter::once(&self.all).chain(self.schemes.values())
    }

    /// Sorts what has no order.
    pub(crate) fn sort(&mut self) {
        for criteria in std::iter::once(&mut self.all).chain(self.schemes.values_mut()) {
            let limits = criteria.gates.values_mut();
            for limit in limits.flat_map(|gate| gate.stated.values_mut()) {
                if let StatedLimit::Columns(columns) = limit {
                    columns.sort_by(|a, b| a.value.cmp(&b.value));
                }
            }
        }
    }
}

/// The criteria of a segmentation: of each gate what differs from its defaults.
#[derive(Debug, Clone, Default)]
pub struct Criteria {
    gates: BTreeMap<&'static str, Criterion>,
}

/// What of one gate differs from its defaults.
#[derive(Debug, Clone, Default)]
struct Criterion {
    stated: BTreeMap<&'static str, StatedLimit>,
    on_fail: OnFail,
}

impl Criteria {
    /// What the file states of a limit, where that is not its default.
    pub fn stated(&self, gate: &str, limit: &str) -> Option<&StatedLimit> {
        self.gates.get(gate)?.stated.get(limit)
    }

    /// Everything that the file states and that is not the default: gate, limit, value.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, &StatedLimit)> {
        let gates = self.gates.iter();
        gates.flat_map(|(gate, criterion)| {
            let limits = criterion.stated.iter();
            limits.map(|(limit, value)| (*gate, *limit, value))
        })
    }

    /// What happens where a gate is not met.
    pub fn on_fail(&self, gate: &str) -> OnFail {
        self.gates
            .get(gate)
            .map_or(OnFail::Flag, |criterion| criterion.on_fail)
    }

    /// States a limit; none is its default.
    pub fn state(&mut self, gate: &'static str, limit: &'static str, value: Option<StatedLimit>) {
        let stated = &mut self.gates.entry(gate).or_default().stated;
        match value {
            Some(value) => drop(stated.insert(limit, value)),
            None => drop(stated.remove(limit)),
        }
    }

    /// States what happens where a gate is not met.
    pub fn set_on_fail(&mut self, gate: &'static str, on_fail: OnFail) {
        self.gates.entry(gate).or_default().on_fail = on_fail;
    }

    /// Whether the definition of the previous version may be held.
    pub fn may_hold(&self) -> bool {
        let mut gates = self.gates.values();
        gates.any(|criterion| criterion.on_fail == OnFail::HoldPrevious)
    }
}

impl Serialize for Criteria {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = unstated();
        for (gate, criterion) in &self.gates {
            for (limit, value) in &criterion.stated {
                form[gate][limit] = json!(value);
            }
            if criterion.on_fail != OnFail::Flag {
                form[gate]["on_fail"] = json!(criterion.on_fail);
            }
        }
        form.serialize(serializer)
    }
}

/// The canonical form of criteria of which the file states nothing. Published versions contain its hash in what says whether a
/// definition changed, so a further gate or limit is added to the form only where a file states it.
fn unstated() -> Value {
    json!({
        "identifiable": {"min_fidelity": 0.9, "min_coverage": 0.95, "on_fail": "flag"},
        "distinguishable": {
            "kpis": null, "min_effect": 0.3, "min_association": 0.1, "max_overlap": 0.1, "on_fail": "flag",
        },
        "substantial": {
            "min_customers": 200, "min_share": 0.01, "max_measurable_effect": null, "on_fail": "flag",
        },
        "stable": {"min_jaccard": 0.75, "min_kept": null, "max_psi": 0.25, "on_fail": "flag"},
        "actionable": {"playbook": true, "reachable": null, "min_reachable": 0.5, "on_fail": "flag"},
    })
}

/// What the file states of a limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum StatedLimit {
    /// A number.
    Number(f64),
    /// A number of customers.
    Count(u64),
    /// Whether something is asked.
    Flag(bool),
    /// Columns of `customers`.
    Columns(Vec<At<String>>),
    /// A condition over features.
    Condition(ExprText),
}

/// A type of value that a limit may have.
pub trait LimitValue: Sized {
    /// What the file states, if it is of this type.
    fn of(stated: &StatedLimit) -> Option<Self>;
}

impl LimitValue for f64 {
    fn of(stated: &StatedLimit) -> Option<Self> {
        match stated {
            StatedLimit::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl LimitValue for u64 {
    fn of(stated: &StatedLimit) -> Option<Self> {
        match stated {
            StatedLimit::Count(count) => Some(*count),
            _ => None,
        }
    }
}

impl LimitValue for bool {
    fn of(stated: &StatedLimit) -> Option<Self> {
        match stated {
            StatedLimit::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl LimitValue for Vec<String> {
    fn of(stated: &StatedLimit) -> Option<Self> {
        match stated {
            StatedLimit::Columns(columns) => {
                let names = columns.iter().map(|column| column.value.clone());
                Some(names.collect())
            }
            _ => None,
        }
    }
}

impl LimitValue for ExprText {
    fn of(stated: &StatedLimit) -> Option<Self> {
        match stated {
            StatedLimit::Condition(condition) => Some(condition.clone()),
            _ => None,
        }
    }
}

impl<T: LimitValue> LimitValue for Option<T> {
    fn of(stated: &StatedLimit) -> Option<Self> {
        T::of(stated).map(Some)
    }
}

/// What happens where a criterion is not met.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnFail {
    /// It is stated in `quality`.
    #[default]
    Flag,
    /// The definition of the scheme that the previous version used, with what it had learned, is used again.
    HoldPrevious,
    /// The run fails with exit code 3, and nothing is published.
    FailRun,
}
