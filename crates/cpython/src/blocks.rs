//! Every block of memory that was handed out and not given back: of the small-object
//! allocator's pools and of the C library's heaps, whoever owns it.  Says nothing of
//! what is in a block.  CPython `Objects/obmalloc.c` (3.8 to 3.13), glibc
//! `malloc/malloc.c`, `malloc/arena.c`.

use rustc_hash::FxHashSet;
use undying_graph::Cancelled;
use undying_memory::{Image, Mapping, Mappings};

use crate::allocator::{Allocator, Block, Pool};
use crate::returned;
use crate::space::Space;

const PAGE: u64 = 4096;
/// `HEAP_MAX_SIZE`: heaps of threads lie at multiples of it.
const THREAD_HEAP: u64 = 64 << 20;
/// The first chunk of a thread's heap comes after `heap_info` and, in the first heap of an
/// arena, its `malloc_state`; how long that is differs.
const ARENA_HEADERS: std::ops::Range<u64> = 0x20..0x1000;
/// Bytes before the caller's part of a chunk.
const CHUNK_HEADER: u64 = 16;
const IN_USE: u64 = 1;
const OWN_MAPPING: u64 = 2;
const SIZE_BITS: u64 = !7;

/// A stretch of chunks, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heap {
    /// The first chunk's address.
    pub start: u64,
    /// Where the last one ends.
    pub end: u64,
}

/// Where blocks are.
pub struct Blocks<'b, 'a> {
    space: &'b Space<'a>,
    allocator: &'b Allocator<'a>,
    mappings: &'b Mappings,
    pool_bytes: u64,
    heaps: Vec<Heap>,
    /// Blocks that a thread's cache keeps.
    returned: FxHashSet<u64>,
}

impl<'b, 'a> Blocks<'b, 'a> {
    /// Of one frozen copy.
    pub fn new(
        space: &'b Space<'a>,
        allocator: &'b Allocator<'a>,
        mappings: &'b Mappings,
        pool_bytes: u64,
    ) -> Blocks<'b, 'a> {
        let heaps: Vec<Heap> = stretches(mappings).iter().flat_map(|s| heaps_in(space, s)).collect();
        let mut returned = FxHashSet::default();
        let chunks = heaps.iter().flat_map(|h| Chunks { space, at: h.start, end: h.end });
        for (at, word) in chunks.filter(|c| returned::may_be_cache(c.1 & SIZE_BITS)) {
            returned::cached(space, at + CHUNK_HEADER, word & SIZE_BITS, &mut returned);
        }
        Blocks { space, allocator, mappings, pool_bytes, heaps, returned }
    }

    /// Each block in use, those of a pool together.
    pub fn each(&self, visit: &mut dyn FnMut(Block) -> Result<(), Cancelled>) -> Result<(), Cancelled> {
        memory(self.mappings, self.space.image).try_for_each(|part| self.pages(part, visit))?;
        self.heaps.iter().try_for_each(|h| self.chunks(*h, visit))
    }

    /// Whether an address lies in a heap of the C library.
    fn in_heap(&self, address: u64) -> Option<Heap> {
        let i = self.heaps.partition_point(|h| h.end <= address);
        self.heaps.get(i).copied().filter(|h| h.start <= address)
    }

    /// Pools, and chunks with a mapping of their own.
    fn pages(&self, part: (u64, u64), visit: &mut dyn FnMut(Block) -> Result<(), Cancelled>) -> Result<(), Cancelled> {
        let mut at = part.0.next_multiple_of(PAGE);
        while at < part.1 {
            if let Some(heap) = self.in_heap(at) {
                at = heap.end.max(at + 1).next_multiple_of(PAGE);
            } else if let Some(pool) = self.pool_at(at, part.1) {
                self.pool(&pool, visit)?;
                at += self.pool_bytes;
            } else if let Some(block) = self.own_mapping(at) {
                visit(block)?;
                at = block.start.saturating_add(block.length).max(at + 1).next_multiple_of(PAGE);
            } else {
                at += PAGE;
            }
        }
        Ok(())
    }

