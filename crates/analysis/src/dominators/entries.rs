//! What hangs below the virtual root: roots, what native code holds, and one
//! object of each group of garbage that no other garbage holds.

use undying_graph::{Cancelled, Graph, NodeId, Snapshot};

use super::search::Search;
use crate::refcounts::is_strong;
use crate::{NodeSet, Refcounts};

/// Enters the search at everything that is held from outside, surest first.  Gives
/// all entries, and what only the last kind reaches.
pub(super) fn enter(
    snapshot: &Snapshot,
    counts: &Refcounts,
    search: &mut Search,
) -> Result<(NodeSet, NodeSet), Cancelled> {
    let graph = &snapshot.graph;
    let mut entries = NodeSet::new(graph.len());
    for root in &snapshot.roots {
        entries.insert(root.node);
    }
    search.enter(&entries)?;
    let native = of(graph, counts.excess.iter().filter(|&n| !search.seen().contains(n)));
    search.enter(&native)?;
    let unreached = of(graph, graph.nodes().filter(|&n| !search.seen().contains(n)));
    let dropped = unheld(graph, &unreached);
    search.settle();
    search.enter(&dropped)?;
    for n in native.iter().chain(dropped.iter()) {
        entries.insert(n);
    }
    Ok((entries, unreached))
}

fn of(graph: &Graph, nodes: impl Iterator<Item = NodeId>) -> NodeSet {
    let mut set = NodeSet::new(graph.len());
    for n in nodes {
        set.insert(n);
    }
    set
}

/// Of each strongly connected group in the part that nothing else in the part
/// holds, the first object: from these all of the part is reached, and none of them
/// is reached from another.
///
/// The starts of a search in ascending order, taken again from the last to the
/// first: whatever holds a start was found from it or from a later one.  So a start
/// that no later one reaches is held by nothing but its own group, and it is the
/// first of the group, or the search had come to it from there.
fn unheld(graph: &Graph, part: &NodeSet) -> NodeSet {
    let mut seen = NodeSet::new(graph.len());
    let mut starts = Vec::new();
    for n in part.iter() {
        if !seen.contains(n) {
            starts.push(n);
            flood(graph, part, &mut seen, n);
        }
    }
    let mut seen = NodeSet::new(graph.len());
    let mut first = NodeSet::new(graph.len());
    for &n in starts.iter().rev() {
        if !seen.contains(n) {
            first.insert(n);
            flood(graph, part, &mut seen, n);
        }
    }
    first
}

/// Adds to `seen` what the object reaches within the part.
fn flood(graph: &Graph, part: &NodeSet, seen: &mut NodeSet, start: NodeId) {
    let (targets, tags) = (graph.targets(), graph.tags());
    seen.insert(start);
    let mut stack = vec![start];
    while let Some(n) = stack.pop() {
        for e in graph.edge_range(n).filter(|&e| is_strong(tags[e])) {
            let to = NodeId(targets[e]);
            if part.contains(to) && seen.insert(to) {
                stack.push(to);
            }
        }
    }
}
