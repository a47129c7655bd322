//! `[gates]`

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::pipeline::OnFail;

/// What schemes and segments must be like, in five criteria; each has its defaults where it is not stated.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct GatesTable {
    /// It can be said of a customer in which segment they are.
    identifiable: Option<IdentifiableTable>,
    /// Segments differ from the rest of the customers.
    distinguishable: Option<DistinguishableTable>,
    /// Segments are large enough.
    substantial: Option<SubstantialTable>,
    /// Segments hold.
    stable: Option<StableTable>,
    /// Something can be done with segments.
    actionable: Option<ActionableTable>,
    /// Criteria of single schemes; what is not stated is as above.
    schemes: Option<BTreeMap<String, CriteriaTable>>,
}

/// The criteria of one scheme.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct CriteriaTable {
    /// It can be said of a customer in which segment they are.
    identifiable: Option<IdentifiableTable>,
    /// Segments differ from the rest of the customers.
    distinguishable: Option<DistinguishableTable>,
    /// Segments are large enough.
    substantial: Option<SubstantialTable>,
    /// Segments hold.
    stable: Option<StableTable>,
    /// Something can be done with segments.
    actionable: Option<ActionableTable>,
}

/// It can be said of a customer in which segment they are.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct IdentifiableTable {
    /// Smallest balanced accuracy of the short rule of a cluster, on customers that it was not learned from; 0.9 by default.
    #[schemars(range(min = 0, max = 1))]
    min_fidelity: Option<f64>,
    /// Smallest share of customers with a value, of every input of the scheme; 0.95 by default.
    #[schemars(range(min = 0, max = 1))]
    min_coverage: Option<f64>,
    /// What happens where a segment or the scheme falls short; `flag` by default.
    on_fail: Option<OnFail>,
}

/// Segments differ from the rest of the customers.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct DistinguishableTable {
    /// Columns of `customers` of which a segment must differ in two, or in the only one; the KPI of the goal and the columns of
    /// `[value]` by default. Columns that the scheme assigns by are left out.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    kpis: Option<Vec<String>>,
    /// Smallest Cohen's d of a number, of either sign; 0.3 by default.
    #[schemars(range(min = 0))]
    min_effect: Option<f64>,
    /// Smallest Cramér's V of a label; 0.1 by default.
    #[schemars(range(min = 0, max = 1))]
    min_association: Option<f64>,
    /// Largest share of customers for whom the rules of two segments are true, of those for whom one of them is; 0.1 by default.
    #[schemars(range(min = 0, max = 1))]
    max_overlap: Option<f64>,
    /// What happens where a segment or the scheme falls short; `flag` by default.
    on_fail: Option<OnFail>,
}

/// Segments are large enough.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct SubstantialTable {
    /// Fewest customers of a segment; 200 by default.
    min_customers: Option<u64>,
    /// Smallest share of all customers; 0.01 by default.
    #[schemars(range(min = 0, max = 1))]
    min_share: Option<f64>,
    /// The effect that a test on the segment must be able to measure, in standard deviations; not judged by default.
    #[schemars(range(min = 0))]
    max_measurable_effect: Option<f64>,
    /// What happens where a segment falls short; `flag` by default.
    on_fail: Option<OnFail>,
}

/// Segments hold.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct StableTable {
    /// Smallest mean Jaccard similarity of a cluster with those of other draws of customers; 0.75 by default.
    #[schemars(range(min = 0, max = 1))]
    min_jaccard: Option<f64>,
    /// Smallest share of a segment's customers of the previous version that are in it still; not judged by default.
    #[schemars(range(min = 0, max = 1))]
    min_kept: Option<f64>,
    /// Largest population stability index of the mix of segments against the previous version; 0.25 by default.
    #[schemars(range(min = 0))]
    max_psi: Option<f64>,
    /// What happens where a segment or the scheme falls short; `flag` by default.
    on_fail: Option<OnFail>,
}

/// Something can be done with segments.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ActionableTable {
    /// Whether a segment must have a playbook, in schemes for which there are playbooks; true by default.
    playbook: Option<bool>,
    /// SQL condition over features: who may be contacted.
    reachable: Option<String>,
    /// Smallest share of a segment's customers for whom `reachable` is true; 0.5 by default.
    #[schemars(range(min = 0, max = 1))]
    min_reachable: Option<f64>,
    /// What happens where a segment falls short; `flag` by default.
    on_fail: Option<OnFail>,
}
