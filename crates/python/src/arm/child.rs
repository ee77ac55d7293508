//! The child that writes: a copy of the process as it stood, with one thread, the one that
//! forked, which holds the interpreter's lock and never calls it.
//!
//! Unsafe, because a process with threads forks: in the child only what needs no lock of
//! other threads may be used.  The C library's allocator does not (it is made ready for the
//! child by `fork` itself), files and our own memory neither.
#![allow(unsafe_code)]

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use undying_cli::{Failure, VERSION};
use undying_cpython::Target;
use undying_graph::{Edge, LabelId, ObjectRow, Silent, Sink, Tail};
use undying_snapshot::Writer;

/// Forks; whether the child is there.  It ends by itself and is nobody's to wait for.
pub fn write(to: &Path, why: &str) -> bool {
    let (parent, at) = (std::process::id(), SystemTime::now());
    // SAFETY: see above; the first child does nothing but fork again and end, so that the
    // second one has no parent that must ask for its end.
    unsafe {
        let first = libc::fork();
        if first < 0 {
            return false;
        }
        if first > 0 {
            let mut status = 0;
            while libc::waitpid(first, &mut status, 0) < 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
            return status == 0;
        }
        match libc::fork() {
            0 => {}
            second => libc::_exit(i32::from(second < 0)),
        }
        alone();
    }
    let code = match written(to, parent, at) {
        Ok(()) => {
            say(&format!("undying: {why}: process {parent} as it was is in {}\n", to.display()));
            0
        }
        Err(failure) => {
            say(&format!("undying: {why}: no snapshot: {}\n", failure.sentence));
            i32::from(failure.exit.code())
        }
    };
    // SAFETY: ends without any handler of the program's.
    unsafe { libc::_exit(code) }
}

/// Lets go of what is the parent's: its files and connections but standard error, signals
/// that it answers, limits that it may have reached.
unsafe fn alone() {
    // SAFETY: plain system calls on this process.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        libc::dup2(nothing, 0);
        libc::dup2(nothing, 1);
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        for limit in [libc::RLIMIT_AS, libc::RLIMIT_DATA] {
            let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::getrlimit(limit, &mut now);
            now.rlim_cur = now.rlim_max;
            libc::setrlimit(limit, &now);
        }
    }
}

fn say(line: &str) {
    // nobody may listen
    let _ = io::stderr().write_all(line.as_bytes());
}

fn written(to: &Path, parent: u32, at: SystemTime) -> Result<(), Failure> {
    let target = Target::open_itself()?;
    let copied = target.copy_itself()?;
    let mut sink = OfParent { writer: Writer::create(to, false, VERSION)?, parent, at };
    target.walk(&copied, &Silent, &mut sink)?;
    sink.writer.commit()?;
    Ok(())
}

/// A snapshot is of the process that forked, and of when it did.
struct OfParent {
    writer: Writer,
    parent: u32,
    at: SystemTime,
}

impl Sink for OfParent {
    fn label(&mut self, text: &str) -> LabelId {
        self.writer.label(text)
    }

    fn begin(&mut self, objects: usize) -> io::Result<()> {
        self.writer.begin(objects)
    }

    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()> {
        self.writer.object(row, edges)
    }

    fn object_with_untraversed(&mut self, row: &ObjectRow, edges: &[Edge], untraversed: &[Edge]) -> io::Result<()> {
        self.writer.object_with_untraversed(row, edges, untraversed)
    }

    fn finish(&mut self, mut tail: Tail) -> io::Result<()> {
        tail.facts.pid = i64::from(self.parent);
        let at = self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        tail.facts.captured_at = at.as_secs_f64();
        self.writer.finish(tail)
    }
}
