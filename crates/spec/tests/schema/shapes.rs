//! The tables of a pipeline file, each with a text that has only an unknown key.

use tessera_spec::GateSyntax;

/// One table: where the schema describes it, a text whose only table of that kind has only `zzz` and what tells its kind.
pub struct Shape {
    /// Name under `$defs`, `""` for the file itself.
    pub definition: &'static str,
    /// Value of `kind` where the definition is a choice.
    pub kind: Option<&'static str>,
    /// The table as messages name it.
    pub name: &'static str,
    /// The text.
    pub text: String,
}

fn shape(
    definition: &'static str,
    kind: Option<&'static str>,
    name: &'static str,
    text: &str,
) -> Shape {
    Shape {
        definition,
        kind,
        name,
        text: text.to_owned(),
    }
}

/// All tables.
pub fn shapes() -> Vec<Shape> {
    let tables = TABLES.iter();
    let of = |&(table, kind, name, text): &Row| shape(table, kind, name, text);
    let mut shapes: Vec<Shape> = tables.map(of).collect();
    let kinds = tessera_pipeline::syntax();
    shapes.extend(kinds.schemes.into_iter().map(|kind| {
        let text = format!("[schemes.s]\nkind = \"{}\"\nzzz = 1", kind.name);
        shape("SchemeTable", Some(kind.name), "[schemes.s]", &text)
    }));
    shapes.extend(kinds.scores.into_iter().map(|kind| {
        let text = format!("[scores.s]\nkind = \"{}\"\nzzz = 1", kind.name);
        shape("ScoreTable", Some(kind.name), "[scores.s]", &text)
    }));
    shapes.extend(kinds.gates.into_iter().map(gate));
    shapes
}

/// The table of a gate.
fn gate(gate: &GateSyntax) -> Shape {
    let (first, rest) = gate.name.split_at(1);
    let definition: &str = format!("{}{rest}Table", first.to_uppercase()).leak();
    let name: &str = format!("[gates.{}]", gate.name).leak();
    let text = format!("[gates]\n{} = {{ zzz = 1 }}", gate.name);
    shape(definition, None, name, &text)
}

/// Table of the schema, kind, name in the message, and a file with an unknown key in it.
type Row = (
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static str,
);

