//! Equal chains told as one: a tree of step keys in which two chains end at the
//! same leaf when they are said in the same words.  Each object's way is worked
//! out once, so that a chain of ten million links costs ten million steps.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{Cancelled, Edge, LabelId, NodeId, Progress, Snapshot, Transpose};

use super::forest::way_to;
use super::holders::Holders;
use super::{ChainLimits, Forest, MergedChain, Reached};
use crate::{Step, StepKey, StepKind, WellKnown};

/// So many rows that differ in one dictionary key only are told as one.
const ALIKE: usize = 3;

/// A place in the tree of keys; 0 is "not worked out", 1 the top.
type Place = u32;
const TOP: Place = 1;

/// The tree of keys.
struct Tree {
    /// Parent and own key of each place; the first two are no steps.
    rows: Vec<(Place, Option<StepKey>)>,
    children: FxHashMap<(Place, StepKey), Place>,
    known: WellKnown,
}

impl Tree {
    fn new(snapshot: &Snapshot) -> Tree {
        Tree { rows: vec![(0, None), (0, None)], children: FxHashMap::default(), known: WellKnown::new(snapshot) }
    }

    fn child(&mut self, place: Place, key: StepKey) -> Place {
        let next = self.rows.len() as u32;
        let found = *self.children.entry((place, key)).or_insert(next);
        if found == next {
            self.rows.push((place, Some(key)));
        }
        found
    }

    /// One step further.  The same rules as [`WellKnown::push`], which makes the
    /// steps that are shown: a test holds them against each other.
    fn extend(&mut self, snapshot: &Snapshot, mut place: Place, step: &Step) -> Place {
        let mut key = step.key(snapshot);
        if let (parent, Some(last)) = self.rows[place as usize]
            && let Some((kind, label)) = self.known.joins(snapshot, last.kind, last.label, step)
        {
            (key.kind, key.label) = (kind, label);
            place = parent;
        }
        let same = |row: Option<StepKey>| row.filter(|k| StepKey { repeated: false, ..*k } == key);
        let (parent, last) = self.rows[place as usize];
        let (above, before) = self.rows[parent as usize];
        match (same(last), same(before)) {
            (Some(last), _) if last.repeated => place,
            (Some(_), Some(before)) if !before.repeated => {
                key.repeated = true;
                self.child(above, key)
            }
            _ => self.child(place, key),
        }
    }

    fn keys(&self, mut place: Place) -> Vec<StepKey> {
        let mut keys = Vec::new();
        while let (parent, Some(key)) = self.rows[place as usize] {
            keys.push(key);
            place = parent;
        }
        keys.reverse();
        keys
    }
}

/// Objects whose chains end at one place.
#[derive(Clone)]
struct Leaf {
    count: u64,
    bytes: u64,
    /// The nearest object, and where its chain leaves the forest: from there the
    /// references down to it.
    example: NodeId,
    from: NodeId,
    down: Vec<u32>,
}

/// Works out chains, and keeps what it knows of the way to each object.
struct Merge<'a> {
    snapshot: &'a Snapshot,
    forest: &'a Forest,
    tree: Tree,
    /// The place of each object's own way, as far as it was asked for.
    place: Vec<Place>,
    leaves: FxHashMap<Place, Leaf>,
}

/// One row for each different chain to the objects, most objects first.
pub(super) fn rows(
    snapshot: &Snapshot,
    forest: &Forest,
    referrers: Option<&Transpose>,
    targets: &[NodeId],
    limits: ChainLimits,
    progress: &dyn Progress,
) -> Result<Vec<MergedChain>, Cancelled> {
    progress.phase("merging chains", targets.len() as u64);
    let mut merge = Merge {
        snapshot,
        forest,
        tree: Tree::new(snapshot),
        place: vec![0; snapshot.graph.len()],
        leaves: FxHashMap::default(),
    };
    let mut holders = referrers.map(|r| Holders::new(snapshot, forest, r));
    let mut mine = FxHashSet::default();
    for (i, &target) in targets.iter().enumerate() {
        if i & 0xfff == 0 {
            progress.check()?;
            progress.done(i as u64);
        }
        mine.clear();
        let first = merge.place_of(target);
        mine.insert(first);
        merge.enter(first, target, target, &[]);
        let Some(holders) = &mut holders else {
            continue;
        };
        for (from, down) in holders.others(target, limits.per_object.saturating_sub(1)) {
            let place = merge.place_by(from, &down);
            if mine.insert(place) {
                merge.enter(place, target, from, &down);
            }
        }
    }
    Ok(merge.finish())
}

