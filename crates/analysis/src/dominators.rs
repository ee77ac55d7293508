//! The dominator tree of a heap and retained sizes: for each object what would be
//! freed if it went.  Semi-NCA over the compressed rows, then the tree laid out so
//! that every subtree is one range.  Knows no class and no name.

mod entries;
mod freed;
mod search;
mod tree;

pub use freed::Freed;

use undying_graph::{Cancelled, NodeId, Progress, Snapshot};

use crate::{NodeSet, Refcounts};

/// Who dominates whom.  24 bytes an object.
///
/// Above every object stands one virtual root.  Below it hang the objects that are
/// held from outside the heap: every root of the capture; then those that no root
/// reaches and whose reference count is higher than explained (native code holds
/// them); then, of what is left, which is garbage or looks like it, one object of
/// each group that no other garbage holds, the one with the lowest address.  So a
/// dropped structure retains what it alone holds.  References from the last kind to
/// anything that the first two reach do not count: the next collection ends them,
/// and they must not hide who keeps the living alive.
///
/// Weak references hold nothing.  Guesses count like any other reference.
#[derive(Clone, Debug, Default)]
pub struct Dominators {
    /// Each object's place in a preorder of the tree; the virtual root's is 0.
    place: Vec<u32>,
    /// The object at each place; what stands at place 0 means nothing.
    node: Vec<u32>,
    /// The place of the immediate dominator, by place.
    parent: Vec<u32>,
    /// Places in each subtree, by place.
    count: Vec<u32>,
    /// Bytes of all objects before each place, and one more.
    before: Vec<u64>,
    /// Held from outside: what hangs below the virtual root for a reason of its own.
    entries: NodeSet,
    /// What neither a root nor native code reaches.
    unreached: NodeSet,
}

/// Finds every object's immediate dominator and retained size.  While it runs, up
/// to 32 bytes an object and 8 for each reference that is neither in the search
/// tree nor along it (in ordinary heaps less than one in three).
pub fn dominators(snapshot: &Snapshot, counts: &Refcounts, progress: &dyn Progress) -> Result<Dominators, Cancelled> {
    let graph = &snapshot.graph;
    progress.phase("finding dominators", graph.len() as u64);
    let mut search = search::Search::new(graph, progress);
    let (entries, unreached) = entries::enter(snapshot, counts, &mut search)?;
    let flow = search.immediate_dominators()?;
    Ok(tree::lay_out(graph, flow, entries, unreached))
}

impl Dominators {
    /// Number of objects.
    pub fn len(&self) -> usize {
        self.place.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.place.is_empty()
    }

    /// The immediate dominator; `None` where it is the virtual root, which means that
    /// no one object keeps this one alive.
    #[inline]
    pub fn idom(&self, n: NodeId) -> Option<NodeId> {
        match self.parent[self.place(n)] {
            0 => None,
            above => Some(NodeId(self.node[above as usize])),
        }
    }

    /// Bytes that would be freed if the object went: its own size and that of
    /// everything it dominates.
    #[inline]
    pub fn retained(&self, n: NodeId) -> u64 {
        self.retained_at(self.place(n))
    }

    /// Objects that would be freed if the object went, itself included.
    #[inline]
    pub fn retained_count(&self, n: NodeId) -> u64 {
        self.count[self.place(n)] as u64
    }

    /// Bytes of the whole heap.
    pub fn total_bytes(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// Whether every way to `below` leads through `above`, or they are the same.
    #[inline]
    pub fn dominates(&self, above: NodeId, below: NodeId) -> bool {
        let above = self.place(above);
        (above..above + self.count[above] as usize).contains(&self.place(below))
    }

    /// Whether the object hangs below the virtual root for a reason of its own, and
    /// not because several of the others hold it.
    pub fn is_entry(&self, n: NodeId) -> bool {
        self.entries.contains(n)
    }

    /// Whether neither a root nor native code reaches the object.
    pub fn is_unreached(&self, n: NodeId) -> bool {
        self.unreached.contains(n)
    }

    /// The objects whose immediate dominator this is; of the virtual root for `None`.
    /// In an order of no meaning, the same each time.
    pub fn children(&self, n: Option<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
        let at = n.map_or(0, |n| self.place(n));
        let end = at + self.count.get(at).map_or(0, |&c| c as usize);
        let first = Some(at + 1).filter(|&p| p < end);
        let next = move |&p: &usize| Some(p + self.count[p] as usize).filter(|&p| p < end);
        std::iter::successors(first, next).map(|p| NodeId(self.node[p]))
    }

    /// Everything the object dominates, itself first; each object after its dominators.
    pub fn subtree(&self, n: NodeId) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        let at = self.place(n);
        self.node[at..at + self.count[at] as usize].iter().map(|&n| NodeId(n))
    }

    /// Every object, each after its dominators, with its subtree in one stretch.
    pub fn top_down(&self) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.node.get(1..).unwrap_or(&[]).iter().map(|&n| NodeId(n))
    }

    #[inline]
    fn place(&self, n: NodeId) -> usize {
        self.place[n.index()] as usize
    }

    #[inline]
    fn retained_at(&self, place: usize) -> u64 {
        self.before[place + self.count[place] as usize].saturating_sub(self.before[place])
    }
}