const TABLES: &[Row] = &[
    ("", None, "the file", "zzz = 1"),
    ("GoalTable", None, "[goal]", "[goal]\nzzz = 1"),
    (
        "TargetTable",
        None,
        "[goal.target]",
        "[goal]\ntarget = { zzz = 1 }",
    ),
    ("ActionsTable", None, "[actions]", "[actions]\nzzz = 1"),
    ("ValueTable", None, "[value]", "[value]\nzzz = 1"),
    ("CustomerTable", None, "[customer]", "[customer]\nzzz = 1"),
    (
        "IdentityTable",
        None,
        "[customer.identity]",
        "[customer.identity]\nzzz = 1",
    ),
    ("RunTable", None, "[run]", "[run]\nzzz = 1"),
    (
        "MembershipsTable",
        None,
        "[memberships]",
        "[memberships]\nzzz = 1",
    ),
    (
        "LimitsTable",
        None,
        "`b`",
        "[memberships]\nhysteresis = { a = { b = { zzz = 1 } } }",
    ),
    ("GatesTable", None, "[gates]", "[gates]\nzzz = 1"),
    (
        "CriteriaTable",
        None,
        "[gates.schemes.s]",
        "[gates.schemes.s]\nzzz = 1",
    ),
    (
        "ExpectedTable",
        None,
        "`b` of [[expect]]",
        "[[expect]]\ncustomer = \"a\"\nb = { zzz = 1 }",
    ),
    ("LogTable", None, "[log]", "[log]\nzzz = 1"),
    ("ReportTable", None, "[report]", "[report]\nzzz = 1"),
    ("SourceTable", None, "[sources.a]", "[sources.a]\nzzz = 1"),
    (
        "FreshnessTable",
        None,
        "[sources.a.freshness]",
        "[sources.a]\nfreshness = { zzz = 1 }",
    ),
    (
        "ContractTable",
        None,
        "[sources.a.contract]",
        "[sources.a.contract]\nzzz = 1",
    ),
    (
        "TextTable",
        None,
        "[sources.a.text]",
        "[sources.a.text]\nzzz = 1",
    ),
    (
        "ColumnTable",
        None,
        "column `b`",
        "[sources.a.contract]\ncolumns = { b = { zzz = 1 } }",
    ),
    (
        "UniqueTable",
        None,
        "`duplicates`",
        "[sources.a.contract]\nduplicates = { zzz = 1 }",
    ),
    (
        "OnBadRowTable",
        None,
        "`missing_key`",
        "[sources.a.contract]\nmissing_key = { zzz = 1 }",
    ),
    (
        "OnBadValueTable",
        None,
        "`conversions`",
        "[sources.a.contract]\nconversions = { zzz = 1 }",
    ),
    (
        "RuleTable",
        None,
        "a rule",
        "[sources.a.contract]\nrules = [{ zzz = 1 }]",
    ),
    (
        "JoinTable",
        None,
        "[sources.a.join.b]",
        "[sources.a.join.b]\nzzz = 1",
    ),
    (
        "AttributeTable",
        None,
        "attribute `b`",
        "[sources.a]\nattributes = { b = { zzz = 1 } }",
    ),
    (
        "FixedLimitsTable",
        None,
        "[features.lifecycle]",
        "[features]\nlifecycle = { zzz = 1 }",
    ),
    (
        "CadenceTable",
        None,
        "[features.lifecycle]",
        "[features]\nlifecycle = { kind = \"cadence\", zzz = 1 }",
    ),
    (
        "AggregateTable",
        None,
        "feature `f`",
        "[features]\nf = { where = \"a\", zzz = 1 }",
    ),
    (
        "DerivedTable",
        None,
        "feature `f`",
        "[features]\nf = { expr = \"a\", zzz = 1 }",
    ),
    (
        "DescribedTable",
        None,
        "feature `f`",
        "[features]\nf = { label = \"a\", zzz = 1 }",
    ),
    (
        "MethodTable",
        Some("midrank"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"midrank\", zzz = 1 }",
    ),
    (
        "MethodTable",
        Some("quantile"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"quantile\", zzz = 1 }",
    ),
    (
        "MethodTable",
        Some("threshold"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"threshold\", zzz = 1 }",
    ),
    (
        "MethodTable",
        Some("frozen"),
        "`score_method`",
        "[schemes.s]\nkind = \"rfm_grid\"\nscore_method = { kind = \"frozen\", zzz = 1 }",
    ),
    (
        "IntervalTable",
        None,
        "a line of `grid`",
        "[schemes.s]\nkind = \"rfm_grid\"\ngrid = [{ zzz = 1 }]",
    ),
    (
        "SegmentRuleTable",
        None,
        "a rule",
        "[schemes.s]\nkind = \"rules\"\nrules = [{ zzz = 1 }]",
    ),
    (
        "ClusterRangeTable",
        None,
        "`k`",
        "[schemes.s]\nkind = \"kmeans\"\nk = { zzz = 1 }",
    ),
    (
        "LinearTable",
        None,
        "component `c`",
        "[scores.s]\nkind = \"health\"\ncomponents.c = { worst = 0, zzz = 1 }",
    ),
    (
        "PercentileTable",
        None,
        "component `c`",
        "[scores.s]\nkind = \"health\"\ncomponents.c = { percentile = \"high\", zzz = 1 }",
    ),
    (
        "StepsTable",
        None,
        "component `c`",
        "[scores.s]\nkind = \"health\"\ncomponents.c = { steps = [], zzz = 1 }",
    ),
    (
        "StepTable",
        None,
        "a step",
        "[scores.s]\nkind = \"health\"\ncomponents.c.steps = [{ zzz = 1 }]",
    ),
    (
        "PlaybookTable",
        None,
        "[playbooks.p]",
        "[playbooks.p]\nzzz = 1",
    ),
    (
        "ExperimentTable",
        None,
        "[experiments.e]",
        "[experiments.e]\nzzz = 1",
    ),
    (
        "ExportTable",
        None,
        "[playbooks.p.export]",
        "[playbooks.p]\nexport.zzz = 1",
    ),
];

/// Definitions whose keys are names, and those that are no tables.
pub const NO_SHAPE: &[&str] = &[
    "VariantShare",
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
    "ExportFormat",
    "Period",
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
