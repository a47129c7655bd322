//! `kind = "clv"`

use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    At, ClvScore, PurchaseModel, PurchaseTimeUnit, ScoreKind, Source, SourceKind,
};
use crate::reader::Reader;
use crate::written::word::ClvModel;

use super::{
    Names, check_name, days, discount_per_year, horizon, number_that, refuse_money, source_of,
};

pub(super) fn clv(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let from = source_of(
        table,
        sources,
        &[SourceKind::Events],
        "add `from = \"…\"`: the events that are purchases",
    );
    let models = models(table);
    let spend = |models: &[At<ClvModel>]| models.iter().any(|m| m.value == ClvModel::GammaGamma);
    if models.as_deref().is_some_and(|models| !spend(models)) {
        refuse_money(
            table,
            &["discount_per_year", "margin"],
            "add \"gamma_gamma\", which models spend, to `models`, or remove this",
        );
    }
    let time_unit = table.word("time_unit");
    let (horizon, holdout) = (horizon(table), days(table, "holdout"));
    let discount_per_year = discount_per_year(table);
    let margin = number_that(
        table,
        "margin",
        |share| share > 0.0 && share <= 1.0,
        "a share above 0, up to 1",
        "with 0.3, 30 of 100 spent are margin; without the key lifetime value is spend",
    );
    let prefix = prefix(table);
    let models = models?;
    Some(ScoreKind::Clv(ClvScore {
        from,
        spend: spend(&models),
        purchases: purchases(models),
        time_unit: time_unit.map_or(PurchaseTimeUnit::Weeks, |unit| unit.value),
        horizon_days: horizon?.value,
        holdout_days: holdout.map(|days| days.value),
        discount_per_year,
        margin: margin.map_or(1.0, |margin| margin.value),
        prefix,
    }))
}

/// The models, at least one of which is of how often customers buy.
fn models(table: &Reader<'_>) -> Option<Vec<At<ClvModel>>> {
    if !table.has("models") {
        table.missing(
            "models",
            "add `models = [\"mbg_nbd\", \"gamma_gamma\"]`, or bg_nbd, pareto_nbd, nbd for purchases",
        );
    }
    let models: Vec<At<ClvModel>> = table.words("models")?;
    if models.iter().all(|m| m.value == ClvModel::GammaGamma) {
        let message = "`models` has no model of purchases";
        table.notes.add(
            Diagnostic::error("TS-P045", message, table.value_span("models"))
                .with_label("gamma_gamma models spend per purchase, not how often customers buy")
                .with_help("put \"mbg_nbd\", \"bg_nbd\", \"pareto_nbd\" or \"nbd\" before it"),
        );
        return None;
    }
    Some(models)
}

/// Models of how often customers buy, in file order: the first is used.
fn purchases(models: Vec<At<ClvModel>>) -> Vec<At<PurchaseModel>> {
    let purchase = |model: At<ClvModel>| {
        let value = match model.value {
            ClvModel::BgNbd => PurchaseModel::BgNbd,
            ClvModel::MbgNbd => PurchaseModel::MbgNbd,
            ClvModel::ParetoNbd => PurchaseModel::ParetoNbd,
            ClvModel::Nbd => PurchaseModel::Nbd,
            ClvModel::GammaGamma => return None,
        };
        Some(At::new(value, model.span))
    };
    models.into_iter().filter_map(purchase).collect()
}

/// The prefix of the names of the columns.
fn prefix(table: &Reader<'_>) -> String {
    let Some(prefix) = table.text("prefix") else {
        return String::new();
    };
    check_name(
        table.notes,
        Names::Column,
        "prefix of column names",
        &prefix,
    );
    prefix.value
}
