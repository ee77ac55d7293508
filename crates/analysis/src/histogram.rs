//! Count and bytes by class.  Knows nothing of references.

use serde::Serialize;
use undying_graph::{Snapshot, TypeId};

/// One class and its instances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct TypeCount {
    /// The class.
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
