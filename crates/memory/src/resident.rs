//! Which pages of a mapping hold something, by `/proc/PID/pagemap` (Linux
//! Documentation/admin-guide/mm/pagemap.rst).  A page that was never touched reads as
//! zeros: the far end of a thread's stack is not worth copying, nor giving the target
//! page tables for.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::{Mapping, Process};

pub(crate) const PAGE: u64 = 4096;
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE: u64 = 1 << 61;

/// A mapping up to this size is taken whole.
const WHOLE: u64 = 1 << 20;
/// So is one of a file: a page nobody wrote to yet holds what the file holds.
const WHOLE_FILE: u64 = 64 << 20;
/// Between two present pages so many absent ones are taken along: the reader sees the
/// zeros that the target sees, and runs stay long.
const GAP: u64 = 16 * PAGE;
/// Pages looked up by one read.
const BATCH: usize = 128 * 1024;

/// Start and end.
pub(crate) type Range = (u64, u64);

/// Looks up pages; keeps the open file and a buffer between uses.
pub(crate) struct Residency {
    pagemap: Option<File>,
    buffer: Vec<u8>,
}

impl Residency {
    pub fn open(process: &Process) -> Residency {
        Residency { pagemap: File::open(process.path("pagemap")).ok(), buffer: vec![0; BATCH * 8] }
    }

    /// Append the stretches of `m` worth copying, by address, apart.  Where the kernel
    /// does not tell, that is all of it.  Those in `known` (sorted, apart, found by an
    /// earlier look) are taken as they are and only what lies between is looked up: that
    /// is quick while the target stands, since little of it is there.
    pub fn runs(&mut self, m: &Mapping, known: &[Range], out: &mut Vec<Range>) {
        let huge = m.path.contains("hugepage");
        let whole = if m.is_file() && !huge { WHOLE_FILE } else { WHOLE };
        let before = out.len();
        if m.len() <= whole || self.look_between(m, known, out).is_none() {
            out.truncate(before);
            out.push((m.start, m.end));
        }
    }

    fn look_between(&mut self, m: &Mapping, known: &[Range], out: &mut Vec<Range>) -> Option<()> {
        let first = out.len();
        let from = known.partition_point(|k| k.1 <= m.start);
        let inside = known[from..].iter().take_while(|k| k.0 < m.end);
        let mut at = m.start;
        for &(start, end) in inside {
            let (start, end) = (start.max(at), end.min(m.end));
            self.look(m, (at, start), first, out)?;
            join(out, first, (start, end));
            at = end;
        }
        self.look(m, (at, m.end), first, out)
    }

    /// Look at the pages of one stretch of `m`.  `None` where the kernel does not tell.
    fn look(&mut self, m: &Mapping, (mut at, end): Range, first: usize, out: &mut Vec<Range>) -> Option<()> {
        let pagemap = self.pagemap.as_ref()?;
        let skip = if m.is_file() { OF_FILE } else { 0 };
        while at < end {
            let pages = ((end - at) / PAGE).min(BATCH as u64);
            let bytes = self.buffer.get_mut(..pages as usize * 8).filter(|b| !b.is_empty())?;
            pagemap.read_exact_at(bytes, at / PAGE * 8).ok()?;
            for (i, entry) in bytes.chunks_exact(8).enumerate() {
                let entry = u64::from_le_bytes(entry.try_into().unwrap_or_default());
                if entry & (PRESENT | SWAPPED) != 0 && entry & skip == 0 {
                    let page = at + i as u64 * PAGE;
                    join(out, first, (page, page + PAGE));
                }
            }
            at += pages * PAGE;
        }
        Some(())
    }
}

/// Append a stretch; to the one before it (of the same mapping, which begin at `first`)
/// if the gap is small.
fn join(out: &mut Vec<Range>, first: usize, (start, end): Range) {
    match out[first..].last_mut() {
        Some(last) if start.saturating_sub(last.1) <= GAP => last.1 = last.1.max(end),
        _ => out.push((start, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memmap2::MmapMut;

    #[test]
    fn only_what_was_touched_is_worth_copying() {
        let me = Process::open(std::process::id() as i32).unwrap();
        let mut map = MmapMut::map_anon(64 << 20).unwrap();
        let start = map.as_ptr() as u64;
        for page in [0, 1, 5, 4000, 16383] {
            map[page * 4096] = 1;
        }
        let m = me.mappings().unwrap().find(start).unwrap().clone();
        let mut out = Vec::new();
        let mut residency = Residency::open(&me);
        residency.runs(&m, &[], &mut out);
        // the mapping may have been joined to a neighbour's
        out.retain(|r| r.0 >= start && r.1 <= start + (64 << 20));
        let page = |n: u64| start + n * PAGE;
        assert_eq!(out, [(page(0), page(6)), (page(4000), page(4001)), (page(16383), page(16384))]);

        // a second look, after more was touched, finds what a fresh one finds
        for n in [100, 4001, 4100, 9000] {
            map[n * 4096] = 1;
        }
        let known = [(page(0), page(6)), (page(4000), page(4001)), (page(16383), page(16384))];
        let (mut again, mut fresh) = (Vec::new(), Vec::new());
        residency.runs(&m, &known, &mut again);
        residency.runs(&m, &[], &mut fresh);
        assert_eq!(again, fresh);
        assert!(again.contains(&(page(4000), page(4002))) && again.contains(&(page(9000), page(9001))));
    }
}
