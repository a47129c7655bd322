//! One pass over one source.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use tessera_expr::aggregates::COUNT;
use tessera_expr::rel::{Agg, Aggregate, RowCheck, SourceRows, Unconverted};
use tessera_expr::{BinaryOp, Expr, columns, failures};
use tessera_spec::pipeline::{Source, SourceKind};

use super::{FeaturePlan, Pass, Planner};

/// Beginning of the names of columns that count the used rows of a key.
const ROWS: &str = "__rows_of_";

impl FeaturePlan {
    /// Adds aggregates to the pass over `source`, whose columns are computed beside the features and not published. Sources
    /// without a pass are left alone.
    pub fn add_hidden(&mut self, source: &str, aggs: Vec<Agg>) {
        let Some(pass) = self.passes.iter_mut().find(|pass| pass.source == source) else {
            return;
        };
        let zeros = aggs.iter().filter(|agg| agg.func.kind.zero_when_absent);
        pass.zero_when_absent
            .extend(zeros.map(|agg| agg.name.clone()));
        let all = &mut pass.aggregate;
        all.aggs.extend(aggs);
        if all.rows.not_before.is_some() {
            all.rows.not_before = oldest_day(&all.aggs, all.rows.as_of);
        }
    }
}

impl FeaturePlan {
    /// The names of the aggregates of all passes.
    pub fn aggregate_names(&self) -> BTreeSet<String> {
        let aggs = self.passes.iter().flat_map(|pass| &pass.aggregate.aggs);
        aggs.map(|agg| agg.name.clone()).collect()
    }

    /// As [`FeaturePlan::add_hidden`], for columns that tables of earlier dates hold too.
    pub fn keep_hidden(&mut self, source: &str, aggs: Vec<Agg>) {
        if self.passes.iter().any(|pass| pass.source == source) {
            self.kept.extend(aggs.iter().map(|agg| agg.name.clone()));
            self.add_hidden(source, aggs);
        }
    }

    /// Adds a column over the published features that is not published, and that tables of earlier dates hold too.
    pub fn keep_derived(&mut self, name: String, expr: Expr) {
        self.kept.push(name.clone());
        if self.base_gap.is_some() {
            self.late.push((name, expr));
        } else {
            self.derived.push((name, expr));
        }
    }
}

impl Planner<'_> {
    /// What is computed from the rows of a source.
    pub(super) fn pass(&self, source: &Source) -> Option<Pass> {
        let input = self.inputs.get(&source.name.value)?;
        let mut aggs = self
            .aggs
            .get(&source.name.value)
            .cloned()
            .unwrap_or_default();
        let is_lookup = source.kind == SourceKind::Lookup;
        let from = &self.pipeline.customer.from;
        let is_named = from.iter().any(|name| name.value == source.name.value);
        let in_base = !is_lookup && (from.is_empty() || is_named);
        let zero_when_absent = aggs
            .iter()
            .filter(|agg| agg.func.kind.zero_when_absent)
            .map(|agg| agg.name.clone())
            .collect();
        let mut rows = input.rows.clone();
        read_by(&aggs, &mut rows);
        // Of a source whose keys are those of used rows of another, with what the features ask of that one.
        for join in &mut rows.scan.joins {
            if let Some(asked) = self.aggs.get(&join.lookup.scan.source) {
                let mut lookup = (*join.lookup).clone();
                read_by(asked, &mut lookup);
                join.lookup = Arc::new(lookup);
            }
        }
        if !in_base && source.kind == SourceKind::Events {
            rows.not_before = oldest_day(&aggs, rows.as_of);
        }
        let counted = format!("{ROWS}{}", source.name.value);
        aggs.push(Agg {
            name: counted.clone(),
            func: COUNT.of_rows(),
            window: None,
            filter: None,
        });
        Some(Pass {
            rows: counted,
            source: source.name.value.clone(),
            aggregate: Aggregate {
                rows,
                aggs,
                sparse: None,
            },
            is_lookup,
            in_base,
            zero_when_absent,
        })
    }
}

/// Adds what the aggregates ask of the rows: conversions within them that fail make broken rows, or are counted where they read as
/// null, and so do times that cannot be represented in columns that they read. They come last: rows that the filter leaves out are not looked at.
fn read_by(aggs: &[Agg], rows: &mut SourceRows) {
    let mut found: Vec<(String, Expr)> = Vec::new();
    for agg in aggs {
        let of = agg.func.of.iter();
        let filter = agg.filter.as_ref();
        for name in of.clone().chain(filter).flat_map(columns) {
            if rows.scan.columns.iter().any(|column| column.name == name) {
                rows.in_range.insert(name.to_owned());
            }
        }
        let within = of.flat_map(|of| failures(of, None)).map(|mut failure| {
            if let Some(filter) = filter {
                failure.when = filter.clone().condition(BinaryOp::And, failure.when);
            }
            failure
        });
        let all = filter
            .into_iter()
            .flat_map(|filter| failures(filter, None))
            .chain(within);
        for failure in all {
            let known = |(_, fails): &(String, Expr)| fails.to_string() == failure.when.to_string();
            if !found.iter().any(known) {
                let rule = format!(
                    "feature `{}`: {} is not {}",
                    agg.name, failure.of, failure.wanted
                );
                found.push((rule, failure.when));
            }
        }
    }
    match rows.unconverted {
        Unconverted::TakesOut(outcome) => {
            let checks = found.into_iter().map(|(rule, bad_when)| RowCheck {
                rule,
                bad_when,
                outcome,
                conversion: true,
            });
            rows.checks.extend(checks);
        }
        Unconverted::Null => rows.read_as_null.extend(found),
    }
}

/// The first day that any aggregate looks at; none where one looks at all rows.
fn oldest_day(aggs: &[Agg], as_of: NaiveDate) -> Option<NaiveDate> {
    let reach = aggs
        .iter()
        // which counts what is read, whatever that is
        .filter(|agg| !agg.name.starts_with(ROWS))
        .map(|agg| {
            agg.window.and_then(|w| {
                w.days
                    .map(|days| u64::from(days) + u64::from(w.offset_days))
            })
        })
        .collect::<Option<Vec<_>>>()?;
    as_of.checked_sub_days(Days::new(reach.into_iter().max()? - 1))
}
