//! Who accounts for each fresh object: breadth first from the holders, the one that
//! gained most first, so that a registry comes before a frame that happens to use
//! what is registered.  What each holder claims is counted by class.

use rustc_hash::FxHashMap;
use undying_graph::{EdgeKind, NodeId};

use super::sources::Side;
use crate::refcounts::is_exact;

/// Not claimed.
const NONE: u32 = u32::MAX;
/// Claimed straight from a holder that is no object.
const ROOT: u32 = u32::MAX - 1;

/// Fresh objects of one class that one holder claims.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub count: u64,
    pub bytes: u64,
    /// Bytes claimed through the topmost of them.
    pub through: u64,
    /// References from the holder to the nearest.
    pub depth: u32,
    /// The nearest.
    pub example: u32,
    /// References from the holder to the farthest.
    pub reach: u32,
    /// The farthest.
    pub last: u32,
}

/// One holder's first references.
pub(super) enum Start {
    /// All references of this object to fresh ones.
    Object(NodeId),
    /// These fresh objects.
    Nodes(Vec<NodeId>),
}

/// The claims on one side of an interval.
pub(super) struct Claims {
    /// The reference by which each object was claimed.
    by: Vec<u32>,
    /// Claimed objects in order.
    order: Vec<u32>,
    depth: Vec<u32>,
    /// Position of the claiming object in `order`, `NONE` for a holder's own reference.
    parent: Vec<u32>,
    group: Vec<u32>,
}

impl Claims {
    pub fn new(objects: usize) -> Claims {
        let (order, depth, parent, group) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Claims { by: vec![NONE; objects], order, depth, parent, group }
    }

    fn take(&mut self, n: NodeId, by: u32, parent: u32, group: u32) {
        let Some(slot) = self.by.get_mut(n.index()).filter(|b| **b == NONE) else { return };
        *slot = by;
        let depth = if parent == NONE { 1 } else { self.depth[parent as usize].saturating_add(1) };
        self.order.push(n.0);
        self.depth.push(depth);
        self.parent.push(parent);
        self.group.push(group);
    }

    /// Claims what these holders reach over fresh objects, all at the same pace; an
    /// instance's reference to its class and guesses come last.
    pub fn claim(&mut self, side: &Side, starts: &[(Start, u32)]) {
        let graph = &side.snapshot.graph;
        let mut late = Vec::new();
        let mut at = self.order.len();
        for (start, group) in starts {
            match start {
                Start::Object(n) => self.follow(side, *n, NONE, *group, &mut late),
                Start::Nodes(nodes) => nodes.iter().for_each(|&n| self.take(n, ROOT, NONE, *group)),
            }
        }
        loop {
            while at < self.order.len() {
                let (n, group) = (NodeId(self.order[at]), self.group[at]);
                self.follow(side, n, at as u32, group, &mut late);
                at += 1;
            }
            for (e, parent, group) in std::mem::take(&mut late) {
                self.take(NodeId(graph.targets()[e as usize]), e, parent, group);
            }
            if at == self.order.len() {
                return;
            }
        }
    }

    /// Takes the fresh objects that one object refers to; puts guesses off.
    fn follow(&mut self, side: &Side, n: NodeId, parent: u32, group: u32, late: &mut Vec<(u32, u32, u32)>) {
        let graph = &side.snapshot.graph;
        for e in graph.edge_range(n) {
            if e >= ROOT as usize || !side.leads_to_fresh(e) {
                continue;
            }
            let edge = graph.edge(e);
            if edge.kind == EdgeKind::Type || !is_exact(graph.tags()[e]) {
                late.push((e as u32, parent, group));
            } else {
                self.take(edge.target, e as u32, parent, group);
            }
        }
    }

    /// Every claimed object and its group.
    pub fn each(&self) -> impl Iterator<Item = (NodeId, u32)> + '_ {
        self.order.iter().zip(&self.group).map(|(&n, &group)| (NodeId(n), group))
    }

    /// Whether somebody claimed the object.
    pub fn has(&self, n: NodeId) -> bool {
        self.by.get(n.index()).is_some_and(|&b| b != NONE)
    }

    /// The references from the holder down to the object, in order; without the first
    /// where that comes from no object.
    pub fn way_to(&self, side: &Side, n: NodeId) -> Vec<usize> {
        let graph = &side.snapshot.graph;
        let mut edges = Vec::new();
        let mut at = n;
        while let Some(&e) = self.by.get(at.index()).filter(|&&e| e < ROOT) {
            edges.push(e as usize);
            at = graph.source(e as usize);
            // a holder; and never longer than there are claims
            if !self.has(at) || edges.len() > self.order.len() {
                break;
            }
        }
        edges.reverse();
        edges
    }

    /// By group and class: what was claimed.  `class` gives the class's number in a
    /// numbering that both sides share.
    pub fn tallies(&self, side: &Side, class: impl Fn(NodeId) -> u32) -> FxHashMap<(u32, u32), Tally> {
        let graph = &side.snapshot.graph;
        let bytes = |n: u32| graph.shallow_bytes(NodeId(n));
        let mut below: Vec<u64> = self.order.iter().map(|&n| bytes(n)).collect();
        for i in (0..below.len()).rev().filter(|&i| self.parent[i] != NONE) {
            let own = below[i];
            let parent = &mut below[self.parent[i] as usize];
            *parent = parent.saturating_add(own);
        }
        let mut rows: FxHashMap<(u32, u32), Tally> = FxHashMap::default();
        for (i, &n) in self.order.iter().enumerate() {
            if side.follows_another(NodeId(n)) {
                continue;
            }
            let mine = class(NodeId(n));
            let nested = self.parent[i] != NONE && class(NodeId(self.order[self.parent[i] as usize])) == mine;
            let row = rows.entry((self.group[i], mine)).or_insert(Tally { depth: u32::MAX, ..Tally::default() });
            row.count += 1;
            row.bytes = row.bytes.saturating_add(bytes(n));
            row.through = row.through.saturating_add(if nested { 0 } else { below[i] });
            if self.depth[i] < row.depth {
                (row.depth, row.example) = (self.depth[i], n);
            }
            if self.depth[i] > row.reach {
                (row.reach, row.last) = (self.depth[i], n);
            }
        }
        rows
    }
}