    fn pool_at(&self, at: u64, end: u64) -> Option<Pool> {
        let aligned = at.is_multiple_of(self.pool_bytes);
        let pool = if aligned { self.allocator.pool_of(at) } else { None };
        pool.filter(|p| at + p.carved <= end)
    }

    fn pool(&self, pool: &Pool, visit: &mut dyn FnMut(Block) -> Result<(), Cancelled>) -> Result<(), Cancelled> {
        // of a pool whose list is torn nothing is known
        let Some(free) = self.allocator.walk_free(pool) else { return Ok(()) };
        let count = (pool.carved - Pool::HEADER) / pool.block;
        for i in 0..count {
            if free[i as usize / 64] >> (i % 64) & 1 == 0 {
                visit(Block { start: pool.base + Pool::HEADER + i * pool.block, length: pool.block })?;
            }
        }
        Ok(())
    }

    /// A chunk that has a mapping of its own: its header stands at the start of a page.
    fn own_mapping(&self, at: u64) -> Option<Block> {
        let body = self.space.body(at)?;
        let (before, word) = (body.word(0), body.word(8));
        let size = word & SIZE_BITS;
        let whole = size.is_multiple_of(PAGE) || size % PAGE == PAGE - CHUNK_HEADER;
        if before >= PAGE || !before.is_multiple_of(16) || word & 7 != OWN_MAPPING || size < PAGE || !whole {
            return None;
        }
        let inside = self.mappings.find(at).is_some_and(|m| at.checked_add(size).is_some_and(|end| end <= m.end));
        inside.then(|| Block { start: at + CHUNK_HEADER, length: size - CHUNK_HEADER })
    }

    fn chunks(&self, heap: Heap, visit: &mut dyn FnMut(Block) -> Result<(), Cancelled>) -> Result<(), Cancelled> {
        let chunks = Chunks { space: self.space, at: heap.start, end: heap.end };
        let mut before: Option<Block> = None;
        for (at, word) in chunks {
            // whether a chunk is in use stands in the one behind it
            if let Some(block) = before.filter(|b| word & IN_USE != 0 && !self.returned.contains(&b.start)) {
                visit(block)?;
            }
            let size = word & SIZE_BITS;
            before = Some(Block { start: at + CHUNK_HEADER, length: size - 8 });
        }
        Ok(()) // the last one is what was never handed out
    }
}

/// The parts of memory that were copied and that allocators may have.
pub fn memory<'m>(mappings: &'m Mappings, image: &'m Image) -> impl Iterator<Item = (u64, u64)> + use<'m> {
    mappings.iter().filter(|m| is_memory(m)).flat_map(|m| image.within((m.start, m.end)))
}

/// Private memory that is no file's.
fn is_memory(m: &Mapping) -> bool {
    let named = m.path == "[heap]" || m.path.is_empty() || m.path.starts_with("[anon");
    named && m.perms.r && m.perms.w && m.perms.private
}

/// Chunks of a heap, in order: address and size word.
struct Chunks<'c, 'a> {
    space: &'c Space<'a>,
    at: u64,
    end: u64,
}

impl Iterator for Chunks<'_, '_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let at = self.at;
        let word = self.space.body(at).filter(|_| at < self.end)?.word(8);
        let size = word & SIZE_BITS;
        self.at =
            at.checked_add(size).filter(|_| size >= 32 && size.is_multiple_of(16)).filter(|&to| to <= self.end)?;
        Some((at, word))
    }
}

/// Whether chunks from `start` on end exactly at `end`.
fn lands(space: &Space, start: u64, end: u64) -> bool {
    let mut chunks = Chunks { space, at: start, end };
    while chunks.next().is_some() {}
    chunks.at == end
}

/// Memory that may hold heaps.
struct Stretch {
    start: u64,
    end: u64,
    /// The process's own heap.
    own: bool,
}

