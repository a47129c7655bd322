//! What an aggregate states about itself, and an aggregate over an expression.
//!
//! An engine has an accumulator for each variant of [`Made`]; everything else about an aggregate is in its file of `aggregates`.

use tessera_spec::AggregateSyntax;
use tessera_spec::pipeline::Arguments;

use crate::exact::{SquaresOf, SumOf, Unit};
use crate::tree::{Expr, Type};

/// An aggregate: a function of the rows of a customer.
#[derive(Debug)]
pub struct Aggregation {
    /// What the pipeline file may say of it, and what it gives, in words.
    pub syntax: AggregateSyntax,
    /// Whether pipeline files may name it. Others are made for features of the catalogue and for scores.
    pub written: bool,
    /// What it takes.
    pub takes: Takes,
    /// The type of what it gives.
    pub gives: Gives,
    /// Whether a customer without rows has 0; otherwise null.
    pub zero_when_absent: bool,
    /// How it is computed.
    pub made: fn(&AggOp) -> Made,
    /// How it is defined, for the documentation: lines of the form `Missing values: …`.
    pub docs: &'static str,
    /// Rows and what it gives for them; a test runs it.
    pub example: Example,
}

/// What an aggregate is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// The rows or their days: it has no operand.
    Rows,
    /// Values of any type.
    Any,
    /// Numbers.
    Numbers,
    /// Numbers, dates and timestamps.
    Ordered,
}

impl Takes {
    /// Whether values of this type can be aggregated.
    pub fn accepts(self, ty: Type) -> bool {
        match self {
            Self::Rows => false,
            Self::Any => true,
            Self::Numbers => ty.is_number(),
            Self::Ordered => ty.is_number() || matches!(ty, Type::Date | Type::Timestamp),
        }
    }

    /// What is taken, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Any => "any type",
            Self::Numbers => "a number",
            Self::Ordered => "a number, a date or a timestamp",
        }
    }
}

/// The type of an aggregate's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// A number of things, as an integer.
    Count,
    /// A date.
    Day,
    /// A float.
    Float,
    /// A sum: an integer of integers, a float of floats, of decimals what they are published as.
    Sum,
    /// One of the values: what its type is published as.
    Value,
}

/// A worked example.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Rows of one customer: date and amount, separated by `; `; `-` is an amount that is null.
    pub rows: &'static str,
    /// Further keys as the pipeline file has them, such as `q = 0.9`.
    pub keys: &'static str,
    /// The value, as text.
    pub expect: &'static str,
}

impl Example {
    /// Of four rows on three days, one of them without an amount, which tell most aggregates apart.
    pub const fn of_four_rows(expect: &'static str) -> Self {
        Self {
            rows: "2026-01-02 10; 2026-01-05 -; 2026-01-05 30; 2026-01-09 10",
            keys: "",
            expect,
        }
    }
}

/// How an aggregate is computed from the rows of a customer that its window and its condition select.
#[derive(Debug, Clone, Copy)]
pub enum Made {
    /// The number of rows.
    Rows,
    /// The number of values that are not null.
    Values,
    /// The number of different values that are not null.
    Distinct,
    /// The number of different local days.
    DistinctDays,
    /// The first local day.
    FirstDay,
    /// The last local day.
    LastDay,
    /// The exact sum, rounded once.
    Sum,
    /// The exact sum over the rows of the first local day.
    SumOnFirstDay,
    /// The smallest value.
    Least,
    /// The largest value.
    Greatest,
    /// The value of the earliest row by time, then by file and row order.
    Earliest,
    /// The value of the latest row by time, then by file and row order.
    Latest,
    /// A float computed from these, once all rows were taken.
    Computed(&'static [Part], Compute),
    /// Found among the values in their order, once all rows were taken.
    InOrder(Finds),
}

/// What a computed aggregate needs to know of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The number of rows.
    Rows,
    /// The number of values that are not null.
    Values,
    /// Their sum.
    Sum,
    /// The sum of their squares.
    Squares,
}

/// Parts that an aggregate can be computed from at most.
pub const MOST_PARTS: usize = 4;

/// What was found of the rows of a customer for a [`Part`].
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// A number of rows or values.
    Count(u64),
    /// A sum.
    Sum(SumOf<'a>),
    /// A sum of squares.
    Squares(SquaresOf<'a>),
}

/// Computes an aggregate of a customer from what its parts found, in their order; none is null. The unit is that of the sums.
pub type Compute = fn(&[Found<'_>], Unit) -> Option<f64>;

/// Makes what finds an aggregate among values of this type.
pub type Finds = fn(Type, &Arguments) -> Box<dyn InOrder>;

/// Finds something among the values of one customer after the other. It keeps no more than a few of them, since a customer may
/// have more than fit into memory.
pub trait InOrder {
    /// The values of a customer follow, so many and at least one.
    fn begin(&mut self, count: u64);

    /// Takes the next of them. Numbers, dates and times ascend; of texts equal ones stand together, in no other order.
    fn take(&mut self, values: &[Value], texts: &[Box<str>]);

    /// What was found; none is null. An aggregate that gives a float finds a [`Value::Float`], one that gives a value one of
    /// those it took.
    fn end(&mut self, texts: &[Box<str>]) -> Option<Value>;
}

/// A value of a customer.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// An integer, a date in days, a timestamp in microseconds, 0 or 1 of a boolean; a decimal in units of its last digit.
    Whole(i128),
    /// A float; 0 has no sign.
    Float(f64),
    /// A text, by its place among the texts.
    Text(u64),
}

impl Value {
    /// Whether it is the same value as another one of the same column.
    pub fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl PartialEq for Aggregation {
    fn eq(&self, other: &Self) -> bool {
        self.syntax.name == other.syntax.name
    }
}

impl Aggregation {
    /// Its name: in the pipeline file, if it may be written there.
    pub fn name(&self) -> &'static str {
        self.syntax.name
    }

    /// This aggregate over the rows themselves.
    pub fn of_rows(&'static self) -> AggOp {
        AggOp {
            kind: self,
            of: None,
            arguments: Arguments::default(),
        }
    }

    /// This aggregate over an expression.
    pub fn of(&'static self, of: Expr) -> AggOp {
        AggOp {
            of: Some(of),
            ..self.of_rows()
        }
    }
}

/// An aggregate with what it is computed from. Null values never count.
#[derive(Debug, Clone, PartialEq)]
pub struct AggOp {
    /// Which aggregate.
    pub kind: &'static Aggregation,
    /// What is aggregated, where it is not the rows or their days.
    pub of: Option<Expr>,
    /// Its further keys.
    pub arguments: Arguments,
}

impl AggOp {
    /// The same with these further keys.
    #[must_use]
    pub fn with(self, arguments: Arguments) -> Self {
        Self { arguments, ..self }
    }

    /// The same over another operand.
    #[must_use]
    pub fn over(&self, replaced: impl Fn(&Expr) -> Expr) -> Self {
        Self {
            of: self.of.as_ref().map(replaced),
            ..self.clone()
        }
    }

    /// Type of what is aggregated; that of null where it is the rows.
    pub fn operand_type(&self) -> Type {
        self.of.as_ref().map_or(Type::Null, |of| of.ty)
    }

    /// Type of the aggregate's values.
    pub fn output_type(&self) -> Type {
        match self.kind.gives {
            Gives::Count => Type::Int,
            Gives::Day => Type::Date,
            Gives::Float => Type::Float,
            Gives::Sum => match self.operand_type().published() {
                Type::Float => Type::Float,
                _ => Type::Int,
            },
            Gives::Value => self.operand_type().published(),
        }
    }
}
