//! The flight recorder: every change of a few objects' reference counts, as it happens,
//! with the native and the Python stack of who made it.  The processor tells of each write
//! through its debug registers; nothing is written into the target but those.  What the
//! changes mean is not judged here.

mod kernel;
mod names;
mod note;
mod registers;
mod trace;
mod unwind;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use undying_cpython::{OpenError, Stacks};
use undying_memory::SignalsHeld;

pub use undying_graph::{Change, NativeFrame, PythonFrame};

/// How much is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Changes.
    pub events: usize,
    /// Time from when the child was told to go.
    pub time: Duration,
    /// Frames of a native stack, and of a Python stack, from the innermost on.
    pub frames: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { events: 20_000, time: Duration::from_secs(60), frames: 64 }
    }
}

/// Why the recording ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum End {
    /// The child did what it was told.
    Done = 1,
    /// So many changes as were to be recorded at most.
    Events,
    /// It took too long.
    Time,
    /// The process ended.
    Gone,
    /// A signal to end came for this program.
    Interrupted,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The changes in the order in which they were told of.
    pub changes: Vec<Change>,
    /// Every change from when the child was told to go until it was done is there.
    pub complete: bool,
    /// Why it ended.
    pub end: End,
    /// The count of each object at the start.
    pub first: Vec<u64>,
    /// And at the end; the last known one where the process is gone.
    pub last: Vec<u64>,
    /// Writes, with those that changed nothing.
    pub writes: u64,
    /// The file of the interpreter, as the target sees it.
    pub interpreter: String,
}

/// Why nothing was recorded.  The target runs on in every case.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not one to four words, aligned to 8 bytes.
    #[error("the processor can watch one to four objects, at addresses that are multiples of 8")]
    Addresses,
    /// No Python that can be read, or no right to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The kernel does not let it be traced.
    #[error("process {pid} cannot be traced ({why}); in a container, start it with the capability SYS_PTRACE")]
    Trace {
        /// The process.
        pid: i32,
        /// What the kernel says.
        why: std::io::Error,
    },
    /// The kernel refuses debug registers.
    #[error(
        "this machine lends no debug registers ({why}), without which no change of a reference count can be watched; a virtual machine or a sandbox may hide them"
    )]
    NoRegisters {
        /// What the kernel says.
        why: std::io::Error,
    },
    /// They were set, and told of nothing.
    #[error(
        "the debug registers of this machine do not work: a reference count changed without a word of it; a virtual machine may hide them"
    )]
    Mute,
    /// A thread kept running.
    #[error("thread {tid} would not stop, so nothing was recorded")]
    WouldNotStop {
        /// That thread.
        tid: i32,
    },
    /// The child could not be told to go.
    #[error("the process could not be told to go: {0}")]
    Go(std::io::Error),
    /// No thread could be started, or the one that traced ended by itself.
    #[error("the tracing thread could not be had")]
    Lost,
}

/// Record every change of the words at `addresses` (one to four reference counts) of a
/// process: its threads are seized, `go` tells it to do what is to be recorded, and the
/// recording lasts until `done`, which is asked about every millisecond, says so, or a
/// limit is met.  In every case, also should `go` or `done` panic, all threads are let go
/// without debug registers before this returns.
///
/// Nobody else in this process may wait for the child meanwhile: who waits for any child
/// is told of its stops.  Should this process be killed by SIGKILL meanwhile, the kernel
/// lets the target go but leaves its debug registers, and the next change of a watched
/// word ends it by SIGTRAP: record only a child that is of no use alone.
///
/// Signals that end this program (SIGINT, SIGTERM, SIGHUP, SIGQUIT) wait in the calling
/// thread until then.  A target that blocks or ignores SIGTRAP no longer does after a
/// watched change in that thread (the kernel forces the signal).
pub fn record(
    pid: i32,
    addresses: &[u64],
    limits: &Limits,
    go: impl FnOnce() -> std::io::Result<()>,
    mut done: impl FnMut() -> bool,
) -> Result<Recording, RecordError> {
    if !(1..=registers::MOST).contains(&addresses.len())
        || addresses.iter().any(|a| !a.is_multiple_of(8) || a >> 47 != 0)
    {
        return Err(RecordError::Addresses);
    }
    let stacks = Stacks::open(pid)?;
    let held = SignalsHeld::hold();
    let told = AtomicU8::new(0);
    let (ready, armed) = channel();
    std::thread::scope(|scope| {
        let body = || trace::run(stacks, addresses, limits, &told, ready);
        let tracing = std::thread::Builder::new().name("undying-record".into()).spawn_scoped(scope, body);
        let tracing = tracing.map_err(|_| RecordError::Lost)?;
        let telling = Telling(&told);
        let went = match armed.recv() {
            Ok(()) => go(),
            // the thread says why it ended
            Err(_) => Ok(()),
        };
        if went.is_ok() {
            wait(&telling, &armed, &held, &mut done);
        }
        drop(telling);
        let outcome = tracing.join().map_err(|_| RecordError::Lost)?;
        went.map_err(RecordError::Go)?;
        outcome
    })
}

/// Until the child is done, or somebody here wants to end, or the tracer ended.
fn wait(telling: &Telling, tracer: &Receiver<()>, held: &SignalsHeld, done: &mut dyn FnMut() -> bool) {
    while tracer.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
        if held.waiting() {
            return telling.say(End::Interrupted);
        }
        if done() {
            return telling.say(End::Done);
        }
    }
}

/// Tells the tracing thread to end, at the latest when it goes out of scope.
struct Telling<'a>(&'a AtomicU8);

impl Telling<'_> {
    fn say(&self, why: End) {
        self.0.store(why as u8, Ordering::Release);
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(0, End::Interrupted as u8, Ordering::AcqRel, Ordering::Acquire);
    }
}