/// Mappings that follow each other as one: what a heap gains after a fork is a mapping of
/// its own (the kernel joins none whose pages may be shared with another process).
fn stretches(mappings: &Mappings) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    for m in mappings.iter().filter(|m| is_memory(m)) {
        let own = m.path == "[heap]";
        match all.last_mut() {
            Some(last) if last.end == m.start && last.own == own => last.end = m.end,
            _ => all.push(Stretch { start: m.start, end: m.end, own }),
        }
    }
    all
}

/// The heaps in it: the process's own, or those of threads.
fn heaps_in(space: &Space, stretch: &Stretch) -> Vec<Heap> {
    if stretch.own {
        let mut starts = (0..64).map(|i| stretch.start + i * 8);
        let first = starts.find(|s| s % 16 == 0 && lands(space, *s, stretch.end));
        return first.map(|start| Heap { start, end: stretch.end }).into_iter().collect();
    }
    let bases = (stretch.start.next_multiple_of(THREAD_HEAP)..stretch.end).step_by(THREAD_HEAP as usize);
    bases.filter_map(|base| thread_heap(space, base, stretch.end)).collect()
}

/// `heap_info`: the arena, the heap before, the bytes in use.
fn thread_heap(space: &Space, base: u64, most: u64) -> Option<Heap> {
    let body = space.body(base)?;
    let (arena, size) = (body.word(0), body.word(16));
    let end = base.checked_add(size).filter(|&e| size > 0 && e <= most && size <= THREAD_HEAP)?;
    // the arena lies in the first of its heaps, near the start
    if arena & (THREAD_HEAP - 1) >= PAGE || space.body(arena).is_none() {
        return None;
    }
    let mut starts = ARENA_HEADERS.step_by(16).map(|skip| base + skip);
    starts.find(|&s| lands(space, s, end)).map(|start| Heap { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use undying_memory::ImageBuilder;

    /// Chunks of these sizes, the last one never handed out; every third one free.
    fn heap(sizes: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, &size) in sizes.iter().enumerate() {
            let used = if i == 0 || (i - 1) % 3 != 2 { IN_USE } else { 0 };
            bytes.extend([0u64.to_le_bytes(), (size | used).to_le_bytes()].concat());
            bytes.resize(bytes.len() + size as usize - 16, 0xab);
        }
        bytes
    }

    #[test]
    fn chunks_in_use_are_told_from_free_ones() {
        let sizes = [0x290u64, 32, 48, 4096, 64, 32, 80, 1 << 12];
        let mut bytes = heap(&sizes);
        let length = bytes.len().next_multiple_of(4096);
        let last = bytes.len() - (1 << 12);
        let top = (1 << 12) + (length - bytes.len()) as u64;
        bytes.resize(length, 0);
        bytes[last + 8..last + 16].copy_from_slice(&(top | IN_USE).to_le_bytes());
        let mut image = ImageBuilder::with_room(length as u64).unwrap();
        image.add(0x10000, 0x10000 + length as u64, |to| {
            to.copy_from_slice(&bytes);
            to.len()
        });
        let image = image.finish();
        let space = Space::new(&image, &image);
        let layout = &crate::layout::TABLES[0];
        let allocator = Allocator::new(&space, layout, 4096);
        // as after a fork: in two mappings
        let text = format!("10000-11000 rw-p 0 0:0 0 [heap]\n11000-{:x} rw-p 0 0:0 0 [heap]\n", 0x10000 + length);
        let mappings = Mappings::parse(&text);
        let blocks = Blocks::new(&space, &allocator, &mappings, 4096);
        let mut seen = Vec::new();
        blocks
            .each(&mut |b| {
                seen.push((b.start - 0x10000, b.length));
                Ok(())
            })
            .unwrap();
        // every third is free (its successor says so); the last was never handed out
        let mut at = 0;
        let mut expected = Vec::new();
        for (i, &size) in sizes.iter().enumerate().take(sizes.len() - 1) {
            if i % 3 != 2 {
                expected.push((at + 16, size - 8));
            }
            at += size;
        }
        assert_eq!(seen, expected);
    }
}
