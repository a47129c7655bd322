//! Arithmetic whose result does not fit its type, in used rows: an error, since a sum without such rows would be wrong.

use polars::prelude::Expr;
use tessera_expr::rel::{Aggregate, OWN};
use tessera_expr::{BinaryOp, Expr as TypedExpr};

use crate::column::col;
use crate::lower::lower;
use crate::scan::{hides_operands, overflow_name};

/// Expressions of the plan that may overflow: what is aggregated, and derived columns; each with a condition on a row that is
/// true where it did.
pub(crate) fn overflows(plan: &Aggregate, values: &[TypedExpr]) -> Vec<(String, Expr)> {
    let rows = &plan.rows;
    let aggregated = values.iter().filter_map(|value| {
        let when = tessera_expr::overflow(value, None)?;
        let when = match wanted(plan, value) {
            Some(wanted) => wanted.condition(BinaryOp::And, when),
            None => when,
        };
        Some((value.to_string(), lower(&when, rows)))
    });
    let derive = &rows.scan.derive;
    let derived = derive
        .iter()
        .enumerate()
        // Names that begin so are the plan's own, which no user has derived.
        .filter(|(_, (name, _))| !name.starts_with(OWN))
        .filter_map(|(number, (name, expr))| {
            let made = TypedExpr::column(name, expr.ty);
            let when = tessera_expr::overflow(expr, Some(&made))?;
            let when = match hides_operands(derive, number) {
                true => col(overflow_name(name)),
                false => lower(&when, rows),
            };
            Some((format!("{name} = {expr}"), when))
        });
    derived.chain(aggregated).collect()
}

/// The rows whose value some aggregate takes; none where one takes those of all.
fn wanted(plan: &Aggregate, value: &TypedExpr) -> Option<TypedExpr> {
    let of_value = plan
        .aggs
        .iter()
        .filter(|agg| agg.func.of.as_ref() == Some(value));
    let filters: Option<Vec<TypedExpr>> = of_value.map(|agg| agg.filter.clone()).collect();
    let any = |a: TypedExpr, b| a.condition(BinaryOp::Or, b);
    filters?.into_iter().reduce(any)
}
