//! Where the nearest centre changes as one coordinate of a point moves and the others stay.
//!
//! With the coordinate moved by t, the squared distance to a centre c is a_c - 2 t b_c + t², where a_c is the squared distance now and
//! b_c the coordinate of the centre less that of the point. t² is the same for all centres, so the nearest one is the lowest of
//! straight lines, and centres follow each other by their coordinates.

use super::kmeans::KmeansModel;

/// A point among the centres of a model.
#[derive(Debug)]
pub struct Among<'m> {
    model: &'m KmeansModel,
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
        let mut squared = Vec::with_capacity(self.centroids.len());
        self.squared(&point, &mut squared);
        Among {
            model: self,
            point,
            squared,
        }
    }

    /// The squared distance of a point to each centre.
    fn squared(&self, point: &[f64], squared: &mut Vec<f64>) {
        squared.clear();
        squared.extend(self.centroids.iter().map(|centre| {
            let pairs = centre.iter().zip(point);
            pairs.fold(0.0, |sum, (c, x)| sum + (c - x) * (c - x))
        }));
    }
}

impl Among<'_> {
    /// The nearest centre with another value of a coordinate; in a tie the first.
    pub fn nearest_with(&self, coordinate: usize, value: f64) -> usize {
        let moved = value - self.point[coordinate];
        let lines = self.squared.iter().zip(self.ahead(coordinate));
        let mut best = (0, f64::INFINITY);
        for (centre, (squared, ahead)) in lines.enumerate() {
            let height = squared - 2.0 * moved * ahead;
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
        let from_here = self.squared[from.centre];
        let now = self.model.centroids[from.centre][coordinate] - self.point[coordinate];
        let moved = from.at - self.point[coordinate];
        let mut best: Option<(f64, f64, usize)> = None;
        let lines = self.squared.iter().zip(self.ahead(coordinate));
        for (centre, (squared, ahead)) in lines.enumerate() {
            let further = ahead - now;
            // Only a centre that lies further on comes nearer.
            if further * side <= 0.0 {
                continue;
            }
            let meets = (squared - from_here) / (2.0 * further);
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

    /// By how much the coordinate of each centre exceeds that of the point.
    fn ahead(&self, coordinate: usize) -> impl Iterator<Item = f64> {
        let centres = self.model.centroids.iter();
        centres.map(move |centre| centre[coordinate] - self.point[coordinate])
    }
}

/// By how much each coordinate of a point moves until another centre is as near as its own, but for rounding: room that is used again
/// for the next point.
#[derive(Debug, Default)]
pub struct Reach {
    squared: Vec<f64>,
    falls: Vec<f64>,
    rises: Vec<f64>,
}

impl KmeansModel {
    /// Computes the reach of a point with the centre `own`.
    pub fn reach(&self, point: &[f64], own: usize, reach: &mut Reach) {
        let Reach {
            squared,
            falls,
            rises,
        } = reach;
        self.squared(point, squared);
        for way in [&mut *falls, &mut *rises] {
            way.clear();
            way.resize(point.len(), f64::INFINITY);
        }
        let (nearest, own) = (squared[own], &self.centroids[own]);
        for (squared, centre) in squared.iter().zip(&self.centroids) {
            // What rounding makes nearer than the own centre is met at once.
            let farther = (squared - nearest).max(0.0);
            let ways = falls.iter_mut().zip(rises.iter_mut());
            for ((fall, rise), (there, here)) in ways.zip(centre.iter().zip(own)) {
                let further = there - here;
                let meets = farther / (2.0 * further);
                let up = if further > 0.0 { meets } else { f64::INFINITY };
                let down = if further < 0.0 { -meets } else { f64::INFINITY };
                *rise = if up < *rise { up } else { *rise };
                *fall = if down < *fall { down } else { *fall };
            }
        }
    }
}

impl Reach {
    /// By how much a coordinate rises, or falls; infinite where no other centre comes nearer.
    pub fn by(&self, coordinate: usize, rises: bool) -> f64 {
        if rises {
            self.rises[coordinate]
        } else {
            self.falls[coordinate]
        }
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
            let mut reach = Reach::default();
            model.reach(among.point(), here.centre, &mut reach);
            let first = among.next(coordinate, here, rises);
            let first = first.map_or(f64::INFINITY, |first| side * (first.at - start));
            let by = reach.by(coordinate, rises);
            prop_assert!(by == first || (by - first).abs() <= 1e-12 * first.max(1.0), "{by} {first}");
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
