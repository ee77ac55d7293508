//! The debug registers of one thread that stands: up to four words of memory to be told
//! of when written (Intel SDM, vol. 3, 18.2 "Debug Registers").  Knows nothing of what the
//! words mean.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// So many words can be watched.
pub(crate) const MOST: usize = 4;
/// DR6 tells which were written, DR7 which are watched how.
const STATUS: usize = 6;
const CONTROL: usize = 7;
/// In DR7, for the first register: enabled, and told of when 8 bytes are written.
const ENABLED: u64 = 1;
const WRITES_OF_8: u64 = 0b1001 << 16;

fn place(register: usize) -> ptrace::AddressType {
    (std::mem::offset_of!(libc::user, u_debugreg) + register * 8) as ptrace::AddressType
}

fn write(tid: i32, register: usize, value: u64) -> Result<(), Errno> {
    ptrace::write_user(Pid::from_raw(tid), place(register), value as i64)
}

/// Watch these words, of 8 bytes each and aligned so, from now on.
pub(crate) fn arm(tid: i32, addresses: &[u64]) -> Result<(), Errno> {
    for (i, &address) in addresses.iter().take(MOST).enumerate() {
        write(tid, i, address)?;
    }
    write(tid, STATUS, 0)?;
    write(tid, CONTROL, control(addresses.len()))
}

/// How the first so many registers watch.
fn control(words: usize) -> u64 {
    (0..words.min(MOST)).map(|i| ENABLED << (i * 2) | WRITES_OF_8 << (i * 4)).fold(0, |all, one| all | one)
}

/// Besides the first so many registers, which watch words, have the next one tell when the
/// thread comes to an instruction, or to none any more.  Whether there is a register left.
pub(crate) fn halt_at(tid: i32, words: usize, instruction: Option<u64>) -> bool {
    if words >= MOST {
        return false;
    }
    // of an instruction, all other bits are 0
    let enabled = ENABLED << (words * 2);
    let set = |at: u64| write(tid, words, at).and_then(|()| write(tid, CONTROL, control(words) | enabled));
    // it is off while its place changes, or the kernel would look at both for one
    let off = write(tid, CONTROL, control(words));
    off.is_ok() && instruction.is_none_or(|at| set(at).is_ok())
}

/// Watch nothing.
pub(crate) fn disarm(tid: i32) -> Result<(), Errno> {
    write(tid, CONTROL, 0)?;
    for i in 0..MOST {
        write(tid, i, 0)?;
    }
    write(tid, STATUS, 0)
}

/// Which registers told of something since this was cleared, a bit each.
pub(crate) fn told(tid: i32) -> u64 {
    ptrace::read_user(Pid::from_raw(tid), place(STATUS)).map_or(0, |s| s as u64 & 0xf)
}

/// Nothing was written.
pub(crate) fn clear(tid: i32) {
    // an error means that the thread is gone
    let _ = write(tid, STATUS, 0);
}
