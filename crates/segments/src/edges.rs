//! Edges of recency, frequency and monetary value: what an `rfm_grid` scheme learns.

use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::{Closed, RfmGrid};

use crate::assignment::Parameter;
use crate::error::SegmentError;

/// Model name of the parameters of an `rfm_grid` scheme in the `models` table.
pub(crate) const MODEL: &str = "rfm_grid";

/// The three scored dimensions, in the order of the code.
pub(crate) const DIMENSIONS: [&str; 3] = ["recency", "frequency", "monetary"];

/// Edges of recency, frequency and monetary value, fitted once and applied again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenEdges {
    /// Ascending edges of recency, frequency and monetary value, the same number of each.
    pub(crate) edges: [Vec<f64>; 3],
    /// Which side of an edge belongs to the bin.
    pub(crate) closed: Closed,
    /// Features the edges were taken from.
    pub(crate) features: [String; 3],
}

impl FrozenEdges {
    /// Whether a scheme can be scored by these edges.
    ///
    /// # Errors
    /// The edges are those of other features, or of another number of scores.
    pub fn fits(&self, scheme: &RfmGrid) -> Result<(), SegmentError> {
        let now = [&scheme.recency, &scheme.frequency, &scheme.monetary];
        for (index, now) in now.into_iter().enumerate() {
            if self.features[index] != now.value {
                return Err(SegmentError::FrozenFeature {
                    dimension: DIMENSIONS[index],
                    frozen: self.features[index].clone(),
                    now: now.value.clone(),
                });
            }
            check_edges(index, &self.edges[index], usize::from(scheme.scores) - 1)?;
        }
        Ok(())
    }

    /// What the `models` table shows of them.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let mut rows = vec![Parameter::text(
            MODEL,
            "edges_closed",
            closed_name(self.closed),
        )];
        for (dimension, edges) in DIMENSIONS.iter().zip(&self.edges) {
            for (place, edge) in (1..).zip(edges) {
                let place: usize = place;
                rows.push(Parameter::number(
                    MODEL,
                    format!("{dimension}_edge_{place}"),
                    *edge,
                ));
            }
        }
        rows
    }
}

/// Rejects edges that are not as many as expected, not finite or not ascending.
pub(crate) fn check_edges(
    dimension: usize,
    edges: &[f64],
    expected: usize,
) -> Result<(), SegmentError> {
    let fine =
        edges.len() == expected && edges.iter().all(|edge| edge.is_finite()) && edges.is_sorted();
    match fine {
        true => Ok(()),
        false => Err(SegmentError::Edges {
            dimension: DIMENSIONS[dimension],
            found: edges.len(),
            expected,
        }),
    }
}

fn closed_name(closed: Closed) -> &'static str {
    match closed {
        Closed::Right => "right",
        Closed::Left => "left",
    }
}
