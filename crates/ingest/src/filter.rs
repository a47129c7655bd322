//! The filter of a source as checks of its rows.

use tessera_expr::rel::{RowCheck, RowOutcome};
use tessera_expr::{BinaryOp, Expr, Literal, Type, columns, leaves_nulls_open};

/// The rule of rows for which the filter is null, because a value that it reads is missing.
pub const NULL_FILTER: &str = "filter is null";

/// A filter as checks: where it is false the row does not concern the pipeline, whatever else is wrong with it. Where it is null the row
/// would have been used, so that all other checks come first.
pub(crate) struct Filter {
    excludes: RowCheck,
    null: Option<RowCheck>,
    /// Values that do not convert, which are null, cannot be why it is false.
    leads: bool,
}

impl Filter {
    /// `derive` are the derived columns that it may read.
    pub(crate) fn new(filter: Expr, derive: &[(String, Expr)]) -> Self {
        let check = |rule: &str, bad_when: Expr| RowCheck {
            rule: rule.to_owned(),
            bad_when,
            outcome: RowOutcome::Filter,
            conversion: false,
        };
        let no = Expr::literal(Literal::Bool(false), Type::Bool);
        Self {
            leads: leaves_nulls_open(&filter) && reads_leave_open(&filter, derive),
            null: filter
                .can_be_null()
                .then(|| check(NULL_FILTER, filter.clone().is_null())),
            excludes: check("filter", filter.condition(BinaryOp::IsNotDistinctFrom, no)),
        }
    }

    /// The checks of a source with those of the filter, and how many of the first decide before values that do not convert. A filter
    /// that makes something of null is asked behind the conversions, the first of the checks.
    pub(crate) fn among(self, mut checks: Vec<RowCheck>) -> (Vec<RowCheck>, usize) {
        let conversions = checks.iter().take_while(|check| check.conversion).count();
        let place = if self.leads { 0 } else { conversions };
        checks.insert(place, self.excludes);
        checks.extend(self.null);
        (checks, usize::from(self.leads))
    }
}

/// Whether the derived columns behind an expression leave it open what stands in place of a null.
fn reads_leave_open(expr: &Expr, derive: &[(String, Expr)]) -> bool {
    columns(expr).into_iter().all(|name| {
        let place = derive.iter().rposition(|(derived, _)| derived == name);
        place.is_none_or(|place| {
            let (earlier, own) = (&derive[..place], &derive[place].1);
            leaves_nulls_open(own) && reads_leave_open(own, earlier)
        })
    })
}
