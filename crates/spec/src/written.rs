//! What a pipeline file may contain: the shape of every table, for the JSON Schema that editors read.
//!
//! The parser in `file` reads the same keys; `tests/schema` compares the two, table by table. Words come from the enums of
//! [`crate::pipeline`] and of [`word`], which the parser reads as well. What only the parser checks (references between
//! tables, rising limits, expressions) is stated in the descriptions.

mod expect;
mod feature;
mod form;
mod join;
mod memberships;
mod source;
pub(crate) mod word;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use crate::aggregate_syntax::{self, FurtherKeys};
use crate::format_syntax;
use crate::gate_syntax;
use crate::pipeline::{ExportFormat, Objective, Period};
use crate::scheme_syntax;
use crate::score_syntax;
use crate::syntax::Syntax;
use crate::text_keys;
use expect::ExpectTable;
use feature::FeaturesTable;
use memberships::MembershipsTable;
use source::SourceTable;
use word::Touch;

/// The JSON Schema (draft 2020-12) of pipeline files with these kinds.
pub fn schema(kinds: &Syntax) -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(WithoutNull);
    let mut generator = settings.into_generator();
    let schemes = scheme_syntax::schema(&kinds.schemes, &mut generator);
    let scores = score_syntax::schema(&kinds.scores, &mut generator);
    let gates = gate_syntax::schemas(&kinds.gates, &mut generator);
    let text = text_keys::schema(&mut generator);
    let keys = FurtherKeys::of(&kinds.aggregates, &mut generator);
    let mut schema = generator.into_root_schema_for::<PipelineFile>().to_value();
    schema["$defs"]["SchemeTable"] = schemes;
    schema["$defs"]["ScoreTable"] = scores;
    schema["$defs"]["Format"] = format_syntax::names(&kinds.formats);
    schema["$defs"]["TextTable"] = text;
    schema["$defs"]["AggFunc"] = aggregate_syntax::names(&kinds.aggregates);
    for (name, table) in gates {
        schema["$defs"][name] = table;
    }
    keys.add_to(&mut schema["$defs"]["AggregateTable"]);
    schema
}

/// The JSON Schema as it is committed: indented, with a newline at the end.
pub fn schema_text(kinds: &Syntax) -> String {
    format!("{:#}\n", schema(kinds))
}

/// A scheme: each kind describes its own table, see [`crate::SchemeSyntax`].
#[derive(JsonSchema)]
struct SchemeTable {}

/// A score: each kind describes its own table, see [`crate::ScoreSyntax`].
#[derive(JsonSchema)]
struct ScoreTable {}

/// What schemes and segments must be like: each gate describes its own table, see [`crate::GateSyntax`].
#[derive(JsonSchema)]
struct GatesTable {}

/// TOML has no null: an optional key is simply not required.
#[derive(Debug, Clone)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        if let Some(object) = schema.as_object_mut() {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            if let Some(Value::Array(words)) = object.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
        }
        transform_subschemas(self, schema);
    }
}

/// A pipeline: from a lake of customer data to published segments.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "tessera pipeline")]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct PipelineFile {
    /// Version of this format; 1.
    #[schemars(range(min = 1, max = 1))]
    spec_version: u8,
    /// Name of the pipeline: letters, digits, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_-]*$"))]
    name: String,
    /// IANA name of the time zone whose calendar days count, such as `Europe/London`.
    timezone: String,
    /// ISO 4217 code of the money, such as `GBP`.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    currency: String,
    /// Folder of the snapshot store, relative to the current directory.
    store: String,
    /// Whether other pipelines that also set this may publish into the same store; false by default. Of each day the
    /// version that was published last counts then, whichever pipeline it is of, and versions of different pipelines are not compared.
    shared_store: Option<bool>,
    /// The name under which the store knows the pipeline, where `name` was changed.
    was: Option<String>,
    /// Seed of every random step; 20260101 by default.
    seed: Option<u64>,
    /// Variables: `${name}` in any text of the file. `--var name=value` overrides; a variable may use those above it.
    vars: Option<BTreeMap<String, String>>,
    /// The goal of the segmentation.
    goal: Option<GoalTable>,
    /// The entity whose segments are published.
    customer: CustomerTable,
    /// Tables of the lake.
    sources: BTreeMap<String, SourceTable>,
    /// Numbers and labels per customer: from the catalogue, and declared here.
    features: Option<FeaturesTable>,
    /// What customers are worth: each a feature, a score or an expression over them, in the pipeline's currency.
    value: Option<ValueTable>,
    /// Models of what customers will do, and how healthy they are.
    scores: Option<BTreeMap<String, ScoreTable>>,
    /// Schemes: each assigns every customer to exactly one segment.
    schemes: Option<BTreeMap<String, SchemeTable>>,
    /// What to do with a segment; the table has the name of the segment unless `segment` is set.
    playbooks: Option<BTreeMap<String, PlaybookTable>>,
    /// Customers who stay in a segment for a while, and customers whom people put into one.
    memberships: Option<MembershipsTable>,
    /// What schemes and segments must be like, and what happens where they are not.
    gates: Option<GatesTable>,
    /// Experiments: customers drawn into variants that a metric compares; the table has the name of the column of `customers` with
    /// the variant.
    experiments: Option<BTreeMap<String, ExperimentTable>>,
    /// What must hold before a version is published.
    expect: Option<Vec<ExpectTable>>,
    /// The table of what is to be done with whom.
    actions: Option<ActionsTable>,
    /// The conditions under which a run may publish.
    run: Option<RunTable>,
    /// What messages and logs may show.
    log: Option<LogTable>,
    /// What the report shows.
    report: Option<ReportTable>,
}

