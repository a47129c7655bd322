//! Keys as expressions: when one is missing or no key, and in which type keys of two sources are compared.

use tessera_expr::{BinaryOp, Expr, Function, Literal, Type};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{At, Source};

/// A number with a fraction, or a float so large that it may stand for several whole numbers: no key.
pub(crate) fn broken_key(name: &str, ty: Type) -> Option<Expr> {
    /// The first float whose neighbour is 2 away.
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    let column = || Expr::column(name, ty);
    let whole = |of: Expr| Expr::function(Function::Floor, vec![of], ty);
    let fraction = column().condition(BinaryOp::NotEqual, whole(column()));
    match ty {
        Type::Decimal { scale: 1.. } => Some(fraction),
        Type::Float => {
            let size = Expr::function(Function::Abs, vec![column()], ty);
            let limit = Expr::literal(Literal::Float(LIMIT), ty);
            let large = size.condition(BinaryOp::GreaterOrEqual, limit);
            Some(fraction.condition(BinaryOp::Or, large))
        }
        _ => None,
    }
}

/// Null, or a text of white space only.
pub(crate) fn missing(name: &str, ty: Type) -> Expr {
    let column = Expr::column(name, ty);
    let null = column.clone().is_null();
    if ty != Type::String {
        return null;
    }
    let empty = Expr::literal(Literal::String(String::new()), ty);
    let trimmed = Expr::function(Function::Trim, vec![column], ty);
    null.condition(BinaryOp::Or, trimmed.condition(BinaryOp::Equal, empty))
}

/// The column with the customer that a key belongs to, where the source is the map of keys.
pub fn customer_of<'a>(pipeline: &'a Pipeline, source: &Source) -> Option<&'a At<String>> {
    let identity = pipeline.customer.identity.as_ref();
    let map = identity.filter(|identity| identity.from.value == source.name.value);
    map.map(|identity| &identity.to)
}

/// The type of customers' keys that a column has: integers where it holds integers, otherwise texts.
pub(crate) fn key_type(ty: Type) -> Type {
    match ty {
        Type::Int => Type::Int,
        _ => Type::String,
    }
}

/// A column of keys in a type of customers' keys: a number beside texts is the text of its digits.
pub(crate) fn key_in(wanted: Type, name: &str, ty: Type) -> Expr {
    let column = Expr::column(name, ty);
    match ty {
        Type::Decimal { .. } | Type::Float if wanted == Type::String => {
            column.cast(Type::Decimal { scale: 0 }).cast(Type::String)
        }
        _ => column.cast(wanted),
    }
}
