//! The filter of a source as checks of its rows.

use tessera_expr::rel::{RowCheck, RowOutcome};
use tessera_expr::{BinaryOp, Expr, Literal, Type};

/// The rule of rows for which the filter is null, because a value that it reads is missing.
pub const NULL_FILTER: &str = "filter is null";

/// Takes out the rows for which a filter is not true; those for which it is null are counted by themselves.
pub(crate) fn checks(filter: Expr) -> Vec<RowCheck> {
    let check = |rule: &str, bad_when: Expr| RowCheck {
        rule: rule.to_owned(),
        bad_when,
        outcome: RowOutcome::Filter,
        conversion: false,
    };
    let mut checks = Vec::new();
    if filter.can_be_null() {
        checks.push(check(NULL_FILTER, filter.clone().is_null()));
    }
    let yes = Expr::literal(Literal::Bool(true), Type::Bool);
    checks.push(check(
        "filter",
        filter.condition(BinaryOp::IsDistinctFrom, yes),
    ));
    checks
}
