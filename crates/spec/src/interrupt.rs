//! A request to stop, which every long loop of a run checks.
//!
//! A signal concerns the whole process, so the flag is global: [`request`] sets it, loops check [`requested`]. A loop that finds
//! it set ends early and returns an error; if its return type has none, it returns an incomplete result. The caller of a stage
//! therefore checks the flag again before it uses the result.
//!
//! [`Interrupt`] passes this flag or another one to loops that take it as an argument.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the process is asked to stop, and never cleared.
static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Asks every loop of the process to stop.
pub fn request() {
    REQUESTED.store(true, Ordering::SeqCst);
}

/// Whether the process is asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// A flag that another thread may set, or none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Interrupt<'a>(Option<&'a AtomicBool>);

impl<'a> Interrupt<'a> {
    /// Nothing interrupts.
    pub const NEVER: Self = Self(None);

    /// Interrupted as soon as the process is asked to stop.
    pub const PROCESS: Interrupt<'static> = Interrupt(Some(&REQUESTED));

    /// Interrupted as soon as `flag` is set.
    pub fn new(flag: &'a AtomicBool) -> Self {
        Self(Some(flag))
    }

    /// Whether to stop now.
    pub fn requested(self) -> bool {
        self.0.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}
