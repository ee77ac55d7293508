//! Counted references against found ones: for each object its reference count
//! beside the references that the capture found.  Says who has something left
//! over and who has too little; draws no conclusion (garbage.rs and paths.rs do).

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Cancelled, Certainty, Detail, Flags, Graph, NodeId, Progress, RootKind, Snapshot, WrapperSystem};

use crate::NodeSet;

/// Objects by how their reference count compares with what was found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RefcountTotals {
    /// Objects with a reference count (not immortal).
    pub mortal: u64,
    /// Of them: exactly as many references known as counted.
    pub exact: u64,
    /// Of them: counted more than found, guesses and roots included: native code
    /// holds them, or a reference was lost.
    pub excess: u64,
    /// References in excess, all objects together.
    pub excess_references: u64,
    /// Of them: more exactly known references than counted, which cannot be.
    pub deficit: u64,
    /// Of them: explained only when guesses or roots are taken in.
    pub guessed: u64,
    /// Of them: count 0: dead entries that the interpreter keeps for reuse.
    pub zero: u64,
    /// Of those in excess: nothing at all in the process refers to them.
    pub orphans: u64,
}

/// One object's account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Balance {
    /// Its reference count.
    pub counted: u64,
    /// References known from a layout or a member table.
    pub exact: u64,
    /// Of them: from a member table, which may show what its object does not own, or
    /// from an object that nothing known leads to.
    pub doubtful: u64,
    /// Words of objects that look like references.
    pub guessed: u64,
    /// References from outside the heap, words of native memory among them.
    pub roots: u64,
}

impl Balance {
    /// References of every sort.
    pub fn found(&self) -> u64 {
        self.exact.saturating_add(self.guessed).saturating_add(self.roots)
    }

    /// References counted and found nowhere.
    pub fn excess(&self) -> u64 {
        self.counted.saturating_sub(self.found())
    }

    /// References certain and not counted.
    pub fn deficit(&self) -> u64 {
        self.exact.saturating_sub(self.doubtful).saturating_sub(self.counted)
    }

    /// Alive by its count alone.
    pub fn is_orphan(&self) -> bool {
        self.counted > 0 && self.found() == 0
    }
}

/// What the comparison gives the other analyses.
#[derive(Clone, Debug, Default)]
pub struct Refcounts {
    /// Collectable objects whose count is more than the exact references from
    /// other collectable objects: the collector keeps them.
    pub left_over: NodeSet,
    /// Objects that the collector would look at (tracked, not frozen).
    pub candidates: NodeSet,
    /// Objects counted more often than found, guesses and roots included.
    pub excess: NodeSet,
    /// Objects with more certain references than counted.
    pub deficit: NodeSet,
    /// Objects with more references known than counted, certain or not.
    pub short: NodeSet,
    /// Objects that a guess points to.
    pub guessed: NodeSet,
    /// How many of each.
    pub totals: RefcountTotals,
    found: Found,
    rooted: FxHashMap<u32, u32>,
}

/// The tag bits of a packed reference that are its kind (`Edge::pack`).
const KIND: u8 = 15;
/// `EdgeKind::Weak` in those bits.
const WEAK: u8 = undying_graph::EdgeKind::Weak as u8;

/// A count from here on says nothing: 3.11 gives objects that it lays out itself
/// 999,999,999 (`_PyObject_IMMORTAL_INIT`, Include/internal/pycore_object.h),
/// and frees none of them.
const SAYS_NOTHING: u64 = 1 << 29;

/// The object's reference count, where it says something.
#[inline]
pub(crate) fn counted(graph: &Graph, n: NodeId) -> Option<u64> {
    graph.refcount(n).filter(|&r| r < SAYS_NOTHING)
}

/// Whether the packed reference keeps its target alive.
#[inline]
pub(crate) fn is_strong(tag: u8) -> bool {
    tag & KIND != WEAK
}

/// Whether the packed reference is known from a layout or a member table.  A tag
/// that no reference packs to counts as a guess.
#[inline]
pub(crate) fn is_exact(tag: u8) -> bool {
    tag >> 4 & 3 < Certainty::Conservative as u8
}

/// Whether the packed reference is known from a builtin type's layout.
#[inline]
fn is_certain(tag: u8) -> bool {
    tag >> 4 & 3 == Certainty::Exact as u8
}

/// Whether the collector would look at the object: in one of its lists, not in
/// the permanent one, and a living object (a count of 0 is a dead entry).
#[inline]
pub(crate) fn is_candidate(graph: &Graph, n: NodeId) -> bool {
    let flags = graph.flags(n);
    flags.has(Flags::GC_TRACKED) && !flags.has(Flags::FROZEN) && graph.refcount(n) != Some(0)
}

/// References found, by what they point to.
#[derive(Clone, Debug, Default)]
struct Found {
    /// Exactly known ones.
    exact: Vec<u32>,
    /// Of them: to candidates and not from one.  Few: what is not collectable
    /// rarely holds what is.
    from_others: FxHashMap<u32, u32>,
    /// Exactly known ones that need not be owned ([`Balance::doubtful`]).
    doubtful: FxHashMap<u32, u32>,
    /// Guesses.
    guessed: FxHashMap<u32, u32>,
}

