//! Columns whose values stand in the path of a file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tessera_expr::Literal;
use tessera_expr::rel::{ScanColumn, Stored};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{ColumnForm, Source};

use super::{Resolved, declared, declared_column};
use crate::found::Names;
use crate::inventory::Inventory;
use crate::partitions::{Zones, value};

/// The values of columns that stand in the path. A folder whose value is not of the declared type is an error.
pub(super) fn path_values(
    pipeline: &Pipeline,
    source: &Source,
    inventory: &Inventory,
    resolved: &mut Resolved,
) {
    let columns: Vec<ScanColumn> = resolved
        .columns
        .iter()
        .filter(|column| column.stored == Stored::HivePath)
        .cloned()
        .collect();
    let zones = Zones {
        naive: source.time_zone.as_ref().map(|zone| zone.value),
        local: pipeline.timezone,
    };
    let mut wrong: BTreeMap<&str, (Names, &str, String)> = BTreeMap::new();
    for file in &inventory.files {
        let mut values = Vec::with_capacity(columns.len());
        for ScanColumn {
            name, ty, bounds, ..
        } in &columns
        {
            let stated = file.partitions.iter().find(|(known, _)| known == name);
            let text = stated.and_then(|(_, text)| text.as_deref());
            let within = |value: &Literal| match (value, bounds) {
                (Literal::Int(value), Some((least, most))) => (least..=most).contains(&value),
                _ => true,
            };
            match value(text, *ty, form_of(source, name), zones).filter(within) {
                Some(value) => values.push(value),
                None => {
                    let first = text.unwrap_or_default();
                    let entry = wrong.entry(name).or_insert_with(|| {
                        let wanted = match bounds {
                            Some((least, most)) => format!("{ty} from {least} to {most}"),
                            None => ty.to_string(),
                        };
                        (Names::default(), first, wanted)
                    });
                    entry.0.add(&file.relative);
                    values.push(Literal::Null);
                }
            }
        }
        resolved.path_values.push(values);
    }
    for (name, (files, first, wanted)) in wrong {
        let span = declared(source, name).map_or(source.name.span.clone(), |d| d.span.clone());
        resolved.problems.push(
            Diagnostic::error(
                "TS-D011",
                format!("the value of the folder `{name}={first}` of source `{}` is not of type {wanted}", source.name.value),
                span,
            )
            .with_label(format!("of {}", files.text()))
            .with_help("dates are written as 2026-10-01 or 20261001, or as the `format` of the column says; declare another type, or rename the folders"),
        );
    }
}

/// The settings that the contract states for the column itself. Those of the source are for the texts in its files.
fn form_of<'s>(source: &'s Source, name: &str) -> &'s ColumnForm {
    static PLAIN: LazyLock<ColumnForm> = LazyLock::new(ColumnForm::default);
    declared_column(source, name).map_or(&PLAIN, |column| &column.form)
}
