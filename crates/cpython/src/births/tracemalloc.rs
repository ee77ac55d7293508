//! `tracemalloc`'s table of traces, read where it lies: block address to stack
//! (CPython `Modules/_tracemalloc.c` up to 3.11, `Python/tracemalloc.c` from 3.12;
//! `_Py_hashtable_t` of `Modules/hashtable.h` in 3.8, `pycore_hashtable.h` after).
//! Nothing is copied out of it but stacks.

use rustc_hash::FxHashMap;
use undying_graph::{Births, NodeId, PlaceRow, Recorder, Sink};

use super::Wrong;
use super::functions::Functions;
use super::places::Places;
use crate::builtin::Visitor;
use crate::index::Index;
use crate::layout::ABSENT;
use crate::object;
use crate::space::Body;
use crate::text;
use crate::visit::Context;

/// Entries of one bucket: the table grows at one entry for two buckets.
const LONGEST_CHAIN: usize = 64;
/// Buckets that a proof looks at, and entries it needs.
const PROOF_BUCKETS: u64 = 1 << 14;
const PROOF_ENTRIES: usize = 4;
/// `MAX_NFRAME` (3.9 on: a 16-bit number).
const MOST_FRAMES: u32 = u16::MAX as u32;

/// The table.
pub struct Traces<'a> {
    buckets: Body<'a>,
    mask: u64,
    /// Of an entry: where its key is.
    key: u32,
    /// Where the trace is: in the entry (3.8), or a pointer to it.
    trace: u32,
    inline: bool,
}

/// `_Py_HashPointer`.
fn hash(address: u64) -> u64 {
    address.rotate_right(4)
}

impl<'a> Traces<'a> {
    /// A table that may be one, by its own numbers.
    fn at(cx: &Context<'a>, address: u64) -> Option<Traces<'a>> {
        let (h, e) = (&cx.layout.hashtable, &cx.layout.hashtable_entry);
        let table = cx.space.body(address)?;
        let (count, entries) = (table.word(h.bucket_count), table.word(h.entries));
        if !count.is_power_of_two() || count < 16 || entries == 0 || entries > count.saturating_mul(4) {
            return None;
        }
        let buckets = cx.space.body(table.word(h.buckets))?;
        if count > buckets.0.len() as u64 / 8 {
            return None;
        }
        let inline = e.key == ABSENT;
        let widths = (table.word(h.key_size), table.word(h.data_size));
        if inline && widths != (8, u64::from(cx.layout.trace.size)) {
            return None;
        }
        let (key, trace) = if inline { (e.size, e.size + 8) } else { (e.key, e.value) };
        Some(Traces { buckets, mask: count - 1, key, trace, inline })
    }

    #[inline]
    fn bucket(&self, n: u64) -> u64 {
        self.buckets.from(n * 8).word(0)
    }

    #[inline]
    fn trace(&self, cx: &Context<'a>, entry: Body<'a>) -> Option<Body<'a>> {
        match self.inline {
            true => Some(entry.from(u64::from(self.trace))),
            false => cx.space.body(entry.word(self.trace)),
        }
    }

    /// The stack of the block at an address.
    #[inline]
    fn find(&self, cx: &Context<'a>, block: u64) -> Option<u64> {
        let mut at = self.bucket(hash(block) & self.mask);
        for _ in 0..LONGEST_CHAIN {
            let entry = if at == 0 { None } else { cx.space.body(at) }?;
            if entry.word(self.key) == block {
                return Some(self.trace(cx, entry)?.word(cx.layout.trace.traceback));
            }
            at = entry.word(cx.layout.hashtable_entry.next);
        }
        None
    }

    /// Whether its first entries are traces: keyed by the hash of an address, with a stack
    /// whose innermost frame has a `str` for its file.
    fn is_proved(&self, cx: &Context<'a>) -> bool {
        let filled = (0..=self.mask).take(PROOF_BUCKETS as usize).map(|n| (n, self.bucket(n))).filter(|b| b.1 != 0);
        let mut found = 0;
        for (n, at) in filled.take(PROOF_ENTRIES) {
            let Some(entry) = cx.space.body(at) else { return false };
            let key = entry.word(self.key);
            let own = entry.word(cx.layout.hashtable_entry.hash) == hash(key) && hash(key) & self.mask == n;
            if !own || key == 0 || !self.has_stack(cx, entry) {
                return false;
            }
            found += 1;
        }
        found > 0
    }

    fn has_stack(&self, cx: &Context<'a>, entry: Body<'a>) -> bool {
        let Some(trace) = self.trace(cx, entry) else { return false };
        let Some(stack) = cx.space.body(trace.word(cx.layout.trace.traceback)) else { return false };
        let mut frames = frames(cx, stack);
        trace.word(cx.layout.trace.bytes) >> 47 == 0 && frames.next().is_some_and(|f| is_str(cx, f.0))
    }
}

fn is_str(cx: &Context, address: u64) -> bool {
    let class = cx.space.body(address).map_or(0, |b| b.word(object::TYPE));
    let class = cx.classes.at(cx.space, cx.layout, class).and_then(|n| cx.classes.get(n));
    class.is_some_and(|c| c.flags >> 28 & 1 == 1)
}

