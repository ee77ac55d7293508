//! Words outside of objects that equal an object's address: variables of libraries,
//! stacks and registers of threads, their own storage, memory that C code asked for.
//! Each may be a reference or a stale copy of one, so they are told only of objects that
//! are counted more often than the references found, and explain that at best.

use rustc_hash::FxHashMap;
use undying_graph::{LabelId, NodeId, Root, RootKind, Sink};
use undying_memory::{Captured, Thread};

use crate::allocator::Block;
use crate::index::Index;
use crate::object::{Count, flag};
use crate::owners::Owners;
use crate::text::State;
use crate::visit::Context;
use crate::{object, size};

/// What lies below the stack pointer is still in use (System V ABI, x86-64: the red zone).
const RED_ZONE: u64 = 128;
/// Thread-local variables lie before the thread's base, its `struct pthread` behind it.
const LOCAL_BEFORE: u64 = 8 << 10;
const LOCAL_BEHIND: u64 = 0x900;
/// A block longer than this is data.
const LONGEST_BLOCK: u64 = 1 << 28;
/// `tp_doc` (`Include/cpython/object.h`; the same place in 3.8 to 3.13).
const TYPE_DOC: u32 = 176;
/// More are not told of one process.
const MOST: usize = 4 << 20;

/// Looks for words that hold objects.
pub struct Natives<'n, 'a, S: Sink + ?Sized> {
    cx: &'n Context<'a>,
    index: &'n Index,
    /// References known of each object, used up as words are found.
    counted: Vec<u32>,
    sink: &'n mut S,
    found: Vec<Root>,
}

impl<'n, 'a, S: Sink + ?Sized> Natives<'n, 'a, S> {
    /// `counted` references are known of each object.
    pub fn new(cx: &'n Context<'a>, index: &'n Index, counted: Vec<u32>, sink: &'n mut S) -> Self {
        Natives { cx, index, counted, sink, found: Vec::new() }
    }

    /// Counts a reference that somebody else reports.
    pub fn known(&mut self, target: u64) {
        if let Some(id) = self.index.id(self.cx.space.image, target) {
            self.count(id);
        }
    }

    fn count(&mut self, id: u32) {
        if let Some(count) = self.counted.get_mut(id as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Everything, in the order of what it proves: variables, interpreters, threads, blocks.
    pub fn run(
        mut self,
        captured: &Captured,
        raw: &[Block],
        states: &FxHashMap<u64, String>,
        compiled: &[u64],
    ) -> Vec<Root> {
        self.variables();
        compiled.iter().for_each(|&code| self.constants(code));
        for thread in &captured.threads {
            self.thread(captured, thread);
        }
        self.blocks(raw, states);
        self.found
    }

    /// The number of an object that lies at `word` and is counted more often than known.
    #[inline]
    fn wanting(&self, word: u64) -> Option<u32> {
        if word < 0x1000 || word & 7 != 0 {
            return None;
        }
        let id = self.index.id(self.cx.space.image, word)?;
        let count = self.cx.space.image.word_at(word).unwrap_or(0);
        match self.cx.shape.counting.decode(count) {
            Count::Mortal(n) if n > u64::from(*self.counted.get(id as usize)?) => Some(id),
            _ => None,
        }
    }

    /// The same of a string whose characters lie at `word`: numpy keeps those of the
    /// documentation that it gives its functions, and a reference to the string with them.
    fn wanting_text(&self, word: u64) -> Option<u32> {
        let (layout, space) = (self.cx.layout, self.cx.space);
        let address = word.checked_sub(u64::from(layout.ascii.size))?;
        let id = self.wanting(address)?;
        let body = space.body(address)?;
        let class = self.cx.classes.at(space, layout, body.word(object::TYPE)).and_then(|n| self.cx.classes.get(n))?;
        let state = State::decode(body.half(layout.ascii.state));
        (class.flags >> 28 & 1 == 1 && state.compact && state.ascii).then_some(id)
    }

    fn take(&mut self, id: u32, kind: RootKind, label: LabelId) {
        if self.found.len() < MOST {
            self.count(id);
            self.found.push(Root { node: NodeId(id), kind, label });
        }
    }

    /// Words of a stretch of memory, under one name.
    fn stretch(&mut self, start: u64, end: u64, kind: RootKind, name: &dyn Fn() -> String) {
        let mut label = LabelId::NONE;
        let words = end.saturating_sub(start) / 8;
        let mut before = 0;
        for word in self.cx.space.body_or_empty(start).words(0, words) {
            // a key of a table by address, behind its hash (`_Py_HashPointerRaw`,
            // Python/hashtable.c: tracemalloc's): it names a block and holds nothing
            let is_key = before == word.rotate_right(4);
            before = word;
            if let Some(id) = self.wanting(word).filter(|_| !is_key) {
                if label == LabelId::NONE {
                    label = self.sink.label(&name());
                }
                self.take(id, kind, label);
            }
        }
    }

    /// Variables of libraries and of the executable; what static objects hold is told by
    /// these.
    ///
    /// The interpreter's own variables come last: its caches and free lists keep what they
    /// do not own.
    fn variables(&mut self) {
        let cx = self.cx;
        let (own, others): (Vec<_>, Vec<_>) = cx.statics.parts().partition(|p| cx.statics.is_interpreter(p.0));
        self.variables_of(others);
        self.variables_of(own);
    }

    fn variables_of(&mut self, parts: Vec<(u64, u64)>) {
        let cx = self.cx;
        for (start, end) in parts {
            let mut at = start.next_multiple_of(8);
            while at + 8 <= end {
                if self.index.id(cx.space.image, at).is_some() {
                    self.documentation(at);
                    at += self.static_object(at).next_multiple_of(8).max(16);
                    continue;
                }
                let word = cx.space.image.word_at(at).unwrap_or(0);
                if let Some(id) = self.wanting(word).or_else(|| self.wanting_text(word)) {
                    let label = cx.statics.variable(at).map_or(LabelId::NONE, |l| self.sink.label(&l));
                    self.take(id, RootKind::Static, label);
                }
                at += 8;
            }
        }
    }

    /// What Cython's modules keep for each function, in variables that the compiler leaves
    /// out where nothing reads them: its code object and the names of its variables.
    fn constants(&mut self, code: u64) {
        let varnames = self.cx.space.body_or_empty(code).word(self.cx.layout.code.varnames);
        for id in [code, varnames].into_iter().filter_map(|a| self.wanting(a)).collect::<Vec<_>>() {
            let label = self.sink.label("constants of a module that Cython compiled");
            self.take(id, RootKind::Static, label);
        }
    }

    /// The text of a static type's `tp_doc`, which may be a string's.
    fn documentation(&mut self, address: u64) {
        let cx = self.cx;
        let body = cx.space.body_or_empty(address);
        let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n));
        if !class.is_some_and(|c| c.has(flag::TYPE_SUBCLASS)) {
            return;
        }
        if let Some(id) = self.wanting_text(body.word(TYPE_DOC)) {
            let label = cx.statics.variable(address).map_or(LabelId::NONE, |l| self.sink.label(&l));
            self.take(id, RootKind::Static, label);
        }
    }

