//! Hashes of what the columns of `customers` are defined by, with all that they are made of: where one differs, the column is another
//! one, and other values of it say nothing of the customers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tessera_expr::rel::Agg;
use tessera_expr::{Expr, columns};
use tessera_features::BASE_GAP_DAYS;
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Refit, Score};

use crate::defining;
use crate::digits::digits;
use crate::prepared::Prepared;
use crate::scores;

/// Digits of a hash that the commit keeps of each column.
const DIGITS: usize = 16;

/// The hash of every computed column of `customers`, by name.
pub(super) fn all(prepared: &Prepared) -> Map<String, Value> {
    let mut hashes = Hashes::of_sources(prepared);
    hashes.add_features(prepared);
    for score in &prepared.pipeline.scores {
        hashes.add_score(prepared, score);
    }
    for (info, expr) in &prepared.value {
        hashes.add_expr(&info.name, expr);
    }
    let columns = prepared.in_customers();
    let short = |hash: String| hash.get(..DIGITS).map(str::to_owned);
    let columns = columns.map(|info| (info.name.clone(), short(hashes.of(&info.name)).into()));
    columns.collect()
}

/// Hashes so far.
struct Hashes<'a> {
    /// By source, with what is joined to its rows.
    sources: BTreeMap<String, String>,
    /// Columns of passes whose hash nobody needed so far, with their source.
    pending: BTreeMap<&'a str, (&'a str, &'a Agg)>,
    known: BTreeMap<String, String>,
}

impl<'a> Hashes<'a> {
    fn of_sources(prepared: &'a Prepared) -> Self {
        let passes = &prepared.features.passes;
        let aggs = passes.iter().flat_map(|pass| {
            let aggs = pass.aggregate.aggs.iter();
            aggs.map(|agg| (agg.name.as_str(), (pass.source.as_str(), agg)))
        });
        Self {
            sources: sources(&prepared.pipeline),
            pending: aggs.collect(),
            known: BTreeMap::new(),
        }
    }

    /// The hash of a column; empty for what is none, such as the key.
    fn of(&mut self, name: &str) -> String {
        if let Some(hash) = self.known.get(name) {
            return hash.clone();
        }
        let Some((source, agg)) = self.pending.remove(name) else {
            return String::new();
        };
        let text = |expr: &Option<Expr>| expr.as_ref().map(Expr::to_string);
        let window = agg.window.map(|window| (window.days, window.offset_days));
        let (kind, arguments) = (agg.func.kind.name(), agg.func.arguments.written());
        let made = json!([
            self.sources.get(source),
            kind,
            arguments,
            text(&agg.func.of),
            text(&agg.filter),
            window,
        ]);
        let hash = digits(&made.to_string());
        self.known.insert(name.to_owned(), hash.clone());
        hash
    }

    fn add_expr(&mut self, name: &str, expr: &Expr) {
        let read: Vec<String> = columns(expr).iter().map(|read| self.of(read)).collect();
        let hash = digits(&json!([expr.to_string(), read]).to_string());
        self.known.insert(name.to_owned(), hash);
    }

    fn add_features(&mut self, prepared: &Prepared) {
        let features = &prepared.features;
        for (name, expr) in &features.derived {
            self.add_expr(name, expr);
        }
        if let Some(gap) = &features.base_gap {
            let read = ["t_x_days", "repeat_occasions"].map(|name| self.of(name));
            let hash = digits(&json!([gap.prior_gaps, read]).to_string());
            self.known.insert(BASE_GAP_DAYS.to_owned(), hash);
        }
        for (name, expr) in &features.late {
            self.add_expr(name, expr);
        }
    }

    /// Columns of a score: its settings, the features that it reads, and the rows that it learns from.
    fn add_score(&mut self, prepared: &Prepared, score: &Score) {
        let mut stated = score.clone();
        // When something is learned again defines nothing.
        stated.refit = Refit::Always;
        let stated = json!(stated);
        let from = defining::learned_from(score);
        let rows = self.sources.iter();
        let rows = rows.filter(|(name, _)| from.as_ref().is_none_or(|from| from == *name));
        let rows: Vec<String> = rows.map(|(_, hash)| hash.clone()).collect();
        let read = scores::of(&score.kind).reads(&prepared.features.published);
        let read: Vec<String> = read.iter().map(|name| self.of(name)).collect();
        let made = json!([stated, rows, read]).to_string();
        for column in score.columns() {
            let hash = digits(&format!("{} {made}", column.name));
            self.known.insert(column.name, hash);
        }
    }
}

/// The hash of each source and of what is joined to its rows.
fn sources(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let canonical = tessera_spec::canonical(&defining::rows_and_columns(pipeline));
    let mut canonical: Value = serde_json::from_str(&canonical).unwrap_or_default();
    let mut own: BTreeMap<String, Value> = BTreeMap::new();
    for source in canonical["sources"].as_array_mut().into_iter().flatten() {
        // Which of its columns are taken as features says nothing of the others.
        if let Some(source) = source.as_object_mut() {
            source.remove("attributes");
        }
        if let Some(name) = source["name"].as_str().map(str::to_owned) {
            own.insert(name, source.take());
        }
    }
    let settings = ["timezone", "currency", "customer"].map(|key| canonical[key].take());
    let hash = |source: &tessera_spec::pipeline::Source| {
        let name = &source.name.value;
        let all = std::iter::once(name.as_str()).chain(defining::made_with(source));
        let parts: Vec<&Value> = all.filter_map(|name| own.get(name)).collect();
        (name.clone(), digits(&json!([settings, parts]).to_string()))
    };
    pipeline.sources.iter().map(hash).collect()
}
