//! Which cluster is which earlier cluster: overlaps over the customers present in both versions, matched by
//! the Hungarian method.

use std::collections::BTreeMap;

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

use crate::moves::ABSENT;

/// Least Jaccard similarity at which a matched pair is the same segment.
const SAME_JACCARD: f64 = 0.5;

/// Least share of the smaller segment at which a matched pair is the same segment.
const SAME_CONTAINMENT: f64 = 0.6;

/// Jaccard similarities are compared as integers, in units of 1 / this, so that rounding of sums does not matter.
const PARTS: u128 = 1 << 40;

/// How many customers of each earlier segment are in each later one, over the customers present in both versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Customers per earlier segment.
    pub before: Vec<u64>,
    /// Customers per later segment.
    pub after: Vec<u64>,
    both: BTreeMap<(u32, u32), u64>,
}

impl Overlap {
    /// Counts pairs of earlier and later segment; customers of whom either is [`ABSENT`] do not count.
    pub fn count(
        pairs: impl Iterator<Item = (u32, u32)>,
        segments_before: usize,
        segments_after: usize,
    ) -> Self {
        let mut found = Self {
            before: vec![0; segments_before],
            after: vec![0; segments_after],
            both: BTreeMap::new(),
        };
        // Most schemes have few segments, and then a table is much faster than a map.
        let cells = segments_before.saturating_mul(segments_after);
        let mut dense = vec![0_u64; if cells <= 1 << 20 { cells } else { 0 }];
        for (from, to) in pairs.filter(|&(from, to)| from != ABSENT && to != ABSENT) {
            found.before[from as usize] += 1;
            found.after[to as usize] += 1;
            match dense.get_mut(from as usize * segments_after + to as usize) {
                Some(count) => *count += 1,
                None => *found.both.entry((from, to)).or_default() += 1,
            }
        }
        for (cell, &count) in dense.iter().enumerate().filter(|(_, count)| **count > 0) {
            let place = (
                (cell / segments_after) as u32,
                (cell % segments_after) as u32,
            );
            found.both.insert(place, count);
        }
        found
    }

    /// Customers of an earlier segment in a later one.
    pub fn both(&self, before: usize, after: usize) -> u64 {
        let place = (before as u32, after as u32);
        self.both.get(&place).copied().unwrap_or(0)
    }

    /// Customers of both over customers of either; 0 where there is none.
    pub fn jaccard(&self, before: usize, after: usize) -> f64 {
        let both = self.both(before, after);
        let either = self.before[before] + self.after[after] - both;
        share(both, either)
    }

    /// Customers of both over the customers of the smaller one; 0 where there is none.
    pub fn containment(&self, before: usize, after: usize) -> f64 {
        let smaller = self.before[before].min(self.after[after]);
        share(self.both(before, after), smaller)
    }

    /// Share of the earlier segment's customers that are in the later one.
    pub fn of_before(&self, before: usize, after: usize) -> f64 {
        share(self.both(before, after), self.before[before])
    }

    /// Share of the later segment's customers that were in the earlier one.
    pub fn of_after(&self, before: usize, after: usize) -> f64 {
        share(self.both(before, after), self.after[after])
    }

    fn parts(&self, before: usize, after: usize) -> i64 {
        let both = u128::from(self.both(before, after));
        let either = u128::from(self.before[before] + self.after[after]) - both;
        let parts = (both * PARTS).checked_div(either).unwrap_or(0);
        i64::try_from(parts).unwrap_or(i64::MAX)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        // Counts of customers are far below 2^53.
        _ => part as f64 / whole as f64,
    }
}

