//! Finds the runtime in a process: which mapped file is CPython, where `_PyRuntime`
//! lies, which version it is, and a layout that its own first structures agree with.
//! Reads the running process; nothing is stopped yet.

use undying_memory::{AttachError, Mappings, Memory, Module, Process, modules};

use crate::layout::{self, ABSENT, Layout};
use crate::{object, select};

/// `xdebugpy`, the first bytes of the table of offsets that 3.13 and later publish.
const COOKIE: u64 = u64::from_le_bytes(*b"xdebugpy");
/// No field of a runtime structure lies further in.
const FARTHEST: u64 = 1 << 20;

/// Why a process cannot be read as a Python.  One sentence each; what to do next is
/// part of it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be looked into at all.
    #[error("{0}{hint}", hint = hint(.0))]
    Attach(#[from] AttachError),
    /// No CPython in it.
    #[error(
        "process {pid} ({program}) is not a CPython: none of its mapped files defines _PyRuntime; give the process that runs python itself"
    )]
    NotPython {
        /// The process.
        pid: i32,
        /// Its program.
        program: String,
    },
    /// A CPython that this build has no table for.
    #[error(
        "process {pid} runs CPython {version}, and this undying reads {supported}; use one of these, or a newer undying"
    )]
    Unsupported {
        /// The process.
        pid: i32,
        /// As far as it could be told.
        version: String,
        /// What can be read.
        supported: String,
    },
    /// A free-threaded or otherwise different build.
    #[error(
        "process {pid} runs {what}, which this undying cannot read yet; use a default build of CPython {supported}"
    )]
    Flavour {
        /// The process.
        pid: i32,
        /// What it runs.
        what: String,
        /// What can be read.
        supported: String,
    },
    /// The interpreter is not up yet, or its structures are not where any table says.
    #[error(
        "the interpreter in process {pid} could not be made sense of ({why}); it may be starting or ending: try again in a moment"
    )]
    NotReady {
        /// The process.
        pid: i32,
        /// What did not fit.
        why: String,
    },
    /// The kernel refused something else.
    #[error("process {pid} cannot be read: {source}")]
    Io {
        /// The process.
        pid: i32,
        /// The refusal.
        source: std::io::Error,
    },
}

fn hint(e: &AttachError) -> String {
    e.hint().map_or(String::new(), |h| format!("; {h}"))
}

/// A CPython runtime in a process.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Address of `_PyRuntime`.
    pub address: u64,
    /// The offsets in force: the table's, overruled by the target's own.
    pub layout: Layout,
    /// The file it is in.
    pub file: String,
    /// How layout and place were found, for people.
    pub found: String,
}

