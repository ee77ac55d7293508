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
    let mut control = 0;
    for (i, &address) in addresses.iter().take(MOST).enumerate() {
        write(tid, i, address)?;
        control |= ENABLED << (i * 2) | WRITES_OF_8 << (i * 4);
    }
    write(tid, STATUS, 0)?;
    write(tid, CONTROL, control)
}

/// Watch nothing.
pub(crate) fn disarm(tid: i32) -> Result<(), Errno> {
    write(tid, CONTROL, 0)?;
    for i in 0..MOST {
        write(tid, i, 0)?;
    }
    write(tid, STATUS, 0)
}

/// Which words were written since this was cleared, a bit each.
pub(crate) fn written(tid: i32) -> u64 {
    ptrace::read_user(Pid::from_raw(tid), place(STATUS)).map_or(0, |s| s as u64 & 0xf)
}

/// Nothing was written.
pub(crate) fn clear(tid: i32) {
    // an error means that the thread is gone
    let _ = write(tid, STATUS, 0);
}
