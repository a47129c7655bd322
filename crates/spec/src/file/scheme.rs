//! `[schemes.NAME]`

mod grid;

use toml::de::DeValue;

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{
    At, AttributeScheme, KChoice, KmeansScheme, Naming, QuantileScheme, Refit, RulesScheme, Scheme,
    SchemeKind, ScoreMethod, SegmentRule, Transform,
};
use crate::reader::{Reader, choice_of, wrong_type};

use super::name::{Names, check_name, check_segment};
use super::playbook::segments;
use super::refit::{self, MONTHLY};

/// Kinds of schemes, each with the function that reads the rest of its table.
type ReadKind = fn(&Reader<'_>) -> Option<SchemeKind>;
const KINDS: &[(&str, ReadKind)] = &[
    ("rfm_grid", grid::rfm_grid),
    ("quantile", quantile),
    ("rules", rules),
    ("attribute", attribute),
    ("lifecycle", |_| Some(SchemeKind::Lifecycle)),
    ("kmeans", kmeans),
];

/// Customers in clusters without a predecessor, as a share, that a refit may have where nothing is stated.
const DEFAULT_MAX_UNMATCHED: f64 = 0.3;

/// Most clusters: with more, people cannot act on the segments.
const MOST_CLUSTERS: i64 = 50;

/// All schemes, in file order.
pub(super) fn schemes(file: &Reader<'_>) -> Vec<Scheme> {
    let Some(tables) = file.table("schemes") else {
        return Vec::new();
    };
    let mut schemes = Vec::new();
    for entry in tables.entries() {
        let name = format!("[schemes.{}]", entry.key.value);
        if let Some(table) = tables.as_table(entry.value, &name, &name) {
            check_name(file.notes, Names::Column, "scheme", &entry.key);
            let read = scheme(&table);
            schemes.extend(read.map(|(kind, refit, naming)| Scheme {
                name: entry.key,
                kind,
                refit,
                naming,
            }));
        }
    }
    schemes
}

fn scheme(table: &Reader<'_>) -> Option<(SchemeKind, Refit, Naming)> {
    if !table.has("kind") {
        table.missing(
            "kind",
            "add `kind = \"…\"`: rfm_grid, quantile, rules, attribute, lifecycle or kmeans",
        );
    }
    // Which keys belong here is not known without the kind.
    let read = choice_of(table.notes, &table.text("kind")?, "kind", KINDS)?;
    let kind = read(table);
    let refit = match &kind {
        Some(kind) => Some(refit_of(table, kind)),
        // Not an unknown key, whatever else is wrong.
        None => table.text("refit").and(None),
    };
    let clusters = table
        .text("kind")
        .is_some_and(|kind| kind.value == "kmeans");
    let mut naming = Naming::default();
    if clusters {
        naming.by_id = names_by_id(table);
    } else {
        naming.was = renamed(table, kind.as_ref());
    }
    table.finish();
    let (kind, refit) = kind.zip(refit)?;
    Some((kind, refit, naming))
}

/// When what a scheme learned is learned again: shares of customers hold where it is at every run.
fn refit_of(table: &Reader<'_>, kind: &SchemeKind) -> Refit {
    match kind {
        SchemeKind::Kmeans(_) => refit::refit(table, MONTHLY),
        SchemeKind::Quantile(_) => refit::refit(table, Refit::Always),
        SchemeKind::RfmGrid(grid) => match grid.score_method {
            ScoreMethod::Midrank | ScoreMethod::Quantile { .. } => {
                refit::refit(table, Refit::Always)
            }
            ScoreMethod::Threshold { .. } => refit::none(table, "the edges are stated"),
            ScoreMethod::Frozen { .. } => refit::none(table, "frozen edges stay as they are"),
        },
        SchemeKind::Attribute(attribute) if attribute.min_share > 0.0 => {
            refit::refit(table, Refit::Always)
        }
        SchemeKind::Attribute(_) => refit::none(
            table,
            "without `min_share` nothing is learned from the customers",
        ),
        SchemeKind::Rules(_) | SchemeKind::Lifecycle => Refit::Never,
    }
}

/// `was`: renamed segments, each with the name before.
fn renamed(table: &Reader<'_>, kind: Option<&SchemeKind>) -> Vec<(String, String)> {
    let Some(inner) = table.table("was") else {
        return Vec::new();
    };
    let known = kind.and_then(segments);
    let mut renamed = Vec::new();
    for entry in inner.entries() {
        check_segment(inner.notes, &entry.key);
        let unknown = known
            .as_ref()
            .filter(|known| !known.contains(&entry.key.value.as_str()));
        if let Some(known) = unknown {
            let (what, span) = (format!("segment in {}", table.name), entry.key.span.clone());
            let found = unknown_name("TS-P019", &what, &entry.key.value, span, known);
            inner.notes.add(found);
        }
        if let Some(was) = inner.text(&entry.key.value) {
            renamed.push((entry.key.value, was.value));
        }
    }
    renamed.sort();
    renamed
}

/// `names = { 3 = "weekenders" }`: names of clusters by id.
fn names_by_id(table: &Reader<'_>) -> Vec<(i64, String)> {
    if !table
        .get("names")
        .is_some_and(|value| value.get_ref().is_table())
    {
        return Vec::new();
    }
    let Some(inner) = table.table("names") else {
        return Vec::new();
    };
    let mut named = Vec::new();
    for entry in inner.entries() {
        let Some(name) = inner.text(&entry.key.value) else {
            continue;
        };
        check_segment(inner.notes, &name);
        match entry.key.value.parse::<i64>() {
            Ok(id) if id > 0 => named.push((id, name.value)),
            _ => inner.notes.add(
                Diagnostic::error(
                    "TS-P084",
                    format!("`{}` is not the id of a cluster", entry.key.value),
                    entry.key.span,
                )
                .with_help("clusters are numbered from 1: `segment_id` in table `segments`"),
            ),
        }
    }
    named.sort();
    named
}

/// The name of the segment for customers who would otherwise have none.
fn segment_or(table: &Reader<'_>, key: &str, default: &str) -> String {
    let Some(text) = table.text(key) else {
        return default.to_owned();
    };
    check_segment(table.notes, &text);
    text.value
}

fn quantile(table: &Reader<'_>) -> Option<SchemeKind> {
    let by = table.required_text("by", "add `by = \"…\"`, the numeric feature to rank by");
    let missing = segment_or(table, "missing", "unknown");
    let Some(inner) = table.table("tiers") else {
        if !table.has("tiers") {
            table.missing(
                "tiers",
                "add `tiers = { top = 0.05, high = 0.20, low = 1.0 }`: cumulative shares, highest first",
            );
        }
        return None;
    };
    let tiers = tiers(&inner)?;
    if tiers.iter().any(|(name, _)| *name == missing) {
        let message =
            format!("`{missing}` is both a tier and the segment of customers without a value");
        table.notes.add(
            Diagnostic::error("TS-P035", message, table.value_span("tiers"))
                .with_help("rename the tier, or set another `missing`"),
        );
    }
    Some(SchemeKind::Quantile(QuantileScheme { by, tiers, missing }))
}

/// Names and cumulative shares: above 0, rising, the last 1.
fn tiers(inner: &Reader<'_>) -> Option<Vec<(String, f64)>> {
    const HELP: &str = "for example { top = 0.05, high = 0.20, mid = 0.50, low = 1.0 }: the top 5%, the next 15%, …";
    let wrong = |message: String, span: std::ops::Range<usize>| {
        let found = Diagnostic::error("TS-P035", message, span).with_note(
            "tiers are cumulative shares of the customers, from the highest tier: they increase up to 1.0",
        );
        inner.notes.add(found.with_help(HELP));
    };
    let mut tiers: Vec<(String, f64)> = Vec::new();
    let mut good = true;
    for entry in inner.entries() {
        check_segment(inner.notes, &entry.key);
        let Some(share) = inner.number(&entry.key.value) else {
            good = false;
            continue;
        };
        let before = tiers.last().map_or(0.0, |(_, share)| *share);
        if share.value <= before || share.value > 1.0 {
            let message = match tiers.last() {
                _ if share.value > 1.0 => format!("tier `{}` is above 1.0", entry.key.value),
                Some((name, before)) => {
                    format!(
                        "tier `{}` must be above {before}, the share up to tier `{name}`",
                        entry.key.value
                    )
                }
                None => format!("tier `{}` must be above 0", entry.key.value),
            };
            wrong(message, share.span);
            good = false;
        }
        tiers.push((entry.key.value, share.value));
    }
    if good && tiers.last().is_none_or(|tier| tier.1 != 1.0) {
        let last = inner.entries().pop();
        let span = last.map_or_else(|| inner.span.clone(), |entry| entry.value.span());
        wrong(
            "the last tier must be 1.0, so that every customer is in a tier".to_owned(),
            span,
        );
        good = false;
    }
    good.then_some(tiers)
}

fn rules(table: &Reader<'_>) -> Option<SchemeKind> {
    if !table.has("rules") {
        table.missing(
            "rules",
            "add `rules = [ { segment = \"…\", when = \"…\" } ]`; the first rule that is true decides",
        );
    }
    let items = table.array("rules");
    if items.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("`rules` of {} is empty", table.name);
        table.notes.add(
            Diagnostic::error("TS-P009", message, table.value_span("rules"))
                .with_help("add a rule { segment = \"…\", when = \"…\" }"),
        );
    }
    let mut rules = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(inner) = item.get_ref().as_table() else {
            wrong_type(table.notes, item, "a rule", "a table { segment, when }");
            continue;
        };
        let inner = Reader::new(inner, item.span(), "a rule", table.notes);
        let segment = inner.required_text("segment", "add `segment = \"…\"`");
        check_segment(inner.notes, &segment);
        if !inner.has("when") {
            inner.missing(
                "when",
                "add `when = \"…\"`, a condition over features and schemes declared earlier",
            );
        }
        let when = inner.expression("when");
        inner.finish();
        rules.extend(when.map(|when| SegmentRule { segment, when }));
    }
    let otherwise = table.required_text(
        "otherwise",
        "add `otherwise = \"…\"`, the segment where no rule is true",
    );
    check_segment(table.notes, &otherwise);
    Some(SchemeKind::Rules(RulesScheme {
        rules,
        otherwise: otherwise.value,
    }))
}

