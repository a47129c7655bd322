//! Clusters as they were fitted: enough to assign any customer and to say how far they can be trusted; nothing of any customer.

use serde::{Deserialize, Serialize};
use tessera_model::cluster::{ChoiceTable, ClusterWarning, KmeansModel, Preparation};

use crate::cluster_evidence::Evidence;

/// Fitted clusters of a `kmeans` scheme, by the falling mean of its first feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clusters {
    /// How features are prepared.
    pub(crate) preparation: Preparation,
    /// The centres.
    pub(crate) model: KmeansModel,
    /// Permanent ids, in the order of the centres.
    pub(crate) ids: Vec<i64>,
    /// Customers of each cluster at the fit.
    pub(crate) sizes: Vec<usize>,
    /// Sum of squared distances to the centres at the fit.
    pub(crate) inertia: f64,
    /// Customers the starts saw.
    pub(crate) sample_rows: usize,
    /// By how much the inertia of the centres of the sample exceeds `inertia`, as a share.
    pub(crate) sampling_excess: f64,
    /// Passes over all customers.
    pub(crate) iterations: usize,
    /// Whether the centres came to rest.
    pub(crate) converged: bool,
    /// How k was chosen; none where it was given.
    pub(crate) choice: Option<ChoiceTable>,
    /// What the fit noticed about its data.
    pub(crate) warnings: Vec<ClusterWarning>,
    /// Mean silhouette on a sample; none where the clusters leave it undefined.
    pub(crate) silhouette: Option<f64>,
    /// Rules, stability, structure.
    pub(crate) evidence: Evidence,
}
