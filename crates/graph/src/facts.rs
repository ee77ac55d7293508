//! What is known of the target as a whole, of its classes, and of its memory.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::edge::named_enum;
use crate::{LabelId, NodeId};

named_enum! {
    /// Whose code a class or module is.
    Origin {
        /// Part of the interpreter: builtin or frozen, a static type of the executable.
        Builtin = "builtin",
        /// The standard library.
        Stdlib = "stdlib",
        /// Installed (site-packages, dist-packages).
        Library = "library",
        /// The program's own.
        Program = "program",
    }
}

/// One class.  Row number = [`crate::TypeId`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeRow {
    /// `module.Qualname`; a builtin's bare name (`dict`, `NoneType`).
    pub name: LabelId,
    /// The class object itself.
    pub object: Option<NodeId>,
    /// `__basicsize__`.
    pub basic_bytes: u64,
    /// `__itemsize__`.
    pub item_bytes: u64,
    /// The file whose data holds a static type; `None` for a class made at run time.
    pub module_file: LabelId,
    /// Whose code it is.
    pub origin: Origin,
    /// Whether instances can take part in collection (`Py_TPFLAGS_HAVE_GC`).
    pub has_gc: bool,
    /// Whether the class has a finalizer written in Python (`__del__`).
    pub has_del: bool,
}

/// One stretch of the target's address space and who claims it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionRow {
    /// First address.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// `rwxp`, as in /proc/PID/maps.
    pub permissions: String,
    /// Offset in the file.
    pub offset: u64,
    /// The file or the kernel's name, "" for anonymous memory.
    pub path: String,
    /// Bytes that were resident at the capture; `None` when not known.
    pub resident_bytes: Option<u64>,
    /// What it is: `arena`, `heap`, `stack`, `data`, `text`, `file`, `anonymous`…
    pub claim: String,
}

/// A loaded file of native code that calls Python.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Library {
    /// The file.
    pub path: String,
    /// What wrote its code: `cython`, `swig`, `pybind11`, `nanobind`, `cffi`, `rust`; `hand`
    /// where no trace of any is in it.
    pub written_by: String,
    /// Builtin types of which it calls a function that makes instances.
    pub makes: Vec<String>,
}

/// Things that were met while reading and could not be right: by kind, how many.
pub type Defects = BTreeMap<String, u64>;

/// The target and the circumstances of the capture.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)] // what an older file does not know is empty
pub struct Facts {
    /// Seconds since 1970, UTC.
    pub captured_at: f64,
    /// `3.12.1`.
    pub python: String,
    /// `default`, `debug`, `free-threaded`.
    pub flavour: String,
    /// Which layout table was used, and how it was proved.
    pub layout: String,
    /// The target's process id (0 where there is none).
    pub pid: i64,
    /// The program's name (the command line's first words; no arguments that may hold secrets).
    pub program: String,
    /// The machine's name.
    pub host: String,
    /// How long the target stood still, in seconds, all tries together.
    pub paused_seconds: f64,
    /// How often it was stopped.
    pub stops: u32,
    /// Whether it stood outside the collector and the allocator when it was copied.
    pub at_rest: bool,
    /// Bytes copied from the target.
    pub copied_bytes: u64,
    /// The target's resident size in bytes when it was captured.
    pub resident_bytes: u64,
    /// Whether the cyclic collector was switched on (`gc.isenabled()`).
    pub gc_enabled: Option<bool>,
    /// `gc.get_threshold()`.
    pub gc_thresholds: Vec<i64>,
    /// `gc.get_count()`.
    pub gc_counts: Vec<i64>,
    /// Threads of the interpreter(s).
    pub threads: u32,
    /// Interpreters.
    pub interpreters: u32,
    /// What could not be right, by kind.
    pub defects: Defects,
    /// The threads' stacks were looked at for what they hold.
    pub stacks: bool,
    /// Extension modules that are loaded and are not the interpreter's own.
    pub libraries: Vec<Library>,
    /// Whether short previews of values were captured.
    pub values: bool,
}
