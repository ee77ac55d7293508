//! The small-object allocator's pools, recognised by their shape, and the C
//! library's chunks: whether a block is in use and how long it is.
//! CPython `Objects/obmalloc.c` (3.8 to 3.13), glibc `malloc/malloc.c`.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::layout::Layout;
use crate::space::Space;

const ALIGNMENT: u64 = 16;
const HEADER: u64 = 48;
const MOST_CLASSES: u32 = 64;

/// A block of memory that was handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// First address.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// A pool: blocks of one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// Address, a multiple of the pool size.
    pub base: u64,
    /// Bytes of a block.
    pub block: u64,
    /// Blocks in use.
    pub used: u64,
    /// Offset of the first block that was never carved.
    pub carved: u64,
    /// First free block.
    pub free: u64,
}

/// Answers questions about allocated memory.
pub struct Allocator<'a> {
    space: &'a Space<'a>,
    layout: &'a Layout,
    pool_bytes: u64,
    free: RefCell<FxHashMap<u64, Option<Rc<[u64]>>>>,
}

impl Pool {
    /// Bytes before the first block.
    pub const HEADER: u64 = HEADER;
}

impl<'a> Allocator<'a> {
    /// For one target.
    pub fn new(space: &'a Space<'a>, layout: &'a Layout, pool_bytes: u64) -> Allocator<'a> {
        Allocator { space, layout, pool_bytes, free: RefCell::default() }
    }

    /// The pool that holds an address, if its header has the shape of one.
    pub fn pool_of(&self, address: u64) -> Option<Pool> {
        let base = address & !(self.pool_bytes - 1);
        let h = &self.layout.pool_header;
        let body = self.space.body(base)?;
        let (used, class) = (u64::from(body.half(h.count)), body.half(h.szidx));
        let block = (u64::from(class) + 1) * ALIGNMENT;
        let (carved, most) = (u64::from(body.half(h.nextoffset)), u64::from(body.half(h.maxnextoffset)));
        let free = body.word(h.freeblock);
        let sane = used > 0
            && class < MOST_CLASSES
            && most == self.pool_bytes - block
            && carved >= HEADER
            && carved <= self.pool_bytes
            && (carved - HEADER).is_multiple_of(block)
            && used <= (self.pool_bytes - HEADER) / block
            && (free == 0
                || (free & !(self.pool_bytes - 1) == base && (free - base).wrapping_sub(HEADER).is_multiple_of(block)));
        sane.then_some(Pool { base, block, used, carved, free })
    }

    /// One bit for each free block of a pool; `None` when its list is torn.
    fn free_blocks(&self, pool: &Pool) -> Option<Rc<[u64]>> {
        let known = &mut *self.free.borrow_mut();
        known.entry(pool.base).or_insert_with(|| self.walk_free(pool)).clone()
    }

    /// One bit for each free block of a pool, read now; `None` when its list is torn.
    pub fn walk_free(&self, pool: &Pool) -> Option<Rc<[u64]>> {
        let carved = (pool.carved - HEADER) / pool.block;
        let mut bits = vec![0u64; carved as usize / 64 + 1];
        let (mut at, mut count) = (pool.free, 0);
        while at != 0 {
            let inside = at.checked_sub(pool.base + HEADER)?;
            if inside % pool.block != 0 || inside / pool.block >= carved || count > carved {
                return None;
            }
            let i = (inside / pool.block) as usize;
            bits[i / 64] |= 1 << (i % 64);
            count += 1;
            at = self.space.body(at)?.word(0);
        }
        // violated only while the owner is inside the allocator
        (count + pool.used == carved).then(|| bits.into())
    }

    /// Pools whose counts do not add up: somebody was inside the allocator.
    pub fn torn_pools(&self, arenas: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
        let (mut torn, mut all) = (0, 0);
        for (start, end) in arenas {
            let mut at = start.next_multiple_of(self.pool_bytes);
            while at + self.pool_bytes <= end {
                if let Some(pool) = self.pool_of(at) {
                    all += 1;
                    torn += u64::from(self.walk_free(&pool).is_none());
                }
                at += self.pool_bytes;
            }
        }
        (torn, all)
    }

    /// The block in use that holds an address: of a pool, or a chunk of the C library
    /// that begins exactly there (`exact_start`, as `malloc` returned it).
    pub fn block_in_use(&self, address: u64) -> Option<Block> {
        let Some(pool) = self.pool_of(address) else { return self.chunk(address) };
        let inside = address.checked_sub(pool.base + HEADER)?;
        let i = inside / pool.block;
        if i >= (pool.carved - HEADER) / pool.block {
            return None;
        }
        let free = self.free_blocks(&pool);
        let is_free = free.is_some_and(|f| f[i as usize / 64] >> (i % 64) & 1 == 1);
        (!is_free).then_some(Block { start: pool.base + HEADER + i * pool.block, length: pool.block })
    }

    /// A chunk of the C library in use, by its size word and its neighbour's.
    fn chunk(&self, address: u64) -> Option<Block> {
        let header = address.checked_sub(16).filter(|_| address.is_multiple_of(16))?;
        let word = self.space.body(header)?.word(8);
        let size = word & !7;
        if !(32..=1 << 40).contains(&size) || size % 16 != 0 {
            return None;
        }
        let length = size - 8;
        if word & 2 != 0 {
            // its own mapping: the header stands at the start of a page
            return (header % 4096 == 0).then_some(Block { start: address, length: size - 16 });
        }
        let next = self.space.body(header.checked_add(size)?)?.word(8);
        (next & 1 == 1 && next & !7 != 0).then_some(Block { start: address, length })
    }
}
