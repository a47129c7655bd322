//! RFM grids: which cell belongs to which segment, and what is wrong with a grid.

mod named;

use crate::error::SegmentError;
use crate::rfm::{Grid, GridInterval};

/// Segment of cells that no line of an interval grid covers.
pub(crate) const OTHERS: &str = "Others";

/// Lowest and highest number of scores of a grid of the pipeline's own.
const SCORES: [u8; 2] = [2, 50];

/// Highest score of the named grids.
const NAMED_SCORES: u8 = 5;

/// The segment of every cell of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellMap {
    scores: u8,
    segments: Vec<String>,
    rules: Vec<String>,
    cells: Vec<u16>,
    uncovered: Vec<bool>,
}

/// What is wrong with a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridLint {
    /// Number of cells: scores to the power of three.
    pub cells: usize,
    /// Cells, as [R, F, M], that no line covers.
    pub uncovered: Vec<[u8; 3]>,
    /// Cells, as [R, F, M], that more than one line covers; the first wins.
    pub overlapping: Vec<[u8; 3]>,
    /// Segments of lines that win no cell, because earlier lines cover all of theirs.
    pub dead: Vec<String>,
}

/// The ranges of one segment or line: its name, and the boxes of cells it claims.
struct Claim {
    segment: String,
    boxes: Vec<[[u8; 2]; 3]>,
    rule: String,
}

impl CellMap {
    /// The map of a grid for scores 1 to k.
    ///
    /// # Errors
    /// A named grid with k other than 5; a grid of the pipeline's own without lines, with ranges that are empty or outside 1
    /// to k, or with k outside 2 to 50.
    pub fn new(grid: &Grid, scores: u8) -> Result<Self, SegmentError> {
        let claims = claims(grid, scores)?;
        let mut segments: Vec<String> = Vec::new();
        let mut rules: Vec<String> = Vec::new();
        let mut cells = vec![u16::MAX; cube(scores)];
        for claim in claims {
            let segment = match segments.iter().position(|name| *name == claim.segment) {
                Some(index) => {
                    rules[index] = format!("{}, or {}", rules[index], claim.rule);
                    index
                }
                None => {
                    segments.push(claim.segment);
                    rules.push(claim.rule);
                    segments.len() - 1
                }
            };
            for cell in claim
                .boxes
                .iter()
                .flat_map(|ranges| cells_of(*ranges, scores))
            {
                if cells[cell] == u16::MAX {
                    cells[cell] = segment as u16;
                }
            }
        }
        let uncovered: Vec<bool> = cells.iter().map(|cell| *cell == u16::MAX).collect();
        if uncovered.contains(&true) {
            const RULE: &str = "no line of the grid covers the scores";
            let others = match segments.iter().position(|name| name == OTHERS) {
                Some(others) => {
                    rules[others] = format!("{}, or {RULE}", rules[others]);
                    others
                }
                None => {
                    segments.push(OTHERS.to_owned());
                    rules.push(RULE.to_owned());
                    segments.len() - 1
                }
            };
            cells
                .iter_mut()
                .filter(|cell| **cell == u16::MAX)
                .for_each(|cell| *cell = others as u16);
        }
        Ok(Self {
            scores,
            segments,
            rules,
            cells,
            uncovered,
        })
    }

    /// Highest score.
    pub fn scores(&self) -> u8 {
        self.scores
    }

    /// Names of the segments in the order of the grid; `Others` last, where cells are uncovered.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether a line covers a cell; otherwise its customers are `Others`.
    pub(crate) fn is_covered(&self, r: u8, f: u8, m: u8) -> bool {
        let cell = self
            .segment(r, f, m)
            .map(|_| cell_index([r, f, m], self.scores));
        cell.is_some_and(|cell| !self.uncovered[cell])
    }

    /// Index into [`CellMap::segments`] of a name.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.segments.iter().position(|known| known == name)
    }

    /// The rule of each segment as text.
    pub(crate) fn rules(&self) -> &[String] {
        &self.rules
    }

    /// Index into [`CellMap::segments`] of the cell; `None` where a score is not in 1 to k.
    pub fn segment(&self, r: u8, f: u8, m: u8) -> Option<usize> {
        let inside = [r, f, m]
            .iter()
            .all(|score| (1..=self.scores).contains(score));
        inside.then(|| usize::from(self.cells[cell_index([r, f, m], self.scores)]))
    }
}

/// Finds cells without a line, cells with several lines, and lines that win no cell.
///
/// # Errors
/// As [`CellMap::new`].
pub fn lint(grid: &Grid, scores: u8) -> Result<GridLint, SegmentError> {
    let claims = claims(grid, scores)?;
    let mut claimed = vec![0u32; cube(scores)];
    let mut dead = Vec::new();
    for claim in &claims {
        let mut wins = false;
        let mut own: Vec<usize> = claim
            .boxes
            .iter()
            .flat_map(|ranges| cells_of(*ranges, scores))
            .collect();
        own.sort_unstable();
        own.dedup();
        for cell in own {
            wins |= claimed[cell] == 0;
            claimed[cell] += 1;
        }
        if !wins {
            dead.push(claim.segment.clone());
        }
    }
    let having = |wanted: fn(u32) -> bool| {
        (0..claimed.len())
            .filter(|cell| wanted(claimed[*cell]))
            .map(|cell| cell_scores(cell, scores))
            .collect()
    };
    Ok(GridLint {
        cells: claimed.len(),
        uncovered: having(|n| n == 0),
        overlapping: having(|n| n > 1),
        dead,
    })
}

