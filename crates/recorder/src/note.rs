//! What is noted at each write: old and new value and the two stacks.  Each stack is kept
//! once, as numbers, and gets its names when the target runs again.

use std::ops::Range;
use std::sync::Arc;

use nix::sys::ptrace;
use nix::unistd::Pid;
use rustc_hash::FxHashMap;
use undying_cpython::Stacks;
use undying_graph::{Change, PythonFrame};
use undying_memory::{Memory, Process};

use crate::names::Names;
use crate::unwind::{Place, Unwinder};
use crate::{End, Recording};

/// Notes of one recording.
pub(crate) struct Notes {
    stacks: Stacks,
    unwinder: Unwinder,
    addresses: Vec<u64>,
    frames: usize,
    first: Vec<u64>,
    last: Vec<u64>,
    writes: u64,
    rows: Vec<Row>,
    native: Table<Vec<Place>>,
    /// By number of the native stack: where its function outside of the interpreter returns.
    back: Vec<Option<Place>>,
    python: Table<Vec<PythonFrame>>,
}

/// One change.
struct Row {
    object: usize,
    thread: i32,
    before: u64,
    after: u64,
    returned: Option<bool>,
    native: usize,
    python: usize,
}

/// Each value once.
struct Table<T> {
    numbers: FxHashMap<T, usize>,
}

impl<T: std::hash::Hash + Eq> Table<T> {
    fn number(&mut self, value: T) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(value).or_insert(next)
    }

    /// The values by number, each made into something.
    fn each<U>(self, mut make: impl FnMut(T) -> U) -> Vec<U> {
        let mut all: Vec<(T, usize)> = self.numbers.into_iter().collect();
        all.sort_unstable_by_key(|e| e.1);
        all.into_iter().map(|e| make(e.0)).collect()
    }
}

impl Notes {
    /// Of these words, from now on.
    pub fn new(stacks: Stacks, addresses: &[u64], frames: usize) -> Notes {
        let unwinder = Unwinder::new(stacks.process());
        let first: Vec<u64> = addresses.iter().map(|&a| stacks.process().word(a).unwrap_or(0)).collect();
        Notes {
            unwinder,
            addresses: addresses.to_vec(),
            frames,
            last: first.clone(),
            first,
            writes: 0,
            rows: Vec::new(),
            native: Table { numbers: FxHashMap::default() },
            back: Vec::new(),
            python: Table { numbers: FxHashMap::default() },
            stacks,
        }
    }

    /// The values from which on changes are noted: read again when the target is about to go.
    pub fn begin(&mut self) {
        let process = self.stacks.process();
        self.first = self.addresses.iter().map(|&a| process.word(a).unwrap_or(0)).collect();
        self.last = self.first.clone();
        self.rows.clear();
        self.writes = 0;
    }

    /// How many changes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// A thread that stands wrote the words of these bits.  Where the function outside of
    /// the interpreter that did it will return to, and the changes that were noted.
    pub fn written(&mut self, thread: i32, words: u64) -> Option<(Place, Range<usize>)> {
        let process = self.stacks.process().clone();
        let first = self.rows.len();
        let mut stack = None;
        for object in (0..self.addresses.len()).filter(|i| words >> i & 1 == 1) {
            self.writes += 1;
            let Ok(after) = process.word(self.addresses[object]) else { continue };
            let before = std::mem::replace(&mut self.last[object], after);
            if before == after {
                continue;
            }
            let (native, python) = *stack.get_or_insert_with(|| self.stack(&process, thread));
            self.rows.push(Row { object, thread, before, after, returned: None, native, python });
        }
        let (native, _) = stack?;
        Some(((*self.back.get(native)?)?, first..self.rows.len()))
    }

    /// The function within which these changes happened returned this.
    pub fn returned(&mut self, changes: &[usize], value: u64) {
        for &change in changes {
            if let Some(row) = self.rows.get_mut(change) {
                row.returned = self.addresses.get(row.object).map(|&a| a == value);
            }
        }
    }

    /// The numbers of the two stacks of a thread that stands.
    fn stack(&mut self, process: &Process, thread: i32) -> (usize, usize) {
        let registers = ptrace::getregs(Pid::from_raw(thread)).ok();
        let native = registers.map(|r| self.unwinder.frames(process, &r, self.frames)).unwrap_or_default();
        let python = registers.map(|r| self.stacks.frames(r.fs_base, self.frames)).unwrap_or_default();
        let back = self.unwinder.way_back(&native, &self.stacks.runtime().file);
        let native = self.native.number(native);
        if native == self.back.len() {
            self.back.push(back);
        }
        (native, self.python.number(python))
    }

    /// With names, at most so many changes; the target runs.
    pub fn finish(mut self, end: End, most: usize) -> Recording {
        // some were met when the registers were taken back
        self.rows.truncate(most);
        let process = self.stacks.process();
        let now = |(&address, &last): (&u64, &u64)| process.word(address).unwrap_or(last);
        let last = self.addresses.iter().zip(&self.last).map(now).collect();
        let interpreter = self.stacks.runtime().file.clone();
        let mut names = Names::new(process, self.unwinder.into_modules(), &interpreter);
        let native = self.native.each(|places| names.frames(&places));
        let python: Vec<Arc<[PythonFrame]>> = self.python.each(Arc::from);
        let change = |row: Row| Change {
            object: row.object,
            thread: row.thread,
            before: row.before,
            after: row.after,
            returned: row.returned,
            native: native[row.native].clone(),
            python: python[row.python].clone(),
        };
        let changes = self.rows.into_iter().map(change).collect();
        let complete = end == End::Done;
        Recording { changes, complete, end, first: self.first, last, writes: self.writes, interpreter }
    }
}
