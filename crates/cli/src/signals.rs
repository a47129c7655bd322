//! SIGINT, SIGTERM and SIGHUP for the two processes of the program: the child that works, and the parent that waits for it.
//!
//! A terminal, or a service manager that ends a whole process group, signals both processes; `kill` with the number of the parent
//! signals only that one, and it forwards the signal. Either way it is one request to end.

use std::ffi::c_int;
use std::io::{self, PipeReader, Read};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_void, siginfo_t};

/// The signals that ask the program to end.
const SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Process that forwards signals to this one; 0 for none.
static PARENT: AtomicI32 = AtomicI32::new(0);

/// Process to which signals are forwarded; 0 while there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// The newest signal that arrived while there was no process to forward it to; 0 for none.
static EARLY: AtomicI32 = AtomicI32::new(0);

/// File descriptor of the pipe to which the handler writes signals; -1 while there is none.
static SEEN: AtomicI32 = AtomicI32::new(-1);

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// States that another process forwards signals to this one.
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

/// Whether a signal came that no process was there for.
pub(crate) fn came_early() -> bool {
    EARLY.load(Ordering::SeqCst) != 0
}

extern "C" fn pass(signal: c_int, _: *mut siginfo_t, _: *mut c_void) {
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

/// Receives requests to end from now on: one for each signal, whether it is sent to this process, to its parent, or to both.
pub(crate) fn receive() -> io::Result<Requests> {
    let (reader, writer) = io::pipe()?;
    // Open as long as the program runs.
    SEEN.store(writer.into_raw_fd(), Ordering::SeqCst);
    handle(see)?;
    Ok(Requests {
        signals: reader,
        own: 0,
        passed: 0,
    })
}

extern "C" fn see(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the operating system passes a valid description of the signal, which names its sender if a process sent it.
    let sender = unsafe {
        match (*info).si_code {
            libc::SI_USER => (*info).si_pid(),
            _ => 0,
        }
    };
    let passed = sender != 0 && sender == PARENT.load(Ordering::SeqCst);
    let byte = [u8::from(passed)];
    // SAFETY: the byte outlives the call, which may be made while a signal is handled.
    unsafe { libc::write(SEEN.load(Ordering::SeqCst), byte.as_ptr().cast(), 1) };
}

/// An iterator over requests to end, which waits for the next one.
pub(crate) struct Requests {
    signals: PipeReader,
    own: usize,
    passed: usize,
}

impl Iterator for Requests {
    type Item = ();

    fn next(&mut self) -> Option<()> {
        loop {
            let before = self.own.max(self.passed);
            let mut byte = [0];
            self.signals.read_exact(&mut byte).ok()?;
            match byte {
                [0] => self.own += 1,
                _ => self.passed += 1,
            }
            if self.own.max(self.passed) > before {
                return Some(());
            }
        }
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
    use std::io::Write;

    use super::*;

    #[test]
    fn a_signal_to_both_processes_is_one_request() {
        let (signals, mut writer) = io::pipe().unwrap();
        writer.write_all(&[1, 0, 0, 1, 1]).unwrap();
        drop(writer);
        let requests = Requests {
            signals,
            own: 0,
            passed: 0,
        };
        assert_eq!(requests.count(), 3);
    }
}
