//! What was fitted: edges of scores, centres of clusters, seeds and choices, as the `models` table has them.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::Facts;
use crate::number::{NONE, counted};
use crate::record::ModelRow;
use crate::sql::{self, Num, Query};
use crate::text::{Name, printable, shortened, title, words};

pub(super) const SECTION: Section = Section {
    name: "models",
    title: "How it was computed",
    template: include_str!("../../templates/sections/models.html"),
    build: Build::Appendix(build),
};

/// Parameters shown of one model.
const MOST_PARAMETERS: usize = 60;
/// Longest text shown, in characters.
const LONGEST_TEXT: usize = 160;

#[derive(Serialize)]
struct View {
    models: Vec<Model>,
    query: Query,
}

#[derive(Serialize)]
struct Model {
    score_key: String,
    model_key: String,
    score: String,
    model: String,
    size: String,
    parameters: Vec<Parameter>,
    left_out: Option<String>,
}

#[derive(Serialize)]
struct Parameter {
    name: Name,
    value: Num,
    text: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(rows) = &facts.models else {
        return Part::no_table("models");
    };
    if rows.is_empty() {
        return Part::not_computed("nothing in this version is fitted");
    }
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for row in rows {
        if !keys.contains(&(row.score.as_str(), row.model.as_str())) {
            keys.push((&row.score, &row.model));
        }
    }
    let model = |(score, model): (&str, &str)| {
        let of_model: Vec<&ModelRow> = rows
            .iter()
            .filter(|r| r.score == score && r.model == model)
            .collect();
        let hidden = of_model.len().saturating_sub(MOST_PARAMETERS);
        Model {
            score_key: sql::key(score),
            model_key: sql::key(model),
            score: title(score),
            model: words(model),
            size: counted(of_model.len() as i64, "entry", "entries"),
            parameters: of_model
                .iter()
                .take(MOST_PARAMETERS)
                .map(|row| parameter(row))
                .collect(),
            left_out: (hidden > 0).then(|| format!("{hidden} more are in the `models` table.")),
        }
    };
    Part::ready(View {
        models: keys.into_iter().map(model).collect(),
        query: models_query(facts),
    })
}

/// Every number of `models`.
pub(super) fn models_query(facts: &Facts<'_>) -> Query {
    Query::by(
        &["score", "model", "name"],
        format!(
            "select score, model, name, value\nfrom {}",
            facts.from("models")
        ),
    )
}

fn parameter(row: &ModelRow) -> Parameter {
    let text = row
        .text
        .as_deref()
        .map(|t| shortened(&printable(t), LONGEST_TEXT))
        .unwrap_or_default();
    let missing = if text.is_empty() { NONE } else { "" };
    Parameter {
        name: Name::new(&row.name),
        value: Num::opt(
            row.value.map_or_else(|| missing.to_owned(), precise),
            row.value,
            "value",
        )
        .at(&row.name),
        text,
    }
}

/// A fitted number with six significant digits, without a row of zeros.
fn precise(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..15.0).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let decimals = (5.0 - magnitude).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::precise;

    #[test]
    fn fitted_numbers_keep_six_digits() {
        assert_eq!(precise(0.242_594_6), "0.242595");
        assert_eq!(precise(4.0), "4");
        assert_eq!(precise(-1_896_493.0), "-1896493");
        assert_eq!(precise(1e-9), "1.00000e-9");
        assert_eq!(precise(120.0), "120");
    }
}
