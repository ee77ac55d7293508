//! What makes two cycles read the same: their steps, turned so that the same
//! object comes first.  Decides which objects tell most; knows no garbage.

use undying_graph::{Flags, NodeId, Origin, Snapshot, TypeId};

use crate::{Step, StepKey, WellKnown, naming};

/// How much an object tells a person, 0 the most.  By class, worked out once.
pub(super) struct Telling {
    of_type: Vec<u8>,
}

/// An instance of one of the program's own classes.
pub(super) const PROGRAM: u8 = 0;
/// An instance of an installed library's class.
pub(super) const LIBRARY: u8 = 1;
const STDLIB: u8 = 2;
/// Functions, frames, exceptions: builtin classes whose instances have a story.
const STORY: u8 = 3;
/// A class itself.
pub(super) const CLASS: u8 = 4;
const PLAIN: u8 = 5;

/// Builtin classes whose instances have a story, besides exceptions.
const STORIES: &[&str] = &[
    "function",
    "method",
    "generator",
    "coroutine",
    "async_generator",
    "frame",
    "_asyncio.Task",
    "_asyncio.Future",
    "functools.partial",
];

impl Telling {
    pub(super) fn new(snapshot: &Snapshot) -> Telling {
        let rank = |t: &undying_graph::TypeRow| match t.origin {
            Origin::Program => PROGRAM,
            Origin::Library => LIBRARY,
            _ if STORIES.contains(&snapshot.text(t.name)) => STORY,
            Origin::Stdlib => STDLIB,
            Origin::Builtin if is_exception(snapshot.text(t.name)) => STORY,
            Origin::Builtin => PLAIN,
        };
        Telling { of_type: snapshot.types.iter().map(rank).collect() }
    }

    /// Of a class's instances.
    pub(super) fn of_type(&self, t: TypeId) -> u8 {
        self.of_type.get(t.index()).copied().unwrap_or(PLAIN)
    }

    /// Of one object.
    pub(super) fn of(&self, snapshot: &Snapshot, n: NodeId) -> u8 {
        if snapshot.graph.flags(n).has(Flags::CLASS) { CLASS } else { self.of_type(snapshot.graph.type_id(n)) }
    }
}

/// Whether a builtin class is an exception, by the names that CPython gives them.
fn is_exception(name: &str) -> bool {
    ["Error", "Exception", "Warning"].iter().any(|end| name.ends_with(end))
        || ["StopIteration", "StopAsyncIteration", "KeyboardInterrupt", "SystemExit"].contains(&name)
}

/// The steps of a closed row of references.
pub(super) fn steps(snapshot: &Snapshot, known: &WellKnown, edges: &[u32]) -> Vec<Step> {
    let graph = &snapshot.graph;
    let bare = |e: u32| Step::bare(snapshot, &graph.edge(e as usize));
    // Not to begin between an object and its dictionary.
    let split = match (edges.first(), edges.last()) {
        (Some(&a), Some(&z)) => {
            let last = bare(z);
            known.joins(snapshot, last.kind, last.label, &bare(a)).is_some() as usize
        }
        _ => 0,
    };
    let mut steps = Vec::with_capacity(edges.len());
    for &e in edges[split..].iter().chain(&edges[..split]) {
        known.push(snapshot, &mut steps, &graph.edge(e as usize));
    }
    steps
}

/// The same cycle, begun where its words come first among the objects that tell
/// most; by numbers, which is quick and the same for all cycles of one heap.
pub(super) fn turn(snapshot: &Snapshot, telling: &Telling, steps: &mut [Step]) {
    turn_by(snapshot, telling, steps, |s| s.key(snapshot));
}

/// The same by text, which is the same for all heaps.
pub(super) fn turn_by_text(snapshot: &Snapshot, telling: &Telling, steps: &mut [Step]) {
    turn_by(snapshot, telling, steps, |s| {
        let class = naming::type_name(snapshot, s.type_id);
        (s.kind, snapshot.text(s.label), class, s.times > 1)
    });
}

fn turn_by<K: Ord>(snapshot: &Snapshot, telling: &Telling, steps: &mut [Step], key: impl Fn(&Step) -> K) {
    let n = steps.len();
    let source = |i: usize| telling.of(snapshot, steps[(i + n - 1) % n].node);
    let best = (0..n).min_by(|&a, &b| {
        let words = |from: usize| (0..n).map(move |i| (from + i) % n);
        let by_words = || words(a).map(|i| key(&steps[i])).cmp(words(b).map(|i| key(&steps[i])));
        source(a).cmp(&source(b)).then_with(by_words)
    });
    steps.rotate_left(best.unwrap_or(0));
}

/// What two cycles that read the same share; of turned steps.
pub(super) fn key(snapshot: &Snapshot, steps: &[Step]) -> Box<[StepKey]> {
    steps.iter().map(|s| s.key(snapshot)).collect()
}
