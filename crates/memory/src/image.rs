//! A frozen copy of parts of an address space, held in one anonymous mapping.
//! Lookup of an address is two table loads in the common case: the walk asks it
//! for every reference of every object.

use std::fmt;

use memmap2::MmapMut;

use crate::{Fault, Memory};

/// A stretch of the target that is held here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// First address in the target.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Where its bytes begin in the copy.
    pub offset: usize,
}

const GRANULE: u32 = 20; // 1 MiB of address space per leaf entry
const LEAF: u32 = 13; // leaf entries per inner entry: 8 GiB
const TOP: usize = 1 << (47 - GRANULE - LEAF);
const NOTHING: u32 = u32::MAX;
const MIXED: u32 = u32::MAX - 1;

/// Copied segments, in address order, not overlapping.
pub struct Image {
    bytes: Option<MmapMut>,
    segments: Vec<Segment>,
    top: Vec<u32>,
    leaves: Vec<u32>,
}

impl Image {
    /// The segments, by address.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The copied parts of a range, by address: a segment may hold several mappings, and of a
    /// mapping only a part may have been copied.
    pub fn within(&self, (start, end): (u64, u64)) -> impl Iterator<Item = (u64, u64)> + use<'_> {
        let first = self.segments.partition_point(|s| s.end <= start);
        let inside = self.segments[first..].iter().take_while(move |s| s.start < end);
        inside.map(move |s| (s.start.max(start), s.end.min(end)))
    }

    /// The bytes of one segment.
    pub fn segment_bytes(&self, s: &Segment) -> &[u8] {
        self.all().get(s.offset..s.offset + (s.end - s.start) as usize).unwrap_or(&[])
    }

    /// Bytes held.
    pub fn len(&self) -> u64 {
        self.segments.iter().map(|s| s.end - s.start).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    #[inline]
    fn all(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(&[])
    }

    /// The number of the segment that holds `address`.
    #[inline]
    pub fn segment_of(&self, address: u64) -> Option<usize> {
        if address >> 47 != 0 {
            return None;
        }
        let leaf = self.top[(address >> (GRANULE + LEAF)) as usize];
        if leaf == NOTHING {
            return None;
        }
        let slot = leaf as usize + ((address >> GRANULE) as usize & ((1 << LEAF) - 1));
        match self.leaves[slot] {
            NOTHING => None,
            MIXED => self.search(address),
            i => Some(i as usize),
        }
    }

    fn search(&self, address: u64) -> Option<usize> {
        let i = self.segments.partition_point(|s| s.end <= address);
        (self.segments.get(i)?.start <= address).then_some(i)
    }

    /// All bytes from `address` to the end of its segment.
    #[inline]
    pub fn tail(&self, address: u64) -> Option<&[u8]> {
        let s = &self.segments[self.segment_of(address)?];
        let skip = (address - s.start) as usize;
        self.all().get(s.offset + skip..s.offset + (s.end - s.start) as usize)
    }

    /// One word, for the walk.
    #[inline]
    pub fn word_at(&self, address: u64) -> Option<u64> {
        let b = self.tail(address)?.get(..8)?;
        Some(u64::from_le_bytes(b.try_into().ok()?))
    }

    fn index(&mut self) {
        self.top = vec![NOTHING; TOP];
        self.leaves.clear();
        for (i, s) in self.segments.iter().enumerate() {
            for g in s.start >> GRANULE..=(s.end - 1) >> GRANULE {
                let top = &mut self.top[(g >> LEAF) as usize];
                if *top == NOTHING {
                    *top = self.leaves.len() as u32;
                    self.leaves.resize(self.leaves.len() + (1 << LEAF), NOTHING);
                }
                let whole = s.start <= g << GRANULE && s.end >= (g + 1) << GRANULE;
                let slot = *top as usize + (g as usize & ((1 << LEAF) - 1));
                self.leaves[slot] = if whole { i as u32 } else { MIXED };
            }
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} segments, {} bytes)", self.segments.len(), self.len())
    }
}

impl Memory for Image {
    #[inline]
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let length = buffer.len() as u64;
        let held = self.slice(address, length).ok_or(Fault { address, length })?;
        buffer.copy_from_slice(held);
        Ok(())
    }

    #[inline]
    fn slice(&self, address: u64, length: u64) -> Option<&[u8]> {
        self.tail(address)?.get(..usize::try_from(length).ok()?)
    }
}

/// Fills an [`Image`]: room is made (and touched) before the target is stopped,
/// and filled while it stands.
#[derive(Debug)]
pub struct ImageBuilder {
    bytes: Option<MmapMut>,
    used: usize,
    segments: Vec<Segment>,
}

impl ImageBuilder {
    /// Room for so many bytes, every page of it present.
    pub fn with_room(room: u64) -> std::io::Result<ImageBuilder> {
        let bytes = match usize::try_from(room).ok().filter(|&n| n > 0) {
            None => None,
            Some(n) => {
                let mut map = MmapMut::map_anon(n)?;
                map.iter_mut().step_by(4096).for_each(|b| *b = 0);
                Some(map)
            }
        };
        Ok(ImageBuilder { bytes, used: 0, segments: Vec::new() })
    }

    /// Bytes that still fit.
    pub fn room(&self) -> usize {
        self.bytes.as_ref().map_or(0, |b| b.len()) - self.used
    }

