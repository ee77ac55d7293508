//! A hash index over rows of a table: open addressing, row numbers only.  Whoever asks
//! says what a row's key is.

use crate::rows::{Full, Rows};

/// Row numbers by hash.
#[derive(Debug, Default)]
pub struct Index {
    /// The row's number and 2; 0 is free, 1 was used.
    slots: Rows<u32>,
    /// Slots that are not 0.
    used: usize,
}

const GONE: u32 = 1;

impl Index {
    /// Empty, without memory.
    pub const fn new() -> Index {
        Index { slots: Rows::new(), used: 0 }
    }

    /// The row with this hash for which `is` holds.
    #[inline]
    pub fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let slots = self.slots.all();
        let mask = slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        // at most three quarters are used, so there is a free one
        loop {
            match slots[at] {
                0 => return None,
                GONE => {}
                n if is(n - 2) => return Some(n - 2),
                _ => {}
            }
            at = (at + 1) & mask;
        }
    }

    /// Takes in a row that is not in it.  `hash_of` tells the hash of the others.
    pub fn insert(&mut self, hash: u64, row: u32, hash_of: impl Fn(u32) -> u64) -> Result<(), Full> {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow(hash_of)?;
        }
        self.used += usize::from(put(self.slots.all_mut(), hash, row));
        Ok(())
    }

    /// Takes out the row with this hash.
    pub fn remove(&mut self, hash: u64, row: u32) {
        let slots = self.slots.all_mut();
        let Some(mask) = slots.len().checked_sub(1) else { return };
        let mut at = hash as usize & mask;
        while slots[at] != 0 {
            if slots[at] == row + 2 {
                slots[at] = GONE;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Takes out all rows.
    pub fn clear(&mut self) {
        self.slots.all_mut().fill(0);
        self.used = 0;
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) -> Result<(), Full> {
        let alive = self.slots.all().iter().filter(|&&s| s > GONE).count();
        let mut wider = Rows::zeroed((alive * 4).next_power_of_two().max(1 << 12))?;
        for row in self.slots.all().iter().filter(|&&s| s > GONE).map(|s| s - 2) {
            put(wider.all_mut(), hash_of(row), row);
        }
        self.slots.free();
        (self.slots, self.used) = (wider, alive);
        Ok(())
    }
}

/// Whether a slot was free that no longer is.
fn put(slots: &mut [u32], hash: u64, row: u32) -> bool {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at] > GONE {
        at = (at + 1) & mask;
    }
    let was_free = slots[at] == 0;
    slots[at] = row + 2;
    was_free
}

/// Mixes words into a hash whose low bits are good.
#[inline]
pub fn mix(words: [u64; 3]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let h = words[0].wrapping_mul(K) ^ words[1].rotate_left(24).wrapping_mul(K ^ 0xff51_afd7) ^ words[2];
    let h = h.wrapping_mul(K);
    h ^ (h >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn as_a_map_would(steps in prop::collection::vec((0u64..300, any::<bool>()), 0..20_000)) {
            let (mut index, mut twin) = (Index::new(), HashMap::new());
            let mut keys: Vec<u64> = Vec::new();
            for (key, put) in steps {
                let hash = |k: u64| mix([k & !7, 0, 0]);
                let found = index.find(hash(key), |row| keys[row as usize] == key);
                prop_assert_eq!(found, twin.get(&key).copied());
                match (found, put) {
                    (None, true) => {
                        let row = keys.len() as u32;
                        keys.push(key);
                        index.insert(hash(key), row, |r| hash(keys[r as usize])).unwrap();
                        twin.insert(key, row);
                    }
                    (Some(row), false) => {
                        index.remove(hash(key), row);
                        twin.remove(&key);
                    }
                    _ => {}
                }
            }
        }
    }
}