/// Name of a grid, as in the pipeline file.
pub(crate) fn grid_name(grid: &Grid) -> &'static str {
    match grid {
        Grid::Eleven => "eleven",
        Grid::Ten => "ten",
        Grid::IntervalDocs => "interval_docs",
        Grid::IntervalReadme => "interval_readme",
        Grid::Own(_) => "own",
    }
}

/// The grid in a sentence.
pub(crate) fn grid_words(grid: &Grid) -> &'static str {
    match grid {
        Grid::Eleven => "the eleven-segment grid",
        Grid::Ten => "the ten-segment grid",
        Grid::IntervalDocs => "the interval grid of R rfm's documentation",
        Grid::IntervalReadme => "the interval grid of R rfm's README",
        Grid::Own(_) => "the pipeline's grid",
    }
}

fn claims(grid: &Grid, scores: u8) -> Result<Vec<Claim>, SegmentError> {
    if !matches!(grid, Grid::Own(_)) && scores != NAMED_SCORES {
        return Err(SegmentError::GridScores {
            grid: grid_name(grid),
            needed: NAMED_SCORES,
            found: scores,
        });
    }
    if !(SCORES[0]..=SCORES[1]).contains(&scores) {
        return Err(SegmentError::ScoreRange {
            found: scores,
            low: SCORES[0],
            high: SCORES[1],
        });
    }
    match grid {
        Grid::Eleven => Ok(named::ELEVEN
            .iter()
            .map(|(segment, cells)| listed(segment, cells))
            .collect()),
        Grid::Ten => Ok(named::TEN
            .iter()
            .map(|line| interval(line.0, [line.1, line.2, [1, NAMED_SCORES]], scores))
            .collect()),
        Grid::IntervalDocs => Ok(named::INTERVAL_DOCS
            .iter()
            .map(|line| interval(line.0, line.1, scores))
            .collect()),
        Grid::IntervalReadme => Ok(named::INTERVAL_README
            .iter()
            .map(|line| interval(line.0, line.1, scores))
            .collect()),
        Grid::Own(lines) => own(lines, scores),
    }
}

/// Lines of a grid at most: segments of a cell map are numbered by u16, whose largest value marks an uncovered cell.
const MOST_LINES: usize = u16::MAX as usize - 1;

fn own(lines: &[GridInterval], scores: u8) -> Result<Vec<Claim>, SegmentError> {
    if lines.is_empty() {
        return Err(SegmentError::GridEmpty);
    }
    if lines.len() > MOST_LINES {
        return Err(SegmentError::GridLines {
            lines: lines.len(),
            most: MOST_LINES,
        });
    }
    let checked = |(line, given): (usize, &GridInterval)| {
        let ranges = [given.r, given.f, given.m];
        let fine = ranges
            .iter()
            .all(|[from, to]| 1 <= *from && from <= to && *to <= scores);
        if fine {
            Ok(interval(&given.segment, ranges, scores))
        } else {
            Err(SegmentError::GridLine { line, scores })
        }
    };
    lines.iter().enumerate().map(checked).collect()
}

fn interval(segment: &str, ranges: [[u8; 2]; 3], scores: u8) -> Claim {
    let words: Vec<String> = ["R", "F", "M"]
        .iter()
        .zip(ranges)
        .filter(|(_, range)| *range != [1, scores])
        .map(|(letter, [from, to])| {
            if from == to {
                format!("{letter} {from}")
            } else {
                format!("{letter} {from}-{to}")
            }
        })
        .collect();
    let rule = if words.is_empty() {
        "any scores".to_owned()
    } else {
        words.join(", ")
    };
    Claim {
        segment: segment.to_owned(),
        boxes: vec![ranges],
        rule,
    }
}

/// A claim on cells written as three digits each.
fn listed(segment: &str, cells: &str) -> Claim {
    let digit = |byte: &u8| [byte - b'0'; 2];
    let boxes = cells
        .split(' ')
        .map(str::as_bytes)
        .filter_map(|cell| match cell {
            [r, f, m] => Some([digit(r), digit(f), digit(m)]),
            _ => None,
        });
    Claim {
        segment: segment.to_owned(),
        boxes: boxes.collect(),
        rule: format!("RFM {cells}"),
    }
}

fn cube(scores: u8) -> usize {
    usize::from(scores).pow(3)
}

fn cell_index([r, f, m]: [u8; 3], scores: u8) -> usize {
    let [r, f, m, k] = [r, f, m, scores + 1].map(|score| usize::from(score) - 1);
    (r * k + f) * k + m
}

fn cell_scores(cell: usize, scores: u8) -> [u8; 3] {
    let k = usize::from(scores);
    [cell / (k * k), cell / k % k, cell % k].map(|place| place as u8 + 1)
}

