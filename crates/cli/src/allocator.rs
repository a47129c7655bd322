//! The allocator of the program and its settings.

use std::ffi::{c_char, c_int, c_void};

use tikv_jemallocator::Jemalloc;

/// jemalloc: its memory use is the most stable, compared with the system's allocator and mimalloc.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Freed memory is kept for the next stage: a run ends within minutes, each stage needs about as much as the one before, and
/// returning pages to the operating system only to get new, zeroed ones took a tenth of the time of a run. For the same reason
/// there are only two arenas, since memory freed in one arena is not used by another, and large blocks come from them like small
/// ones; the threads of a run allocate few and large blocks, so they hardly wait for each other. The environment variable
/// `_RJEM_MALLOC_CONF` overrides this.
// SAFETY: the allocator reads the symbol of this name as a pointer to a text that ends with a zero byte, or null; an optional
// reference has that layout, and the text lives as long as the program.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static SETTINGS: Option<&'static c_char> = Some(first(
    c"narenas:2,dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0",
));

/// Returns freed memory to the operating system: slow, so it is only done when memory is scarce.
pub(crate) fn release() {
    unsafe extern "C" {
        fn _rjem_mallctl(
            name: *const c_char,
            old: *mut c_void,
            old_length: *mut usize,
            new: *mut c_void,
            new_length: usize,
        ) -> c_int;
    }
    // SAFETY: the allocator of this program has this function, with the signature of `mallctl`. The command reads and writes
    // nothing but freed memory of the allocator, of all arenas, and takes and gives no value.
    let _done = unsafe {
        _rjem_mallctl(
            c"arena.4096.purge".as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        )
    };
}

/// Reference to the first character of a text.
const fn first(text: &'static std::ffi::CStr) -> &'static c_char {
    // SAFETY: the pointer of a C string is valid for its characters, of which the closing zero is always one.
    unsafe { &*text.as_ptr() }
}
