//! Dominators against a naive twin that removes one object after another, against
//! petgraph, and on graphs that are deep or wide.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeSet;

use petgraph::algo::{dominators::simple_fast, kosaraju_scc};
use petgraph::graph::{DiGraph, NodeIndex};
use proptest::prelude::*;
use undying_analysis::{Dominators, dominators, refcounts, retained_by_class};
use undying_graph::{Builder, Edge, EdgeKind, Flags, LabelId, NodeId, ObjectRow, Root, RootKind, Silent, Snapshot};
use world::any_snapshot;

fn find(s: &Snapshot) -> Dominators {
    dominators(s, &refcounts(s, &Silent).unwrap(), &Silent).unwrap()
}

/// The graph whose dominators are meant, written down the slow way: references by
/// holder, entries last.
#[derive(Clone)]
struct Plain {
    out: Vec<Vec<u32>>,
    entries: BTreeSet<u32>,
    unreached: BTreeSet<u32>,
}

impl Plain {
    fn of(s: &Snapshot) -> Plain {
        let strong = |n: NodeId| s.graph.edges(n).filter(|e| e.is_strong()).map(|e| e.target.0).collect();
        let mut plain = Plain {
            out: s.graph.nodes().map(strong).collect(),
            entries: s.roots.iter().map(|r| r.node.0).collect(),
            unreached: BTreeSet::new(),
        };
        let reached = plain.reached(&BTreeSet::new());
        let excess = refcounts(s, &Silent).unwrap().excess;
        plain.entries.extend(excess.iter().map(|n| n.0).filter(|n| !reached.contains(n)));
        let reached = plain.reached(&BTreeSet::new());
        plain.unreached = (0..plain.out.len() as u32).filter(|n| !reached.contains(n)).collect();
        for n in &plain.unreached {
            plain.out[*n as usize].retain(|t| !reached.contains(t));
        }
        let g = plain.petgraph();
        for group in kosaraju_scc(&g) {
            let group: BTreeSet<u32> = group.into_iter().map(|i| i.index() as u32).collect();
            let first = *group.first().unwrap();
            let outside = |n: &u32| !group.contains(n) && plain.out[*n as usize].iter().any(|t| group.contains(t));
            if plain.unreached.contains(&first) && !plain.unreached.iter().any(outside) {
                plain.entries.insert(first);
            }
        }
        plain
    }

    /// Object `i` is node `i`; the virtual root is the last.
    fn petgraph(&self) -> DiGraph<(), ()> {
        let mut g = DiGraph::new();
        let ids: Vec<NodeIndex> = (0..=self.out.len()).map(|_| g.add_node(())).collect();
        for (from, out) in self.out.iter().enumerate() {
            out.iter().for_each(|&t| {
                g.add_edge(ids[from], ids[t as usize], ());
            });
        }
        let root = ids[self.out.len()];
        self.entries.iter().for_each(|&n| {
            g.add_edge(root, ids[n as usize], ());
        });
        g
    }

    fn reached(&self, without: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut stack: Vec<u32> = self.entries.iter().copied().filter(|n| !without.contains(n)).collect();
        let mut seen: BTreeSet<u32> = stack.iter().copied().collect();
        while let Some(n) = stack.pop() {
            let next = self.out[n as usize].iter().copied().filter(|t| !without.contains(t));
            next.for_each(|t| {
                if seen.insert(t) {
                    stack.push(t)
                }
            });
        }
        seen
    }

    /// What goes when these go.
    fn freed(&self, group: &BTreeSet<u32>) -> BTreeSet<u32> {
        let left = self.reached(group);
        (0..self.out.len() as u32).filter(|n| !left.contains(n)).collect()
    }
}

fn bytes<'a>(s: &Snapshot, nodes: impl IntoIterator<Item = &'a u32>) -> u64 {
    nodes.into_iter().map(|&n| s.graph.shallow_bytes(NodeId(n))).sum()
}

