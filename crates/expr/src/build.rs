//! Builds expressions that do not come from a pipeline file.

use crate::decimal;
use crate::temporal;
use crate::tree::{BinaryOp, Expr, Function, Literal, Node, Type};

impl Expr {
    /// An expression that stands in no text.
    fn made(node: Node, ty: Type) -> Self {
        let span = 0..0;
        Self { node, ty, span }
    }

    /// A column of a known type.
    pub fn column(name: &str, ty: Type) -> Self {
        Self::made(Node::Column(name.to_owned()), ty)
    }

    /// A constant; a null may have any type.
    pub fn literal(value: Literal, ty: Type) -> Self {
        Self::made(Node::Literal(value), ty)
    }

    /// The day of the run.
    pub fn as_of() -> Self {
        Self::made(Node::AsOf, Type::Date)
    }

    /// A function of expressions, whose value has the type `ty`.
    pub fn function(function: Function, args: Vec<Self>, ty: Type) -> Self {
        Self::made(Node::Call(function, args), ty)
    }

    /// Whether it is null.
    pub fn is_null(self) -> Self {
        let of = Box::new(self);
        let negated = false;
        Self::made(Node::IsNull { of, negated }, Type::Bool)
    }

    /// Not a condition, three-valued.
    pub fn negated(self) -> Self {
        Self::made(Node::Not(Box::new(self)), Type::Bool)
    }

    /// A comparison of two expressions of one type, or `and`, `or` of two conditions.
    pub fn condition(self, op: BinaryOp, other: Self) -> Self {
        let node = Node::Binary(op, Box::new(self), Box::new(other));
        Self::made(node, Type::Bool)
    }

    /// The same value in another type: constants directly, the rest by a cast.
    pub fn cast(self, ty: Type) -> Self {
        if self.ty == ty {
            return self;
        }
        let span = self.span.clone();
        match self.node {
            // whatever has the type of a bare null is null
            _ if self.ty == Type::Null => Expr {
                node: Node::Literal(Literal::Null),
                ty,
                span,
            },
            #[allow(clippy::cast_precision_loss)] // documented: integers beside floats are floats
            Node::Literal(Literal::Int(value)) if ty == Type::Float => Expr {
                node: Node::Literal(Literal::Float(value as f64)),
                ty,
                span,
            },
            Node::Literal(Literal::Int(value)) if rescaled(value.into(), 0, ty).is_some() => Expr {
                node: Node::Literal(Literal::Decimal(
                    rescaled(value.into(), 0, ty).unwrap_or_default(),
                )),
                ty,
                span,
            },
            Node::Literal(Literal::Decimal(value)) if widened(value, self.ty, ty).is_some() => {
                Expr {
                    node: Node::Literal(Literal::Decimal(
                        widened(value, self.ty, ty).unwrap_or_default(),
                    )),
                    ty,
                    span,
                }
            }
            Node::Literal(Literal::Date(day)) if ty == Type::Timestamp => {
                let micros = i64::from(day) * temporal::DAY_MICROS;
                Expr {
                    node: Node::Literal(Literal::Timestamp(micros)),
                    ty,
                    span,
                }
            }
            _ => Expr {
                node: Node::Cast(Box::new(self)),
                ty,
                span,
            },
        }
    }
}

/// A whole number with the decimals of `ty`, where that is a decimal that has room for it.
fn rescaled(whole: i128, scale: u8, ty: Type) -> Option<i128> {
    match ty {
        Type::Decimal { scale: wanted } if wanted >= scale => {
            decimal::rescale(whole, scale, wanted)
        }
        _ => None,
    }
}

/// The same of a constant of type `from`.
fn widened(whole: i128, from: Type, ty: Type) -> Option<i128> {
    match from {
        Type::Decimal { scale } => rescaled(whole, scale, ty),
        _ => None,
    }
}