    /// Take the next `end - start` bytes of room for a stretch of the target and let
    /// `fill` write them; it returns how many bytes it could write from the front,
    /// and only so many are kept.  `None` when there is no room.
    pub fn add(&mut self, start: u64, end: u64, fill: impl FnOnce(&mut [u8]) -> usize) -> Option<u64> {
        let length = usize::try_from(end.checked_sub(start)?).ok()?;
        let room = self.bytes.as_mut()?.get_mut(self.used..self.used.checked_add(length)?)?;
        let got = fill(room).min(length);
        if got > 0 && end >> 47 == 0 {
            self.segments.push(Segment { start, end: start + got as u64, offset: self.used });
            self.used += got;
        }
        Some(got as u64)
    }

    /// Lay stretches (sorted, apart) side by side and let `fill` write all of them; it
    /// returns the stretches, sorted, that it could not write, and those are left out.
    /// How many bytes are kept; `None` when there is no room.
    pub fn add_all(&mut self, parts: &[(u64, u64)], fill: impl FnOnce(&mut [u8]) -> Vec<(u64, u64)>) -> Option<u64> {
        let total = parts.iter().try_fold(0u64, |sum, p| sum.checked_add(p.1.checked_sub(p.0)?))?;
        let to = self.used.checked_add(usize::try_from(total).ok()?)?;
        let missing = match self.bytes.as_mut() {
            Some(bytes) => fill(bytes.get_mut(self.used..to)?),
            None if total == 0 => return Some(0),
            None => return None,
        };
        let mut kept = 0;
        let mut bad = missing.iter().peekable();
        let mut offset = self.used;
        for &(start, end) in parts {
            let mut at = start;
            while at < end {
                while bad.next_if(|b| b.1 <= at).is_some() {}
                let to = bad.peek().map_or(end, |b| b.0.clamp(at, end));
                if to > at && end >> 47 == 0 {
                    let offset = offset + (at - start) as usize;
                    self.segments.push(Segment { start: at, end: to, offset });
                    kept += to - at;
                }
                at = bad.peek().map_or(end, |b| b.1.clamp(to, end)).max(to);
            }
            offset += (end - start) as usize;
        }
        self.used = to;
        Some(kept)
    }

    /// The finished image.  Overlapping stretches: the first one given stays.
    pub fn finish(mut self) -> Image {
        self.segments.sort_by_key(|s| s.start);
        let mut kept: Vec<Segment> = Vec::with_capacity(self.segments.len());
        for s in self.segments {
            match kept.last_mut() {
                // neighbours that lie side by side in the copy too are one segment
                Some(p) if p.end == s.start && p.offset + (p.end - p.start) as usize == s.offset => p.end = s.end,
                Some(p) if s.start < p.end => {}
                _ => kept.push(s),
            }
        }
        let mut image = Image { bytes: self.bytes, segments: kept, top: Vec::new(), leaves: Vec::new() };
        image.index();
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(parts: &[(u64, &[u8])]) -> Image {
        let room = parts.iter().map(|p| p.1.len() as u64).sum();
        let mut b = ImageBuilder::with_room(room).unwrap();
        for (start, data) in parts {
            b.add(*start, start + data.len() as u64, |to| {
                to.copy_from_slice(data);
                data.len()
            });
        }
        b.finish()
    }

    #[test]
    fn reads_what_was_put_in_and_nothing_else() {
        let big = vec![7u8; 3 << 20];
        let m = image(&[(0x5000, b"hello"), (0x10_0000 - 4, &big), (0x7fff_ffff_f000, &[1; 16])]);
        assert_eq!(m.slice(0x5000, 5), Some(&b"hello"[..]));
        assert_eq!(m.slice(0x5001, 4), Some(&b"ello"[..]));
        assert_eq!(m.slice(0x5001, 5), None);
        assert_eq!(m.slice(0x4fff, 1), None);
        assert_eq!(m.slice(0x20_0000, 8), Some(&[7u8; 8][..]));
        assert_eq!(m.slice(0x10_0000 - 5, 1), None);
        assert_eq!(m.word(0x7fff_ffff_f008).unwrap(), 0x0101_0101_0101_0101);
        assert!(m.word(0x7fff_ffff_f009).is_err());
        assert!(m.word(u64::MAX - 3).is_err());
        assert_eq!(m.slice(0x5000, u64::MAX), None);
    }

    #[test]
    fn side_by_side_segments_join_so_that_a_read_may_cross() {
        let m = image(&[(0x1000, &[1; 16]), (0x1010, &[2; 16])]);
        assert_eq!(m.segments().len(), 1);
        assert_eq!(m.slice(0x100c, 8).unwrap(), &[1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn what_could_not_be_read_is_left_out_and_the_rest_stays_in_place() {
        let parts = [(0x1000, 0x4000), (0x8000, 0x9000), (0xa000, 0xc000)];
        let missing = vec![(0x2000, 0x3000), (0x8000, 0x9000), (0xb000, 0xc000)];
        let mut b = ImageBuilder::with_room(0x6000).unwrap();
        let kept = b.add_all(&parts, |room| {
            room.chunks_mut(0x1000).enumerate().for_each(|(i, page)| page.fill(i as u8 + 1));
            missing
        });
        assert_eq!((kept, b.room()), (Some(0x3000), 0));
        assert_eq!(b.add_all(&[(0x20000, 0x20001)], |_| Vec::new()), None);
        let m = b.finish();
        let found: Vec<_> = (1..16).map(|p| m.slice(p << 12, 1).map_or(0, |b| b[0])).collect();
        assert_eq!(found, [1, 0, 3, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0]);
        assert_eq!(m.len(), 0x3000);
    }

    #[test]
    fn a_short_fill_keeps_what_came() {
        let mut b = ImageBuilder::with_room(32).unwrap();
        b.add(0x1000, 0x1020, |_| 8);
        let m = b.finish();
        assert!(m.slice(0x1000, 8).is_some() && m.slice(0x1000, 9).is_none());
    }
}
