//! Where the bytes meet: objects below which much of the heap hangs, found by
//! going down the dominator tree, and what all objects of a class retain.  Knows
//! neither how the tree was made nor how it is told.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Cancelled, NodeId, Progress, Snapshot, TypeId};

use crate::histogram::first_of_name;
use crate::paths::{self, Forest};
use crate::query::need;
use crate::{Dominators, Intermediates, Step, dominators, refcounts};

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetainerLimits {
    /// Rows.
    pub rows: usize,
    /// Objects that retain less are no finding.
    pub least_bytes: u64,
    /// Nor those that retain less than this part of the heap (20 is a twentieth).
    pub least_part: u64,
}

impl RetainerLimits {
    /// What is worth a line in a report: a mebibyte and a twentieth of the heap.
    pub const REPORT: RetainerLimits = RetainerLimits { rows: 5, least_bytes: 1 << 20, least_part: 20 };

    /// The biggest, however small.
    pub fn rows(rows: usize) -> RetainerLimits {
        RetainerLimits { rows, least_bytes: 1, least_part: u64::MAX }
    }

    /// The smallest retained size, in bytes, that counts in a heap of this size.
    pub fn threshold(&self, heap_bytes: u64) -> u64 {
        self.least_bytes.max(heap_bytes / self.least_part.max(1)).max(1)
    }
}

/// An object that much hangs from.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Retainer {
    /// The object.
    pub node: NodeId,
    /// Its class.
    pub type_id: TypeId,
    /// What would be freed if it went, itself included, in bytes.
    pub retained_bytes: u64,
    /// The same in objects.
    pub retained_count: u64,
    /// Objects that it dominates immediately.
    pub children: u64,
    /// Whether what hangs from it is one long chain, each link holding the next.
    pub chain: bool,
    /// Of what hangs from it, the class that retains most: its children of that
    /// class, or the links of that class in a chain.
    pub most: Option<Most>,
    /// From a root to it; empty where none reaches it.
    pub steps: Vec<Step>,
}

/// The answer to `top` by dominator.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Retainers {
    /// Biggest first.  One may hang from another, so sizes do not add up.
    pub rows: Vec<Retainer>,
    /// Classes, by what their instances retain.
    pub classes: Vec<ClassRetained>,
    /// All objects.
    pub objects: u64,
    /// Their own sizes together, in bytes.
    pub bytes: u64,
}

/// Objects of one class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Most {
    /// The class, the first of its name.
    pub type_id: TypeId,
    /// How many.
    pub count: u64,
    /// What they retain together, in bytes.
    pub retained_bytes: u64,
}

/// What the objects of one class retain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ClassRetained {
    /// The class, the first of its name.
    pub type_id: TypeId,
    /// Instances.
    pub count: u64,
    /// The sum over those that no other of the class dominates, so nothing counts
    /// twice, in bytes.  What several of them hold together is not in it.
    pub retained_bytes: u64,
}

/// A step down is taken without a stop when the child keeps so many percent.
const KEEPS: u64 = 80;
/// So many links of one class are a chain.
const LINKS: u64 = 16;
/// A child is looked at on its own from this part of the whole on (20 is a
/// twentieth): what is one of many is told with the many.
const NOTICED: u64 = 20;
/// So many of one object's children are looked at on their own.
const LOOKED_AT: usize = 1000;

/// The points where many bytes meet, biggest first.  From each big object that
/// nothing dominates: down to its biggest child, as long as that keeps four fifths;
/// where none does, the object is a point, and each of its children that is big
/// itself, and at least a twentieth of it, is followed on its own.  An object of which the big children leave too
/// little to be big is none.  A chain that loses its bytes link by link is told as
/// its first link.  Without `steps`; [`Retainer::find_way`] fills them.
pub fn accumulation_points(
    snapshot: &Snapshot,
    doms: &Dominators,
    limits: RetainerLimits,
    progress: &dyn Progress,
) -> Result<Vec<Retainer>, Cancelled> {
    progress.phase("finding retainers", 0);
    let least = limits.threshold(doms.total_bytes());
    let first = first_of_name(snapshot);
    let mut found: Vec<Retainer> = Vec::new();
    let mut walks: Vec<Walk> = Vec::new();
    // By size: ways to go down, and the points they led to, which are smaller.
    let mut open: BinaryHeap<(u64, Reverse<NodeId>, Option<usize>)> = BinaryHeap::new();
    let start = |n: NodeId| (doms.retained(n), Reverse(n), None);
    open.extend(biggest(doms, doms.children(None), least).into_iter().map(start));
    while let Some((_, Reverse(n), walk)) = open.pop() {
        progress.check()?;
        match walk.map(|i| &walks[i]) {
            _ if found.len() >= limits.rows => break,
            Some(walk) => found.push(walk.retainer(snapshot, doms, &first)),
            None => {
                let walk = Walk::down(snapshot, doms, &first, n, least);
                let followed: u64 = walk.followed.iter().map(|&n| doms.retained(n)).sum();
                open.extend(walk.followed.iter().copied().map(start));
                let own = doms.retained(walk.point);
                if own.saturating_sub(followed) >= least {
                    open.push((own, Reverse(walk.point), Some(walks.len())));
                    walks.push(walk);
                }
            }
        }
    }
    Ok(found)
}

