//! `kind = "contractual"`

use crate::pipeline::{At, ContractualScore, RenewalKind, ScoreKind, Source, SourceKind};
use crate::reader::Reader;

use super::{days, discount_per_year, horizon, refuse_money, source_of};

/// Days of a renewal period that is not stated.
const DEFAULT_PERIOD: u32 = 30;

/// Models if none are named; the first is used.
const DEFAULT_MODELS: [RenewalKind; 2] = [RenewalKind::Bdw, RenewalKind::Sbg];

pub(super) fn contractual(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let from = source_of(
        table,
        sources,
        &[SourceKind::Intervals],
        "add `from = \"…\"`: the intervals that are contracts",
    );
    let models = table.words("models").unwrap_or_else(|| {
        let default = |model| At::new(model, table.span.clone());
        DEFAULT_MODELS.into_iter().map(default).collect()
    });
    let (period, horizon) = (days(table, "period"), horizon(table));
    if !table.has("value") {
        refuse_money(
            table,
            &["discount_per_year"],
            "add `value = \"…\"`, the feature with the money of one period, or remove this",
        );
    }
    let discount_per_year = discount_per_year(table);
    let value = table.text("value");
    Some(ScoreKind::Contractual(ContractualScore {
        from,
        models,
        period_days: period.map_or(DEFAULT_PERIOD, |period| period.value),
        horizon_days: horizon?.value,
        discount_per_year,
        value,
    }))
}
