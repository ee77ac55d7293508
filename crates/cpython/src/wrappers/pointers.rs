//! One look at every word of the copied memory, for all wrappers together: who else points
//! to what they do not own, and which C++ type pybind11's classes stand for.

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{LabelId, WrapperRow, WrapperSystem};
use undying_memory::Captured;

use super::pybind11::{self, CppType};
use crate::object;
use crate::visit::Context;

/// What lies below the stack pointer by more than this is dead (System V ABI, x86-64).
const RED_ZONE: u64 = 128;
/// The last bytes of a block are where the chunk above it begins, and free lists of the C
/// library point to chunks (glibc `malloc/malloc.c`).
const CHUNK_ABOVE: u64 = 8;
/// Bits of the filter that most words do not pass; a bit is for 64 bytes of memory.
const FILTER_BITS: u64 = 1 << 20;
/// Words that point into one block, remembered.
const MOST_INSIDE: usize = 16;
/// Bases of a class at most.
const LONGEST_CHAIN: usize = 32;

/// What was found, by wrapper.
pub struct Found {
    /// Words elsewhere that point into its block; `None` where that does not matter.
    pub pointers: Vec<Option<u32>>,
    /// The C++ type of its class, where pybind11 made it.
    pub types: Vec<Option<CppType>>,
}

/// A block that wrappers stand for without owning it.
struct Block {
    start: u64,
    end: u64,
    /// Whose native type it is.
    of: Key,
    /// Words that point to its start.
    pointers: u32,
    /// Offsets inside that words point to.
    inside: Vec<u64>,
}

/// A tool and a native type.
type Key = (WrapperSystem, LabelId);

/// Words to look for.
struct Search<'s, 'a> {
    cx: &'s Context<'a>,
    /// By ascending start.
    blocks: Vec<Block>,
    /// Objects by the block they stand for.
    wrappers: FxHashSet<(u64, u64)>,
    /// Classes of pybind11, and their types when found.
    classes: FxHashMap<u64, Option<CppType>>,
    filter: Vec<u64>,
    /// Parts of stacks that are not in use.
    dead: Vec<(u64, u64)>,
}

/// Looks.  `objects` are the wrappers' addresses.
pub fn find(cx: &Context, captured: &Captured, rows: &[WrapperRow], objects: &[u64]) -> Found {
    let bound = |r: &WrapperRow| matches!(r.system, WrapperSystem::Swig | WrapperSystem::Pybind11);
    let asked = |r: &WrapperRow| bound(r) && r.owned == Some(false) && r.native_bytes.is_some();
    let chain = |(row, &address): (&WrapperRow, &u64)| match row.system {
        WrapperSystem::Pybind11 => bases(cx, address),
        _ => Vec::new(),
    };
    let chains: Vec<Vec<u64>> = rows.iter().zip(objects).map(chain).collect();
    let mut search = Search {
        cx,
        blocks: Vec::new(),
        wrappers: FxHashSet::default(),
        classes: chains.iter().flatten().map(|&class| (class, None)).collect(),
        filter: vec![0; FILTER_BITS as usize / 64],
        dead: dead_stacks(captured),
    };
    for (row, &address) in rows.iter().zip(objects).filter(|(r, _)| asked(r)) {
        let (start, length) = (row.native_address, row.native_bytes.unwrap_or(0));
        let end = start.saturating_add(length.saturating_sub(CHUNK_ABOVE).max(1));
        let of = (row.system, row.native_type);
        search.blocks.push(Block { start, end, of, pointers: 0, inside: Vec::new() });
        search.wrappers.insert((start, address));
    }
    search.run();
    let usual = search.usual_offsets();
    let pointers = |row: &WrapperRow| {
        let at = search.blocks.binary_search_by_key(&row.native_address, |b| b.start).ok()?;
        let block = &search.blocks[at];
        let inside = block.inside.iter().filter(|&&offset| usual.contains(&(block.of, offset))).count() as u32;
        // one is its own
        Some(block.pointers.saturating_sub(1).saturating_add(inside))
    };
    let cpp_type = |chain: &Vec<u64>| chain.iter().find_map(|class| search.classes.get(class)?.clone());
    Found {
        pointers: rows.iter().map(|r| if asked(r) { pointers(r) } else { None }).collect(),
        types: chains.iter().map(cpp_type).collect(),
    }
}

