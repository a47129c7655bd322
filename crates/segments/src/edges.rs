//! Edges of recency, frequency and monetary value: what an `rfm_grid` scheme learns.

use serde::{Deserialize, Serialize};

use crate::error::SegmentError;
use crate::parameter::Parameter;
use crate::rfm::{Closed, RfmGrid};

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
                // Below it is no number at all: nobody had the lowest scores.
                if *edge == f64::MIN {
                    continue;
                }
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

/// Edges that give every customer the same score as ranks did: the largest value of each bin, or of the bins below where it is
/// empty; the smallest number of all where these are empty too. `bins` count from 0, ascending with the value; customers without scores have none.
pub(crate) fn edges_of_bins(
    values: &[f64],
    bins: impl Fn(usize) -> Option<u8>,
    count: u8,
) -> Vec<f64> {
    let mut largest = vec![f64::MIN; usize::from(count)];
    for (row, value) in values.iter().enumerate() {
        if let Some(bin) = bins(row) {
            let largest = &mut largest[usize::from(bin)];
            *largest = largest.max(*value);
        }
    }
    for bin in 1..largest.len() {
        largest[bin] = largest[bin].max(largest[bin - 1]);
    }
    largest.truncate(usize::from(count).saturating_sub(1));
    largest
}

/// Which side of the edges made from ranks belongs to the bin.
pub(crate) const CLOSED: Closed = Closed::Right;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_ranks_give_the_ranks_again() {
        let values = [5.0, 1.0, 3.0, 3.0, 9.0, f64::NAN];
        let bins = [2_u8, 0, 1, 1, 4, 0];
        let edges = edges_of_bins(
            &values,
            |row| (!values[row].is_nan()).then_some(bins[row]),
            5,
        );
        assert_eq!(edges, [1.0, 3.0, 5.0, 5.0], "nobody is in bin 3");
        for (value, bin) in values.iter().zip(bins).take(5) {
            assert_eq!(
                edges.iter().filter(|edge| *edge < value).count(),
                usize::from(bin)
            );
        }
    }
}
