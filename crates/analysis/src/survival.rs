//! Which objects of one heap are still there in a later heap of the same process:
//! one merge of two address columns.  An address alone proves nothing, as freed
//! memory is used again at once; this file says what else must agree.

use rustc_hash::FxHashMap;
use undying_graph::{Cancelled, Flags, LabelId, NodeId, Progress, Snapshot, TypeId};

use crate::refcounts::is_strong;

/// No object of the other heap.
const NONE: u32 = u32::MAX;

/// Tuples up to this length are compared item by item.
const COMPARED: usize = 16;

/// Who of two heaps is the same object.  8 bytes an object.
#[derive(Clone, Debug, Default)]
pub struct Survival {
    /// By object of the later heap: its number in the earlier one.
    earlier: Vec<u32>,
    /// By object of the earlier heap: its number in the later one.
    later: Vec<u32>,
    /// How many objects are in both.
    pub survivors: u64,
    /// How many addresses hold an object of the same class in both and yet not the same object.
    pub replaced: u64,
}

impl Survival {
    /// The object of the later heap as it was in the earlier one.
    #[inline]
    pub fn earlier(&self, later: NodeId) -> Option<NodeId> {
        self.earlier.get(later.index()).copied().filter(|&n| n != NONE).map(NodeId)
    }

    /// The object of the earlier heap as it is in the later one.
    #[inline]
    pub fn later(&self, earlier: NodeId) -> Option<NodeId> {
        self.later.get(earlier.index()).copied().filter(|&n| n != NONE).map(NodeId)
    }

    /// Whether the object of the later heap was not there before.
    #[inline]
    pub fn is_new(&self, later: NodeId) -> bool {
        self.earlier.get(later.index()).is_none_or(|&n| n == NONE)
    }

    /// Whether the object of the earlier heap is gone.
    #[inline]
    pub fn is_gone(&self, earlier: NodeId) -> bool {
        self.later.get(earlier.index()).is_none_or(|&n| n == NONE)
    }
}

/// Finds the survivors.  The same object is: at the same address, of the same class
/// (the class object itself at the same address), and, where that can be told,
/// - of the same size, when objects of its class never change theirs;
/// - with the same items, when it is a tuple;
/// - not in the youngest generation when it was in an older one before: nothing but a
///   new object gets there (dictionaries and tuples apart, which the collector may
///   forget and take up again; CPython 3.8 to 3.13, `MAINTAIN_TRACKING`).
pub fn survival(before: &Snapshot, after: &Snapshot, progress: &dyn Progress) -> Result<Survival, Cancelled> {
    let (a, b) = (&before.graph, &after.graph);
    progress.phase("finding survivors", b.len() as u64);
    let classes = Classes::of(before, after);
    let mut found = Survival { earlier: vec![NONE; b.len()], later: vec![NONE; a.len()], ..Survival::default() };
    let mut n = 0u32;
    for m in b.nodes() {
        if m.0 & 0xf_ffff == 0 {
            progress.check()?;
            progress.done(u64::from(m.0));
        }
        while (n as usize) < a.len() && a.address(NodeId(n)) < b.address(m) {
            n += 1;
        }
        let old = NodeId(n);
        if old.index() >= a.len() || a.address(old) != b.address(m) || !classes.same(a.type_id(old), b.type_id(m)) {
            continue;
        }
        if classes.is_same_object(before, after, old, m) {
            found.earlier[m.index()] = old.0;
            found.later[old.index()] = m.0;
            found.survivors += 1;
        } else {
            found.replaced += 1;
        }
    }
    Ok(found)
}

/// What is special about a class here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trait {
    /// Nothing.
    None,
    /// Its objects never change their size.
    Fixed,
    /// As `Fixed`, and they never change their items.
    Tuple,
    /// The collector may forget its objects and take them up again.
    Retracked,
}

/// The classes of two heaps held against each other.
struct Classes {
    /// By class of the later heap: the same class in the earlier one.
    earlier: Vec<Option<TypeId>>,
    /// By class of the later heap.
    special: Vec<Trait>,
}

impl Classes {
    fn of(before: &Snapshot, after: &Snapshot) -> Classes {
        let key = |s: &Snapshot, t: &undying_graph::TypeRow| {
            (s.text(t.name).to_owned(), t.object.filter(|n| n.index() < s.graph.len()).map(|n| s.graph.address(n)))
        };
        let known: FxHashMap<_, _> = before.types.iter().zip(0..).map(|(t, i)| (key(before, t), TypeId(i))).collect();
        let special = |name: &str| match name {
            "tuple" => Trait::Tuple,
            "str" | "bytes" | "int" | "float" | "complex" | "frozenset" | "code" => Trait::Fixed,
            "dict" => Trait::Retracked,
            _ => Trait::None,
        };
        Classes {
            earlier: after.types.iter().map(|t| known.get(&key(after, t)).copied()).collect(),
            special: after.types.iter().map(|t| special(after.text(t.name))).collect(),
        }
    }

