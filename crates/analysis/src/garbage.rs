//! What only the cyclic collector can free, found by the collector's own
//! algorithm (CPython 3.8 to 3.13, Modules/gcmodule.c and Python/gc.c:
//! `update_refs`, `subtract_refs`, `move_unreachable`) over the whole heap, and
//! what falls with it.  It trusts only exact references when it accuses.

use serde::Serialize;
use undying_graph::{Cancelled, Flags, Graph, NodeId, Progress, RootKind, Snapshot};

use crate::NodeSet;
use crate::refcounts::{Refcounts, counted, is_exact, is_strong};

/// Dead objects that nothing but the collector will free.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Garbage {
    /// The dead: cyclic garbage and what only it holds.
    #[serde(skip)]
    pub dead: NodeSet,
    /// How many they are.
    pub objects: u64,
    /// Their own sizes together, in bytes.
    pub bytes: u64,
    /// Of them: those that the collector finds, which is what `gc.collect()`
    /// returns; the rest falls with them.
    pub collectable: u64,
    /// Of them: tracked by the collector.
    pub tracked: u64,
    /// Of them: not of the youngest generation, so at least one collection has
    /// passed them by.
    pub old: u64,
    /// Objects with more references found than counted; taken as alive.
    pub deficits: u64,
}

/// Finds the dead.  Alive is what an outside reference holds (a count left over
/// once the exact references of collectable objects are subtracted), every
/// root, every immortal or frozen object, every object that is counted too often
/// or too rarely, and all they reach over any strong reference, guesses included.  A word on a C stack proves nothing beyond the count: what
/// a stack owns is left over already, and a stale word must not hide a cycle.
pub fn garbage(snapshot: &Snapshot, counts: &Refcounts, progress: &dyn Progress) -> Result<Garbage, Cancelled> {
    let graph = &snapshot.graph;
    progress.phase("finding garbage", graph.len() as u64);
    let pinned = pinned(snapshot, counts);
    let alive = reach(graph, counts, &pinned, progress)?;
    let mut dead = NodeSet::new(graph.len());
    for n in counts.candidates.iter().filter(|&n| !alive.contains(n)) {
        dead.insert(n);
    }
    let collectable = dead.len() as u64;
    fell_with(graph, &mut dead, &pinned, &counts.guessed);
    let mut answer =
        Garbage { objects: dead.len() as u64, collectable, deficits: counts.short.len() as u64, ..Garbage::default() };
    for n in dead.iter() {
        let flags = graph.flags(n);
        answer.bytes = answer.bytes.saturating_add(graph.shallow_bytes(n));
        answer.tracked += flags.has(Flags::GC_TRACKED) as u64;
        answer.old += !flags.has(Flags::YOUNG) as u64;
    }
    answer.dead = dead;
    Ok(answer)
}

/// Objects that are alive whatever holds them: roots, immortal objects, those
/// with a deficit.
fn pinned(snapshot: &Snapshot, counts: &Refcounts) -> NodeSet {
    let graph = &snapshot.graph;
    let mut pinned = NodeSet::new(graph.len());
    for root in snapshot.roots.iter().filter(|r| r.kind != RootKind::Stack) {
        pinned.insert(root.node);
    }
    for n in graph.nodes().filter(|&n| counted(graph, n).is_none()) {
        pinned.insert(n);
    }
    for n in counts.short.iter() {
        pinned.insert(n);
    }
    pinned
}

/// All that is alive: the seeds and what they reach.  One sweep upwards in
/// address order, so that memory is mostly read in order; what lies below the
/// sweep waits on a stack.
fn reach(graph: &Graph, counts: &Refcounts, pinned: &NodeSet, progress: &dyn Progress) -> Result<NodeSet, Cancelled> {
    let mut alive = NodeSet::new(graph.len());
    let frozen = graph.nodes().filter(|&n| graph.flags(n).has(Flags::FROZEN));
    for seed in counts.left_over.iter().chain(counts.excess.iter()).chain(pinned.iter()).chain(frozen) {
        alive.insert(seed);
    }
    let mut below: Vec<NodeId> = Vec::new();
    let (targets, tags) = (graph.targets(), graph.tags());
    for sweep in graph.nodes() {
        if sweep.0 & 0xffff == 0 {
            progress.check()?;
            progress.done(sweep.0 as u64);
        }
        if !alive.contains(sweep) {
            continue;
        }
        below.push(sweep);
        while let Some(n) = below.pop() {
            for e in graph.edge_range(n) {
                let to = NodeId(targets[e]);
                if is_strong(tags[e]) && alive.insert(to) && to <= sweep {
                    below.push(to);
                }
            }
        }
    }
    Ok(alive)
}

/// Adds what the dead alone hold: objects whose whole count is exact references
/// from the dead and that no guess points to, again and again.
fn fell_with(graph: &Graph, dead: &mut NodeSet, pinned: &NodeSet, guessed: &NodeSet) {
    if dead.is_empty() {
        return;
    }
    let mut from_dead = vec![0u32; graph.len()];
    let mut stack: Vec<u32> = dead.iter().map(|n| n.0).collect();
    let (targets, tags) = (graph.targets(), graph.tags());
    while let Some(n) = stack.pop() {
        for e in graph.edge_range(NodeId(n)) {
            let to = NodeId(targets[e]);
            if !is_strong(tags[e]) || !is_exact(tags[e]) || dead.contains(to) {
                continue;
            }
            let Some(found) = from_dead.get_mut(to.index()) else {
                continue;
            };
            *found = found.saturating_add(1);
            let falls = counted(graph, to) == Some(*found as u64) && !pinned.contains(to) && !guessed.contains(to);
            if falls && dead.insert(to) {
                stack.push(to.0);
            }
        }
    }
}
