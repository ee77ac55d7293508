//! Names for lines: a stack of `tracemalloc` knows file and line of a frame, not its
//! function.  That is the innermost code object of the file whose table has the line; code
//! that is gone (a module's, a class body's) cannot be found, and its lines stay unnamed.

use rustc_hash::FxHashMap;
use undying_graph::{LabelId, Sink};

use crate::code::{self, LineTable};
use crate::object;
use crate::text;
use crate::visit::Context;

/// `CO_GENERATOR`, `CO_COROUTINE`, `CO_ASYNC_GENERATOR` (Include/cpython/code.h): the
/// call itself makes something, on the first line.
const MAKES_ON_CALL: u32 = 0x20 | 0x80 | 0x200;
/// Bytes of all tables of one file.
const MOST_BYTES: u64 = 1 << 24;
/// Constants of a code object that are looked through for inner functions.
const MOST_CONSTANTS: u64 = 1 << 12;

/// The code of one function.
struct Function {
    code: u64,
    first: u32,
    generates: bool,
    /// Its lines, ascending.
    lines: Vec<u32>,
}

/// Code objects of the heap by file, their tables read when first asked for.
pub struct Functions {
    codes: Vec<u64>,
    by_file: FxHashMap<LabelId, Vec<u64>>,
    read: FxHashMap<LabelId, Vec<Function>>,
    known: FxHashMap<(LabelId, u32), LabelId>,
    sorted: bool,
}

impl Functions {
    /// Of all code objects of the heap.
    pub fn new(codes: Vec<u64>) -> Functions {
        let (by_file, read, known) = Default::default();
        Functions { codes, by_file, read, known, sorted: false }
    }

    /// The name of the function that a line of a file belongs to.
    pub fn name<S: Sink + ?Sized>(&mut self, cx: &Context, sink: &mut S, file: LabelId, line: u32) -> LabelId {
        if let Some(&known) = self.known.get(&(file, line)) {
            return known;
        }
        self.sort(cx, sink);
        let codes = self.by_file.get(&file).map_or(&[][..], Vec::as_slice);
        let all = self.read.entry(file).or_insert_with(|| read_all(cx, codes));
        let name = innermost(cx, all, line).and_then(|c| code::name(cx, c));
        let name = name.map_or(LabelId::NONE, |n| sink.label(&n));
        self.known.insert((file, line), name);
        name
    }

    /// Puts the code objects to their files.
    fn sort<S: Sink + ?Sized>(&mut self, cx: &Context, sink: &mut S) {
        if std::mem::replace(&mut self.sorted, true) {
            return;
        }
        let mut files: FxHashMap<u64, LabelId> = FxHashMap::default();
        for &code in &self.codes {
            let file = cx.space.body_or_empty(code).word(cx.layout.code.filename);
            let label = *files.entry(file).or_insert_with(|| {
                let text = text::text(cx.space, cx.layout, file);
                text.map_or(LabelId::NONE, |t| sink.label(&t))
            });
            self.by_file.entry(label).or_default().push(code);
        }
    }
}

fn read_all(cx: &Context, codes: &[u64]) -> Vec<Function> {
    let mut left = MOST_BYTES;
    codes.iter().map_while(|&code| read(cx, code, &mut left)).collect()
}

/// `None` when the file's tables are too long together.
fn read(cx: &Context, code: u64, left: &mut u64) -> Option<Function> {
    let body = cx.space.body_or_empty(code);
    let table = LineTable::of(cx, body);
    *left = left.checked_sub(table.bytes.len() as u64)?;
    let mut lines: Vec<u32> = table.ranges().filter_map(|r| r.line).collect();
    lines.sort_unstable();
    lines.dedup();
    let generates = body.half(cx.layout.code.flags) & MAKES_ON_CALL != 0;
    Some(Function { code, first: table.first_line, generates, lines })
}

/// The innermost function of these with the line; `None` where none has it or two may.
/// On its first line a longer function is only called: what is made there, the function
/// itself or a class, is made by the code around it, unless it is a generator.
fn innermost(cx: &Context, all: &[Function], line: u32) -> Option<u64> {
    let has = |f: &&Function| f.lines.binary_search(&line).is_ok();
    let inside = |f: &&Function| line != f.first || f.lines.len() == 1;
    let latest = |of: Vec<&Function>| {
        let first = of.iter().map(|f| f.first).max()?;
        let mut last = of.into_iter().filter(|f| f.first == first);
        let mut one = last.next()?;
        for other in last {
            // one function made twice, one within the other, or two on one line
            one = match (holds(cx, one.code, other.code), holds(cx, other.code, one.code)) {
                (true, _) => other,
                (_, true) => one,
                _ if code::name(cx, one.code) == code::name(cx, other.code) => one,
                _ => return None,
            };
        }
        Some(one.code)
    };
    let all: Vec<&Function> = all.iter().filter(has).collect();
    let within: Vec<&Function> = all.iter().copied().filter(|f| inside(f)).collect();
    if within.is_empty() { latest(all.into_iter().filter(|f| f.generates).collect()) } else { latest(within) }
}

/// Whether the code object has the other among its constants.
fn holds(cx: &Context, outer: u64, inner: u64) -> bool {
    let constants = cx.space.body_or_empty(cx.space.body_or_empty(outer).word(cx.layout.code.consts));
    let count = constants.word(object::SIZE).min(MOST_CONSTANTS);
    constants.words(cx.layout.tuple.item, count).any(|c| c == inner)
}
