//! The tree laid out in preorder, so that every subtree is one range: sizes are
//! sums over a range, children and descendants need no lists.

use undying_graph::{Graph, NodeId};

use super::Dominators;
use super::search::Flow;
use crate::NodeSet;

/// Places every object.  Works upwards for the sizes of subtrees and downwards for
/// their places: a dominator's number is lower than those it dominates.
pub(super) fn lay_out(graph: &Graph, flow: Flow, entries: NodeSet, unreached: NodeSet) -> Dominators {
    let Flow { mut number, order, idom } = flow;
    let places = idom.len();
    let mut count = vec![1u32; places];
    for d in (1..places).rev() {
        count[idom[d] as usize] += count[d];
    }
    // The next free place in each subtree; once all is placed, the end of it.
    let mut end = vec![0u32; places];
    end[0] = 1;
    for d in 1..places {
        let above = &mut end[idom[d] as usize];
        let own = *above;
        *above += count[d];
        end[d] = own + 1;
    }
    let place_of = |d: u32| end[d as usize] - count[d as usize];
    let (mut node, mut parent, mut sizes) = (vec![0u32; places], vec![0u32; places], vec![0u32; places]);
    for d in 0..places {
        let place = place_of(d as u32) as usize;
        node[place] = order[d];
        parent[place] = place_of(idom[d]);
        sizes[place] = count[d];
    }
    drop((order, idom));
    for n in &mut number {
        *n = place_of(*n);
    }
    drop((count, end));
    let before = bytes_before(graph, &node);
    Dominators { place: number, node, parent, count: sizes, before, entries, unreached }
}

/// Running sums of the objects' own sizes, by place.
fn bytes_before(graph: &Graph, node: &[u32]) -> Vec<u64> {
    let mut before = Vec::with_capacity(node.len() + 1);
    let mut sum = 0u64;
    before.extend([0, 0]);
    for &n in node.iter().skip(1) {
        sum = sum.saturating_add(graph.shallow_bytes(NodeId(n)));
        before.push(sum);
    }
    before
}
