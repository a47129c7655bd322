//! Where the nearest centre changes as one coordinate of a point moves and the others stay.
//!
//! With the coordinate moved by t, the squared distance to a centre c is a_c - 2 t b_c + t², where a_c is the squared distance now and
//! b_c the coordinate of the centre less that of the point. t² is the same for all centres, so the nearest one is the lowest of
//! straight lines, and centres follow each other by their coordinates.

use super::kmeans::KmeansModel;

/// A point among the centres of a model.
#[derive(Debug)]
pub struct Among<'m> {
    centroids: &'m [Vec<f64>],
    point: Vec<f64>,
    /// Squared distance to each centre.
    squared: Vec<f64>,
}

/// The place from which on another centre is the nearest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// The coordinate there, at which both centres are equally near.
    pub at: f64,
    /// The centre that is nearest behind it.
    pub centre: usize,
}

impl KmeansModel {
    /// A point with as many finite coordinates as the model has columns.
    pub fn among(&self, point: Vec<f64>) -> Among<'_> {
        let squared = |centre: &Vec<f64>| {
            let differences = centre.iter().zip(&point).map(|(c, x)| (c - x) * (c - x));
            differences.sum()
        };
        Among {
            squared: self.centroids.iter().map(squared).collect(),
            centroids: &self.centroids,
            point,
        }
    }
}

impl Among<'_> {
    /// The nearest centre with another value of a coordinate; in a tie the first.
    pub fn nearest_with(&self, coordinate: usize, value: f64) -> usize {
        let moved = value - self.point[coordinate];
        let line =
            |centre: usize| self.squared[centre] - 2.0 * moved * self.ahead(centre, coordinate);
        let mut best = (0, f64::INFINITY);
        for centre in 0..self.centroids.len() {
            let height = line(centre);
            if height < best.1 {
                best = (centre, height);
            }
        }
        best.0
    }

    /// The place at which the nearest centre changes next as a coordinate rises, or falls, from a place where `nearest` is the
    /// nearest; none where it stays the nearest.
    pub fn next(&self, coordinate: usize, from: Crossing, rises: bool) -> Option<Crossing> {
        let side = if rises { 1.0 } else { -1.0 };
        let now = self.ahead(from.centre, coordinate);
        let moved = from.at - self.point[coordinate];
        let mut best: Option<(f64, f64, usize)> = None;
        for centre in 0..self.centroids.len() {
            let further = self.ahead(centre, coordinate) - now;
            // Only a centre that lies further on comes nearer.
            if further * side <= 0.0 {
                continue;
            }
            let meets = (self.squared[centre] - self.squared[from.centre]) / (2.0 * further);
            // What rounding puts behind the place is met at once.
            let meets = side * (side * meets).max(side * moved);
            let is_before = best.is_none_or(|(known, ahead, _)| {
                let order = (side * meets).total_cmp(&(side * known));
                // Of those met at one place the furthest is the nearest behind it.
                order
                    .then((side * ahead).total_cmp(&(side * further)))
                    .is_lt()
            });
            if is_before {
                best = Some((meets, further, centre));
            }
        }
        best.map(|(meets, _, centre)| Crossing {
            at: self.point[coordinate] + meets,
            centre,
        })
    }

    /// The coordinates.
    pub fn point(&self) -> &[f64] {
        &self.point
    }

    /// By how much the coordinate of a centre exceeds that of the point.
    fn ahead(&self, centre: usize, coordinate: usize) -> f64 {
        self.centroids[centre][coordinate] - self.point[coordinate]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nearest(model: &KmeansModel, point: &[f64]) -> usize {
        let squared = |centre: &Vec<f64>| -> f64 {
            let pairs = centre.iter().zip(point);
            pairs.map(|(c, x)| (c - x).powi(2)).sum()
        };
        let all = model.centroids.iter().map(squared).enumerate();
        let best = all.min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(centre, _)| centre)
    }

    proptest! {
        /// Between two crossings every point that is tried has the centre that they say; whole numbers make ties likely.
        #[test]
        fn crossings_are_those_of_points_tried_one_by_one(
            centroids in prop::collection::vec(prop::collection::vec(-4_i32..5, 3), 1..7),
            point in prop::collection::vec(-4_i32..5, 3),
            coordinate in 0_usize..3,
            rises in any::<bool>(),
        ) {
            let floats = |whole: &Vec<i32>| whole.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
            let model = KmeansModel {
                columns: ["a", "b", "c"].map(str::to_owned).to_vec(),
                centroids: centroids.iter().map(floats).collect(),
            };
            let among = model.among(floats(&point));
            let start = among.point()[coordinate];
            let mut here = Crossing { at: start, centre: nearest(&model, among.point()) };
            let side = if rises { 1.0 } else { -1.0 };
            let tried: Vec<f64> = (1..4_000).map(|step| start + side * f64::from(step) * 0.0173).collect();
            let mut tried = tried.into_iter().peekable();
            loop {
                let next = among.next(coordinate, here, rises);
                let end = next.map_or(f64::INFINITY, |next| side * next.at);
                while let Some(at) = tried.next_if(|at| side * at < end - 1e-9) {
                    if side * at <= side * here.at + 1e-9 {
                        continue;
                    }
                    let mut moved = among.point().to_vec();
                    moved[coordinate] = at;
                    let distance = |centre: usize| -> f64 {
                        let pairs = model.centroids[centre].iter().zip(&moved);
                        pairs.map(|(c, x)| (c - x).powi(2)).sum()
                    };
                    let least = distance(nearest(&model, &moved));
                    prop_assert!((distance(here.centre) - least).abs() < 1e-9);
                    let found = among.nearest_with(coordinate, at);
                    prop_assert!((distance(found) - least).abs() < 1e-9);
                }
                let Some(next) = next else { break };
                prop_assert!(side * next.at >= side * here.at && next.centre != here.centre);
                here = next;
            }
        }
    }
}
