//! Answers for programs: every id replaced by the name it stands for.  The
//! fields are a promise; a change of one is a change of the schema.

mod lives;

use serde::Serialize;
use undying_graph::{NodeId, Snapshot, TypeId};

use crate::suspects::{PathStep, Suspect, path_steps};
use crate::{
    Answer, Birthplace, CycleShape, CycleState, Ledgers, Retainer, StandsFor, TypeCount, WhyAnswer, advice_text, naming,
};

pub use lives::LivesTold;

/// Birthplaces of what was asked about that are told.
const BIRTHPLACES: usize = 20;

/// An answer with names in it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Told {
    /// To `report`.
    Report {
        /// Ranked.
        suspects: Vec<Suspect>,
        /// Where much of the heap hangs from one object, biggest first.
        retainers: Vec<Held>,
        /// Lives, references, bytes.
        ledgers: Ledgers,
    },
    /// To `why`.
    Why {
        /// How many objects were asked for.
        count: u64,
        /// Their own sizes together.
        shallow_bytes: u64,
        /// Distinct chains, most objects first.
        chains: Vec<Chain>,
        /// Chains left out.
        chains_left_out: u64,
        /// Objects that only dead cycles hold.
        garbage: u64,
        /// Objects that no root reaches and that are not known to be dead.
        unexplained: u64,
        /// The dead cycles.
        cycles: Vec<Shape>,
        /// Where they were made, the place of most first; empty where nobody recorded it.
        born: Vec<Birthplace>,
        /// Of one object: the stack that made it, innermost first.
        stack: Vec<String>,
        /// What native things they stand for; empty where they do not.
        native: Vec<StandsFor>,
    },
    /// To `cycles`.
    Cycles {
        /// Garbage first.
        cycles: Vec<Shape>,
        /// Shapes left out.
        shapes_left_out: u64,
        /// Groups of dead objects that hold each other.
        garbage_cycles: u64,
        /// Dead objects, with what only they hold.
        garbage_objects: u64,
        /// Their own sizes together.
        garbage_bytes: u64,
        /// Groups that are held, the ordinary ones included.
        held_cycles: u64,
        /// Of them: with instances of the program's or a library's classes.
        held_instance_cycles: u64,
    },
    /// To `lives`.
    Lives(LivesTold),
    /// To `refs`.
    Refs(Box<crate::ReferencesAnswer>),
    /// To `top`.
    Top {
        /// All objects.
        objects: u64,
        /// Their own sizes together.
        shallow_bytes: u64,
        /// Most bytes first.
        types: Vec<Class>,
    },
    /// To `top` by dominator.
    Retainers {
        /// All objects.
        objects: u64,
        /// Their own sizes together.
        shallow_bytes: u64,
        /// Most bytes first; one may hang from another.
        retainers: Vec<Held>,
        /// Classes by what their instances retain, without counting twice.
        types: Vec<ClassHeld>,
    },
}

/// Chains that read the same.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Chain {
    /// Objects held so.
    pub count: u64,
    /// Their own sizes together.
    pub shallow_bytes: u64,
    /// From the root to the object.
    pub path: Vec<PathStep>,
    /// The same as text.
    pub path_text: String,
    /// Address of one of the objects.
    pub example: u64,
}

/// Cycles that read the same.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Shape {
    /// `garbage` or `held`.
    pub state: CycleState,
    /// The class that tells most.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How many such cycles.
    pub count: u64,
    /// Objects in them, in garbage with all that only they hold.
    pub objects: u64,
    /// Their own sizes together.
    pub shallow_bytes: u64,
    /// Instances of `type`.
    pub instances: u64,
    /// The references in order.
    pub path: Vec<PathStep>,
    /// The same as text.
    pub path_text: String,
    /// The reference to make weak.
    pub cut: Cut,
    /// The objects by class.
    pub types: Vec<Class>,
    /// Addresses of the objects on one such cycle, in the order of `path`.
    pub example: Vec<u64>,
}

/// The reference to make weak.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cut {
    /// Its place in `path`.
    pub step: usize,
    /// What was recognised.
    pub pattern: &'static str,
    /// As it is written in a program.
    pub edge: String,
    /// Why that one.
    pub why: String,
    /// What to write.
    pub cure: String,
}

/// One class and its instances.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Class {
    /// Dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Instances.
    pub count: u64,
    /// Their own sizes together.
    pub shallow_bytes: u64,
}

/// An object and what would be freed with it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Held {
    /// Dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The object.
    pub address: u64,
    /// What would be freed if it went, itself included.
    pub retained_bytes: u64,
    /// The same in objects.
    pub retained_count: u64,
    /// Objects that hang from it immediately.
    pub children: u64,
    /// Whether what hangs from it is one long chain.
    pub chain: bool,
    /// The class that most of it is in: of its children, or of the chain's links.
    pub most: Option<ClassHeld>,
    /// From a root to it; empty where none reaches it.
    pub path: Vec<PathStep>,
    /// The same as text.
    pub path_text: String,
}

