//! One knot (objects that all reach each other): the short cycles in it, the
//! most telling first.  Knows nothing of life and death.

use undying_graph::{Detail, Flags, NodeId, Snapshot, TypeId};

use super::shape::{self, Telling};
use super::shortest::Finder;
use crate::histogram::first_of_name;
use crate::{Step, WellKnown};

/// Objects from which a small knot is searched.
const STARTS: usize = 6;
/// Past so many members only one object a class is tried.
const SMALL: usize = 64;
/// Cycles told beside the first.
const OTHERS: usize = 3;

/// What is needed to read knots, and kept from one to the next.
pub(super) struct Reader<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) telling: Telling,
    known: WellKnown,
    finder: Finder,
    first_of_name: Vec<TypeId>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Reader<'a> {
        Reader {
            snapshot,
            telling: Telling::new(snapshot),
            known: WellKnown::new(snapshot),
            finder: Finder::default(),
            first_of_name: first_of_name(snapshot),
        }
    }

    /// The first class that is called like this one.
    pub(super) fn same_name(&self, t: TypeId) -> TypeId {
        self.first_of_name.get(t.index()).copied().unwrap_or(t)
    }

    /// The different short cycles of a knot, turned, the most telling and then
    /// the shortest first; empty when every search was given up.
    pub(super) fn cycles(
        &mut self,
        members: &[NodeId],
        inside: impl Fn(NodeId) -> bool,
        edge: impl Fn(usize) -> bool,
    ) -> Vec<Vec<Step>> {
        let mut found: Vec<Vec<Step>> = Vec::new();
        for start in self.starts(members) {
            let graph = &self.snapshot.graph;
            let Some(edges) = self.finder.shortest(graph, start, &inside, &edge) else {
                continue;
            };
            let mut steps = shape::steps(self.snapshot, &self.known, &edges);
            shape::turn(self.snapshot, &self.telling, &mut steps);
            if !found.iter().any(|f| shape::key(self.snapshot, f) == shape::key(self.snapshot, &steps)) {
                found.push(steps);
            }
        }
        let head = |s: &[Step]| s.last().map(|s| self.telling.of(self.snapshot, s.node));
        found.sort_by_cached_key(|s| (head(s), s.len(), shape::key(self.snapshot, s)));
        found.truncate(1 + OTHERS);
        found
    }

    /// A number that two small knots share when they are built alike: the same
    /// classes hold the same classes under the same names, seen from each object
    /// two references far.  `None` for a large knot.
    pub(super) fn likeness(
        &mut self,
        members: &[NodeId],
        inside: impl Fn(NodeId) -> bool,
        edge: impl Fn(usize) -> bool,
    ) -> Option<u64> {
        if members.len() > SMALL {
            return None;
        }
        let graph = &self.snapshot.graph;
        let mut edges: Vec<(usize, usize, u64)> = Vec::new();
        for (i, &n) in members.iter().enumerate() {
            for e in graph.edge_range(n).filter(|&e| edge(e)) {
                let held = graph.edge(e);
                if !held.is_strong() || !inside(held.target) {
                    continue;
                }
                let label = if let Detail::Label(l) = held.detail { l.0 } else { 0 };
                let to = members.binary_search(&held.target).ok()?;
                edges.push((i, to, mix(held.kind as u64, label as u64)));
            }
        }
        let color =
            |n: &NodeId| mix(self.same_name(graph.type_id(*n)).0 as u64, graph.flags(*n).has(Flags::CLASS) as u64);
        let mut colors: Vec<u64> = members.iter().map(color).collect();
        for _ in 0..2 {
            let mut next = colors.clone();
            for &(from, to, name) in &edges {
                let both = mix(mix(colors[from], name), colors[to]);
                next[from] = next[from].wrapping_add(mix(both, 1));
                next[to] = next[to].wrapping_add(mix(both, 2));
            }
            colors = next.into_iter().map(|c| mix(c, 3)).collect();
        }
        let all = colors.iter().fold(members.len() as u64, |sum, &c| sum.wrapping_add(mix(c, 4)));
        Some(all)
    }

    /// The objects from which to search: those that tell most; in a large knot
    /// one of each class.
    fn starts(&self, members: &[NodeId]) -> Vec<NodeId> {
        let rank = |n: &NodeId| (self.telling.of(self.snapshot, *n), *n);
        let type_of = |n: &NodeId| self.snapshot.graph.type_id(*n);
        let mut starts: Vec<NodeId> = Vec::new();
        if members.len() <= SMALL {
            starts.extend(members);
            starts.sort_unstable_by_key(rank);
            let best = starts.first().map(|n| rank(n).0);
            // Plain containers tell nothing that a better object's cycle does not.
            starts.retain(|n| Some(rank(n).0) == best || rank(n).0 <= shape::LIBRARY);
        } else {
            let mut seen = rustc_hash::FxHashMap::default();
            for n in members {
                seen.entry(type_of(n)).or_insert(*n);
            }
            starts.extend(seen.into_values());
            starts.sort_unstable_by_key(rank);
        }
        starts.truncate(STARTS);
        starts
    }
}

/// Two numbers to one, well stirred.
fn mix(a: u64, b: u64) -> u64 {
    let product = (a ^ 0x9e37_79b9_7f4a_7c15) as u128 * ((b ^ 0xd1b5_4a32_d192_ed03) as u128 | 1);
    (product as u64 ^ (product >> 64) as u64).wrapping_add(a.rotate_left(29))
}
