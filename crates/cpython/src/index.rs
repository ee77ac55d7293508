//! Which addresses are objects, and their numbers: one bit for every 8 bytes of
//! the image, with running counts.  No hash map: a lookup is a bit test and a
//! population count, and numbers follow addresses.

use undying_memory::Image;

/// A set of addresses (multiples of 8) inside an image.
pub struct AddressSet {
    base: Vec<usize>,
    bits: Vec<u64>,
}

/// An [`AddressSet`] that will not change any more, with ranks.
pub struct Index {
    set: AddressSet,
    rank: Vec<u32>,
    len: u32,
}

const WORDS_A_RANK: usize = 4;

impl AddressSet {
    /// Empty, for all the segments of `image`.
    pub fn new(image: &Image) -> AddressSet {
        let mut base = Vec::with_capacity(image.segments().len());
        let mut slots = 0usize;
        for s in image.segments() {
            base.push(slots);
            slots += ((s.end - s.start) / 8) as usize + 1;
        }
        AddressSet { base, bits: vec![0; slots / 64 + 1] }
    }

    #[inline]
    fn slot(&self, image: &Image, address: u64) -> Option<usize> {
        let i = image.segment_of(address)?;
        let inside = address - image.segments()[i].start;
        inside.is_multiple_of(8).then(|| self.base[i] + (inside / 8) as usize)
    }

    /// Put an address in; false when it was in, or cannot be.
    #[inline]
    pub fn insert(&mut self, image: &Image, address: u64) -> bool {
        let Some(slot) = self.slot(image, address) else { return false };
        let word = &mut self.bits[slot / 64];
        let bit = 1u64 << (slot % 64);
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    /// Take an address out.
    pub fn remove(&mut self, image: &Image, address: u64) {
        if let Some(slot) = self.slot(image, address) {
            self.bits[slot / 64] &= !(1 << (slot % 64));
        }
    }

    /// Whether it is in.
    #[inline]
    pub fn contains(&self, image: &Image, address: u64) -> bool {
        self.slot(image, address).is_some_and(|s| self.bits[s / 64] >> (s % 64) & 1 == 1)
    }

    /// Whether any of the `words` (at most 32) from an address on is in this set or in
    /// another of the same image.
    #[inline]
    pub fn any(&self, other: &AddressSet, image: &Image, address: u64, words: u32) -> bool {
        let Some(slot) = self.slot(image, address) else { return false };
        self.window(slot, words) | other.window(slot, words) != 0
    }

    /// The bits of so many words from a slot on.
    #[inline]
    fn window(&self, slot: usize, words: u32) -> u64 {
        let (word, bit) = (slot / 64, slot % 64);
        let next = self.bits.get(word + 1).copied().unwrap_or(0);
        let window = (u128::from(next) << 64 | u128::from(self.bits[word])) >> bit;
        window as u64 & ((1u64 << words.min(32)) - 1)
    }

    /// All addresses, ascending.
    pub fn iter<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = u64> + 'a {
        image.segments().iter().zip(&self.base).flat_map(move |(s, &base)| {
            let end = base + ((s.end - s.start) / 8) as usize + 1;
            let (first, last) = (base / 64, (end - 1) / 64);
            (first..=last).flat_map(move |w| {
                let mut bits = self.bits[w];
                if w == first {
                    bits &= !0 << (base % 64);
                }
                if w == last && !end.is_multiple_of(64) {
                    bits &= !0 >> (64 - end % 64);
                }
                std::iter::from_fn(move || {
                    let bit = bits.trailing_zeros();
                    (bits != 0).then(|| {
                        bits &= bits - 1;
                        s.start + ((w * 64 + bit as usize - base) * 8) as u64
                    })
                })
            })
        })
    }
}

impl Index {
    /// Number the addresses of a set, ascending.
    pub fn new(set: AddressSet) -> Index {
        let mut rank = Vec::with_capacity(set.bits.len() / WORDS_A_RANK + 1);
        let mut n = 0u32;
        for chunk in set.bits.chunks(WORDS_A_RANK) {
            rank.push(n);
            n = n.saturating_add(chunk.iter().map(|w| w.count_ones()).sum());
        }
        Index { set, rank, len: n }
    }

    /// How many addresses.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// The number of an address.
    #[inline]
    pub fn id(&self, image: &Image, address: u64) -> Option<u32> {
        let slot = self.set.slot(image, address)?;
        let w = slot / 64;
        let word = self.set.bits[w];
        if word >> (slot % 64) & 1 == 0 {
            return None;
        }
        let first = w / WORDS_A_RANK;
        let before: u32 = self.set.bits[first * WORDS_A_RANK..w].iter().map(|w| w.count_ones()).sum();
        Some(self.rank[first] + before + (word & ((1 << (slot % 64)) - 1)).count_ones())
    }

    /// All addresses, ascending: the n-th has number n.
    pub fn iter<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = u64> + 'a {
        self.set.iter(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use undying_memory::ImageBuilder;

    #[test]
    fn numbers_follow_addresses_across_segments() {
        let mut b = ImageBuilder::with_room(1 << 16).unwrap();
        for (start, len) in [(0x1000u64, 4096u64), (0x5008, 1000), (0x10_0000, 8192)] {
            b.add(start, start + len, |to| to.len());
        }
        let image = b.finish();
        let mut set = AddressSet::new(&image);
        let mut model = BTreeSet::new();
        let mut x = 12345u64;
        for _ in 0..2000 {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let a = [0x1000, 0x5008, 0x10_0000][(x >> 33) as usize % 3] + (x >> 40) % 1200 * 8;
            assert_eq!(set.insert(&image, a), image.segment_of(a).is_some() && model.insert(a));
        }
        set.insert(&image, 0x1004);
        assert!(!set.contains(&image, 0x1004));
        let gone = *model.iter().nth(7).unwrap();
        model.remove(&gone);
        set.remove(&image, gone);
        assert_eq!(set.iter(&image).collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
        let index = Index::new(set);
        assert_eq!(index.len(), model.len());
        for (n, a) in model.iter().enumerate() {
            assert_eq!(index.id(&image, *a), Some(n as u32));
        }
        assert_eq!(index.id(&image, gone), None);
    }
}
