//! A request to stop, looked at by the long loops of every model.
//!
//! [`Interrupt`] is passed down by value. A loop that finds it set ends early; what it returns then is an error where its type
//! has one, else unfinished, and whoever started it looks at the flag again before using the result.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that another thread may set, or none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Interrupt<'a>(Option<&'a AtomicBool>);

impl<'a> Interrupt<'a> {
    /// Nothing interrupts.
    pub const NEVER: Self = Self(None);

    /// Interrupted as soon as `flag` is set.
    pub fn new(flag: &'a AtomicBool) -> Self {
        Self(Some(flag))
    }

    /// Whether to stop now.
    pub fn requested(self) -> bool {
        self.0.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}
