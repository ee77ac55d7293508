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

/// Looks up pages; keeps the open file and a buffer between uses.
pub(crate) struct Residency {
    pagemap: Option<File>,
    buffer: Vec<u8>,
}

impl Residency {
    pub fn open(process: &Process) -> Residency {
        Residency {
            pagemap: File::open(process.path("pagemap")).ok(),
            buffer: vec![0; BATCH * 8],
        }
    }

    /// Append the stretches of `m` worth copying, by address.  Where the kernel does not
    /// tell, that is all of it.
    pub fn runs(&mut self, m: &Mapping, out: &mut Vec<(u64, u64)>) {
        let huge = m.path.contains("hugepage");
        let whole = if m.is_file() && !huge {
            WHOLE_FILE
        } else {
            WHOLE
        };
        let known = m.len() > whole && self.look(m, out).is_some();
        if !known {
            out.push((m.start, m.end));
        }
    }

    /// `None` (and nothing appended) where the kernel does not tell.
    fn look(&mut self, m: &Mapping, out: &mut Vec<(u64, u64)>) -> Option<()> {
        let pagemap = self.pagemap.as_ref()?;
        let skip = if m.is_file() { OF_FILE } else { 0 };
        let before = out.len();
        let mut run: Option<(u64, u64)> = None;
        let mut at = m.start;
        while at < m.end {
            let pages = ((m.end - at) / PAGE).min(BATCH as u64);
            let bytes = &mut self.buffer[..pages as usize * 8];
            if pages == 0 || pagemap.read_exact_at(bytes, at / PAGE * 8).is_err() {
                out.truncate(before);
                return None;
            }
            for (i, entry) in bytes.chunks_exact(8).enumerate() {
                let entry = u64::from_le_bytes(entry.try_into().unwrap_or_default());
                if entry & (PRESENT | SWAPPED) == 0 || entry & skip != 0 {
                    continue;
                }
                let page = at + i as u64 * PAGE;
                match &mut run {
                    Some((_, end)) if page - *end <= GAP => *end = page + PAGE,
                    _ => out.extend(run.replace((page, page + PAGE))),
                }
            }
            at += pages * PAGE;
        }
        out.extend(run);
        Some(())
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
        Residency::open(&me).runs(&m, &mut out);
        // the mapping may have been joined to a neighbour's
        out.retain(|r| r.0 >= start && r.1 <= start + (64 << 20));
        let page = |n: u64| start + n * 4096;
        assert_eq!(
            out,
            [
                (page(0), page(6)),
                (page(4000), page(4001)),
                (page(16383), page(16384))
            ]
        );
    }
}
