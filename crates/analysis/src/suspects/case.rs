//! One thing that grew, as the rules see it: questions about the holder, the way to it
//! and what came, each answered from the graph and never from a package's name.

use undying_graph::{EdgeKind, Flags, NodeId, RootKind, Snapshot, TypeId};

use crate::growth::{Grown, Holder};
use crate::{Step, StepKind, naming};

/// What grew, in the heap where it was last seen.
pub struct Case<'a> {
    /// The later heap.
    pub snapshot: &'a Snapshot,
    /// What grew.
    pub grown: &'a Grown,
    /// How many more of the class, by interval, oldest first.
    pub history: &'a [i64],
    /// How many more of the class there are in the whole heap, last interval.
    pub everywhere: i64,
    /// How many there were before the last interval.
    pub population: u64,
}

/// How many bases are followed up from a class.
const ANCESTORS: usize = 32;

impl Case<'_> {
    /// Steps from the root to the holder, it included.
    pub fn above(&self) -> &[Step] {
        self.grown.steps.get(..=self.grown.holder_step).unwrap_or(&self.grown.steps)
    }

    /// Steps from the holder down to the class that is named.
    pub fn below(&self) -> &[Step] {
        self.grown.steps.get(self.grown.holder_step + 1..).unwrap_or(&[])
    }

    /// The dotted name of the class of what a step leads to.
    pub fn class_of(&self, step: &Step) -> &str {
        naming::type_name(self.snapshot, step.type_id)
    }

    /// Whether a step below the holder leads to an object of one of these classes.
    pub fn passes(&self, classes: &[&str]) -> bool {
        self.below().iter().any(|s| classes.contains(&self.class_of(s)))
    }

    /// Whether a step down to the holder leads to an object of one of these classes.
    pub fn is_under(&self, classes: &[&str]) -> bool {
        self.above().iter().any(|s| classes.contains(&self.class_of(s)))
    }

    /// Whether a step on the whole way has this name.
    pub fn has_label(&self, label: &str) -> bool {
        self.grown.steps.iter().any(|s| self.snapshot.text(s.label) == label)
    }

    /// The kind of the root.
    pub fn root(&self) -> Option<RootKind> {
        match (self.grown.holder, self.grown.steps.first().map(|s| s.kind)) {
            (Holder::Roots(kind), _) => Some(kind),
            (_, Some(StepKind::Root(kind))) => Some(kind),
            _ => None,
        }
    }

    /// Whether the class that is named is this one or inherits from it.
    pub fn is_a(&self, ancestor: &str) -> bool {
        let graph = &self.snapshot.graph;
        let example = self.grown.example();
        if self.grown.class.classes || example.index() >= graph.len() {
            return false;
        }
        inherits(self.snapshot, graph.type_id(example), ancestor)
    }

    /// Whether instances of this class came with the holder.
    pub fn brings(&self, class: &str) -> bool {
        self.grown.classes.iter().any(|g| g.name == class && g.count > 0)
    }

    /// The holder is an attribute of a class itself.
    pub fn is_class_attribute(&self) -> bool {
        let above = self.above();
        let Some([holder, last]) = above.last_chunk::<2>() else { return false };
        let class = self.snapshot.graph.flags(holder.node).has(Flags::CLASS);
        class && last.kind.is_attribute()
    }

    /// The holder in words: the way to it, as in a program.
    pub fn holder_text(&self) -> String {
        naming::path_text(self.snapshot, self.above())
    }

    /// What is named, with its number.
    pub fn counted(&self) -> String {
        let name = self.class_name();
        let total: i64 = self.history.iter().sum();
        match self.grown.class.classes {
            true => format!("{total} classes called {name}"),
            false => format!("{total} {}", name.rsplit('.').next().unwrap_or(&name)),
        }
    }

    /// The class that accumulates; where classes themselves do, the example's own name.
    pub fn class_name(&self) -> String {
        let own = self.snapshot.name_of(self.grown.example()).filter(|_| self.grown.class.classes);
        own.map_or_else(|| self.grown.class.name.clone(), |row| self.snapshot.text(row.name).to_owned())
    }
}

/// Whether a class is one of this name, or inherits from one.
pub fn inherits(snapshot: &Snapshot, class: TypeId, ancestor: &str) -> bool {
    if naming::type_name(snapshot, class) == ancestor {
        return true;
    }
    let graph = &snapshot.graph;
    let bases = |n: NodeId| graph.edges(n).filter(|e| e.kind == EdgeKind::Base).map(|e| e.target);
    let name = |n: NodeId| snapshot.name_of(n).map_or("", |row| snapshot.text(row.name));
    let mut waiting: Vec<NodeId> = snapshot.types.get(class.index()).and_then(|t| t.object).into_iter().collect();
    for _ in 0..ANCESTORS {
        let Some(n) = waiting.pop().filter(|n| n.index() < graph.len()) else { return false };
        if name(n) == ancestor {
            return true;
        }
        waiting.extend(bases(n).take(ANCESTORS));
    }
    false
}
