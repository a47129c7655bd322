//! What is computed for the days on which customers leave their segments: the data that planning hands to the run.

use std::collections::BTreeSet;

use tessera_features::Later;

/// What is computed for later days.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) later: Later,
    /// The columns that schemes read, and all that these are made of.
    pub(crate) needed: BTreeSet<String>,
    /// Schemes whose segments may change by time alone, and can be applied to later days.
    pub(crate) schemes: BTreeSet<String>,
}
