//! Customers at the border of a score, who stay in their segment.

use std::ops::Range;

use tessera_spec::shown::grouped;

use super::{features, good, ranked, score};
use crate::cells::{Axis, Cells};
use crate::customers::Customers;
use crate::edges::CLOSED;
use crate::error::SegmentError;
use crate::grid::CellMap;
use crate::kinds::WithinLimits;
use crate::rank::Ranking;
use crate::rfm::{Closed, RfmGrid, ScoreMethod};
use crate::score::{Good, NO_SCORE, by_edges, doubled_rank, midrank_of, shifted_edges};
use crate::wording::percent;

/// The scores of equal values: their own, the lowest and the highest of ranks that are worse or better by a share of the customers.
fn reach_of(tie: &Range<usize>, all: usize, most: u8, good: Good, margin: f64) -> [u8; 3] {
    let own = midrank_of(tie, all, most, good);
    let rank = doubled_rank(tie, all, good) as f64 / (2.0 * all as f64);
    let at = |rank: f64| (1 + (f64::from(most) * rank.max(0.0)) as u8).min(most);
    [own, at(rank - margin).min(own), at(rank + margin).max(own)]
}

/// The lowest and the highest score of each customer whose rank is worse or better by a share of the customers.
fn reach(ranking: &Ranking, rows: usize, most: u8, good: Good, margin: f64) -> Vec<[u8; 2]> {
    let mut reach = vec![[NO_SCORE; 2]; rows];
    for tie in ranking.ties() {
        let [_, low, high] = reach_of(&tie, ranking.len(), most, good, margin);
        for &row in &ranking.rows()[tie] {
            reach[row as usize] = [low, high];
        }
    }
    reach
}

/// The lowest and the highest score of each customer where the edges are quantiles, and these are further up or down by a share of
/// the customers.
fn reach_of_edges(
    (ranking, values): (&Ranking, &[f64]),
    scores: &[u8],
    most: u8,
    (closed, offset): (Closed, f64),
    (good, margin): (Good, f64),
) -> Vec<[u8; 2]> {
    let at = |shift: f64| {
        let edges = shifted_edges(ranking, most, offset, shift);
        by_edges(values, &edges, closed, good)
    };
    let (up, down) = (at(margin), at(-margin));
    let all = scores.iter().zip(up.iter().zip(&down));
    let ends = all.map(|(own, (up, down))| [*own.min(up).min(down), *own.max(up).max(down)]);
    ends.collect()
}

/// The customers who stay in the segment that they were in: ranks that are better or worse by so small a share of the customers
/// would put them there. `segment_before` is the segment of the customer in a row in the previous version.
///
/// # Errors
/// A feature that is not a column of the customers, a grid with mistakes.
pub fn within_margin<'n>(
    config: &RfmGrid,
    margin: f64,
    customers: &Customers,
    segment_before: impl Fn(usize) -> Option<&'n str>,
) -> Result<Vec<WithinLimits>, SegmentError> {
    let map = CellMap::new(&config.grid.value, config.scores)?;
    let (values, rankings) = ranked(config, customers)?;
    let scored = score(config, &values, &rankings, None)?;
    let reach = [0, 1, 2].map(|index| {
        let (scores, ranking) = (&scored.scores[index], &rankings[index]);
        let (most, good) = (config.scores, good(index));
        match config.score_method {
            ScoreMethod::Quantile {
                closed,
                edge_offset,
            } => {
                let of = (ranking, values[index].as_slice());
                reach_of_edges(of, scores, most, (closed, edge_offset), (good, margin))
            }
            _ => reach(ranking, scores.len(), most, good, margin),
        }
    });
    let mut found = Vec::new();
    for row in 0..customers.len() {
        let own = scored.scores.each_ref().map(|scores| scores[row]);
        let Some(cell) = map.segment(own[0], own[1], own[2]) else {
            continue;
        };
        let before = segment_before(row).and_then(|name| map.place(name));
        let Some(before) = before.filter(|before| *before != cell) else {
            continue;
        };
        if reaches(&map, reach.each_ref().map(|reach| reach[row]), before) {
            let name = map.segments()[before].clone();
            let reason = format!(
                "by its margin in `{name}`: ranks that differ by up to {} of the {} customers put it there",
                percent(margin),
                grouped(rankings[0].len() as u64)
            );
            found.push(WithinLimits {
                row: row as u32,
                tier: name,
                reason,
            });
        }
    }
    Ok(found)
}

