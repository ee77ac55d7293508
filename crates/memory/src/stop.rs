//! The guard that holds a process still, and the kernel calls of it that nix cannot
//! say.  What to do with a stopped thread is the tracer's business, not known here.
#![allow(unsafe_code)] // system calls, each with its reason below

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::tracer::{State, Tracer};
use crate::{CaptureError, Process, Thread, signals};

/// The target stands still while this lives.
///
/// The tracer is a thread of its own.  The kernel releases all that a tracer holds when
/// the tracer ends, in whatever state its tracees are: the one thing that lets go of a
/// thread that could not be stopped (`PTRACE_DETACH` wants a stopped one), and what
/// happens too when this process dies.
pub(crate) struct Stop {
    release: Option<Sender<()>>,
    released: Receiver<Duration>,
    tracer: Option<JoinHandle<()>>,
    threads: Vec<Thread>,
}

impl Stop {
    /// Stop every thread.  On an error none is left stopped.
    pub fn hold(process: &Process) -> Result<Stop, CaptureError> {
        let (release, wait) = channel::<()>();
        let (done, released) = channel();
        let (stopped, held) = channel();
        let process = process.clone();
        let body = move || {
            signals::block_all();
            let began = Instant::now();
            let mut tracer = Tracer::new(process);
            let outcome = tracer.stop_all().map(|()| tracer.threads());
            let stands = outcome.is_ok();
            if stopped.send(outcome).is_ok() && stands {
                // ends when told to, or when the other side is gone
                let _ = wait.recv();
            }
            tracer.let_go();
            let _ = done.send(began.elapsed());
        };
        let spawned = std::thread::Builder::new().name("undying-stop".into()).stack_size(256 << 10).spawn(body);
        let mut stop = Stop { release: Some(release), released, tracer: Some(spawned?), threads: Vec::new() };
        let outcome = held.recv().unwrap_or(Err(CaptureError::Lost));
        stop.threads = outcome?;
        Ok(stop)
    }

    /// The threads as they stand; their names are not filled in.
    pub fn take_threads(&mut self) -> Vec<Thread> {
        std::mem::take(&mut self.threads)
    }

    /// Let go; how long the target stood.
    pub fn release(mut self) -> Duration {
        self.end()
    }

    fn end(&mut self) -> Duration {
        drop(self.release.take());
        let paused = self.released.recv().unwrap_or_default();
        if let Some(t) = self.tracer.take() {
            let _ = t.join();
        }
        paused
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.end();
    }
}

/// News of a traced thread, without waiting for any.  (nix refuses real-time signals.)
///
/// A stop is only looked at and left to be told again: the kernel forgets the signal that
/// a stop came before once a tracer has taken the news, and if this process is killed
/// then, the signal is lost.
pub(crate) fn news_of(tid: i32) -> State {
    let (code, status) = match wait_for(tid, libc::WNOWAIT) {
        Some(news) => news,
        // not (or no longer) a tracee of ours
        None => return State::Unknown,
    };
    match code {
        0 => State::Running,
        // ours, or the process was stopped by a signal before
        libc::CLD_TRAPPED | libc::CLD_STOPPED if status >> 8 == libc::PTRACE_EVENT_STOP => {
            State::Stopped { deliver: 0 }
        }
        libc::CLD_TRAPPED | libc::CLD_STOPPED => State::Stopped { deliver: status & 0x7f },
        _ => {
            // an end is taken, or a dead thread would stay
            wait_for(tid, 0);
            State::Gone
        }
    }
}

/// What became of a traced thread and the number that belongs to it; 0, 0 if nothing did.
fn wait_for(tid: i32, flags: i32) -> Option<(i32, i32)> {
    // SAFETY: plain integers, for which all zeros is a value
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = flags | libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: `info` is valid for the structure that the kernel writes
    let failed = unsafe { libc::waitid(libc::P_PID, tid as libc::id_t, &mut info, flags) } != 0;
    // SAFETY: the field is one of those that waitid fills in (or the zeros from above)
    let status = unsafe { info.si_status() };
    (!failed).then_some((info.si_code, status))
}

/// Let a stopped thread go, with a signal or 0.  A process that a signal had stopped
/// stays stopped.  (nix knows no real-time signals.)
pub(crate) fn detach(tid: i32, signal: i32) {
    // SAFETY: the request takes numbers and no pointer.  An error means that the thread
    // is gone.
    unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, 0usize, signal as usize) };
}

/// Registers of which nothing is known.
pub(crate) fn no_registers() -> libc::user_regs_struct {
    // SAFETY: plain integers, for which all zeros is a value
    unsafe { std::mem::zeroed() }
}

/// Whether one of these signals waits for the calling thread or the process.
pub(crate) fn any_waits(signals: &[i32]) -> bool {
    let mut waiting = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the kernel writes the set it is given, and only that; zeros are a set
    unsafe { libc::sigpending(waiting.as_mut_ptr()) };
    // SAFETY: initialised above in either case; a number that is no signal gives an error
    signals.iter().any(|&s| unsafe { libc::sigismember(waiting.as_ptr(), s) } == 1)
}
