//! Count and bytes by class.  Knows nothing of references.

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Snapshot, TypeId};

/// One class and its instances; with those of other classes of the same name,
/// which a program makes by running one class statement again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct TypeCount {
    /// The class, the first of its name.
    pub type_id: TypeId,
    /// How many instances.
    pub count: u64,
    /// Their own sizes together, in bytes.
    pub shallow_bytes: u64,
}

/// Instances by class, most bytes first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Histogram {
    /// Classes that have an instance: by bytes, then count, then class number.
    pub rows: Vec<TypeCount>,
    /// All objects.
    pub objects: u64,
    /// Their own sizes together, in bytes.
    pub shallow_bytes: u64,
}

/// Counts every object by its class.  An object whose class number is not in the
/// table of types is counted in the totals only.
pub fn histogram(snapshot: &Snapshot) -> Histogram {
    let graph = &snapshot.graph;
    let mut sums = vec![(0u64, 0u64); snapshot.types.len()];
    let mut shallow_bytes = 0u64;
    for n in graph.nodes() {
        let bytes = graph.shallow_bytes(n);
        shallow_bytes = shallow_bytes.saturating_add(bytes);
        if let Some(sum) = sums.get_mut(graph.type_id(n).index()) {
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(bytes);
        }
    }
    for (t, first) in first_of_name(snapshot).into_iter().enumerate().filter(|(t, first)| *t != first.index()) {
        let (count, bytes) = std::mem::take(&mut sums[t]);
        let sum = &mut sums[first.index()];
        *sum = (sum.0 + count, sum.1.saturating_add(bytes));
    }
    let rows = sums.into_iter().zip(0u32..).filter(|((count, _), _)| *count > 0);
    let mut rows: Vec<TypeCount> =
        rows.map(|((count, shallow_bytes), t)| TypeCount { type_id: TypeId(t), count, shallow_bytes }).collect();
    sort(&mut rows);
    Histogram { rows, objects: graph.len() as u64, shallow_bytes }
}

/// Most bytes first, then most instances, then by number: the order of every
/// list of classes.
pub fn sort(rows: &mut [TypeCount]) {
    use std::cmp::Reverse;
    rows.sort_unstable_by_key(|r| (Reverse(r.shallow_bytes), Reverse(r.count), r.type_id));
}

/// For each class the first that has the same name.
pub(crate) fn first_of_name(snapshot: &Snapshot) -> Vec<TypeId> {
    let mut first = FxHashMap::default();
    let rows = snapshot.types.iter().zip(0u32..);
    rows.map(|(row, t)| *first.entry(row.name).or_insert(TypeId(t))).collect()
}
