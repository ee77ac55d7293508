//! Where new objects hang on old ones: every surviving object with a reference to a
//! new one (or, in the earlier heap, to one that is gone since), and how many.

use rustc_hash::FxHashMap;
use undying_graph::{Cancelled, Certainty, EdgeKind, NodeId, Progress, RootKind, Snapshot};

use crate::refcounts::is_strong;
use crate::{NodeSet, Survival};

/// What old thing holds new objects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Holder {
    /// An object that is in both heaps, by its number in the later one.
    Object(NodeId),
    /// Roots of one kind: a table of the interpreter, a thread's frames.
    Roots(RootKind),
}

/// One side of an interval: a heap, and which of its objects are not in the other.
pub(super) struct Side<'a> {
    pub snapshot: &'a Snapshot,
    /// New (later heap) or gone (earlier heap), and alive.
    pub fresh: &'a NodeSet,
}

impl Side<'_> {
    /// Whether this reference leads to a fresh object that it keeps alive.
    #[inline]
    pub fn leads_to_fresh(&self, edge: usize) -> bool {
        let graph = &self.snapshot.graph;
        is_strong(graph.tags()[edge]) && self.fresh.contains(NodeId(graph.targets()[edge]))
    }

    /// A weak reference object whose referent is fresh too: it follows the referent, and
    /// tells nothing of its own.
    pub fn follows_another(&self, n: NodeId) -> bool {
        let graph = &self.snapshot.graph;
        let mut weak = graph.edges(n).filter(|e| e.kind == EdgeKind::Weak && e.certainty == Certainty::Exact);
        weak.any(|e| self.fresh.contains(e.target))
    }

    /// By object that is not fresh: its references to fresh ones.
    pub fn holders(&self, progress: &dyn Progress) -> Result<FxHashMap<NodeId, u32>, Cancelled> {
        let graph = &self.snapshot.graph;
        let mut found = FxHashMap::default();
        if self.fresh.is_empty() {
            return Ok(found);
        }
        for n in graph.nodes() {
            if n.0 & 0xf_ffff == 0 {
                progress.check()?;
            }
            if self.fresh.contains(n) {
                continue;
            }
            let range = graph.edge_range(n);
            let fresh = range.filter(|&e| self.leads_to_fresh(e)).count() as u32;
            if fresh > 0 {
                found.insert(n, fresh);
            }
        }
        Ok(found)
    }
}

/// The alive objects of the later heap that are not in the earlier one.
pub(super) fn new_objects(after: &Snapshot, survival: &Survival, alive: impl Fn(NodeId) -> bool) -> NodeSet {
    fresh(after, |n| survival.is_new(n), alive)
}

/// The objects of the earlier heap that are not in the later one.
pub(super) fn gone_objects(before: &Snapshot, survival: &Survival) -> NodeSet {
    fresh(before, |n| survival.is_gone(n), |_| true)
}

/// Classes whose objects are made and freed so fast that the same address proves least.
const REUSED: &[&str] =
    &["int", "float", "str", "bytes", "complex", "tuple", "list", "dict", "set", "frozenset", "cell", "method"];

/// Fresh is what `is` says; and of what lies at an address that was in use by an object of
/// such a class before: what only fresh objects hold.  Dead entries that the interpreter
/// keeps for reuse (count 0) are none.
fn fresh(snapshot: &Snapshot, is: impl Fn(NodeId) -> bool, alive: impl Fn(NodeId) -> bool) -> NodeSet {
    let graph = &snapshot.graph;
    let mut set = NodeSet::new(graph.len());
    for n in graph.nodes().filter(|&n| is(n) && graph.refcount(n) != Some(0) && alive(n)) {
        set.insert(n);
    }
    if set.is_empty() {
        return set;
    }
    let mut held = NodeSet::new(graph.len());
    for n in graph.nodes().filter(|&n| !is(n)) {
        for e in graph.edge_range(n).filter(|&e| is_strong(graph.tags()[e])) {
            held.insert(NodeId(graph.targets()[e]));
        }
    }
    let reused: Vec<bool> = snapshot.types.iter().map(|t| REUSED.contains(&snapshot.text(t.name))).collect();
    let weak = |n: NodeId| reused.get(graph.type_id(n).index()).copied().unwrap_or(false) && !held.contains(n);
    let mut waiting: Vec<NodeId> = set.iter().collect();
    while let Some(n) = waiting.pop() {
        for e in graph.edge_range(n).filter(|&e| is_strong(graph.tags()[e])) {
            let to = NodeId(graph.targets()[e]);
            if !is(to) && weak(to) && graph.refcount(to).is_some() && set.insert(to) {
                waiting.push(to);
            }
        }
    }
    set
}
