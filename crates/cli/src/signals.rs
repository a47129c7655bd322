//! SIGINT, SIGTERM and SIGHUP for the two processes of the program: the child that works, and the parent that waits for it.
//!
//! A terminal, or a service manager that ends a whole process group, signals both processes; `kill` with the number of the parent
//! signals only that one, and it forwards the signal. Either way it is one request to end. `tessera backfill` is a third process
//! before these two, so that each of them counts requests, and forwards each once. Who signals a process and then its whole group, as
//! `timeout` does, signals the process twice at once: that is one request, too.

use std::ffi::c_int;
use std::io::{self, PipeReader, Read};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use libc::{c_void, siginfo_t};

/// The signals that ask the program to end.
const SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Process that may forward signals to this one; 0 for none.
static PARENT: AtomicI32 = AtomicI32::new(0);

/// Process to which signals are forwarded; 0 while there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// The newest signal that arrived while there was no process to forward it to; 0 for none.
static EARLY: AtomicI32 = AtomicI32::new(0);

/// File descriptor of the pipe to which the handler writes signals; -1 while there is none.
static SEEN: AtomicI32 = AtomicI32::new(-1);

/// The signals to this process.
static COUNTED: Counted = Counted::new();

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Signals of one sender that are no longer apart are one request; nobody asks twice as fast.
const TOGETHER_MS: u64 = 100;

/// Signals of one sender.
struct Arrived {
    number: AtomicUsize,
    /// When the newest one arrived; 0 before.
    newest_ms: AtomicU64,
}

/// How many signals arrived, and how many requests to end they are.
struct Counted {
    /// Those that its parent sent.
    passed: Arrived,
    /// All others.
    own: Arrived,
    requests: AtomicUsize,
}

impl Arrived {
    const fn new() -> Self {
        Self {
            number: AtomicUsize::new(0),
            newest_ms: AtomicU64::new(0),
        }
    }
}

impl Counted {
    const fn new() -> Self {
        Self {
            passed: Arrived::new(),
            own: Arrived::new(),
            requests: AtomicUsize::new(0),
        }
    }

    /// Counts a signal; whether it is a new request. The same request may arrive twice: from who asks, and from the parent, which
    /// was asked too. May be called while a signal is handled.
    fn is_new(&self, is_passed: bool, now_ms: u64) -> bool {
        let arrived = match is_passed {
            true => &self.passed,
            false => &self.own,
        };
        let before = arrived.newest_ms.swap(now_ms, Ordering::SeqCst);
        if before > 0 && now_ms.saturating_sub(before) < TOGETHER_MS {
            return false;
        }
        let number = arrived.number.fetch_add(1, Ordering::SeqCst) + 1;
        self.requests.fetch_max(number, Ordering::SeqCst) < number
    }
}

/// States that another process may forward signals to this one.
pub(crate) fn passed_on_by(parent: c_int) {
    PARENT.store(parent, Ordering::SeqCst);
}

/// From now on signals are forwarded to the process that [`pass_to`] names.
pub(crate) fn pass_on() -> io::Result<()> {
    handle(pass)
}

/// Names the process that signals are forwarded to; one that arrived before is forwarded now. With 0 signals are held back.
pub(crate) fn pass_to(child: c_int) {
    CHILD.store(child, Ordering::SeqCst);
    let early = EARLY.swap(0, Ordering::SeqCst);
    if early != 0 && child > 0 {
        send(child, early);
    }
}

/// Whether this process was asked to end, also where it forwarded that and went on.
pub(crate) fn asked_to_end() -> bool {
    COUNTED.requests.load(Ordering::SeqCst) > 0
}

extern "C" fn pass(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    if !COUNTED.is_new(is_passed(info), now_ms()) {
        return;
    }
    match CHILD.load(Ordering::SeqCst) {
        0 => EARLY.store(signal, Ordering::SeqCst),
        child => send(child, signal),
    }
}

fn send(process: c_int, signal: c_int) {
    // SAFETY: the call takes two numbers, and may be made while a signal is handled.
    unsafe { libc::kill(process, signal) };
}