fn cells_of([r, f, m]: [[u8; 2]; 3], scores: u8) -> impl Iterator<Item = usize> {
    (r[0]..=r[1]).flat_map(move |r| {
        (f[0]..=f[1]).flat_map(move |f| (m[0]..=m[1]).map(move |m| cell_index([r, f, m], scores)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(grid: &Grid) -> Vec<(String, usize)> {
        let map = CellMap::new(grid, 5).unwrap();
        let count = |index| {
            map.cells
                .iter()
                .filter(|cell| usize::from(**cell) == index)
                .count()
        };
        map.segments
            .iter()
            .enumerate()
            .map(|(index, name)| (name.clone(), count(index)))
            .collect()
    }

    #[test]
    fn eleven_is_complete_and_disjoint_with_the_counts_of_definitions_2b() {
        let lint = lint(&Grid::Eleven, 5).unwrap();
        assert_eq!(
            lint,
            GridLint {
                cells: 125,
                uncovered: vec![],
                overlapping: vec![],
                dead: vec![]
            }
        );
        let expected = [7, 8, 24, 7, 16, 8, 8, 22, 8, 11, 6];
        assert_eq!(
            counts(&Grid::Eleven)
                .iter()
                .map(|c| c.1)
                .collect::<Vec<_>>(),
            expected
        );
        assert_eq!(counts(&Grid::Eleven)[0].0, "Champions");
    }

    #[test]
    fn ten_is_complete_and_disjoint() {
        let lint = lint(&Grid::Ten, 5).unwrap();
        assert_eq!(
            lint,
            GridLint {
                cells: 125,
                uncovered: vec![],
                overlapping: vec![],
                dead: vec![]
            }
        );
        // 25 cells of R x F, each with all five monetary scores.
        assert_eq!(
            counts(&Grid::Ten)
                .iter()
                .map(|c| c.1 / 5)
                .collect::<Vec<_>>(),
            [4, 4, 2, 2, 1, 4, 1, 1, 4, 2]
        );
        let map = CellMap::new(&Grid::Ten, 5).unwrap();
        for (cell, name) in [
            ([3, 3, 1], "need_attention"),
            ([5, 1, 5], "new"),
            ([4, 3, 2], "potential_loyalist"),
        ] {
            assert_eq!(
                map.segments()[map.segment(cell[0], cell[1], cell[2]).unwrap()],
                name
            );
        }
    }

    #[test]
    fn interval_docs_lint_of_definitions_2c() {
        let lint = lint(&Grid::IntervalDocs, 5).unwrap();
        assert_eq!((lint.uncovered.len(), lint.overlapping.len()), (36, 39));
        assert_eq!(lint.dead, ["New", "Promising", "Can't Lose"]);
        let counts = counts(&Grid::IntervalDocs);
        assert_eq!(counts.last().unwrap(), &(OTHERS.to_owned(), 36));
    }

    #[test]
    fn interval_readme_lint_of_definitions_2c2() {
        let lint = lint(&Grid::IntervalReadme, 5).unwrap();
        assert_eq!((lint.uncovered.len(), lint.overlapping.len()), (10, 58));
        assert!(lint.dead.is_empty());
    }

    #[test]
    fn own_grids_are_checked_and_the_first_match_wins() {
        let line = |segment: &str, r, f, m| GridInterval {
            segment: segment.to_owned(),
            r,
            f,
            m,
        };
        let grid = Grid::Own(vec![
            line("best", [3, 3], [1, 3], [1, 3]),
            line("rest", [1, 3], [1, 3], [1, 3]),
        ]);
        let map = CellMap::new(&grid, 3).unwrap();
        assert_eq!(map.segments(), ["best", "rest"]);
        assert_eq!(
            (
                map.segment(3, 1, 1),
                map.segment(2, 3, 3),
                map.segment(0, 1, 1)
            ),
            (Some(0), Some(1), None)
        );
        assert_eq!(map.rules(), ["R 3", "any scores"]);
        assert_eq!(lint(&grid, 3).unwrap().overlapping.len(), 9);

        assert!(matches!(
            CellMap::new(&Grid::Own(vec![]), 3),
            Err(SegmentError::GridEmpty)
        ));
        let many = vec![line("any", [1, 3], [1, 3], [1, 3]); MOST_LINES + 1];
        assert!(matches!(
            CellMap::new(&Grid::Own(many), 3),
            Err(SegmentError::GridLines {
                lines: 65_535,
                most: 65_534
            })
        ));
        let wide = Grid::Own(vec![line("wide", [1, 4], [1, 3], [1, 3])]);
        assert!(matches!(
            CellMap::new(&wide, 3),
            Err(SegmentError::GridLine { line: 0, scores: 3 })
        ));
        assert!(matches!(
            CellMap::new(&Grid::Eleven, 4),
            Err(SegmentError::GridScores {
                needed: 5,
                found: 4,
                ..
            })
        ));
        assert!(matches!(
            CellMap::new(&wide, 255),
            Err(SegmentError::ScoreRange { .. })
        ));
    }
}
