//! What is counted for the cohorts, and where: planned before a row is read.

use std::collections::BTreeMap;

use tessera_expr::aggregates::FIRST_DAY;
use tessera_expr::rel::Agg;
use tessera_expr::{Expr, Schema};
use tessera_features::{FeaturePlan, SourceInput};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::Source;

/// The column of the first day with an order.
pub(crate) const FIRST: &str = "__first_order_day";

/// What is counted, and where.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The source of orders.
    pub(crate) source: String,
    /// Which rows are purchases; none where all are.
    pub(crate) purchase: Option<Expr>,
    /// The money of a row, where there is any.
    pub(crate) amount: Option<Expr>,
}

/// Plans the cohorts where the pipeline asks for them, and adds the first order to the pass over the orders.
pub(crate) fn plan(
    pipeline: &Pipeline,
    inputs: &BTreeMap<String, SourceInput>,
    features: &mut FeaturePlan,
) -> Option<Plan> {
    if !pipeline.customer.cohorts {
        return None;
    }
    let Some(source) = tessera_features::orders(pipeline) else {
        tracing::warn!(
            "`cohorts` in [customer] has no effect: no feature of `use` reads a source of orders, so no customer has a first order"
        );
        return None;
    };
    let schema = &inputs.get(&source.name.value)?.schema;
    // The condition was checked when the features were planned.
    let purchase = tessera_features::purchase(source, schema).ok().flatten();
    let first = Agg {
        name: FIRST.to_owned(),
        func: FIRST_DAY.of_rows(),
        window: None,
        filter: purchase.clone(),
    };
    features.add_hidden(&source.name.value, vec![first]);
    Some(Plan {
        source: source.name.value.clone(),
        purchase,
        amount: amount(source, schema),
    })
}

fn amount(source: &Source, schema: &Schema) -> Option<Expr> {
    let name = source.amount.as_ref();
    let name = name.map_or("amount", |amount| amount.value.as_str());
    let ty = schema.get(name).filter(|ty| ty.is_number())?;
    Some(Expr::column(name, ty))
}
