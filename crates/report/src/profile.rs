//! Rows of `profiles` with the sizes of their segments: shares of all members, and how far a segment differs from the rest.

use std::collections::HashMap;

use crate::facts::Scheme;
use crate::record::{ProfileRow, SegmentRow};

/// Share of a label that counts as everyone or no one.
const ALL: f64 = 0.995;

/// Larger distances occur only where a feature hardly varies.
const CONSTANT: f64 = 12.0;

/// A row of `profiles`.
pub(crate) struct Entry<'a> {
    pub(crate) row: &'a ProfileRow,
    /// For a label: its share of all members of the segment, including those without a value.
    pub(crate) share: Option<f64>,
    /// The same for all customers.
    pub(crate) population_share: Option<f64>,
    /// For a label: the members with any value.
    known: Option<i64>,
    /// Whether the label defines the segments: in every segment either all members have it, or none.
    pub(crate) is_tautology: bool,
    /// How many values of the label are more frequent among all customers.
    pub(crate) rank_among_labels: usize,
}

/// The rows of a scheme.
pub(crate) fn entries<'a>(profiles: &'a [ProfileRow], scheme: &Scheme) -> Vec<Entry<'a>> {
    let rows: Vec<&ProfileRow> = profiles
        .iter()
        .filter(|r| r.scheme == scheme.name)
        .collect();
    let everyone = scheme.customers().max(1) as f64;
    let members = scheme
        .segments
        .iter()
        .map(|s| (s.name.as_str(), s.customers));
    let members: HashMap<&str, i64> = members.collect();
    let mut with: HashMap<(&str, Option<&str>), i64> = HashMap::new();
    let mut known: HashMap<(&str, &str), i64> = HashMap::new();
    for row in &rows {
        let customers = row.customers.unwrap_or(0);
        *with
            .entry((&row.feature, row.label.as_deref()))
            .or_default() += customers;
        *known.entry((&row.feature, &row.segment)).or_default() += customers;
    }
    let entry = |row: &&'a ProfileRow| {
        let is_label = row.label.is_some();
        let members = members.get(row.segment.as_str());
        let share = row.customers.zip(members.filter(|n| **n > 0));
        let share = share.map(|(with, members)| with as f64 / *members as f64);
        let with = with[&(row.feature.as_str(), row.label.as_deref())];
        Entry {
            row,
            share: share.filter(|_| is_label),
            population_share: is_label.then_some(with as f64 / everyone),
            known: is_label.then(|| known[&(row.feature.as_str(), row.segment.as_str())]),
            is_tautology: false,
            rank_among_labels: 0,
        }
    };
    let mut entries: Vec<Entry<'a>> = rows.iter().map(entry).collect();
    compare_labels(&mut entries);
    entries
}

/// Compares the labels of each feature with one another.
fn compare_labels(entries: &mut [Entry<'_>]) {
    let mut all_extreme: HashMap<&str, bool> = HashMap::new();
    let mut frequencies: HashMap<&str, HashMap<&str, f64>> = HashMap::new();
    for entry in entries.iter() {
        let feature = entry.row.feature.as_str();
        if let Some(share) = entry.share {
            let extreme = share >= ALL || share <= 1.0 - ALL;
            *all_extreme.entry(feature).or_insert(true) &= extreme;
        }
        if let (Some(label), Some(share)) = (entry.row.label.as_deref(), entry.population_share) {
            frequencies.entry(feature).or_default().insert(label, share);
        }
    }
    let ordered = frequencies.into_iter().map(|(feature, shares)| {
        let mut shares: Vec<f64> = shares.into_values().collect();
        shares.sort_by(|a, b| b.total_cmp(a));
        (feature, shares)
    });
    let ordered: HashMap<&str, Vec<f64>> = ordered.collect();
    for entry in entries.iter_mut() {
        let feature = entry.row.feature.as_str();
        if let (Some(own), Some(shares)) = (entry.population_share, ordered.get(feature)) {
            entry.is_tautology = all_extreme.get(feature).copied().unwrap_or(true);
            entry.rank_among_labels = shares.partition_point(|share| *share > own);
        }
    }
}

impl Entry<'_> {
    /// How far the segment differs from the rest: Cohen's d where the table has it, and for shares Cohen's h,
    /// 2 asin √p - 2 asin √P (Cohen 1988, equation 6.2.1). A feature that hardly varies has none.
    pub(crate) fn distance(&self) -> Option<f64> {
        let angle = |share: f64| 2.0 * share.clamp(0.0, 1.0).sqrt().asin();
        let found = match (self.share, self.population_share) {
            (Some(share), Some(base)) => angle(share) - angle(base),
            _ => self.row.effect_size?,
        };
        (found.is_finite() && found.abs() < CONSTANT).then_some(found)
    }

    /// Share of the segment's members that have a value.
    pub(crate) fn known_share(&self, segment: &SegmentRow) -> f64 {
        let known = self
            .known
            .or(self.row.customers)
            .unwrap_or(segment.customers);
        known as f64 / segment.customers.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Kind;

    fn row(segment: &str, label: Option<&str>, customers: i64, effect: Option<f64>) -> ProfileRow {
        ProfileRow {
            scheme: "rfm".into(),
            segment: segment.into(),
            feature: "plan".into(),
            label: label.map(str::to_owned),
            customers: Some(customers),
            mean: Some(2.0),
            population_mean: Some(1.0),
            effect_size: effect,
        }
    }

    fn scheme(sizes: [i64; 2]) -> Scheme {
        let segment = |(name, customers): (&str, i64)| SegmentRow {
            name: name.into(),
            customers,
            ..SegmentRow::default()
        };
        Scheme {
            name: "rfm".into(),
            kind: Kind::Rules,
            words: String::new(),
            scores: None,
            anchor: String::new(),
            segments: ["a", "b"].into_iter().zip(sizes).map(segment).collect(),
        }
    }

    #[test]
    fn shares_are_over_all_members_and_distances_are_cohens() {
        // 50 of 100 in a, 0 of 100 in b: 25% of everyone, though only half of a is known.
        let rows = [row("a", Some("team"), 50, None)];
        let found = entries(&rows, &scheme([100, 100]));
        assert_eq!(
            (found[0].share, found[0].population_share),
            (Some(0.5), Some(0.25))
        );
        // 2 asin(sqrt(0.5)) - 2 asin(sqrt(0.25)) = pi/2 - pi/3.
        let h = found[0].distance().unwrap();
        assert!((h - std::f64::consts::PI / 6.0).abs() < 1e-12, "{h}");
    }

    #[test]
    fn constants_have_no_distance_and_the_few_do_not_stand_for_their_segment() {
        let rows = [row("a", None, 40, Some(1e9)), row("b", None, 40, Some(1.5))];
        let scheme = scheme([160, 50]);
        let found = entries(&rows, &scheme);
        assert_eq!(found[0].distance(), None);
        assert_eq!(found[1].distance(), Some(1.5));
        assert!((found[0].known_share(&scheme.segments[0]) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn a_label_that_everyone_or_no_one_of_every_segment_has_is_a_tautology() {
        let own = [
            row("a", Some("x"), 100, None),
            row("b", Some("y"), 50, None),
        ];
        let found = entries(&own, &scheme([100, 50]));
        assert!(found[0].is_tautology);
        let other = [row("a", Some("x"), 60, None), row("b", Some("y"), 50, None)];
        let found = entries(&other, &scheme([100, 50]));
        assert!(!found[0].is_tautology);
    }
}
