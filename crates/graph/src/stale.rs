//! Words of a running frame's evaluation stack that hold nothing.  A frame that runs does
//! not say how deep its stack is, so all its places were read, and a place above the top
//! may still have the address of what was there, or of what lies there now.

use rustc_hash::FxHashMap;

use crate::{Certainty, Edge, EdgeKind, Flags, Graph, NodeId};

const GUESS: u8 = EdgeKind::Frame as u8 | (Certainty::Conservative as u8) << 4;
const WHAT: u8 = 0x3f;

/// Turns guesses into [`EdgeKind::Weak`] where the target's count is reached by references
/// that are certain: a place that held it too would have counted.
pub(crate) fn weaken(graph: &mut Graph) {
    let guesses: Vec<usize> =
        graph.tag.iter().enumerate().filter(|(_, t)| *t & WHAT == GUESS).map(|(e, _)| e).collect();
    if guesses.is_empty() {
        return;
    }
    let mut found: FxHashMap<u32, u64> = guesses.iter().map(|&e| (graph.target[e], 0)).collect();
    let mut wanted = vec![0u64; graph.len().div_ceil(64)];
    for &target in found.keys() {
        wanted[target as usize / 64] |= 1 << (target % 64);
    }
    for (e, &target) in graph.target.iter().enumerate() {
        if wanted[target as usize / 64] >> (target % 64) & 1 == 1 && is_certain(graph, e) {
            *found.entry(target).or_default() += 1;
        }
    }
    for e in guesses {
        let target = graph.target[e];
        if graph.refcount(NodeId(target)).is_some_and(|count| found.get(&target).is_some_and(|&n| n >= count)) {
            graph.tag[e] = graph.tag[e] & !15 | EdgeKind::Weak as u8;
        }
    }
}

/// Whether the reference is one that its target's count has in it.
fn is_certain(graph: &Graph, e: usize) -> bool {
    let edge = Edge::unpack(NodeId(graph.target[e]), graph.tag[e], graph.number[e]);
    // what lies in blocks that nothing leads to may be dead
    edge.is_strong() && edge.certainty == Certainty::Exact && !graph.flags(graph.source(e)).has(Flags::UNREACHED)
}

#[cfg(test)]
mod tests {
    use crate::{Builder, Certainty, Edge, EdgeKind, Flags, NodeId, ObjectRow};

    /// A frame with a word of object 1, which object 2 holds as well.
    fn frame_over(counted: u64, certainty: Certainty, flags: Flags) -> bool {
        let mut b = Builder::new();
        let type_id = b.add_type("test.Node");
        let row = |n: u64, refcount, flags| ObjectRow {
            address: 0x1000 + 64 * n,
            type_id,
            shallow_bytes: 64,
            refcount: Some(refcount),
            flags,
        };
        let word = Edge { certainty: Certainty::Conservative, ..Edge::exact(NodeId(1), EdgeKind::Frame) };
        b.push(&row(0, 1, Flags::default()), &[word]);
        b.push(&row(1, counted, Flags::default()), &[]);
        b.push(&row(2, 1, flags), &[Edge { certainty, ..Edge::exact(NodeId(1), EdgeKind::Item) }]);
        let held = b.build().graph.edge(0);
        held.is_strong()
    }

    #[test]
    fn a_place_holds_only_what_is_counted_for_it() {
        assert!(!frame_over(1, Certainty::Exact, Flags::default()));
        assert!(frame_over(2, Certainty::Exact, Flags::default()));
    }

    #[test]
    fn only_what_is_certain_speaks_against_a_place() {
        assert!(frame_over(1, Certainty::Member, Flags::default()));
        assert!(frame_over(1, Certainty::Conservative, Flags::default()));
        assert!(frame_over(1, Certainty::Exact, Flags::UNREACHED));
    }
}
