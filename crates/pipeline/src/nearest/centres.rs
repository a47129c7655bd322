//! The changes at which another centre becomes the nearest. They are computed for each customer: there is no list of values to try.

use tessera_segments::{Centres, Change, Compared, Position};

use super::{Answered, Answers, By, Candidates, Found, NONE, To, index, sorted};

/// Digits that are told of a value, as few as lead to the same segment.
const DIGITS: [usize; 3] = [4, 7, 12];

/// A scheme whose segments are the nearest of several centres.
pub(super) struct ByCentres {
    pub(super) centres: Centres,
    /// Index into the segments of each centre.
    of_centre: Vec<u32>,
    /// By feature its place among the columns.
    columns: Vec<usize>,
    /// The features that are changed, and whether their values are whole numbers.
    changed: Vec<(usize, bool)>,
}

/// How the columns of a table are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// They are changed to whole numbers.
    Whole,
    /// They are changed to any number.
    Any,
    /// They are compared, but not changed.
    Kept,
    /// They are no numbers.
    None,
}

impl Candidates {
    /// `names` are the names of the segments by id. The error names a feature that is no number.
    pub(super) fn of_centres(
        centres: Centres,
        names: &[(i64, &str)],
        kind: impl Fn(&str) -> Numbers,
    ) -> Result<Self, String> {
        let segments = sorted(names.iter().map(|(_, name)| *name));
        let columns = sorted(centres.features());
        let place = |name: &str| index(&columns, name) as usize;
        let of_centre = centres.ids().iter().map(|id| {
            let name = names.iter().find(|(known, _)| known == id);
            name.map_or(NONE, |(_, name)| index(&segments, name))
        });
        let (mut changed, mut untried) = (Vec::new(), Vec::new());
        for (feature, name) in centres.features().enumerate() {
            match kind(name) {
                Numbers::Whole => changed.push((feature, true)),
                Numbers::Any => changed.push((feature, false)),
                Numbers::Kept => untried.push(name.to_owned()),
                Numbers::None => return Err(format!("`{name}` is no number")),
            }
        }
        let by = ByCentres {
            of_centre: of_centre.collect(),
            columns: centres.features().map(place).collect(),
            changed,
            centres,
        };
        Ok(Self {
            by: By::Centres(by),
            columns,
            tried: Vec::new(),
            limits: Vec::new(),
            segments,
            untried,
        })
    }

    /// Whether the segments are the nearest of several centres.
    pub(super) fn are_of_centres(&self) -> bool {
        matches!(self.by, By::Centres(_))
    }

    /// What is to be known of changes that lead to other centres, for a customer of whom some columns have no value.
    pub(crate) fn of_centres_note(&self, is_missing: impl Fn(&str) -> bool) -> Option<String> {
        let By::Centres(_) = &self.by else {
            return None;
        };
        let mut note =
            "by the centres of this version, within the values that customers have".to_owned();
        if !self.untried.is_empty() {
            note.push_str("; not tried: ");
            note.push_str(&self.untried.join(", "));
        }
        let columns = self.columns.iter().map(String::as_str);
        let missing: Vec<&str> = columns.filter(|name| is_missing(name)).collect();
        if !missing.is_empty() {
            note.push_str("; without a value, which counts as the median: ");
            note.push_str(&missing.join(", "));
        }
        Some(note)
    }
}

impl ByCentres {
    /// Compares rows of a table with the centres, from the numbers of its columns.
    pub(super) fn compare<'c>(
        &'c self,
        numbers: impl Fn(usize) -> Vec<f64>,
    ) -> Result<Compared<'c>, tessera_segments::SegmentError> {
        let columns: Vec<Vec<f64>> = self.columns.iter().map(|place| numbers(*place)).collect();
        let columns = columns.iter().map(Vec::as_slice).collect();
        self.centres.compare(columns)
    }
}

/// A place at which another centre becomes the nearest as a feature changes.
#[derive(Clone, Copy)]
struct Step {
    change: Change,
    is_whole: bool,
    /// The value there.
    limit: f64,
    /// The centre that is nearest behind it.
    behind: usize,
    /// By how many standard deviations it lies away, and by how much.
    size: (f64, f64),
}

