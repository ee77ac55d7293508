//! A set of objects as one bit each.  It knows no graph: whoever fills it says
//! what the bits mean.

use undying_graph::NodeId;

/// A set of objects: one bit each, and how many are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSet {
    words: Vec<u64>,
    nodes: usize,
    count: usize,
}

impl NodeSet {
    /// Empty, with room for objects `0..nodes`.
    pub fn new(nodes: usize) -> NodeSet {
        NodeSet { words: vec![0; nodes.div_ceil(64)], nodes, count: 0 }
    }

    /// Whether the object is in it.
    #[inline]
    pub fn contains(&self, n: NodeId) -> bool {
        self.words.get(n.index() >> 6).is_some_and(|w| w >> (n.0 & 63) & 1 == 1)
    }

    /// Puts the object in; whether it was not there before.  An object past the
    /// room is not put in.
    #[inline]
    pub fn insert(&mut self, n: NodeId) -> bool {
        let bit = 1u64 << (n.0 & 63);
        if n.index() >= self.nodes {
            return false;
        }
        let word = &mut self.words[n.index() >> 6];
        let new = *word & bit == 0;
        *word |= bit;
        self.count += new as usize;
        new
    }

    /// Takes the object out; whether it was there.
    #[inline]
    pub fn remove(&mut self, n: NodeId) -> bool {
        let was = self.contains(n);
        if was {
            self.words[n.index() >> 6] &= !(1u64 << (n.0 & 63));
            self.count -= 1;
        }
        was
    }

    /// How many objects are in it.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The objects, ascending.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &word)| {
            std::iter::successors(Some(word), |w| Some(w & w.wrapping_sub(1)))
                .take_while(|&w| w != 0)
                .map(move |w| NodeId((i as u32) << 6 | w.trailing_zeros()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_like_an_ordered_set() {
        let mut set = NodeSet::new(130);
        let mut twin = BTreeSet::new();
        for n in [0u32, 129, 63, 64, 65, 63, 130, 4_000_000_000, 1, 127, 128] {
            let inside = n < 130;
            assert_eq!(set.insert(NodeId(n)), inside && twin.insert(n));
            assert_eq!(set.contains(NodeId(n)), inside);
        }
        for n in [63u32, 2, 4_000_000_000, 129] {
            assert_eq!(set.remove(NodeId(n)), twin.remove(&n));
        }
        assert_eq!(set.len(), twin.len());
        let got: Vec<u32> = set.iter().map(|n| n.0).collect();
        assert_eq!(got, twin.into_iter().collect::<Vec<_>>());
        assert!(NodeSet::default().is_empty());
    }
}