/// Look for CPython among a process's mapped files.
pub fn locate(process: &Process, mappings: &Mappings) -> Result<Runtime, OpenError> {
    let pid = process.pid();
    let mut files = modules(process, mappings);
    files.sort_by_key(|m| !file_name(&m.path).contains("python"));
    let Some((file, address, how)) = files.iter().find_map(runtime_of) else {
        return Err(without_runtime(process, &files));
    };
    let published = published_version(process, address);
    let (major, minor) = match published.or_else(|| version_of(process, file)) {
        Some(v) => v,
        None => return guess(process, file, address, how),
    };
    let unsupported =
        || OpenError::Unsupported { pid, version: format!("{major}.{minor}"), supported: select::supported() };
    let table = select::table(major, minor).ok_or_else(unsupported)?;
    let mut layout = *table;
    let mut found = format!("{how}; table {major}.{minor}");
    if published.is_some() {
        if is_free_threaded(process, address, table) {
            let what = format!("a free-threaded build of CPython {major}.{minor}");
            return Err(OpenError::Flavour { pid, what, supported: select::supported() });
        }
        let changed = overlay(process, address, &mut layout);
        found.push_str(&format!("; {changed} of its own offsets differ"));
    }
    quick_proof(process, address, &layout).map_err(|why| OpenError::NotReady { pid, why })?;
    Ok(Runtime { address, layout, file: file.path.clone(), found })
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn runtime_of(m: &Module) -> Option<(&Module, u64, &'static str)> {
    if let Some(at) = m.symbol("_PyRuntime") {
        return Some((m, at, "symbol _PyRuntime"));
    }
    m.section(".PyRuntime").map(|s| (m, s.0, "section .PyRuntime"))
}

fn without_runtime(process: &Process, files: &[Module]) -> OpenError {
    let pid = process.pid();
    let old = files.iter().find(|m| m.symbol("PyType_Type").is_some());
    match old {
        Some(m) => OpenError::Unsupported {
            pid,
            version: version_in(file_name(&m.path)).map_or("older than 3.7".into(), |v| format!("{}.{}", v.0, v.1)),
            supported: select::supported(),
        },
        None => OpenError::NotPython { pid, program: process.program() },
    }
}

/// The version in the published table of offsets (3.13 on).
fn published_version(memory: &dyn Memory, runtime: u64) -> Option<(u8, u8)> {
    let ours = memory.word(runtime).ok()? == COOKIE;
    let hex = memory.word(runtime.checked_add(8)?).ok().filter(|_| ours)?;
    Some(((hex >> 24) as u8, (hex >> 16) as u8))
}

/// The version by the exported `Py_Version` (3.11 on), else by the file's name.
fn version_of(memory: &dyn Memory, m: &Module) -> Option<(u8, u8)> {
    let hex = m.symbol("Py_Version").and_then(|a| memory.half(a).ok());
    let exported = hex.map(|h| ((h >> 24) as u8, (h >> 16) as u8)).filter(|v| (2..=4).contains(&v.0));
    exported.or_else(|| version_in(file_name(&m.path)))
}

/// `libpython3.9.so.1.0` and `python3.11` → the version.
fn version_in(name: &str) -> Option<(u8, u8)> {
    let rest = &name[name.find("python")? + "python".len()..];
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Without a name or number: the table that fits.
fn guess(process: &Process, file: &Module, address: u64, how: &str) -> Result<Runtime, OpenError> {
    let mut why = String::new();
    for table in layout::TABLES.iter().rev() {
        match quick_proof(process, address, table) {
            Ok(()) => {
                let found = format!("{how}; table {}.{} by trial", table.version.0, table.version.1);
                return Ok(Runtime { address, layout: *table, file: file.path.clone(), found });
            }
            Err(e) => why = e,
        }
    }
    Err(OpenError::NotReady { pid: process.pid(), why })
}

fn is_free_threaded(memory: &dyn Memory, runtime: u64, layout: &Layout) -> bool {
    let at = layout.debug_offsets.free_threaded;
    at != ABSENT && memory.word(runtime.wrapping_add(u64::from(at))).is_ok_and(|f| f != 0)
}

/// Take the target's own offsets over the table's; how many differed.  A value that
/// cannot be an offset is left alone.
fn overlay(memory: &dyn Memory, runtime: u64, layout: &mut Layout) -> usize {
    let d = layout.debug_offsets;
    let l = layout;
    let pairs: [(u32, &mut u32); 15] = [
        (d.runtime_interpreters_head, &mut l.runtime.interpreters_head),
        (d.interp_next, &mut l.interp.next),
        (d.interp_threads_head, &mut l.interp.threads_head),
        (d.interp_gc, &mut l.interp.gc),
        (d.interp_imports_modules, &mut l.interp.modules),
        (d.interp_sysdict, &mut l.interp.sysdict),
        (d.interp_builtins, &mut l.interp.builtins),
        (d.thread_next, &mut l.thread.next),
        (d.thread_current_frame, &mut l.thread.current_frame),
        (d.thread_thread_id, &mut l.thread.thread_id),
        (d.thread_native_thread_id, &mut l.thread.native_thread_id),
        (d.frame_previous, &mut l.iframe.previous),
        (d.frame_executable, &mut l.iframe.code),
        (d.frame_localsplus, &mut l.iframe.localsplus),
        (d.gc_collecting, &mut l.gc_state.collecting),
    ];
    let mut changed = 0;
    for (at, ours) in pairs {
        let theirs = memory.word(runtime.wrapping_add(u64::from(at)));
        if let (true, Ok(theirs @ ..=FARTHEST)) = (at != ABSENT, theirs) {
            changed += usize::from(*ours != theirs as u32);
            *ours = theirs as u32;
        }
    }
    changed
}

/// Whether the first interpreter looks like one: modules, `sys` and builtins are
/// dictionaries by their type's name, and a thread belongs to it.
fn quick_proof(memory: &dyn Memory, runtime: u64, layout: &Layout) -> Result<(), String> {
    let word = |a: u64, o: u32| memory.word(a.wrapping_add(u64::from(o))).map_err(|f| f.to_string());
    let interpreter = word(runtime, layout.runtime.interpreters_head)?;
    if interpreter == 0 {
        return Err("it has no interpreter".into());
    }
    for (name, offset) in
        [("modules", layout.interp.modules), ("sys", layout.interp.sysdict), ("builtins", layout.interp.builtins)]
    {
        let dict = word(interpreter, offset)?;
        let class = word(dict, object::TYPE).map_err(|_| format!("{name} is not where it should be"))?;
        let text = word(class, layout.type_.name).and_then(|a| memory.c_string(a, 64).map_err(|f| f.to_string()));
        if text.as_deref() != Ok("dict") {
            return Err(format!("{name} is no dictionary"));
        }
    }
    let thread = word(interpreter, layout.interp.threads_head)?;
    if thread == 0 || word(thread, layout.thread.interp)? != interpreter {
        return Err("it has no thread".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_in_file_names() {
        assert_eq!(version_in("libpython3.9.so.1.0"), Some((3, 9)));
        assert_eq!(version_in("python3.11"), Some((3, 11)));
        assert_eq!(version_in("libpython3.6m.so.1.0"), Some((3, 6)));
        assert_eq!(version_in("python3"), None);
        assert_eq!(version_in("bash"), None);
    }
}
