//! One round: what was counted, and how its heap differs from the one before.

use std::collections::BTreeMap;

use serde::Serialize;
use undying_graph::{Cancelled, NodeId, Progress, RootKind, Snapshot};

use crate::refcounts::{counted, is_strong};
use crate::{Survival, class_changes, survival};

/// One round of calls, as it is told.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Round {
    /// Calls in it.
    pub calls: u64,
    /// Seconds that they took.
    pub seconds: f64,
    /// Of the calls: those that raised an exception.
    pub raised: u64,
    /// Whether it counts; the others warm up, or came before calls were doubled.
    pub judged: bool,
    /// Blocks of Python's allocator more than before.
    pub blocks: i64,
    /// Bytes of the C library's allocator more than before; `None` where it cannot be asked.
    pub native_bytes: Option<i64>,
    /// Objects more, where heaps were held against each other.
    pub objects: Option<i64>,
    /// Unaccounted references to older objects more, likewise.
    pub references: Option<i64>,
}

/// How a heap differs from the one before, by class.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Objects more, and bytes of their own more.
    pub objects: BTreeMap<String, (i64, i64)>,
    /// Of objects in both heaps: by how much their counts rose more than the references
    /// that were found to them.
    pub references: BTreeMap<String, i64>,
    /// Of objects in both heaps: by how many the references in them rose.
    pub entries: BTreeMap<String, i64>,
}

/// Holds two heaps of one process against each other.
pub fn change(before: &Snapshot, after: &Snapshot, progress: &dyn Progress) -> Result<Change, Cancelled> {
    let same = survival(before, after, progress)?;
    let more = |a: u64, b: u64| i64::try_from(i128::from(b) - i128::from(a)).unwrap_or(i64::MAX);
    let rows = class_changes(before, after, &same).into_iter();
    let objects = rows.map(|r| (r.type_name, (more(r.before, r.after), more(r.bytes_before, r.bytes_after))));
    let objects = objects.filter(|(_, change)| *change != (0, 0)).collect();
    Ok(Change { objects, references: references(before, after, &same), entries: entries(before, after, &same) })
}

fn entries(before: &Snapshot, after: &Snapshot, same: &Survival) -> BTreeMap<String, i64> {
    let strong = |s: &Snapshot, n: NodeId| {
        let tags = s.graph.tags();
        s.graph.edge_range(n).filter(|&e| is_strong(tags[e])).count() as i64
    };
    let mut rows = BTreeMap::<String, i64>::new();
    for n in after.graph.nodes() {
        let Some(old) = same.earlier(n) else { continue };
        let (was, is) = (strong(before, old), strong(after, n));
        if was != is {
            *rows.entry(after.type_name(n).to_owned()).or_default() += is - was;
        }
    }
    rows.retain(|_, change| *change != 0);
    rows
}

fn references(before: &Snapshot, after: &Snapshot, same: &Survival) -> BTreeMap<String, i64> {
    let (was, is) = (incoming(before), incoming(after));
    let mut rows = BTreeMap::<String, i64>::new();
    for n in after.graph.nodes() {
        let Some(old) = same.earlier(n) else { continue };
        let rest = |s: &Snapshot, n: NodeId, found: &[u32]| {
            counted(&s.graph, n).map(|count| count as i64 - i64::from(found.get(n.index()).copied().unwrap_or(0)))
        };
        let (Some(a), Some(b)) = (rest(before, old, &was), rest(after, n, &is)) else { continue };
        if a != b {
            *rows.entry(after.type_name(n).to_owned()).or_default() += b - a;
        }
    }
    rows.retain(|_, change| *change != 0);
    rows
}

/// References found to each object: of objects, guesses included, and of roots that count.
/// Words of native memory do not: what is left there is no reference for ever.
pub(super) fn incoming(s: &Snapshot) -> Vec<u32> {
    let (targets, tags) = (s.graph.targets(), s.graph.tags());
    let mut found = vec![0u32; s.graph.len()];
    let strong = targets.iter().zip(tags).filter(|(_, tag)| is_strong(**tag)).map(|(&to, _)| to as usize);
    let counts = |kind| {
        use RootKind::{Immortal, Interned, Module, Native, Stack};
        !matches!(kind, Module | Immortal | Interned | Native | Stack)
    };
    let roots = s.roots.iter().filter(|r| counts(r.kind)).map(|r| r.node.index());
    for to in strong.chain(roots) {
        if let Some(n) = found.get_mut(to) {
            *n = n.saturating_add(1);
        }
    }
    found
}
