//! Keys that kinds of clusters have in common.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{At, KChoice, Transform};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, shape_of};

/// Customers in clusters without a predecessor, as a share, that a refit may have where nothing is stated.
const DEFAULT_MAX_UNMATCHED: f64 = 0.3;

/// Most clusters: with more, people cannot act on the segments.
pub(crate) const MOST_CLUSTERS: i64 = 50;

pub(crate) const FEATURES: Key = Key::required(
    "features",
    KeyValue::Names,
    "Numeric features.",
    "add `features = [\"recency_days\", …]`, the numbers to cluster by",
);

pub(crate) const K: Key = Key::required(
    "k",
    KeyValue::Of(shape_of::<ClustersValue>),
    "Number of clusters; `auto` takes the best mean silhouette of 2 to 10, `{ from = 3, to = 8 }` that of these.",
    "add `k = \"auto\"`, a number, or { from = 3, to = 10 }",
);

pub(crate) const TRANSFORM: Key = Key::optional(
    "transform",
    KeyValue::Of(shape_of::<Transform>),
    "What is done to each number before it is standardised: `none`, `log1p` (the logarithm of 1 + x), `asinh`, or `auto` (default): `log1p` where a feature is very skewed and never negative, `asinh` where it is very skewed and can be. Where customers fall below 0 after the clusters were learned with `log1p`, minus the logarithm of 1 + the size of the value is used, and a warning counts them.",
);

pub(crate) const WINSORISE: Key = Key::optional(
    "winsorise",
    KeyValue::SmallShare,
    "Share of values at each tail that are replaced by the quantile there: 0.01 is p1 and p99; none by default.",
);

pub(crate) const NAMES: Key = Key::optional(
    "names",
    KeyValue::Of(shape_of::<NamesValue>),
    "Names of the clusters, ordered by the mean of the first feature, highest first; or by id, as in table `segments`: \
     { 3 = \"weekenders\" }. What sets a cluster apart by default.",
);

pub(crate) const MAX_UNMATCHED: Key = Key::optional(
    "max_unmatched",
    KeyValue::Number(0.0, 1.0),
    "A refit is not used where a larger share of the customers would be in clusters that continue none of the previous \
     version; 0.3 by default.",
);

/// Names of clusters.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum NamesValue {
    List(#[schemars(extend("uniqueItems" = true))] Vec<String>),
    ById(BTreeMap<String, String>),
}

/// Number of clusters.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum ClustersValue {
    Auto(AutoWord),
    Fixed(#[schemars(range(min = 1, max = 50))] u32),
    Range(ClusterRangeTable),
}

/// The best mean silhouette of 2 to 10.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum AutoWord {
    Auto,
}

/// The best mean silhouette of this range.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ClusterRangeTable {
    /// Fewest clusters.
    #[schemars(range(min = 2, max = 50))]
    from: u32,
    /// Most clusters.
    #[schemars(range(min = 2, max = 50))]
    to: u32,
}

/// The features, at least one.
pub(crate) fn features(table: &Reader<'_>) -> Vec<At<String>> {
    table.require(&FEATURES);
    let features = table.texts(FEATURES.name).unwrap_or_default();
    if table.has(FEATURES.name) && features.is_empty() {
        table.note(
            Diagnostic::error(
                "TS-P037",
                "clusters need at least one feature",
                table.value_span(FEATURES.name),
            )
            .with_help("name numeric features, such as [\"recency_days\", \"order_count\"]"),
        );
    }
    features
}

/// What is done to each number.
pub(crate) fn transform(table: &Reader<'_>) -> Transform {
    let transform = table.word(TRANSFORM.name);
    transform.map_or(Transform::Auto, |transform| transform.value)
}

/// The largest share of customers in clusters without a predecessor that a refit may have.
pub(crate) fn max_unmatched(table: &Reader<'_>) -> f64 {
    let Some(number) = table.number("max_unmatched") else {
        return DEFAULT_MAX_UNMATCHED;
    };
    if !(0.0..=1.0).contains(&number.value) {
        table.note(
            Diagnostic::error(
                "TS-P036",
                "`max_unmatched` must be a share from 0 to 1",
                number.span,
            )
            .with_help("0.3 is three customers in ten; 1 lets every refit replace the clusters"),
        );
    }
    number.value
}

/// Names of the clusters: one for each, where their number is stated.
pub(crate) fn names(table: &Reader<'_>, k: Option<KChoice>) -> Vec<String> {
    if table.is_table("names") {
        return Vec::new();
    }
    let names: Vec<At<String>> = table.texts("names").unwrap_or_default();
    for name in &names {
        table.check_segment(name);
    }
    let most = match k {
        Some(KChoice::Fixed(k)) if !names.is_empty() && names.len() != k as usize => Some(k),
        Some(KChoice::Range(_, to)) if names.len() > to as usize => Some(to),
        _ => None,
    };
    if let Some(most) = most {
        let message = format!("{} names for {most} clusters", names.len());
        table.note(
            Diagnostic::error("TS-P038", message, table.value_span("names"))
                .with_help("give one name per cluster, ordered by the mean of the first feature, highest first"),
        );
    }
    names.into_iter().map(|name| name.value).collect()
}

/// The number of clusters, which must be there.
pub(crate) fn clusters(table: &Reader<'_>) -> Option<KChoice> {
    table.require(&K);
    if !table.has(K.name) {
        return None;
    }
    if table.is_whole(K.name) {
        let k = table.integer(K.name, 1..=MOST_CLUSTERS)?;
        return u32::try_from(k.value).ok().map(KChoice::Fixed);
    }
    if table.is_table(K.name) {
        return cluster_range(&table.table_called(K.name, "`k`")?);
    }
    if table.is_text(K.name) && table.text(K.name)?.value == "auto" {
        return Some(KChoice::Range(2, 10));
    }
    let wanted = "\"auto\", a whole number, or { from = 3, to = 10 }";
    table.wrong_type(K.name, wanted);
    None
}

fn cluster_range(table: &Reader<'_>) -> Option<KChoice> {
    for key in ["from", "to"] {
        if !table.has(key) {
            table.missing(key, "write { from = 3, to = 10 }");
        }
    }
    let (from, to) = (
        table.integer("from", 2..=MOST_CLUSTERS),
        table.integer("to", 2..=MOST_CLUSTERS),
    );
    table.finish();
    let (from, to) = (from?, to?);
    if from.value > to.value {
        table.note(
            Diagnostic::error("TS-P039", "the range of `k` is empty", table.span.clone())
                .with_label(format!("from {} to {}", from.value, to.value))
                .with_help("write the smaller number first: { from = 3, to = 10 }"),
        );
        return None;
    }
    let number = |at: At<i64>| u32::try_from(at.value).ok();
    Some(KChoice::Range(number(from)?, number(to)?))
}

/// The fewest clusters that are asked for.
pub(crate) fn fewest(k: KChoice) -> usize {
    match k {
        KChoice::Fixed(k) | KChoice::Range(k, _) => k as usize,
    }
}

/// Segments that the file names: all of them where their number is stated.
pub(crate) fn declared(k: KChoice, names: &[String]) -> Option<Vec<&str>> {
    let named = matches!(k, KChoice::Fixed(_)) && !names.is_empty();
    named.then(|| names.iter().map(String::as_str).collect())
}
