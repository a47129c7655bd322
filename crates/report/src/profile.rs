//! Rows of `profiles` with the sizes of their segments: shares of all members, and how far a segment differs from the rest.

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
}

/// The rows of a scheme.
pub(crate) fn entries<'a>(profiles: &'a [ProfileRow], scheme: &Scheme) -> Vec<Entry<'a>> {
    let rows: Vec<&ProfileRow> = profiles
        .iter()
        .filter(|r| r.scheme == scheme.name)
        .collect();
    let everyone = scheme.customers().max(1) as f64;
    let sum = |of: &dyn Fn(&&&ProfileRow) -> bool| -> i64 {
        rows.iter().filter(of).filter_map(|r| r.customers).sum()
    };
    let entry = |row: &&'a ProfileRow| {
        let is_label = row.label.is_some();
        let members = scheme
            .segments
            .iter()
            .find(|s| s.name == row.segment)
            .map(|s| s.customers);
        let share = row.customers.zip(members.filter(|n| *n > 0));
        let share = share.map(|(with, members)| with as f64 / members as f64);
        let with = sum(&|r| r.feature == row.feature && r.label == row.label);
        Entry {
            row,
            share: share.filter(|_| is_label),
            population_share: is_label.then_some(with as f64 / everyone),
            known: is_label.then(|| sum(&|r| r.feature == row.feature && r.segment == row.segment)),
        }
    };
    rows.iter().map(entry).collect()
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

    /// Whether the label defines the segments: in every segment either all members have it, or none.
    pub(crate) fn is_tautology(&self, rows: &[Entry<'_>]) -> bool {
        if self.row.label.is_none() {
            return false;
        }
        let of_feature = rows.iter().filter(|e| e.row.feature == self.row.feature);
        let shares = of_feature.filter_map(|e| e.share);
        let mut extreme = shares.map(|share| share >= ALL || share <= 1.0 - ALL);
        extreme.all(|extreme| extreme)
    }

    /// How many values of the label are more frequent among all customers.
    pub(crate) fn rank_among_labels(&self, rows: &[Entry<'_>]) -> usize {
        let more_frequent: std::collections::BTreeSet<&str> = rows
            .iter()
            .filter(|e| {
                e.row.feature == self.row.feature && e.population_share > self.population_share
            })
            .filter_map(|e| e.row.label.as_deref())
            .collect();
        more_frequent.len()
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
        assert!(found[0].is_tautology(&found));
        let other = [row("a", Some("x"), 60, None), row("b", Some("y"), 50, None)];
        let found = entries(&other, &scheme([100, 50]));
        assert!(!found[0].is_tautology(&found));
    }
}
