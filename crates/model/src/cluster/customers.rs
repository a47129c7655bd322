//! From raw features to clusters of customers, in one call.

use super::error::ClusterError;
use super::kmeans::{KmeansConfig, KmeansFit, fit};
use super::preparation::{Preparation, PreparationParams};
use super::warning::ClusterWarning;
use crate::Matrix;

/// Clusters of customers with the preparation they were found in.
#[derive(Debug, Clone)]
pub struct CustomerClusters {
    /// How raw features become the columns of the clusters.
    pub preparation: Preparation,
    /// The clusters, by falling mean of the first raw feature.
    pub fit: KmeansFit,
}

impl CustomerClusters {
    /// The warnings of the preparation and of the fit.
    pub fn warnings(&self) -> impl Iterator<Item = &ClusterWarning> {
        self.preparation.warnings.iter().chain(&self.fit.warnings)
    }

    /// The centre of a cluster in the unit of each used raw feature: name and value, the prepared coordinate taken back
    /// through scaling and transform. For a transformed feature this lies nearer to the median than to the mean.
    pub fn raw_centre(&self, cluster: usize) -> Vec<(&str, f64)> {
        let model = &self.fit.model;
        let coordinate = |name: &str| model.columns.iter().position(|column| column == name);
        let used = self.preparation.columns.iter().filter(|column| column.used);
        used.filter_map(|column| {
            let place = coordinate(&column.name)?;
            Some((
                column.name.as_str(),
                column.raw(model.centroids[cluster][place]),
            ))
        })
        .collect()
    }
}

/// Prepares raw features (NaN = missing), finds clusters, and numbers them by the falling mean of the first raw feature.
///
/// # Errors
/// No rows, an infinite value, negative values where `log1p` is asked for, or a parameter outside its range.
pub fn cluster_customers(
    raw: &Matrix<'_>,
    preparation: &PreparationParams,
    config: &KmeansConfig,
) -> Result<CustomerClusters, ClusterError> {
    let (preparation, prepared) = Preparation::fit(raw, preparation)?;
    let mut fit = fit(&prepared, config)?;
    fit.order_by(raw.column(0))?;
    Ok(CustomerClusters { preparation, fit })
}
