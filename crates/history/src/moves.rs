//! How customers moved from their segment of the previous version to that of this one, step by step.

use std::collections::BTreeMap;
use std::fmt;

/// Marks a customer without a segment: not in the base.
pub const ABSENT: u32 = u32::MAX;

/// What changes in one step of the replay, in the order of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Keys were merged or split.
    Identity,
    /// Rows dated up to the previous day that came late, were changed or were removed since.
    LateData,
    /// Features or schemes were edited.
    Definition,
    /// What is learned from data, such as edges and centres, was learned again.
    Model,
    /// What is known of customers changed.
    Attribute,
    /// Time passed.
    Ageing,
    /// New rows of events.
    Activity,
}

impl Cause {
    /// All of them, in the order of the steps.
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::LateData,
        Self::Definition,
        Self::Model,
        Self::Attribute,
        Self::Ageing,
        Self::Activity,
    ];

    /// The value in published tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::LateData => "late_data",
            Self::Definition => "definition",
            Self::Model => "model",
            Self::Attribute => "attribute",
            Self::Ageing => "ageing",
            Self::Activity => "activity",
        }
    }
}

/// The causes of one step: one where the step was computed on its own, several where they could not be separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Causes(u8);

impl Causes {
    /// No causes.
    pub const NONE: Self = Self(0);

    /// These causes and `cause`.
    #[must_use]
    pub fn with(self, cause: Cause) -> Self {
        Self(self.0 | 1 << cause as u8)
    }

    /// These causes but for `cause`.
    #[must_use]
    pub fn without(self, cause: Cause) -> Self {
        Self(self.0 & !(1 << cause as u8))
    }

    /// These causes and `others`.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The causes, in the order of the steps.
    pub fn iter(self) -> impl Iterator<Item = Cause> {
        Cause::ALL
            .into_iter()
            .filter(move |&cause| self.0 & (1 << cause as u8) != 0)
    }
}

impl From<Cause> for Causes {
    fn from(cause: Cause) -> Self {
        Self::NONE.with(cause)
    }
}

impl fmt::Display for Causes {
    /// `ageing`, or `ageing or activity` where the two could not be separated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, cause) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(" or ")?;
            }
            f.write_str(cause.as_str())?;
        }
        Ok(())
    }
}

/// One step of the replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What changes in it.
    pub causes: Causes,
    /// Per customer of either version: the segment after it, as an index into [`Moves::segments`], or [`ABSENT`].
    pub after: Vec<u32>,
}

/// The steps of one scheme.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moves {
    /// The segments of both versions: id and name. A segment that is in both is listed once, with its name in this version.
    pub segments: Vec<(i64, String)>,
    /// Per customer of either version: the segment of the previous version.
    pub before: Vec<u32>,
    /// The steps; the last one ends at the segments of this version.
    pub steps: Vec<Step>,
}

/// Customers who moved from one segment to another in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The segment before; `None` for customers who were not in the base.
    pub from: Option<(i64, String)>,
    /// The segment after; `None` for customers who left the base.
    pub to: Option<(i64, String)>,
    /// What changed; none where only the two versions are compared.
    pub causes: Causes,
    /// Customers.
    pub customers: u64,
    /// Their value, in hundredths of the currency.
    pub value_cents: i128,
}

impl Moves {
    /// Per customer the causes of the step that brought it to its segment; empty for customers whose segment is the same. That is the
    /// last step that changed the segment, unless steps led away from it and back again, which count for nothing.
    pub fn causes(&self) -> Vec<Causes> {
        let mut causes = vec![Causes::NONE; self.before.len()];
        let Some(last) = self.steps.last().map(|step| &step.after) else {
            return causes;
        };
        let mut at = &self.before;
        for step in &self.steps {
            let ends = at.iter().zip(&step.after).zip(last);
            for (row, ((from, to), last)) in ends.enumerate() {
                if from != to && to == last && causes[row] == Causes::NONE {
                    causes[row] = step.causes;
                }
            }
            at = &step.after;
        }
        for (cause, (first, last)) in causes.iter_mut().zip(self.before.iter().zip(last)) {
            if first == last {
                *cause = Causes::NONE;
            }
        }
        causes
    }
}

/// How many customers moved in each step, by segment before, segment after (`None` last) and cause. `value_cents` is the value
/// of each customer, the same in every step, so that the steps add up.
pub fn migrations(moves: &Moves, value_cents: &[i64]) -> Vec<Migration> {
    let before = std::iter::once(&moves.before).chain(moves.steps.iter().map(|step| &step.after));
    let steps = before.zip(&moves.steps);
    let steps = steps.map(|(at, step)| (at.as_slice(), step.after.as_slice(), step.causes));
    counted(moves, steps, value_cents)
}

/// How many customers are in another segment than in the previous version, by both segments: who moves back, or on, in a later
/// step counts once or not at all.
pub fn net(moves: &Moves, value_cents: &[i64]) -> Vec<Migration> {
    let last = moves.steps.last();
    let both = last.map(|last| (moves.before.as_slice(), last.after.as_slice(), Causes::NONE));
    counted(moves, both.into_iter(), value_cents)
}