/// Objects of one class and what would be freed with them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ClassHeld {
    /// Dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Instances.
    pub count: u64,
    /// What they retain together.
    pub retained_bytes: u64,
}

/// Puts in the names.
pub fn told(snapshot: &Snapshot, answer: &Answer) -> Told {
    match answer {
        Answer::Report(a) => Told::Report {
            suspects: a.suspects.clone(),
            retainers: a.retainers.iter().map(|r| held(snapshot, r)).collect(),
            ledgers: a.ledgers.clone(),
        },
        Answer::Why(a) => why(snapshot, a),
        Answer::Cycles(c) => Told::Cycles {
            cycles: c.shapes.iter().map(|s| shape(snapshot, s)).collect(),
            shapes_left_out: c.shapes_left_out,
            garbage_cycles: c.garbage_knots,
            garbage_objects: c.garbage_objects,
            garbage_bytes: c.garbage_bytes,
            held_cycles: c.held_knots,
            held_instance_cycles: c.held_instance_knots,
        },
        Answer::Lives(answer) => Told::Lives(lives::told(snapshot, answer)),
        Answer::Refs(a) => Told::Refs(a.clone()),
        Answer::Top(h) => Told::Top {
            objects: h.objects,
            shallow_bytes: h.shallow_bytes,
            types: h.rows.iter().map(|r| class(snapshot, r)).collect(),
        },
        Answer::Retainers(a) => Told::Retainers {
            objects: a.objects,
            shallow_bytes: a.bytes,
            retainers: a.rows.iter().map(|r| held(snapshot, r)).collect(),
            types: a.classes.iter().map(|c| class_held(snapshot, c.type_id, c.count, c.retained_bytes)).collect(),
        },
    }
}

fn why(snapshot: &Snapshot, answer: &WhyAnswer) -> Told {
    let chains = &answer.chains;
    let row = |c: &crate::paths::MergedChain| Chain {
        count: c.count,
        shallow_bytes: c.bytes,
        path: path_steps(snapshot, &c.steps),
        path_text: naming::path_text(snapshot, &c.steps),
        example: address(snapshot, c.example),
    };
    Told::Why {
        count: chains.targets,
        shallow_bytes: chains.bytes,
        chains: chains.rows.iter().map(row).collect(),
        chains_left_out: chains.rows_left_out,
        garbage: chains.garbage,
        unexplained: chains.unexplained,
        cycles: answer.cycles.shapes.iter().map(|s| shape(snapshot, s)).collect(),
        born: answer.born.told(snapshot).into_iter().take(BIRTHPLACES).collect(),
        stack: super::why::stack(snapshot, answer),
        native: answer.native.clone(),
    }
}

fn shape(snapshot: &Snapshot, s: &CycleShape) -> Shape {
    let advice = advice_text(snapshot, &s.cycle);
    Shape {
        state: s.state,
        type_name: naming::type_name(snapshot, s.head).to_owned(),
        count: s.count,
        objects: s.objects,
        shallow_bytes: s.bytes,
        instances: s.instances,
        path: path_steps(snapshot, &s.cycle.steps),
        path_text: naming::cycle_text(snapshot, &s.cycle.steps),
        cut: Cut {
            step: s.cycle.advice.edge,
            pattern: s.cycle.advice.pattern.name(),
            edge: advice.edge,
            why: advice.why,
            cure: advice.cure,
        },
        types: s.types.iter().map(|t| class(snapshot, t)).collect(),
        example: s.cycle.steps.iter().map(|step| address(snapshot, step.node)).collect(),
    }
}

fn class(snapshot: &Snapshot, row: &TypeCount) -> Class {
    Class {
        type_name: naming::type_name(snapshot, row.type_id).to_owned(),
        count: row.count,
        shallow_bytes: row.shallow_bytes,
    }
}

fn held(snapshot: &Snapshot, r: &Retainer) -> Held {
    Held {
        type_name: naming::type_name(snapshot, r.type_id).to_owned(),
        address: address(snapshot, r.node),
        retained_bytes: r.retained_bytes,
        retained_count: r.retained_count,
        children: r.children,
        chain: r.chain,
        most: r.most.map(|m| class_held(snapshot, m.type_id, m.count, m.retained_bytes)),
        path: path_steps(snapshot, &r.steps),
        path_text: naming::path_text(snapshot, &r.steps),
    }
}

fn class_held(snapshot: &Snapshot, t: TypeId, count: u64, retained_bytes: u64) -> ClassHeld {
    ClassHeld { type_name: naming::type_name(snapshot, t).to_owned(), count, retained_bytes }
}

fn address(snapshot: &Snapshot, n: NodeId) -> u64 {
    if n.index() < snapshot.graph.len() { snapshot.graph.address(n) } else { 0 }
}
