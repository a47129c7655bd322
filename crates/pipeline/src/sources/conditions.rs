//! Conditions of the pipeline file that no used row of a source meets: `where` of features, and `purchase`.

use std::collections::BTreeMap;

use tessera_expr::rel::Aggregate;
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{FeatureBody, Source};
use tessera_spec::shown::grouped;

use super::customers::types;
use super::{SourceOutcome, Weight};

/// Warns of them: what they select is then as if there were no rows, which nothing else tells from rows that are not there.
pub(crate) fn never_true(
    pipeline: &Pipeline,
    source: &Source,
    pass: &Aggregate,
    outcome: &mut SourceOutcome,
) {
    if outcome.counts.used == 0 {
        return;
    }
    let met = outcome.counts.met.iter();
    let unmet: Vec<String> = met
        .filter(|(_, met)| !met)
        .map(|(filter, _)| filter.clone())
        .collect();
    if unmet.is_empty() {
        return;
    }
    let rows = grouped(outcome.counts.used);
    let purchase = tessera_features::purchase(source, &types(&pass.rows));
    let purchase = purchase.ok().flatten().map(|expr| expr.to_string());
    let text = source.purchase.as_ref().map(|text| text.value.trim());
    if let (Some(purchase), Some(text)) = (purchase, text)
        && unmet.contains(&purchase)
    {
        outcome.warn(Weight::Meaning, format!(
            "`purchase` (`{text}`) is true for none of {rows} used rows, so no customer has an order: compare with what the rows hold"
        ));
    }
    let mut features: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for feature in &pipeline.features.declared {
        let name = &feature.name.value;
        let FeatureBody::Aggregate {
            from,
            filter: Some(text),
            ..
        } = &feature.body
        else {
            continue;
        };
        let agg = pass.aggs.iter().find(|agg| agg.name == *name);
        let filter = agg.and_then(|agg| agg.filter.as_ref());
        let is_unmet = filter.is_some_and(|filter| unmet.contains(&filter.to_string()));
        if from.value == source.name.value && is_unmet {
            let of = features.entry(text.value.trim()).or_default();
            of.push(format!("`{name}`"));
        }
    }
    for (text, names) in features {
        outcome.warn(Weight::Meaning, format!(
            "`where` (`{text}`) of {} is true for none of {rows} used rows: compare with what the rows hold",
            names.join(", ")
        ));
    }
}
