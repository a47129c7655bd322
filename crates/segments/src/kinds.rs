//! The kinds of schemes, that is the ways of assigning customers. One file per kind, one line each in [`KINDS`].

mod attribute;
mod kmeans;
mod lifecycle;
mod quantile;
mod rfm_grid;
mod rules;

use tessera_spec::pipeline::{Scheme, SchemeKind};

pub use lifecycle::NO_STAGE;
pub use rfm_grid::NOT_SCORED;

use crate::assignment::{Assignment, Extra};
use crate::customers::Customers;
use crate::error::SegmentError;

/// One way of assigning the customers: everything there is to know about it.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// `kind = "…"` in the pipeline file, and the name of its source file.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// How it decides, what happens to missing values, and what it publishes.
    pub docs: &'static str,
    /// Whether these settings belong to this kind.
    pub accepts: fn(&SchemeKind) -> bool,
    /// Features that the settings name; those in predicates are known to the caller only.
    pub inputs: fn(&SchemeKind) -> Vec<&str>,
    /// Assigns the customers to segments.
    pub(crate) assign: fn(&Scheme, &Customers, &Extra<'_>) -> Result<Assignment, SegmentError>,
}

/// Every kind, by name.
pub static KINDS: &[&Kind] = &[
    &attribute::KIND,
    &kmeans::KIND,
    &lifecycle::KIND,
    &quantile::KIND,
    &rfm_grid::KIND,
    &rules::KIND,
];

/// Assigns the customers to segments by a scheme: every customer gets exactly one segment, with the reason.
///
/// The result does not depend on the order of rows (beyond following it) nor on the number of threads.
///
/// # Errors
/// A feature that is missing or of another type, settings that contradict each other, rule outcomes of another table, frozen
/// edges of other features. Every error names the scheme.
pub fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    kind_of(&scheme.kind)
        .and_then(|kind| (kind.assign)(scheme, customers, extra))
        .and_then(Assignment::checked)
        .map_err(|error| error.in_scheme(&scheme.name.value))
}

/// Features that a scheme reads, as far as its settings say; a `rules` scheme names them in its predicates instead.
pub fn inputs(kind: &SchemeKind) -> Vec<&str> {
    kind_of(kind)
        .map(|found| (found.inputs)(kind))
        .unwrap_or_default()
}

fn kind_of(kind: &SchemeKind) -> Result<&'static Kind, SegmentError> {
    KINDS
        .iter()
        .find(|entry| (entry.accepts)(kind))
        .copied()
        .ok_or(SegmentError::NoKind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_registered_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kinds");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        files.sort();
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names, files, "KINDS is sorted and holds one kind per file");
    }

    #[test]
    fn every_kind_is_documented() {
        for kind in KINDS {
            assert!(
                kind.summary.ends_with('.') && !kind.summary.contains('\n'),
                "{}",
                kind.name
            );
            for part in ["Decides: ", "Missing values: ", "Publishes: "] {
                assert!(
                    kind.docs.lines().any(|line| line.starts_with(part)),
                    "{} lacks {part}",
                    kind.name
                );
            }
        }
    }
}
