//! The tree laid out in preorder, so that every subtree is one range: sizes are
//! sums over a range, children and descendants need no lists.

use undying_graph::{Graph, NodeId};

use super::Dominators;
use super::search::Flow;
use crate::NodeSet;

/// Places every object.  Works upwards for the sizes of subtrees and downwards for
/// their places: a dominator's number is lower than those it dominates.  Columns by
/// number give way to columns by place one after another, in the same memory.
pub(super) fn lay_out(graph: &Graph, flow: Flow, entries: NodeSet, unreached: NodeSet) -> Dominators {
    let Flow { mut number, order, idom, spare } = flow;
    let count = sizes(&idom, spare);
    let place = places(&idom, &count);
    for n in &mut number {
        *n = place[*n as usize];
    }
    let mut node = vec![0u32; place.len()];
    scatter(&place, &mut node, |d| order[d]);
    let mut parent = order;
    scatter(&place, &mut parent, |d| place[idom[d] as usize]);
    let mut sizes = idom;
    scatter(&place, &mut sizes, |d| count[d]);
    drop((place, count));
    let before = bytes_before(graph, &node);
    Dominators { place: number, node, parent, count: sizes, before, entries, unreached }
}

fn scatter(place: &[u32], column: &mut [u32], value: impl Fn(usize) -> u32) {
    for (d, &p) in place.iter().enumerate() {
        column[p as usize] = value(d);
    }
}

/// How many each number dominates, itself included.
fn sizes(idom: &[u32], mut count: Vec<u32>) -> Vec<u32> {
    count.fill(1);
    for d in (1..idom.len()).rev() {
        count[idom[d] as usize] += count[d];
    }
    count
}

/// The place of each number: behind its dominator and all that was placed there before.
fn places(idom: &[u32], count: &[u32]) -> Vec<u32> {
    // The next free place in each subtree, which becomes its end.
    let mut place = vec![0u32; idom.len()];
    place[0] = 1;
    for d in 1..idom.len() {
        let above = &mut place[idom[d] as usize];
        let own = *above;
        *above += count[d];
        place[d] = own + 1;
    }
    for (end, count) in place.iter_mut().zip(count) {
        *end -= count;
    }
    place
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
