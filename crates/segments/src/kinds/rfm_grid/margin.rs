//! Customers at the border of a score, who stay in their segment.

use tessera_spec::shown::grouped;

use super::{good, ranked, score};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::grid::CellMap;
use crate::kinds::WithinLimits;
use crate::rank::Ranking;
use crate::rfm::{Closed, RfmGrid, ScoreMethod};
use crate::score::{Good, NO_SCORE, by_edges, shifted_edges};
use crate::wording::percent;

/// The lowest and the highest score of each customer whose rank is worse or better by a share of the customers.
fn reach(ranking: &Ranking, scores: &[u8], most: u8, good: Good, margin: f64) -> Vec<[u8; 2]> {
    let mut reach = vec![[NO_SCORE; 2]; scores.len()];
    let all = ranking.len() as f64;
    for tie in ranking.ties() {
        let worse = match good {
            Good::Large => tie.start,
            Good::Small => ranking.len() - tie.end,
        };
        let rank = (2 * worse + tie.len()) as f64 / (2.0 * all);
        let at = |rank: f64| (1 + (f64::from(most) * rank.max(0.0)) as u8).min(most);
        let (low, high) = (at(rank - margin), at(rank + margin));
        for &row in &ranking.rows()[tie] {
            let own = scores[row as usize];
            reach[row as usize] = [low.min(own), high.max(own)];
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
            _ => reach(ranking, scores, most, good, margin),
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
        let [r, f, m] = reach.each_ref().map(|reach| reach[row]);
        let mut cells = (r[0]..=r[1])
            .flat_map(|r| (f[0]..=f[1]).flat_map(move |f| (m[0]..=m[1]).map(move |m| [r, f, m])));
        if cells.any(|[r, f, m]| map.segment(r, f, m) == Some(before)) {
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
