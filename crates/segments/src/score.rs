//! From values to scores 1 to k, higher is better.

use std::ops::Range;

use crate::rank::Ranking;
use crate::rfm::Closed;

/// Whether large or small values are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Good {
    /// Large values get high scores: frequency, monetary value.
    Large,
    /// Small values get high scores: recency.
    Small,
}

/// Score of a customer without a value.
pub(crate) const NO_SCORE: u8 = 0;

/// Mid-distribution rank: with p = (values below + half of the equal ones) / all, the score is min(k, 1 + floor(k p));
/// where small is good, "below" becomes "above".
///
/// Equal values get equal scores, the order of rows and any increasing transform of the values change nothing, and if all
/// values are equal they get the middle score. Customers without a value get [`NO_SCORE`]. Integer arithmetic, hence exact.
pub(crate) fn midrank(ranking: &Ranking, rows: usize, scores: u8, good: Good) -> Vec<u8> {
    let mut out = vec![NO_SCORE; rows];
    for tie in ranking.ties() {
        let score = midrank_of(&tie, ranking.len(), scores, good);
        for &row in &ranking.rows()[tie] {
            out[row as usize] = score;
        }
    }
    out
}

/// The score of equal values, of which these are the places among all.
pub(crate) fn midrank_of(tie: &Range<usize>, all: usize, scores: u8, good: Good) -> u8 {
    let doubled = doubled_rank(tie, all, good) as u64;
    let score = 1 + u64::from(scores) * doubled / (2 * all as u64);
    score.min(u64::from(scores)) as u8
}

/// Twice the number of worse values, and the number of equal ones.
pub(crate) fn doubled_rank(tie: &Range<usize>, all: usize, good: Good) -> usize {
    let worse = match good {
        Good::Large => tie.start,
        Good::Small => all - tie.end,
    };
    2 * worse + tie.len()
}

/// Scores by k - 1 ascending edges of the value: the bin is 1 + the number of edges below the value (right-closed:
/// `lower < v <= upper`) or not above it (left-closed: `lower <= v < upper`). Where small is good, the lowest bin gets the
/// highest score.
/// NaN gets [`NO_SCORE`].
pub(crate) fn by_edges(values: &[f64], edges: &[f64], closed: Closed, good: Good) -> Vec<u8> {
    let scores = edges.len() as u8 + 1;
    let score = |value: f64| {
        let passed = match closed {
            Closed::Right => edges.partition_point(|edge| *edge < value),
            Closed::Left => edges.partition_point(|edge| *edge <= value),
        } as u8;
        match good {
            Good::Large => 1 + passed,
            Good::Small => scores - passed,
        }
    };
    values
        .iter()
        .map(|&value| {
            if value.is_nan() {
                NO_SCORE
            } else {
                score(value)
            }
        })
        .collect()
}

/// k - 1 edges at the type-7 quantiles 1/k, 2/k, …, each with the offset added. Empty without values.
pub(crate) fn quantile_edges(ranking: &Ranking, scores: u8, offset: f64) -> Vec<f64> {
    shifted_edges(ranking, scores, offset, 0.0)
}

/// The same at quantiles that are so much further up, as a share of the customers.
pub(crate) fn shifted_edges(ranking: &Ranking, scores: u8, offset: f64, shift: f64) -> Vec<f64> {
    let share = |step: u8| (f64::from(step) / f64::from(scores) + shift).clamp(0.0, 1.0);
    (1..scores)
        .filter_map(|step| ranking.quantile(share(step)))
        .map(|edge| edge + offset)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores_of(values: &[f64], k: u8, good: Good) -> Vec<u8> {
        midrank(&Ranking::new(values), values.len(), k, good)
    }

    #[test]
    fn edges_close_on_the_stated_side() {
        let values = [1.0, 2.0, 2.5, 3.0, f64::NAN];
        assert_eq!(
            by_edges(&values, &[2.0, 3.0], Closed::Right, Good::Large),
            [1, 1, 2, 2, 0]
        );
        assert_eq!(
            by_edges(&values, &[2.0, 3.0], Closed::Left, Good::Large),
            [1, 2, 2, 3, 0]
        );
        assert_eq!(
            by_edges(&values, &[2.0, 3.0], Closed::Right, Good::Small),
            [3, 3, 2, 2, 0]
        );
    }

    #[test]
    fn all_equal_gets_the_middle_score() {
        assert_eq!(scores_of(&[7.0; 9], 5, Good::Large), [3; 9]);
        assert_eq!(scores_of(&[7.0; 9], 5, Good::Small), [3; 9]);
        assert_eq!(scores_of(&[7.0], 3, Good::Large), [2]);
    }

    #[test]
    fn zero_inflated_values_keep_their_spread() {
        let values: Vec<f64> = (0..100)
            .map(|i| if i < 60 { 0.0 } else { f64::from(i) })
            .collect();
        let scores = scores_of(&values, 5, Good::Large);
        assert!(scores[..60].iter().all(|s| *s == 2), "p = 0.3");
        assert_eq!(scores[60], 4);
        assert_eq!(scores[99], 5);
    }

    proptest! {
        #[test]
        fn midrank_properties(values in proptest::collection::vec((0u8..20).prop_map(f64::from), 1..120), k in 2u8..12, turn in 0usize..100) {
            let scores = scores_of(&values, k, Good::Large);
            for (a, &va) in values.iter().enumerate() {
                prop_assert!((1..=k).contains(&scores[a]));
                for (b, &vb) in values.iter().enumerate() {
                    prop_assert!(va != vb || scores[a] == scores[b], "equal values, equal scores");
                    prop_assert!(va > vb || scores[a] <= scores[b], "a larger value never scores less");
                }
            }
            let mut turned = values.clone();
            turned.rotate_left(turn % values.len());
            let mut expected = scores.clone();
            expected.rotate_left(turn % values.len());
            prop_assert_eq!(scores_of(&turned, k, Good::Large), expected, "row order changes nothing");

            let curved: Vec<f64> = values.iter().map(|v| (v * 0.3).exp() - 50.0).collect();
            prop_assert_eq!(scores_of(&curved, k, Good::Large), scores.clone(), "a rising transform changes nothing");

            let negated: Vec<f64> = values.iter().map(|v| 0.0 - v).collect();
            prop_assert_eq!(scores_of(&negated, k, Good::Small), scores, "small is good on the negated values");
        }
    }
}
