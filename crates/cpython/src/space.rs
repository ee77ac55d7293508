//! The target's memory as the walk sees it: what was copied while it stood still,
//! and, for read-only parts that never change (names in a library's constants),
//! the live process behind a cache of pages.  Knows nothing of Python.

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use undying_memory::{Fault, Image, Memory};

/// Pages of read-only memory kept; past it the oldest way (a read each) is used.
const CACHED_PAGES: usize = 16_384;
const PAGE: u64 = 4096;

/// A frozen image with a fall-back for what was not copied.
pub struct Space<'a> {
    /// What was copied.
    pub image: &'a Image,
    live: &'a dyn Memory,
    pages: RefCell<FxHashMap<u64, Option<Box<[u8]>>>>,
}

/// The bytes from an object's address on.  A field outside of them reads as zero,
/// which every visitor takes for a null pointer: so does a field that the layout
/// does not have ([`crate::layout::ABSENT`]).
#[derive(Clone, Copy)]
pub struct Body<'a>(pub &'a [u8]);

impl<'a> Body<'a> {
    /// 64-bit word at a byte offset.
    #[inline]
    pub fn word(self, offset: u32) -> u64 {
        let at = offset as usize;
        match self.0.get(at..at.wrapping_add(8)) {
            Some(b) => u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
            None => 0,
        }
    }

    /// Signed 64-bit word.
    #[inline]
    pub fn signed(self, offset: u32) -> i64 {
        self.word(offset) as i64
    }

    /// 32-bit word.
    #[inline]
    pub fn half(self, offset: u32) -> u32 {
        let at = offset as usize;
        match self.0.get(at..at.wrapping_add(4)) {
            Some(b) => u32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            None => 0,
        }
    }

    /// One byte.
    #[inline]
    pub fn byte(self, offset: u32) -> u8 {
        self.0.get(offset as usize).copied().unwrap_or(0)
    }

    /// The bytes from a further offset on.
    #[inline]
    pub fn from(self, offset: u64) -> Body<'a> {
        Body(usize::try_from(offset).ok().and_then(|o| self.0.get(o..)).unwrap_or(&[]))
    }

    /// The 64-bit words from an offset on, at most `count`, at most to the end of the segment.
    #[inline]
    pub fn words(self, offset: u32, count: u64) -> impl ExactSizeIterator<Item = u64> + 'a {
        let rest = self.0.get(offset as usize..).unwrap_or(&[]);
        let n = count.min(rest.len() as u64 / 8) as usize;
        rest[..n * 8].chunks_exact(8).map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
    }
}

impl<'a> Space<'a> {
    /// `live` is asked only for what the image does not hold.
    pub fn new(image: &'a Image, live: &'a dyn Memory) -> Space<'a> {
        Space { image, live, pages: RefCell::default() }
    }

    /// The copied bytes from `address` to the end of its segment.
    #[inline]
    pub fn body(&self, address: u64) -> Option<Body<'a>> {
        self.image.tail(address).map(Body)
    }

    /// The copied bytes, nothing where there are none.
    #[inline]
    pub fn body_or_empty(&self, address: u64) -> Body<'a> {
        Body(self.image.tail(address).unwrap_or(&[]))
    }

    fn read_page(&self, page: u64, skip: usize, to: &mut [u8]) -> Result<(), ()> {
        let mut pages = self.pages.borrow_mut();
        if pages.len() >= CACHED_PAGES {
            pages.clear();
        }
        let held = pages.entry(page).or_insert_with(|| {
            let mut bytes = vec![0; PAGE as usize].into_boxed_slice();
            self.live.read(page, &mut bytes).ok().map(|()| bytes)
        });
        let held = held.as_deref().ok_or(())?;
        to.copy_from_slice(&held[skip..skip + to.len()]);
        Ok(())
    }
}

impl Memory for Space<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let length = buffer.len() as u64;
        if self.image.read(address, buffer).is_ok() {
            return Ok(());
        }
        let fault = Fault { address, length };
        let mut at = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let skip = (at % PAGE) as usize;
            let n = rest.len().min(PAGE as usize - skip);
            let (now, later) = rest.split_at_mut(n);
            self.read_page(at - skip as u64, skip, now).map_err(|()| fault)?;
            rest = later;
            at = at.checked_add(n as u64).ok_or(fault)?;
        }
        Ok(())
    }

    fn slice(&self, address: u64, length: u64) -> Option<&[u8]> {
        self.image.slice(address, length)
    }
}
