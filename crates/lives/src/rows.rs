//! Growing arrays in memory of their own, straight from the kernel: the ledger is written
//! from inside an allocator and must ask none.  What they hold is described by a
//! [`Table`], which a debugger reads from outside.
//!
//! The one place of this crate where memory is touched by address.
#![allow(unsafe_code)]

use std::marker::PhantomData;

use crate::format::{Checkpoint, Chunk, Class, Code, Place, Record, Sample, Table, Tally};

/// What may lie in a table: plain numbers, for which all bits zero are a value.
///
/// # Safety
/// The type is `repr(C)` or a number, has no reference, no `Drop`, and zeroed is valid.
pub unsafe trait Row: Copy + 'static {}

// SAFETY: numbers and structures of numbers (format.rs).
unsafe impl Row for u8 {}
// SAFETY: as above.
unsafe impl Row for u32 {}
// SAFETY: as above.
unsafe impl Row for Place {}
// SAFETY: as above.
unsafe impl Row for Code {}
// SAFETY: as above.
unsafe impl Row for Class {}
// SAFETY: as above.
unsafe impl Row for Tally {}
// SAFETY: as above.
unsafe impl Row for Record {}
// SAFETY: as above.
unsafe impl Row for Chunk {}
// SAFETY: as above.
unsafe impl Row for Sample {}
// SAFETY: as above.
unsafe impl Row for Checkpoint {}

/// The memory could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// An array of `T` that owns the memory its [`Table`] tells of.
#[repr(transparent)]
#[derive(Debug)]
pub struct Rows<T: Row> {
    table: Table,
    of: PhantomData<*mut T>,
}

/// The least a table is mapped with, in bytes.
const LEAST: usize = 1 << 16;

impl<T: Row> Rows<T> {
    /// Empty, without memory.
    pub const fn new() -> Rows<T> {
        let table = Table { base: 0, len: 0, capacity: 0, row: size_of::<T>() as u64 };
        Rows { table, of: PhantomData }
    }

    /// Rows in use.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.len == 0
    }

    /// All rows in use.
    #[inline]
    pub fn all(&self) -> &[T] {
        if self.table.base == 0 {
            return &[];
        }
        // SAFETY: `base` is a mapping of at least `capacity >= len` rows that only this
        // array knows; zeroed rows are valid (Row).
        unsafe { std::slice::from_raw_parts(self.table.base as *const T, self.table.len as usize) }
    }

    /// All rows in use, to be changed.
    #[inline]
    pub fn all_mut(&mut self) -> &mut [T] {
        if self.table.base == 0 {
            return &mut [];
        }
        // SAFETY: as in `all`, and borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.table.base as *mut T, self.table.len as usize) }
    }

    /// One more row; its number.
    #[inline]
    pub fn push(&mut self, row: T) -> Result<u32, Full> {
        let n = self.table.len;
        if n >= self.table.capacity {
            self.make_room(1)?;
        }
        if n >= u64::from(u32::MAX) {
            return Err(Full);
        }
        // SAFETY: `n < capacity`, so the row lies inside of the mapping.
        unsafe { (self.table.base as *mut T).add(n as usize).write(row) };
        // the row is whole before it counts, for whoever reads from outside
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::Release);
        self.table.len = n + 1;
        Ok(n as u32)
    }

    /// More rows, each given.
    pub fn extend(&mut self, rows: &[T]) -> Result<u32, Full> {
        let first = self.table.len;
        if self.table.capacity - first < rows.len() as u64 {
            self.make_room(rows.len())?;
        }
        for row in rows {
            self.push(*row)?;
        }
        u32::try_from(first).map_err(|_| Full)
    }

    /// So many rows of zeros, in place of what was there.
    pub fn zeroed(count: usize) -> Result<Rows<T>, Full> {
        let mut rows = Rows::new();
        rows.make_room(count)?;
        rows.table.len = count as u64;
        Ok(rows)
    }

    /// Gives the memory back to the kernel.
    pub fn free(&mut self) {
        if self.table.base != 0 {
            let bytes = (self.table.capacity as usize * size_of::<T>()).next_multiple_of(4096);
            // SAFETY: the mapping is ours alone, and forgotten in the next line.
            unsafe { libc::munmap(self.table.base as *mut libc::c_void, bytes) };
        }
        *self = Rows::new();
    }

    #[cold]
    fn make_room(&mut self, more: usize) -> Result<(), Full> {
        let size = size_of::<T>();
        let old = self.table.capacity as usize;
        let least = (self.table.len as usize).checked_add(more).ok_or(Full)?;
        let rows = least.max(old.saturating_mul(2)).max(LEAST / size);
        let bytes = rows.checked_mul(size).and_then(|b| b.checked_next_multiple_of(4096)).ok_or(Full)?;
        // SAFETY: the kernel chooses where; an old mapping of ours moves with its content
        // and is known by no other address.
        let base = unsafe {
            if old == 0 {
                let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
                libc::mmap(std::ptr::null_mut(), bytes, access, kind | libc::MAP_NORESERVE, -1, 0)
            } else {
                let from = self.table.base as *mut libc::c_void;
                let before = (old * size).next_multiple_of(4096);
                libc::mremap(from, before, bytes, libc::MREMAP_MAYMOVE)
            }
        };
        if base == libc::MAP_FAILED {
            return Err(Full);
        }
        self.table.base = base as u64;
        self.table.capacity = (bytes / size) as u64;
        Ok(())
    }
}

impl<T: Row> Default for Rows<T> {
    fn default() -> Self {
        Rows::new()
    }
}

/// The records at `base`, which [`Rows::zeroed`] mapped and nobody gave back.
#[inline]
pub(crate) fn records_at(chunk: &mut Chunk, count: usize) -> &mut [Record] {
    // SAFETY: chunks of the directory are made in shadow.rs from `Rows::<Record>::zeroed`
    // of `count` rows that are leaked on purpose; the directory is the only one to know.
    unsafe { std::slice::from_raw_parts_mut(chunk.records as *mut Record, count) }
}

/// The address of a zeroed array that is from now on known by its address only.
pub(crate) fn leak<T: Row>(rows: Rows<T>) -> u64 {
    rows.table.base
}

/// Unmaps the records of a chunk that is no longer in the directory.
pub(crate) fn give_back(chunk: Chunk, count: usize) {
    let bytes = (count * size_of::<Record>()).next_multiple_of(4096);
    // SAFETY: the mapping of `leak`, whose only address this chunk was.
    unsafe { libc::munmap(chunk.records as *mut libc::c_void, bytes) };
}
