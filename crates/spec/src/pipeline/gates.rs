//! What `[gates]` means: what a scheme and its segments must be like, and what happens where they are not.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

/// The five criteria of a segmentation.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Criteria {
    /// It can be said of a customer in which segment they are.
    pub identifiable: Identifiable,
    /// Segments differ.
    pub distinguishable: Distinguishable,
    /// Segments are large enough.
    pub substantial: Substantial,
    /// Segments hold.
    pub stable: Stable,
    /// Something can be done with segments.
    pub actionable: Actionable,
}

impl Criteria {
    /// Whether this happens where one of the criteria is not met.
    pub fn may(&self, on_fail: OnFail) -> bool {
        let all = [
            self.identifiable.on_fail,
            self.distinguishable.on_fail,
            self.substantial.on_fail,
            self.stable.on_fail,
            self.actionable.on_fail,
        ];
        all.contains(&on_fail)
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

/// It can be said of a customer in which segment they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identifiable {
    /// Smallest balanced accuracy of the short rule of a cluster, on customers that it was not learned from.
    pub min_fidelity: f64,
    /// Smallest share of customers with a value, of every input.
    pub min_coverage: f64,
    /// What happens otherwise.
    pub on_fail: OnFail,
}

impl Default for Identifiable {
    fn default() -> Self {
        Self {
            min_fidelity: 0.9,
            min_coverage: 0.95,
            on_fail: OnFail::Flag,
        }
    }
}

/// Segments differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distinguishable {
    /// Columns of `customers` in which segments should differ from the rest; the KPI of the goal and the values by default.
    pub kpis: Option<Vec<At<String>>>,
    /// Smallest Cohen's d of a number, of either sign.
    pub min_effect: f64,
    /// Smallest Cramér's V of a label.
    pub min_association: f64,
    /// Largest share of customers for whom two rules are true, of those for whom one of them is.
    pub max_overlap: f64,
    /// What happens otherwise.
    pub on_fail: OnFail,
}

impl Default for Distinguishable {
    fn default() -> Self {
        Self {
            kpis: None,
            min_effect: 0.3,
            min_association: 0.1,
            max_overlap: 0.1,
            on_fail: OnFail::Flag,
        }
    }
}

/// Segments are large enough.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Substantial {
    /// Fewest customers of a segment.
    pub min_customers: u64,
    /// Smallest share of all customers.
    pub min_share: f64,
    /// Largest value of the smallest effect that a test on the segment can measure, in standard deviations; not judged without.
    pub max_measurable_effect: Option<f64>,
    /// What happens otherwise.
    pub on_fail: OnFail,
}

impl Default for Substantial {
    fn default() -> Self {
        Self {
            min_customers: 200,
            min_share: 0.01,
            max_measurable_effect: None,
            on_fail: OnFail::Flag,
        }
    }
}

/// Segments hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stable {
    /// Smallest mean Jaccard similarity of a cluster with those of other draws of customers.
    pub min_jaccard: f64,
    /// Smallest share of a segment's customers of the previous version that are in it still; not judged without.
    pub min_kept: Option<f64>,
    /// Largest population stability index of the mix of segments against the previous version.
    pub max_psi: f64,
    /// What happens otherwise.
    pub on_fail: OnFail,
}

impl Default for Stable {
    fn default() -> Self {
        Self {
            min_jaccard: 0.75,
            min_kept: None,
            max_psi: 0.25,
            on_fail: OnFail::Flag,
        }
    }
}

/// Something can be done with segments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Actionable {
    /// Whether a segment must have a playbook, in schemes for which there are playbooks.
    pub playbook: bool,
    /// Condition over features: who may be contacted; not judged without.
    pub reachable: Option<ExprText>,
    /// Smallest share of a segment's customers for whom it is true.
    pub min_reachable: f64,
    /// What happens otherwise.
    pub on_fail: OnFail,
}

impl Default for Actionable {
    fn default() -> Self {
        Self {
            playbook: true,
            reachable: None,
            min_reachable: 0.5,
            on_fail: OnFail::Flag,
        }
    }
}