fn attribute(table: &Reader<'_>) -> Option<SchemeKind> {
    Some(SchemeKind::Attribute(AttributeScheme {
        by: table.required_text(
            "by",
            "add `by = \"…\"`, the label feature whose values are the segments",
        ),
        missing: segment_or(table, "missing", "unknown"),
        min_share: share(table, "min_share").unwrap_or(0.0),
        other: segment_or(table, "other", "other"),
    }))
}

/// A share of customers at one tail or in one segment: from 0 to below one half.
fn share(table: &Reader<'_>, key: &str) -> Option<f64> {
    let number = table.number(key)?;
    if !(0.0..0.5).contains(&number.value) {
        table.notes.add(
            Diagnostic::error(
                "TS-P036",
                format!("`{key}` must be a share from 0 to below 0.5"),
                number.span,
            )
            .with_help("0.01 is one customer in a hundred"),
        );
        return None;
    }
    Some(number.value)
}

fn kmeans(table: &Reader<'_>) -> Option<SchemeKind> {
    if !table.has("features") {
        table.missing(
            "features",
            "add `features = [\"recency_days\", …]`, the numbers to cluster by",
        );
    }
    let features = table.texts("features").unwrap_or_default();
    if table.has("features") && features.is_empty() {
        table.notes.add(
            Diagnostic::error(
                "TS-P037",
                "k-means needs at least one feature",
                table.value_span("features"),
            )
            .with_help("name numeric features, such as [\"recency_days\", \"order_count\"]"),
        );
    }
    let k = clusters(table);
    let transform = table.word("transform");
    let whole = |key: &str, range: std::ops::RangeInclusive<i64>, default: u32| {
        let number = table.integer(key, range);
        number
            .and_then(|n| u32::try_from(n.value).ok())
            .unwrap_or(default)
    };
    let scheme = KmeansScheme {
        features,
        transform: transform.map_or(Transform::Auto, |transform| transform.value),
        winsorise: share(table, "winsorise"),
        restarts: whole("restarts", 1..=1_000, 10),
        sample: whole("sample", 1_000..=10_000_000, 20_000),
        names: names(table, k),
        max_unmatched: max_unmatched(table),
        k: k?,
    };
    Some(SchemeKind::Kmeans(scheme))
}

