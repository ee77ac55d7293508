//! A heap like a service's: records in an index, with strings, lists that refer
//! back, and some garbage.

use undying_graph::{
    Builder, Detail, Edge, EdgeKind, Flags, LabelId, NodeId, ObjectRow, Origin, Root, RootKind, Sink, Snapshot, TypeId,
};

/// A small generator of numbers, the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
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
pub fn service(objects: usize) -> Snapshot {
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
