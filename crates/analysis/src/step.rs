//! One step of a path or a cycle, as a person would say it: `.name`, `['key']`,
//! `local x`.  Raw references become steps here and nowhere else, so that an
//! instance's dictionary is never in the way.  No text is made here (naming.rs).

use serde::{Serialize, Serializer};
use undying_graph::{Certainty, Detail, Edge, EdgeKind, LabelId, NodeId, Root, RootKind, Snapshot, TypeId};

/// How a step holds its object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StepKind {
    /// The first step of a path: what holds it from outside the heap.
    Root(RootKind),
    /// An attribute, an instance's dictionary left out: `.name`.
    Attr,
    /// An element of a list, tuple, set or deque: `[3]`.
    Item,
    /// The value under a dictionary's key: `['name']`, `[…]`.
    Key,
    /// The object is itself a key of the dictionary.
    AsKey,
    /// A local variable of a frame, generator or coroutine.
    Local,
    /// A cell's content.
    Cell,
    /// A `__slots__` place.
    Slot,
    /// A variable captured by a function, its closure tuple left out.
    Closure,
    /// A frame, or a temporary on its evaluation stack.
    Frame,
    /// A class's base.
    Base,
    /// The object's class.
    Type,
    /// A weak reference: in no path; here so that every kind has a step.
    Weak,
    /// From raw memory that the object owns.
    Native,
    /// A word of the object that equals the address.
    Unknown,
}

impl StepKind {
    /// The name used in JSON (`kind` of a path's steps).
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Root(kind) => kind.name(),
            StepKind::Attr => "attr",
            StepKind::Item => "item",
            StepKind::Key => "key",
            StepKind::AsKey => "as-key",
            StepKind::Local => "local",
            StepKind::Cell => "cell",
            StepKind::Slot => "slot",
            StepKind::Closure => "closure",
            StepKind::Frame => "frame",
            StepKind::Base => "base",
            StepKind::Type => "type",
            StepKind::Weak => "weak",
            StepKind::Native => "native",
            StepKind::Unknown => "unknown",
        }
    }

    /// Whether it is written like an attribute in a program: `.name`.
    pub fn is_attribute(self) -> bool {
        matches!(self, StepKind::Attr | StepKind::Slot)
    }
}

impl Serialize for StepKind {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl From<EdgeKind> for StepKind {
    fn from(kind: EdgeKind) -> StepKind {
        match kind {
            EdgeKind::Attr => StepKind::Attr,
            EdgeKind::Item => StepKind::Item,
            EdgeKind::Key => StepKind::AsKey,
            EdgeKind::Value => StepKind::Key,
            EdgeKind::Local => StepKind::Local,
            EdgeKind::Cell => StepKind::Cell,
            EdgeKind::Slot => StepKind::Slot,
            EdgeKind::Closure => StepKind::Closure,
            EdgeKind::Frame => StepKind::Frame,
            EdgeKind::Base => StepKind::Base,
            EdgeKind::Type => StepKind::Type,
            EdgeKind::Weak => StepKind::Weak,
            EdgeKind::Native => StepKind::Native,
            EdgeKind::Unknown => StepKind::Unknown,
        }
    }
}

/// One step: how it holds, and the object it leads to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Step {
    /// How.
    pub kind: StepKind,
    /// Under which name; [`LabelId::NONE`] where there is none, or where chains
    /// that differ only here were merged.
    pub label: LabelId,
    /// At which position; `None` where there is none or chains were merged.
    pub index: Option<u32>,
    /// The object it leads to (in a merged chain: the example's).
    pub node: NodeId,
    /// That object's class.
    pub type_id: TypeId,
    /// How the reference is known; a step over a dictionary is known as its
    /// weaker half.
    pub certainty: Certainty,
    /// How often this step is taken in a row: 1, or more for a linked list,
    /// whose equal steps past the second are told as one.
    pub times: u32,
}

/// What two steps must share to be told as one row: everything but the
/// objects, the position, and how often beyond once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StepKey {
    /// How.
    pub kind: StepKind,
    /// Under which name.
    pub label: LabelId,
    /// The name of the class it leads to: classes made again and again under one
    /// name read the same.
    pub class: LabelId,
    /// Whether it stands for several in a row.
    pub repeated: bool,
}

