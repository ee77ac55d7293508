//! Changes of objects' reference counts as they happened, one after another: who wrote,
//! from which native code, in which line of Python.  Knows neither how they were
//! witnessed nor what they mean.

use std::sync::Arc;

/// One write to a reference count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Which of the objects that were watched, from 0.
    pub object: usize,
    /// The kernel's number of the thread that wrote.
    pub thread: i32,
    /// The word before.
    pub before: u64,
    /// The word after.  Not always one more or one less: at a birth it is 1 whatever was
    /// there, several changes may be written at once, and the memory of a dead object is
    /// used for something else.
    pub after: u64,
    /// Whether the function outside of the interpreter, within which this happened, returned
    /// the object to the interpreter; `None` where that was not seen.
    pub returned: Option<bool>,
    /// Native frames, innermost first, inlined functions in the order of their calls.
    pub native: Arc<[NativeFrame]>,
    /// Python frames of the thread, innermost first.
    pub python: Arc<[PythonFrame]>,
}

impl Change {
    /// References gained, or lost where below 0.
    pub fn delta(&self) -> i64 {
        self.after.wrapping_sub(self.before) as i64
    }
}

/// A function of native code that was running.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NativeFrame {
    /// The instruction that wrote, or the one behind a call.  Inlined functions have that
    /// of the function they are a part of.
    pub address: u64,
    /// Where the frame of the function begins on its stack: tells one call from another.
    pub stack: u64,
    /// The function, demangled.
    pub function: Option<Arc<str>>,
    /// The mapped file; empty where it is none.
    pub library: Arc<str>,
    /// The source file, where there is debug information.
    pub file: Option<Arc<str>>,
    /// The line in it.
    pub line: Option<u32>,
    /// A part of the frame that follows.
    pub inlined: bool,
    /// The library is the Python interpreter itself.
    pub interpreter: bool,
}

/// A Python function that was running.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PythonFrame {
    /// The function, qualified from 3.11 on.
    pub function: Arc<str>,
    /// The file as the code names it.
    pub file: Arc<str>,
    /// The line; 0 where it is not known.
    pub line: u32,
}