/// Of the objects that retain so much the biggest, a thousand at most.
fn biggest(doms: &Dominators, nodes: impl Iterator<Item = NodeId>, least: u64) -> Vec<NodeId> {
    let size = |&n: &NodeId| (Reverse(doms.retained(n)), n);
    let mut kept: Vec<NodeId> = Vec::new();
    for n in nodes.filter(|&n| doms.retained(n) >= least) {
        kept.push(n);
        if kept.len() >= 2 * LOOKED_AT {
            kept.select_nth_unstable_by_key(LOOKED_AT, size);
            kept.truncate(LOOKED_AT);
        }
    }
    kept.sort_unstable_by_key(size);
    kept.truncate(LOOKED_AT);
    kept
}

/// One way down.
struct Walk {
    point: NodeId,
    /// The links, when it is a chain: their class, number and place.
    links: Option<(TypeId, u64)>,
    /// Big children to look at on their own.
    followed: Vec<NodeId>,
}

impl Walk {
    fn down(snapshot: &Snapshot, doms: &Dominators, first: &[TypeId], start: NodeId, least: u64) -> Walk {
        let class = |n: NodeId| first.get(snapshot.graph.type_id(n).index()).copied();
        let mut passed: FxHashMap<TypeId, (u64, NodeId)> = FxHashMap::default();
        let (mut at, mut from) = (start, doms.retained(start));
        loop {
            let own = doms.retained(at);
            if !keeps(own, from) {
                if let Some((class, (_, head))) = links(snapshot, &passed) {
                    let members =
                        doms.subtree(head).filter(|&n| first.get(snapshot.graph.type_id(n).index()) == Some(&class));
                    return Walk { point: head, links: Some((class, members.count() as u64)), followed: Vec::new() };
                }
                passed.clear();
                from = own;
            }
            if let Some(t) = class(at) {
                passed.entry(t).or_insert((0, at)).0 += 1;
            }
            match doms.children(Some(at)).max_by_key(|&n| (doms.retained(n), Reverse(n))) {
                Some(child) if keeps(doms.retained(child), own) => at = child,
                _ => break,
            }
        }
        let followed = biggest(doms, doms.children(Some(at)), least.max(doms.retained(at) / NOTICED));
        Walk { point: at, links: None, followed }
    }

    fn retainer(&self, snapshot: &Snapshot, doms: &Dominators, first: &[TypeId]) -> Retainer {
        let n = self.point;
        let (children, mut most) = children(snapshot, doms, first, n);
        if let Some((type_id, count)) = self.links {
            most = Some(Most { type_id, count, retained_bytes: doms.retained(n) });
        }
        Retainer {
            node: n,
            type_id: snapshot.graph.type_id(n),
            retained_bytes: doms.retained(n),
            retained_count: doms.retained_count(n),
            children,
            chain: self.links.is_some(),
            most,
            steps: Vec::new(),
        }
    }
}

fn keeps(part: u64, whole: u64) -> bool {
    part as u128 * 100 >= whole as u128 * KEEPS as u128
}

/// The class whose objects lie below one another on the way, and the first of them.
/// Of classes that alternate, as instances and their dictionaries do, the one that
/// is least the interpreter's own.
fn links(snapshot: &Snapshot, passed: &FxHashMap<TypeId, (u64, NodeId)>) -> Option<(TypeId, (u64, NodeId))> {
    let most = passed.values().map(|&(count, _)| count).max().filter(|&most| most >= LINKS)?;
    let often = passed.iter().filter(|(_, (count, _))| count * 2 >= most).map(|(&t, &row)| (t, row));
    let origin = |t: TypeId| snapshot.types.get(t.index()).map(|row| row.origin);
    often.max_by_key(|&(t, (count, _))| (origin(t), count, Reverse(t)))
}

