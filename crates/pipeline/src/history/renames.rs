//! Renames that a scheme states and that keep no id.

use tessera_history::{Declared, Ledger, Unapplied, WhyUnapplied};
use tessera_spec::diagnostic::suggest;

/// Names that a warning lists.
const SHOWN: usize = 12;

/// Warns of renames of segments that the scheme never had, and of those to a name that is taken.
pub(super) fn warn(ledger: &Ledger, scheme: &str, (segments, ids): (&[Declared<'_>], &[i64])) {
    for Unapplied { name, was, why } in ledger.without_effect(scheme, segments, ids) {
        match why {
            WhyUnapplied::OwnId { again: true } => tracing::warn!(
                "`was` of [schemes.{scheme}]: `{name}` was a segment before, with an id of its own, which it has again; the customers of `{was}` move into it"
            ),
            WhyUnapplied::OwnId { again: false } => tracing::warn!(
                "`was` of [schemes.{scheme}]: `{name}` is a segment already, with an id of its own, so `{was}` ends, and its customers move"
            ),
            WhyUnapplied::Taken(by) if by == was => tracing::warn!(
                "`was` of [schemes.{scheme}]: `{was}` is a segment still and keeps its id, so `{name}` begins as a new segment"
            ),
            WhyUnapplied::Taken(by) => tracing::warn!(
                "`was` of [schemes.{scheme}]: `{by}` has the id of `{was}`, so `{name}` begins as a new segment; one segment alone keeps an id"
            ),
            WhyUnapplied::Unknown => {
                let before: Vec<(i64, String)> = ledger.active(scheme);
                let names: Vec<&str> = before.iter().map(|(_, name)| name.as_str()).collect();
                tracing::warn!(
                    "`was` of [schemes.{scheme}]: there is no segment `{was}` that could be called `{name}`, so `{name}` begins as a new segment; {}",
                    there_are(was, &names)
                );
            }
        }
    }
}

/// The name that was probably meant, or all there are.
fn there_are(was: &str, names: &[&str]) -> String {
    if let Some(near) = suggest(was, names) {
        return format!("did you mean `{near}`?");
    }
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    if names.len() > SHOWN {
        shown.push(format!("{} more", names.len() - SHOWN));
    }
    format!("the version before has {}", shown.join(", "))
}
