//! Axes and points of charts: from numbers to coordinates on a canvas of fixed size, which the page scales.

use serde::Serialize;

/// The position of an axis on the canvas, and its largest value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    /// Coordinate of 0.
    start: f64,
    /// Coordinate of the largest value.
    end: f64,
    largest: f64,
    step: f64,
}

/// A tick of an axis.
#[derive(Debug, Serialize)]
pub(crate) struct Tick {
    pub(crate) at: String,
    pub(crate) label: String,
}

impl Axis {
    /// From 0 to a round number not below `largest`, drawn from `start` to `end`, with about four ticks.
    pub(crate) fn new(largest: f64, start: f64, end: f64) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 {
            largest
        } else {
            1.0
        };
        let step = round_step(largest / 4.0);
        Self {
            start,
            end,
            // A rounding error in the quotient must not add another step.
            largest: (largest / step - 1e-9).ceil() * step,
            step,
        }
    }

    /// The coordinate of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        self.start + (self.end - self.start) * (value / self.largest).clamp(0.0, 1.0)
    }

    /// The number at its end.
    pub(crate) fn largest(self) -> f64 {
        self.largest
    }

    /// The ticks, from 0.
    pub(crate) fn ticks(&self, label: impl Fn(f64) -> String) -> Vec<Tick> {
        let marks = (self.largest / self.step).round() as u32;
        (0..=marks)
            .map(|mark| {
                let value = f64::from(mark) * self.step;
                Tick {
                    at: place(self.at(value)),
                    label: label(value),
                }
            })
            .collect()
    }
}

/// A coordinate with one decimal.
pub(crate) fn place(at: f64) -> String {
    format!("{at:.1}")
}

/// A number without trailing zeros: `1.50` becomes `1.5`, `2.00` becomes `2`.
pub(crate) fn trimmed(number: String) -> String {
    match number.contains('.') {
        true => number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        false => number,
    }
}

/// The smallest of 1, 2, 2.5 or 5 times a power of ten that is not below the number.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers() {
        for (largest, end) in [
            (0.83, 1.0),
            (1.0, 1.0),
            (0.31, 0.4),
            (37.0, 40.0),
            (4051.0, 6000.0),
            (0.0, 1.0),
            (f64::NAN, 1.0),
        ] {
            let axis = Axis::new(largest, 0.0, 100.0);
            assert!((axis.at(end) - 100.0).abs() < 1e-9, "{largest}");
            let ticks = axis.ticks(|value| format!("{value:.4}"));
            assert!((4..=6).contains(&ticks.len()), "{largest}: {ticks:?}");
            assert_eq!(ticks[0].at, "0.0");
            assert_eq!(ticks.last().unwrap().at, "100.0");
        }
        assert_eq!(
            ["1.50", "2.00", "100"].map(|text| trimmed(text.to_owned())),
            ["1.5", "2", "100"]
        );
        assert_eq!(Axis::new(8.0, 200.0, 0.0).at(4.0), 100.0);
    }
}
