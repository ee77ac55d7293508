//! A thread of the target as it stood: its name, its registers, the system call it
//! was in.

/// The general registers of a thread.  A thread that could not be made to stop (in
/// uninterruptible sleep) has only those the kernel tells of it: `rip`, `rsp` and
/// `orig_rax`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registers {
    /// Next instruction.
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Frame pointer, where the code keeps one.
    pub rbp: u64,
    /// Base of the thread's own storage: its `pthread_t` with glibc.
    pub fs_base: u64,
    /// Result of the system call it is in.
    pub rax: u64,
    /// Number of the system call it is in, −1 outside of any.
    pub orig_rax: u64,
    /// rax rbx rcx rdx rsi rdi rbp rsp r8 … r15: every one that may hold a pointer.
    pub general: [u64; 16],
}

/// A thread of the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// The kernel's number of it.
    pub tid: i32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its registers at the stop; all 0 where they were not asked for.
    pub registers: Registers,
    /// The system call it was in (x86-64 number).
    pub in_syscall: Option<i64>,
}
