//! Whether there are clusters at all. k-means always returns some, so its silhouette is compared with the silhouette it
//! reaches on rows that have no clusters by construction.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::axes::PrincipalBox;
use super::choice::KRange;
use super::error::{ClusterError, go_on, refuse, require_finite};
use super::lloyd;
use super::margins::Margins;
use super::quality::mean_silhouette;
use super::sample::{ContentOrder, generator, mix, permutation};
use super::starts::quick_fit;
use crate::Matrix;

/// How rows without clusters are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullModel {
    /// Every column shuffled by itself: keeps the distribution of each column and removes all dependence between columns.
    ColumnsPermuted,
    /// Drawn uniformly from the box along the principal axes: keeps extent and correlation and has no clusters.
    PrincipalUniform,
    /// Drawn from the normal copula of the columns: keeps the distribution of each column and how strongly columns rise together.
    /// Where two skewed columns go together, neither of the others does.
    DependenceKept,
}

/// How the comparison is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StructureParams {
    /// Sets of rows made from each null model, at least 19 for a level of 0.05; 99 by default.
    pub references: u32,
    /// Largest number of rows that take part, at least 3; 2,000 by default.
    pub sample: usize,
    /// k-means++ starts per fit, at least 1; 4 by default.
    pub starts: u32,
    /// Largest p value that counts as evidence of clusters, within 0 to 1 (exclusive); 0.05 by default.
    pub level: f64,
    /// The numbers of clusters from which the tested one was chosen by its silhouette. The choice is then repeated on every set of
    /// rows, and the highest silhouettes are compared: the best of several is higher than that of one stated k, also by chance.
    pub chosen_from: Option<KRange>,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for StructureParams {
    fn default() -> Self {
        Self {
            references: 99,
            sample: 2_000,
            starts: 4,
            level: 0.05,
            chosen_from: None,
            seed: 0,
        }
    }
}

impl StructureParams {
    fn check(&self) -> Result<(), ClusterError> {
        if self.sample < 3 {
            return refuse("structure.sample", self.sample as f64, "at least 3");
        }
        if self.starts == 0 {
            return refuse("structure.starts", 0.0, "at least 1");
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return refuse("structure.level", self.level, "above 0 and below 1");
        }
        if 1.0 / (f64::from(self.references) + 1.0) > self.level {
            return refuse(
                "structure.references",
                f64::from(self.references),
                "at least 1 / level - 1, or nothing can be found",
            );
        }
        Ok(())
    }
}

/// The silhouette of the rows against one null model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NullTest {
    /// The null model.
    pub model: NullModel,
    /// Mean silhouette over the sets of rows made from it.
    pub null_mean: f64,
    /// Standard deviation over those sets.
    pub null_sd: f64,
    /// (1 + sets that reach the silhouette of the rows) / (1 + sets), within 0 (exclusive) to 1.
    pub p_value: f64,
}

/// Whether the rows have clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StructureVerdict {
    /// Number of clusters tested.
    pub k: usize,
    /// Mean silhouette of k-means on the rows that were used; where k was chosen, the highest one of all that were tried.
    pub silhouette: f64,
    /// One entry per null model. Permuted columns and kept dependence are left out where there is only one column: they change
    /// nothing. The latter is compared only where the silhouette is above those of the others.
    pub tests: Vec<NullTest>,
    /// Whether the silhouette is above that of every null model at the level asked for. If not, the clusters split a
    /// continuum, or single columns already explain them.
    pub clustered: bool,
}

