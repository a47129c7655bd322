//! How people read a feature or a column.

use crate::pipeline::Description;
use crate::reader::Reader;

/// `label` and `direction` of a feature.
pub(super) fn description(table: &Reader<'_>) -> Description {
    Description {
        label: table
            .text("label")
            .map(|label| label.value.trim().to_owned()),
        direction: table.word("direction"),
    }
}
