//! Blocks that a thread gave back to the C library and that this keeps for the thread's
//! next calls: to the heap they are in use, and what they held is still in them.
//! glibc `malloc/malloc.c`, `tcache_perthread_struct`.

use rustc_hash::FxHashSet;

use crate::space::Space;

/// Of a cache: the size of its chunk, where its lists begin, how many lists.  One cache
/// lies in a chunk of its own, in the heap that its thread uses.
struct Shape {
    chunk: u64,
    lists: u32,
    count: u32,
}

const SHAPES: [Shape; 3] = [
    // 2.26 to 2.29, counts of a byte
    Shape { chunk: 0x250, lists: 0x40, count: 64 },
    // 2.30 to 2.41, counts of two
    Shape { chunk: 0x290, lists: 0x80, count: 64 },
    // 2.42, room left instead of counts, twelve lists of large chunks
    Shape { chunk: 0x300, lists: 0x98, count: 76 },
];
/// Lists of chunks of one size each: 32 bytes, 48, …
const SMALL: u32 = 64;
/// Seven where nobody asked for more (`glibc.malloc.tcache_count`).
const LONGEST: usize = 1 << 12;
const SIZE_BITS: u64 = !7;

/// Whether a chunk of this size may be a cache.
pub fn may_be_cache(size: u64) -> bool {
    SHAPES.iter().any(|s| s.chunk == size)
}

/// What the cache at `address` keeps, by the addresses that callers had; nothing where it is
/// no cache.
pub fn cached(space: &Space, address: u64, size: u64, into: &mut FxHashSet<u64>) {
    for shape in SHAPES.iter().filter(|s| s.chunk == size) {
        // pointers are disguised since 2.32
        let found = lists(space, address, shape, true).or_else(|| lists(space, address, shape, false));
        into.extend(found.into_iter().flatten());
    }
}

fn lists(space: &Space, address: u64, shape: &Shape, disguised: bool) -> Option<Vec<u64>> {
    let cache = space.body(address)?;
    let mut found = Vec::new();
    for list in 0..shape.count {
        let mut at = cache.word(shape.lists + list * 8);
        let before = found.len();
        while at != 0 {
            let size = space.body(at.checked_sub(16)?)?.word(8) & SIZE_BITS;
            let expected = 32 + 16 * u64::from(list);
            let fits = if list < SMALL { size == expected } else { size > expected };
            if !at.is_multiple_of(16) || !fits || found.len() - before > LONGEST {
                return None;
            }
            found.push(at);
            let next = space.body(at)?.word(0);
            at = if disguised { next ^ (at >> 12) } else { next };
        }
    }
    Some(found)
}
