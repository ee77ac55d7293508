//! A frozen copy of the very process that asks.  It cannot hold itself still by
//! ptrace: the caller holds a lock under which what it wants to see does not change.
//! No right is needed, and another debugger may be attached meanwhile.

use std::time::Instant;

use nix::sys::pthread::pthread_self;
use nix::unistd::gettid;

use crate::capture::{available_memory, length};
use crate::copy::copy;
use crate::process::threads_of;
use crate::resident::Residency;
use crate::{AttachError, CaptureError, Captured, ImageBuilder, Mapping, Process, Registers, Thread};

impl Process {
    /// The process that asks.
    pub fn itself() -> Result<Process, AttachError> {
        Process::by_thread(std::process::id() as i32, gettid().as_raw())
    }

    /// Whether this is the process that asks.
    pub fn is_itself(&self) -> bool {
        self.pid() == std::process::id() as i32
    }

    /// Copy the own mappings that are `wanted`, while the caller holds the lock that keeps
    /// them as they are.  Registers are known of no thread but, of the calling one, where
    /// its own storage begins.  What threads outside of the lock give back meanwhile is
    /// left out and is no fault.
    pub fn capture_itself(&self, wanted: fn(&Mapping) -> bool) -> Result<Captured, CaptureError> {
        let began = Instant::now();
        let mut residency = Residency::open(self);
        // All of this is before the copy has room of its own, which it must not copy.
        let mappings = self.mappings()?;
        let mut runs = Vec::new();
        for m in mappings.iter().filter(|m| wanted(m)) {
            residency.runs(m, &[], &mut runs);
        }
        let needed = length(&runs);
        let available = available_memory().unwrap_or(u64::MAX);
        if needed > available {
            return Err(CaptureError::NoMemory { needed, available });
        }
        let mut image = ImageBuilder::with_room(needed)?;
        let done = copy(self, &runs, &mut image, 1, &|| false).ok_or(CaptureError::Lost)?;
        let paused = began.elapsed();
        Ok(Captured {
            image: image.finish(),
            mappings,
            threads: self.own_threads(),
            paused,
            longest_pause: paused,
            stops: 1,
            at_rest: true,
            busy: None,
            copied_bytes: done.copied,
            resident_bytes: self.resident_bytes(),
            faults: 0,
        })
    }

    fn own_threads(&self) -> Vec<Thread> {
        let caller = gettid().as_raw();
        let mut tids = threads_of(self.pid());
        tids.sort_by_key(|&t| (t != self.pid(), t));
        let thread = |tid: i32| {
            let name = std::fs::read(self.thread_path(tid).join("comm")).unwrap_or_default();
            let name = String::from_utf8_lossy(&name).trim_end().to_owned();
            let fs_base = if tid == caller { pthread_self() as u64 } else { 0 };
            Thread { tid, name, registers: Registers { fs_base, ..Registers::default() }, in_syscall: None }
        };
        tids.into_iter().map(thread).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Memory, private_writable};

    #[test]
    fn what_was_there_is_in_the_copy_and_what_changes_after_is_not() {
        let me = Process::itself().unwrap();
        assert!(me.is_itself());
        let mut held: Box<[u64]> = (0..100_000).collect();
        let address = held.as_ptr() as u64;
        let captured = me.capture_itself(private_writable).unwrap();
        held.fill(7);
        for n in [0, 1, 4096, 99_999] {
            assert_eq!(captured.image.word(address + 8 * n).unwrap(), n);
        }
        assert_eq!(held[4096], 7);
        assert!(captured.copied_bytes >= 800_000 && captured.at_rest);
        let caller = captured.threads.iter().find(|t| t.tid == gettid().as_raw()).unwrap();
        assert!(caller.registers.fs_base != 0);
        assert_eq!(captured.threads[0].tid, me.pid());
    }
}
