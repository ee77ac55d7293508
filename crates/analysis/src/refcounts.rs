//! Counted references against found ones: for each object its reference count
//! beside the references that the capture found.  Says who has something left
//! over and who has too little; draws no conclusion (garbage.rs and paths.rs do).

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Cancelled, Certainty, Flags, Graph, NodeId, Progress, RootKind, Snapshot};

use crate::NodeSet;

/// Objects by how their reference count compares with what was found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RefcountTotals {
    /// Objects with a reference count (not immortal).
    pub mortal: u64,
    /// Of them: exactly as many references known as counted.
    pub exact: u64,
    /// Of them: counted more than found, guesses and roots included: native code
    /// holds them, or a reference was lost.
    pub excess: u64,
    /// References in excess, all objects together.
    pub excess_references: u64,
    /// Of them: more exactly known references than counted, which cannot be.
    pub deficit: u64,
    /// Of them: explained only when guesses or roots are taken in.
    pub guessed: u64,
    /// Of them: count 0: dead entries that the interpreter keeps for reuse.
    pub zero: u64,
}

/// What the comparison gives the other analyses.
#[derive(Clone, Debug, Default)]
pub struct Refcounts {
    /// Collectable objects whose count is more than the exact references from
    /// other collectable objects: the collector keeps them.
    pub left_over: NodeSet,
    /// Objects that the collector would look at (tracked, not frozen).
    pub candidates: NodeSet,
    /// Objects counted more often than found, guesses and roots included.
    pub excess: NodeSet,
    /// Objects with more exactly known references than counted.
    pub deficit: NodeSet,
    /// Objects that a guess points to.
    pub guessed: NodeSet,
    /// How many of each.
    pub totals: RefcountTotals,
}

/// The tag bits of a packed reference that are its kind (`Edge::pack`).
const KIND: u8 = 15;
/// `EdgeKind::Weak` in those bits.
const WEAK: u8 = undying_graph::EdgeKind::Weak as u8;

/// A count from here on says nothing: 3.11 gives objects that it lays out itself
/// 999,999,999 (`_PyObject_IMMORTAL_INIT`, Include/internal/pycore_object.h),
/// and frees none of them.
const SAYS_NOTHING: u64 = 1 << 29;

/// The object's reference count, where it says something.
#[inline]
pub(crate) fn counted(graph: &Graph, n: NodeId) -> Option<u64> {
    graph.refcount(n).filter(|&r| r < SAYS_NOTHING)
}

/// Whether the packed reference keeps its target alive.
#[inline]
pub(crate) fn is_strong(tag: u8) -> bool {
    tag & KIND != WEAK
}

/// Whether the packed reference is known from a layout or a member table.  A tag
/// that no reference packs to counts as a guess.
#[inline]
pub(crate) fn is_exact(tag: u8) -> bool {
    tag >> 4 & 3 < Certainty::Conservative as u8
}

/// Whether the collector would look at the object: in one of its lists, not in
/// the permanent one, and a living object (a count of 0 is a dead entry).
#[inline]
pub(crate) fn is_candidate(graph: &Graph, n: NodeId) -> bool {
    let flags = graph.flags(n);
    flags.has(Flags::GC_TRACKED) && !flags.has(Flags::FROZEN) && graph.refcount(n) != Some(0)
}

/// References found, by what they point to.
struct Found {
    /// Exactly known ones.
    exact: Vec<u32>,
    /// Of them: to candidates and not from one.  Few: what is not collectable
    /// rarely holds what is.
    from_others: FxHashMap<u32, u32>,
    /// Guesses.
    guessed: FxHashMap<u32, u32>,
}

/// Compares every object's reference count with the references found.
/// 4 bytes an object while it runs, five bits after.
pub fn refcounts(snapshot: &Snapshot, progress: &dyn Progress) -> Result<Refcounts, Cancelled> {
    let graph = &snapshot.graph;
    progress.phase("counting references", graph.len() as u64);
    let mut candidates = NodeSet::new(graph.len());
    for n in graph.nodes().filter(|&n| is_candidate(graph, n)) {
        candidates.insert(n);
    }
    let found = count(graph, &candidates, progress)?;
    let rooted = counted_roots(snapshot);
    let mut answer = Refcounts {
        left_over: NodeSet::new(graph.len()),
        excess: NodeSet::new(graph.len()),
        deficit: NodeSet::new(graph.len()),
        guessed: NodeSet::new(graph.len()),
        candidates,
        totals: RefcountTotals::default(),
    };
    let mut roots = rooted.iter().copied().peekable();
    for n in graph.nodes() {
        let mut from_roots = 0u64;
        while roots.next_if_eq(&n.0).is_some() {
            from_roots += 1;
        }
        answer.judge(graph, n, &found, from_roots);
    }
    Ok(answer)
}

/// Nodes of roots that may count in a reference count, ascending, once each time.
/// A module's root is the name of a reference that `sys.modules` has already.
fn counted_roots(snapshot: &Snapshot) -> Vec<u32> {
    let counts = |kind| !matches!(kind, RootKind::Immortal | RootKind::Interned | RootKind::Native);
    let roots = snapshot.roots.iter().filter(|r| counts(r.kind));
    let mut nodes: Vec<u32> = roots.map(|r| r.node.0).collect();
    nodes.sort_unstable();
    nodes
}

fn count(graph: &Graph, candidates: &NodeSet, progress: &dyn Progress) -> Result<Found, Cancelled> {
    let (targets, tags) = (graph.targets(), graph.tags());
    let mut exact = vec![0u32; graph.len()];
    let (mut from_others, mut guessed) = (FxHashMap::default(), FxHashMap::default());
    for n in graph.nodes() {
        if n.0 & 0xffff == 0 {
            progress.check()?;
            progress.done(n.0 as u64);
        }
        let candidate = candidates.contains(n);
        for e in graph.edge_range(n).filter(|&e| is_strong(tags[e])) {
            let to = targets[e];
            if !is_exact(tags[e]) {
                *guessed.entry(to).or_default() += 1;
                continue;
            }
            exact[to as usize] += 1;
            if !candidate && candidates.contains(NodeId(to)) {
                *from_others.entry(to).or_default() += 1;
            }
        }
    }
    Ok(Found { exact, from_others, guessed })
}

impl Refcounts {
    fn judge(&mut self, graph: &Graph, n: NodeId, found: &Found, from_roots: u64) {
        let few = |map: &FxHashMap<u32, u32>| map.get(&n.0).copied().unwrap_or(0) as u64;
        let guessed = if found.guessed.is_empty() { 0 } else { few(&found.guessed) };
        if guessed > 0 {
            self.guessed.insert(n);
        }
        let Some(counted) = counted(graph, n) else {
            return;
        };
        let exact = found.exact[n.index()] as u64;
        let all = exact + guessed + from_roots;
        let totals = &mut self.totals;
        totals.mortal += 1;
        if counted == 0 && exact == 0 {
            totals.zero += 1;
        } else if counted < exact {
            totals.deficit += 1;
            self.deficit.insert(n);
        } else if counted == exact {
            totals.exact += 1;
        } else if counted <= all {
            totals.guessed += 1;
        } else {
            totals.excess += 1;
            totals.excess_references = totals.excess_references.saturating_add(counted - all);
            self.excess.insert(n);
        }
        if self.candidates.contains(n) && counted > exact - few(&found.from_others).min(exact) {
            self.left_over.insert(n);
        }
    }
}