impl Merge<'_> {
    fn step(&self, edge: u32) -> Step {
        Step::bare(self.snapshot, &self.snapshot.graph.edge(edge as usize))
    }

    /// The place of the shortest way to an object.
    fn place_of(&mut self, n: NodeId) -> Place {
        let mut edges = Vec::new();
        let mut at = n;
        let mut place = loop {
            if self.place[at.index()] != 0 {
                break self.place[at.index()];
            }
            match self.forest.reached(&self.snapshot.graph, at) {
                Reached::No => break TOP,
                Reached::Root(root) => {
                    let place = self.tree.child(TOP, Step::root(self.snapshot, &root).key(self.snapshot));
                    self.place[at.index()] = place;
                    break place;
                }
                Reached::By(holder, e) => {
                    edges.push(e as u32);
                    at = holder;
                }
            }
        };
        for e in edges.into_iter().rev() {
            let step = self.step(e);
            place = self.tree.extend(self.snapshot, place, &step);
            self.place[step.node.index()] = place;
        }
        place
    }

    /// The place of a way that goes down from another object.
    fn place_by(&mut self, from: NodeId, down: &[u32]) -> Place {
        let mut place = self.place_of(from);
        for &e in down {
            let step = self.step(e);
            place = self.tree.extend(self.snapshot, place, &step);
        }
        place
    }

    fn enter(&mut self, place: Place, target: NodeId, from: NodeId, down: &[u32]) {
        let leaf = self.leaves.entry(place).or_insert_with(|| Leaf {
            count: 0,
            bytes: 0,
            example: target,
            from,
            down: down.to_vec(),
        });
        leaf.count += 1;
        leaf.bytes = leaf.bytes.saturating_add(self.snapshot.graph.shallow_bytes(target));
    }

    /// Tells rows that differ only in dictionary keys as one, and gives each the
    /// steps of its example.
    fn finish(self) -> Vec<MergedChain> {
        let mut groups: FxHashMap<Vec<StepKey>, Vec<(Vec<StepKey>, &Leaf)>> = FxHashMap::default();
        for (place, leaf) in &self.leaves {
            let keys = self.tree.keys(*place);
            let blank = keys.iter().map(|k| if k.kind == StepKind::Key { unlabelled(k) } else { *k });
            groups.entry(blank.collect()).or_default().push((keys, leaf));
        }
        let mut rows: Vec<(Vec<StepKey>, MergedChain)> = Vec::new();
        for (blank, mut group) in groups {
            if group.len() < ALIKE {
                rows.extend(group.into_iter().map(|(keys, leaf)| (keys, self.row(leaf, false))));
                continue;
            }
            group.sort_unstable_by_key(|(_, leaf)| self.forest.position(leaf.example));
            let mut one = self.row(group[0].1, true);
            (one.count, one.bytes) = (0, 0);
            for (_, leaf) in &group {
                one.count += leaf.count;
                one.bytes = one.bytes.saturating_add(leaf.bytes);
            }
            rows.push((blank, one));
        }
        rows.sort_by(|(ka, a), (kb, b)| {
            let size = |c: &MergedChain, k: &[StepKey]| (Reverse(c.count), k.len(), Reverse(c.bytes));
            size(a, ka).cmp(&size(b, kb)).then_with(|| ka.cmp(kb))
        });
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn row(&self, leaf: &Leaf, blank_keys: bool) -> MergedChain {
        let mut steps = Vec::new();
        if let Some((root, edges)) = way_to(&self.snapshot.graph, self.forest, leaf.from) {
            steps.push(Step::root(self.snapshot, &root));
            for e in edges.iter().chain(&leaf.down) {
                let edge: Edge = self.snapshot.graph.edge(*e as usize);
                self.tree.known.push(self.snapshot, &mut steps, &edge);
            }
        }
        for step in &mut steps {
            if leaf.count > 1 || blank_keys {
                step.index = None;
            }
            if blank_keys && step.kind == StepKind::Key {
                step.label = LabelId::NONE;
            }
        }
        MergedChain { steps, count: leaf.count, bytes: leaf.bytes, example: leaf.example }
    }
}

fn unlabelled(key: &StepKey) -> StepKey {
    StepKey { label: LabelId::NONE, ..*key }
}
