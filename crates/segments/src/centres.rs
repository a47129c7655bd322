//! Segments that are the nearest of several centres, and where another centre becomes the nearest as one feature changes.

use std::borrow::Cow;

use tessera_model::Matrix;
use tessera_model::cluster::{
    Among, ClusterError, ColumnPreparation, Crossing, KmeansModel, Preparation, Reach,
};

use crate::clusters::Clusters;
use crate::error::SegmentError;
use crate::fit::Fit;

/// The centres that clusters were found around, and how features are prepared before they are compared with them.
#[derive(Debug, Clone)]
pub struct Centres {
    preparation: Preparation,
    model: KmeansModel,
    ids: Vec<i64>,
    /// By feature the place of its coordinate; none where the clusters do not depend on it.
    coordinates: Vec<Option<usize>>,
}

/// Customers among the centres.
#[derive(Debug)]
pub struct Compared<'c> {
    centres: &'c Centres,
    prepared: Matrix<'static>,
}

/// How far the features of a customer must change until another centre may be the nearest: room that is used again for the next one.
#[derive(Debug, Default)]
pub struct Needed {
    point: Vec<f64>,
    reach: Reach,
}

/// One of them.
#[derive(Debug)]
pub struct Position<'c> {
    centres: &'c Centres,
    among: Among<'c>,
}

/// A feature, by its place in [`Centres::features`], that rises or falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The feature.
    pub feature: usize,
    /// Whether it rises.
    pub rises: bool,
}

impl Centres {
    /// The centres that a scheme of clusters learned; none where nothing was learned.
    pub fn of(fit: &Fit) -> Option<Self> {
        let found: &Clusters = fit.get()?;
        let (preparation, model) = (found.preparation.clone(), found.model.clone());
        let coordinate = |column: &ColumnPreparation| {
            let mut names = model.columns.iter();
            let coordinate = names.position(|name| *name == column.name);
            coordinate.filter(|_| column.used && column.sd > 0.0)
        };
        Some(Self {
            coordinates: preparation.columns.iter().map(coordinate).collect(),
            ids: found.ids.clone(),
            preparation,
            model,
        })
    }

    /// Ids of the segments, in the order of the centres.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The features, by name.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        let columns = self.preparation.columns.iter();
        columns.map(|column| column.name.as_str())
    }

    /// Compares customers with the centres: a column for each feature, in order; NaN is a missing value.
    ///
    /// # Errors
    /// A number of columns or rows that does not fit, an infinite value.
    pub fn compare(&self, columns: Vec<&[f64]>) -> Result<Compared<'_>, SegmentError> {
        let names = self.features().map(str::to_owned).collect();
        let columns = columns.into_iter().map(Cow::Borrowed).collect();
        let raw = Matrix::new(names, columns).map_err(ClusterError::from)?;
        Ok(Compared {
            prepared: self.preparation.apply(&raw)?,
            centres: self,
        })
    }

    fn column(&self, feature: usize) -> &ColumnPreparation {
        &self.preparation.columns[feature]
    }
}

impl Compared<'_> {
    /// The customer of a row.
    pub fn position(&self, row: usize) -> Position<'_> {
        Position {
            centres: self.centres,
            among: self.centres.model.among(self.point(row).collect()),
        }
    }

    /// What the customer of a row, whose centre is `own`, needs.
    pub fn needed(&self, row: usize, own: usize, needed: &mut Needed) {
        needed.point.clear();
        needed.point.extend(self.point(row));
        let model = &self.centres.model;
        model.reach(&needed.point, own, &mut needed.reach);
    }

    /// A number below which a feature does not change from `raw` to the first place at which another centre is nearest; infinite where
    /// there is none.
    pub fn at_least_apart(&self, needed: &Needed, change: Change, raw: f64) -> f64 {
        let Some(coordinate) = self.centres.coordinates[change.feature] else {
            return f64::INFINITY;
        };
        let by = needed.reach.by(coordinate, change.rises);
        let by = if change.rises { by } else { -by };
        match by.is_finite() {
            true => self.centres.column(change.feature).at_least_apart(raw, by),
            false => f64::INFINITY,
        }
    }

    fn point(&self, row: usize) -> impl Iterator<Item = f64> {
        let columns = 0..self.prepared.width();
        columns.map(move |column| self.prepared.column(column)[row])
    }
}

impl Position<'_> {
    /// The places, one behind the other, at which the nearest centre changes from `own` on as a feature changes: the value of the
    /// feature, and the centre behind it. What is winsorised ends them.
    pub fn crossings(&self, change: Change, own: usize) -> impl Iterator<Item = (f64, usize)> {
        let column = self.centres.column(change.feature);
        let first = self.first_crossing(change, own);
        let next = move |from: &Crossing| self.next_crossing(change, *from);
        let places = std::iter::successors(first, next);
        places.map(|place| (column.raw(place.at), place.centre))
    }

    /// The value of a feature at a crossing.
    pub fn value_at(&self, feature: usize, crossing: &Crossing) -> f64 {
        self.centres.column(feature).raw(crossing.at)
    }

    /// The first of them.
    pub fn first_crossing(&self, change: Change, own: usize) -> Option<Crossing> {
        let coordinate = self.centres.coordinates[change.feature]?;
        let start = Crossing {
            at: self.among.point()[coordinate],
            centre: own,
        };
        self.next_crossing(change, start)
    }

    /// The one behind another.
    pub fn next_crossing(&self, change: Change, from: Crossing) -> Option<Crossing> {
        let Change { feature, rises } = change;
        let column = self.centres.column(feature);
        let next = self
            .among
            .next(self.centres.coordinates[feature]?, from, rises)?;
        let end = if rises { column.upper } else { column.lower };
        let end = end.map(|end| (end - column.mean) / column.sd);
        let is_reached = end.is_none_or(|end| if rises { next.at < end } else { next.at > end });
        is_reached.then_some(next)
    }

    /// The nearest centre with another value of a feature; none where the feature cannot have it.
    pub fn nearest_with(&self, feature: usize, value: f64) -> Option<usize> {
        let column = self.centres.column(feature);
        let coordinate = self.centres.coordinates[feature]?;
        let nearest = || self.among.nearest_with(coordinate, column.prepared(value));
        column.admits(value).then(nearest)
    }
}
