//! Other ways to an object than its shortest: by its other holders, or by other
//! holders of the one that holds it.  Every search here is bounded: an object
//! may have a million holders.

use undying_graph::{EdgeKind, NodeId, Snapshot, Transpose};

use super::{Forest, Reached};
use crate::naming;
use crate::refcounts::is_strong;

/// Holders looked at for one object.
const LOOKED_AT: usize = 64;
/// How far up a single holder is followed to where ways part.
const LEVELS: usize = 6;
/// How far up a holder's own way is searched for the object itself.
const CLIMB: usize = 64;
/// Holders looked at for all objects together; past it only shortest ways are told.
const BUDGET: usize = 20_000_000;

/// Finds them, until its budget is spent.
pub(super) struct Holders<'a> {
    snapshot: &'a Snapshot,
    forest: &'a Forest,
    referrers: &'a Transpose,
    spent: usize,
}

/// A way: an object of the forest, and the references from it down to the target.
pub(super) type Way = (NodeId, Vec<u32>);

impl<'a> Holders<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, forest: &'a Forest, referrers: &'a Transpose) -> Holders<'a> {
        Holders { snapshot, forest, referrers, spent: 0 }
    }

    /// Up to `limit` other ways, nearest holders first, each by a different holder.
    pub(super) fn others(&mut self, target: NodeId, limit: usize) -> Vec<Way> {
        let mut ways = Vec::new();
        let mut down: Vec<u32> = Vec::new();
        let mut at = target;
        for _ in 0..LEVELS {
            if ways.len() >= limit || self.spent > BUDGET {
                break;
            }
            self.at(at, &down, limit, &mut ways);
            match self.forest.reached(&self.snapshot.graph, at) {
                // A holder with a name is an answer; beyond it ways part for everyone.
                Reached::By(holder, e) if ways.is_empty() && !self.is_named(holder) => {
                    down.insert(0, e as u32);
                    at = holder;
                }
                _ => break,
            }
        }
        ways
    }

    /// Ways to `at` by other holders than its own, with `down` behind them.
    fn at(&mut self, at: NodeId, down: &[u32], limit: usize, ways: &mut Vec<Way>) {
        let graph = &self.snapshot.graph;
        let own = match self.forest.reached(graph, at) {
            Reached::By(holder, _) => Some(holder),
            _ => None,
        };
        let mut found: Vec<(u32, NodeId, u32)> = Vec::new();
        for (holder, e) in self.referrers.referrers(at).take(LOOKED_AT) {
            self.spent += 1;
            let held = is_strong(graph.tags()[e]) && graph.edge(e).kind != EdgeKind::Type;
            let new = held && Some(holder) != own && !found.iter().any(|f| f.1 == holder);
            if new && self.forest.reaches(holder) && !self.passes(holder, at) {
                found.push((self.forest.position(holder), holder, e as u32));
            }
        }
        found.sort_unstable();
        let room = limit.saturating_sub(ways.len());
        ways.extend(found.into_iter().take(room).map(|(_, holder, e)| {
            let mut way = vec![e];
            way.extend(down);
            (holder, way)
        }));
    }

    /// Whether the holder's own shortest way passes the object, so that it is no
    /// other way; also when that could not be told.
    fn passes(&mut self, holder: NodeId, object: NodeId) -> bool {
        let end = self.forest.position(object);
        let mut at = holder;
        for _ in 0..CLIMB {
            self.spent += 1;
            if at == object {
                return true;
            }
            // Whoever was found earlier cannot lie below.
            if self.forest.position(at) <= end {
                return false;
            }
            match self.forest.reached(&self.snapshot.graph, at) {
                Reached::By(next, _) => at = next,
                _ => return false,
            }
        }
        true
    }

    /// Whether the object has a name of its own, or is more than a container.
    fn is_named(&self, n: NodeId) -> bool {
        let class = naming::type_name(self.snapshot, self.snapshot.graph.type_id(n));
        let plain = matches!(class, "dict" | "list" | "tuple" | "set" | "frozenset" | "cell");
        !plain || self.snapshot.name_of(n).is_some()
    }
}
