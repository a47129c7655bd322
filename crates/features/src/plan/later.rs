//! The features of customers on later days if no row comes until then, so that only time passes. A window on a later day holds
//! what a shorter or later window holds today, so the same pass over a source computes both.

use std::collections::{BTreeMap, BTreeSet};

use tessera_expr::rel::{Agg, Window};
use tessera_expr::{Expr, columns, uses_as_of};

use super::aged::never;
use super::{BASE_GAP_DAYS, FeaturePlan, Pass};

/// Beginning of the names of aggregates as of later days.
const LATER: &str = "__later_";

/// The columns that are needed for features on later days.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Later {
    /// How many days ahead.
    pub days: u32,
    /// Columns of passes over a window, each with those that hold it on the next day, the day after, and so on.
    pub columns: BTreeMap<String, Vec<String>>,
    /// Columns of passes that cannot be computed for later days, because their rows are chosen by the day of the run.
    pub unknown: BTreeSet<String>,
}

impl FeaturePlan {
    /// These columns and all that they are made of: columns of passes, and expressions.
    pub fn made_of<'c>(&self, wanted: impl Iterator<Item = &'c str>) -> BTreeSet<String> {
        let mut pending: Vec<String> = wanted.map(str::to_owned).collect();
        let mut found = BTreeSet::new();
        while let Some(name) = pending.pop() {
            let exprs = self.derived.iter().chain(&self.late);
            if let Some((_, expr)) = exprs.into_iter().find(|(known, _)| *known == name) {
                pending.extend(
                    columns(expr)
                        .into_iter()
                        .filter(|column| !found.contains(*column))
                        .map(str::to_owned),
                );
            }
            if name == BASE_GAP_DAYS {
                pending.extend(["t_x_days".to_owned(), "repeat_occasions".to_owned()]);
            }
            found.insert(name);
        }
        found
    }

    /// Whether the day of the run decides which rows of a source are used, or what they hold.
    pub fn rows_change_by_day(&self, source: &str) -> bool {
        let mut passes = self.passes.iter().filter(|pass| pass.source == source);
        passes.any(chooses_rows_by_day)
    }

    /// Adds to every pass what its windows hold on each of the next `days` days, where one of `wanted` is made of them.
    pub fn add_later(&mut self, days: u32, wanted: &BTreeSet<String>) -> Later {
        let mut later = Later {
            days,
            ..Later::default()
        };
        let mut added: Vec<(String, Vec<Agg>)> = Vec::new();
        for pass in self.passes.iter().filter(|pass| !pass.is_lookup) {
            let rows_by_day = chooses_rows_by_day(pass);
            let mut aggs = Vec::new();
            for agg in &pass.aggregate.aggs {
                if !wanted.contains(&agg.name) {
                    continue;
                }
                let reads = agg.func.of.iter().chain(&agg.filter);
                if rows_by_day || reads.into_iter().any(uses_as_of) {
                    later.unknown.insert(agg.name.clone());
                } else if let Some(window) = agg.window {
                    let on_each: Vec<Agg> = (1..=days).map(|day| on(agg, window, day)).collect();
                    let names = on_each.iter().map(|agg| agg.name.clone());
                    later.columns.insert(agg.name.clone(), names.collect());
                    aggs.extend(on_each);
                }
            }
            added.push((pass.source.clone(), aggs));
        }
        for (source, aggs) in added {
            self.add_hidden(&source, aggs);
        }
        later
    }
}

/// Whether a derived column or a check of a source reads the day of the run.
fn chooses_rows_by_day(pass: &Pass) -> bool {
    let rows = &pass.aggregate.rows;
    let derived = rows.scan.derive.iter().map(|(_, expr)| expr);
    let checks = rows.checks.iter().map(|check| &check.bad_when);
    derived.chain(checks).any(|expr: &Expr| uses_as_of(expr))
}

/// An aggregate over a window as it will be in so many days, without rows from today on.
fn on(agg: &Agg, window: Window, days: u32) -> Agg {
    let shifted = shifted(window, days);
    Agg {
        name: format!("{LATER}{days}_{}", agg.name),
        func: agg.func.clone(),
        filter: shifted.map_or(Some(never()), |_| agg.filter.clone()),
        // Nothing of today's rows is in the window any more.
        window: Some(shifted.unwrap_or(Window {
            days: Some(1),
            offset_days: 0,
        })),
    }
}

/// The part of a window of so many days later that lies up to today, by today; none where that is empty.
fn shifted(window: Window, days: u32) -> Option<Window> {
    let offset_days = window.offset_days.saturating_sub(days);
    let later = days.saturating_sub(window.offset_days);
    match window.days {
        Some(length) if length <= later => None,
        length => Some(Window {
            days: length.map(|length| length - later),
            offset_days,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_a_later_day_is_a_window_of_today() {
        // Every day up to today is in the one where it is in the other.
        for offset_days in [0, 1, 3, 10] {
            for length in [None, Some(1), Some(4), Some(30)] {
                let window = Window {
                    days: length,
                    offset_days,
                };
                for days in 1..=40 {
                    let within = |window: Window, age: u32| {
                        let first = window.offset_days;
                        age >= first && window.days.is_none_or(|length| age < first + length)
                    };
                    for age in 0..60 {
                        let then = within(window, age + days);
                        let now = shifted(window, days).is_some_and(|window| within(window, age));
                        assert_eq!(then, now, "{window:?} in {days} days, {age} days old");
                    }
                }
            }
        }
    }
}