/// Everything that a tree says, against removing one object after another.
fn agrees_with_removal(s: &Snapshot) -> Result<(), TestCaseError> {
    let (doms, plain) = (find(s), Plain::of(s));
    let dominated: Vec<BTreeSet<u32>> = s.graph.nodes().map(|n| plain.freed(&BTreeSet::from([n.0]))).collect();
    for n in s.graph.nodes() {
        let own = &dominated[n.index()];
        prop_assert!(own.contains(&n.0));
        // Of all that dominate it, the immediate dominator dominates the fewest.
        let above = s.graph.nodes().filter(|a| *a != n && dominated[a.index()].contains(&n.0));
        let idom = above.min_by_key(|a| dominated[a.index()].len());
        prop_assert_eq!(doms.idom(n), idom, "of {:?}", n);
        prop_assert_eq!(doms.retained(n), bytes(s, own));
        prop_assert_eq!(doms.retained_count(n), own.len() as u64);
        let subtree: Vec<u32> = doms.subtree(n).map(|n| n.0).collect();
        prop_assert_eq!(subtree[0], n.0);
        prop_assert_eq!(&subtree.iter().copied().collect::<BTreeSet<u32>>(), own);
        for other in s.graph.nodes() {
            prop_assert_eq!(doms.dominates(n, other), own.contains(&other.0));
        }
        prop_assert_eq!(doms.is_entry(n), plain.entries.contains(&n.0));
        prop_assert_eq!(doms.is_unreached(n), plain.unreached.contains(&n.0));
    }
    let mut listed = Vec::new();
    for above in s.graph.nodes().map(Some).chain([None]) {
        for child in doms.children(above) {
            prop_assert_eq!(doms.idom(child), above);
            listed.push(child);
        }
    }
    prop_assert_eq!(listed.len(), s.graph.len());
    let all: Vec<u32> = s.graph.nodes().map(|n| n.0).collect();
    prop_assert_eq!(doms.total_bytes(), bytes(s, &all));
    let order: Vec<NodeId> = doms.top_down().collect();
    let place = |n: NodeId| order.iter().position(|&o| o == n);
    for n in s.graph.nodes() {
        prop_assert!(doms.idom(n).is_none_or(|above| place(above) < place(n)));
    }
    Ok(())
}

fn agrees_with_petgraph(s: &Snapshot) {
    let (doms, plain) = (find(s), Plain::of(s));
    let root = NodeIndex::new(s.graph.len());
    let theirs = simple_fast(&plain.petgraph(), root);
    for n in s.graph.nodes() {
        let above = theirs.immediate_dominator(NodeIndex::new(n.index()));
        let above = above.filter(|&a| a != root).map(|a| NodeId(a.index() as u32));
        assert_eq!(doms.idom(n), above, "of {n:?}");
    }
}

/// Objects of many sizes, held by one root and by each other.
fn heap(out: &[Vec<u32>], bytes: impl Fn(u32) -> u64, roots: &[u32]) -> Snapshot {
    let mut b = Builder::new();
    let t = b.add_type("test.Node");
    let mut counts = vec![0u64; out.len()];
    out.iter().flatten().chain(roots).for_each(|&t| counts[t as usize] += 1);
    for (i, out) in out.iter().enumerate() {
        let row = ObjectRow {
            address: 0x1000 + 64 * i as u64,
            type_id: t,
            shallow_bytes: bytes(i as u32),
            refcount: Some(counts[i]),
            flags: Flags::GC_TRACKED,
        };
        let out: Vec<Edge> = out.iter().map(|&d| Edge::exact(NodeId(d), EdgeKind::Item)).collect();
        b.push(&row, &out);
    }
    let (kind, label) = (RootKind::Module, LabelId::NONE);
    b.tail_mut().roots = roots.iter().map(|&n| Root { node: NodeId(n), kind, label }).collect();
    b.build()
}

/// Any digraph that hangs from object 0, some of its objects larger than 4 GiB.
fn any_heap() -> impl Strategy<Value = Snapshot> {
    let of = |n: usize, m: usize| prop::collection::vec((0..n, 0..n as u32), 0..m);
    let edges = (1usize..24).prop_flat_map(move |n| (Just(n), of(n, 3 * n), 0u64..1000));
    edges.prop_map(|(n, edges, salt)| {
        let mut out = vec![Vec::new(); n];
        edges.into_iter().for_each(|(from, to)| out[from].push(to));
        let size =
            |i: u32| if (i as u64 + salt).is_multiple_of(11) { (5 << 32) + i as u64 } else { 16 * (salt + i as u64) };
        heap(&out, size, &[0])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]
    #[test]
    fn agrees_with_removing_each_object(s in any_heap()) {
        agrees_with_removal(&s)?;
    }

    #[test]
    fn agrees_on_heaps_of_all_kinds(s in any_snapshot(20)) {
        agrees_with_removal(&s)?;
    }

    #[test]
    fn agrees_with_petgraph_on_small_heaps(s in any_snapshot(60)) {
        agrees_with_petgraph(&s);
    }
}

/// Numbers that look random, the same each time.
fn dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    }
}

#[test]
fn agrees_with_petgraph_on_large_random_digraphs() {
    for (n, factor) in [(3000u64, 1), (3000, 2), (2000, 5), (500, 40)] {
        let mut roll = dice(n * factor);
        let mut out = vec![Vec::new(); n as usize];
        (0..n * factor).for_each(|_| out[roll(n) as usize].push(roll(n) as u32));
        let s = heap(&out, |i| i as u64, &[0, 1, 2]);
        agrees_with_petgraph(&s);
    }
}