/// The largest share of customers in clusters without a predecessor that a refit may have.
fn max_unmatched(table: &Reader<'_>) -> f64 {
    let Some(number) = table.number("max_unmatched") else {
        return DEFAULT_MAX_UNMATCHED;
    };
    if !(0.0..=1.0).contains(&number.value) {
        table.notes.add(
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
fn names(table: &Reader<'_>, k: Option<KChoice>) -> Vec<String> {
    if table
        .get("names")
        .is_some_and(|value| value.get_ref().is_table())
    {
        return Vec::new();
    }
    let names: Vec<At<String>> = table.texts("names").unwrap_or_default();
    for name in &names {
        check_segment(table.notes, name);
    }
    let most = match k {
        Some(KChoice::Fixed(k)) if !names.is_empty() && names.len() != k as usize => Some(k),
        Some(KChoice::Range(_, to)) if names.len() > to as usize => Some(to),
        _ => None,
    };
    if let Some(most) = most {
        let message = format!("{} names for {most} clusters", names.len());
        table.notes.add(
            Diagnostic::error("TS-P038", message, table.value_span("names"))
                .with_help("give one name per cluster, ordered by the mean of the first feature, highest first"),
        );
    }
    names.into_iter().map(|name| name.value).collect()
}

fn clusters(table: &Reader<'_>) -> Option<KChoice> {
    let Some(value) = table.get("k") else {
        table.missing(
            "k",
            "add `k = \"auto\"`, a number, or { from = 3, to = 10 }",
        );
        return None;
    };
    match value.get_ref() {
        DeValue::String(text) if text == "auto" => Some(KChoice::Range(2, 10)),
        DeValue::Integer(_) => {
            let k = table.integer("k", 1..=MOST_CLUSTERS)?;
            u32::try_from(k.value).ok().map(KChoice::Fixed)
        }
        DeValue::Table(inner) => {
            cluster_range(&Reader::new(inner, value.span(), "`k`", table.notes))
        }
        _ => {
            let wanted = "\"auto\", a whole number, or { from = 3, to = 10 }";
            wrong_type(table.notes, value, "`k`", wanted);
            None
        }
    }
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
        table.notes.add(
            Diagnostic::error("TS-P039", "the range of `k` is empty", table.span.clone())
                .with_label(format!("from {} to {}", from.value, to.value))
                .with_help("write the smaller number first: { from = 3, to = 10 }"),
        );
        return None;
    }
    let number = |at: At<i64>| u32::try_from(at.value).ok();
    Some(KChoice::Range(number(from)?, number(to)?))
}