impl Answers<'_> {
    /// The changes of a customer to other centres: of every feature, up and down, at every place where the nearest one changes.
    pub(super) fn all_centres(&self, row: usize, own: u32) -> Vec<Found> {
        let Some((by, position)) = self.position(row) else {
            return Vec::new();
        };
        let steps = self.steps((by, &position), (row, own));
        let told = steps.iter();
        told.filter_map(|step| self.found_at((by, &position), step, own))
            .collect()
    }

    /// The customer among the centres, in a scheme that has them.
    fn position(&self, row: usize) -> Option<(&ByCentres, Position<'_>)> {
        match (&self.candidates.by, &self.by) {
            (By::Centres(by), Answered::Centres(compared)) => Some((by, compared.position(row))),
            _ => None,
        }
    }

    fn steps(
        &self,
        (by, position): (&ByCentres, &Position<'_>),
        (row, own): (usize, u32),
    ) -> Vec<Step> {
        let Some(centre) = by.of_centre.iter().position(|segment| *segment == own) else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        for &(feature, is_whole) in &by.changed {
            let (numbers, spread) = self.numbers[by.columns[feature]];
            let now = numbers[row];
            if now.is_nan() {
                continue;
            }
            for rises in [true, false] {
                let change = Change { feature, rises };
                let crossings = position.crossings(change, centre);
                steps.extend(crossings.map(|(limit, behind)| {
                    let limit = if is_whole { whole(limit, rises) } else { limit };
                    let size = (limit - now).abs();
                    let rank = spread.deviation.map_or(f64::INFINITY, |one| size / one);
                    Step {
                        change,
                        is_whole,
                        limit,
                        behind,
                        size: (rank, size),
                    }
                }));
            }
        }
        steps
    }

    /// A step as it is told; none where no customer has a value as large or as small.
    fn found_at(
        &self,
        (by, position): (&ByCentres, &Position<'_>),
        step: &Step,
        own: u32,
    ) -> Option<Found> {
        let (value, centre) = told(position, step)?;
        let column = by.columns[step.change.feature];
        let spread = self.numbers[column].1;
        let segment = by.of_centre[centre];
        let is_told = segment != own && segment != NONE;
        let is_seen = value >= spread.least && value <= spread.most;
        (is_told && is_seen).then_some(Found {
            column,
            to: To::Value(value, step.is_whole),
            segment,
            rank: step.size.0,
            size: step.size.1,
        })
    }
}

/// The first whole number that is not before a limit on the way up or down.
fn whole(limit: f64, rises: bool) -> f64 {
    if rises { limit.ceil() } else { limit.floor() }
}

/// The value of a step as it is told, with the centre that is nearest there: a whole number, or one with few digits.
fn told(position: &Position<'_>, step: &Step) -> Option<(f64, usize)> {
    let (Change { feature, rises }, limit) = (step.change, step.limit);
    if step.is_whole {
        return Some((limit, position.nearest_with(feature, limit)?));
    }
    let exact = if rises {
        limit.next_up()
    } else {
        limit.next_down()
    };
    let rounded = DIGITS.iter().map(|digits| away(limit, *digits, rises));
    let mut values = rounded.chain([exact]);
    let found = values.find(|value| position.nearest_with(feature, *value) == Some(step.behind));
    found.map(|value| (value, step.behind))
}

/// A number with so many digits that is not before `limit` on the way up or down.
fn away(limit: f64, digits: usize, rises: bool) -> f64 {
    let digits = digits - 1;
    let short = |number: f64| format!("{number:.digits$e}").parse().unwrap_or(number);
    let is_behind = |number: f64| {
        if rises {
            number >= limit
        } else {
            number <= limit
        }
    };
    let nearest = short(limit);
    if is_behind(nearest) {
        return nearest;
    }
    let magnitude = limit.abs().log10().floor() as i32 - digits as i32;
    let unit = 10_f64.powi(magnitude);
    let next = short(if rises {
        nearest + unit
    } else {
        nearest - unit
    });
    if is_behind(next) { next } else { limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_away_from_the_limit_that_is_passed() {
        assert_eq!(away(1_234.56, 4, true), 1_235.0);
        assert_eq!(away(1_234.56, 4, false), 1_234.0);
        assert_eq!(away(0.030_01, 4, true), 0.030_01);
        assert_eq!(away(0.030_015, 4, false), 0.030_01);
        assert_eq!(away(-9_999.9, 4, false), -10_000.0);
        assert_eq!(away(-9_999.9, 4, true), -9_999.0);
        assert_eq!(away(99_999.0, 4, true), 100_000.0);
        assert_eq!(away(0.0, 4, true), 0.0);
    }
}