/// What the report shows. It decides no published table.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ReportTable {
    /// Customers on the first page of the report, those with the most value at risk first; 20 by default, and 0 shows none,
    /// since reports get mailed.
    #[schemars(range(min = 0, max = 200))]
    customers: Option<u16>,
}

/// The conditions under which a run may publish.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct RunTable {
    /// The day through which every source of events must be complete, or the run ends with exit code 3 and asks to wait:
    /// `as_of`, or a number of days before it such as `as_of - 1d`.
    #[schemars(regex(pattern = r"^as_of( *- *[0-9]+ *d)?$"))]
    data_through: Option<String>,
}

/// What messages and logs may show.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct LogTable {
    /// Whether messages and logs show values of customers' rows as they are; false by default: they show short numbers, dates
    /// and words for missing values, and the form of any other value, such as `Xxxx.Xxxx@xxxx.xx`.
    values: Option<bool>,
}

/// The goal of the segmentation.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct GoalTable {
    /// What is to be achieved.
    objective: Objective,
    /// A numeric feature or score column, shown per segment.
    kpi: String,
    /// Where the mean of the KPI should be.
    target: Option<TargetTable>,
    /// Who answers for it.
    owner: Option<String>,
    /// When the segmentation is due for review: a date without quotes, such as 2026-12-31.
    #[schemars(extend("format" = "date"))]
    review_by: Option<String>,
}

/// Where the mean of the KPI should be: one of the two.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct TargetTable {
    /// It should be below this.
    below: Option<f64>,
    /// It should be above this.
    above: Option<f64>,
}

/// What customers are worth; at least one of `now`, `future` and `past`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ValueTable {
    /// What a customer pays or spends per period now, such as `mrr_now`: the column `value_now`.
    now: Option<String>,
    /// The period of `now`, for the report and for what winning a customer back would be worth.
    per: Option<Period>,
    /// What a customer will bring, such as `clv`: the column `value_future`.
    future: Option<String>,
    /// What a customer has brought, such as `spend_total`: the column `value_past`.
    past: Option<String>,
    /// Probability of losing a customer; that of the supervised score by default; required with `future` where there are several. `value_at_risk` is this times `future`.
    risk: Option<String>,
}

/// The entity whose segments are published.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct CustomerTable {
    /// Name of the key column in the published tables.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_]*$"))]
    key: String,
    /// Sources whose keys make up the base; all sources by default.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    from: Option<Vec<String>>,
    /// Share of the customers that the run is limited to, to try out a pipeline: drawn by a hash of the key, the same customers in
    /// every source and run.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    sample: Option<f64>,
    /// Keys that belong to another customer now, such as those of accounts that were merged: every source with customers' keys
    /// replaces them.
    identity: Option<IdentityTable>,
    /// SQL condition over features; where it is false the account is closed: a row of `customers` without scores and segments.
    active: Option<String>,
    /// Whether the customers are counted by the month of their first order, as table `cohorts` and the report's retention show
    /// them: a further pass over the orders of months that the previous version did not count; false by default.
    cohorts: Option<bool>,
}

/// Keys that belong to another customer now. A key that leads to another one of the map belongs to the customer at the end; a key
/// that the map does not have stays.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct IdentityTable {
    /// The source of kind `lookup` with the map: its key is the key that is replaced.
    from: String,
    /// Its column with the customer that the key belongs to.
    to: String,
}

/// What to do with a segment.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct PlaybookTable {
    /// The scheme whose segment this is for.
    scheme: String,
    /// The segment; the playbook's own name by default.
    segment: Option<String>,
    /// What is to be achieved.
    goal: Option<String>,
    /// How much of a person's time the segment gets.
    touch: Option<Touch>,
    /// Through what channel.
    channel: Option<String>,
    /// Who acts.
    owner: Option<String>,
    /// How `tessera export` writes the list of its customers. It decides no published table.
    export: Option<ExportTable>,
}

/// How the list of a playbook's customers is written for other systems.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ExportTable {
    /// The format; csv by default.
    format: Option<ExportFormat>,
    /// The columns in their order, the customer's key among them: columns of `actions`, and of `customers`. All columns of `actions` by
    /// default.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    columns: Option<Vec<String>>,
}

/// An experiment: customers are drawn into variants by a hash of their keys, once for all, and a metric compares the variants.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ExperimentTable {
    /// The scheme whose customers are drawn; all customers are, without `scheme` and `segment`.
    scheme: Option<String>,
    /// The segment whose customers are drawn.
    segment: Option<String>,
    /// The share of customers who get each variant; customers beyond their sum take no part.
    #[schemars(extend("minProperties" = 2))]
    variants: BTreeMap<String, VariantShare>,
    /// The variant that the others are compared with; `control` by default. Its customers are in no playbook of the segment.
    control: Option<String>,
    /// The numeric column of `customers` by which the variants are compared.
    metric: String,
    /// Days after which a customer is compared, such as `30d`: what the metric counts then came after the customer was drawn. By
    /// default the window of the metric, or of the features that it is made of; to be stated where there is none.
    after: Option<String>,
    /// First day whose customers are drawn: a date without quotes. Without it every version draws, those of past days among them.
    #[schemars(extend("format" = "date"))]
    starts: Option<String>,
    /// Last day whose customers are drawn.
    #[schemars(extend("format" = "date"))]
    ends: Option<String>,
}

/// A share of the customers: one of 10,000 at least.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
struct VariantShare(#[schemars(extend("minimum" = 0.0001, "maximum" = 1))] f64);

/// The table of what is to be done with whom: a row per customer and playbook.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ActionsTable {
    /// Columns of `customers` that it has beside its own: features, columns of scores and values, schemes.
    #[schemars(extend("uniqueItems" = true))]
    columns: Option<Vec<String>>,
}
