//! What the numbers of an expression count, as far as that is known before a row is read.

use tessera_expr::{BinaryOp, Expr, Function, Literal, Node, Type};

/// What an expression hands on as it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part<'e> {
    /// The values of a column.
    Column(&'e str),
    /// A number.
    Constant(f64),
}

/// The columns and numbers of which an expression has the values: of `coalesce(a, 0)` the column a and 0. Sums and differences count
/// what their columns count, but have other values, so that only the columns are among them. A product or a quotient may count
/// anything, and nothing of it is.
pub(crate) fn parts(expr: &Expr) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    collect(expr, false, &mut found);
    found
}

fn collect<'e>(expr: &'e Expr, in_sum: bool, found: &mut Vec<Part<'e>>) {
    match &expr.node {
        Node::Column(name) => found.push(Part::Column(name)),
        Node::Literal(_) | Node::Negate(_) if constant(expr).is_some() => {
            found.extend(constant(expr).filter(|_| !in_sum).map(Part::Constant));
        }
        Node::Cast(of) | Node::TryCast(of) => collect(of, in_sum, found),
        Node::Negate(of) => collect(of, true, found),
        Node::Binary(BinaryOp::Add | BinaryOp::Subtract, a, b) => {
            collect(a, true, found);
            collect(b, true, found);
        }
        Node::Case {
            branches,
            otherwise,
        } => {
            let values = branches.iter().map(|(_, value)| value);
            for value in values.chain(otherwise.as_deref()) {
                collect(value, in_sum, found);
            }
        }
        Node::Call(Function::Coalesce, all) => {
            all.iter().for_each(|of| collect(of, in_sum, found));
        }
        Node::Call(Function::Round | Function::NullIf, all) => {
            all.first()
                .into_iter()
                .for_each(|of| collect(of, in_sum, found));
        }
        _ => {}
    }
}

/// The column whose values an expression hands on as they are, but for those that are missing.
pub(crate) fn handed_on(expr: &Expr) -> Option<&str> {
    match &expr.node {
        Node::Column(name) => Some(name),
        Node::Cast(of) | Node::TryCast(of) => handed_on(of),
        Node::Call(Function::Coalesce | Function::Round, all) => handed_on(all.first()?),
        _ => None,
    }
}

/// The number of a constant.
pub(crate) fn constant(expr: &Expr) -> Option<f64> {
    match &expr.node {
        Node::Literal(Literal::Int(number)) => Some(*number as f64),
        Node::Literal(Literal::Float(number)) => Some(*number),
        Node::Literal(Literal::Decimal(units)) => match expr.ty {
            Type::Decimal { scale } => Some(*units as f64 / 10_f64.powi(i32::from(scale))),
            _ => None,
        },
        Node::Negate(of) => constant(of).map(|number| -number),
        Node::Cast(of) => constant(of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tessera_expr::{Schema, parse};

    use super::*;

    #[test]
    fn sums_hand_on_columns_and_products_nothing() {
        let schema = Schema {
            columns: ["a", "b"]
                .map(|name| (name.to_owned(), Type::Float))
                .to_vec(),
        };
        let (a, b) = (Part::Column("a"), Part::Column("b"));
        let number = Part::Constant;
        let cases = [
            ("a", vec![a.clone()]),
            ("1.5", vec![number(1.5)]),
            ("-2", vec![number(-2.0)]),
            ("coalesce(a, 0) + b / 3", vec![a.clone()]),
            ("coalesce(a, 0.25)", vec![a.clone(), number(0.25)]),
            ("1 - (1 - a) * b", vec![]),
            ("1 - a", vec![a.clone()]),
            ("case when a > 1 then b else 7 end", vec![b, number(7.0)]),
            ("least(a, 1)", vec![]),
        ];
        for (text, wanted) in cases {
            let expr = parse(text, &schema).unwrap();
            assert_eq!(parts(&expr), wanted, "{text}");
        }
    }
}
