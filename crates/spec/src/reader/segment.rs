//! Names of segments.

use super::Notes;
use crate::diagnostic::Diagnostic;
use crate::pipeline::At;

/// Checks the name of a segment: any text that a table, a file name or a rule can hold.
pub(crate) fn check_segment(notes: &Notes, segment: &At<String>) {
    const LONGEST: usize = 80;
    let text = segment.value.as_str();
    let reason = if text.chars().count() > LONGEST {
        format!("longer than {LONGEST} characters")
    } else if text.chars().any(char::is_control) {
        "it contains a control character".to_owned()
    } else if text.trim() != text {
        "it begins or ends with a space".to_owned()
    } else {
        return;
    };
    notes.add(
        Diagnostic::error(
            "TS-P008",
            "this cannot be the name of a segment",
            segment.span.clone(),
        )
        .with_label(reason)
        .with_help("use one line of at most 80 characters, such as \"at risk\""),
    );
}
