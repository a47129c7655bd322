//! `[gates]`

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{
    Actionable, At, Criteria, Distinguishable, Gates, Identifiable, OnFail, Scheme, Stable,
    Substantial,
};
use crate::reader::Reader;

/// The criteria, with their defaults where the file does not state them.
pub(super) fn gates(file: &Reader<'_>, schemes: &[Scheme]) -> Gates {
    let Some(table) = file.table("gates") else {
        return Gates::default();
    };
    let mut gates = Gates {
        all: criteria(&table, &Criteria::default()),
        ..Gates::default()
    };
    if let Some(own) = table.table("schemes") {
        for entry in own.entries() {
            let name = format!("[gates.schemes.{}]", entry.key.value);
            let Some(table) = own.as_table(entry.value, &name, &name) else {
                continue;
            };
            let names: Vec<&str> = schemes.iter().map(|s| s.name.value.as_str()).collect();
            if !names.contains(&entry.key.value.as_str()) {
                let span = entry.key.span.clone();
                let found = unknown_name("TS-P018", "scheme", &entry.key.value, span, &names);
                table.notes.add(found);
            }
            let own = criteria(&table, &gates.all);
            table.finish();
            gates.schemes.insert(entry.key.value, own);
        }
    }
    table.finish();
    gates
}

/// The criteria of a table; what it does not state is as in `base`.
fn criteria(table: &Reader<'_>, base: &Criteria) -> Criteria {
    Criteria {
        identifiable: identifiable(table, &base.identifiable),
        distinguishable: distinguishable(table, &base.distinguishable),
        substantial: substantial(table, &base.substantial),
        stable: stable(table, &base.stable),
        actionable: actionable(table, &base.actionable),
    }
}

fn identifiable(table: &Reader<'_>, base: &Identifiable) -> Identifiable {
    let Some(table) = table.table("identifiable") else {
        return base.clone();
    };
    let found = Identifiable {
        min_fidelity: share(&table, "min_fidelity").unwrap_or(base.min_fidelity),
        min_coverage: share(&table, "min_coverage").unwrap_or(base.min_coverage),
        on_fail: on_fail(&table, base.on_fail),
    };
    table.finish();
    found
}

fn distinguishable(table: &Reader<'_>, base: &Distinguishable) -> Distinguishable {
    let Some(table) = table.table("distinguishable") else {
        return base.clone();
    };
    let kpis = table.texts("kpis");
    if kpis.as_ref().is_some_and(Vec::is_empty) {
        table.notes.add(
            Diagnostic::error(
                "TS-P009",
                format!("`kpis` in {} names no column", table.name),
                table.value_span("kpis"),
            )
            .with_help("name columns in which segments should differ, or remove the key"),
        );
    }
    let found = Distinguishable {
        kpis: kpis.or_else(|| base.kpis.clone()),
        min_effect: size(&table, "min_effect").unwrap_or(base.min_effect),
        min_association: share(&table, "min_association").unwrap_or(base.min_association),
        max_overlap: share(&table, "max_overlap").unwrap_or(base.max_overlap),
        on_fail: on_fail(&table, base.on_fail),
    };
    table.finish();
    found
}

fn substantial(table: &Reader<'_>, base: &Substantial) -> Substantial {
    let Some(table) = table.table("substantial") else {
        return base.clone();
    };
    let customers = table.integer("min_customers", 0..=i64::MAX);
    let found = Substantial {
        min_customers: customers.map_or(base.min_customers, |count| count.value.unsigned_abs()),
        min_share: share(&table, "min_share").unwrap_or(base.min_share),
        max_measurable_effect: size(&table, "max_measurable_effect").or(base.max_measurable_effect),
        on_fail: on_fail(&table, base.on_fail),
    };
    table.finish();
    found
}

fn stable(table: &Reader<'_>, base: &Stable) -> Stable {
    let Some(table) = table.table("stable") else {
        return base.clone();
    };
    let found = Stable {
        min_jaccard: share(&table, "min_jaccard").unwrap_or(base.min_jaccard),
        min_kept: share(&table, "min_kept").or(base.min_kept),
        max_psi: size(&table, "max_psi").unwrap_or(base.max_psi),
        on_fail: on_fail(&table, base.on_fail),
    };
    table.finish();
    found
}

fn actionable(table: &Reader<'_>, base: &Actionable) -> Actionable {
    let Some(table) = table.table("actionable") else {
        return base.clone();
    };
    let found = Actionable {
        playbook: table.flag("playbook").unwrap_or(base.playbook),
        reachable: table
            .expression("reachable")
            .or_else(|| base.reachable.clone()),
        min_reachable: share(&table, "min_reachable").unwrap_or(base.min_reachable),
        on_fail: on_fail(&table, base.on_fail),
    };
    if table.has("min_reachable") && found.reachable.is_none() {
        table.notes.add(
            Diagnostic::error(
                "TS-P043",
                "`min_reachable` has no effect without `reachable`",
                table.key_span("min_reachable"),
            )
            .with_help("add `reachable = \"…\"`, a condition over features, or remove this"),
        );
    }
    table.finish();
    found
}

/// What happens where a criterion is not met.
fn on_fail(table: &Reader<'_>, base: OnFail) -> OnFail {
    table.word("on_fail").map_or(base, |word| word.value)
}

/// A share from 0 to 1.
fn share(table: &Reader<'_>, key: &str) -> Option<f64> {
    let wanted = |value: f64| (0.0..=1.0).contains(&value);
    limit(table, key, wanted, "a share from 0 to 1")
}

/// A number from 0.
fn size(table: &Reader<'_>, key: &str) -> Option<f64> {
    limit(table, key, |value| value >= 0.0, "a number from 0")
}

fn limit(table: &Reader<'_>, key: &str, fits: impl Fn(f64) -> bool, wanted: &str) -> Option<f64> {
    let At { value, span } = table.number(key)?;
    if !fits(value) {
        let message = format!("`{key}` in {} must be {wanted}, and is {value}", table.name);
        table.notes.add(Diagnostic::error("TS-P080", message, span));
        return None;
    }
    Some(value)
}
