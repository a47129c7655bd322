//! What is joined to the rows of a source.

use serde::Serialize;

use super::At;

/// `[sources.NAME.join.JOIN]`: at most one row of a lookup beside each row of the source.
#[derive(Debug, Clone, Serialize)]
pub struct Join {
    /// The name in the pipeline file.
    pub name: At<String>,
    /// The source of kind `lookup` whose rows are searched.
    pub from: At<String>,
    /// Columns of the source, each with the key column of the lookup that must have its value.
    pub on: Vec<(At<String>, At<String>)>,
    /// Column with the time of the search: the newest row of the lookup at or before it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At<String>>,
    /// Columns that are added to the source, each with its column of the lookup.
    pub columns: Vec<(At<String>, At<String>)>,
}
