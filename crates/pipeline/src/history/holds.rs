//! Customers who stay where they were because they have not been there long enough, and customers whom people put somewhere.

use std::collections::BTreeMap;

use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use chrono::NaiveDate;
use tessera_history::Ledger;
use tessera_segments::{
    AssignedBy, Assignment, Cells, Customers, Held, Quality, QualityStatus, QuantileScheme,
    RfmGrid, SegmentError, SegmentInfo, WithinLimits, cells_within, tiers_within, within_limits,
    within_margin,
};
use tessera_spec::pipeline::{Memberships, Scheme, TierLimits};

use super::History;
use crate::error::PipelineError;
use crate::held::{self, Held as Definition};
use crate::labels;
use crate::prepared::Prepared;

/// Days between 0001-01-01, from which chrono counts, and 1970-01-01.
const EPOCH: i32 = 719_163;

/// What keeps customers of a scheme at the border of their segments where they were.
pub(crate) enum Limits<'a> {
    /// Shares at which tiers are entered and left.
    Tiers(&'a QuantileScheme, &'a BTreeMap<String, TierLimits>),
    /// A margin of the ranks behind the scores of a grid.
    Margin(&'a RfmGrid, f64),
}

impl<'a> Limits<'a> {
    /// The limits of a scheme, if it has any.
    pub(crate) fn of(memberships: &'a Memberships, scheme: &'a Scheme) -> Option<Self> {
        let (name, kind) = (&scheme.name.value, &scheme.kind);
        let tiers = memberships.hysteresis.get(name).zip(kind.of());
        let margin = memberships.score_margins.get(name).zip(kind.of());
        tiers
            .map(|(limits, config)| Self::Tiers(config, limits))
            .or_else(|| margin.map(|(margin, config)| Self::Margin(config, margin.value)))
    }

    /// The customers whom the limits put into another segment than their rank alone, by the segment that each was in.
    pub(crate) fn hold<'n>(
        &self,
        customers: &Customers,
        segment_before: impl Fn(usize) -> Option<&'n str>,
    ) -> Result<Vec<WithinLimits>, SegmentError> {
        match self {
            Self::Tiers(config, limits) => {
                let tier_before = |row: usize| {
                    let name = segment_before(row)?;
                    config.tiers.iter().position(|(tier, _)| tier == name)
                };
                within_limits(config, limits, customers, tier_before)
            }
            Self::Margin(config, margin) => {
                within_margin(config, *margin, customers, segment_before)
            }
        }
    }

    /// What the limits decide for these customers, by the segment that each is in; `None` where nobody has a number.
    pub(crate) fn cells(&self, customers: &Customers) -> Result<Option<Cells>, SegmentError> {
        match self {
            Self::Tiers(config, limits) => tiers_within(config, limits, customers),
            Self::Margin(config, margin) => cells_within(config, *margin, customers),
        }
    }
}

/// The segments of a run at one moment.
#[derive(Debug)]
pub(crate) struct HistoryMark {
    ledger: Ledger,
    events: usize,
}

impl History {
    /// What is known of the segments, to come back to with [`History::back_to`].
    pub(crate) fn mark(&self) -> HistoryMark {
        HistoryMark {
            ledger: self.ledger.clone(),
            events: self.events.len(),
        }
    }

    /// Forgets the segments of a scheme that was settled after a mark.
    pub(crate) fn back_to(&mut self, mark: HistoryMark, scheme: &str) {
        self.ledger = mark.ledger;
        self.events.truncate(mark.events);
        self.schemes.remove(scheme);
    }

    /// The definition by which the previous version assigned the customers in a scheme.
    pub(crate) fn serving(&self, scheme: &str) -> Option<Definition> {
        held::serving(self.version_before()?, scheme)
    }