/// Compares every object's reference count with the references found.
/// 4 bytes an object while it runs, five bits after.
pub fn refcounts(snapshot: &Snapshot, progress: &dyn Progress) -> Result<Refcounts, Cancelled> {
    let graph = &snapshot.graph;
    progress.phase("counting references", graph.len() as u64);
    let mut candidates = NodeSet::new(graph.len());
    for n in graph.nodes().filter(|&n| is_candidate(graph, n)) {
        candidates.insert(n);
    }
    let found = count(graph, &candidates, progress)?;
    let mut answer = Refcounts {
        left_over: NodeSet::new(graph.len()),
        excess: NodeSet::new(graph.len()),
        deficit: NodeSet::new(graph.len()),
        short: NodeSet::new(graph.len()),
        guessed: NodeSet::new(graph.len()),
        candidates,
        totals: RefcountTotals::default(),
        rooted: counted_roots(snapshot),
        found,
    };
    for n in graph.nodes() {
        answer.judge(graph, n);
    }
    for &n in answer.found.guessed.keys() {
        answer.guessed.insert(NodeId(n));
    }
    Ok(answer)
}

/// How many roots of each object may count in its reference count.  A module's root is
/// the name of a reference that `sys.modules` has already; a static object's own row
/// stands for a reference that its library keeps.
fn counted_roots(snapshot: &Snapshot) -> FxHashMap<u32, u32> {
    let counts = |kind| !matches!(kind, RootKind::Immortal | RootKind::Interned | RootKind::Module);
    let mut rooted = FxHashMap::default();
    for root in snapshot.roots.iter().filter(|r| counts(r.kind)) {
        *rooted.entry(root.node.0).or_default() += 1;
    }
    held_by_proxies(snapshot, &mut rooted);
    rooted
}

/// Each SWIG object that owns its native one counts a reference to the capsule with the
/// module's types and keeps no pointer to it (`Swig_Capsule_global` in what SWIG 4 writes,
/// Lib/python/pyrun.swg).
fn held_by_proxies(snapshot: &Snapshot, rooted: &mut FxHashMap<u32, u32>) {
    let owning = snapshot.wrappers.iter().filter(|w| w.system == WrapperSystem::Swig && w.owned == Some(true));
    let owning = owning.count() as u32;
    let graph = &snapshot.graph;
    if owning == 0 {
        return;
    }
    for edge in graph.nodes().flat_map(|n| graph.edges(n)) {
        let name = match edge.detail {
            Detail::Label(label) => snapshot.text(label),
            _ => continue,
        };
        if name.starts_with("type_pointer_capsule") && snapshot.type_name(edge.target) == "PyCapsule" {
            rooted.insert(edge.target.0, owning);
        }
    }
}

fn count(graph: &Graph, candidates: &NodeSet, progress: &dyn Progress) -> Result<Found, Cancelled> {
    let (targets, tags) = (graph.targets(), graph.tags());
    let mut exact = vec![0u32; graph.len()];
    let (mut from_others, mut guessed, mut doubtful) =
        (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
    for n in graph.nodes() {
        if n.0 & 0xffff == 0 {
            progress.check()?;
            progress.done(n.0 as u64);
        }
        let candidate = candidates.contains(n);
        let unreached = graph.flags(n).has(Flags::UNREACHED);
        for e in graph.edge_range(n).filter(|&e| is_strong(tags[e])) {
            let to = targets[e];
            if !is_exact(tags[e]) {
                *guessed.entry(to).or_default() += 1;
                continue;
            }
            exact[to as usize] += 1;
            if unreached || !is_certain(tags[e]) {
                *doubtful.entry(to).or_default() += 1;
            }
            if !candidate && candidates.contains(NodeId(to)) {
                *from_others.entry(to).or_default() += 1;
            }
        }
    }
    Ok(Found { exact, from_others, guessed, doubtful })
}

impl Refcounts {
    /// The object's account; `None` where its count says nothing.
    pub fn balance(&self, graph: &Graph, n: NodeId) -> Option<Balance> {
        let few = |map: &FxHashMap<u32, u32>| match map.is_empty() {
            true => 0,
            false => map.get(&n.0).copied().unwrap_or(0) as u64,
        };
        Some(Balance {
            counted: counted(graph, n)?,
            exact: self.found.exact.get(n.index()).copied().unwrap_or(0) as u64,
            doubtful: few(&self.found.doubtful),
            guessed: few(&self.found.guessed),
            roots: few(&self.rooted),
        })
    }

    fn judge(&mut self, graph: &Graph, n: NodeId) {
        let Some(count) = counted(graph, n) else { return };
        if count != 0 && self.found.exact[n.index()] as u64 == count {
            // nearly all are: nothing else need be looked up
            self.totals.mortal += 1;
            self.totals.exact += 1;
            let others = !self.found.from_others.is_empty() && self.found.from_others.contains_key(&n.0);
            if others && self.candidates.contains(n) {
                self.left_over.insert(n);
            }
            return;
        }
        let Some(balance) = self.balance(graph, n) else { return };
        let Balance { counted, exact, .. } = balance;
        // nobody frees a static type, and code that makes one does not always count
        let flags = graph.flags(n);
        let never_freed = flags.has(Flags::STATIC) || (flags.has(Flags::CLASS) && !flags.has(Flags::GC_TRACKED));
        let totals = &mut self.totals;
        totals.mortal += 1;
        if counted < exact {
            self.short.insert(n);
        }
        if counted == 0 && exact == 0 {
            totals.zero += 1;
        } else if balance.deficit() > 0 && !never_freed {
            totals.deficit += 1;
            self.deficit.insert(n);
        } else if counted == exact {
            totals.exact += 1;
        } else if counted <= balance.found() {
            totals.guessed += 1;
        } else {
            totals.excess += 1;
            totals.orphans += u64::from(balance.is_orphan());
            totals.excess_references = totals.excess_references.saturating_add(balance.excess());
            self.excess.insert(n);
        }
        let from_others = self.found.from_others.get(&n.0).copied().unwrap_or(0) as u64;
        if self.candidates.contains(n) && counted > exact - from_others.min(exact) {
            self.left_over.insert(n);
        }
    }
}
