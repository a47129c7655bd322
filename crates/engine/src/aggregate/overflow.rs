//! Arithmetic whose result does not fit its type, in used rows: an error, since a sum without such rows would be wrong.

use polars::prelude::{Expr, col};
use tessera_expr::rel::{Aggregate, SourceRows};
use tessera_expr::{BinaryOp, Expr as TypedExpr, Node, Type};

use crate::lower::lower;

/// Expressions of the plan that may overflow: what is aggregated, and derived columns; each with a condition on a row that is
/// true where it did.
pub(crate) fn overflows(plan: &Aggregate, values: &[TypedExpr]) -> Vec<(String, Expr)> {
    let rows = &plan.rows;
    let aggregated = values.iter().filter_map(|value| {
        let made = lower(value, rows);
        Some((value.to_string(), overflowed(rows, value, made)?))
    });
    let derive = &rows.scan.derive;
    let derived = derive
        .iter()
        .enumerate()
        .filter_map(|(number, (name, expr))| {
            // What the operands were cannot be seen any more where their names were taken.
            let taken = |column: &&str| derive[number..].iter().any(|(later, _)| later == column);
            let read = tessera_expr::columns(expr);
            if read.iter().any(taken) {
                return None;
            }
            let made = col(name.as_str());
            Some((format!("{name} = {expr}"), overflowed(rows, expr, made)?))
        });
    derived.chain(aggregated).collect()
}

/// Null although no operand is, where an expression is a chain of `+`, `-` and `*` of integers or decimals.
fn overflowed(rows: &SourceRows, expr: &TypedExpr, made: Expr) -> Option<Expr> {
    let mut operands = Vec::new();
    collect(expr, &mut operands);
    if matches!(operands.as_slice(), [only] if std::ptr::eq(*only, expr)) {
        return None;
    }
    let lowered = operands
        .into_iter()
        .filter(|operand| !matches!(operand.node, Node::Literal(_)))
        .map(|operand| lower(operand, rows).is_not_null());
    Some(lowered.fold(made.is_null(), Expr::and))
}

fn collect<'e>(expr: &'e TypedExpr, operands: &mut Vec<&'e TypedExpr>) {
    let exact = |of: &TypedExpr| matches!(of.ty, Type::Int | Type::Decimal { .. });
    match &expr.node {
        Node::Binary(BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply, a, b)
            if exact(expr) && exact(a) && exact(b) =>
        {
            collect(a, operands);
            collect(b, operands);
        }
        Node::Negate(of) if exact(expr) => collect(of, operands),
        Node::Cast(of) if exact(expr) && exact(of) && expr.ty != Type::Int => {
            collect(of, operands);
        }
        _ => operands.push(expr),
    }
}
