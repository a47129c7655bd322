//! Which words of a customer's state each aggregate needs. Aggregates share what they have in common: a mean and a sum over
//! the same rows are one sum and one count.

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
    /// 3 words: bits of common values, count of the others with the upper digits of the last of these seen, its lower ones
    Distinct(usize),
    /// 3 words, as above, of local days
    DistinctDays,
    /// none: the values are kept in a list
    Median(usize),
}

impl Op {
    /// The words of a customer without rows.
    fn empty(self) -> &'static [u64] {
        const NONE: u64 = NO_DAY as u64;
        match self {
            Self::CountRows | Self::CountValues(_) => &[0],
            Self::Sum(_) | Self::Min(_) | Self::Max(_) => &[0, 0],
            Self::SumSquares(_) => &[0, 0, 0, 0],
            Self::FirstDay => &[i64::MIN as u64],
            Self::LastDay => &[NONE],
            Self::SumOnFirstDay(_) => &[i64::MIN as u64, 0, 0],
            Self::First(_) => &[i64::MAX as u64, NULL],
            Self::Last(_) => &[i64::MIN as u64, NULL],
            Self::Distinct(_) | Self::DistinctDays => &[0, 0, 0],
            Self::Median(_) => &[],
        }
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
    /// `as_of` less the age.
    Day(usize),
    SumOnFirstDay(usize, Unit),
    /// First or last value.
    Pick(usize),
    Median(usize),
}

/// The plan of one pass.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) values: Vec<Expr>,
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
        for agg in aggs {
            let filter = agg
                .filter
                .as_ref()
                .map(|filter| position(&mut layout.filters, filter));
            layout.needs_time |= agg.window.is_some();
            let selection = layout.selection(Selection {
                window: agg.window,
                filter,
            });
            let (output, ty) = layout.output(&agg.func, selection);
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
        let keeps_beside = matches!(
            op,
            Op::First(_)
                | Op::Last(_)
                | Op::Distinct(_)
                | Op::DistinctDays
                | Op::Median(_)
                | Op::Sum(_)
                | Op::SumSquares(_)
                | Op::SumOnFirstDay(_)
        );
        let side = self.sides;
        self.sides += usize::from(keeps_beside);
        self.needs_time |= matches!(
            op,
            Op::FirstDay
                | Op::LastDay
                | Op::SumOnFirstDay(_)
                | Op::DistinctDays
                | Op::First(_)
                | Op::Last(_)
        );
        self.slots.push(Slot {
            op,
            selection,
            at: 0,
            side,
        });
        self.slots.len() - 1
    }

    fn output(&mut self, op: &AggOp, selection: usize) -> (Output, Type) {
        match op {
            AggOp::CountRows => (
                Output::Count(self.slot(Op::CountRows, selection)),
                Type::Int,
            ),
            AggOp::Count(of) => {
                let value = self.value(of);
                (
                    Output::Count(self.slot(Op::CountValues(value), selection)),
                    Type::Int,
                )
            }
            AggOp::CountDistinct(of) => {
                let value = self.value(of);
                (
                    Output::Distinct(self.slot(Op::Distinct(value), selection)),
                    Type::Int,
                )
            }
            AggOp::CountDistinctDays => (
                Output::Distinct(self.slot(Op::DistinctDays, selection)),
                Type::Int,
            ),
            AggOp::FirstDay => (Output::Day(self.slot(Op::FirstDay, selection)), Type::Date),
            AggOp::LastDay => (Output::Day(self.slot(Op::LastDay, selection)), Type::Date),
            AggOp::Sum(of) => {
                let sum = self.sum(of, selection);
                match of.ty {
                    Type::Float => (Output::SumFloat(sum, unit(of.ty)), Type::Float),
                    _ => (Output::SumInt(sum), Type::Int),
                }
            }
            AggOp::SumOnFirstDay(of) => {
                let value = self.value(of);
                (
                    Output::SumOnFirstDay(
                        self.slot(Op::SumOnFirstDay(value), selection),
                        unit(of.ty),
                    ),
                    Type::Float,
                )
            }
            AggOp::Mean(of) => (self.mean(of, selection), Type::Float),
            AggOp::Std(of) => (self.std(of, selection), Type::Float),
            AggOp::Min(of) => {
                let value = self.value(of);
                (Output::Extreme(self.slot(Op::Min(value), selection)), of.ty)
            }
            AggOp::Max(of) => {
                let value = self.value(of);
                (Output::Extreme(self.slot(Op::Max(value), selection)), of.ty)
            }
            AggOp::Median(of) => {
                let value = self.value(of);
                (
                    Output::Median(self.slot(Op::Median(value), selection)),
                    Type::Float,
                )
            }
            AggOp::First(of) => {
                let value = self.value(of);
                (Output::Pick(self.slot(Op::First(value), selection)), of.ty)
            }
            AggOp::Last(of) => {
                let value = self.value(of);
                (Output::Pick(self.slot(Op::Last(value), selection)), of.ty)
            }
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

    /// Whether the values of a column are only counted and told apart, so that codes do as well.
    pub(crate) fn only_compared(&self, value: usize) -> bool {
        let reads = |op: Op| match op {
            Op::CountRows | Op::FirstDay | Op::LastDay | Op::DistinctDays => None,
            Op::CountValues(of) | Op::Distinct(of) => (of == value).then_some(true),
            Op::Sum(of)
            | Op::SumSquares(of)
            | Op::Min(of)
            | Op::Max(of)
            | Op::SumOnFirstDay(of)
            | Op::First(of)
            | Op::Last(of)
            | Op::Median(of) => (of == value).then_some(false),
        };
        self.slots
            .iter()
            .filter_map(|slot| reads(slot.op))
            .all(|compared| compared)
    }

    fn value(&mut self, of: &Expr) -> usize {
        position(&mut self.values, of)
    }
}

/// What a sum of values of this type counts in.
fn unit(ty: Type) -> Unit {
    if ty == Type::Float {
        Unit::Binary
    } else {
        Unit::Decimal { scale: 0 }
    }
}

/// Index of an expression among those known, spans aside; it is added if new.
fn position(known: &mut Vec<Expr>, wanted: &Expr) -> usize {
    let text = wanted.to_string();
    known
        .iter()
        .position(|e| e.ty == wanted.ty && e.to_string() == text)
        .unwrap_or_else(|| {
            known.push(wanted.clone());
            known.len() - 1
        })
}
