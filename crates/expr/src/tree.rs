//! The typed expression tree: closed, checked, without an engine.

use std::fmt;
use std::ops::Range;

/// Levels of the deepest expression that is accepted. An `and` or `+` chain has one level per term.
pub const MAX_DEPTH: usize = 200;

/// Type of a value. Timestamps are wall-clock times in the pipeline's time zone (sources are normalised when they are read).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// true or false
    Bool,
    /// 64-bit integer; narrower integers of a file are widened
    Int,
    /// 64-bit float
    Float,
    /// exact number with so many digits behind the point, at most 38 digits in all; unsigned integers of 64 bits are decimals
    /// without any
    Decimal {
        /// digits behind the point, at most 38
        scale: u8,
    },
    /// UTF-8 text, compared byte by byte
    String,
    /// calendar date
    Date,
    /// local wall-clock time in microseconds
    Timestamp,
    /// the type of a bare `null`, which fits everywhere
    Null,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Bool => "boolean",
            Type::Int => "integer",
            Type::Float => "float",
            Type::Decimal { .. } => "decimal",
            Type::String => "string",
            Type::Date => "date",
            Type::Timestamp => "timestamp",
            Type::Null => "null",
        })
    }
}

impl Type {
    /// Whether values of the type are numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Float | Type::Decimal { .. })
    }

    /// The type that a feature of this type is published as: decimals as the nearest float, without digits behind the point as
    /// integers.
    pub fn published(self) -> Type {
        match self {
            Type::Decimal { scale: 0 } => Type::Int,
            Type::Decimal { .. } => Type::Float,
            other => other,
        }
    }
}

/// Names and types that an expression may use, in declaration order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// Name and type of each column.
    pub columns: Vec<(String, Type)>,
}

impl Schema {
    /// Type of the column, if there is one of that name.
    pub fn get(&self, name: &str) -> Option<Type> {
        self.columns
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, t)| *t)
    }
}

/// A checked expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it does.
    pub node: Node,
    /// Type of its value.
    pub ty: Type,
    /// Byte range in the expression's text.
    pub span: Range<usize>,
}

/// Node of an expression. Numeric operands of one operation have one type: the checker inserts [`Node::Cast`]. Only the factors
/// of decimals keep a number of decimals each.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A column by name.
    Column(String),
    /// A constant.
    Literal(Literal),
    /// The run's `as_of` date, written `as_of()`.
    AsOf,
    /// `not x` (three-valued)
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// Two operands.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x is null`, or `is not null`
    IsNull {
        /// operand
        of: Box<Expr>,
        /// `is not null`
        negated: bool,
    },
    /// `x in (…)`; three-valued as in SQL
    In {
        /// operand
        of: Box<Expr>,
        /// candidates
        list: Vec<Expr>,
        /// `not in`
        negated: bool,
    },
    /// `x like 'pattern'`: `%`, `_` and the escape `\\`, case-sensitive
    Like {
        /// operand
        of: Box<Expr>,
        /// pattern
        pattern: String,
        /// `not like`
        negated: bool,
    },
    /// `case when c then v … else e end`
    Case {
        /// conditions and values
        branches: Vec<(Expr, Expr)>,
        /// value where no condition is true; null when absent
        otherwise: Option<Box<Expr>>,
    },
    /// A function of the catalogue.
    Call(Function, Vec<Expr>),
    /// `cast(x as type)`, or inserted by the checker. Over the rows of a source, a value that does not convert makes a broken
    /// row.
    Cast(Box<Expr>),
    /// `try_cast(x as type)`: null where the value does not convert
    TryCast(Box<Expr>),
}

/// Constants.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A whole number of units of the last decimal of the expression's type.
    Decimal(i128),
    String(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00, local.
    Timestamp(i64),
}

/// Operators with two operands. `between` is lowered to two comparisons by the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    /// Always in floats; null where the divisor is 0.
    Divide,
    /// Remainder of integers, decimals or floats with the sign of the dividend; null where the divisor is 0.
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Three-valued.
    And,
    /// Three-valued.
    Or,
    IsDistinctFrom,
    IsNotDistinctFrom,
    /// `a || b` of strings; null if either is null.
    Concat,
}

/// Functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Function {
    Abs,
    Round,
    Floor,
    Ceil,
    Ln,
    Log10,
    Exp,
    Power,
    Sqrt,
    Least,
    Greatest,
    Coalesce,
    NullIf,
    Lower,
    Upper,
    Trim,
    Length,
    Substring,
    Concat,
    /// `replace(s, from, to)`
    Replace,
    /// `split_part(s, separator, place)`
    SplitPart,
    /// `regexp_extract(s, 'pattern', group)`; pattern and group are constants that the checker has seen
    RegexpExtract,
    /// `strptime(s, 'format')`; the format is a constant that the checker has seen
    Strptime,
    /// `try_strptime(s, 'format')`
    TryStrptime,
    /// `to_timestamp(epoch, 'unit')`
    ToTimestamp(EpochUnit),
    /// `date_diff('day', from, to)`
    DateDiff(DateUnit),
    /// `date_trunc('month', x)`
    DateTrunc(DateUnit),
}

/// Units of time since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum EpochUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

/// Units of date functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DateUnit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}
