//! The kernel calls that nix cannot say: news of traced threads with any signal, and how
//! they go on.  What to do with the news is not known here.
#![allow(unsafe_code)] // system calls, each with its reason below

/// What became of a traced thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// Nothing yet.
    None,
    /// The calling thread traces nobody.
    Nobody,
    /// It stands.  An event of ptrace(2) or 0, and a signal: that of the stop, or the one
    /// whose delivery the stop came before.
    Stopped { tid: i32, event: i32, signal: i32 },
    /// It ended.
    Ended { tid: i32 },
}

/// The next news of any thread that the calling thread traces, which is left to be told
/// again until the thread goes on: were this process killed after it took the news, the
/// kernel would forget the signal that a stop came before.
pub(crate) fn next() -> News {
    look(libc::P_ALL, 0, libc::WNOWAIT)
}

/// Take the news of a thread, so that nothing of it is left.
pub(crate) fn take(tid: i32) {
    look(libc::P_PID, tid, 0);
}

fn look(which: libc::idtype_t, tid: i32, flags: i32) -> News {
    // SAFETY: plain integers, for which all zeros is a value
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = flags | libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: `info` is valid for the structure that the kernel writes
    let failed = unsafe { libc::waitid(which, tid as libc::id_t, &mut info, flags) } != 0;
    // SAFETY: the fields are those that waitid fills in (or the zeros from above)
    let (tid, status) = unsafe { (info.si_pid(), info.si_status()) };
    match info.si_code {
        _ if failed => News::Nobody,
        _ if tid == 0 => News::None,
        libc::CLD_TRAPPED | libc::CLD_STOPPED => News::Stopped { tid, event: status >> 8, signal: status & 0x7f },
        _ => News::Ended { tid },
    }
}

/// How a thread that stands goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    /// It runs, and receives a signal or 0.
    Run(i32),
    /// It stays stopped, as the signal that stopped its process has it.
    Listen,
    /// It is let go for good, with a signal or 0.
    Free(i32),
}

/// Let a thread go on.  Whether it was there.
pub(crate) fn go_on(tid: i32, how: On) -> bool {
    let (request, signal) = match how {
        On::Run(signal) => (libc::PTRACE_CONT, signal),
        On::Listen => (libc::PTRACE_LISTEN, 0),
        On::Free(signal) => (libc::PTRACE_DETACH, signal),
    };
    // SAFETY: these requests take numbers and no pointer; an error means that the thread
    // is gone or does not stand
    unsafe { libc::ptrace(request, tid, 0usize, signal as usize) == 0 }
}
