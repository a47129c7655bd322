//! The kinds of schemes, that is the ways of assigning customers. One file per kind, one line each in [`KINDS`].

mod attribute;
mod hierarchical;
mod kmeans;
mod lifecycle;
mod quantile;
mod rfm_grid;
mod rules;

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;
use tessera_spec::Syntax;
use tessera_spec::pipeline::{At, LifecycleLimits, Naming, Refit, Scheme};

pub use attribute::AttributeScheme;
pub use kmeans::KmeansScheme;
pub use lifecycle::{LifecycleScheme, NO_STAGE};
pub use quantile::{QuantileScheme, Tiers, WithinLimits, tiers_within, within_limits};
pub use rfm_grid::{cells_within, within_margin};

use crate::assignment::{Assignment, Extra};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::gates::GATES;
use crate::kind::{Kind, Vacant};

/// Every kind, by name.
pub static KINDS: &[&Kind] = &[
    &attribute::KIND,
    &hierarchical::KIND,
    &kmeans::KIND,
    &lifecycle::KIND,
    &quantile::KIND,
    &rfm_grid::KIND,
    &rules::KIND,
];

/// What the pipeline file may say of every kind: of schemes, of the aggregates whose values they read, and of the gates that judge
/// them; not of the formats of files, which another crate reads.
pub fn syntax() -> Syntax {
    Syntax {
        schemes: KINDS.iter().map(|kind| &kind.syntax).collect(),
        aggregates: tessera_expr::aggregates::syntax(),
        gates: GATES.iter().map(|gate| &gate.syntax).collect(),
        ..Syntax::default()
    }
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    let mut kinds = KINDS.iter().copied();
    kinds.find(|kind| kind.syntax.name == name)
}

/// How many clusters were learned, where these are fewer than a scheme asks for.
pub fn too_few_clusters(scheme: &Scheme, fit: &Fit) -> Option<usize> {
    let learning = kind(scheme.kind.name())?.learning?;
    (learning.too_few)(scheme, fit)
}

/// The segment of that name, where the scheme has it and an assignment lacks it while nobody is in it: a stage, the value of a label,
/// or the segment of customers without a value.
pub fn vacant(scheme: &Scheme, limits: &LifecycleLimits, segment: &str) -> Option<Vacant> {
    let kind = kind(scheme.kind.name())?;
    (kind.vacant)(scheme, limits, segment)
}

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
    kind(scheme.kind.name())
        .ok_or(SegmentError::NoKind)
        .and_then(|kind| (kind.assign)(scheme, customers, extra))
        .and_then(Assignment::checked)
        .map_err(|error| error.in_scheme(&scheme.name.value))
}

impl Assignment {
    /// Assigns customers in another state with what was learned from the customers of the fit.
    ///
    /// # Errors
    /// As [`assign`], and values that the learned preparation cannot take.
    pub fn apply(
        &self,
        scheme: &Scheme,
        customers: &Customers,
        extra: &Extra<'_>,
    ) -> Result<Self, SegmentError> {
        let kind = kind(scheme.kind.name()).ok_or(SegmentError::NoKind)?;
        match kind.learning {
            Some(learning) if !self.fit.is_none() => {
                (learning.apply)(self, scheme, customers, extra)
            }
            _ => assign(scheme, customers, extra),
        }
    }

    /// Whether [`Self::apply`] assigns each customer by its own features alone: by what the scheme learned, or where there is nothing to
    /// learn.
    pub fn is_applied_by_row(&self, scheme: &Scheme) -> bool {
        kind(scheme.kind.name()).is_some_and(|kind| kind.learning.is_none() || !self.fit.is_none())
    }
}

/// What was read from a store, with the type that its kind gives it.
///
/// # Errors
/// A form that no kind has, or that is stored in another way now; a sentence.
pub fn restored(read: Fit) -> Result<Fit, String> {
    let Some((name, stored)) = read.stored() else {
        return Ok(read);
    };
    let mut learning = KINDS.iter().filter_map(|kind| kind.learning);
    let learning = learning.find(|learning| learning.form == name);
    let learning = learning.ok_or_else(|| format!("no kind of scheme learns `{name}`"))?;
    (learning.restore)(name, stored).map_err(|error| error.to_string())
}

/// A scheme, from the canonical form in which a commit states it; none where it is of no kind of this program, or its settings are
/// others now.
pub fn declared(stored: &Value) -> Option<Scheme> {
    let settings = &stored["kind"];
    let kind = kind(settings["kind"].as_str()?)?;
    let naming = match &stored["naming"] {
        Value::Null => Naming::default(),
        naming => Naming::deserialize(naming).ok()?,
    };
    Some(Scheme {
        name: At::deserialize(&stored["name"]).ok()?,
        kind: (kind.declared)(kind.syntax.name, settings).ok()?,
        refit: Refit::deserialize(&stored["refit"]).ok()?,
        naming,
    })
}

/// The kinds with their keys and an example of each, as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Schemes\n\nA scheme assigns every customer to exactly one segment. This page is written by `tessera schema --schemes` from the \
         descriptions that the parser reads.\n\n| kind | what it does |\n|---|---|\n",
    );
    for kind in KINDS {
        let syntax = &kind.syntax;
        let _ = writeln!(text, "| [`{0}`](#{0}) | {1} |", syntax.name, syntax.summary);
    }
    for kind in KINDS {
        let syntax = &kind.syntax;
        let _ = write!(text, "\n## {}\n\n{}\n", syntax.name, syntax.summary);
        for line in kind.docs.lines() {
            let (part, rest) = line.split_once(": ").unwrap_or(("", line));
            let _ = write!(text, "\n**{part}**: {rest}\n");
        }
        let _ = write!(
            text,
            "\n```toml\n[schemes.mine]\nkind = \"{}\"\n",
            syntax.name
        );
        for line in kind.example.lines() {
            let _ = writeln!(text, "{line}");
        }
        text.push_str("```\n\n| key | needed | meaning |\n|---|---|---|\n");
        for (key, required, help) in syntax.described() {
            let needed = if required { "yes" } else { "" };
            let _ = writeln!(
                text,
                "| `{key}` | {needed} | {} |",
                help.replace('|', "\\|")
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_registered_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kinds");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.syntax.name).collect();
        assert_eq!(names, files, "KINDS is sorted and holds one kind per file");
    }

    #[test]
    fn every_kind_is_documented() {
        for kind in KINDS {
            assert!(
                kind.syntax.summary.ends_with('.') && !kind.syntax.summary.contains('\n'),
                "{}",
                kind.syntax.name
            );
            for part in ["Decides: ", "Missing values: ", "Publishes: "] {
                assert!(
                    kind.docs.lines().any(|line| line.starts_with(part)),
                    "{} lacks {part}",
                    kind.syntax.name
                );
            }
        }
    }
}
