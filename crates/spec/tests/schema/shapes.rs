//! The tables of a pipeline file, each with a text that has only an unknown key.

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
    let mut shapes = tables();
    let kinds = tessera_segments::syntax().into_iter();
    shapes.extend(kinds.map(|kind| {
        let text = format!("[schemes.s]\nkind = \"{}\"\nzzz = 1", kind.name);
        shape("SchemeTable", Some(kind.name), "[schemes.s]", &text)
    }));
    shapes
}

fn tables() -> Vec<Shape> {
    vec![
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
        shape(
            "LimitsTable",
            None,
            "`b`",
            "[memberships]\nhysteresis = { a = { b = { zzz = 1 } } }",
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
    ]
}

/// Definitions whose keys are names, and those that are no tables.
pub const NO_SHAPE: &[&str] = &[
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
