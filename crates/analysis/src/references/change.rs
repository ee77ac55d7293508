//! What two heaps of one process show of references: whose count rose or fell and the
//! references found did not; objects that came and that nothing refers to.  What was
//! wrong before and still is, is no matter here.

use rustc_hash::FxHashMap;
use undying_graph::{NodeId, Snapshot, TypeId};

use super::Uncollectable;
use crate::refcounts::is_strong;
use crate::{Refcounts, Survival};

/// What sort of mistake leaves such a trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mistake {
    /// Objects that nothing refers to: a new reference was never given back.
    Orphan,
    /// Counted more often than found: a reference to something known was never given back.
    Excess,
    /// Counted less often than found: a reference was given back that was not owned.
    Deficit,
    /// Cycles through a class without `tp_traverse`.
    Uncollectable,
}

/// What came in one interval, of one kind.
#[derive(Clone, Debug)]
pub struct Lost {
    /// What sort.
    pub mistake: Mistake,
    /// The class.
    pub type_id: TypeId,
    /// What they are, in words: the class, and the object's own name where it has one.
    pub name: String,
    /// One object that was there before, whose count changes; else many new ones.
    pub persistent: bool,
    /// Objects more.
    pub objects: i64,
    /// References too many or too few, more.
    pub references: i64,
    /// The objects' own sizes in bytes.
    pub bytes: i64,
    /// With all that goes with them.
    pub retained: i64,
    /// One of them.
    pub example: NodeId,
    /// Some of them.
    pub members: Vec<NodeId>,
    /// What makes it the same in another interval.
    pub key: String,
}

/// So many are kept as examples.
const KEPT: usize = 4096;

/// One heap, and what is known of it.
pub struct Ledger<'l> {
    /// The heap.
    pub snapshot: &'l Snapshot,
    /// Its counts.
    pub counts: &'l Refcounts,
    /// Cycles that no collector frees.
    pub uncollectable: &'l [Uncollectable],
}

/// Gains and losses of one interval by what they are.
#[derive(Default)]
struct Sums {
    rows: FxHashMap<(Mistake, String), Lost>,
}

impl Sums {
    #[allow(clippy::too_many_arguments)] // one row's columns
    fn add(&mut self, heap: &Snapshot, mistake: Mistake, n: NodeId, persistent: bool, sign: i64, references: i64) {
        let name = super::object_name(heap, n);
        let key = match persistent {
            true => format!("{name} at {:#x}", heap.graph.address(n)),
            false => name.clone(),
        };
        let row = self.rows.entry((mistake, key.clone())).or_insert_with(|| Lost {
            mistake,
            type_id: heap.graph.type_id(n),
            name,
            persistent,
            objects: 0,
            references: 0,
            bytes: 0,
            retained: 0,
            example: n,
            members: Vec::new(),
            key,
        });
        row.references += sign * references;
        if !persistent {
            row.objects += sign;
            row.bytes += sign * heap.graph.shallow_bytes(n) as i64;
        }
        if sign > 0 {
            row.example = n;
            if row.members.len() < KEPT {
                row.members.push(n);
            }
        }
    }
}

/// What came between two heaps, unranked.
pub fn changes(before: &Ledger, after: &Ledger, same: &Survival) -> Vec<Lost> {
    let mut sums = Sums::default();
    old(before, after, same, &mut sums);
    let new = |n: NodeId| same.is_new(n);
    fresh(after, 1, &new, &mut sums);
    let gone = |n: NodeId| same.is_gone(n);
    fresh(before, -1, &gone, &mut sums);
    let mut found: Vec<Lost> = sums.rows.into_values().filter(|l| l.references > 0 && !l.members.is_empty()).collect();
    for lost in &mut found {
        lost.retained = lost.bytes.max(0) + falls_with(after, same, &lost.members);
    }
    found
}

/// Objects of both heaps whose account got worse.
fn old(before: &Ledger, after: &Ledger, same: &Survival, sums: &mut Sums) {
    let (graph, earlier_graph) = (&after.snapshot.graph, &before.snapshot.graph);
    for n in after.counts.excess.iter().chain(after.counts.deficit.iter()) {
        let Some(earlier) = same.earlier(n) else { continue };
        let Some(now) = after.counts.balance(graph, n) else { continue };
        let Some(then) = before.counts.balance(earlier_graph, earlier) else { continue };
        let orphaned = now.is_orphan() && !then.is_orphan();
        let (rose, fell) = (now.excess() as i64 - then.excess() as i64, now.deficit() as i64 - then.deficit() as i64);
        if orphaned {
            sums.add(after.snapshot, Mistake::Orphan, n, false, 1, 1);
        } else if rose > 0 {
            sums.add(after.snapshot, Mistake::Excess, n, true, 1, rose);
        } else if fell > 0 {
            sums.add(after.snapshot, Mistake::Deficit, n, true, 1, fell);
        }
    }
}

/// Objects of one heap only.
fn fresh(heap: &Ledger, sign: i64, is: &dyn Fn(NodeId) -> bool, sums: &mut Sums) {
    let graph = &heap.snapshot.graph;
    for n in heap.counts.excess.iter().filter(|&n| is(n)) {
        let Some(balance) = heap.counts.balance(graph, n) else { continue };
        match balance.is_orphan() {
            true => sums.add(heap.snapshot, Mistake::Orphan, n, false, sign, 1),
            false => sums.add(heap.snapshot, Mistake::Excess, n, false, sign, balance.excess() as i64),
        }
    }
    for n in heap.counts.deficit.iter().filter(|&n| is(n)) {
        let Some(balance) = heap.counts.balance(graph, n) else { continue };
        sums.add(heap.snapshot, Mistake::Deficit, n, false, sign, balance.deficit() as i64);
    }
    for row in heap.uncollectable {
        for &n in row.members.iter().filter(|&&n| is(n)) {
            sums.add(heap.snapshot, Mistake::Uncollectable, n, false, sign, 1);
        }
    }
}

/// Bytes of what only these new objects hold, themselves left out: an object falls when
/// every reference it is counted for comes from what fell.
fn falls_with(heap: &Ledger, same: &Survival, members: &[NodeId]) -> i64 {
    let graph = &heap.snapshot.graph;
    let (targets, tags) = (graph.targets(), graph.tags());
    let mut from: FxHashMap<u32, u64> = FxHashMap::default();
    let mut waiting: Vec<NodeId> = members.to_vec();
    let mut bytes = 0;
    while let Some(n) = waiting.pop() {
        for e in graph.edge_range(n).filter(|&e| is_strong(tags[e])) {
            let to = NodeId(targets[e]);
            if !same.is_new(to) {
                continue;
            }
            let seen = from.entry(to.0).or_default();
            *seen += 1;
            if graph.refcount(to) == Some(*seen) {
                bytes += graph.shallow_bytes(to) as i64;
                waiting.push(to);
            }
        }
    }
    bytes
}
