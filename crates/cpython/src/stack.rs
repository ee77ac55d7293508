//! The Python frames of a thread that stands still, read where they lie: nothing is
//! copied but what a frame and its code say.  Which threads there are and who stops them
//! is not known here.  CPython `Include/internal/pycore_frame.h`, `Python/pystate.c`.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use undying_graph::PythonFrame;
use undying_memory::{Image, ImageBuilder, Memory, Process};

use crate::code::{self, LineTable};
use crate::layout::{ABSENT, Layout};
use crate::lines::Range;
use crate::locate::{self, OpenError, Runtime};
use crate::space::{Body, Space};
use crate::text;

const MOST_INTERPRETERS: usize = 256;
const MOST_THREADS: usize = 1 << 12;
/// Of frames of which nothing is said, as at the entry from C (3.12 on).
const SHIM: u8 = 3;
/// A longer line table is not read.
const LONGEST_TABLE: u64 = 1 << 20;

/// Reads stacks of the threads of one process.
#[derive(Debug)]
pub struct Stacks {
    process: Process,
    runtime: Runtime,
    codes: FxHashMap<u64, Code>,
}

/// What was read of a code object, and the words by which it is known again.
#[derive(Debug)]
struct Code {
    mark: [u64; 4],
    function: Arc<str>,
    file: Arc<str>,
    lines: Vec<Range>,
    first_line: u32,
}

impl Stacks {
    /// Of the process with this number.  Nothing is stopped.
    pub fn open(pid: i32) -> Result<Stacks, OpenError> {
        let process = Process::open(pid)?;
        let mappings = process.mappings().map_err(|source| OpenError::Io { pid, source })?;
        let runtime = locate::locate(&process, &mappings)?;
        Ok(Stacks { process, runtime, codes: FxHashMap::default() })
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The interpreter that was found.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The frames of the thread with this base of thread-local storage, innermost first,
    /// at most so many; none where the thread runs no Python.  It must stand still.
    pub fn frames(&mut self, fs_base: u64, most: usize) -> Vec<PythonFrame> {
        let mut found = Vec::new();
        for state in self.states(fs_base) {
            self.walk(state, most, &mut found);
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    fn word(&self, address: u64, offset: u32) -> u64 {
        let at = address.checked_add(u64::from(offset)).filter(|_| address != 0 && offset != ABSENT);
        at.and_then(|a| self.process.word(a).ok()).unwrap_or(0)
    }

    /// The thread states of a native thread: one an interpreter.
    fn states(&self, fs_base: u64) -> Vec<u64> {
        let l = &self.runtime.layout;
        let mut found = Vec::new();
        let mut interpreter = self.word(self.runtime.address, l.runtime.interpreters_head);
        for _ in 0..MOST_INTERPRETERS {
            let mut state = self.word(interpreter, l.interp.threads_head);
            for _ in 0..MOST_THREADS {
                if state == 0 {
                    break;
                }
                if self.word(state, l.thread.thread_id) == fs_base {
                    found.push(state);
                }
                state = self.word(state, l.thread.next);
            }
            interpreter = self.word(interpreter, l.interp.next);
            if interpreter == 0 {
                break;
            }
        }
        found
    }

    /// Along the frames of a thread state.
    fn walk(&mut self, state: u64, most: usize, found: &mut Vec<PythonFrame>) {
        let l = self.runtime.layout;
        let objects = l.iframe.size == ABSENT;
        let (size, back) = if objects { (l.frame.size, l.frame.back) } else { (l.iframe.size, l.iframe.previous) };
        let mut at = match (objects, l.thread.cframe) {
            (true, _) => self.word(state, l.thread.frame),
            (false, ABSENT) => self.word(state, l.thread.current_frame),
            (false, cframe) => self.word(self.word(state, cframe), l.cframe.current_frame),
        };
        // a ring of frames without code would have no end
        for _ in 0..most.saturating_mul(4) {
            if at == 0 || found.len() >= most {
                return;
            }
            let bytes = read(&self.process, at, u64::from(size));
            let frame = Body(&bytes);
            if objects || frame.byte(l.iframe.owner) < SHIM {
                let (code, offset) = if objects { code::object_at(&l, frame) } else { code::frame_at(&l, frame) };
                found.extend(self.frame(code, offset));
            }
            at = frame.word(back);
        }
    }

    /// The frame of a code object at a byte of its instructions.
    fn frame(&mut self, address: u64, offset: u64) -> Option<PythonFrame> {
        let l = &self.runtime.layout;
        let bytes = read(&self.process, address, u64::from(l.code.size));
        if bytes.is_empty() {
            return None;
        }
        let mark = mark(l, Body(&bytes));
        if self.codes.get(&address).is_none_or(|c| c.mark != mark) {
            self.codes.insert(address, Code::read(&self.process, l, address, &bytes)?);
        }
        let code = self.codes.get(&address)?;
        let at = u32::try_from(offset).ok();
        let line = at.and_then(|o| code.lines.iter().find(|r| (r.start..r.end).contains(&o))?.line);
        let (function, file) = (code.function.clone(), code.file.clone());
        Some(PythonFrame { function, file, line: line.unwrap_or(code.first_line) })
    }
}

impl Code {
    fn read(process: &Process, layout: &Layout, address: u64, bytes: &[u8]) -> Option<Code> {
        let image = parts(process, layout, address, bytes)?;
        let space = Space::new(&image, process);
        let body = space.body_or_empty(address);
        let table = LineTable::read(&space, layout, body);
        let file = text::text(&space, layout, body.word(layout.code.filename));
        Some(Code {
            mark: mark(layout, body),
            function: code::name_in(&space, layout, body).unwrap_or_else(|| "?".into()).into(),
            file: file.unwrap_or_default().into(),
            lines: table.ranges().collect(),
            first_line: table.first_line,
        })
    }
}

/// Another code object at the same place has another name, file, table or line.
fn mark(layout: &Layout, code: Body) -> [u64; 4] {
    let c = &layout.code;
    [code.word(c.name), code.word(c.filename), code.word(table_at(layout)), u64::from(code.half(c.firstlineno))]
}

/// Where a code object keeps its line table.
fn table_at(layout: &Layout) -> u32 {
    if layout.code.linetable == ABSENT { layout.code.lnotab } else { layout.code.linetable }
}

/// A copy of a code object, its line table, and the head of its instructions (up to
/// 3.10, where they are an object).
fn parts(process: &Process, layout: &Layout, address: u64, bytes: &[u8]) -> Option<Image> {
    let head = Body(bytes);
    let table = head.word(table_at(layout));
    let room = u64::from(layout.bytes.value);
    let length = Body(&read(process, table, room)).word(crate::object::SIZE).min(LONGEST_TABLE);
    let mut wanted = vec![(address, bytes.len() as u64), (table, room + length)];
    if layout.code.code_adaptive == ABSENT {
        wanted.push((head.word(layout.code.code), room));
    }
    let room = wanted.iter().map(|w| w.1).sum();
    let mut image = ImageBuilder::with_room(room).ok()?;
    for (start, length) in wanted {
        let held = read(process, start, length);
        if !held.is_empty() {
            image.add(start, start.saturating_add(length), |to| {
                let n = to.len().min(held.len());
                to[..n].copy_from_slice(&held[..n]);
                n
            });
        }
    }
    Some(image.finish())
}

/// Bytes of the process; none where not all can be read.
fn read(process: &Process, address: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length.min(LONGEST_TABLE * 2)).unwrap_or(0)];
    match address != 0 && process.read(address, &mut bytes).is_ok() {
        true => bytes,
        false => Vec::new(),
    }
}
