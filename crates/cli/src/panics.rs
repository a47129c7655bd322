//! Panics of the program as failures with their place.

use std::panic::PanicHookInfo;
use std::sync::Mutex;

use crate::interrupt::GATE;
use crate::output::Failure;

/// Source location of the newest panic.
static PLACE: Mutex<String> = Mutex::new(String::new());

/// Remembers where the program panicked.
pub(crate) fn note(panic: &PanicHookInfo<'_>) {
    if let (Some(place), Ok(mut kept)) = (panic.location(), PLACE.lock()) {
        *kept = format!(" at {}:{}", place.file(), place.line());
    }
}

/// The panic as a failure; a version may still have been published before it.
pub(crate) fn failure() -> Failure {
    let place = PLACE.lock().map(|place| place.clone()).unwrap_or_default();
    let fault = format!(
        "internal error{place}; please report it with what TESSERA_LOG=debug writes to stderr"
    );
    match GATE.committed() {
        Some(version) => Failure::new(
            format!(
                "version {version} is published, but what follows failed: {fault}; the same run again completes it"
            ),
            6,
        ),
        None => Failure::new(fault, 1),
    }
}
