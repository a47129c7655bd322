//! The committed JSON Schema is that of the program, and agrees with the parser: the same keys, required keys and values of enums,
//! table by table.

mod shapes;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tessera_pipeline::syntax;
use tessera_spec::diagnostic::Diagnostics;

use shapes::{NO_SHAPE, shapes};

fn found(text: &str) -> Diagnostics {
    tessera_spec::parse(text, "p.toml", &[], &syntax()).1
}

/// The schema's description of a table.
fn described(schema: &Value, definition: &str, kind: Option<&str>) -> Value {
    let node = match definition {
        "" => schema,
        name => &schema["$defs"][name],
    };
    let Some(kind) = kind else {
        return node.clone();
    };
    let choices = node["oneOf"]
        .as_array()
        .unwrap_or_else(|| panic!("{definition} is no choice"));
    let chosen = choices
        .iter()
        .find(|choice| choice["properties"]["kind"]["const"] == kind);
    chosen
        .unwrap_or_else(|| panic!("{definition} has no {kind}"))
        .clone()
}

fn set<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names.map(str::to_owned).collect()
}

/// The names that a message about an unknown one offers.
fn offered(found: &Diagnostics, code: &str, message: &str) -> BTreeSet<String> {
    let diagnostic = found
        .iter()
        .find(|d| d.code == code && d.message == message);
    let diagnostic =
        diagnostic.unwrap_or_else(|| panic!("no `{message}` in:\n{}", found.render(false)));
    let names = diagnostic.notes[0].strip_prefix("available: ").unwrap();
    set(names.split(", "))
}

#[test]
fn the_committed_schema_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/pipeline.schema.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == tessera_spec::schema_text(&syntax()),
        "schema/pipeline.schema.json is not what the program would write; regenerate it:\n\n    \
         cargo run --release -p tessera-cli -- schema > schema/pipeline.schema.json\n"
    );
}