    /// Holds customers back who would leave a segment before their minimum stay, then puts pinned ones where they are pinned. The
    /// segments of the assignment have their ids.
    pub(super) fn hold(
        &self,
        prepared: &Prepared,
        (scheme, customers): (&Scheme, &Customers),
        assignment: &mut Assignment,
    ) -> Result<(), PipelineError> {
        let name = &scheme.name.value;
        let limits = Limits::of(&prepared.pipeline.memberships, scheme);
        if let Some(limits) = limits {
            let held = self.within(&limits, customers, assignment)?;
            let row = counted("moves_within_limits", held, None);
            assignment.quality.push(row);
        }
        if let Some(&days) = prepared.pipeline.memberships.min_stay_days.get(name) {
            let held = self.stay(prepared, (scheme, days), assignment);
            assignment
                .quality
                .push(counted("moves_held_back", held, None));
        }
        if prepared.pins.of(name).is_some() {
            let (pinned, problem) = self.pin(prepared, (scheme, customers), assignment)?;
            assignment
                .quality
                .push(counted("pinned_customers", pinned, problem));
        }
        Ok(())
    }

    /// Who was above or below the border of a tier, or in a segment of a grid, stays there up to its limits; returns how many would be
    /// in another one.
    fn within(
        &self,
        limits: &Limits<'_>,
        customers: &Customers,
        assignment: &mut Assignment,
    ) -> Result<u64, PipelineError> {
        let before = self.scheme_before(&assignment.scheme);
        let (Some(before), Some(previous)) = (before, &self.previous) else {
            return Ok(0);
        };
        // By the segment of then: the name of the one that continues it.
        let names: Vec<Option<&str>> = before
            .segments
            .iter()
            .map(|(id, _)| {
                let mut segments = assignment.segments.iter();
                let found = segments.find(|segment| segment.id == *id);
                found.map(|segment| segment.name.as_str())
            })
            .collect();
        let segment_before = |row: usize| {
            let old = *previous.alignment.before.get(row)? as usize;
            let segment = *before.segment_of.get(old)? as usize;
            *names.get(segment)?
        };
        let found = limits.hold(customers, segment_before)?;
        let count = found.len() as u64;
        for WithinLimits { row, tier, reason } in found {
            let mut segments = assignment.segments.iter();
            let Some(place) = segments.position(|segment| segment.name == tier) else {
                continue;
            };
            let at = row as usize;
            let reason = format!(
                "{reason}; would be in `{}`: {}",
                assignment.segment(at).name,
                assignment.reason(at)
            );
            let by = AssignedBy::Held;
            assignment.held.insert(row, Held { by, reason });
            assignment.segment_of[at] = place as u32;
        }
        Ok(count)
    }

    /// Who moved into their segment less than so many days ago stays there, also where nobody else is in it; returns how many would
    /// have left.
    fn stay(
        &self,
        prepared: &Prepared,
        (scheme, days): (&Scheme, u32),
        assignment: &mut Assignment,
    ) -> u64 {
        let before = self.scheme_before(&assignment.scheme);
        let (Some(before), Some(previous)) = (before, &self.previous) else {
            return 0;
        };
        let home = |(id, name): &(i64, String)| {
            let mut segments = assignment.segments.iter();
            match segments.position(|segment| segment.id == *id) {
                Some(place) => Some(Home::There(place)),
                None => self
                    .vacant_since(prepared, (scheme, assignment), (*id, name))
                    .map(Home::Vacant),
            }
        };
        let mut homes: Vec<Option<Home>> = before.segments.iter().map(home).collect();
        let mut count = 0;
        for (row, &old) in previous.alignment.before.iter().enumerate() {
            let old = old as usize;
            let (Some(&segment), Some(&entered)) =
                (before.segment_of.get(old), before.entered_on.get(old))
            else {
                continue;
            };
            // A segment that the scheme does not have any more holds nobody.
            let Some(Some(home)) = homes.get_mut(segment as usize) else {
                continue;
            };
            let stays_until = i64::from(entered) + i64::from(days);
            if home.has(assignment.segment_of[row]) || i64::from(self.as_of) >= stays_until {
                continue;
            }
            let place = home.place(assignment);
            let reason = format!(
                "held in `{}` since {} for a minimum stay of {days} days; would be in `{}`: {}",
                assignment.segments[place].name,
                day(entered),
                assignment.segment(row).name,
                assignment.reason(row)
            );
            let by = AssignedBy::Held;
            assignment.held.insert(row as u32, Held { by, reason });
            assignment.segment_of[row] = place as u32;
            count += 1;
        }
        count
    }

