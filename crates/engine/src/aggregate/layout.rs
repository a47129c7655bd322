//! Which words of a customer's state each aggregate needs. Aggregates share what they have in common: a mean and a sum over
//! the same rows are one sum and one count.

use std::collections::HashMap;

use tessera_expr::aggregate::{AggOp, Compute, Finds, Found, Gives, MOST_PARTS, Made, Part};
use tessera_expr::exact::Unit;
use tessera_expr::rel::{Agg, Window};
use tessera_expr::{Expr, Type};
use tessera_spec::pipeline::Arguments;

/// Days of the newest rows at most for which their customers have records of their own: with more of them, most have.
const MOST_NEWEST_DAYS: i64 = 62;

/// A state word that stands for "nothing yet" among days.
pub(crate) const NO_DAY: i64 = i64::MAX;

/// Ages of rows in days, from the first (inclusive) to the end (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ages {
    pub(crate) first: i64,
    pub(crate) end: i64,
}

impl Ages {
    /// The rows of a window, all without one.
    fn of(window: Option<Window>) -> Self {
        let Some(window) = window else {
            return Self {
                first: i64::MIN,
                end: i64::MAX,
            };
        };
        let first = i64::from(window.offset_days);
        let end = window.days.map_or(i64::MAX, |days| first + i64::from(days));
        Self { first, end }
    }

    /// How many days there are.
    fn days(self) -> i64 {
        self.end.saturating_sub(self.first.max(0))
    }
}

/// Which rows an accumulator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Selection {
    pub(crate) ages: Ages,
    /// Index of the filter column.
    pub(crate) filter: Option<usize>,
}

/// What is accumulated. The number is that of the value column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// 1 word: rows
    CountRows,
    /// 1 word: rows with a value
    CountValues(usize),
    /// 2 words: exact sum
    Sum(usize),
    /// 4 words: exact sum of squares
    SumSquares(usize),
    /// 2 words: smallest value, and whether there is one
    Min(usize),
    /// 2 words: largest value, and whether there is one
    Max(usize),
    /// 3 words: smallest decimal, and whether there is one
    MinWide(usize),
    /// 3 words: largest decimal, and whether there is one
    MaxWide(usize),
    /// 1 word: largest age in days, which is that of the first day
    FirstDay,
    /// 1 word: smallest age in days
    LastDay,
    /// 3 words: age of the first day, exact sum over it
    SumOnFirstDay(usize),
    /// 2 words: time, value
    First(usize),
    /// 2 words: time, value
    Last(usize),
    /// 4 words: time, decimal, and whether there is one
    FirstWide(usize),
    /// 4 words: time, decimal, and whether there is one
    LastWide(usize),
    /// 3 words: bits of common values, count of the others (made in the end) with the upper digits of the last of these seen, its
    /// lower ones
    Distinct(usize),
    /// 3 words, as above, of local days
    DistinctDays,
    /// 2 words: count of the values, which are kept beside the states; what the finder of this number finds among them, made in
    /// the end
    InOrder(usize, usize),
    /// 3 words: as above, where a decimal is found
    InOrderWide(usize, usize),
}

impl Op {
    /// The words of a customer without rows.
    fn empty(self) -> &'static [u64] {
        const NONE: u64 = NO_DAY as u64;
        match self {
            Self::CountRows | Self::CountValues(_) => &[0],
            Self::Sum(_) | Self::Min(_) | Self::Max(_) => &[0, 0],
            Self::InOrder(..) => &[0, NULL],
            Self::SumSquares(_) => &[0, 0, 0, 0],
            Self::MinWide(_) | Self::MaxWide(_) | Self::InOrderWide(..) => &[0, 0, 0],
            Self::FirstWide(_) => &[i64::MAX as u64, 0, 0, 0],
            Self::LastWide(_) => &[i64::MIN as u64, 0, 0, 0],
            Self::FirstDay => &[i64::MIN as u64],
            Self::LastDay => &[NONE],
            Self::SumOnFirstDay(_) => &[i64::MIN as u64, 0, 0],
            Self::First(_) => &[i64::MAX as u64, NULL],
            Self::Last(_) => &[i64::MIN as u64, NULL],
            Self::Distinct(_) | Self::DistinctDays => &[0, 0, 0],
        }
    }

    /// How many words of a state it has.
    pub(crate) fn words(self) -> usize {
        self.empty().len()
    }

    /// Whether what two accumulators found, one among older and one among newer rows, gives what one finds among all of them.
    fn adds_up(self) -> bool {
        match self {
            Self::CountRows
            | Self::CountValues(_)
            | Self::Sum(_)
            | Self::SumSquares(_)
            | Self::Min(_)
            | Self::Max(_)
            | Self::MinWide(_)
            | Self::MaxWide(_)
            | Self::FirstDay
            | Self::LastDay
            | Self::SumOnFirstDay(_) => true,
            Self::First(_)
            | Self::Last(_)
            | Self::FirstWide(_)
            | Self::LastWide(_)
            | Self::Distinct(_)
            | Self::DistinctDays
            | Self::InOrder(..)
            | Self::InOrderWide(..) => false,
        }
    }

    /// Whether something is kept beside the states.
    pub(crate) fn keeps_beside(self) -> bool {
        matches!(
            self,
            Self::First(_)
                | Self::Last(_)
                | Self::Distinct(_)
                | Self::DistinctDays
                | Self::InOrder(..)
                | Self::InOrderWide(..)
                | Self::Sum(_)
                | Self::SumSquares(_)
                | Self::SumOnFirstDay(_)
        )
    }
}

