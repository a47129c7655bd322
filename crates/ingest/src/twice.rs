//! Files that were delivered twice, under two names.

use std::collections::BTreeMap;

use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{Duplicates, Source, SourceKind};
use tessera_spec::shown::grouped;

use crate::inventory::{Inventory, LakeFile};

/// Files that are named.
const NAMED: usize = 3;

/// A warning of files whose rows count twice: files of events or intervals that are the same as an earlier one, where nothing is
/// done about rows that repeat another.
pub fn delivered_twice(source: &Source, inventory: &Inventory) -> Option<Diagnostic> {
    let counts = matches!(source.kind, SourceKind::Events | SourceKind::Intervals);
    if !counts || !matches!(source.contract.duplicates, Duplicates::Keep) {
        return None;
    }
    let mut first: BTreeMap<_, &LakeFile> = BTreeMap::new();
    let (mut copies, mut rows) = (Vec::new(), 0);
    for file in inventory.files.iter().filter(|file| file.rows > 0) {
        let same = (&file.fingerprint, file.bytes, &file.partitions);
        let earlier = *first.entry(same).or_insert(file);
        if earlier.relative != file.relative {
            copies.push(format!("{} ({})", file.relative, earlier.relative));
            rows += file.rows;
        }
    }
    let (files, are) = match copies.len() {
        0 => return None,
        1 => ("1 file".to_owned(), "is"),
        n => (format!("{n} files"), "are"),
    };
    let what = match inventory.format.is_text() {
        true => "byte by byte",
        false => "in size, rows and statistics",
    };
    let named = copies[..copies.len().min(NAMED)].join(", ");
    let more = match copies.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let message = format!(
        "source `{}`: {files} {are} the same as an earlier one {what}, so {} {} twice: {named}{more}",
        inventory.source,
        grouped(rows),
        if rows == 1 {
            "row counts"
        } else {
            "rows count"
        },
    );
    let found = Diagnostic::warning("TS-L007", message, source.path.span.clone());
    Some(found.with_help("set `duplicates` in its contract, or move the copies out of the lake"))
}
