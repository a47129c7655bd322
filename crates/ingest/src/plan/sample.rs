//! `sample` of `[customer]`: a part of the customers, in every source the same.

use tessera_expr::rel::{RowCheck, RowOutcome, Sample};
use tessera_expr::{Expr, Type};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Source, SourceKind};

/// The part of the customers that the pipeline is limited to; a lookup has none.
pub(super) fn sample(pipeline: &Pipeline, source: &Source) -> Option<Sample> {
    let share = pipeline.customer.sample?;
    (source.kind != SourceKind::Lookup).then_some(Sample { share })
}

/// Filters the rows of customers who are not in the sample.
pub(super) fn only_drawn() -> RowCheck {
    RowCheck {
        rule: "sample".to_owned(),
        bad_when: Expr::column(Sample::DRAWN, Type::Bool).negated(),
        outcome: RowOutcome::Filter,
        conversion: false,
    }
}
