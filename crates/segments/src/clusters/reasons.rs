//! Why a customer is in its cluster: how near the centre is, and in what the customer differs most from the base.

use std::fmt::Write as _;
use std::sync::Arc;

use tessera_model::Matrix;
use tessera_model::cluster;

use crate::assignment::Reasons;
use crate::customers::Customers;
use crate::wording::write_number;

/// Number of features that a reason names.
const NAMED_FEATURES: usize = 2;

/// Ratios of distances above this are written as "more than" this in a reason.
const MUCH_FARTHER: f64 = 10.0;

/// The position in the order of keys of each row of the customer table.
pub(super) struct Places(Vec<u32>);

impl Places {
    pub(super) fn new(customers: &Customers) -> Self {
        let mut places = vec![0; customers.len()];
        for place in 0..customers.len() {
            places[customers.row_by_key(place)] = place as u32;
        }
        Self(places)
    }

    pub(super) fn of(&self, row: usize) -> usize {
        self.0[row] as usize
    }
}

/// The data that reasons are written from. Everything but `names` and `features` is in the order of keys.
pub(super) struct Explained {
    pub(super) places: Places,
    pub(super) names: Vec<String>,
    pub(super) features: Vec<FeatureWords>,
    pub(super) raw: Matrix<'static>,
    pub(super) prepared: Matrix<'static>,
    pub(super) assignment: cluster::Assignment,
}

/// The part of a reason that is the same for every customer.
pub(super) struct FeatureWords {
    name: String,
    /// Written after a value.
    typical: String,
    /// Written where the value is missing.
    counts_as: String,
}

impl FeatureWords {
    pub(super) fn new(column: &cluster::ColumnPreparation) -> Self {
        let in_brackets = |words: &str, value: f64| {
            let mut text = format!(" ({words} ");
            write_number(value, &mut text);
            text.push(')');
            text
        };
        Self {
            name: column.name.clone(),
            typical: in_brackets("typical of all", column.raw(0.0)),
            counts_as: in_brackets("counts as", column.median),
        }
    }
}

pub(super) fn reasons(explained: Explained) -> Reasons {
    Reasons::Written(Arc::new(move |row, to| {
        let place = explained.places.of(row);
        explained.write_distance(place, to);
        explained.write_features(place, to);
    }))
}

impl Explained {
    /// How much nearer the own centre is than the next one.
    fn write_distance(&self, place: usize, to: &mut String) {
        let of = &self.assignment;
        let (own, next) = (of.distance[place], of.runner_up_distance[place]);
        if !next.is_finite() {
            to.push_str("the only cluster found");
            return;
        }
        let (name, next_name) = (
            &self.names[of.cluster[place] as usize],
            &self.names[of.runner_up[place] as usize],
        );
        // Writing to a String cannot fail.
        let _ = if next > MUCH_FARTHER * own {
            write!(
                to,
                "most like '{name}', more than {MUCH_FARTHER} times as far from '{next_name}'"
            )
        } else {
            let tenths = (10.0 * next / own.max(f64::MIN_POSITIVE)).round() as u64;
            let (whole, tenth) = (tenths / 10, tenths % 10);
            write!(
                to,
                "most like '{name}', {whole}.{tenth} times as far from '{next_name}'"
            )
        };
    }

    /// The features in which the customer differs most from the base, in standard deviations.
    fn write_features(&self, place: usize, to: &mut String) {
        let mut named = [(0.0, usize::MAX); NAMED_FEATURES];
        for column in 0..self.prepared.width() {
            let mut candidate = (self.prepared.column(column)[place].abs(), column);
            for slot in &mut named {
                if candidate.0 > slot.0 {
                    std::mem::swap(slot, &mut candidate);
                }
            }
        }
        let known = named.iter().filter(|slot| slot.1 != usize::MAX);
        for (index, &(_, column)) in known.enumerate() {
            let feature = &self.features[column];
            let value = self.raw.column(column)[place];
            to.push_str(if index == 0 { ": " } else { ", " });
            to.push_str(&feature.name);
            to.push(' ');
            write_number(value, to);
            to.push_str(if value.is_nan() {
                &feature.counts_as
            } else {
                &feature.typical
            });
        }
    }
}
