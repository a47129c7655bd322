//! Edges of an earlier version, read back from its `models` rows.

use tessera_spec::pipeline::{Closed, RfmGrid};

use crate::assignment::Parameter;
use crate::error::SegmentError;

/// Model name of the parameters of an `rfm_grid` scheme in the `models` table.
pub(crate) const MODEL: &str = "rfm_grid";

/// The three scored dimensions, in the order of the code.
pub(crate) const DIMENSIONS: [&str; 3] = ["recency", "frequency", "monetary"];

/// Edges that an earlier version of the store published, to be used again.
///
/// An `rfm_grid` scheme with edges publishes, in `models` under its own name as `score` and `rfm_grid` as `model`:
///
/// | name | value | text |
/// |---|---|---|
/// | `recency_edge_1` … `recency_edge_{k-1}`, likewise `frequency_edge_…`, `monetary_edge_…` | the edge | |
/// | `edges_closed` | | `right` or `left` |
/// | `recency_feature`, `frequency_feature`, `monetary_feature` | | the feature scored |
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenEdges {
    /// Ascending edges of recency, frequency and monetary value, the same number of each.
    pub(crate) edges: [Vec<f64>; 3],
    /// Which side of an edge belongs to the bin.
    pub(crate) closed: Closed,
    /// Features the edges were taken from.
    pub(crate) features: [String; 3],
    /// Version of the store they come from.
    pub(crate) version: Option<u64>,
}

impl FrozenEdges {
    /// Reads the edges from `(name, value, text)` of the `models` rows whose `score` is the scheme; other names are ignored, the
    /// order does not matter. `None` where the version published no edges (scores by midrank, or no customer to score).
    ///
    /// # Errors
    /// An edge without a number, a gap in the numbering of edges, edges that do not ascend; dimensions with unequal numbers of
    /// edges; an unknown `edges_closed`; a missing feature name.
    pub fn from_parameters<'a>(
        version: Option<u64>,
        rows: impl IntoIterator<Item = (&'a str, Option<f64>, Option<&'a str>)>,
    ) -> Result<Option<Self>, SegmentError> {
        let unreadable = |name: String| SegmentError::FrozenParameter { name };
        let mut found: [Vec<(usize, Option<f64>)>; 3] = Default::default();
        let mut features: [Option<String>; 3] = Default::default();
        let mut closed = None;
        for (name, value, text) in rows {
            if name == "edges_closed" {
                closed = text;
            }
            for (index, dimension) in DIMENSIONS.iter().enumerate() {
                match name
                    .strip_prefix(dimension)
                    .and_then(|rest| rest.strip_prefix('_'))
                {
                    Some("feature") => features[index] = text.map(str::to_owned),
                    Some(rest) => {
                        if let Some(place) = rest.strip_prefix("edge_") {
                            let place = place.parse().map_err(|_| unreadable(name.to_owned()))?;
                            found[index].push((place, value));
                        }
                    }
                    None => {}
                }
            }
        }
        if found.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let mut edges: [Vec<f64>; 3] = Default::default();
        for (index, mut places) in found.into_iter().enumerate() {
            places.sort_unstable_by_key(|place| place.0);
            for (expected, (place, value)) in (1..).zip(places) {
                let value = value.filter(|v| v.is_finite() && place == expected);
                edges[index].push(
                    value.ok_or_else(|| {
                        unreadable(format!("{}_edge_{expected}", DIMENSIONS[index]))
                    })?,
                );
            }
        }
        for index in 0..3 {
            check_edges(index, &edges[index], edges[0].len().max(1))?;
        }
        let closed = match closed {
            Some("right") => Closed::Right,
            Some("left") => Closed::Left,
            _ => return Err(unreadable("edges_closed".to_owned())),
        };
        let mut names: [String; 3] = Default::default();
        for (index, feature) in features.into_iter().enumerate() {
            names[index] =
                feature.ok_or_else(|| unreadable(format!("{}_feature", DIMENSIONS[index])))?;
        }
        Ok(Some(Self {
            edges,
            closed,
            features: names,
            version,
        }))
    }

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

    /// The rows of the `models` table that [`FrozenEdges::from_parameters`] reads.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn edges() -> FrozenEdges {
        FrozenEdges {
            edges: [vec![30.0, 90.0], vec![1.0, 3.0], vec![10.5, 99.25]],
            closed: Closed::Left,
            features: [
                "recency_days".into(),
                "order_count".into(),
                "spend_total".into(),
            ],
            version: Some(3),
        }
    }

    fn rows(edges: &FrozenEdges) -> Vec<Parameter> {
        let mut rows = edges.parameters();
        for (dimension, feature) in DIMENSIONS.iter().zip(&edges.features) {
            rows.push(Parameter::text(
                MODEL,
                format!("{dimension}_feature"),
                feature.clone(),
            ));
        }
        rows
    }

    fn read(rows: &[Parameter]) -> Result<Option<FrozenEdges>, SegmentError> {
        FrozenEdges::from_parameters(
            Some(3),
            rows.iter()
                .map(|row| (row.name.as_str(), row.value, row.text.as_deref())),
        )
    }

    #[test]
    fn what_is_published_is_read_back_in_any_order() {
        let mut published = rows(&edges());
        published.reverse();
        published.push(Parameter::number(MODEL, "scores", 3.0));
        assert_eq!(read(&published).unwrap(), Some(edges()));
    }

    #[test]
    fn no_edges_is_none_and_broken_ones_are_refused() {
        assert_eq!(
            read(&[Parameter::text(MODEL, "score_method", "midrank")]).unwrap(),
            None
        );
        for broken in [
            "recency_edge_1",
            "edges_closed",
            "monetary_feature",
            "monetary_edge_2",
        ] {
            let kept: Vec<_> = rows(&edges())
                .into_iter()
                .filter(|row| row.name != broken)
                .collect();
            assert!(read(&kept).is_err(), "{broken} missing");
        }
        let mut falling = edges();
        falling.edges[1].reverse();
        assert!(matches!(
            read(&rows(&falling)),
            Err(SegmentError::Edges {
                dimension: "frequency",
                ..
            })
        ));
    }
}
