//! Which values a row group uses, in order of first use: the dictionaries of its
//! columns.  Knows numbers, not pages.

use rustc_hash::FxHashMap;

/// Values below this are looked up without hashing.
const NEAR: usize = 8192;

/// A dictionary of small dense numbers: types, labels.
#[derive(Default)]
pub(super) struct Ids {
    /// Place + 1 by number, 0 where not used.
    place: Vec<u32>,
    used: Vec<u32>,
}

impl Ids {
    /// The number's place in the dictionary, new or known.
    #[inline]
    pub fn place(&mut self, id: u32) -> u32 {
        match self.place.get(id as usize) {
            Some(&place) if place > 0 => place - 1,
            _ => self.add(id),
        }
    }

    #[cold]
    fn add(&mut self, id: u32) -> u32 {
        let i = id as usize;
        if i >= self.place.len() {
            // Numbers are dense (rows of a table that is in memory).
            self.place.resize((i + 1).next_power_of_two(), 0);
        }
        self.used.push(id);
        self.place[i] = self.used.len() as u32;
        self.used.len() as u32 - 1
    }

    /// The numbers by place.
    pub fn used(&self) -> &[u32] {
        &self.used
    }

    /// Empties the dictionary.
    pub fn clear(&mut self) {
        for &id in &self.used {
            self.place[id as usize] = 0;
        }
        self.used.clear();
    }
}

/// A dictionary of any numbers, small ones quick: sizes, reference counts.
pub(super) struct Values {
    /// Place + 1 of the small values.
    near: Vec<u32>,
    far: FxHashMap<u64, u32>,
    used: Vec<u64>,
}

impl Default for Values {
    fn default() -> Values {
        Values { near: vec![0; NEAR], far: FxHashMap::default(), used: Vec::new() }
    }
}

impl Values {
    /// The value's place in the dictionary, new or known.
    #[inline]
    pub fn place(&mut self, v: u64) -> u32 {
        let next = self.used.len() as u32;
        let place = if v < NEAR as u64 {
            let place = &mut self.near[v as usize];
            if *place > 0 {
                return *place - 1;
            }
            *place = next + 1;
            next
        } else {
            *self.far.entry(v).or_insert(next)
        };
        if place == next {
            self.used.push(v);
        }
        place
    }

    /// The values by place.
    pub fn used(&self) -> &[u64] {
        &self.used
    }

    /// Empties the dictionary.
    pub fn clear(&mut self) {
        for &v in &self.used {
            if v < NEAR as u64 {
                self.near[v as usize] = 0;
            }
        }
        self.far.clear();
        self.used.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_are_those_of_first_use(runs in prop::collection::vec(prop::collection::vec(0u64..20_000, 0..200), 1..4)) {
            let (mut ids, mut values) = (Ids::default(), Values::default());
            for run in runs {
                let mut slow: Vec<u64> = Vec::new();
                for v in run {
                    let place = slow.iter().position(|s| *s == v).unwrap_or_else(|| {
                        slow.push(v);
                        slow.len() - 1
                    }) as u32;
                    prop_assert_eq!(values.place(v), place);
                    prop_assert_eq!(ids.place(v as u32), place);
                }
                prop_assert_eq!(values.used(), &slow);
                prop_assert!(ids.used().iter().map(|&v| v as u64).eq(slow.iter().copied()));
                values.clear();
                ids.clear();
            }
        }
    }
}