    /// Bytes of an object among the variables.
    fn static_object(&self, address: u64) -> u64 {
        let cx = self.cx;
        let body = cx.space.body_or_empty(address);
        let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n));
        class.map_or(16, |c| match c.has(flag::TYPE_SUBCLASS) {
            true => u64::from(cx.layout.type_.size),
            false => size::of_body(cx, c, body),
        })
    }

    /// A thread's stack from where it stands, its registers and its own variables; nothing
    /// of a thread of our own process, which tells no registers.
    fn thread(&mut self, captured: &Captured, thread: &Thread) {
        let name = if thread.name.is_empty() { "thread".to_owned() } else { thread.name.clone() };
        let name = format!("{name} {}", thread.tid);
        let r = &thread.registers;
        if r.rsp == 0 {
            // without a stack pointer nobody can tell the stack's living part from the dead,
            // nor thread-local variables from the stack that ends where they begin
            return;
        }
        let stack = captured.mappings.find(r.rsp).filter(|m| m.perms.w);
        let stack = stack.map_or((0, 0), |m| (r.rsp.saturating_sub(RED_ZONE).max(m.start) & !7, m.end));
        self.pieces(stack, RootKind::Stack, &|| format!("{name} · C stack"));
        let words = r.general;
        for id in words.into_iter().filter_map(|w| self.wanting(w)).collect::<Vec<_>>() {
            let label = self.sink.label(&format!("{name} · register"));
            self.take(id, RootKind::Stack, label);
        }
        let inside = (stack.0..stack.1).contains(&r.fs_base);
        if r.fs_base != 0 && !inside {
            let own = (r.fs_base.saturating_sub(LOCAL_BEFORE) & !7, r.fs_base.saturating_add(LOCAL_BEHIND));
            self.pieces(own, RootKind::Thread, &|| format!("{name} · thread-local variable"));
        }
    }

    /// A stretch, of which parts may not have been copied.
    fn pieces(&mut self, range: (u64, u64), kind: RootKind, name: &dyn Fn() -> String) {
        for (start, end) in self.cx.space.image.within(range) {
            self.stretch(start, end, kind, name);
        }
    }

    /// Memory that C code asked for and that no known object owns.
    fn blocks(&mut self, raw: &[Block], states: &FxHashMap<u64, String>) {
        let owners = Owners::find(self.cx, raw);
        for block in raw.iter().filter(|b| b.length <= LONGEST_BLOCK) {
            let state = states.get(&block.start);
            let kind = if state.is_some() { RootKind::Interpreter } else { RootKind::Native };
            let variable = || owners.of(block).and_then(|v| self.cx.statics.variable(v));
            let name = || match (state, variable()) {
                (Some(state), _) => state.clone(),
                (None, Some(variable)) => format!("{variable} → C allocation of {} bytes", block.length),
                (None, None) => format!("C allocation of {} bytes", block.length),
            };
            self.stretch(block.start, block.start.saturating_add(block.length), kind, &name);
        }
    }
}