/// How many objects it dominates immediately, and the class of them that retains most.
fn children(snapshot: &Snapshot, doms: &Dominators, first: &[TypeId], n: NodeId) -> (u64, Option<Most>) {
    let mut sums: FxHashMap<TypeId, (u64, u64)> = FxHashMap::default();
    let mut count = 0;
    for child in doms.children(Some(n)) {
        count += 1;
        if let Some(&t) = first.get(snapshot.graph.type_id(child).index()) {
            let sum = sums.entry(t).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(doms.retained(child)));
        }
    }
    let most = sums.into_iter().max_by_key(|&(t, (count, bytes))| (bytes, count, Reverse(t)));
    (count, most.map(|(type_id, (count, retained_bytes))| Most { type_id, count, retained_bytes }))
}

impl Retainer {
    /// Fills in the way from a root.
    pub fn find_way(&mut self, snapshot: &Snapshot, forest: &Forest) {
        self.steps = paths::steps_to(snapshot, forest, self.node);
    }
}

/// Rows of an answer about the whole heap.
const ROWS: usize = 200;

/// The biggest of the heap, whatever their size.
pub(crate) fn all(
    snapshot: &Snapshot,
    kept: &mut Intermediates,
    progress: &dyn Progress,
) -> Result<Retainers, Cancelled> {
    let rows = told(snapshot, kept, RetainerLimits::rows(ROWS), progress)?;
    let Some(doms) = &kept.dominators else { return Ok(Retainers::default()) };
    let classes = retained_by_class(snapshot, doms);
    Ok(Retainers { rows, classes, objects: doms.len() as u64, bytes: doms.total_bytes() })
}

/// Those that are worth a line in a report.
pub(crate) fn notable(
    snapshot: &Snapshot,
    kept: &mut Intermediates,
    heap_bytes: u64,
    progress: &dyn Progress,
) -> Result<Vec<Retainer>, Cancelled> {
    if heap_bytes < RetainerLimits::REPORT.least_bytes {
        return Ok(Vec::new());
    }
    told(snapshot, kept, RetainerLimits::REPORT, progress)
}

/// The points with their ways, which are only worked out when there is a point.
fn told(
    snapshot: &Snapshot,
    kept: &mut Intermediates,
    limits: RetainerLimits,
    progress: &dyn Progress,
) -> Result<Vec<Retainer>, Cancelled> {
    let counts = need(&mut kept.refcounts, || refcounts(snapshot, progress))?;
    let doms = need(&mut kept.dominators, || dominators(snapshot, counts, progress))?;
    let mut rows = accumulation_points(snapshot, doms, limits, progress)?;
    if !rows.is_empty() {
        let forest = need(&mut kept.forest, || paths::forest(snapshot, counts, progress))?;
        rows.iter_mut().for_each(|r| r.find_way(snapshot, forest));
    }
    Ok(rows)
}

/// What the objects of each class retain, most bytes first.
pub fn retained_by_class(snapshot: &Snapshot, doms: &Dominators) -> Vec<ClassRetained> {
    let first = first_of_name(snapshot);
    let new = |t| ClassRetained { type_id: TypeId(t), count: 0, retained_bytes: 0 };
    let mut rows: Vec<ClassRetained> = (0..snapshot.types.len() as u32).map(new).collect();
    // Where the subtree of the last topmost instance of each class ends.
    let mut covered = vec![0u64; rows.len()];
    for (n, at) in doms.top_down().zip(0u64..) {
        let Some(&t) = first.get(snapshot.graph.type_id(n).index()) else { continue };
        let (row, covered) = (&mut rows[t.index()], &mut covered[t.index()]);
        row.count += 1;
        if at >= *covered {
            row.retained_bytes = row.retained_bytes.saturating_add(doms.retained(n));
            *covered = at + doms.retained_count(n);
        }
    }
    rows.retain(|r| r.count > 0);
    rows.sort_by_key(|r| (Reverse(r.retained_bytes), Reverse(r.count), r.type_id));
    rows
}