/// The class of an object and its bases, as far as they are pybind11's.
fn bases(cx: &Context, address: u64) -> Vec<u64> {
    let t = &cx.layout.type_;
    let mut found = Vec::new();
    let mut at = cx.space.body_or_empty(address).word(object::TYPE);
    while at != 0 && found.len() < LONGEST_CHAIN && !found.contains(&at) {
        found.push(at);
        at = cx.space.body_or_empty(at).word(t.base);
    }
    found
}

/// Stacks below where their threads stand.
fn dead_stacks(captured: &Captured) -> Vec<(u64, u64)> {
    let stack = |rsp: u64| Some((captured.mappings.find(rsp)?.start, rsp.saturating_sub(RED_ZONE)));
    captured.threads.iter().filter_map(|t| stack(t.registers.rsp)).filter(|s| s.0 < s.1).collect()
}

impl Search<'_, '_> {
    fn run(&mut self) {
        self.blocks.sort_unstable_by_key(|b| b.start);
        self.blocks.dedup_by_key(|b| b.start);
        if self.blocks.is_empty() && self.classes.is_empty() {
            return;
        }
        let parts = self.blocks.iter().map(|b| (b.start, b.end)).chain(self.classes.keys().map(|&c| (c, c + 1)));
        for (start, end) in parts.collect::<Vec<_>>() {
            // a block that is larger than all that the filter tells apart fills it
            (start >> 6..=(end - 1) >> 6).take(FILTER_BITS as usize).for_each(|line| self.mark(line));
        }
        let image = self.cx.space.image;
        for segment in image.segments() {
            let first = segment.start.next_multiple_of(8);
            let words = self.cx.space.body_or_empty(first).words(0, (segment.end - first.min(segment.end)) / 8);
            for (word, at) in words.zip((first..).step_by(8)) {
                let line = (word >> 6) % FILTER_BITS;
                if self.filter[line as usize / 64] >> (line % 64) & 1 == 1 {
                    self.word(word, at);
                }
            }
        }
    }

    fn mark(&mut self, line: u64) {
        let line = line % FILTER_BITS;
        self.filter[line as usize / 64] |= 1 << (line % 64);
    }

    /// A word that passed the filter, and where it stands.
    fn word(&mut self, word: u64, at: u64) {
        if let Some(found) = self.classes.get_mut(&word).filter(|found| found.is_none()) {
            *found = self.cx.space.body(at).and_then(|record| pybind11::cpp_type(self.cx, record));
        }
        let i = self.blocks.partition_point(|b| b.end <= word);
        let Some(block) = self.blocks.get(i).filter(|b| b.start <= word) else { return };
        // a node of the table by which pybind11 finds the object for an address
        let registered = || {
            let next = self.cx.space.image.word_at(at.wrapping_add(8)).unwrap_or(0);
            self.wrappers.contains(&(word, next))
        };
        let inside = (block.start..block.end).contains(&at);
        if inside || registered() || self.is_dead(at) {
            return;
        }
        let block = &mut self.blocks[i];
        match word - block.start {
            // a pointer may have a mark in its low bits
            0..8 => block.pointers = block.pointers.saturating_add(1),
            offset if offset % 8 == 0 && block.inside.len() < MOST_INSIDE => block.inside.push(offset),
            _ => {}
        }
    }

    /// Offsets to which at least half of the blocks of a native type are pointed: a base
    /// class, or the link by which an owner holds them.  A word that points anywhere else is
    /// what is left of who had the memory before.
    fn usual_offsets(&self) -> FxHashSet<(Key, u64)> {
        let mut blocks: FxHashMap<Key, u64> = FxHashMap::default();
        let mut offsets: FxHashMap<(Key, u64), u64> = FxHashMap::default();
        for block in &self.blocks {
            *blocks.entry(block.of).or_default() += 1;
            let mut seen = block.inside.clone();
            seen.sort_unstable();
            seen.dedup();
            seen.into_iter().for_each(|offset| *offsets.entry((block.of, offset)).or_default() += 1);
        }
        let usual = offsets.into_iter().filter(|((of, _), n)| n * 2 >= blocks.get(of).copied().unwrap_or(0));
        usual.map(|(key, _)| key).collect()
    }

    /// Whether a place is in a free block of the object allocator, or below a stack.
    fn is_dead(&self, at: u64) -> bool {
        let allocator = self.cx.allocator;
        let free = allocator.pool_of(at).is_some() && allocator.block_in_use(at).is_none();
        free || self.dead.iter().any(|d| (d.0..d.1).contains(&at))
    }
}