#[test]
fn every_table_has_the_keys_of_the_parser() {
    let schema = tessera_spec::schema(&syntax());
    for shape in shapes() {
        let node = described(&schema, shape.definition, shape.kind);
        let keys = set(node["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str));
        let message = format!("unknown key `zzz` in {}", shape.name);
        assert_eq!(
            offered(&found(&shape.text), "TS-P001", &message),
            keys,
            "{} {:?}",
            shape.definition,
            shape.kind
        );
        assert_eq!(
            node["additionalProperties"], false,
            "{} {:?}",
            shape.definition, shape.kind
        );
    }
}

#[test]
fn every_table_requires_what_the_parser_requires() {
    let schema = tessera_spec::schema(&syntax());
    for shape in shapes() {
        let node = described(&schema, shape.definition, shape.kind);
        let required = node["required"].as_array().cloned().unwrap_or_default();
        let mut required = set(required.iter().filter_map(Value::as_str));
        if shape.kind.is_some() || shape.definition == "CadenceTable" {
            required.remove("kind"); // the text has it
        }
        // The parser distinguishes the variants of a table by these keys, the schema by the required keys of each.
        let telling = match shape.definition {
            "DerivedTable" => "expr",
            "LinearTable" => "worst",
            "PercentileTable" => "percentile",
            "StepsTable" => "steps",
            _ => "",
        };
        assert!(telling.is_empty() || required.remove(telling));
        let suffix = format!("` in {}", shape.name);
        let problems = found(&shape.text);
        let missing = problems.iter().filter(|d| d.code == "TS-P003");
        let missing = missing.filter_map(|d| {
            d.message
                .strip_prefix("missing key `")?
                .strip_suffix(&suffix)
        });
        assert_eq!(
            set(missing),
            required,
            "{} {:?}",
            shape.definition,
            shape.kind
        );
    }
}

#[test]
fn what_the_kind_of_a_source_requires() {
    let schema = tessera_spec::schema(&syntax());
    let stated = |kind: &str| -> BTreeSet<String> {
        let rules = schema["$defs"]["SourceTable"]["allOf"].as_array().unwrap();
        let fits = |rule: &&Value| {
            let node = &rule["if"]["properties"]["kind"];
            node["const"] == kind
                || node["enum"]
                    .as_array()
                    .is_some_and(|e| e.contains(&kind.into()))
        };
        let keys = rules
            .iter()
            .filter(fits)
            .flat_map(|r| r["then"]["required"].as_array().unwrap());
        set(keys.filter_map(Value::as_str))
    };
    for kind in ["events", "attributes", "intervals"] {
        let text = format!(
            "[sources.a]\nkind = \"{kind}\"\npath = \"p\"\nkey = \"k\"\ncontract = {{ missing_key = \"drop\" }}"
        );
        let problems = found(&text);
        let keys = problems.iter().filter_map(|d| {
            d.message
                .strip_prefix("missing key `")?
                .strip_suffix("` in [sources.a]")
        });
        assert_eq!(set(keys), stated(kind), "{kind}");
    }
}

#[test]
fn every_definition_is_compared() {
    let schema = tessera_spec::schema(&syntax());
    let defined = set(schema["$defs"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str));
    let shapes = shapes();
    let compared = shapes
        .iter()
        .map(|shape| shape.definition)
        .filter(|name| !name.is_empty());
    assert_eq!(set(compared.chain(NO_SHAPE.iter().copied())), defined);
    // Every kind of a choice is compared as well.
    for choice in ["SchemeTable", "MethodTable", "ScoreTable"] {
        let kinds = schema["$defs"][choice]["oneOf"].as_array().unwrap();
        let kinds = set(kinds
            .iter()
            .filter_map(|c| c["properties"]["kind"]["const"].as_str()));
        let compared = shapes
            .iter()
            .filter(|s| s.definition == choice)
            .filter_map(|s| s.kind);
        assert_eq!(set(compared), kinds);
    }
}

#[test]
fn kinds_are_those_of_the_parser() {
    let schema = tessera_spec::schema(&syntax());
    let kinds = |name: &str| {
        let choices = schema["$defs"][name]["oneOf"].as_array().unwrap().clone();
        set(choices
            .iter()
            .filter_map(|c| c["properties"]["kind"]["const"].as_str()))
    };
    let schemes = found("[schemes.s]\nkind = \"zzz\"");
    assert_eq!(
        offered(&schemes, "TS-P005", "unknown value `zzz` of `kind`"),
        kinds("SchemeTable")
    );
    let scores = found("[scores.s]\nkind = \"zzz\"");
    assert_eq!(
        offered(&scores, "TS-P005", "unknown value `zzz` of `kind`"),
        kinds("ScoreTable")
    );
    let methods = found("[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"zzz\" }");
    assert_eq!(
        offered(&methods, "TS-P005", "unknown value `zzz` of `kind`"),
        kinds("MethodTable")
    );
}

#[test]
fn keys_of_features_that_are_no_features() {
    let schema = tessera_spec::schema(&syntax());
    let node = &schema["$defs"]["FeaturesTable"];
    let keys = set(node["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str));
    assert_eq!(keys, set(["use", "orders", "lifecycle"].into_iter()));
    assert_eq!(node["additionalProperties"]["$ref"], "#/$defs/FeatureTable");
}

#[test]
fn nothing_may_be_null_and_everything_is_described() {
    let schema = tessera_spec::schema(&syntax());
    // One word is `null`; no type is.
    let text = tessera_spec::schema_text(&syntax()).replace("\"const\": \"null\"", "");
    assert!(!text.contains("null\""));
    for shape in shapes() {
        let node = described(&schema, shape.definition, shape.kind);
        for (key, value) in node["properties"].as_object().unwrap() {
            let told = value["description"]
                .as_str()
                .is_some_and(|text| text.len() > 8);
            assert!(
                told || key == "kind",
                "{}.{key} has no description",
                shape.definition
            );
        }
    }
}
