//! Row groups that need not be read, since by their statistics all rows are on one side of bounds in time.

use super::footer::field::{column, element};
use super::footer::{Footer, described};
use super::side::Side;
use super::thrift::Struct;

/// The unit of times in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Day,
    Milli,
    Micro,
    Nano,
}

/// Bounds on the times of a column, in its unit.
#[derive(Debug, Clone)]
pub(crate) struct TimeBound {
    /// The column.
    pub(crate) name: String,
    /// Files whose unit is another are not judged.
    pub(crate) unit: Unit,
    /// Times before this are outside.
    pub(crate) from: Option<i64>,
    /// This and later times are outside.
    pub(crate) after: i64,
    /// Times beyond these are inside, as nulls are: they cannot be represented.
    pub(crate) representable: (i64, i64),
}

/// Whether some row of the group may be on this side, for one of several plans that are read together.
pub(super) fn some_may_hold(
    footer: &Footer<'_>,
    group: &Struct<'_>,
    plans: &[Vec<TimeBound>],
    side: Side,
) -> bool {
    let mut plans = plans.iter();
    plans.any(|bounds| may_hold(footer, group, bounds, side))
}

/// Whether some row of the group may be on this side. Rows inside are so for all bounds, rows outside for one.
fn may_hold(footer: &Footer<'_>, group: &Struct<'_>, bounds: &[TimeBound], side: Side) -> bool {
    let positions: Vec<Position> = bounds
        .iter()
        .map(|bound| position(footer, group, bound).unwrap_or(Position::Unknown))
        .collect();
    match side {
        Side::Inside => !positions.contains(&Position::Outside),
        Side::Outside => positions.iter().any(|at| *at != Position::Inside),
    }
}

/// Where all rows of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Inside,
    Outside,
    Unknown,
}

/// Numbers of the fields of `Statistics`. The older fields for the least and the greatest value are right for integers.
mod statistics {
    pub(super) const OLD_MOST: i16 = 1;
    pub(super) const OLD_LEAST: i16 = 2;
    pub(super) const NULLS: i16 = 3;
    pub(super) const MOST: i16 = 5;
    pub(super) const LEAST: i16 = 6;
}

fn position(footer: &Footer<'_>, group: &Struct<'_>, bound: &TimeBound) -> Option<Position> {
    use statistics::{LEAST, MOST, NULLS, OLD_LEAST, OLD_MOST};
    const REQUIRED: i64 = 0;
    let name = bound.name.as_bytes();
    let place = footer.columns.get(name)?;
    let (_, meta) = described(group, place.leaves.start).ok()?;
    let element = footer.element(place)?;
    if place.leaves.len() != 1 || unit(element)? != bound.unit {
        return None;
    }
    let found = meta.structure(column::STATISTICS)?;
    let edge = |new: i16, old: i16| found.bytes(new).or_else(|| found.bytes(old));
    let least = tick(meta, edge(LEAST, OLD_LEAST)?)?;
    let most = tick(meta, edge(MOST, OLD_MOST)?)?;
    let (low, high) = bound.representable;
    if bound.from.is_none_or(|from| least >= from) && most < bound.after {
        return Some(Position::Inside);
    }
    let required = element.int(element::REPETITION) == Some(REQUIRED);
    let has_nulls = !required && found.int(NULLS) != Some(0);
    let past = least >= bound.after || bound.from.is_some_and(|from| most < from);
    Some(if past && !has_nulls && least >= low && most <= high {
        Position::Outside
    } else {
        Position::Unknown
    })
}

fn tick(meta: &Struct<'_>, bytes: &[u8]) -> Option<i64> {
    const INT32: i64 = 1;
    const INT64: i64 = 2;
    match meta.int(column::TYPE)? {
        INT32 => Some(i64::from(i32::from_le_bytes(bytes.try_into().ok()?))),
        INT64 => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

fn unit(element: &Struct<'_>) -> Option<Unit> {
    const DATE: i16 = 6;
    const TIMESTAMP: i16 = 8;
    const TIMESTAMP_UNIT: i16 = 2;
    let Some(logical) = element.structure(element::LOGICAL) else {
        return match element.int(element::CONVERTED)? {
            6 => Some(Unit::Day),
            9 => Some(Unit::Milli),
            10 => Some(Unit::Micro),
            _ => None,
        };
    };
    if logical.has(DATE) {
        return Some(Unit::Day);
    }
    let unit = logical.structure(TIMESTAMP)?.structure(TIMESTAMP_UNIT)?;
    let units = [(1, Unit::Milli), (2, Unit::Micro), (3, Unit::Nano)];
    let known = units.into_iter().find(|(field, _)| unit.has(*field));
    known.map(|(_, unit)| unit)
}
