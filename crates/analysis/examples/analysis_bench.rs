//! What each analysis costs on a heap like a service's: `analysis_bench [OBJECTS]`
//! prints seconds of
//! processor time, nanoseconds a reference and an object for each step.  Build
//! with `--release`; the heap is made here and needs no target.
#![allow(missing_docs, clippy::print_stdout)]

use std::time::Instant;

use undying_analysis::paths::{ChainLimits, chains, forest};
use undying_analysis::{Answer, CycleLimits, Intermediates, Query, answer};
use undying_analysis::{components, components_within, cycles, garbage, histogram, refcounts};
use undying_graph::{
    Builder, Detail, Edge, EdgeKind, Flags, LabelId, NodeId, ObjectRow, Origin, Root, RootKind, Silent, Sink, Snapshot,
    TypeId,
};

/// A small generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Objects and references before they are put in address order.
struct Heap {
    class: Vec<u8>,
    out: Vec<Vec<Edge>>,
}

/// Classes of the heap, by number.
const CLASSES: &[&str] = &["dict", "str", "list", "app.models.User", "app.models.Order", "app.Node", "type", "tuple"];

impl Heap {
    fn push(&mut self, class: u8) -> u32 {
        self.class.push(class);
        self.out.push(Vec::new());
        self.class.len() as u32 - 1
    }

    fn hold(&mut self, from: u32, kind: EdgeKind, detail: Detail, to: u32) {
        self.out[from as usize].push(Edge { detail, ..Edge::exact(NodeId(to), kind) });
    }
}

/// Records in an index, each an instance with a dictionary, strings, a list of
/// orders that refer back; one pair in fifty dropped as garbage.
fn service(objects: usize) -> Snapshot {
    let mut b = Builder::new();
    let labels: Vec<LabelId> = ["__dict__", "name", "orders", "user", "index", "other"].map(|l| b.label(l)).to_vec();
    for (i, name) in CLASSES.iter().enumerate() {
        let t = b.add_type(name);
        b.tail_mut().types[t.index()].origin = if (3..=5).contains(&i) { Origin::Program } else { Origin::Builtin };
    }
    let mut heap = Heap { class: Vec::new(), out: Vec::new() };
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (class, index) = (heap.push(6), heap.push(0));
    let label = |i: usize| Detail::Label(labels[i]);
    while heap.class.len() < objects {
        let (user, dict, orders) = (heap.push(3), heap.push(0), heap.push(2));
        let at = Detail::Index(user);
        heap.hold(user, EdgeKind::Type, Detail::None, class);
        heap.hold(user, EdgeKind::Attr, label(0), dict);
        heap.hold(dict, EdgeKind::Value, label(2), orders);
        for _ in 0..4 {
            let s = heap.push(1);
            heap.hold(dict, EdgeKind::Value, label(1), s);
            let shared = dice.below(heap.class.len()) as u32;
            if heap.class[shared as usize] == 1 {
                heap.hold(orders, EdgeKind::Item, at, shared);
            }
        }
        for i in 0..3 {
            let (order, text) = (heap.push(4), heap.push(1));
            heap.hold(orders, EdgeKind::Item, Detail::Index(i), order);
            heap.hold(order, EdgeKind::Slot, label(3), user);
            heap.hold(order, EdgeKind::Slot, label(1), text);
            heap.hold(order, EdgeKind::Type, Detail::None, class);
        }
        if dice.below(50) > 0 {
            heap.hold(index, EdgeKind::Value, at, user);
        }
    }
    finish(b, heap, index, labels[4], &mut dice)
}

/// Puts the objects in an address order that is only roughly the order they were
/// made in, as an allocator does.
fn finish(mut b: Builder, heap: Heap, index: u32, label: LabelId, dice: &mut Dice) -> Snapshot {
    let n = heap.class.len();
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in 0..n {
        let j = (i + dice.below(4096)).min(n - 1);
        order.swap(i, j);
    }
    let mut new_id = vec![0u32; n];
    order.iter().zip(0..).for_each(|(&old, new)| new_id[old as usize] = new);
    let mut counts = vec![0u64; n];
    heap.out.iter().flatten().for_each(|e| counts[e.target.index()] += 1);
    counts[index as usize] += 1;
    for (i, &old) in order.iter().enumerate() {
        let class = heap.class[old as usize];
        let row = ObjectRow {
            address: 0x10_0000 + 64 * i as u64,
            type_id: TypeId(class as u32),
            shallow_bytes: 48 + 8 * class as u64,
            refcount: Some(counts[old as usize]),
            flags: Flags(0).with(Flags::GC_TRACKED, class != 1),
        };
        let out = heap.out[old as usize].iter().map(|e| Edge { target: NodeId(new_id[e.target.index()]), ..*e });
        b.push(&row, &out.collect::<Vec<_>>());
    }
    let node = NodeId(new_id[index as usize]);
    b.tail_mut().roots = vec![Root { node, kind: RootKind::Module, label }];
    b.build()
}

/// Nanoseconds of processor time so far; of wall time where the system does not say.
fn now() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let spent = told.as_deref().and_then(|t| t.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_nanos() as f64)
}

fn timed<T>(snapshot: &Snapshot, name: &str, work: impl FnOnce() -> T) -> T {
    let start = now();
    let made = work();
    let ns = now() - start;
    let per = |n: usize| ns / n.max(1) as f64;
    let (edges, nodes) = (per(snapshot.graph.edge_count()), per(snapshot.graph.len()));
    println!("{name:<22} {:>8.3} s {edges:>8.1} ns/edge {nodes:>8.1} ns/object", ns / 1e9);
    made
}

fn main() {
    let objects = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1_000_000);
    let s = &service(objects);
    println!("{} objects, {} references", s.graph.len(), s.graph.edge_count());
    let told = "never cancelled";
    timed(s, "histogram", || histogram(s));
    let counts = timed(s, "refcounts", || refcounts(s, &Silent).expect(told));
    let dead = timed(s, "garbage", || garbage(s, &counts, &Silent).expect(told));
    let knots = timed(s, "garbage components", || components_within(s, &dead.dead, &Silent).expect(told));
    timed(s, "garbage shapes", || cycles(s, &dead, &knots, None, CycleLimits::default(), &Silent).expect(told));
    let all = timed(s, "components", || components(s, &Silent).expect(told));
    timed(s, "all shapes", || cycles(s, &dead, &knots, Some(&all), CycleLimits::default(), &Silent).expect(told));
    let grown = timed(s, "forest", || forest(s, &counts, &Silent).expect(told));
    let referrers = timed(s, "referrers", || s.graph.transpose());
    let orders: Vec<NodeId> = s.graph.nodes().filter(|&n| s.graph.type_id(n) == TypeId(4)).collect();
    let limits = ChainLimits::default();
    timed(s, "chains of all orders", || {
        chains(s, &grown, Some(&referrers), &dead, &orders, limits, &Silent).expect(told)
    });
    println!("{} dead objects in {} knots, {} held knots", dead.objects, knots.count, all.count - knots.count);
    drop((all, referrers, grown, knots, dead, counts));
    let report = timed(s, "whole report", || answer(s, &Query::Report, &mut Intermediates::default(), &Silent));
    if let Ok(Answer::Report(report)) = report {
        println!("{} suspects", report.suspects.len());
    }
}
