//! How a run is made.

use tessera_snapshot::Gate;

use crate::memory::Memory;
use crate::plan::basis::Basis;
use crate::work::WorkFolder;

/// Options of a run.
#[derive(Debug)]
pub struct RunOptions<'a> {
    /// Threads of the engine; their number does not change any published byte.
    pub threads: usize,
    /// Folder of stage files.
    pub work: &'a WorkFolder,
    /// Whether the content of a version that the same run published earlier is checked, and published again if it is damaged.
    pub replace_damaged: bool,
    /// Decides between the commit of the run and a request to stop it: whichever is first.
    pub gate: &'a Gate,
    /// The plan that the run must follow; it fails where it is not the run that was planned.
    pub planned: Option<&'a Basis>,
    /// The memory that the run may use; it does not change any published byte.
    pub memory: &'a Memory,
}
