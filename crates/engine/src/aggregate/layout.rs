//! Which words of a customer's state each aggregate needs. Aggregates share what they have in common: a mean and a sum over
//! the same rows are one sum and one count.

use std::collections::HashMap;

use tessera_expr::exact::Unit;
use tessera_expr::rel::{Agg, AggOp, Window};
use tessera_expr::{Expr, Type};

/// A state word that stands for "nothing yet" among days.
pub(crate) const NO_DAY: i64 = i64::MAX;

/// Which rows an accumulator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Selection {
    /// Days, all when absent.
    pub(crate) window: Option<Window>,
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
    /// 3 words: bits of common values, count of the others (made in the end) with the upper digits of the last of these seen, its lower ones
    Distinct(usize),
    /// 3 words, as above, of local days
    DistinctDays,
    /// 2 words: count of the values, which are kept beside the states; the median, made in the end
    Median(usize),
}

impl Op {
    /// The words of a customer without rows.
    fn empty(self) -> &'static [u64] {
        const NONE: u64 = NO_DAY as u64;
        match self {
            Self::CountRows | Self::CountValues(_) => &[0],
            Self::Sum(_) | Self::Min(_) | Self::Max(_) | Self::Median(_) => &[0, 0],
            Self::SumSquares(_) => &[0, 0, 0, 0],
            Self::MinWide(_) | Self::MaxWide(_) => &[0, 0, 0],
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

    /// Whether something is kept beside the states.
    pub(crate) fn keeps_beside(self) -> bool {
        matches!(
            self,
            Self::First(_)
                | Self::Last(_)
                | Self::Distinct(_)
                | Self::DistinctDays
                | Self::Median(_)
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
}

/// How an output column is made of slots (indices into [`Layout::slots`]).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output {
    Count(usize),
    Distinct(usize),
    SumInt(usize),
    SumFloat(usize, Unit),
    Mean {
        sum: usize,
        count: usize,
        unit: Unit,
    },
    Std {
        sum: usize,
        squares: usize,
        count: usize,
        unit: Unit,
    },
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
    Median(usize),
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
    pub(crate) slots: Vec<Slot>,
    /// Name, how it is made, and its type.
    pub(crate) outputs: Vec<(String, Output, Type)>,
    /// State of a customer without rows.
    pub(crate) empty: Vec<u64>,
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
                window: agg.window,
                filter,
            });
            let output = layout.output(&agg.func, selection);
            let ty = agg.func.output_type();
            layout.outputs.push((agg.name.clone(), output, ty));
        }
        layout.arrange();
        layout
    }

    /// Lays out the words of a state: what every row touches comes first, then windows from long to short, so that old rows
    /// touch few cache lines.
    fn arrange(&mut self) {
        let days = |slot: &Slot| {
            let window = self.selections[slot.selection].window;
            window.and_then(|w| w.days).unwrap_or(u32::MAX)
        };
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(days(&self.slots[i])));
        self.empty.clear();
        for i in order {
            self.slots[i].at = self.empty.len();
            self.empty.extend_from_slice(self.slots[i].op.empty());
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
        });
        self.slots.len() - 1
    }

    fn output(&mut self, op: &AggOp, selection: usize) -> Output {
        match op {
            AggOp::CountRows => Output::Count(self.slot(Op::CountRows, selection)),
            AggOp::Count(of) => {
                let value = self.value(of);
                Output::Count(self.slot(Op::CountValues(value), selection))
            }
            AggOp::CountDistinct(of) => {
                let value = self.value(of);
                Output::Distinct(self.slot(Op::Distinct(value), selection))
            }
            AggOp::CountDistinctDays => Output::Distinct(self.slot(Op::DistinctDays, selection)),
            AggOp::FirstDay => Output::Day(self.slot(Op::FirstDay, selection)),
            AggOp::LastDay => Output::Day(self.slot(Op::LastDay, selection)),
            AggOp::Sum(of) => {
                let sum = self.sum(of, selection);
                match op.output_type() {
                    Type::Float => Output::SumFloat(sum, unit(of.ty)),
                    _ => Output::SumInt(sum),
                }
            }
            AggOp::SumAsFloat(of) => Output::SumFloat(self.sum(of, selection), unit(of.ty)),
            AggOp::SumOnFirstDay(of) => {
                let value = self.value(of);
                Output::SumOnFirstDay(self.slot(Op::SumOnFirstDay(value), selection), unit(of.ty))
            }
            AggOp::Mean(of) => self.mean(of, selection),
            AggOp::Std(of) => self.std(of, selection),
            AggOp::Min(of) => self.extreme(of, selection, Op::Min, Op::MinWide),
            AggOp::Max(of) => self.extreme(of, selection, Op::Max, Op::MaxWide),
            AggOp::Median(of) => {
                let value = self.value(of);
                Output::Median(self.slot(Op::Median(value), selection))
            }
            AggOp::First(of) => self.pick(of, selection, Op::First, Op::FirstWide),
            AggOp::Last(of) => self.pick(of, selection, Op::Last, Op::LastWide),
        }
    }

    fn extreme(
        &mut self,
        of: &Expr,
        selection: usize,
        narrow: fn(usize) -> Op,
        wide: fn(usize) -> Op,
    ) -> Output {
        let value = self.value(of);
        match of.ty {
            Type::Decimal { scale } => {
                Output::ExtremeWide(self.slot(wide(value), selection), scale)
            }
            _ => Output::Extreme(self.slot(narrow(value), selection)),
        }
    }

    fn pick(
        &mut self,
        of: &Expr,
        selection: usize,
        narrow: fn(usize) -> Op,
        wide: fn(usize) -> Op,
    ) -> Output {
        let value = self.value(of);
        match of.ty {
            Type::Decimal { scale } => Output::PickWide(self.slot(wide(value), selection), scale),
            _ => Output::Pick(self.slot(narrow(value), selection)),
        }
    }

    fn sum(&mut self, of: &Expr, selection: usize) -> usize {
        let value = self.value(of);
        self.slot(Op::Sum(value), selection)
    }

    fn std(&mut self, of: &Expr, selection: usize) -> Output {
        let value = self.value(of);
        Output::Std {
            sum: self.slot(Op::Sum(value), selection),
            squares: self.slot(Op::SumSquares(value), selection),
            count: self.slot(Op::CountValues(value), selection),
            unit: unit(of.ty),
        }
    }

    fn mean(&mut self, of: &Expr, selection: usize) -> Output {
        let value = self.value(of);
        Output::Mean {
            sum: self.slot(Op::Sum(value), selection),
            count: self.slot(Op::CountValues(value), selection),
            unit: unit(of.ty),
        }
    }

    fn value(&mut self, of: &Expr) -> usize {
        self.known_values.position(&mut self.values, of)
    }
}

/// What a sum of values of this type counts in.
pub(crate) fn unit(ty: Type) -> Unit {
    match ty {
        Type::Float => Unit::Binary,
        Type::Decimal { scale } => Unit::Decimal { scale },
        Type::Bool | Type::Int | Type::String | Type::Date | Type::Timestamp | Type::Null => {
            Unit::Decimal { scale: 0 }
        }
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
