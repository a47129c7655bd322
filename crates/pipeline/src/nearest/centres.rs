//! The changes at which another centre becomes the nearest. They are computed for each customer: there is no list of values to try.

use tessera_model::cluster::Crossing;
use tessera_segments::{Centres, Change, Compared, Needed, Position};

use super::{Answered, Answers, By, Candidates, Found, NONE, Spread, To, index, sorted};

/// How much finer than the change the value that is told may be, in digits: as few as lead to the same segment.
const FINER: [i32; 3] = [1, 3, 6];

/// Digits of a value that are told at most.
const DIGITS: i32 = 12;

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
    /// The centre of a segment.
    fn centre_of(&self, segment: u32) -> Option<usize> {
        self.of_centre.iter().position(|known| *known == segment)
    }

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

impl Step {
    /// The step at a place, a value and the centre behind it, from the number that the customer has.
    fn new(
        (change, is_whole): (Change, bool),
        (limit, behind): (f64, usize),
        (now, spread): (f64, Spread),
    ) -> Self {
        let limit = match is_whole {
            true => whole(limit, change.rises),
            false => limit,
        };
        let size = (limit - now).abs();
        Self {
            change,
            is_whole,
            limit,
            behind,
            size: (spread.in_deviations(size), size),
        }
    }
}

/// A feature that is changed, and whether its values are whole numbers.
type Changed = (Change, bool);

/// The number that a customer has, and the spread of the feature.
type Now = (f64, Spread);

/// A feature on its way up or down, in the search for the smallest change.
struct Way {
    changed: Changed,
    now: Now,
    /// By how many standard deviations it changes at least until it comes to another place.
    at_least: f64,
    /// The last place that it came to.
    last: Option<Crossing>,
    /// The step there, until it is told.
    step: Option<Step>,
}

/// Room for the search of one customer, used again for the next.
#[derive(Default)]
pub(super) struct Room {
    needed: Needed,
    ways: Vec<Way>,
}

impl Room {
    /// The way that changes least; it is taken out. None where all change by more than `most`.
    fn take_least(&mut self, most: f64) -> Option<Way> {
        let ways = self.ways.iter().enumerate();
        let (place, least) = ways.min_by(|(_, a), (_, b)| a.at_least.total_cmp(&b.at_least))?;
        let is_left = least.at_least <= most;
        is_left.then(|| self.ways.swap_remove(place))
    }
}

impl Way {
    /// Goes on to the next place; none where there is none within the values that customers have.
    fn onward(mut self, position: &Position<'_>, own: usize) -> Option<Self> {
        let (change, (now, spread)) = (self.changed.0, self.now);
        let next = match self.last {
            None => position.first_crossing(change, own),
            Some(last) => position.next_crossing(change, last),
        }?;
        let value = position.value_at(change.feature, &next);
        let step = Step::new(self.changed, (value, next.centre), (now, spread));
        let is_seen = match change.rises {
            true => step.limit <= spread.most,
            false => step.limit >= spread.least,
        };
        self.at_least = step.size.0;
        (self.last, self.step) = (Some(next), Some(step));
        is_seen.then_some(self)
    }
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

    /// The smallest change of a customer to another centre: the first of [`Self::all_centres`]. Of all ways the one that changes least
    /// goes on to its next place, until a step can be told.
    pub(super) fn nearest_centre(&self, row: usize, own: u32, room: &mut Room) -> Option<Found> {
        let (by, compared) = self.compared()?;
        let centre = by.centre_of(own)?;
        compared.needed(row, centre, &mut room.needed);
        room.ways.clear();
        for (changed, now) in self.changes(by, row) {
            let apart = compared.at_least_apart(&room.needed, changed.0, now.0);
            let (number, spread) = now;
            let seen = match changed.0.rises {
                true => spread.most - number,
                false => number - spread.least,
            };
            if apart <= seen {
                room.ways.push(Way {
                    changed,
                    now,
                    at_least: spread.in_deviations(apart),
                    last: None,
                    step: None,
                });
            }
        }
        let position = compared.position(row);
        let mut best: Option<Found> = None;
        while let Some(mut way) = room.take_least(best.map_or(f64::INFINITY, |best| best.rank)) {
            let Some(step) = way.step.take() else {
                room.ways.extend(way.onward(&position, centre));
                continue;
            };
            room.ways.push(way);
            let found = self.found_at((by, &position), &step, own);
            best = best.into_iter().chain(found).min_by(Self::order);
        }
        best
    }

    fn compared(&self) -> Option<(&ByCentres, &Compared<'_>)> {
        match (&self.candidates.by, &self.by) {
            (By::Centres(by), Answered::Centres(compared)) => Some((by, compared)),
            _ => None,
        }
    }

    /// The customer among the centres, in a scheme that has them.
    fn position(&self, row: usize) -> Option<(&ByCentres, Position<'_>)> {
        let (by, compared) = self.compared()?;
        Some((by, compared.position(row)))
    }

