//! Records in the place of the blocks they are about: memory that mirrors the heap, half
//! as big, so that what lies near in the heap lies near here, and no hash is kept of
//! single blocks.

use crate::format::{CHUNK_BYTES, CHUNK_RECORDS, Chunk, GRANULE, Record};
use crate::rows::{Full, Rows, give_back, leak, records_at};

/// The records of all blocks.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Shadow {
    chunks: Rows<Chunk>,
}

impl Shadow {
    /// Empty.
    pub const fn new() -> Shadow {
        Shadow { chunks: Rows::new() }
    }

    /// The record of the block at this address, if its neighbourhood has any.
    #[inline]
    pub fn get(&mut self, address: u64) -> Option<&mut Record> {
        let chunk = self.chunk(address / CHUNK_BYTES + 1)?;
        records_at(chunk, CHUNK_RECORDS as usize).get_mut((address % CHUNK_BYTES / GRANULE) as usize)
    }

    /// The record of the block at this address, made if need be.
    #[inline]
    pub fn get_or_make(&mut self, address: u64) -> Result<&mut Record, Full> {
        let key = address / CHUNK_BYTES + 1;
        if self.chunk(key).is_none() {
            self.make(key)?;
        }
        self.get(address).ok_or(Full)
    }

    #[inline]
    fn chunk(&mut self, key: u64) -> Option<&mut Chunk> {
        let chunks = self.chunks.all_mut();
        let mask = chunks.len().checked_sub(1)?;
        let mut at = slot(key) & mask;
        // half of the rows at most are used
        while chunks[at].key != key {
            if chunks[at].key == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
        Some(&mut chunks[at])
    }

    #[cold]
    fn make(&mut self, key: u64) -> Result<(), Full> {
        let used = self.chunks.all().iter().filter(|c| c.key != 0).count();
        if (used + 1) * 2 > self.chunks.len() {
            let mut wider = Rows::zeroed((self.chunks.len() * 2).max(1 << 10))?;
            for chunk in self.chunks.all().iter().filter(|c| c.key != 0) {
                put(wider.all_mut(), *chunk);
            }
            // The old rows stay: a few pages, and whoever reads from outside may have
            // been told of them.
            self.chunks = wider;
        }
        let records = leak(Rows::<Record>::zeroed(CHUNK_RECORDS as usize)?);
        put(self.chunks.all_mut(), Chunk { key, records });
        Ok(())
    }

    /// The births of the n-th stretch, added to `found`; `false` past the last one.
    pub fn stretch(&mut self, n: usize, found: &mut Vec<(u64, Record)>) -> bool {
        let Some(chunk) = self.chunks.all_mut().get_mut(n) else { return false };
        if chunk.key != 0 {
            let first = (chunk.key - 1) * CHUNK_BYTES;
            let records = records_at(chunk, CHUNK_RECORDS as usize).iter().enumerate();
            let born = records.filter(|(_, r)| r.place != 0);
            found.extend(born.map(|(n, r)| (first + n as u64 * GRANULE, *r)));
        }
        true
    }

    /// Forgets all births and gives their memory back.
    pub fn clear(&mut self) {
        for chunk in self.chunks.all_mut().iter_mut().filter(|c| c.key != 0) {
            give_back(std::mem::take(chunk), CHUNK_RECORDS as usize);
        }
    }
}

fn put(chunks: &mut [Chunk], chunk: Chunk) {
    let mask = chunks.len() - 1;
    let mut at = slot(chunk.key) & mask;
    while chunks[at].key != 0 {
        at = (at + 1) & mask;
    }
    chunks[at] = chunk;
}

/// Neighbours of the heap are neighbours in the directory.
#[inline]
fn slot(key: u64) -> usize {
    (key ^ (key >> 16)) as usize
}