/// Tests k clusters against rows without any. Of many rows a sample is used. Fewer than k + 1 distinct rows cannot be tested
/// and count as not clustered, with a silhouette of 0 and no tests.
///
/// # Errors
/// No rows, a value that is not finite, or parameters outside their ranges.
pub fn test_structure(
    order: &ContentOrder<'_>,
    k: usize,
    params: &StructureParams,
) -> Result<StructureVerdict, ClusterError> {
    let matrix = order.matrix();
    params.check()?;
    require_finite(matrix)?;
    if k < 2 {
        return refuse("k", k as f64, "at least 2");
    }
    let sample = matrix.gather(&order.take(params.sample));
    if ContentOrder::new(&sample, params.seed).distinct() <= k {
        return Ok(StructureVerdict {
            k,
            silhouette: 0.0,
            tests: Vec::new(),
            clustered: false,
        });
    }
    let silhouette = best_silhouette(&sample, k, params, params.seed)?;
    let principal = PrincipalBox::new(&sample);
    let margins = Margins::new(&sample);
    let test = |model: NullModel| -> Result<NullTest, ClusterError> {
        let reference = |b: u32| {
            go_on()?;
            let mut random = generator(mix(params.seed ^ (model as u64 + 1)), u64::from(b));
            let rows = match model {
                NullModel::ColumnsPermuted => permuted(&sample, &mut random),
                NullModel::PrincipalUniform => principal.strew(&mut random),
                NullModel::DependenceKept => margins.strew(&mut random),
            };
            best_silhouette(&rows, k, params, mix(params.seed ^ u64::from(b)))
        };
        let scores = (0..params.references)
            .into_par_iter()
            .map(reference)
            .collect::<Result<Vec<f64>, _>>()?;
        let reached = scores.iter().filter(|&&score| score >= silhouette).count();
        let (null_mean, null_sd) = super::moments::mean_sd(&scores);
        let p_value = (1.0 + reached as f64) / (1.0 + scores.len() as f64);
        Ok(NullTest {
            model,
            null_mean,
            null_sd,
            p_value,
        })
    };
    let models: &[NullModel] = if matrix.width() > 1 {
        &[NullModel::ColumnsPermuted, NullModel::PrincipalUniform]
    } else {
        &[NullModel::PrincipalUniform]
    };
    let tests = models.iter().map(|model| test(*model));
    let mut tests = tests.collect::<Result<Vec<_>, _>>()?;
    let above = |tests: &[NullTest]| tests.iter().all(|test| test.p_value <= params.level);
    if matrix.width() > 1 && above(&tests) {
        tests.push(test(NullModel::DependenceKept)?);
    }
    let clustered = above(&tests);
    Ok(StructureVerdict {
        k,
        silhouette,
        tests,
        clustered,
    })
}

/// The silhouette of k clusters; where k was chosen, the highest one over all that were tried.
fn best_silhouette(
    rows: &Matrix<'_>,
    k: usize,
    params: &StructureParams,
    seed: u64,
) -> Result<f64, ClusterError> {
    let Some(range) = params.chosen_from else {
        return fitted_silhouette(rows, k, params, seed);
    };
    let mut best = f64::NEG_INFINITY;
    for k in range.all() {
        go_on()?;
        best = best.max(fitted_silhouette(rows, k, params, seed)?);
    }
    Ok(best)
}

/// Mean silhouette of k-means; 0 where there are too few distinct rows for it.
fn fitted_silhouette(
    rows: &Matrix<'_>,
    k: usize,
    params: &StructureParams,
    seed: u64,
) -> Result<f64, ClusterError> {
    let centroids = quick_fit(rows, k, params.starts, seed);
    match mean_silhouette(rows, &lloyd::labels(rows, &centroids)) {
        Err(ClusterError::Undefined { .. }) => Ok(0.0),
        score => score,
    }
}

fn permuted(sample: &Matrix<'_>, random: &mut rand_chacha::ChaCha8Rng) -> Matrix<'static> {
    let shuffle = |column: &[f64]| {
        let order = permutation(column.len(), random);
        std::borrow::Cow::Owned(order.into_iter().map(|row| column[row]).collect())
    };
    let columns = sample.columns().into_iter().map(shuffle).collect();
    Matrix::of_equal_columns(sample.names().to_vec(), columns, sample.rows())
}
