//! A tree as canonical text: what the parser reads back to the same tree.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write};

use sqlparser::keywords::ALL_KEYWORDS;

use crate::decimal::{self, MAX_DIGITS};
use crate::temporal;
use crate::tree::{BinaryOp, Expr, Function, Literal, Node, Type};

/// How tightly a form binds; a looser one inside a tighter one stands in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Test,
    Sum,
    Product,
    Unary,
    Atom,
}

impl BinaryOp {
    /// As written between its operands.
    pub fn sign(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Equal => "=",
            BinaryOp::NotEqual => "<>",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::IsDistinctFrom => "is distinct from",
            BinaryOp::IsNotDistinctFrom => "is not distinct from",
            BinaryOp::Concat => "||",
        }
    }

    fn binding(self) -> Binding {
        match self {
            BinaryOp::Or => Binding::Or,
            BinaryOp::And => Binding::And,
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual
            | BinaryOp::IsDistinctFrom
            | BinaryOp::IsNotDistinctFrom => Binding::Test,
            BinaryOp::Add | BinaryOp::Subtract => Binding::Sum,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo | BinaryOp::Concat => {
                Binding::Product
            }
        }
    }
}

impl Type {
    /// Name in a cast.
    fn cast_name(self) -> Cow<'static, str> {
        let name = match self {
            Type::Decimal { scale } => {
                return Cow::Owned(format!("decimal({MAX_DIGITS}, {scale})"));
            }
            Type::Bool => "boolean",
            Type::Int => "bigint",
            Type::Float => "double",
            Type::String => "string",
            Type::Date => "date",
            Type::Timestamp => "timestamp",
            Type::Null => "null",
        };
        Cow::Borrowed(name)
    }
}

impl Display for Expr {
    /// Canonical text, with as few brackets as the grammar allows; it parses to the same tree but for its spans.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Column(name) => column(f, name),
            Node::Literal(Literal::Decimal(whole)) => f.write_str(&decimal::text(*whole, self.ty)),
            Node::Literal(literal) => constant(f, literal),
            Node::AsOf => f.write_str("as_of()"),
            Node::Not(of) => {
                f.write_str("not ")?;
                within(f, of, Binding::Atom)
            }
            Node::Negate(of) => {
                f.write_char('-')?;
                within(f, of, Binding::Atom)
            }
            Node::Binary(op, left, right) => binary(f, *op, left, right),
            Node::IsNull { of, negated } => {
                within(f, of, Binding::Sum)?;
                f.write_str(if *negated { " is not null" } else { " is null" })
            }
            Node::In { of, list, negated } => {
                within(f, of, Binding::Sum)?;
                f.write_str(if *negated { " not in (" } else { " in (" })?;
                listed(f, list)?;
                f.write_char(')')
            }
            Node::Like {
                of,
                pattern,
                negated,
            } => {
                within(f, of, Binding::Sum)?;
                f.write_str(if *negated { " not like " } else { " like " })?;
                text(f, pattern)
            }
            Node::Case {
                branches,
                otherwise,
            } => {
                f.write_str("case")?;
                for (when, then) in branches {
                    write!(f, " when {when} then {then}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " else {otherwise}")?;
                }
                f.write_str(" end")
            }
            Node::Call(function, args) => call(f, *function, args),
            Node::Cast(of) => write!(f, "cast({of} as {})", self.ty.cast_name()),
            Node::TryCast(of) => write!(f, "try_cast({of} as {})", self.ty.cast_name()),
        }
    }
}

fn binding(expr: &Expr) -> Binding {
    match &expr.node {
        Node::Column(_)
        | Node::AsOf
        | Node::Case { .. }
        | Node::Call(..)
        | Node::Cast(_)
        | Node::TryCast(_) => Binding::Atom,
        Node::Literal(Literal::Int(value)) if *value < 0 => Binding::Unary,
        Node::Literal(Literal::Float(value)) if value.is_sign_negative() => Binding::Unary,
        Node::Literal(Literal::Decimal(value)) if *value < 0 => Binding::Unary,
        Node::Literal(_) => Binding::Atom,
        Node::Negate(_) => Binding::Unary,
        Node::Not(_) => Binding::Not,
        Node::Binary(op, ..) => op.binding(),
        Node::IsNull { .. } | Node::In { .. } | Node::Like { .. } => Binding::Test,
    }
}

/// The operand, in brackets if it binds looser than its place asks for.
fn within(f: &mut Formatter<'_>, expr: &Expr, least: Binding) -> fmt::Result {
    if binding(expr) < least {
        write!(f, "({expr})")
    } else {
        write!(f, "{expr}")
    }
}

/// Chains lean to the left, so the right operand must bind tighter.
fn binary(f: &mut Formatter<'_>, op: BinaryOp, left: &Expr, right: &Expr) -> fmt::Result {
    let (least_left, least_right) = match op.binding() {
        Binding::Or => (Binding::Or, Binding::And),
        Binding::And => (Binding::And, Binding::Not),
        Binding::Sum => (Binding::Sum, Binding::Product),
        Binding::Product => (Binding::Product, Binding::Unary),
        Binding::Not | Binding::Test | Binding::Unary | Binding::Atom => {
            (Binding::Sum, Binding::Sum)
        }
    };
    within(f, left, least_left)?;
    write!(f, " {} ", op.sign())?;
    within(f, right, least_right)
}

fn listed(f: &mut Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

fn call(f: &mut Formatter<'_>, function: Function, args: &[Expr]) -> fmt::Result {
    write!(f, "{}(", function.name())?;
    if let Function::DateDiff(unit) | Function::DateTrunc(unit) = function {
        write!(f, "'{}', ", unit.name())?;
    }
    listed(f, args)?;
    if let Function::ToTimestamp(unit) = function {
        write!(f, ", '{}'", unit.name())?;
    }
    f.write_char(')')
}

/// Bare where no keyword can be seen in it.
fn column(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    let mut chars = name.chars();
    let shaped = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if shaped
        && ALL_KEYWORDS
            .binary_search(&name.to_ascii_uppercase().as_str())
            .is_err()
    {
        f.write_str(name)
    } else {
        write!(f, "\"{}\"", name.replace('"', "\"\""))
    }
}

fn text(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.replace('\'', "''"))
}

fn constant(f: &mut Formatter<'_>, literal: &Literal) -> fmt::Result {
    match literal {
        Literal::Null => f.write_str("null"),
        Literal::Bool(value) => write!(f, "{value}"),
        Literal::Int(value) => write!(f, "{value}"),
        // without its type it is the whole number
        Literal::Decimal(value) => write!(f, "{value}"),
        // the shortest text that reads back as the same float; no other float can be written
        Literal::Float(value) if value.is_finite() => write!(f, "{value:?}"),
        Literal::Float(_) => f.write_str("cast(null as double)"),
        Literal::String(value) => text(f, value),
        Literal::Date(day) => match temporal::format_date(*day) {
            Some(day) => write!(f, "date '{day}'"),
            None => f.write_str("cast(null as date)"),
        },
        Literal::Timestamp(micros) => match temporal::format_timestamp(*micros) {
            Some(time) => write!(f, "timestamp '{time}'"),
            None => f.write_str("cast(null as timestamp)"),
        },
    }
}
