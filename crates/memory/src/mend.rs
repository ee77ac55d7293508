//! System calls that a tracer's stop cut short: set to begin again where nothing but the
//! stop made them fail.  Changes registers of a thread that stands, and nothing else.

use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::status::{Status, signal_bit};
use crate::{Memory, Process};

/// Code segment of 64-bit code, and the instruction it calls the kernel by.
const USER_64: u64 = 0x33;
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Mend the system call of a thread that stands, traced by the calling thread.  `deliver`
/// is the signal before whose delivery it stands, or 0.
pub fn mend_call(process: &Process, tid: i32, deliver: i32) {
    let Ok(registers) = ptrace::getregs(Pid::from_raw(tid)) else {
        return;
    };
    if begin_again(process, tid, &registers) && feels(process, tid, deliver) {
        // an error means that it is gone
        let _ = ptrace::setregs(Pid::from_raw(tid), registers);
    }
}

/// Have a system call that gave up with EINTR begin again; whether there was one.
/// The kernel itself restarts most; it does not with epoll_wait, semtimedop,
/// sigtimedwait, recv and accept with a time limit, and some more (signal(7),
/// "Interruption of system calls by stop signals").
pub(crate) fn begin_again(process: &Process, tid: i32, registers: &libc::user_regs_struct) -> bool {
    const INTERRUPTED: u64 = -(libc::EINTR as i64) as u64;
    if registers.rax != INTERRUPTED || (registers.orig_rax as i64) < 0 || registers.cs != USER_64 {
        return false;
    }
    let mut instruction = [0; 2];
    let at = registers.rip.wrapping_sub(2);
    if process.read(at, &mut instruction).is_err() || instruction != SYSCALL {
        return false;
    }
    let again = libc::user_regs_struct { rax: registers.orig_rax, rip: at, ..*registers };
    ptrace::setregs(Pid::from_raw(tid), again).is_ok()
}

/// Whether a signal waits that this thread will act upon: then EINTR is what it
/// would see without us.  One for the whole process goes to its main thread where
/// that takes it, as the kernel has it.
pub(crate) fn feels(process: &Process, tid: i32, deliver: i32) -> bool {
    let Some(status) = Status::read(&process.thread_path(tid)) else {
        return true;
    };
    if status.effective(status.pending) != 0 || status.effective(signal_bit(deliver)) != 0 {
        return true;
    }
    let shared = status.effective(status.shared_pending);
    let main = process.pid();
    let taken_by_main =
        || Status::read(&process.thread_path(main)).is_some_and(|m| shared & m.blocked == 0 && !m.is_dead());
    shared != 0 && (tid == main || !taken_by_main())
}