/// The payload of [`Op::First`] and [`Op::Last`] that stands for null. As a float it is a NaN, which scans never deliver; no
/// text has this code; the one integer that is stored so is noted beside the states (see `worker`).
pub(crate) const NULL: u64 = u64::MAX;

/// One accumulator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) op: Op,
    /// Index into [`Layout::selections`].
    pub(crate) selection: usize,
    /// First word of the state.
    pub(crate) at: usize,
    /// Number of this slot among those that keep something beside the states.
    pub(crate) side: usize,
    /// Takes the newest rows alone, which few customers have, so its words lie in records of these customers; the slot with the
    /// older rows.
    pub(crate) newest_of: Option<usize>,
}

/// How an output column is made of slots (indices into [`Layout::slots`]).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output {
    Count(usize),
    Distinct(usize),
    SumInt(usize),
    SumFloat(usize, Unit),
    /// Of what these slots found, in their order; sums have this unit.
    Computed(Slots, Compute, Unit),
    /// Smallest or largest value.
    Extreme(usize),
    /// Smallest or largest decimal, with so many digits behind the point.
    ExtremeWide(usize, u8),
    /// `as_of` less the age.
    Day(usize),
    SumOnFirstDay(usize, Unit),
    /// First or last value.
    Pick(usize),
    /// First or last decimal, with so many digits behind the point.
    PickWide(usize, u8),
    /// Found among the values in their order.
    InOrder(usize),
    /// A decimal that was found so, with so many digits behind the point.
    InOrderWide(usize, u8),
}

/// The slots that a computed aggregate is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slots {
    parts: [Option<(Part, usize)>; MOST_PARTS],
}

impl Slots {
    /// Computes with what `found` says of each.
    pub(crate) fn compute<'f>(
        &self,
        compute: Compute,
        unit: Unit,
        found: impl Fn(Part, usize) -> Found<'f>,
    ) -> Option<f64> {
        let mut all = [Found::Count(0); MOST_PARTS];
        let mut count = 0;
        for ((part, slot), place) in self.parts.iter().flatten().zip(&mut all) {
            *place = found(*part, *slot);
            count += 1;
        }
        compute(&all[..count], unit)
    }
}

/// What finds an aggregate among values in their order.
#[derive(Debug)]
pub(crate) struct Finder {
    name: &'static str,
    pub(crate) arguments: Arguments,
    pub(crate) finds: Finds,
}

/// The plan of one pass.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) values: Vec<Expr>,
    known_values: Known,
    /// Values that are summed in fixed point, as floats or as whole numbers.
    pub(crate) summed: Vec<usize>,
    pub(crate) filters: Vec<Expr>,
    pub(crate) selections: Vec<Selection>,
    pub(crate) finders: Vec<Finder>,
    pub(crate) slots: Vec<Slot>,
    /// Slots that take only the newer of their rows, each with the slot whose result is added in the end, in the order in which
    /// that is done.
    pub(crate) older: Vec<(usize, usize)>,
    /// Name, how it is made, and its type.
    pub(crate) outputs: Vec<(String, Output, Type)>,
    /// State of a customer without rows.
    pub(crate) empty: Vec<u64>,
    /// The same of a customer with newest rows, beside the other state.
    pub(crate) newest_empty: Vec<u64>,
    /// The newest rows are those of a lower age in days.
    pub(crate) newest_end: i64,
    /// Number of slots that keep something beside the states.
    pub(crate) sides: usize,
    /// Some slot needs the time of a row.
    pub(crate) needs_time: bool,
}

