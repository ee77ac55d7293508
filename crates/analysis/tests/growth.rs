//! Growth between two heaps: whatever the heaps look like it ends and what it says holds;
//! and the planted gain of a container is found to the last object.

use proptest::prelude::*;
use undying_analysis::growth::{Holder, growth};
use undying_analysis::{History, Intermediates, diff, garbage, paths, refcounts, survival};
use undying_graph::{Builder, Edge, EdgeKind, Flags, LabelId, NodeId, ObjectRow, Root, RootKind, Silent, Snapshot};

const CLASSES: &[&str] = &["list", "dict", "int", "tuple", "app.Node", "lib.Thing", "weakref", "type"];

/// One object of a made-up heap: address, class, references by place in the heap.
type Object = (u64, usize, Vec<(usize, u8)>);

fn heap(objects: &[Object], roots: &[usize]) -> Snapshot {
    let mut b = Builder::new();
    let types: Vec<_> = CLASSES.iter().map(|c| b.add_type(c)).collect();
    let mut order: Vec<usize> = (0..objects.len()).collect();
    order.sort_by_key(|&i| objects[i].0);
    let mut number = vec![0u32; objects.len()];
    order.iter().zip(0..).for_each(|(&i, n)| number[i] = n);
    let kinds = [EdgeKind::Item, EdgeKind::Value, EdgeKind::Attr, EdgeKind::Weak, EdgeKind::Type];
    let mut counts = vec![0u64; objects.len()];
    let strong = |kind: u8| kinds[kind as usize % kinds.len()] != EdgeKind::Weak;
    objects.iter().flat_map(|o| &o.2).filter(|e| strong(e.1)).for_each(|e| counts[e.0] += 1);
    roots.iter().for_each(|&r| counts[r] += 1);
    for &i in &order {
        let (address, class, edges) = &objects[i];
        let row = ObjectRow {
            address: *address,
            type_id: types[*class],
            shallow_bytes: 32 + 8 * edges.len() as u64,
            refcount: Some(counts[i].max(1)),
            flags: Flags::GC_TRACKED,
        };
        let edge = |&(to, kind): &(usize, u8)| Edge::exact(NodeId(number[to]), kinds[kind as usize % kinds.len()]);
        b.push(&row, &edges.iter().map(edge).collect::<Vec<_>>());
    }
    let root = |&r: &usize| Root { node: NodeId(number[r]), kind: RootKind::Interpreter, label: LabelId::NONE };
    b.tail_mut().roots = roots.iter().map(root).collect();
    b.build()
}

