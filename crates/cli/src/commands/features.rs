//! `tessera features`

use std::process::ExitCode;

use serde_json::{Value, json};
use tessera_pipeline::catalogue::{CATALOGUE, Feature, find};

use crate::arguments::{Features, Output};
use crate::output::{Failure, print, print_json};

/// Shows the catalogue, or one feature of it.
pub(crate) fn run(arguments: &Features, output: &Output) -> Result<ExitCode, Failure> {
    let chosen: Vec<&Feature> = match &arguments.name {
        None => CATALOGUE.to_vec(),
        Some(name) => {
            let names: Vec<&str> = CATALOGUE.iter().map(|feature| feature.name).collect();
            vec![find(name).ok_or_else(|| {
                Failure::new(
                    format!("unknown feature `{name}`; available: {}", names.join(", ")),
                    2,
                )
            })?]
        }
    };
    if output.json {
        print_json(&Value::Array(chosen.into_iter().map(as_json).collect()))?;
    } else {
        let texts: Vec<String> = chosen.into_iter().map(as_text).collect();
        print(&texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(feature: &Feature) -> Value {
    json!({
        "name": feature.name,
        "group": feature.group,
        "unit": feature.unit,
        "base": feature.base,
        "label": feature.label,
        "direction": feature.direction,
        "doc": feature.doc,
        "notes": feature.notes,
        "missing": feature.missing,
        "formula": feature.formula(),
        "example": feature.example.as_ref().map(|e| json!({"orders": e.orders, "as_of": e.as_of, "expect": e.expect})),
    })
}

fn as_text(feature: &Feature) -> String {
    let group = feature
        .group
        .map_or_else(String::new, |group| format!("  [use = [\"{group}\"]]"));
    let mut text = format!(
        "{}{group}\n  {}\n  formula: {}\n  label: {}; direction: {}\n",
        feature.name,
        feature.doc,
        feature.formula(),
        feature.label,
        feature.direction.name()
    );
    if !feature.notes.is_empty() {
        text.push_str(&format!("  {}\n", feature.notes));
    }
    text.push_str(&format!("  missing: {}\n", feature.missing));
    if let Some(example) = &feature.example {
        text.push_str(&format!(
            "  example: orders {} at {} give {}\n",
            example.orders, example.as_of, example.expect
        ));
    }
    text
}
