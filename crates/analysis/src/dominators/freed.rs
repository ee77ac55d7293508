//! What would be freed if several objects went, or one reference: exactly, by what
//! is still reached without them.  The tree bounds how far one has to look.

use serde::Serialize;
use undying_graph::{Cancelled, NodeId, Progress, Snapshot};

use super::Dominators;
use crate::NodeSet;
use crate::refcounts::is_strong;

/// Objects that would go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Freed {
    /// How many.
    pub objects: u64,
    /// Their own sizes together, in bytes.
    pub bytes: u64,
}

impl Dominators {
    /// What would be freed if all of the group went, the group included.  Exact:
    /// counts also what several of them hold together and nothing else does.  Looks
    /// at no more than their nearest common dominator dominates.
    pub fn retained_of_group(
        &self,
        snapshot: &Snapshot,
        group: &[NodeId],
        progress: &dyn Progress,
    ) -> Result<Freed, Cancelled> {
        let mut members = NodeSet::new(self.len());
        group.iter().for_each(|&n| _ = members.insert(n));
        if members.is_empty() {
            return Ok(Freed::default());
        }
        let common = self.common(&members);
        let all = self.freed_at(common);
        let top = NodeId(self.node[common]);
        if common > 0 && members.contains(top) {
            return Ok(all);
        }
        let starts: Vec<NodeId> = match common {
            0 => self.entries.iter().filter(|&n| !members.contains(n)).collect(),
            _ => vec![top],
        };
        let left = self.reached(snapshot, common, &members, starts, progress)?;
        Ok(Freed { objects: all.objects.saturating_sub(left.objects), bytes: all.bytes.saturating_sub(left.bytes) })
    }

    /// An estimate from below of [`Dominators::retained_of_group`]: what the topmost
    /// of the group retain one by one.  Costs a sort of the group.
    pub fn retained_at_least(&self, group: &[NodeId]) -> Freed {
        let mut places: Vec<usize> = group.iter().map(|&n| self.place(n)).collect();
        places.sort_unstable();
        let (mut sum, mut covered) = (Freed::default(), 0);
        for place in places {
            if place >= covered {
                let freed = self.freed_at(place);
                sum.objects += freed.objects;
                sum.bytes = sum.bytes.saturating_add(freed.bytes);
                covered = place + self.count[place] as usize;
            }
        }
        sum
    }

    /// What would be freed if this reference of the object's were gone, exactly:
    /// nothing, or all that its target retains.  The latter when the holder is the
    /// target's immediate dominator and every other reference to the target comes
    /// from what the target dominates.  Looks through all references once.
    ///
    /// `edge` is a number from [`undying_graph::Graph::edge_range`] of the object.
    pub fn freed_without_edge(&self, snapshot: &Snapshot, source: NodeId, edge: usize) -> Freed {
        let graph = &snapshot.graph;
        if !graph.edge_range(source).contains(&edge) || !is_strong(graph.tags()[edge]) {
            return Freed::default();
        }
        let target = graph.edge(edge).target;
        if self.idom(target) != Some(source) {
            return Freed::default();
        }
        let others = graph.targets().iter().zip(graph.tags()).enumerate();
        let mut others = others.filter(|&(e, (&to, &tag))| to == target.0 && e != edge && is_strong(tag));
        let held = others.any(|(e, _)| {
            let holder = graph.source(e);
            self.counts(holder, target) && !self.dominates(target, holder)
        });
        if held { Freed::default() } else { self.freed_at(self.place(target)) }
    }

    /// Whether a reference from the one to the other is a reason to live.
    #[inline]
    fn counts(&self, holder: NodeId, held: NodeId) -> bool {
        !self.unreached.contains(holder) || self.unreached.contains(held)
    }

    fn freed_at(&self, place: usize) -> Freed {
        // The virtual root is no object.
        let objects = self.count[place] as u64 - (place == 0) as u64;
        Freed { objects, bytes: self.retained_at(place) }
    }

    /// The place of the nearest that dominates all of them, or is one of them.
    fn common(&self, members: &NodeSet) -> usize {
        let places = || members.iter().map(|n| self.place(n));
        let (Some(mut at), Some(last)) = (places().min(), places().max()) else {
            return 0;
        };
        while at + self.count[at] as usize <= last {
            at = self.parent[at] as usize;
        }
        at
    }

    /// What the starts reach without the members and below the place.
    fn reached(
        &self,
        snapshot: &Snapshot,
        below: usize,
        members: &NodeSet,
        starts: Vec<NodeId>,
        progress: &dyn Progress,
    ) -> Result<Freed, Cancelled> {
        let graph = &snapshot.graph;
        let (targets, tags) = (graph.targets(), graph.tags());
        let range = below..below + self.count[below] as usize;
        let mut seen = NodeSet::new(self.len());
        starts.iter().for_each(|&n| _ = seen.insert(n));
        let mut stack = starts;
        let mut sum = Freed::default();
        while let Some(n) = stack.pop() {
            sum.objects += 1;
            sum.bytes = sum.bytes.saturating_add(graph.shallow_bytes(n));
            if sum.objects & 0xffff == 0 {
                progress.check()?;
            }
            for e in graph.edge_range(n).filter(|&e| is_strong(tags[e])) {
                let to = NodeId(targets[e]);
                let follow = range.contains(&self.place(to)) && !members.contains(to) && self.counts(n, to);
                if follow && seen.insert(to) {
                    stack.push(to);
                }
            }
        }
        Ok(sum)
    }
}
