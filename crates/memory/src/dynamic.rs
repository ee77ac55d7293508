//! The exported symbols of a loaded file from its own memory, as the dynamic linker finds
//! them (System V ABI, chapter 5; the GNU hash table as in glibc's elf/dl-lookup.c): for
//! a file that was replaced since, or whose section table was stripped away.  The memory
//! may hold anything.

use crate::Memory;
use crate::elf::Field;
use crate::symbols::Table;

const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
/// A dynamic section has some thirty entries.
const ENTRIES: u64 = 512;
/// Tables are not larger.
const LARGEST: u64 = 256 << 20;

/// A loaded file: the first address, one past the last, and what is added to its own
/// addresses.
pub(crate) struct Place {
    pub start: u64,
    pub end: u64,
    pub slide: u64,
}

impl Place {
    /// Some linkers write addresses of the target into the section, some leave the file's.
    fn locate(&self, value: u64) -> Option<u64> {
        let moved = value.wrapping_add(self.slide);
        [value, moved].into_iter().find(|a| (self.start..self.end).contains(a))
    }
}

/// The table that the dynamic section at `section` tells of.
pub(crate) fn exported(memory: &dyn Memory, place: &Place, section: u64) -> Option<Table> {
    let entry = |i: u64| {
        let at = section.checked_add(i * 16)?;
        Some((memory.word(at).ok()?, memory.word(at.checked_add(8)?).ok()?))
    };
    let all: Vec<(u64, u64)> = (0..ENTRIES).map_while(entry).take_while(|e| e.0 != 0).collect();
    let value = |tag: u64| all.iter().find(|e| e.0 == tag).map(|e| e.1);
    let address = |tag: u64| place.locate(value(tag)?);
    let (symbols, names) = (address(DT_SYMTAB)?, address(DT_STRTAB)?);
    let counted = || Some(u64::from(memory.half(address(DT_HASH)?.checked_add(4)?).ok()?));
    let count = counted().or_else(|| count_by_gnu_hash(memory, place, address(DT_GNU_HASH)?))?;
    let rows = read(memory, place, symbols, count.checked_mul(24)?)?;
    Some(Table::new(&rows, read(memory, place, names, value(DT_STRSZ)?)?))
}

/// One more than the highest index that the table's chains reach.
fn count_by_gnu_hash(memory: &dyn Memory, place: &Place, at: u64) -> Option<u64> {
    let head = read(memory, place, at, 16)?;
    let (buckets, first, bloom) = (head.u32(0)?, head.u32(4)?, head.u32(8)?);
    let lists = at.checked_add(16 + 8 * u64::from(bloom))?;
    let starts = read(memory, place, lists, 4 * u64::from(buckets))?;
    let last = (0..buckets as usize).filter_map(|i| starts.u32(4 * i)).max()?;
    let Some(mut i) = last.checked_sub(first).map(u64::from) else { return Some(first.into()) };
    let chains = lists.checked_add(4 * u64::from(buckets))?;
    // the last symbol of a chain has the lowest bit of its hash set
    while i < LARGEST / 24 {
        let hash = chains.checked_add(4 * i).filter(|a| (place.start..place.end).contains(a))?;
        i += 1;
        if memory.half(hash).ok()? & 1 == 1 {
            return Some(u64::from(first) + i);
        }
    }
    None
}

/// A stretch that lies in the file's segments.
fn read(memory: &dyn Memory, place: &Place, address: u64, length: u64) -> Option<Vec<u8>> {
    let inside = address >= place.start && address.checked_add(length)? <= place.end && length <= LARGEST;
    let mut bytes = vec![0; if inside { length as usize } else { return None }];
    memory.read(address, &mut bytes).ok()?;
    Some(bytes)
}
