//! Our own memory by address.  The interpreter's structures have no types here: a layout
//! says where a field is, as for a process that is read from outside, so one binary
//! serves all versions.
//!
//! Unsafe, because a number is taken for an address: whoever makes a [`Living`] answers
//! for the structures it is asked about being alive, by holding the interpreter's lock.
#![allow(unsafe_code)]

use std::ffi::CStr;

/// The right to read structures that the interpreter's lock keeps alive.
#[derive(Clone, Copy, Debug)]
pub struct Living(());

impl Living {
    /// # Safety
    /// The caller holds the interpreter's lock as long as this is used, and asks only for
    /// fields of objects, frames, threads and interpreters that are alive.
    pub const unsafe fn new() -> Living {
        Living(())
    }

    /// Eight bytes.
    #[inline(always)]
    pub fn word(self, base: u64, offset: u32) -> u64 {
        // SAFETY: by `new`; fields of words are aligned to words.
        unsafe { ((base as usize).wrapping_add(offset as usize) as *const u64).read() }
    }

    /// Four bytes.
    #[inline(always)]
    pub fn half(self, base: u64, offset: u32) -> u32 {
        // SAFETY: as above.
        unsafe { ((base as usize).wrapping_add(offset as usize) as *const u32).read() }
    }

    /// One byte.
    #[inline(always)]
    pub fn byte(self, base: u64, offset: u32) -> u8 {
        // SAFETY: as above.
        unsafe { ((base as usize).wrapping_add(offset as usize) as *const u8).read() }
    }

    /// Text that ends with a zero, as far as it is UTF-8.
    pub fn text(self, address: u64) -> String {
        if address == 0 {
            return String::new();
        }
        // SAFETY: as above; the names that C code gives are constants of it.
        let text = unsafe { CStr::from_ptr(address as *const libc::c_char) };
        text.to_string_lossy().into_owned()
    }
}

/// Words at an address that may be anything: asked of the kernel, which refuses what is
/// not mapped.  `None` where it refuses.
pub fn probe<const N: usize>(address: u64) -> Option<[u64; N]> {
    let mut words = [0u64; N];
    let bytes = size_of_val(&words);
    let to = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: bytes };
    let from = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes };
    // SAFETY: the kernel writes at most `bytes` to `words`, and reads where it may.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &to, 1, &from, 1, 0) };
    (read == bytes as isize).then_some(words)
}
