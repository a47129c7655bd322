//! `[experiments.NAME]`

use crate::diagnostic::Diagnostic;
use crate::pipeline::{Experiment, Scheme, SegmentOf, Variant};
use crate::reader::{Reader, date_of};

use super::name::{Names, check_name};
use super::playbook::unknown_segment;

/// Name of the variant that the others are compared with, where the file names no other.
const CONTROL: &str = "control";

/// The smallest share: the draw has 10,000 places.
const LEAST: f64 = 1e-4;

/// How far the sum of shares may exceed 1, since decimal shares are not exact.
const SLACK: f64 = 1e-9;

/// All experiments, in file order.
pub(super) fn experiments(file: &Reader<'_>, schemes: &[Scheme]) -> Vec<Experiment> {
    let Some(tables) = file.table("experiments") else {
        return Vec::new();
    };
    let mut experiments = Vec::new();
    for entry in tables.entries() {
        let name = format!("[experiments.{}]", entry.key.value);
        let Some(table) = tables.as_table(entry.value, &name, &name) else {
            continue;
        };
        check_name(file.notes, Names::Column, "experiment", &entry.key);
        let of = segment(&table, schemes);
        let variants = variants(&table);
        let day = |key: &str| {
            let value = table.get(key)?;
            date_of(table.notes, value, &format!("`{key}`"))
        };
        let experiment = Experiment {
            of,
            variants,
            metric: table.required_text(
                "metric",
                "add `metric = \"…\"`, the column of `customers` by which the variants are compared",
            ),
            after_days: table.days("after").map(|days| days.value),
            starts: day("starts"),
            ends: day("ends"),
            name: entry.key,
        };
        if let (Some(first), Some(last)) = (experiment.starts, experiment.ends)
            && last < first
        {
            let message = format!("the experiment ends on {last}, before it starts on {first}");
            let found = Diagnostic::error("TS-P097", message, table.value_span("ends"));
            table
                .notes
                .add(found.with_help("`starts` is its first day and `ends` its last"));
        }
        table.finish();
        experiments.push(experiment);
    }
    experiments
}

/// The segment whose customers are drawn; none for all customers.
fn segment(table: &Reader<'_>, schemes: &[Scheme]) -> Option<SegmentOf> {
    let (scheme, segment) = (table.text("scheme"), table.text("segment"));
    let (has, lacks, add) = match (&scheme, &segment) {
        (Some(scheme), Some(segment)) => {
            let missing = unknown_segment((scheme, segment), schemes);
            missing.into_iter().for_each(|found| table.notes.add(found));
            return Some(SegmentOf {
                scheme: scheme.clone(),
                segment: segment.clone(),
            });
        }
        (Some(_), None) => ("scheme", "segment", "the segment whose customers are drawn"),
        (None, Some(_)) => ("segment", "scheme", "the scheme that has the segment"),
        (None, None) => return None,
    };
    if !table.has(lacks) {
        let message = format!("`{has}` of {} has no effect without `{lacks}`", table.name);
        let found = Diagnostic::error("TS-P043", message, table.key_span(has));
        let help =
            format!("add `{lacks} = \"…\"`, {add}; or leave both out, and all customers are drawn");
        table.notes.add(found.with_help(help));
    }
    None
}

/// The variants: the control first, then by name.
fn variants(table: &Reader<'_>) -> Vec<Variant> {
    let control = table.text("control");
    let Some(shares) = table.table("variants") else {
        let help =
            "add `variants = { control = 0.5, NAME = 0.5 }`: the shares of customers who get each";
        if !table.has("variants") {
            table.missing("variants", help);
        }
        return Vec::new();
    };
    let (mut variants, mut whole) = (Vec::new(), true);
    for entry in shares.entries() {
        check_name(table.notes, Names::Dashed, "variant", &entry.key);
        let Some(share) = shares.number(&entry.key.value) else {
            whole = false;
            continue;
        };
        if !(LEAST..=1.0).contains(&share.value) {
            let message = format!(
                "the share of variant `{}` must be from {LEAST} to 1, and is {}",
                entry.key.value, share.value
            );
            let found = Diagnostic::error("TS-P098", message, share.span);
            table
                .notes
                .add(found.with_help("a share of 1: 0.2 is 20% of the customers"));
            whole = false;
        }
        variants.push(Variant {
            name: entry.key.value,
            share: share.value,
        });
    }
    if !whole {
        return variants;
    }
    let sum: f64 = variants.iter().map(|variant| variant.share).sum();
    let span = table.value_span("variants");
    if sum > 1.0 + SLACK {
        let message = format!("the shares of the variants add up to {sum}, more than 1");
        let found = Diagnostic::error("TS-P098", message, span.clone());
        let help = "customers beyond the sum of the shares take no part; it must not exceed 1";
        table.notes.add(found.with_help(help));
    }
    if variants.len() < 2 {
        let message = format!("{} needs two variants at least", table.name);
        let found = Diagnostic::error("TS-P098", message, span.clone());
        let help =
            "a control and something to compare with it, such as { control = 0.2, mail = 0.8 }";
        table.notes.add(found.with_help(help));
        return variants;
    }
    let wanted = control.as_ref().map_or(CONTROL, |name| name.value.as_str());
    if !variants.iter().any(|variant| variant.name == wanted) {
        let names: Vec<String> = variants.iter().map(|v| format!("`{}`", v.name)).collect();
        let message =
            format!("no variant is called `{wanted}`, which the others are compared with");
        let span = control.as_ref().map_or(span, |name| name.span.clone());
        let found = Diagnostic::error("TS-P098", message, span);
        let help = format!(
            "name one of them `control`, or state which it is: `control = \"…\"`, one of {}",
            names.join(", ")
        );
        table.notes.add(found.with_help(help));
    }
    let rank = |variant: &Variant| (variant.name != wanted, variant.name.clone());
    variants.sort_by_key(rank);
    variants
}
