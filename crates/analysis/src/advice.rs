//! Which reference of a cycle to make weak, and why that one: recognised by the
//! cycle's shape, never by a package's name.  One pattern, one file, the same
//! headings (`recognise`, `WHY`, `CURE`); the sentences are theirs alone, so that
//! text and JSON say the same.

mod back_pointer;
mod bound_method;
mod class;
mod closure;
mod generator;
mod mutual;
mod other;
mod own_container;
mod self_reference;
mod traceback;

use serde::{Serialize, Serializer};
use undying_graph::{Flags, LabelId, Snapshot};

use crate::{Cycle, Step, StepKind, naming};

/// A shape of cycle that is known by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Pattern {
    /// An object refers to itself.
    SelfReference,
    /// An exception, its traceback, a frame, and a local that leads back.
    Traceback,
    /// A generator or coroutine whose own local leads back to it.
    Generator,
    /// A bound method kept by the object it is bound to.
    BoundMethod,
    /// A function that captures what keeps it.
    Closure,
    /// A class: every class is a cycle.
    Class,
    /// An object is in its own list, dictionary or set.
    OwnContainer,
    /// A child that refers back to its parent.
    BackPointer,
    /// Two attributes that refer to each other, neither of them the way back by name.
    Mutual,
    /// None of these.
    #[default]
    Other,
}

/// What to do about a cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Advice {
    /// The number of the step whose reference to make weak or to drop.
    pub edge: usize,
    /// What was recognised.
    pub pattern: Pattern,
}

/// The advice in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AdviceText {
    /// The reference to cut, as it is written: `Child.parent`.
    pub edge: String,
    /// Why that one: a sentence.
    pub why: String,
    /// What to do: a sentence.
    pub cure: String,
}

/// One row of the table of patterns.
struct Row {
    pattern: Pattern,
    name: &'static str,
    recognise: fn(&View) -> Option<usize>,
    why: &'static str,
    cure: &'static str,
}

macro_rules! rows {
    ($($pattern:ident = $name:literal in $file:ident),* $(,)?) => {
        &[$(Row {
            pattern: Pattern::$pattern,
            name: $name,
            recognise: $file::recognise,
            why: $file::WHY,
            cure: $file::CURE,
        }),*]
    };
}

/// All patterns, in the order they are tried.
const ROWS: &[Row] = rows![
    SelfReference = "self-reference" in self_reference,
    Traceback = "traceback" in traceback,
    Generator = "generator" in generator,
    BoundMethod = "bound-method" in bound_method,
    Closure = "closure" in closure,
    Class = "class" in class,
    OwnContainer = "own-container" in own_container,
    BackPointer = "back-pointer" in back_pointer,
    Mutual = "mutual" in mutual,
    Other = "other" in other,
];

impl Pattern {
    fn row(self) -> &'static Row {
        let row = ROWS.iter().find(|r| r.pattern == self);
        row.unwrap_or(&ROWS[ROWS.len() - 1])
    }

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

/// A cycle as the recognisers see it.
struct View<'a> {
    snapshot: &'a Snapshot,
    steps: &'a [Step],
}

impl View<'_> {
    /// The step that leads to where step `i` starts.
    fn before(&self, i: usize) -> &Step {
        &self.steps[(i + self.steps.len() - 1) % self.steps.len()]
    }

    /// The class of the object where step `i` starts, dotted.
    fn source_type(&self, i: usize) -> &str {
        naming::type_name(self.snapshot, self.before(i).type_id)
    }

    /// The class of the object that step `i` leads to, dotted.
    fn target_type(&self, i: usize) -> &str {
        naming::type_name(self.snapshot, self.steps[i].type_id)
    }

    /// The step's name, "" where there is none.
    fn label(&self, i: usize) -> &str {
        self.snapshot.text(self.steps[i].label)
    }

    /// The first step of which this is true.
    fn find(&self, is: impl Fn(usize) -> bool) -> Option<usize> {
        (0..self.steps.len()).find(|&i| is(i))
    }

    /// The last step of which this is true.
    fn find_last(&self, is: impl Fn(usize) -> bool) -> Option<usize> {
        (0..self.steps.len()).rev().find(|&i| is(i))
    }

    /// Whether step `i` is an attribute with a name.
    fn is_named_attribute(&self, i: usize) -> bool {
        self.steps[i].kind.is_attribute() && self.steps[i].label != LabelId::NONE
    }

    /// Whether the object where step `i` starts is a class.
    fn source_is_class(&self, i: usize) -> bool {
        self.snapshot.graph.flags(self.before(i).node).has(Flags::CLASS)
    }

    /// Whether the object where step `i` starts is one of Python's containers.
    fn source_is_container(&self, i: usize) -> bool {
        let container = matches!(self.steps[i].kind, StepKind::Item | StepKind::Key | StepKind::AsKey);
        container && !self.source_type(i).contains('.')
            || matches!(
                self.source_type(i),
                "collections.deque" | "collections.defaultdict" | "collections.OrderedDict"
            )
    }
}

/// The advice for the steps of a cycle.
pub(crate) fn advise(snapshot: &Snapshot, steps: &[Step]) -> Advice {
    let view = View { snapshot, steps };
    if steps.is_empty() {
        return Advice::default();
    }
    let found = ROWS.iter().find_map(|row| Some((row.pattern, (row.recognise)(&view)?)));
    let (pattern, edge) = found.unwrap_or_default();
    Advice { edge, pattern }
}

/// The advice for a cycle in words.
pub fn advice_text(snapshot: &Snapshot, cycle: &Cycle) -> AdviceText {
    let row = cycle.advice.pattern.row();
    let at = cycle.advice.edge;
    let (Some(step), Some(before)) = (cycle.steps.get(at), cycle.before(at)) else {
        return AdviceText { edge: String::new(), why: String::new(), cure: String::new() };
    };
    let holder = naming::node_name(snapshot, before.node, before.type_id);
    let held = naming::node_name(snapshot, step.node, step.type_id);
    let edge = format!("{holder}{}", naming::step_text(snapshot, step));
    let name = match snapshot.text(step.label) {
        "" => naming::step_text(snapshot, step).trim().to_string(),
        label => label.to_string(),
    };
    let fill = |text: &str| {
        let filled = text.replace("{edge}", &edge).replace("{holder}", &holder);
        filled.replace("{held}", &held).replace("{name}", &name)
    };
    AdviceText { why: fill(row.why), cure: fill(row.cure), edge }
}