/// Heaps of up to 60 objects whose addresses come from so few that many are used again.
fn any_heap() -> impl Strategy<Value = Snapshot> {
    (2usize..60).prop_flat_map(|n| {
        let edges = proptest::collection::vec((0..n, any::<u8>()), 0..6);
        let object = (0u64..80, 0..CLASSES.len(), edges);
        let objects = proptest::collection::vec(object, n);
        (objects, proptest::collection::vec(0..n, 1..4)).prop_map(|(mut objects, roots)| {
            // no two at one address
            let mut taken = std::collections::BTreeSet::new();
            for o in &mut objects {
                while !taken.insert(o.0) {
                    o.0 += 1;
                }
                o.0 = 0x1000 + o.0 * 64;
            }
            heap(&objects, &roots)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_the_heaps_are_it_ends_and_what_it_says_holds(before in any_heap(), after in any_heap()) {
        let same = survival(&before, &after, &Silent).unwrap();
        for n in after.graph.nodes() {
            if let Some(m) = same.earlier(n) {
                prop_assert_eq!(same.later(m), Some(n));
                prop_assert_eq!(before.graph.address(m), after.graph.address(n));
                prop_assert_eq!(before.type_name(m), after.type_name(n));
            }
        }
        let counts = refcounts(&after, &Silent).unwrap();
        let dead = garbage(&after, &counts, &Silent).unwrap();
        let forest = paths::forest(&after, &counts, &Silent).unwrap();
        let alive = |n| forest.reaches(n) && !dead.dead.contains(n);
        for g in growth(&before, &after, &same, &forest, alive, &Silent).unwrap() {
            let example = g.example();
            prop_assert_eq!(after.type_name(example), g.class.name.as_str());
            prop_assert_eq!(g.steps.last().map(|s| s.node), Some(example), "the way ends at the example");
            prop_assert!(g.holder_step < g.steps.len());
            if let Holder::Object(h) = g.holder {
                prop_assert!(same.earlier(h).is_some(), "who gained was there before");
            }
            let sum: i64 = g.classes.iter().map(|c| c.count).sum();
            prop_assert_eq!(sum, g.objects);
        }
        let mut history = History::default();
        diff(&before, &after, &mut history, &mut Intermediates::default(), &Silent).unwrap();
        diff(&after, &before, &mut history, &mut Intermediates::default(), &Silent).unwrap();
        prop_assert_eq!(history.len(), 2);
    }

    #[test]
    fn a_heap_held_against_itself_shows_nothing(heap in any_heap()) {
        let answer = diff(&heap, &heap, &mut History::default(), &mut Intermediates::default(), &Silent).unwrap();
        prop_assert!(answer.suspects.is_empty());
        prop_assert!(answer.classes.is_empty());
        prop_assert_eq!(answer.intervals[0].survivors, heap.graph.len() as u64);
    }
}

/// A module-like root that holds a list of `n` nodes, each with a dict and two ints.
fn registry(n: usize) -> Snapshot {
    let mut objects: Vec<Object> = vec![(0x1000, 1, vec![(1, 1)]), (0x1100, 0, Vec::new())];
    for i in 0..n {
        let at = objects.len();
        let address = 0x10_000 + 0x1000 * i as u64;
        objects[1].2.push((at, 0));
        objects.push((address, 4, vec![(at + 1, 2)]));
        objects.push((address + 64, 1, vec![(at + 2, 1), (at + 3, 1)]));
        objects.push((address + 128, 2, Vec::new()));
        objects.push((address + 192, 2, Vec::new()));
    }
    heap(&objects, &[0])
}

#[test]
fn what_a_container_gained_is_found_to_the_last_object() {
    let (before, after) = (registry(20), registry(220));
    let answer = diff(&before, &after, &mut History::default(), &mut Intermediates::default(), &Silent).unwrap();
    let [suspect] = answer.suspects.as_slice() else { panic!("{:?}", answer.suspects) };
    assert_eq!((suspect.type_name.as_str(), suspect.count), ("app.Node", 200));
    assert_eq!(suspect.shallow_bytes, 200 * 40);
    assert_eq!(suspect.retained_bytes, Some(200 * (40 + 48 + 32 + 32)));
    assert_eq!(answer.intervals[0].new, 800);
    let node = answer.classes.iter().find(|c| c.type_name == "app.Node").unwrap();
    assert_eq!((node.before, node.after, node.new, node.gone), (20, 220, 200, 0));
}

#[test]
fn a_third_heap_tells_a_leak_from_a_cache_that_is_full() {
    let confidence = |sizes: &[usize]| {
        let heaps: Vec<Snapshot> = sizes.iter().map(|&n| registry(n)).collect();
        let mut history = History::default();
        let mut last = None;
        for pair in heaps.windows(2) {
            last = diff(&pair[0], &pair[1], &mut history, &mut Intermediates::default(), &Silent).ok();
        }
        last.unwrap().suspects.first().map(|s| s.confidence.name())
    };
    assert_eq!(confidence(&[20, 220]), Some("medium"));
    assert_eq!(confidence(&[20, 220, 420]), Some("high"));
    assert_eq!(confidence(&[20, 220, 420, 620]), Some("high"));
    assert_eq!(confidence(&[20, 220, 225]), None);
    assert_eq!(confidence(&[220, 20]), None);
}

/// What grew from one heap to the other: the address of the holder, how many of the class
/// came, how many references it gained.
fn gains(before: &Snapshot, after: &Snapshot) -> Vec<(Option<u64>, String, i64, i64)> {
    let same = survival(before, after, &Silent).unwrap();
    let counts = refcounts(after, &Silent).unwrap();
    let dead = garbage(after, &counts, &Silent).unwrap();
    let forest = paths::forest(after, &counts, &Silent).unwrap();
    let alive = |n| forest.reaches(n) && !dead.dead.contains(n);
    let told = growth(before, after, &same, &forest, alive, &Silent).unwrap();
    let holder = |holder| if let Holder::Object(n) = holder { Some(after.graph.address(n)) } else { None };
    told.into_iter().map(|g| (holder(g.holder), g.class.name.clone(), g.class.count, g.entries_gained)).collect()
}

/// A dictionary, what it holds, and so many nodes in the last of that.
fn nested(between: &[(u64, usize)], nodes: std::ops::Range<u64>) -> Snapshot {
    let mut objects: Vec<Object> = vec![(0x1000, 1, Vec::new())];
    for &(address, class) in between {
        let at = objects.len();
        objects[at - 1].2.push((at, 0));
        objects.push((address, class, Vec::new()));
    }
    let last = objects.len() - 1;
    for i in nodes {
        let at = objects.len();
        objects[last].2.push((at, 0));
        objects.push((0x10_000 + 64 * i, 4, Vec::new()));
    }
    heap(&objects, &[0])
}

const LIST: (u64, usize) = (0x2000, 0);
const NODE: (u64, usize) = (0x3000, 4);

#[test]
fn a_new_list_at_an_old_address_holds_nothing_by_itself() {
    // the list belongs to a node that came: who holds the node accounts for all
    let (before, after) = (nested(&[LIST], 0..3), nested(&[NODE, LIST], 10..30));
    assert_eq!(gains(&before, &after), [(Some(0x1000), "app.Node".into(), 21, 1)]);
}

#[test]
fn what_was_in_an_old_list_at_the_address_is_not_taken_from_the_gain() {
    // the list of before went with its node
    let (before, after) = (nested(&[NODE, LIST], 0..5), nested(&[LIST], 10..30));
    assert_eq!(gains(&before, &after), [(Some(0x2000), "app.Node".into(), 20, 20)]);
}
