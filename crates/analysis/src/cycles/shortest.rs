//! A shortest cycle through one object, inside one knot.  Knows nothing of
//! names; a search that grows too large is given up.

use rustc_hash::FxHashMap;
use undying_graph::{Graph, NodeId};

use crate::refcounts::is_strong;

/// Objects looked at before a search is given up.
const LIMIT: usize = 1_000_000;

/// Breadth first search, its tables kept for the next one.
#[derive(Default)]
pub(super) struct Finder {
    /// Reached object: by which reference, from which object.
    by: FxHashMap<u32, (u32, u32)>,
    queue: Vec<u32>,
}

impl Finder {
    /// The numbers of the references of a shortest cycle through `start`, in
    /// order, over strong references that `edge` lets through and objects that
    /// `inside` does.
    pub(super) fn shortest(
        &mut self,
        graph: &Graph,
        start: NodeId,
        inside: impl Fn(NodeId) -> bool,
        edge: impl Fn(usize) -> bool,
    ) -> Option<Vec<u32>> {
        let (targets, tags) = (graph.targets(), graph.tags());
        self.by.clear();
        self.queue.clear();
        self.queue.push(start.0);
        let mut taken = 0;
        while let Some(&n) = self.queue.get(taken).filter(|_| taken < LIMIT) {
            taken += 1;
            for e in graph.edge_range(NodeId(n)) {
                let to = NodeId(targets[e]);
                if !is_strong(tags[e]) || !inside(to) || !edge(e) {
                    continue;
                }
                if to == start {
                    return Some(self.back(start, n, e as u32));
                }
                self.by.entry(to.0).or_insert_with(|| {
                    self.queue.push(to.0);
                    (e as u32, n)
                });
            }
        }
        None
    }

    /// The references from `start` to `last`, and then the closing one.
    fn back(&self, start: NodeId, last: u32, closing: u32) -> Vec<u32> {
        let mut edges = vec![closing];
        let mut at = last;
        while let Some(&(edge, from)) = self.by.get(&at).filter(|_| at != start.0) {
            edges.push(edge);
            at = from;
        }
        edges.reverse();
        edges
    }
}