impl Layout {
    /// Plans the pass for these aggregates.
    pub(crate) fn new(aggs: &[Agg]) -> Self {
        let mut layout = Self::default();
        let mut known_filters = Known::default();
        for agg in aggs {
            let filter = agg
                .filter
                .as_ref()
                .map(|filter| known_filters.position(&mut layout.filters, filter));
            layout.needs_time |= agg.window.is_some();
            let selection = layout.selection(Selection {
                ages: Ages::of(agg.window),
                filter,
            });
            let output = layout.output(&agg.func, selection);
            let ty = agg.func.output_type();
            layout.outputs.push((agg.name.clone(), output, ty));
        }
        layout.divide();
        layout.part_newest();
        layout.arrange();
        layout
    }

    /// Where one accumulator takes the older rows of another's, the other takes the newer ones alone, so that no row is taken
    /// twice: of the features of a day, and of what they would be without the rows since the day before, almost all rows are the
    /// same.
    fn divide(&mut self) {
        let all: Vec<Selection> = self
            .slots
            .iter()
            .map(|s| self.selections[s.selection])
            .collect();
        for (slot, own) in all.iter().enumerate() {
            let has_part = |other: &usize| {
                let (part, op) = (all[*other], self.slots[*other].op);
                op == self.slots[slot].op
                    && part.filter == own.filter
                    && part.ages.end == own.ages.end
                    && part.ages.first > own.ages.first
            };
            let parts = (0..all.len()).filter(has_part);
            let largest = parts.min_by_key(|&part| all[part].ages.first);
            if let Some(part) = largest.filter(|_| self.slots[slot].op.adds_up()) {
                self.older.push((slot, part));
            }
        }
        for &(slot, part) in &self.older.clone() {
            self.slots[slot].selection = self.selection(Selection {
                ages: Ages {
                    first: all[slot].ages.first,
                    end: all[part].ages.first,
                },
                filter: all[slot].filter,
            });
        }
        // What is added is whole by then.
        self.older
            .sort_by_key(|&(slot, _)| std::cmp::Reverse(all[slot].ages.first));
    }

    /// Gives the newest rows states of their own, where there are only few days of them: most customers have none, and their state
    /// stays as short as if nothing had been divided.
    fn part_newest(&mut self) {
        let own_end = |slots: &[Slot], selections: &[Selection], slot: usize| {
            selections[slots[slot].selection].ages.end
        };
        let ends = self.older.iter();
        let ends = ends.map(|&(slot, _)| own_end(&self.slots, &self.selections, slot));
        let Some(end) = ends.min().filter(|end| *end <= MOST_NEWEST_DAYS) else {
            return;
        };
        self.newest_end = end;
        for &(slot, older) in &self.older {
            if own_end(&self.slots, &self.selections, slot) == end {
                self.slots[slot].newest_of = Some(older);
            }
        }
    }

