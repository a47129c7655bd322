//! The committed JSON Schema is that of the program, and agrees with the parser: the same keys, required keys and values of enums,
//! table by table.

#![allow(clippy::unwrap_used, clippy::panic)] // test code outside of #[test] functions

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tessera_spec::diagnostic::Diagnostics;

/// One table: where the schema describes it, a text whose only table of that kind has only `zzz` and what tells its kind.
struct Shape {
    /// Name under `$defs`, `""` for the file itself.
    definition: &'static str,
    /// Value of `kind` where the definition is a choice.
    kind: Option<&'static str>,
    /// The table as messages name it.
    name: &'static str,
    /// The text.
    text: &'static str,
}

const fn shape(
    definition: &'static str,
    kind: Option<&'static str>,
    name: &'static str,
    text: &'static str,
) -> Shape {
    Shape {
        definition,
        kind,
        name,
        text,
    }
}

const SHAPES: &[Shape] = &[
    shape("", None, "the file", "zzz = 1"),
    shape("GoalTable", None, "[goal]", "[goal]\nzzz = 1"),
    shape(
        "TargetTable",
        None,
        "[goal.target]",
        "[goal]\ntarget = { zzz = 1 }",
    ),
    shape("ActionsTable", None, "[actions]", "[actions]\nzzz = 1"),
    shape("ValueTable", None, "[value]", "[value]\nzzz = 1"),
    shape("CustomerTable", None, "[customer]", "[customer]\nzzz = 1"),
    shape("RunTable", None, "[run]", "[run]\nzzz = 1"),
    shape(
        "MembershipsTable",
        None,
        "[memberships]",
        "[memberships]\nzzz = 1",
    ),
    shape("GatesTable", None, "[gates]", "[gates]\nzzz = 1"),
    shape(
        "CriteriaTable",
        None,
        "[gates.schemes.s]",
        "[gates.schemes.s]\nzzz = 1",
    ),
    shape(
        "IdentifiableTable",
        None,
        "[gates.identifiable]",
        "[gates]\nidentifiable = { zzz = 1 }",
    ),
    shape(
        "DistinguishableTable",
        None,
        "[gates.distinguishable]",
        "[gates]\ndistinguishable = { zzz = 1 }",
    ),
    shape(
        "SubstantialTable",
        None,
        "[gates.substantial]",
        "[gates]\nsubstantial = { zzz = 1 }",
    ),
    shape(
        "StableTable",
        None,
        "[gates.stable]",
        "[gates]\nstable = { zzz = 1 }",
    ),
    shape(
        "ActionableTable",
        None,
        "[gates.actionable]",
        "[gates]\nactionable = { zzz = 1 }",
    ),
    shape(
        "ExpectedTable",
        None,
        "`b` of [[expect]]",
        "[[expect]]\ncustomer = \"a\"\nb = { zzz = 1 }",
    ),
    shape("LogTable", None, "[log]", "[log]\nzzz = 1"),
    shape("ReportTable", None, "[report]", "[report]\nzzz = 1"),
    shape("SourceTable", None, "[sources.a]", "[sources.a]\nzzz = 1"),
    shape(
        "FreshnessTable",
        None,
        "[sources.a.freshness]",
        "[sources.a]\nfreshness = { zzz = 1 }",
    ),
    shape(
        "ContractTable",
        None,
        "[sources.a.contract]",
        "[sources.a.contract]\nzzz = 1",
    ),
    shape(
        "TextTable",
        None,
        "[sources.a.text]",
        "[sources.a.text]\nzzz = 1",
    ),
    shape(
        "ColumnTable",
        None,
        "column `b`",
        "[sources.a.contract]\ncolumns = { b = { zzz = 1 } }",
    ),
    shape(
        "UniqueTable",
        None,
        "`duplicates`",
        "[sources.a.contract]\nduplicates = { zzz = 1 }",
    ),
    shape(
        "OnBadRowTable",
        None,
        "`missing_key`",
        "[sources.a.contract]\nmissing_key = { zzz = 1 }",
    ),
    shape(
        "OnBadValueTable",
        None,
        "`conversions`",
        "[sources.a.contract]\nconversions = { zzz = 1 }",
    ),
    shape(
        "RuleTable",
        None,
        "a rule",
        "[sources.a.contract]\nrules = [{ zzz = 1 }]",
    ),
    shape(
        "JoinTable",
        None,
        "[sources.a.join.b]",
        "[sources.a.join.b]\nzzz = 1",
    ),
    shape(
        "AttributeTable",
        None,
        "attribute `b`",
        "[sources.a]\nattributes = { b = { zzz = 1 } }",
    ),
    shape(
        "FixedLimitsTable",
        None,
        "[features.lifecycle]",
        "[features]\nlifecycle = { zzz = 1 }",
    ),
    shape(
        "CadenceTable",
        None,
        "[features.lifecycle]",
        "[features]\nlifecycle = { kind = \"cadence\", zzz = 1 }",
    ),
    shape(
        "AggregateTable",
        None,
        "feature `f`",
        "[features]\nf = { where = \"a\", zzz = 1 }",
    ),
    shape(
        "DerivedTable",
        None,
        "feature `f`",
        "[features]\nf = { expr = \"a\", zzz = 1 }",
    ),
    shape(
        "DescribedTable",
        None,
        "feature `f`",
        "[features]\nf = { label = \"a\", zzz = 1 }",
    ),
    shape(
        "SchemeTable",
        Some("rfm_grid"),
        "[schemes.s]",
        "[schemes.s]\nkind = \"rfm_grid\"\nzzz = 1",
    ),
    shape(
        "SchemeTable",
        Some("quantile"),
        "[schemes.s]",
        "[schemes.s]\nkind = \"quantile\"\nzzz = 1",
    ),
    shape(
        "SchemeTable",
        Some("rules"),
        "[schemes.s]",
        "[schemes.s]\nkind = \"rules\"\nzzz = 1",
    ),
    shape(
        "SchemeTable",
        Some("attribute"),
        "[schemes.s]",
        "[schemes.s]\nkind = \"attribute\"\nzzz = 1",
    ),
    shape(
        "SchemeTable",
        Some("lifecycle"),
        "[schemes.s]",
        "[schemes.s]\nkind = \"lifecycle\"\nzzz = 1",
    ),
    shape(
        "SchemeTable",
        Some("kmeans"),
        "[schemes.s]",
        "[schemes.s]\nkind = \"kmeans\"\nzzz = 1",
    ),
    shape(
        "MethodTable",
        Some("midrank"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"midrank\", zzz = 1 }",
    ),
    shape(
        "MethodTable",
        Some("quantile"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"quantile\", zzz = 1 }",
    ),
    shape(
        "MethodTable",
        Some("threshold"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"threshold\", zzz = 1 }",
    ),
    shape(
        "MethodTable",
        Some("frozen"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"frozen\", zzz = 1 }",
    ),
    shape(
        "IntervalTable",
        None,
        "a line of `grid`",
        "[schemes.s]\nkind = \"rfm_grid\"\ngrid = [{ zzz = 1 }]",
    ),
    shape(
        "SegmentRuleTable",
        None,
        "a rule",
        "[schemes.s]\nkind = \"rules\"\nrules = [{ zzz = 1 }]",
    ),
    shape(
        "ClusterRangeTable",
        None,
        "`k`",
        "[schemes.s]\nkind = \"kmeans\"\nk = { zzz = 1 }",
    ),
    shape(
        "ScoreTable",
        Some("supervised"),
        "[scores.s]",
        "[scores.s]\nkind = \"supervised\"\nzzz = 1",
    ),
    shape(
        "ScoreTable",
        Some("clv"),
        "[scores.s]",
        "[scores.s]\nkind = \"clv\"\nzzz = 1",
    ),
    shape(
        "ScoreTable",
        Some("contractual"),
        "[scores.s]",
        "[scores.s]\nkind = \"contractual\"\nzzz = 1",
    ),
    shape(
        "ScoreTable",
        Some("health"),
        "[scores.s]",
        "[scores.s]\nkind = \"health\"\nzzz = 1",
    ),
    shape(
        "LinearTable",
        None,
        "component `c`",
        "[scores.s]\nkind = \"health\"\ncomponents.c = { worst = 0, zzz = 1 }",
    ),
    shape(
        "PercentileTable",
        None,
        "component `c`",
        "[scores.s]\nkind = \"health\"\ncomponents.c = { percentile = \"high\", zzz = 1 }",
    ),
    shape(
        "StepsTable",
        None,
        "component `c`",
        "[scores.s]\nkind = \"health\"\ncomponents.c = { steps = [], zzz = 1 }",
    ),
    shape(
        "StepTable",
        None,
        "a step",
        "[scores.s]\nkind = \"health\"\ncomponents.c.steps = [{ zzz = 1 }]",
    ),
    shape(
        "PlaybookTable",
        None,
        "[playbooks.p]",
        "[playbooks.p]\nzzz = 1",
    ),
];

/// Definitions whose keys are names, and those that are no tables.
const NO_SHAPE: &[&str] = &[
    "Direction",
    "OnFail",
    "NamesValue",
    "ExpectTable",
    "KeyOfCustomer",
    "Expected",
    "Other",
    "FeaturesTable",
    "FeatureTable",
    "LifecycleTable",
    "MethodValue",
    "ComponentTable",
    "GridValue",
    "ClustersValue",
    "DuplicatesValue",
    "KeyValue",
    "ColumnsValue",
    "LimitValue",
    "OnBadRowValue",
    "OnBadValueValue",
    "OnBadValue",
    "Several",
    "ColumnTypeText",
    "ColumnValue",
    "HeaderValue",
    "FormatValue",
    "EpochUnit",
    "DecimalSign",
    "ThousandsSign",
    "Objective",
    "Touch",
    "SourceKind",
    "Format",
    "OnBadRow",
    "ColumnType",
    "RepeatedRows",
    "Base",
    "Unit",
    "AggFunc",
    "LifecycleKind",
    "GridName",
    "PlainMethod",
    "AutoWord",
    "Closed",
    "Transform",
    "SupervisedModel",
    "Calibration",
    "ClvModel",
    "PurchaseTimeUnit",
    "RenewalKind",
    "GoodEnd",
];

fn found(text: &str) -> Diagnostics {
    tessera_spec::parse(text, "p.toml", &[]).1
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
        committed == tessera_spec::schema_text(),
        "schema/pipeline.schema.json is not what the program would write; regenerate it:\n\n    \
         cargo run --release -p tessera-cli -- schema > schema/pipeline.schema.json\n"
    );
}

#[test]
fn every_table_has_the_keys_of_the_parser() {
    let schema = tessera_spec::schema();
    for shape in SHAPES {
        let node = described(&schema, shape.definition, shape.kind);
        let keys = set(node["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str));
        let message = format!("unknown key `zzz` in {}", shape.name);
        assert_eq!(
            offered(&found(shape.text), "TS-P001", &message),
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
    let schema = tessera_spec::schema();
    for shape in SHAPES {
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
        let problems = found(shape.text);
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
    let schema = tessera_spec::schema();
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
    let schema = tessera_spec::schema();
    let defined = set(schema["$defs"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str));
    let compared = SHAPES
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
        let compared = SHAPES
            .iter()
            .filter(|s| s.definition == choice)
            .filter_map(|s| s.kind);
        assert_eq!(set(compared), kinds);
    }
}

#[test]
fn kinds_are_those_of_the_parser() {
    let schema = tessera_spec::schema();
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
    let schema = tessera_spec::schema();
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
    let schema = tessera_spec::schema();
    // One word is `null`; no type is.
    let text = tessera_spec::schema_text().replace("\"const\": \"null\"", "");
    assert!(!text.contains("null\""));
    for shape in SHAPES {
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