/// Ends this process by a signal, as if it had not been handled; returns if the process survives.
pub(crate) fn end_by(signal: c_int) {
    // SAFETY: both calls take numbers; the default action replaces the handler of this program.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Receives requests to end from now on: one for each signal, whether it is sent to this process, to its parent, or to both; and
/// one for a signal that arrived before, and that no process was there for.
pub(crate) fn receive() -> io::Result<Requests> {
    let (reader, writer) = io::pipe()?;
    // Open as long as the program runs.
    SEEN.store(writer.into_raw_fd(), Ordering::SeqCst);
    handle(see)?;
    if EARLY.swap(0, Ordering::SeqCst) != 0 {
        report();
    }
    Ok(Requests(reader))
}

extern "C" fn see(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    if COUNTED.is_new(is_passed(info), now_ms()) {
        report();
    }
}

/// Reports a request to [`Requests`].
fn report() {
    let byte = [0_u8];
    // SAFETY: the byte outlives the call, which may be made while a signal is handled.
    unsafe { libc::write(SEEN.load(Ordering::SeqCst), byte.as_ptr().cast(), 1) };
}

/// Milliseconds of a clock that only runs forward, at least 1. May be called while a signal is handled.
fn now_ms() -> u64 {
    // SAFETY: a time of zeros is a valid one, and the call writes only to it.
    let now = unsafe {
        let mut now: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now);
        now
    };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    1 + seconds * 1_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Whether the parent of this process sent the signal.
fn is_passed(info: *mut siginfo_t) -> bool {
    // SAFETY: the operating system passes a valid description of the signal, which names its sender if a process sent it.
    let sender = unsafe {
        match (*info).si_code {
            libc::SI_USER => (*info).si_pid(),
            _ => 0,
        }
    };
    sender != 0 && sender == PARENT.load(Ordering::SeqCst)
}

/// An iterator over requests to end, which waits for the next one.
pub(crate) struct Requests(PipeReader);

impl Iterator for Requests {
    type Item = ();

    fn next(&mut self) -> Option<()> {
        self.0.read_exact(&mut [0]).ok()
    }
}

/// Handles the signals from now on. A signal that is ignored, as by `nohup`, stays ignored.
fn handle(handler: Handler) -> io::Result<()> {
    for signal in SIGNALS {
        // SAFETY: an action of zeros is a valid one; both are valid for the calls, and the handler has the signature that
        // SA_SIGINFO asks for.
        let done = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let asked = libc::sigaction(signal, std::ptr::null(), &raw mut action);
            if asked == 0 && signal == libc::SIGHUP && action.sa_sigaction == libc::SIG_IGN {
                continue;
            }
            action = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_to_both_processes_is_one_request() {
        let counted = Counted::new();
        let mut now_ms = 1;
        let new = [true, false, false, true, true].map(|is_passed| {
            now_ms += TOGETHER_MS;
            counted.is_new(is_passed, now_ms)
        });
        assert_eq!(new, [true, false, true, false, true]);
    }

    #[test]
    fn a_signal_to_three_processes_is_one_request_in_whatever_order_it_arrives() {
        // A backfill forwards to the parent of the run, which forwards to its child; a terminal signals all three.
        for parent_hears_terminal_first in [true, false] {
            let (parent, child) = (Counted::new(), Counted::new());
            for request in 1..=2 {
                let of_parent = [!parent_hears_terminal_first, parent_hears_terminal_first];
                let now_ms = request * 1_000;
                let forwarded = of_parent
                    .iter()
                    .filter(|passed| parent.is_new(**passed, now_ms));
                assert_eq!(forwarded.count(), 1, "request {request}");
                let of_child = [child.is_new(false, now_ms), child.is_new(true, now_ms)];
                assert_eq!(of_child, [true, false], "request {request}");
            }
        }
    }

    /// `timeout` signals a backfill and then its group, of which the run and its child are too: each hears of it more than once.
    #[test]
    fn a_signal_to_a_process_and_to_its_group_is_one_request() {
        let (backfill, parent, child) = (Counted::new(), Counted::new(), Counted::new());
        for now_ms in [1_000, 5_000] {
            let heard = [now_ms, now_ms + 2].map(|now_ms| backfill.is_new(false, now_ms));
            assert_eq!(heard, [true, false]);
            let of_parent = [
                parent.is_new(true, now_ms),
                parent.is_new(false, now_ms + 2),
            ];
            assert_eq!(of_parent, [true, false]);
            let of_child = [child.is_new(false, now_ms), child.is_new(true, now_ms + 3)];
            assert_eq!(of_child, [true, false]);
        }
    }
}
