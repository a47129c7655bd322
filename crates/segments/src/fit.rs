//! What a scheme learned from the customers of one run, so that it can be applied to customers in another state: this
//! separates moves caused by new edges or centres from moves caused by the customer's own change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_model::Matrix;
use tessera_model::cluster::{ClusterError, KmeansModel, Preparation};
use tessera_spec::pipeline::{Closed, RfmGrid, Scheme, SchemeKind, ScoreMethod};

use crate::assignment::{AssignedBy, Assignment, Extra, Reasons, SegmentInfo};
use crate::clusters::Clusters;
use crate::customers::Customers;
use crate::edges::FrozenEdges;
use crate::error::SegmentError;

/// What was learned. Segments are by name, so that it can be applied whatever ids they have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Nothing: only the settings decide.
    #[default]
    None,
    /// Edges of recency, frequency and monetary value.
    Edges(FrozenEdges),
    /// Tiers of a number.
    Tiers(Tiers),
    /// The segment of each label that occurred.
    Labels {
        /// Segment by label.
        segments: BTreeMap<String, String>,
        /// Segment of labels that did not occur.
        other: String,
        /// Segment of customers without a label.
        missing: String,
    },
    /// Centres in the space of the prepared features; the segments of the assignment are theirs, in order.
    Clusters(Box<Clusters>),
}

/// Tiers by their lowest value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tiers {
    /// The lowest value of each tier that has customers, highest first, and the tier's segment.
    pub lowest: Vec<(f64, String)>,
    /// Segment of customers without the number.
    pub missing: String,
}

impl Tiers {
    /// The segment of a value; below all tiers it is the lowest one.
    pub(crate) fn segment(&self, value: f64) -> &str {
        if value.is_nan() {
            return &self.missing;
        }
        let found = self.lowest.iter().find(|(lowest, _)| value >= *lowest);
        found
            .or(self.lowest.last())
            .map_or(&self.missing, |tier| &tier.1)
    }
}

impl Assignment {
    /// Assigns customers in another state with what was learned from the customers of the fit.
    ///
    /// # Errors
    /// As [`crate::assign`], and values that the learned preparation cannot take.
    pub fn apply(
        &self,
        scheme: &Scheme,
        customers: &Customers,
        extra: &Extra<'_>,
    ) -> Result<Self, SegmentError> {
        let name = scheme.name.value.as_str();
        let applied = match (&self.fit, &scheme.kind) {
            (Fit::None, _) => return crate::assign(scheme, customers, extra),
            (Fit::Edges(edges), SchemeKind::RfmGrid(grid)) => {
                let frozen = Scheme {
                    kind: SchemeKind::RfmGrid(RfmGrid {
                        score_method: ScoreMethod::Frozen { version: None },
                        ..grid.clone()
                    }),
                    ..scheme.clone()
                };
                let fit = Fit::Edges(edges.clone());
                let extra = Extra {
                    learned: Some(&fit),
                    ..*extra
                };
                return crate::assign(&frozen, customers, &extra);
            }
            (Fit::Tiers(tiers), SchemeKind::Quantile(config)) => {
                let values = customers.numeric(&config.by.value)?;
                let segment = |value: &f64| tiers.segment(*value);
                named(name, values.values().iter().map(segment))
            }
            (
                Fit::Labels {
                    segments,
                    other,
                    missing,
                },
                SchemeKind::Attribute(config),
            ) => {
                let labels = customers.labels(&config.by.value)?;
                let segment = |row| match labels.get(row) {
                    Some(label) if !label.trim().is_empty() => {
                        segments.get(label).unwrap_or(other).as_str()
                    }
                    _ => missing.as_str(),
                };
                named(name, (0..customers.len()).map(segment))
            }
            (Fit::Clusters(found), SchemeKind::Kmeans(_)) => {
                let clusters = nearest(&found.preparation, &found.model, customers)?;
                named(
                    name,
                    clusters
                        .iter()
                        .map(|&cluster| self.segments[cluster as usize].name.as_str()),
                )
            }
            _ => return Err(SegmentError::WrongKind { kind: self.kind }),
        };
        Ok(Self {
            kind: self.kind,
            ..applied
        })
    }
}

/// The nearest centre of every customer, in table order.
fn nearest(
    preparation: &Preparation,
    model: &KmeansModel,
    customers: &Customers,
) -> Result<Vec<u32>, SegmentError> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for column in &preparation.columns {
        names.push(column.name.clone());
        columns.push(Cow::Owned(customers.numeric(&column.name)?.into_values()));
    }
    let raw = Matrix::new(names, columns).map_err(ClusterError::from)?;
    Ok(model.assign(&preparation.apply(&raw)?)?.cluster)
}

/// An assignment by the names of segments.
fn named<'a>(scheme: &str, names: impl Iterator<Item = &'a str>) -> Assignment {
    let mut places: BTreeMap<&str, u32> = BTreeMap::new();
    let mut segments = Vec::new();
    let segment_of = names
        .map(|name| {
            *places.entry(name).or_insert_with(|| {
                segments.push(SegmentInfo::new(scheme, name, None));
                segments.len() as u32 - 1
            })
        })
        .collect();
    Assignment {
        scheme: scheme.to_owned(),
        kind: "",
        segments,
        segment_of,
        reasons: Reasons::PerSegment(Vec::new()),
        assigned_by: AssignedBy::Model,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters: Vec::new(),
        warnings: Vec::new(),
        quality: Vec::new(),
        fit: Fit::None,
    }
}

/// Edges that give every customer the same score as ranks did: the largest value of each bin, or of the bins below where it is
/// empty. `bins` count from 0, ascending with the value; customers without scores have none.
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

    #[test]
    fn tiers_take_values_between_and_below_those_they_were_learned_from() {
        let tiers = Tiers {
            lowest: vec![(100.0, "top".to_owned()), (10.0, "rest".to_owned())],
            missing: "unknown".to_owned(),
        };
        let found = [250.0, 100.0, 99.0, 1.0, f64::NAN].map(|value| tiers.segment(value));
        assert_eq!(found, ["top", "top", "rest", "rest", "unknown"]);
    }
}
