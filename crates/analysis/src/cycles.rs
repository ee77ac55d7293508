//! Cycles by shape: objects that hold each other, told once for all cycles that
//! read the same, with the reference to make weak.  Garbage and held cycles;
//! the ordinary ones of classes, modules and functions are counted, not listed.

mod held;
mod knot;
mod rows;
mod shape;
mod shortest;

use std::collections::BTreeSet;

use serde::Serialize;
use undying_graph::{Cancelled, NodeId, Progress, Snapshot, TypeId};

use crate::advice::Advice;
use crate::{Born, Components, Garbage, NodeSet, Step, TypeCount};
use knot::Reader;
use rows::Rows;

/// Whether anything outside holds a cycle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CycleState {
    /// Nothing does: only the collector can free it.
    Garbage,
    /// Something alive does.
    Held,
}

/// One cycle: the references in order and what to do about it.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Cycle {
    /// The references in order.  The last leads back to where the first starts,
    /// so step `i` starts at the object that step `i - 1` leads to.
    pub steps: Vec<Step>,
    /// Which of them to make weak, and why.
    pub advice: Advice,
}

/// All cycles that read the same.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CycleShape {
    /// Garbage or held.
    pub state: CycleState,
    /// The cycle, with the objects of one example.
    pub cycle: Cycle,
    /// Other short cycles among the same objects, if any: cutting the first is
    /// then not enough.
    pub others: Vec<Cycle>,
    /// How many such knots there are (groups of objects that hold each other).
    pub count: u64,
    /// Objects in them; in garbage with all that only they hold.
    pub objects: u64,
    /// The own sizes of these, in bytes.
    pub bytes: u64,
    /// The class that tells most: a class of the program's before a library's
    /// before a builtin one.
    pub head: TypeId,
    /// Whether the objects meant are classes themselves (`head` is then `type` or
    /// a metaclass).
    pub head_is_class: bool,
    /// Instances of `head` among the objects.
    pub instances: u64,
    /// Their own sizes together, in bytes.
    pub instance_bytes: u64,
    /// Whether instances of `head` are on the cycle itself, or only held by it.
    pub head_on_cycle: bool,
    /// The objects by class, the eight with most bytes.
    pub types: Vec<TypeCount>,
    /// Where the instances of `head` were made.
    #[serde(skip)]
    pub born: Born,
}

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CycleLimits {
    /// Shapes of garbage in the answer.
    pub garbage: usize,
    /// Shapes of held cycles in the answer; with 0 they are not looked for.
    pub held: usize,
}

impl Default for CycleLimits {
    fn default() -> Self {
        CycleLimits { garbage: 50, held: 10 }
    }
}

/// The cycles of a heap.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Cycles {
    /// Garbage first, then by bytes.
    pub shapes: Vec<CycleShape>,
    /// Shapes left out.
    pub shapes_left_out: u64,
    /// Knots of garbage.
    pub garbage_knots: u64,
    /// Garbage objects, with what only they hold.
    pub garbage_objects: u64,
    /// Their own sizes, in bytes.
    pub garbage_bytes: u64,
    /// Knots that are held; most are ordinary: every class is one, every module
    /// with a function is one.
    pub held_knots: u64,
    /// Objects in them.
    pub held_objects: u64,
    /// Knots that remain when classes, modules and their globals are left out
    /// and that hold an instance of the program's or a library's classes: the
    /// held ones that are listed.
    pub held_instance_knots: u64,
}

/// The cycles by shape.  `knots` are the components within the garbage, `all`
/// those of the whole heap: without them held cycles are not looked for.
pub fn cycles(
    snapshot: &Snapshot,
    garbage: &Garbage,
    knots: &Components,
    all: Option<&Components>,
    limits: CycleLimits,
    progress: &dyn Progress,
) -> Result<Cycles, Cancelled> {
    progress.phase("reading cycles", knots.count);
    let mut reader = Reader::new(snapshot);
    let mut answer = Cycles {
        garbage_knots: knots.count,
        garbage_objects: garbage.objects,
        garbage_bytes: garbage.bytes,
        ..Cycles::default()
    };
    let shapes = garbage_shapes(&mut reader, garbage, knots, progress)?;
    answer.take(shapes, limits.garbage);
    if let Some(all) = all {
        answer.held_knots = all.count.saturating_sub(knots.count);
        answer.held_objects = all.objects.saturating_sub(knots.objects);
        if limits.held > 0 {
            let (shapes, count) = held::shapes(&mut reader, garbage, all, progress)?;
            answer.held_instance_knots = count;
            answer.take(shapes, limits.held);
        }
    }
    Ok(answer)
}

/// The shapes of the knots of garbage, each with all that only it holds; what
/// several hold goes to the first that reaches it.
fn garbage_shapes(
    reader: &mut Reader,
    garbage: &Garbage,
    knots: &Components,
    progress: &dyn Progress,
) -> Result<Vec<CycleShape>, Cancelled> {
    let snapshot = reader.snapshot;
    let graph = &snapshot.graph;
    let mut rows = Rows::default();
    let mut told = NodeSet::new(graph.len());
    let mut stack = Vec::new();
    for knot in knots.ids() {
        if knot & 0xfff == 0 {
            progress.check()?;
            progress.done(knot as u64);
        }
        let members = knots.members(knot);
        let inside = |n: NodeId| knots.of(n) == Some(knot);
        let Some(row) = rows.knot(reader, members, inside, |_| true) else {
            continue;
        };
        stack.extend(members);
        while let Some(n) = stack.pop() {
            rows.object(row, reader, n, knots.of(n).is_some());
            let held = graph.edges(n).filter(|e| e.is_strong()).map(|e| e.target);
            stack.extend(held.filter(|&t| garbage.dead.contains(t) && knots.of(t).is_none() && told.insert(t)));
        }
    }
    Ok(rows.finish(reader, CycleState::Garbage))
}

impl Cycles {
    fn take(&mut self, mut shapes: Vec<CycleShape>, limit: usize) {
        self.shapes_left_out += shapes.len().saturating_sub(limit) as u64;
        shapes.truncate(limit);
        self.shapes.append(&mut shapes);
    }

    /// Only the shapes in which one of these classes has instances (of several
    /// with one name: the first).
    pub fn with_types(mut self, types: &BTreeSet<TypeId>) -> Cycles {
        let before = self.shapes.len();
        self.shapes.retain(|s| types.contains(&s.head) || s.types.iter().any(|t| types.contains(&t.type_id)));
        self.shapes_left_out += (before - self.shapes.len()) as u64;
        self
    }
}

impl Cycle {
    /// The step that leads to the object where step `i` starts.
    pub fn before(&self, i: usize) -> Option<&Step> {
        let n = self.steps.len();
        self.steps.get((i + n).checked_sub(1)? % n.max(1))
    }
}
