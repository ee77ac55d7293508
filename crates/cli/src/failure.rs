//! What went wrong, as one sentence and an exit code.  Every way to end badly is
//! listed here; README.md documents the same list.

use std::fmt;
use std::io;

use undying_cpython::{CaptureError, OpenError};
use undying_graph::Cancelled;
use undying_snapshot::{ReadError, WriteError};

/// The exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// What was asked for was done.
    Done,
    /// It was done, and found what `--fail-on` named.
    Found,
    /// The command line, or a destination that would be overwritten.
    Usage,
    /// The target cannot be read: gone, not permitted, not CPython, an unsupported build.
    Target,
    /// The snapshot is damaged or from a newer schema.
    Snapshot,
    /// The result could not be written.
    Output,
    /// Interrupted by the signal with this number.
    Interrupted(i32),
}

impl Exit {
    /// As the process's exit status.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Found => 1,
            Exit::Usage => 2,
            Exit::Target => 3,
            Exit::Snapshot => 4,
            Exit::Output => 5,
            Exit::Interrupted(signal) => 128u8.wrapping_add(signal as u8),
        }
    }
}

/// Why a command was not done.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One sentence: what was wrong, with what, what to do next.  Empty when
    /// there is nobody to tell (a closed pipe).
    pub sentence: String,
}

impl Failure {
    /// With its sentence.
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Failure {
        Failure { exit, sentence: sentence.into() }
    }

    /// The output is a pipe that nobody reads any more: as if all had been read.
    pub fn closed_pipe() -> Failure {
        Failure::new(Exit::Done, "")
    }

    /// Writing to standard output or standard error failed.
    pub fn output(e: io::Error) -> Failure {
        if e.kind() == io::ErrorKind::BrokenPipe {
            return Failure::closed_pipe();
        }
        Failure::new(Exit::Output, format!("cannot write the result: {e}; free some space or write elsewhere"))
    }

    /// Stopped by a signal.
    pub fn interrupted(signal: i32) -> Failure {
        Failure::new(Exit::Interrupted(signal), "interrupted; nothing was left behind")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<WriteError> for Failure {
    fn from(e: WriteError) -> Failure {
        let exit = match e {
            WriteError::Exists(_) | WriteError::NotOurs(_) | WriteError::NoName(_) => Exit::Usage,
            WriteError::Unfinished(_) | WriteError::Io { .. } => Exit::Output,
        };
        let advice = match e {
            WriteError::Io { .. } => "; nothing was left behind, choose a place with enough room with -o",
            _ => "",
        };
        Failure::new(exit, format!("{e}{advice}"))
    }
}

impl From<ReadError> for Failure {
    fn from(e: ReadError) -> Failure {
        let exit = match e {
            ReadError::NotASnapshot { .. } | ReadError::Io { .. } => Exit::Target,
            ReadError::Damaged { .. } | ReadError::Newer { .. } => Exit::Snapshot,
            ReadError::Cancelled => return Failure::from(Cancelled),
        };
        let advice = match e {
            ReadError::NotASnapshot { .. } => "; give a pid, or a directory that undying dump wrote",
            ReadError::Io { .. } => "; check the path and its permissions",
            _ => "",
        };
        Failure::new(exit, format!("{e}{advice}"))
    }
}

impl From<OpenError> for Failure {
    fn from(e: OpenError) -> Failure {
        use undying_memory::AttachError::{Gone, Itself, KernelThread, Zombie};
        let advice = match e {
            OpenError::Attach(Gone { .. } | Zombie { .. } | KernelThread { .. } | Itself { .. }) => {
                "; pgrep -a python lists the Python processes there are"
            }
            _ => "",
        };
        Failure::new(Exit::Target, format!("{e}{advice}"))
    }
}

impl From<CaptureError> for Failure {
    fn from(e: CaptureError) -> Failure {
        match e {
            CaptureError::Cancelled => Failure::from(Cancelled),
            CaptureError::Io(e) => Failure::output(e),
            _ => Failure::new(Exit::Target, e.to_string()),
        }
    }
}

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Failure {
        Failure::interrupted(crate::signals::received())
    }
}
