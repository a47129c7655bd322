//! Renames that a scheme states and that keep no id.

use tessera_history::{Declared, Ledger};
use tessera_spec::diagnostic::suggest;

/// Names that a warning lists.
const SHOWN: usize = 12;

/// Warns of renames of segments that the scheme never had, and of those to a name that is taken.
pub(super) fn warn(ledger: &Ledger, scheme: &str, segments: &[Declared<'_>]) {
    for (name, was, is_known) in ledger.without_effect(scheme, segments) {
        if is_known {
            tracing::warn!(
                "`was` of [schemes.{scheme}]: `{name}` was a segment before, with an id of its own, which it has again; the customers of `{was}` move into it"
            );
            continue;
        }
        let before: Vec<(i64, String)> = ledger.active(scheme);
        let names: Vec<&str> = before.iter().map(|(_, name)| name.as_str()).collect();
        tracing::warn!(
            "`was` of [schemes.{scheme}]: there is no segment `{was}` that could be called `{name}`, so `{name}` begins as a new segment; {}",
            there_are(was, &names)
        );
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