/// Whether a segment has one of the cells between these scores, the lowest and the highest of each dimension.
fn reaches(map: &CellMap, [r, f, m]: [[u8; 2]; 3], segment: usize) -> bool {
    let mut cells = (r[0]..=r[1])
        .flat_map(|r| (f[0]..=f[1]).flat_map(move |f| (m[0]..=m[1]).map(move |m| [r, f, m])));
    cells.any(|[r, f, m]| map.segment(r, f, m) == Some(segment))
}

/// The scores of a dimension by ranges of its values: the own score, the lowest and the highest within the margin.
struct Steps {
    /// The limits between the ranges, ascending.
    limits: Vec<f64>,
    scores: Vec<[u8; 3]>,
}

impl Steps {
    /// From the ranks of the customers; a range ends with its largest value.
    fn of_ranks(ranking: &Ranking, most: u8, good: Good, margin: f64) -> Self {
        let (mut limits, mut scores) = (Vec::new(), Vec::new());
        for tie in ranking.ties() {
            let of_tie = reach_of(&tie, ranking.len(), most, good, margin);
            if scores.last() == Some(&of_tie) {
                continue;
            }
            // The value before the first of the range; none before the first range.
            let before = tie.start.checked_sub(1).map(|last| ranking.values()[last]);
            limits.extend(before);
            scores.push(of_tie);
        }
        Self { limits, scores }
    }

    /// From edges at quantiles, and the same further up and down.
    fn of_edges(
        ranking: &Ranking,
        most: u8,
        (closed, offset): (Closed, f64),
        (good, margin): (Good, f64),
    ) -> Self {
        let edges = [0.0, margin, -margin].map(|by| shifted_edges(ranking, most, offset, by));
        let mut limits = edges.concat();
        limits.sort_by(f64::total_cmp);
        limits.dedup();
        // A value of each range: limits belong to the range below them, or above.
        let mut values = limits.clone();
        match closed {
            Closed::Right => values.push(f64::INFINITY),
            Closed::Left => values.insert(0, f64::NEG_INFINITY),
        }
        let [own, up, down] = edges.map(|edges| by_edges(&values, &edges, closed, good));
        let all = own.iter().zip(up.iter().zip(&down));
        let scores =
            all.map(|(own, (up, down))| [*own, *own.min(up).min(down), *own.max(up).max(down)]);
        Self {
            scores: scores.collect(),
            limits,
        }
    }
}

/// The cells of the grid between the values at which scores change, for who is in none of its segments and, by the margin, for who is
/// in each; `None` where no customer has scores.
///
/// # Errors
/// A feature that is not a column of the customers, a grid with mistakes.
pub fn cells_within(
    config: &RfmGrid,
    margin: f64,
    customers: &Customers,
) -> Result<Option<Cells>, SegmentError> {
    let map = CellMap::new(&config.grid.value, config.scores)?;
    let (_, rankings) = ranked(config, customers)?;
    if rankings[0].len() == 0 {
        return Ok(None);
    }
    let (most, mut of_method) = (config.scores, CLOSED);
    let steps = [0, 1, 2].map(|index| match config.score_method {
        ScoreMethod::Quantile {
            closed,
            edge_offset,
        } => {
            of_method = closed;
            let good = (good(index), margin);
            Steps::of_edges(&rankings[index], most, (closed, edge_offset), good)
        }
        _ => Steps::of_ranks(&rankings[index], most, good(index), margin),
    });
    let [r, f, m] = steps.each_ref().map(|steps| steps.scores.as_slice());
    let all = r
        .iter()
        .flat_map(|r| f.iter().flat_map(move |f| m.iter().map(move |m| [r, f, m])));
    let own = |[r, f, m]: [&[u8; 3]; 3]| map.segment(r[0], f[0], m[0]).unwrap_or_default();
    let within = (0..map.segments().len()).map(|from| {
        let cells = all.clone().map(|scores| {
            let reach = scores.map(|[_, low, high]| [*low, *high]);
            let stays = reaches(&map, reach, from);
            if stays {
                from as u32
            } else {
                own(scores) as u32
            }
        });
        (from as u32, cells.collect())
    });
    let axis = |(column, steps): (&str, &Steps)| Axis {
        column: column.to_owned(),
        limits: steps.limits.clone(),
        closed: of_method,
        by_time: false,
    };
    Ok(Some(Cells {
        axes: features(config).into_iter().zip(&steps).map(axis).collect(),
        segments: map.segments().to_vec(),
        cells: all.clone().map(|scores| own(scores) as u32).collect(),
        within: within.collect(),
    }))
}
