//! Components against petgraph's, and on graphs that are deep.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeSet;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use proptest::prelude::*;
use undying_analysis::{Components, NodeSet, components, components_within};
use undying_graph::{Builder, Edge, EdgeKind, Flags, NodeId, ObjectRow, Silent, Snapshot};
use world::any_snapshot;

type Sets = BTreeSet<BTreeSet<u32>>;

fn sets(c: &Components) -> Sets {
    c.ids().map(|id| c.members(id).iter().map(|n| n.0).collect()).collect()
}

fn oracle(s: &Snapshot, part: impl Fn(u32) -> bool) -> Sets {
    let mut g = DiGraph::<(), ()>::new();
    let ids: Vec<_> = s.graph.nodes().map(|_| g.add_node(())).collect();
    for n in s.graph.nodes() {
        for e in s.graph.edges(n).filter(|e| e.is_strong() && part(n.0) && part(e.target.0)) {
            g.add_edge(ids[n.index()], ids[e.target.index()], ());
        }
    }
    let loops = |c: &[petgraph::graph::NodeIndex]| c.len() > 1 || g.contains_edge(c[0], c[0]);
    let cyclic = kosaraju_scc(&g).into_iter().filter(|c| loops(c));
    cyclic.map(|c| c.into_iter().map(|n| n.index() as u32).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]
    #[test]
    fn agrees_with_petgraph(s in any_snapshot(30)) {
        let c = components(&s, &Silent).unwrap();
        prop_assert_eq!(sets(&c), oracle(&s, |_| true));
        prop_assert_eq!(c.objects as usize, c.ids().map(|id| c.members(id).len()).sum::<usize>());
        prop_assert_eq!(c.largest as usize, c.ids().map(|id| c.members(id).len()).max().unwrap_or(0));
        for id in c.ids() {
            prop_assert!(c.members(id).iter().all(|&n| c.of(n) == Some(id)));
        }
        let placed = s.graph.nodes().filter(|&n| c.of(n).is_some()).count();
        prop_assert_eq!(placed as u64, c.objects);
    }

    #[test]
    fn agrees_within_a_part(s in any_snapshot(30), bits in any::<u32>()) {
        let mut part = NodeSet::new(s.graph.len());
        for n in s.graph.nodes().filter(|n| bits >> (n.0 % 32) & 1 == 1) {
            part.insert(n);
        }
        let c = components_within(&s, &part, &Silent).unwrap();
        prop_assert_eq!(sets(&c), oracle(&s, |n| bits >> (n % 32) & 1 == 1));
    }
}

/// A chain of so many objects; closed to a ring on request.
fn chain(n: u32, ring: bool) -> Snapshot {
    let mut b = Builder::new();
    let t = b.add_type("test.Node");
    for i in 0..n {
        let row = ObjectRow {
            address: 0x1000 + 64 * i as u64,
            type_id: t,
            shallow_bytes: 64,
            refcount: Some(1),
            flags: Flags::GC_TRACKED,
        };
        let next = if i + 1 == n { 0 } else { i + 1 };
        let edge = [Edge::exact(NodeId(next), EdgeKind::Attr)];
        b.push(&row, if next == 0 && !ring { &[] } else { &edge });
    }
    b.build()
}

#[test]
fn a_long_list_is_no_cycle_and_does_not_overflow() {
    let c = components(&chain(3_000_000, false), &Silent).unwrap();
    assert_eq!((c.count, c.objects), (0, 0));
}

#[test]
fn a_long_ring_is_one_component() {
    let c = components(&chain(3_000_000, true), &Silent).unwrap();
    assert_eq!((c.count, c.objects, c.largest), (1, 3_000_000, 3_000_000));
}

#[test]
fn a_reference_to_itself_is_a_cycle_and_a_weak_one_is_not() {
    let mut b = Builder::new();
    let t = b.add_type("test.Node");
    let row = ObjectRow { address: 16, type_id: t, shallow_bytes: 64, refcount: Some(1), flags: Flags::GC_TRACKED };
    b.push(&row, &[Edge::exact(NodeId(0), EdgeKind::Attr)]);
    b.push(&ObjectRow { address: 32, ..row }, &[Edge::exact(NodeId(1), EdgeKind::Weak)]);
    let c = components(&b.build(), &Silent).unwrap();
    assert_eq!(sets(&c), BTreeSet::from([BTreeSet::from([0])]));
}