    fn steps(
        &self,
        (by, position): (&ByCentres, &Position<'_>),
        (row, own): (usize, u32),
    ) -> Vec<Step> {
        let Some(centre) = by.centre_of(own) else {
            return Vec::new();
        };
        let changes = self.changes(by, row);
        let steps = changes.flat_map(|((change, is_whole), from)| {
            let crossings = position.crossings(change, centre);
            crossings.map(move |place| Step::new((change, is_whole), place, from))
        });
        steps.collect()
    }

    /// Every feature that is changed and has a value, up and down: whether its values are whole numbers, the customer's, and the spread.
    fn changes(&self, by: &ByCentres, row: usize) -> impl Iterator<Item = (Changed, Now)> {
        by.changed.iter().flat_map(move |&(feature, is_whole)| {
            let (numbers, spread) = self.numbers[by.columns[feature]];
            let now = numbers[row];
            let ways = [true, false].into_iter().filter(move |_| !now.is_nan());
            ways.map(move |rises| ((Change { feature, rises }, is_whole), (now, spread)))
        })
    }

    /// A step as it is told; none where no customer has a value as large or as small.
    fn found_at(
        &self,
        (by, position): (&ByCentres, &Position<'_>),
        step: &Step,
        own: u32,
    ) -> Option<Found> {
        let column = by.columns[step.change.feature];
        let spread = self.numbers[column].1;
        let (value, centre) = told(position, step, spread)?;
        let segment = by.of_centre[centre];
        (segment != own && segment != NONE).then_some(Found {
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

/// The value of a step as it is told, with the centre that is nearest there: a whole number, or one with as few digits as state the
/// change to within a tenth and lead to the same centre; none that no customer reaches.
fn told(position: &Position<'_>, step: &Step, spread: Spread) -> Option<(f64, usize)> {
    let (Change { feature, rises }, limit) = (step.change, step.limit);
    let is_seen = |value: f64| value >= spread.least && value <= spread.most;
    if step.is_whole {
        let nearest = || position.nearest_with(feature, limit);
        return is_seen(limit).then(nearest)?.map(|centre| (limit, centre));
    }
    let exact = if rises {
        limit.next_up()
    } else {
        limit.next_down()
    };
    let (of_change, of_limit) = (magnitude(step.size.1), magnitude(limit));
    let finest = of_limit.saturating_sub(DIGITS - 1);
    let places = FINER.map(|finer| of_change.saturating_sub(finer).max(finest));
    let rounded = places.iter().map(|place| away(limit, *place, rises));
    let mut values = rounded.chain([exact]).filter(|value| is_seen(*value));
    let found = values.find(|value| position.nearest_with(feature, *value) == Some(step.behind));
    found.map(|value| (value, step.behind))
}

/// The place of the first digit of a number: 2 for 345, -1 for 0.3; far below all others for 0.
fn magnitude(number: f64) -> i32 {
    number.abs().log10().floor() as i32
}

/// The next number with no digits behind a decimal place that is not before `limit` on the way up or down; `limit` itself where
/// none can be told from it.
fn away(limit: f64, place: i32, rises: bool) -> f64 {
    // Powers of ten up to 10^22 are exact, so that the quotient is the number that is read.
    let power = 10_f64.powi(place.saturating_abs());
    let (units, value): (f64, fn(f64, f64) -> f64) = if place >= 0 {
        (limit / power, |units, power| units * power)
    } else {
        (limit * power, |units, power| units / power)
    };
    let is_behind = |number: &f64| {
        if rises {
            *number >= limit
        } else {
            *number <= limit
        }
    };
    let first = whole(units, rises);
    let tried = [first, first + if rises { 1.0 } else { -1.0 }];
    let mut tried = tried.into_iter().map(|units| value(units, power));
    tried.find(is_behind).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_away_from_the_limit_that_is_passed() {
        assert_eq!(away(1_234.56, 0, true), 1_235.0);
        assert_eq!(away(1_234.56, 0, false), 1_234.0);
        assert_eq!(away(1_234.56, 2, true), 1_300.0);
        assert_eq!(away(0.030_01, -5, true), 0.030_01);
        assert_eq!(away(0.030_015, -5, false), 0.030_01);
        assert_eq!(away(-9_999.9, 0, false), -10_000.0);
        assert_eq!(away(-9_999.9, 0, true), -9_999.0);
        assert_eq!(away(99_999.0, 1, true), 100_000.0);
        assert_eq!(away(0.0, i32::MIN, true), 0.0);
        assert_eq!(away(1.5, i32::MIN, true), 1.5);
    }

    #[test]
    fn the_first_digit_of_a_number_has_a_place() {
        assert_eq!([345.0, -0.3, 1.0].map(magnitude), [2, -1, 0]);
        assert_eq!(magnitude(0.0), i32::MIN);
    }
}