#[test]
fn a_long_list_does_not_overflow_and_each_link_retains_the_rest() {
    let n = 3_000_000u32;
    let forward = |n: u32| (0..n).map(|i| if i + 1 < n { vec![i + 1] } else { vec![] }).collect::<Vec<_>>();
    let doms = find(&heap(&forward(n), |_| 64, &[0]));
    assert_eq!(doms.retained(NodeId(0)), 64 * n as u64);
    assert_eq!(doms.retained(NodeId(n / 2)), 64 * (n - n / 2) as u64);
    assert_eq!(doms.idom(NodeId(n - 1)), Some(NodeId(n - 2)));
    // Doubly linked, the last also holding the first: long ways to shorten.
    let both = |i: u32| vec![(i + 1) % n, i.saturating_sub(1), i / 2];
    let doms = find(&heap(&(0..n).map(both).collect::<Vec<_>>(), |_| 64, &[0]));
    assert_eq!(doms.retained(NodeId(0)), 64 * n as u64);
    assert_eq!(doms.idom(NodeId(n - 2)), Some(NodeId(n - 3)));
}

#[test]
fn a_wide_star_hangs_from_its_middle() {
    let n = 1_000_000u32;
    let mut out = vec![vec![0]; n as usize];
    out[0] = (1..n).collect();
    let doms = find(&heap(&out, |_| 64, &[0]));
    assert_eq!(doms.children(Some(NodeId(0))).count(), n as usize - 1);
    assert_eq!((doms.retained(NodeId(0)), doms.retained(NodeId(7))), (64 * n as u64, 64));
}

#[test]
fn garbage_retains_what_it_alone_holds_and_hides_nothing() {
    // 0 (root) holds 1; 2 and 3 hold each other, 4 hangs from 3; 2 also holds 1.
    let s = heap(&[vec![1], vec![], vec![3, 1], vec![2, 4], vec![]], |_| 64, &[0]);
    let doms = find(&s);
    assert_eq!(doms.idom(NodeId(1)), Some(NodeId(0)), "garbage is no reason to live");
    assert_eq!(doms.children(None).map(|n| n.0).collect::<BTreeSet<_>>(), BTreeSet::from([0, 2]));
    assert_eq!(doms.retained(NodeId(2)), 3 * 64);
    assert!(doms.is_unreached(NodeId(4)) && !doms.is_entry(NodeId(4)));
}

#[test]
fn an_empty_heap_has_an_empty_tree() {
    let doms = find(&Snapshot::default());
    assert!(doms.is_empty() && doms.children(None).next().is_none());
    assert_eq!(doms.total_bytes(), 0);
}

/// What each group would free, against removing it; also the estimate from below.
fn groups_agree(s: &Snapshot, salt: u64) -> Result<(), TestCaseError> {
    let (doms, plain) = (find(s), Plain::of(s));
    let mut roll = dice(salt);
    for _ in 0..6 {
        let most = 1 + roll(5);
        let group: Vec<NodeId> = (0..most).map(|_| NodeId(roll(s.graph.len() as u64) as u32)).collect();
        let gone = plain.freed(&group.iter().map(|n| n.0).collect());
        let freed = doms.retained_of_group(s, &group, &Silent).unwrap();
        prop_assert_eq!((freed.objects, freed.bytes), (gone.len() as u64, bytes(s, &gone)), "{:?}", group);
        let least = doms.retained_at_least(&group);
        prop_assert!(least.bytes <= freed.bytes && least.objects <= freed.objects);
    }
    Ok(())
}

/// What each reference would free, against leaving it out.
fn references_agree(s: &Snapshot) -> Result<(), TestCaseError> {
    let (doms, plain) = (find(s), Plain::of(s));
    for n in s.graph.nodes() {
        for e in s.graph.edge_range(n) {
            let edge = s.graph.edge(e);
            let mut without = plain.clone();
            let out = &mut without.out[n.index()];
            if let Some(at) = out.iter().position(|&t| t == edge.target.0).filter(|_| edge.is_strong()) {
                out.remove(at);
            }
            let gone = without.freed(&BTreeSet::new());
            let freed = doms.freed_without_edge(s, n, e);
            prop_assert_eq!((freed.objects, freed.bytes), (gone.len() as u64, bytes(s, &gone)), "{:?} {:?}", n, edge);
        }
    }
    Ok(())
}

/// What the instances of each class retain, each object counted once.
fn classes_agree(s: &Snapshot) -> Result<(), TestCaseError> {
    let doms = find(s);
    let name = |n: NodeId| s.type_name(n);
    for row in retained_by_class(s, &doms) {
        let of = s.text(s.types[row.type_id.index()].name);
        let mut below = BTreeSet::new();
        let all: Vec<NodeId> = s.graph.nodes().filter(|&n| name(n) == of).collect();
        prop_assert_eq!(row.count, all.len() as u64);
        all.into_iter().for_each(|n| below.extend(doms.subtree(n).map(|n| n.0)));
        prop_assert_eq!(row.retained_bytes, bytes(s, &below));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn groups_free_what_removing_them_frees(s in any_heap(), t in any_snapshot(20), salt in 1u64..u64::MAX) {
        groups_agree(&s, salt)?;
        groups_agree(&t, salt)?;
    }

    #[test]
    fn a_reference_frees_what_leaving_it_out_frees(s in any_heap(), t in any_snapshot(20)) {
        references_agree(&s)?;
        references_agree(&t)?;
    }

    #[test]
    fn classes_retain_each_object_once(s in any_snapshot(30)) {
        classes_agree(&s)?;
    }
}