/// File and line of a stack's frames, innermost first.
fn frames<'a>(cx: &Context, stack: Body<'a>) -> impl DoubleEndedIterator<Item = (u64, u32)> + use<'a> {
    let (s, f) = (&cx.layout.trace_stack, cx.layout.trace_frame);
    // 16 bits with another number behind them, or 32 (3.8)
    let count = if s.total == ABSENT { stack.half(s.count) } else { stack.half(s.count) & 0xffff };
    let all = stack.from(u64::from(s.frames));
    let count = u64::from(count.min(MOST_FRAMES)).min(all.0.len() as u64 / u64::from(f.size));
    (0..count).map(move |i| {
        let frame = all.from(i * u64::from(f.size));
        (frame.word(f.file), frame.half(f.line))
    })
}

/// The table of traces, where there is one with something in it: at its place in the
/// runtime (3.12 on), else wherever the interpreter's data has a pointer to one (its
/// variable has no name in a stripped file).
pub fn find<'a>(cx: &Context<'a>, runtime: u64) -> Option<Traces<'a>> {
    let proved = |address: u64| Traces::at(cx, address).filter(|t| t.is_proved(cx));
    let place = cx.layout.runtime.tracemalloc_traces;
    let first = if place == ABSENT { 0 } else { cx.space.body_or_empty(runtime).word(place) };
    if let Some(found) = proved(first) {
        return Some(found);
    }
    // the head of a segment may be read-only by now, and not copied
    let copied = |(start, end): (u64, u64)| {
        let parts = cx.space.image.segments().iter().map(move |s| (s.start.max(start), s.end.min(end)));
        parts.filter(|p| p.0 < p.1)
    };
    cx.statics.beside(runtime).flat_map(copied).find_map(|(start, end)| {
        let words = cx.space.body_or_empty(start).words(0, (end - start) / 8);
        words.filter(|&w| w != 0 && w % 16 == 0).find_map(proved)
    })
}

/// The births of all objects whose block has a trace.
pub fn births<S: Sink + ?Sized>(
    cx: &Context,
    index: &Index,
    traces: &Traces,
    sink: &mut S,
    wrong: &mut Wrong,
) -> Births {
    let mut stacks = Stacks::default();
    let mut found: Vec<(u32, u32)> = Vec::new();
    let mut codes = Vec::new();
    for (n, address) in index.iter(cx.space.image).enumerate() {
        let class = cx.space.body_or_empty(address).word(object::TYPE);
        let Some(class) = cx.classes.at(cx.space, cx.layout, class).and_then(|c| cx.classes.get(c)) else { continue };
        if class.visitor == Visitor::Code {
            codes.push(address);
        }
        if let Some(stack) = traces.find(cx, address.wrapping_sub(object::before(class.flags))) {
            found.push((n as u32, stacks.number(stack)));
        }
    }
    let functions = Functions::new(codes);
    let mut births = Births::new(Recorder::Tracemalloc);
    let places = stacks.places(cx, functions, sink, wrong, &mut births);
    for (n, stack) in found {
        if let Some(place) = places.get(stack as usize).copied().flatten() {
            births.push(NodeId(n), place, None);
        }
    }
    births
}

/// Stacks as they are met.
#[derive(Default)]
struct Stacks {
    list: Vec<u64>,
    known: FxHashMap<u64, u32>,
    last: Option<(u64, u32)>,
}

impl Stacks {
    /// The number of the stack at an address.
    #[inline]
    fn number(&mut self, address: u64) -> u32 {
        if let Some((_, n)) = self.last.filter(|l| l.0 == address) {
            return n;
        }
        let next = self.list.len() as u32;
        let n = *self.known.entry(address).or_insert(next);
        if n == next {
            self.list.push(address);
        }
        self.last = Some((address, n));
        n
    }

    /// The place of each stack, by number.  All stacks together have no more frames than
    /// memory was copied.
    fn places<S: Sink + ?Sized>(
        &self,
        cx: &Context,
        mut functions: Functions,
        sink: &mut S,
        wrong: &mut Wrong,
        births: &mut Births,
    ) -> Vec<Option<u32>> {
        let mut left = cx.space.image.len() / u64::from(cx.layout.trace_frame.size).max(1);
        let (mut places, mut cut) = (Places::default(), 0);
        let mut files = FxHashMap::default();
        let each = self.list.iter().map(|&address| {
            let stack = cx.space.body(address)?;
            let mut place = None;
            // no Python was running: `tracemalloc_empty_traceback`
            if frames(cx, stack).next().is_none_or(|f| f.1 == 0) {
                return None;
            }
            for (file, line) in frames(cx, stack).rev() {
                if left == 0 {
                    cut += 1;
                    return place;
                }
                left -= 1;
                let file = *files.entry(file).or_insert_with(|| {
                    let text = if is_str(cx, file) { text::text(cx.space, cx.layout, file) } else { None };
                    sink.label(&text.unwrap_or_default())
                });
                let function = functions.name(cx, sink, file, line);
                place = places.number(PlaceRow { file, function, line, parent: place });
            }
            place
        });
        let found = each.collect();
        if cut > 0 {
            wrong.push(("impossible-stack", cut));
        }
        births.places = places.into_rows();
        found
    }
}
