//! SIGINT, SIGTERM and SIGHUP for the two processes of the program: the child that works, and the parent that waits for it.
//!
//! A terminal, or a service manager that ends a whole process group, signals both processes; `kill` with the number of the parent
//! signals only that one, and it forwards the signal. Either way it is one request to end. `tessera backfill` is a third process
//! before these two, so that each of them counts requests, and forwards each once.

use std::ffi::c_int;
use std::io::{self, PipeReader, Read};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

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

/// How many signals arrived, and how many requests to end they are.
struct Counted {
    /// Those that its parent sent.
    passed: AtomicUsize,
    /// All others.
    own: AtomicUsize,
    requests: AtomicUsize,
}

impl Counted {
    const fn new() -> Self {
        Self {
            passed: AtomicUsize::new(0),
            own: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
        }
    }

    /// Counts a signal; whether it is a new request. The same request may arrive twice: from who asks, and from the parent, which
    /// was asked too. May be called while a signal is handled.
    fn is_new(&self, is_passed: bool) -> bool {
        let arrived = match is_passed {
            true => &self.passed,
            false => &self.own,
        };
        let number = arrived.fetch_add(1, Ordering::SeqCst) + 1;
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
    if !COUNTED.is_new(is_passed(info)) {
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
    if COUNTED.is_new(is_passed(info)) {
        report();
    }
}

/// Reports a request to [`Requests`].
fn report() {
    let byte = [0_u8];
    // SAFETY: the byte outlives the call, which may be made while a signal is handled.
    unsafe { libc::write(SEEN.load(Ordering::SeqCst), byte.as_ptr().cast(), 1) };
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
        let new = [true, false, false, true, true].map(|is_passed| counted.is_new(is_passed));
        assert_eq!(new, [true, false, true, false, true]);
    }

    #[test]
    fn a_signal_to_three_processes_is_one_request_in_whatever_order_it_arrives() {
        // A backfill forwards to the parent of the run, which forwards to its child; a terminal signals all three.
        for parent_hears_terminal_first in [true, false] {
            let (parent, child) = (Counted::new(), Counted::new());
            for request in 1..=2 {
                let of_parent = [!parent_hears_terminal_first, parent_hears_terminal_first];
                let forwarded = of_parent.iter().filter(|passed| parent.is_new(**passed));
                assert_eq!(forwarded.count(), 1, "request {request}");
                let of_child = [child.is_new(false), child.is_new(true)];
                assert_eq!(of_child, [true, false], "request {request}");
            }
        }
    }
}
