//! The parts of the report.
//!
//! A section is one file of `section/`, one template of the same name in `templates/sections/`, and one line in
//! [`SECTIONS`]; tests check that none is missing. Sections appear in the order of the registry: those of [`Build::Front`] on
//! the first page, then the scheme to act by with those of [`Build::Scheme`], then those of [`Build::Middle`], then the other
//! schemes, then those of [`Build::Appendix`].

mod act_on;
mod acting;
mod calibration;
mod cross;
mod dictionary;
mod experiments;
mod headline;
mod lifecycle;
mod models;
mod moves;
mod profiles;
mod rejects;
mod retention;
mod rfm_grid;
mod scores;
mod sizes;
mod sources;
mod spread;
mod tracking;
mod value;
mod warnings;

use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::ReportError;
use crate::facts::{Facts, Scheme};

/// Every section, in the order of the report.
pub(crate) const SECTIONS: &[Section] = &[
    headline::SECTION,
    warnings::SECTION,
    acting::SECTION,
    moves::SECTION,
    act_on::SECTION,
    sizes::SECTION,
    lifecycle::SECTION,
    rfm_grid::SECTION,
    cross::SECTION,
    profiles::SECTION,
    experiments::SECTION,
    value::SECTION,
    retention::SECTION,
    spread::SECTION,
    scores::SECTION,
    calibration::SECTION,
    tracking::SECTION,
    sources::SECTION,
    rejects::SECTION,
    models::SECTION,
    dictionary::SECTION,
];

/// One part of the report.
pub(crate) struct Section {
    /// Name of its file, its template and its anchor.
    pub(crate) name: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// The embedded template.
    pub(crate) template: &'static str,
    /// Where it appears, and the values of its template.
    pub(crate) build: Build,
}

/// Where a section appears, and the function that makes the values of its template.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// Once, on the first page.
    Front(fn(&Facts<'_>) -> Result<Part, ReportError>),
    /// Once, after the scheme to act by.
    Middle(fn(&Facts<'_>) -> Result<Part, ReportError>),
    /// Once for every scheme.
    Scheme(fn(&Facts<'_>, &Scheme) -> Result<Part, ReportError>),
    /// Once, in the appendix.
    Appendix(fn(&Facts<'_>) -> Result<Part, ReportError>),
}

/// What a section has to show.
pub(crate) enum Part {
    /// The template's values.
    Ready(Value),
    /// Nothing, with the reason.
    NotComputed(String),
    /// Nothing, because it does not apply: an RFM grid of a scheme that has no scores.
    NotApplicable,
}

impl Part {
    fn ready(view: impl Serialize) -> Result<Self, ReportError> {
        Ok(Self::Ready(Value::from(Serde(view))))
    }

    fn no_table(table: &str) -> Result<Self, ReportError> {
        Ok(Self::NotComputed(format!(
            "this version has no `{table}` table"
        )))
    }

    fn not_computed(reason: impl Into<String>) -> Result<Self, ReportError> {
        Ok(Self::NotComputed(reason.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn stems(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let stem = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        std::fs::read_dir(folder).unwrap().map(stem).collect()
    }

    #[test]
    fn every_file_is_registered_and_has_a_template() {
        let registered: BTreeSet<String> = SECTIONS.iter().map(|s| s.name.to_owned()).collect();
        assert_eq!(registered.len(), SECTIONS.len(), "section names are unique");
        assert_eq!(
            registered,
            stems("src/section"),
            "one file of src/section per line of SECTIONS"
        );
        assert_eq!(
            registered,
            stems("templates/sections"),
            "one template per section"
        );
    }

    #[test]
    fn templates_are_those_of_the_same_name() {
        for section in SECTIONS {
            let file = format!(
                "{}/templates/sections/{}.html",
                env!("CARGO_MANIFEST_DIR"),
                section.name
            );
            assert_eq!(
                std::fs::read_to_string(file).unwrap(),
                section.template,
                "{}",
                section.name
            );
        }
    }
}