    fn same(&self, earlier: TypeId, later: TypeId) -> bool {
        self.earlier.get(later.index()).copied().flatten() == Some(earlier)
    }

    fn is_same_object(&self, before: &Snapshot, after: &Snapshot, old: NodeId, new: NodeId) -> bool {
        let (a, b) = (&before.graph, &after.graph);
        let special = self.special.get(b.type_id(new).index()).copied().unwrap_or(Trait::None);
        match special {
            Trait::Fixed => a.shallow_bytes(old) == b.shallow_bytes(new),
            Trait::Tuple => a.shallow_bytes(old) == b.shallow_bytes(new) && same_items(before, after, old, new),
            Trait::Retracked => true,
            Trait::None => {
                let tracked = |f: Flags| f.has(Flags::GC_TRACKED);
                let (was, is) = (a.flags(old), b.flags(new));
                !(tracked(was) && tracked(is) && is.has(Flags::YOUNG) && !was.has(Flags::YOUNG))
            }
        }
    }
}

/// Whether the first items lie at the same addresses.
fn same_items(before: &Snapshot, after: &Snapshot, old: NodeId, new: NodeId) -> bool {
    let (a, b) = (&before.graph, &after.graph);
    let (ra, rb) = (a.edge_range(old), b.edge_range(new));
    if ra.len() != rb.len() {
        return false;
    }
    ra.zip(rb).take(COMPARED).all(|(e, f)| {
        let strong = is_strong(a.tags()[e]) && is_strong(b.tags()[f]);
        !strong || a.address(NodeId(a.targets()[e])) == b.address(NodeId(b.targets()[f]))
    })
}

/// Instances of one class name over an interval.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct ClassChange {
    /// The class's dotted name.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Instances in the earlier heap.
    pub before: u64,
    /// Instances in the later heap.
    pub after: u64,
    /// Of the later ones: not in the earlier heap.
    pub new: u64,
    /// Of the earlier ones: not in the later heap.
    pub gone: u64,
    /// Own sizes in bytes, earlier heap.
    pub bytes_before: u64,
    /// Own sizes in bytes, later heap.
    pub bytes_after: u64,
}

/// How the instances of each class changed; most bytes gained first, classes that
/// share a name told as one, unchanged ones left out.
pub fn class_changes(before: &Snapshot, after: &Snapshot, survival: &Survival) -> Vec<ClassChange> {
    let mut rows: FxHashMap<String, ClassChange> = FxHashMap::default();
    let mut add = |s: &Snapshot, per_class: Vec<[u64; 3]>, later: bool| {
        for (t, [count, fresh, bytes]) in per_class.into_iter().enumerate().filter(|(_, c)| c[0] > 0) {
            let name = s.types.get(t).map_or(LabelId::NONE, |row| row.name);
            let row = rows.entry(s.text(name).to_owned()).or_default();
            let into = match later {
                true => (&mut row.after, &mut row.new, &mut row.bytes_after),
                false => (&mut row.before, &mut row.gone, &mut row.bytes_before),
            };
            *into.0 += count;
            *into.1 += fresh;
            *into.2 += bytes;
        }
    };
    add(before, count(before, |n| survival.is_gone(n)), false);
    add(after, count(after, |n| survival.is_new(n)), true);
    let mut rows: Vec<ClassChange> = rows
        .into_iter()
        .map(|(type_name, row)| ClassChange { type_name, ..row })
        .filter(|r| r.new > 0 || r.gone > 0 || r.bytes_before != r.bytes_after)
        .collect();
    let gained = |r: &ClassChange| r.bytes_after as i128 - r.bytes_before as i128;
    rows.sort_by(|x, y| gained(y).cmp(&gained(x)).then_with(|| x.type_name.cmp(&y.type_name)));
    rows
}

/// By class: objects, those that `fresh` says, bytes.  Dead entries (count 0) are none.
fn count(s: &Snapshot, fresh: impl Fn(NodeId) -> bool) -> Vec<[u64; 3]> {
    let g = &s.graph;
    let mut rows = vec![[0u64; 3]; s.types.len()];
    for n in g.nodes().filter(|&n| g.refcount(n) != Some(0)) {
        if let Some(row) = rows.get_mut(g.type_id(n).index()) {
            row[0] += 1;
            row[1] += u64::from(fresh(n));
            row[2] = row[2].saturating_add(g.shallow_bytes(n));
        }
    }
    rows
}