/// For each later cluster the earlier one that it continues, if any. Clusters are paired so that the sum of Jaccard similarities
/// is largest; of these pairs, those with a Jaccard similarity of at least 0.5 or a containment of at least 0.6 are the same
/// cluster. `order_after` lists the later clusters in an order that does not depend on their labels; it decides ties.
pub fn match_clusters(overlap: &Overlap, order_after: &[usize]) -> Vec<Option<usize>> {
    let (rows, columns) = (overlap.before.len(), overlap.after.len());
    let mut matched = vec![None; columns];
    let size = rows.max(columns);
    if rows == 0 || columns == 0 {
        return matched;
    }
    // Square, so that every segment may stay without a partner.
    let weights = Matrix::from_fn(size, size, |(row, place)| {
        match (row < rows, order_after.get(place)) {
            (true, Some(&column)) => overlap.parts(row, column),
            _ => 0,
        }
    });
    let (_, places) = kuhn_munkres(&weights);
    for (row, place) in places.into_iter().enumerate().take(rows) {
        let Some(&column) = order_after.get(place) else {
            continue;
        };
        let same = overlap.jaccard(row, column) >= SAME_JACCARD
            || overlap.containment(row, column) >= SAME_CONTAINMENT;
        if same {
            matched[column] = Some(row);
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_order(columns: usize) -> Vec<usize> {
        (0..columns).collect()
    }

    /// The largest sum over all ways of pairing each earlier cluster with a different later one, or none.
    fn best_sum(overlap: &Overlap, row: usize, taken: &mut Vec<bool>) -> i64 {
        if row == overlap.before.len() {
            return 0;
        }
        let mut best = best_sum(overlap, row + 1, taken);
        for column in 0..overlap.after.len() {
            if !taken[column] {
                taken[column] = true;
                let sum = overlap.parts(row, column) + best_sum(overlap, row + 1, taken);
                best = best.max(sum);
                taken[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn the_matching_has_the_largest_sum_of_all(
            pairs in proptest::collection::vec((0_u32..5, 0_u32..4), 0..60),
        ) {
            let overlap = Overlap::count(pairs.into_iter(), 5, 4);
            let order = in_order(4);
            let size = 5;
            let weights = Matrix::from_fn(size, size, |(row, column)| {
                if column < 4 { overlap.parts(row, column) } else { 0 }
            });
            let (sum, _) = kuhn_munkres(&weights);
            prop_assert_eq!(sum, best_sum(&overlap, 0, &mut vec![false; 4]));
            let matched = match_clusters(&overlap, &order);
            for (column, row) in matched.into_iter().enumerate() {
                if let Some(row) = row {
                    let same = overlap.jaccard(row, column) >= 0.5 || overlap.containment(row, column) >= 0.6;
                    prop_assert!(same);
                }
            }
        }

        #[test]
        fn clusters_alike_by_three_quarters_are_the_same(
            before in proptest::collection::vec(0_u32..4, 40..200),
            moved in proptest::collection::vec(proptest::option::weighted(0.12, 0_u32..4), 200),
            shift in 0_u32..4,
        ) {
            let after = before.iter().zip(&moved).map(|(from, moved)| (moved.unwrap_or(*from) + shift) % 4);
            let overlap = Overlap::count(before.iter().copied().zip(after), 4, 4);
            let matched = match_clusters(&overlap, &in_order(4));
            for row in 0..4 {
                for (column, matched) in matched.iter().enumerate() {
                    if overlap.jaccard(row, column) >= 0.75 {
                        prop_assert_eq!(*matched, Some(row));
                    }
                }
            }
        }

        #[test]
        fn permuted_labels_change_no_match(
            rows in proptest::collection::vec((0_u32..4, 0_u32..4), 1..80),
            shift in 0_u32..4,
        ) {
            let plain = Overlap::count(rows.iter().copied(), 4, 4);
            let turned = |label: u32| (label + shift) % 4;
            let permuted = Overlap::count(rows.iter().map(|&(from, to)| (from, turned(to))), 4, 4);
            let first_seen = |labels: &mut dyn Iterator<Item = u32>| {
                let mut order: Vec<usize> = Vec::new();
                for label in labels {
                    if !order.contains(&(label as usize)) {
                        order.push(label as usize);
                    }
                }
                order
            };
            let one = match_clusters(&plain, &first_seen(&mut rows.iter().map(|row| row.1)));
            let two = match_clusters(&permuted, &first_seen(&mut rows.iter().map(|row| turned(row.1))));
            for label in 0..4 {
                prop_assert_eq!(one[label as usize], two[turned(label) as usize]);
            }
        }
    }

    #[test]
    fn a_pair_counts_from_half_in_common_or_where_one_holds_the_other() {
        // The other customers of each segment are each in a segment of their own, which matches nothing.
        let pairs = |both: usize, before: u32, after: u32| {
            let both = std::iter::repeat_n((0, 0), both);
            let before = (0..before).map(|other| (0, 1 + other));
            let after = (0..after).map(|other| (1 + other, 0));
            Overlap::count(both.chain(before).chain(after), 9, 9)
        };
        // 10 of 20 are in both.
        assert_eq!(match_clusters(&pairs(10, 5, 5), &in_order(9))[0], Some(0));
        // 10 of 21 are in both, and two thirds of the smaller one.
        assert_eq!(match_clusters(&pairs(10, 6, 5), &in_order(9))[0], Some(0));
        // 10 of 24 are in both, and less than 0.6 of either.
        assert_eq!(match_clusters(&pairs(10, 7, 7), &in_order(9))[0], None);
        assert_eq!(
            match_clusters(&Overlap::count(std::iter::empty(), 0, 2), &in_order(2)),
            [None, None]
        );
    }

    #[test]
    fn customers_who_are_not_in_both_do_not_count() {
        let overlap = Overlap::count([(0, 0), (ABSENT, 0), (0, ABSENT)].into_iter(), 1, 1);
        assert_eq!(
            (overlap.before[0], overlap.after[0], overlap.both(0, 0)),
            (1, 1, 1)
        );
        assert!((overlap.jaccard(0, 0) - 1.0).abs() < f64::EPSILON);
    }
}
