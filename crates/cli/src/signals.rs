//! Signals that ask us to stop, received as data: nothing is killed half-way.
//! Knows which signals came and who sent them, not what they interrupt.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// The last signal that asked us to stop; 0 before one came.
static RECEIVED: AtomicI32 = AtomicI32::new(0);

/// The last signal that asked us to stop; SIGINT before one came.
pub fn received() -> i32 {
    match RECEIVED.load(Ordering::Relaxed) {
        0 => Signal::SIGINT as i32,
        signal => signal,
    }
}

/// Whether a signal asked us to stop.
pub fn stopped() -> bool {
    RECEIVED.load(Ordering::Relaxed) != 0
}

/// From now on an interrupt is noted for [`stopped`]; a second one ends the
/// process as it would have without us.
pub fn watch() -> nix::Result<()> {
    let set: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    // Blocked before the thread begins, so that no thread has them open.
    set.thread_block()?;
    let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
    std::thread::spawn(move || {
        if let Ok(Some(info)) = fd.read_signal() {
            RECEIVED.store(info.ssi_signo as i32, Ordering::Relaxed);
        }
        let _ = set.thread_unblock();
        loop {
            std::thread::park();
        }
    });
    Ok(())
}

/// One signal.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Its number.
    pub signal: Signal,
    /// Whether a process sent it to us: then nobody else got it.  A terminal
    /// sends to all its processes.
    pub sent: bool,
}

/// The signals of a process that runs another: each is read, none has its effect.
pub struct Inbox {
    fd: SignalFd,
}

impl Inbox {
    /// Blocks the signals for this thread and those it will start.
    pub fn open() -> nix::Result<Inbox> {
        use Signal::*;
        let set: SigSet = [SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2].into_iter().collect();
        set.thread_block()?;
        Ok(Inbox { fd: SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)? })
    }

    /// The next signal, if one came.
    pub fn next(&self) -> Option<Received> {
        /// The kernel itself, a terminal's driver for one (asm-generic/siginfo.h).
        const SI_KERNEL: i32 = 0x80;
        let info = self.fd.read_signal().ok().flatten()?;
        let signal = Signal::try_from(info.ssi_signo as i32).ok()?;
        Some(Received { signal, sent: info.ssi_code != SI_KERNEL })
    }
}

impl Received {
    /// Whether it wants the work to end.
    pub fn asks_to_stop(&self) -> bool {
        use Signal::*;
        matches!(self.signal, SIGINT | SIGTERM | SIGHUP | SIGQUIT)
    }

    /// Gives it to the program it was meant for, unless the program has it already.
    pub fn hand_on(&self, pid: i32) {
        if self.sent && self.signal != Signal::SIGCHLD {
            let _ = kill(Pid::from_raw(pid), self.signal);
        }
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
