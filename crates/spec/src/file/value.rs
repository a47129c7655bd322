//! `[value]`

use crate::diagnostic::Diagnostic;
use crate::pipeline::{Pipeline, Score, Value};
use crate::reader::{Notes, Reader};

/// `[value]`, if the file has it.
pub(super) fn value(file: &Reader<'_>) -> Option<Value> {
    let table = file.table("value")?;
    let value = Value {
        now: table.expression("now"),
        per: table.word("per").map(|period| period.value),
        future: table.expression("future"),
        past: table.expression("past"),
        risk: table.expression("risk"),
    };
    // A key that is misspelt has its own message.
    let only = |keys: &[&str]| {
        let mut entries = table.entries().into_iter();
        entries.all(|entry| keys.contains(&entry.key.value.as_str()))
    };
    if only(&["per", "risk"]) {
        table.notes.add(
            Diagnostic::error("TS-P016", "[value] has none of `now`, `future` and `past`", table.span.clone())
                .with_help("add `now = \"…\"`, `future = \"…\"` or `past = \"…\"`, each a feature, a score or an expression"),
        );
    }
    for (key, of) in [("per", "now"), ("risk", "future")] {
        if table.has(key) && !table.has(of) {
            let message = format!("`{key}` has no effect without `{of}`");
            table.notes.add(
                Diagnostic::error("TS-P043", message, table.key_span(key))
                    .with_help(format!("add `{of} = \"…\"`, or remove this")),
            );
        }
    }
    table.finish();
    Some(value)
}

/// Warns of a risk that is made of probabilities of different times.
fn check_horizons(notes: &Notes, pipeline: &Pipeline) {
    let risk = pipeline
        .value
        .as_ref()
        .and_then(|value| value.risk.as_ref());
    let horizons = pipeline.risk_horizons();
    let (Some(risk), Some((shortest, _)), Some((longest, _))) =
        (risk, horizons.first(), horizons.last())
    else {
        return;
    };
    if shortest == longest {
        return;
    }
    let each = horizons
        .iter()
        .map(|(days, name)| format!("`{name}` within {days} days"));
    let message = format!(
        "`risk` is made of probabilities of different times: {}",
        each.collect::<Vec<_>>().join(", ")
    );
    notes.add(Diagnostic::warning("TS-P096", message, risk.span.clone()).with_help(
        "the value at risk is what is lost within one time: give these scores the same `horizon`, or add one with it",
    ));
}

/// Refuses value at risk by one of several scores: which one must not depend on the order of tables or on their names. Warns of one
/// whose probabilities are of different times.
pub(super) fn check_risk(notes: &Notes, pipeline: &Pipeline) {
    check_horizons(notes, pipeline);
    let value = pipeline.value.as_ref();
    let unstated = value.filter(|value| value.risk.is_none());
    let Some(future) = unstated.and_then(|value| value.future.as_ref()) else {
        return;
    };
    let losses = pipeline.predict_loss().into_iter().filter_map(Score::loss);
    let columns: Vec<String> = losses.map(|loss| loss.probability).collect();
    let [first, _, ..] = columns.as_slice() else {
        return;
    };
    let message = format!(
        "several scores predict who is lost, and [value] does not state by which `future` is at risk: {}",
        columns.join(", ")
    );
    notes.add(
        Diagnostic::error("TS-P093", message, future.span.clone()).with_help(format!(
            "add `risk = \"{first}\"`, or an expression over several of them"
        )),
    );
}