impl Step {
    /// The first step of a path.
    pub fn root(snapshot: &Snapshot, root: &Root) -> Step {
        Step {
            kind: StepKind::Root(root.kind),
            label: root.label,
            index: None,
            node: root.node,
            type_id: snapshot.graph.type_id(root.node),
            certainty: match root.kind {
                RootKind::Stack => Certainty::Conservative,
                _ => Certainty::Exact,
            },
            times: 1,
        }
    }

    /// The step of a bare reference.
    pub fn bare(snapshot: &Snapshot, edge: &Edge) -> Step {
        let (label, index) = match edge.detail {
            Detail::None => (LabelId::NONE, None),
            Detail::Label(l) => (l, None),
            Detail::Index(i) => (LabelId::NONE, Some(i)),
        };
        Step {
            kind: edge.kind.into(),
            label,
            index,
            node: edge.target,
            type_id: snapshot.graph.type_id(edge.target),
            certainty: edge.certainty,
            times: 1,
        }
    }

    /// What makes it equal to another when rows are merged.
    pub fn key(&self, snapshot: &Snapshot) -> StepKey {
        let class = snapshot.types.get(self.type_id.index()).map_or(LabelId::NONE, |t| t.name);
        StepKey { kind: self.kind, label: self.label, class, repeated: self.times > 1 }
    }
}

/// Numbers of the few names that decide how references are told.
#[derive(Clone, Copy, Debug, Default)]
pub struct WellKnown {
    dict: Option<LabelId>,
    closure: Option<LabelId>,
}

impl WellKnown {
    /// Looks the names up, once for many paths.
    pub fn new(snapshot: &Snapshot) -> WellKnown {
        WellKnown { dict: snapshot.labels.find("__dict__"), closure: snapshot.labels.find("__closure__") }
    }

    /// Whether a step of this kind and name and then `now` are said as one: an
    /// attribute through the dictionary, a captured variable through the closure
    /// tuple (its name is the cell's).  Gives the kind and the name of the one.
    pub fn joins(
        &self,
        snapshot: &Snapshot,
        before: StepKind,
        label: LabelId,
        now: &Step,
    ) -> Option<(StepKind, LabelId)> {
        if before != StepKind::Attr || label == LabelId::NONE {
            return None;
        }
        // A key that is itself called `__dict__` is told as a key: joined, it would join again.
        let named = now.label != LabelId::NONE && Some(now.label) != self.dict;
        if Some(label) == self.dict && now.kind == StepKind::Key && named {
            return Some((StepKind::Attr, now.label));
        }
        if Some(label) == self.closure && matches!(now.kind, StepKind::Closure | StepKind::Item) {
            let cell = || snapshot.name_of(now.node).map_or(LabelId::NONE, |row| row.name);
            let name = if now.label == LabelId::NONE { cell() } else { now.label };
            return Some((StepKind::Closure, name));
        }
        None
    }

    /// Adds a reference to a path, joining and counting repeats.
    pub fn push(&self, snapshot: &Snapshot, steps: &mut Vec<Step>, edge: &Edge) {
        let mut step = Step::bare(snapshot, edge);
        if let Some(last) = steps.last()
            && let Some((kind, label)) = self.joins(snapshot, last.kind, last.label, &step)
        {
            (step.kind, step.label) = (kind, label);
            step.certainty = step.certainty.max(last.certainty);
            steps.pop();
        }
        fold_repeat(snapshot, steps, step);
    }
}

/// Adds a step; from the third equal one on they are told as one with a count.
fn fold_repeat(snapshot: &Snapshot, steps: &mut Vec<Step>, mut step: Step) {
    let key = step.key(snapshot);
    let same = |a: &Step| StepKey { repeated: false, ..a.key(snapshot) } == key;
    if let [.., last] = steps.as_mut_slice()
        && last.times > 1
        && same(last)
    {
        last.times = last.times.saturating_add(1);
        (last.node, last.index) = (step.node, None);
        last.certainty = last.certainty.max(step.certainty);
        return;
    }
    if let [.., a, b] = steps.as_slice()
        && same(a)
        && same(b)
    {
        step.times = 3;
        step.index = None;
        step.certainty = step.certainty.max(a.certainty).max(b.certainty);
        steps.truncate(steps.len() - 2);
    }
    steps.push(step);
}