/// Customers whose segments differ between two states, of several pairs of states.
fn counted<'a>(
    moves: &Moves,
    pairs: impl Iterator<Item = (&'a [u32], &'a [u32], Causes)>,
    value_cents: &[i64],
) -> Vec<Migration> {
    let mut counted: BTreeMap<(u32, u32, Causes), (u64, i128)> = BTreeMap::new();
    for (at, after, causes) in pairs {
        for (row, (&from, &to)) in at.iter().zip(after).enumerate() {
            if from != to {
                let count = counted.entry((from, to, causes)).or_default();
                count.0 += 1;
                count.1 += i128::from(value_cents.get(row).copied().unwrap_or(0));
            }
        }
    }
    let named = |place: u32| moves.segments.get(place as usize).cloned();
    let mut found: Vec<Migration> = counted
        .into_iter()
        .map(|((from, to, causes), (customers, value_cents))| Migration {
            from: named(from),
            to: named(to),
            causes,
            customers,
            value_cents,
        })
        .collect();
    let id = |end: &Option<(i64, String)>| end.as_ref().map_or((true, 0), |end| (false, end.0));
    found.sort_by_cached_key(|one| (id(&one.from), id(&one.to), one.causes.to_string()));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moves(before: Vec<u32>, steps: Vec<(Cause, Vec<u32>)>) -> Moves {
        Moves {
            segments: (0..4)
                .map(|place| (10 + place, format!("s{place}")))
                .collect(),
            before,
            steps: steps
                .into_iter()
                .map(|(cause, after)| Step {
                    causes: cause.into(),
                    after,
                })
                .collect(),
        }
    }

    /// Edges that are fitted again move customers before the same day has passed for them, and passing it moves them back.
    #[test]
    fn steps_that_lead_away_and_back_are_no_cause() {
        let moves = moves(
            vec![0, 0, 0],
            vec![
                (Cause::Identity, vec![1, 1, 0]),
                (Cause::Model, vec![2, 2, 1]),
                (Cause::Ageing, vec![1, 3, 0]),
                (Cause::Activity, vec![1, 1, 3]),
            ],
        );
        let causes: Vec<String> = moves.causes().iter().map(ToString::to_string).collect();
        assert_eq!(causes, ["identity", "identity", "activity"]);
    }

    #[test]
    fn the_last_step_that_moves_a_customer_is_the_cause() {
        let moves = moves(
            vec![0, 0, 0, 0, ABSENT],
            vec![
                (Cause::Ageing, vec![0, 1, 1, 1, ABSENT]),
                (Cause::Activity, vec![0, 1, 2, 0, 3]),
            ],
        );
        let causes: Vec<String> = moves.causes().iter().map(ToString::to_string).collect();
        assert_eq!(
            causes,
            ["", "ageing", "activity", "", "activity"],
            "a customer who came back is in the same segment"
        );
        let found = migrations(&moves, &[1, 20, 300, 4_000, 50_000]);
        let words: Vec<String> = found
            .iter()
            .map(|one| {
                let end = |end: &Option<(i64, String)>| {
                    end.as_ref().map_or("-".to_owned(), |end| end.1.clone())
                };
                format!(
                    "{} {} {} {} {}",
                    end(&one.from),
                    end(&one.to),
                    one.causes,
                    one.customers,
                    one.value_cents
                )
            })
            .collect();
        assert_eq!(
            words,
            [
                "s0 s1 ageing 3 4320",
                "s1 s0 activity 1 4000",
                "s1 s2 activity 1 300",
                "- s3 activity 1 50000"
            ]
        );
        let net = net(&moves, &[1, 20, 300, 4_000, 50_000]);
        let net: Vec<(Option<i64>, Option<i64>, u64, i128)> = net
            .into_iter()
            .map(|one| {
                let id = |end: Option<(i64, String)>| end.map(|end| end.0);
                (id(one.from), id(one.to), one.customers, one.value_cents)
            })
            .collect();
        assert_eq!(
            net,
            [
                (Some(10), Some(11), 1, 20),
                (Some(10), Some(12), 1, 300),
                (None, Some(13), 1, 50_000)
            ],
            "each customer once, and not at all who came back"
        );
    }

    #[test]
    fn what_cannot_be_told_apart_names_all_it_may_be() {
        let both = Causes::from(Cause::Activity).with(Cause::Ageing);
        assert_eq!(both.to_string(), "ageing or activity");
        assert!(Causes::NONE.is_empty() && !both.is_empty());
    }

    fn states() -> impl Strategy<Value = Vec<Vec<u32>>> {
        let one = prop_oneof![4 => 0_u32..4, 1 => Just(ABSENT)];
        (1_usize..40).prop_flat_map(move |customers| {
            proptest::collection::vec(proptest::collection::vec(one.clone(), customers), 2..8)
        })
    }

    proptest! {
        #[test]
        fn steps_add_up_to_the_change_of_every_segment(states in states(), seed in 0_i64..1_000) {
            let value = |row: usize| (seed * 7_919 + row as i64 * 104_729) % 100_000 - 20_000;
            let values: Vec<i64> = (0..states[0].len()).map(value).collect();
            let steps = states[1..].iter().zip(Cause::ALL).map(|(after, cause)| (cause, after.clone()));
            let made = moves(states[0].clone(), steps.collect());
            let last = &states[states.len() - 1];
            let mut change: BTreeMap<Option<i64>, (i64, i128)> = BTreeMap::new();
            for one in migrations(&made, &values) {
                let from = change.entry(one.from.map(|end| end.0)).or_default();
                *from = (from.0 - one.customers as i64, from.1 - one.value_cents);
                let to = change.entry(one.to.map(|end| end.0)).or_default();
                *to = (to.0 + one.customers as i64, to.1 + one.value_cents);
            }
            let sum = |state: &[u32], place: u32| -> (i64, i128) {
                let rows = state.iter().zip(&values).filter(|(at, _)| **at == place);
                rows.fold((0, 0), |sum, (_, value)| (sum.0 + 1, sum.1 + i128::from(*value)))
            };
            for place in (0..4).chain([ABSENT]) {
                let (before, after) = (sum(&states[0], place), sum(last, place));
                let id = made.segments.get(place as usize).map(|segment| segment.0);
                let found = change.get(&id).copied().unwrap_or_default();
                prop_assert_eq!((before.0 + found.0, before.1 + found.1), after);
            }
        }
    }
}
