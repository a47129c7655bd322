//! Segments that follow from where the values of a few columns lie between limits.

use std::collections::BTreeMap;

use crate::rfm::Closed;

/// The limits of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The column, a number.
    pub column: String,
    /// The limits, ascending.
    pub limits: Vec<f64>,
    /// Which side of a limit belongs to the range below it.
    pub closed: Closed,
    /// Only time changes it, so that no change of it is tried.
    pub by_time: bool,
}

/// The segment of each combination of ranges between limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// The columns. Every one of them must have a value.
    pub axes: Vec<Axis>,
    /// The segments.
    pub segments: Vec<String>,
    /// Index into `segments` by the ranges of the columns, the last one changing fastest.
    pub cells: Vec<u32>,
    /// The same for who is in a segment, by its index, where limits of entering and leaving decide.
    pub within: BTreeMap<u32, Vec<u32>>,
}

impl Axis {
    /// The range of a value, from 0 below all limits.
    pub fn range(&self, value: f64) -> usize {
        match self.closed {
            Closed::Right => self.limits.partition_point(|limit| *limit < value),
            Closed::Left => self.limits.partition_point(|limit| *limit <= value),
        }
    }

    /// Number of its ranges.
    pub fn ranges(&self) -> usize {
        self.limits.len() + 1
    }
}

impl Cells {
    /// The segment, as index into `segments`, of the ranges of all columns, for who is in one of these segments.
    pub fn segment(&self, from: u32, ranges: impl Iterator<Item = usize>) -> Option<u32> {
        let axes = self.axes.iter().zip(ranges);
        let cell = axes.fold(0, |cell, (axis, range)| cell * axis.ranges() + range);
        let cells = self.within.get(&from).unwrap_or(&self.cells);
        cells.get(cell).copied()
    }

    /// The same with the segments in the order of their names, each once.
    #[must_use]
    pub fn by_name(self) -> Self {
        let mut segments = self.segments.clone();
        segments.sort();
        segments.dedup();
        let place = |segment| segments.partition_point(|known| known < segment) as u32;
        let places: Vec<u32> = self.segments.iter().map(place).collect();
        let moved = |index: u32| places.get(index as usize).copied().unwrap_or(index);
        let all = |cells: Vec<u32>| cells.into_iter().map(moved).collect();
        let within = self.within.into_iter();
        Self {
            axes: self.axes,
            segments,
            cells: all(self.cells),
            within: within
                .map(|(from, cells)| (moved(from), all(cells)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_by_the_ranges_of_its_columns() {
        let axis = |closed| Axis {
            column: "x".to_owned(),
            limits: vec![1.0, 5.0],
            closed,
            by_time: false,
        };
        let (left, right) = (axis(Closed::Left), axis(Closed::Right));
        let ranges = |axis: &Axis| [0.5, 1.0, 3.0, 5.0, 6.0].map(|value| axis.range(value));
        assert_eq!(ranges(&left), [0, 1, 1, 2, 2]);
        assert_eq!(ranges(&right), [0, 0, 1, 1, 2]);
        let cells = Cells {
            axes: vec![left, right],
            segments: ["b", "a"].map(str::to_owned).to_vec(),
            cells: vec![0, 0, 1, 1, 0, 0, 0, 1, 0],
            within: BTreeMap::from([(1, vec![1; 9])]),
        };
        assert_eq!(cells.segment(0, [0, 2].into_iter()), Some(1));
        assert_eq!(cells.segment(0, [2, 1].into_iter()), Some(1));
        assert_eq!(cells.segment(0, [2, 2].into_iter()), Some(0));
        assert_eq!(cells.segment(1, [2, 2].into_iter()), Some(1));
        assert_eq!(cells.segment(0, [3, 0].into_iter()), None);
        let cells = cells.by_name();
        assert_eq!(cells.segments, ["a", "b"]);
        assert_eq!(cells.segment(1, [0, 2].into_iter()), Some(0));
        assert_eq!(cells.segment(1, [2, 2].into_iter()), Some(1));
        assert_eq!(cells.segment(0, [2, 2].into_iter()), Some(0));
    }
}