    /// Lays out the words of a state: what every row touches comes first, then windows from long to short, so that old rows
    /// touch few cache lines.
    fn arrange(&mut self) {
        let days = |slot: &Slot| self.selections[slot.selection].ages.days();
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(days(&self.slots[i])));
        for i in order {
            let slot = &mut self.slots[i];
            let state = match slot.newest_of {
                Some(_) => &mut self.newest_empty,
                None => &mut self.empty,
            };
            slot.at = state.len();
            state.extend_from_slice(slot.op.empty());
        }
        for slot in &self.slots {
            let value = match slot.op {
                Op::Sum(value) if self.values[value].ty == Type::Float => value,
                Op::SumOnFirstDay(value) => value,
                _ => continue,
            };
            if !self.summed.contains(&value) {
                self.summed.push(value);
            }
        }
    }

    fn selection(&mut self, selection: Selection) -> usize {
        self.selections
            .iter()
            .position(|s| *s == selection)
            .unwrap_or_else(|| {
                self.selections.push(selection);
                self.selections.len() - 1
            })
    }

    fn slot(&mut self, op: Op, selection: usize) -> usize {
        if let Some(found) = self
            .slots
            .iter()
            .position(|s| s.op == op && s.selection == selection)
        {
            return found;
        }
        let side = self.sides;
        self.sides += usize::from(op.keeps_beside());
        self.needs_time |= matches!(
            op,
            Op::FirstDay
                | Op::LastDay
                | Op::SumOnFirstDay(_)
                | Op::DistinctDays
                | Op::First(_)
                | Op::Last(_)
                | Op::FirstWide(_)
                | Op::LastWide(_)
        );
        self.slots.push(Slot {
            op,
            selection,
            at: 0,
            side,
            newest_of: None,
        });
        self.slots.len() - 1
    }

    fn output(&mut self, op: &AggOp, selection: usize) -> Output {
        let made = (op.kind.made)(op);
        let Some(of) = &op.of else {
            // Without an operand there are rows and their days.
            return match made {
                Made::DistinctDays => Output::Distinct(self.slot(Op::DistinctDays, selection)),
                Made::FirstDay => Output::Day(self.slot(Op::FirstDay, selection)),
                Made::LastDay => Output::Day(self.slot(Op::LastDay, selection)),
                _ => Output::Count(self.slot(Op::CountRows, selection)),
            };
        };
        let (value, unit) = (self.value(of), Unit::of(of.ty));
        match made {
            Made::Rows => Output::Count(self.slot(Op::CountRows, selection)),
            Made::Values => Output::Count(self.slot(Op::CountValues(value), selection)),
            Made::Distinct => Output::Distinct(self.slot(Op::Distinct(value), selection)),
            Made::DistinctDays => Output::Distinct(self.slot(Op::DistinctDays, selection)),
            Made::FirstDay => Output::Day(self.slot(Op::FirstDay, selection)),
            Made::LastDay => Output::Day(self.slot(Op::LastDay, selection)),
            Made::Sum => {
                let sum = self.slot(Op::Sum(value), selection);
                match op.output_type() {
                    Type::Float => Output::SumFloat(sum, unit),
                    _ => Output::SumInt(sum),
                }
            }
            Made::SumOnFirstDay => {
                Output::SumOnFirstDay(self.slot(Op::SumOnFirstDay(value), selection), unit)
            }
            Made::Computed(parts, compute) => {
                let slots = self.parts(parts, value, selection);
                Output::Computed(slots, compute, unit)
            }
            Made::InOrder(finds) => self.in_order(op, finds, value, selection),
            Made::Least | Made::Greatest => self.extreme(of.ty, made, value, selection),
            Made::Earliest | Made::Latest => self.pick(of.ty, made, value, selection),
        }
    }

    fn parts(&mut self, parts: &[Part], value: usize, selection: usize) -> Slots {
        let mut slots = Slots::default();
        for (part, place) in parts.iter().zip(&mut slots.parts) {
            let op = match part {
                Part::Rows => Op::CountRows,
                Part::Values => Op::CountValues(value),
                Part::Sum => Op::Sum(value),
                Part::Squares => Op::SumSquares(value),
            };
            *place = Some((*part, self.slot(op, selection)));
        }
        slots
    }

    fn in_order(&mut self, op: &AggOp, finds: Finds, value: usize, selection: usize) -> Output {
        let same =
            |finder: &Finder| finder.name == op.kind.name() && finder.arguments == op.arguments;
        let finder = self.finders.iter().position(same).unwrap_or_else(|| {
            self.finders.push(Finder {
                name: op.kind.name(),
                arguments: op.arguments.clone(),
                finds,
            });
            self.finders.len() - 1
        });
        match (op.kind.gives, op.operand_type()) {
            (Gives::Value, Type::Decimal { scale }) => {
                let slot = self.slot(Op::InOrderWide(value, finder), selection);
                Output::InOrderWide(slot, scale)
            }
            _ => Output::InOrder(self.slot(Op::InOrder(value, finder), selection)),
        }
    }

    fn extreme(&mut self, ty: Type, made: Made, value: usize, selection: usize) -> Output {
        let least = matches!(made, Made::Least);
        if let Type::Decimal { scale } = ty {
            let op = if least { Op::MinWide } else { Op::MaxWide };
            return Output::ExtremeWide(self.slot(op(value), selection), scale);
        }
        let op = if least { Op::Min } else { Op::Max };
        Output::Extreme(self.slot(op(value), selection))
    }

    fn pick(&mut self, ty: Type, made: Made, value: usize, selection: usize) -> Output {
        let first = matches!(made, Made::Earliest);
        if let Type::Decimal { scale } = ty {
            let op = if first { Op::FirstWide } else { Op::LastWide };
            return Output::PickWide(self.slot(op(value), selection), scale);
        }
        let op = if first { Op::First } else { Op::Last };
        Output::Pick(self.slot(op(value), selection))
    }

    fn value(&mut self, of: &Expr) -> usize {
        self.known_values.position(&mut self.values, of)
    }
}

/// Expressions by type and text, so without their places in the file.
#[derive(Debug, Default)]
struct Known(HashMap<(Type, String), usize>);

impl Known {
    /// Index of an expression in this list, to which it is added if new.
    fn position(&mut self, list: &mut Vec<Expr>, wanted: &Expr) -> usize {
        let found = self.0.entry((wanted.ty, wanted.to_string()));
        *found.or_insert_with(|| {
            list.push(wanted.clone());
            list.len() - 1
        })
    }
}
