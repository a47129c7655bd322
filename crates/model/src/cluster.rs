//! Clusters: customers grouped by similarity over several numbers.
//!
//! The nouns: a [`Preparation`] turns raw features into comparable columns, a [`KmeansFit`] holds the clusters found, and a
//! [`KmeansModel`] what is stored to assign customers later. smartcore only proposes first centres.
//!
//! Where to look: `preparation` (transform, winsorise, standardise), `kmeans` (fit and assign), `crossing` (where another centre becomes the
//! nearest), `choice` (how many clusters),
//! `quality` (silhouette, Calinski-Harabasz, Davies-Bouldin, Rand, V-measure), `stability` (bootstrap per cluster),
//! `structure` (are there clusters at all), `linkage` (clusters by merging),
//! `surrogate` (a short rule per cluster), `names` ("high spend, longer inactive").
//!
//! Every result is the same for any number of threads: rows are reduced in fixed chunks and in fixed order.
//! Random choices depend on the content of rows, not on their position, so that the order of rows does not matter.

mod axes;
mod choice;
mod crossing;
mod customers;
mod error;
mod kmeans;
mod linkage;
mod lloyd;
mod margins;
mod moments;
mod names;
mod preparation;
mod quality;
mod sample;
mod seeding;
mod stability;
mod starts;
mod structure;
mod surrogate;
mod warning;

pub use choice::{ChoiceCriterion, ChoiceParams, ChoiceRow, ChoiceTable, KRange, choose_k};
pub use crossing::{Among, Crossing, Reach};
pub use customers::{CustomerClusters, cluster_customers};
pub use error::ClusterError;
pub use kmeans::{
    Assignment, KmeansConfig, KmeansFit, KmeansModel, KmeansParams, fit, fit_ordered,
};
pub use linkage::{fit_merged, merge_clusters};
pub use names::{ClusterProfile, NamedFeature, cluster_names};
pub use preparation::{
    ColumnPreparation, ColumnTransform, MissingIndicator, Preparation, PreparationParams,
};
pub use quality::{
    Agreement, adjusted_rand, agreement, calinski_harabasz, davies_bouldin, mean_silhouette,
    sampled_silhouette, silhouettes,
};
pub use sample::ContentOrder;
pub(crate) use sample::mix;
pub use stability::{
    ClusterStability, Resampling, StabilityGrade, StabilityParams, cluster_stability,
};
pub use starts::{Candidate, CandidateOrigin};
pub use structure::{NullModel, NullTest, StructureParams, StructureVerdict, test_structure};
pub use surrogate::{Condition, SurrogateParams, SurrogateRule, surrogate_rules};
pub use warning::ClusterWarning;