    /// Puts customers where people want them; returns how many, and what is wrong with the others.
    fn pin(
        &self,
        prepared: &Prepared,
        (scheme, customers): (&Scheme, &Customers),
        assignment: &mut Assignment,
    ) -> Result<(u64, Option<String>), PipelineError> {
        let Some(pins) = prepared.pins.of(&assignment.scheme) else {
            return Ok((0, None));
        };
        let (mut count, mut known, mut problems) = (0, 0, Vec::new());
        let keys = customers.key();
        for row in 0..keys.len() {
            let Some(pin) = pins.get(&array_value_to_string(keys, row)?) else {
                continue;
            };
            known += 1;
            let Some(place) = self.place_of(prepared, scheme, &pin.segment, assignment) else {
                let limits = &prepared.pipeline.features.lifecycle;
                let is_open = labels::segments(scheme, limits).is_none();
                let which = match is_open && !scheme.finds_clusters() {
                    true => "that anybody is in, or was in before",
                    false => "of the scheme",
                };
                problems.push(format!("line {} names no segment {which}", pin.line));
                continue;
            };
            let until = pin
                .until
                .map_or_else(String::new, |until| format!(" until {until}"));
            let reason = format!(
                "pinned{until} by {}: {}; would be in `{}`: {}",
                pin.by,
                pin.why,
                assignment.segment(row).name,
                assignment.reason(row)
            );
            let by = AssignedBy::Pin;
            assignment.held.insert(row as u32, Held { by, reason });
            assignment.segment_of[row] = place as u32;
            count += 1;
        }
        let absent = pins.len() - known;
        if absent > 0 {
            problems.push(format!(
                "{absent} of the pinned customers are not in the base"
            ));
        }
        problems.sort();
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        if let Some(problem) = &problem {
            tracing::warn!("pins of scheme `{}`: {problem}", assignment.scheme);
        }
        Ok((count, problem))
    }

    /// The place of the segment of that name in an assignment, to which it is added where nobody is in it.
    fn place_of(
        &self,
        prepared: &Prepared,
        scheme: &Scheme,
        name: &str,
        assignment: &mut Assignment,
    ) -> Option<usize> {
        let mut segments = assignment.segments.iter();
        if let Some(place) = segments.position(|segment| segment.name == name) {
            return Some(place);
        }
        let vacant = self.vacant(prepared, (scheme, assignment), name)?;
        let is_taken = |segment: &SegmentInfo| segment.id == vacant.id;
        (!assignment.segments.iter().any(is_taken)).then(|| added(assignment, vacant))
    }
}

/// The segment that customers of the previous version would stay in.
enum Home {
    /// At this place of the assignment.
    There(usize),
    /// Nobody is in it yet.
    Vacant(SegmentInfo),
}

impl Home {
    /// Whether it is the segment at a place of the assignment.
    fn has(&self, segment: u32) -> bool {
        matches!(self, Self::There(place) if *place == segment as usize)
    }

    /// Its place in the assignment, to which it is added where nobody is in it yet.
    fn place(&mut self, assignment: &mut Assignment) -> usize {
        let place = match self {
            Self::There(place) => *place,
            Self::Vacant(segment) => added(assignment, segment.clone()),
        };
        *self = Self::There(place);
        place
    }
}

/// Adds a segment to an assignment; returns its place.
fn added(assignment: &mut Assignment, segment: SegmentInfo) -> usize {
    assignment.segments.push(segment);
    assignment.segments.len() - 1
}

fn counted(metric: &str, count: u64, problem: Option<String>) -> Quality {
    Quality {
        segment: String::new(),
        criterion: "held",
        metric: metric.to_owned(),
        value: Some(count as f64),
        threshold: None,
        status: match problem {
            Some(_) => QualityStatus::Flagged,
            None => QualityStatus::Ok,
        },
        reason: problem,
    }
}

fn day(days: i32) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(days + EPOCH).unwrap_or_default()
}
