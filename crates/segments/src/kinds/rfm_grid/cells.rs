//! The cells of a grid by code, and what they give a customer: the segment, the columns, the end of the reason.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray};

use crate::assignment::{ExtraColumn, SegmentInfo};
use crate::grid::{CellMap, OTHERS, grid_words};
use crate::rfm::{CODE_WEIGHTS, NOT_SCORED, RFM_ENDINGS, RfmGrid};
use crate::score::NO_SCORE;

/// The rule of customers without scores.
pub(super) fn missing_words(config: &RfmGrid) -> String {
    let [r, f, m] = [&config.recency, &config.frequency, &config.monetary];
    format!("{}, {} or {} is missing", r.value, f.value, m.value)
}

/// The cells of the grid by code: the index of the cell, or one past the last for a customer without scores.
pub(super) struct GridCells {
    scores: [u8; 3],
    words: &'static str,
    segments: Vec<u16>,
}

impl GridCells {
    pub(super) fn new(config: &RfmGrid, map: &CellMap) -> Self {
        let scores = [map.scores(); 3];
        let mut cells = Self {
            scores,
            words: grid_words(&config.grid.value),
            segments: Vec::new(),
        };
        // Every cell of the map has a segment; zero is never reached.
        cells.segments = (0..cells.count())
            .map(|code| cells.digits(code))
            .map(|[r, f, m]| map.segment(r, f, m).unwrap_or(0) as u16)
            .collect();
        cells
    }

    pub(super) fn count(&self) -> u32 {
        self.scores.iter().map(|k| u32::from(*k)).product()
    }

    pub(super) fn code(&self, digits: [u8; 3]) -> u32 {
        if digits.contains(&NO_SCORE) {
            return self.count();
        }
        digits.iter().zip(self.scores).fold(0, |code, (digit, k)| {
            code * u32::from(k) + u32::from(*digit) - 1
        })
    }

    pub(super) fn digits(&self, code: u32) -> [u8; 3] {
        let k = u32::from(self.scores[0]);
        [code / (k * k), code / k % k, code % k].map(|place| place as u8 + 1)
    }

    pub(super) fn segment(&self, code: u32) -> Option<usize> {
        self.segments
            .get(code as usize)
            .map(|segment| usize::from(*segment))
    }

    /// Index of the segment of customers without scores, appended where there are any and no segment has that name.
    pub(super) fn not_scored(
        &self,
        codes: &[u32],
        (scheme, config): (&str, &RfmGrid),
        segments: &mut Vec<SegmentInfo>,
    ) -> u32 {
        if let Some(index) = segments
            .iter()
            .position(|segment| segment.name == NOT_SCORED)
        {
            return index as u32;
        }
        if codes.contains(&self.count()) {
            segments.push(SegmentInfo::new(
                scheme,
                NOT_SCORED,
                Some(missing_words(config)),
            ));
        }
        segments.len() as u32 - 1
    }

    /// The digits of every code: `543`, or `12-4-10` where a score may have two digits.
    fn names(&self) -> Vec<String> {
        let join = if self.scores[0] > 9 { "-" } else { "" };
        (0..self.count())
            .map(|code| self.digits(code).map(|digit| digit.to_string()).join(join))
            .collect()
    }

    /// The text that follows the scores in the reason of each cell.
    pub(super) fn endings(&self, map: &CellMap) -> Vec<String> {
        let reason = |code| {
            let segment: &String = &map.segments()[usize::from(self.segments[code as usize])];
            let [r, f, m] = self.digits(code);
            match map.is_covered(r, f, m) {
                true => format!("is {segment} in {}", self.words),
                false => format!("is in no line of {}, hence {OTHERS}", self.words),
            }
        };
        (0..self.count()).map(|code: u32| reason(code)).collect()
    }

    pub(super) fn columns(
        &self,
        scheme: &str,
        codes: &[u32],
        config: &RfmGrid,
    ) -> Vec<ExtraColumn> {
        let names = self.names();
        let scores: StringArray = codes.iter().map(|code| names.get(*code as usize)).collect();
        let mut columns = vec![ExtraColumn {
            name: format!("{scheme}_score"),
            values: Arc::new(scores),
        }];
        for (place, ending) in RFM_ENDINGS.iter().enumerate() {
            let digit =
                |code: &u32| (*code < self.count()).then(|| i64::from(self.digits(*code)[place]));
            let digits: Int64Array = codes.iter().map(digit).collect();
            columns.push(ExtraColumn {
                name: format!("{scheme}{ending}"),
                values: Arc::new(digits),
            });
        }
        if config.weights != CODE_WEIGHTS {
            let weighted = |code: &u32| {
                let digits = (*code < self.count()).then(|| self.digits(*code))?;
                Some(
                    digits
                        .iter()
                        .zip(config.weights)
                        .map(|(digit, weight)| f64::from(*digit) * weight)
                        .sum(),
                )
            };
            let values: Float64Array = codes.iter().map(weighted).collect();
            columns.push(ExtraColumn {
                name: format!("{scheme}_weighted"),
                values: Arc::new(values),
            });
        }
        columns
    }
}
