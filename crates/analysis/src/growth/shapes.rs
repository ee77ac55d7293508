//! Chains of growing holders: the steps that are shown, and the words by which two
//! chains are the same.

use rustc_hash::FxHashMap;
use undying_graph::{EdgeKind, LabelId, NodeId, Root, Snapshot};

use super::{Grown, Holder};
use crate::paths::{Forest, Reached, way_to};
use crate::{Step, StepKey, StepKind, WellKnown, naming};

/// The way to a holder, dictionary keys and positions left out.
pub(super) type Shape = (u32, u32);

/// Gives each way a number, working each object's out once.
pub(super) struct Shapes<'a> {
    snapshot: &'a Snapshot,
    forest: &'a Forest,
    known: FxHashMap<(u32, StepKey), u32>,
    place: FxHashMap<NodeId, u32>,
}

/// Ways are followed so far up from an object that has no place yet.
const CLIMB: usize = 10_000;

impl<'a> Shapes<'a> {
    pub fn new(snapshot: &'a Snapshot, forest: &'a Forest) -> Shapes<'a> {
        Shapes { snapshot, forest, known: FxHashMap::default(), place: FxHashMap::default() }
    }

    fn child(&mut self, parent: u32, step: &Step) -> u32 {
        let mut key = StepKey { repeated: false, ..step.key(self.snapshot) };
        if matches!(key.kind, StepKind::Key | StepKind::Item | StepKind::AsKey) {
            key.label = LabelId::NONE;
        }
        // a list's links read the same however many they are
        let next = self.known.len() as u32 + 1;
        *self.known.entry((parent, key)).or_insert(next)
    }

    /// The number of the way to an object, and of its class.
    pub fn of(&mut self, n: NodeId) -> Shape {
        let graph = &self.snapshot.graph;
        let mut edges = Vec::new();
        let mut at = n;
        let mut place = loop {
            if let Some(&place) = self.place.get(&at) {
                break place;
            }
            match self.forest.reached(graph, at) {
                Reached::By(holder, e) if edges.len() < CLIMB => {
                    edges.push(e);
                    at = holder;
                }
                Reached::Root(root) => break self.child(0, &Step::root(self.snapshot, &root)),
                _ => break 0,
            }
        };
        self.place.insert(at, place);
        let mut last: Option<StepKey> = None;
        for e in edges.into_iter().rev() {
            let step = Step::bare(self.snapshot, &graph.edge(e));
            let key = StepKey { repeated: false, ..step.key(self.snapshot) };
            if last != Some(key) {
                place = self.child(place, &step);
            }
            last = Some(key);
            self.place.insert(step.node, place);
        }
        (place, graph.type_id(n).0)
    }
}

/// The way from the root over the holder down to the example.
pub(super) fn steps(
    snapshot: &Snapshot,
    forest: &Forest,
    holder: Holder,
    way: &[usize],
    example: NodeId,
) -> Option<Way> {
    let graph = &snapshot.graph;
    let known = WellKnown::new(snapshot);
    let mut steps = Vec::new();
    let (root, edges) = match holder {
        Holder::Object(n) => way_to(graph, forest, n)?,
        Holder::Roots(kind) => {
            let first = way.first().map_or(example, |&e| graph.source(e));
            let label = snapshot.roots.iter().find(|r| r.kind == kind && r.node == first).map(|r| r.label);
            (Root { node: first, kind, label: label.unwrap_or(LabelId::NONE) }, Vec::new())
        }
    };
    steps.push(Step::root(snapshot, &root));
    for e in edges {
        known.push(snapshot, &mut steps, &graph.edge(e as usize));
    }
    let (holder_step, mut space) = (steps.len() - 1, false);
    for (i, &e) in way.iter().enumerate() {
        known.push(snapshot, &mut steps, &graph.edge(e));
        // an instance that keeps its attributes itself is such a space, too
        space |= i == 0 && (steps.len() - 1 == holder_step || graph.edge(e).kind == EdgeKind::Attr);
    }
    // a step that was pushed may have taken those before it in
    let holder = holder_step.min(steps.len().saturating_sub(1));
    Some(Way { steps, holder, space })
}

/// From a root over the holder to an example.
pub(super) struct Way {
    pub steps: Vec<Step>,
    /// Which step leads to the holder.
    pub holder: usize,
    /// The holder is the dictionary behind a module's or an instance's attributes: the
    /// step is then the attribute.
    pub space: bool,
}

/// Leaves out what differs among many: positions and keys below the holder, and on the
/// way to it when several holders are told as one; the attribute's name when many
/// attributes came.
pub(super) fn blank(steps: &mut [Step], several: bool, holder: usize, names: bool) {
    for (i, step) in steps.iter_mut().enumerate() {
        if names && (i == holder || i == holder + 1) && step.kind == StepKind::Attr {
            step.label = LabelId::NONE;
        }
        if several || i > holder {
            step.index = None;
            if step.kind == StepKind::Key {
                step.label = LabelId::NONE;
            }
        }
    }
}

/// The words of the way to a holder, positions left out and chains of any length alike.
fn holder_words(snapshot: &Snapshot, mut steps: Vec<Step>, holder: usize) -> String {
    for step in &mut steps {
        (step.times, step.index) = (step.times.min(2), None);
    }
    naming::path_text(snapshot, steps.get(..=holder).unwrap_or(&steps))
}

/// The words of the way to a holder, keys left out, too.
pub(super) fn words(snapshot: &Snapshot, grown: &Grown) -> String {
    let mut steps = grown.steps.clone();
    blank(&mut steps, true, grown.holder_step, false);
    holder_words(snapshot, steps, grown.holder_step)
}

/// The words by which a holder is known again in the next interval.
pub(super) fn key(snapshot: &Snapshot, grown: &Grown) -> String {
    let text = holder_words(snapshot, grown.steps.clone(), grown.holder_step);
    match grown.holder {
        // the same container, wherever it hangs now
        Holder::Object(n) if grown.holders == 1 && grown.entries_gained >= super::OWN_ACCOUNT => {
            format!("{:#x} {text}", snapshot.graph.address(n))
        }
        _ => text,
    }
}
