//! Cycles that neither counting nor the collector frees: every reference to them comes
//! from among themselves, and one of them is of a class without `tp_traverse`, so the
//! collector takes what it holds for held from outside.

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Cancelled, Flags, Graph, NodeId, Progress, Snapshot, TypeId};

use crate::paths::Forest;
use crate::refcounts::{counted, is_exact, is_strong};
use crate::references::type_file;
use crate::{Cycle, CycleLimits, Garbage, NodeSet, Refcounts, components_within, cycles, naming};

/// Cycles of one shape that no collector frees.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Uncollectable {
    /// The class that the collector cannot look into.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The file of native code that defines it.
    pub module_file: Option<String>,
    /// How many cycles.
    pub count: u64,
    /// Objects on them and hanging from them.
    pub objects: u64,
    /// Their own sizes together, in bytes.
    pub bytes: u64,
    /// The way round, in words.
    pub path_text: String,
    /// It has a `tp_traverse`, which does not visit all that it holds.
    pub partial: bool,
    /// The class.
    #[serde(skip)]
    pub type_id: TypeId,
    /// One such container.
    #[serde(skip)]
    pub example: NodeId,
    /// One of the cycles.
    #[serde(skip)]
    pub cycle: Cycle,
    /// All such containers.
    #[serde(skip)]
    pub members: Vec<NodeId>,
}

/// Finds them: what neither a root reaches nor anything that is counted more often than
/// found, and what the collector will not free; by shape.  `reached`, where it is at hand,
/// spares the search where everything has a way.
pub fn uncollectable(
    snapshot: &Snapshot,
    counts: &Refcounts,
    dead: &Garbage,
    reached: Option<&Forest>,
    progress: &dyn Progress,
) -> Result<Vec<Uncollectable>, Cancelled> {
    let graph = &snapshot.graph;
    let living = |n: NodeId| counted(graph, n).is_some_and(|c| c > 0);
    let outside = |f: &Forest| graph.nodes().all(|n| f.reaches(n) || dead.dead.contains(n) || !living(n));
    if reached.is_some_and(outside) {
        return Ok(Vec::new());
    }
    let lost = unreachable(snapshot, counts, dead, progress)?;
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let blind = |n: NodeId| is_blind(snapshot, &lost, n);
    let members_of = lost.iter().filter(|&n| blind(n)).collect::<Vec<NodeId>>();
    let as_dead = Garbage { objects: lost.len() as u64, dead: lost.clone(), ..Garbage::default() };
    let knots = components_within(snapshot, &as_dead.dead, progress)?;
    let shapes = cycles(snapshot, &as_dead, &knots, None, CycleLimits::default(), progress)?;
    let mut found: Vec<Uncollectable> = Vec::new();
    for shape in shapes.shapes {
        let steps = shape.cycle.steps.iter().filter(|s| s.node.index() < graph.len() && blind(s.node));
        // the largest is the one with something to hold: a helper may only point back
        let Some(step) = steps.max_by_key(|s| graph.shallow_bytes(s.node)) else { continue };
        let class = graph.type_id(step.node);
        match found.iter_mut().find(|row| row.type_id == class) {
            Some(row) => {
                row.count += shape.count;
                row.objects += shape.objects;
                row.bytes += shape.bytes;
            }
            None => found.push(Uncollectable {
                type_name: naming::type_name(snapshot, class).to_string(),
                module_file: type_file(snapshot, class),
                count: shape.count,
                objects: shape.objects,
                bytes: shape.bytes,
                path_text: naming::cycle_text(snapshot, &shape.cycle.steps),
                partial: snapshot.types.get(class.index()).is_some_and(|t| t.has_gc),
                type_id: class,
                example: step.node,
                cycle: shape.cycle,
                members: Vec::new(),
            }),
        }
    }
    let mut members: FxHashMap<TypeId, Vec<NodeId>> = FxHashMap::default();
    for n in members_of {
        members.entry(graph.type_id(n)).or_default().push(n);
    }
    for row in &mut found {
        row.members = members.get(&row.type_id).cloned().unwrap_or_default();
    }
    Ok(found)
}

/// Whether the collector cannot see all that the object holds: its class has no
/// `tp_traverse`, or the collector has been there, found it alive, and yet nothing but a
/// word of the object itself leads on to another of the lost.
fn is_blind(snapshot: &Snapshot, lost: &NodeSet, n: NodeId) -> bool {
    let graph = &snapshot.graph;
    let Some(class) = snapshot.type_of(n) else { return false };
    let collectable = |to: NodeId| graph.flags(to).has(Flags::GC_TRACKED);
    let guessed = |e: usize| !is_exact(graph.tags()[e]) && is_strong(graph.tags()[e]);
    let mut onward = graph.edge_range(n).filter(|&e| guessed(e)).map(|e| NodeId(graph.targets()[e]));
    !class.has_gc || (!graph.flags(n).has(Flags::YOUNG) && onward.any(|to| lost.contains(to) && collectable(to)))
}

/// What nothing alive reaches, over every reference, guesses included; without what the
/// collector finds by itself.
fn unreachable(
    snapshot: &Snapshot,
    counts: &Refcounts,
    dead: &Garbage,
    progress: &dyn Progress,
) -> Result<NodeSet, Cancelled> {
    let graph = &snapshot.graph;
    progress.phase("finding what cannot be collected", graph.len() as u64);
    let mut alive = NodeSet::new(graph.len());
    let mut waiting: Vec<NodeId> = Vec::new();
    let rooted = snapshot.roots.iter().map(|r| r.node).filter(|n| n.index() < graph.len());
    let held = graph.nodes().filter(|&n| is_held(graph, counts, n));
    for n in rooted.chain(held) {
        if alive.insert(n) {
            waiting.push(n);
        }
    }
    let (targets, tags) = (graph.targets(), graph.tags());
    let mut done = 0u64;
    while let Some(n) = waiting.pop() {
        done += 1;
        if done & 0xffff == 0 {
            progress.check()?;
            progress.done(done);
        }
        for e in graph.edge_range(n).filter(|&e| is_strong(tags[e])) {
            let to = NodeId(targets[e]);
            if alive.insert(to) {
                waiting.push(to);
            }
        }
    }
    let mut lost = NodeSet::new(graph.len());
    // what says nothing of its count is held
    let living = |n: NodeId| counted(graph, n).is_some_and(|c| c > 0);
    for n in graph.nodes().filter(|&n| !alive.contains(n) && !dead.dead.contains(n) && living(n)) {
        lost.insert(n);
    }
    Ok(lost)
}

/// Whether something outside of the objects' references keeps it: what says nothing of
/// its count, what lies in a library's data, what is counted more often than found.
fn is_held(graph: &Graph, counts: &Refcounts, n: NodeId) -> bool {
    let flags = graph.flags(n);
    match counted(graph, n) {
        None => true,
        Some(0) => false,
        Some(_) => {
            flags.has(Flags::STATIC)
                || flags.has(Flags::FROZEN)
                || counts.excess.contains(n)
                || counts.short.contains(n)
        }
    }
}
