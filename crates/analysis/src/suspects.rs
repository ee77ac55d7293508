//! What should be dead or looks wrong, ranked: each suspect in the form that
//! other programs rely on.  One rule, one file, the same headings; no rule names
//! a package.

pub mod case;
pub mod evidence;
pub mod garbage;
pub mod growth;
pub mod ownership;
pub mod references;
pub mod retained;
pub mod rules;

use serde::Serialize;
use undying_graph::{LabelId, NodeId, Snapshot, TypeId};

use crate::{Birthplace, Cycle, Step, naming};

/// How sure a suspect is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Almost certainly what it says.
    High,
    /// Likely.
    Medium,
    /// Worth a look.
    Low,
}

/// What sort of thing is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SuspectKind {
    /// Objects on a cycle that nothing else holds.
    Cycle,
    /// Objects that only such a cycle holds.
    Garbage,
    /// More and more of them, and something holds them.
    Growth,
    /// One container that holds a large part of the heap.
    Retained,
    /// A native object that nobody will free.
    Ownership,
    /// Counted more or less often than referred to.
    References,
    /// Counted, and nothing refers to it.
    Orphan,
}

/// One step of a suspect's path, in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PathStep {
    /// `module`, `attr`, `key`, `item`, `local`…
    pub kind: &'static str,
    /// The name, where there is one.
    pub label: Option<String>,
    /// The class it leads to, dotted.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// One suspect.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Suspect {
    /// 1 is the first to look at.
    pub rank: u32,
    /// What sort.
    pub kind: SuspectKind,
    /// The rule that found or explains it: a page of docs/rules.
    pub rule: &'static str,
    /// The class that accumulates, dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How many.
    pub count: u64,
    /// Their own sizes together, in bytes.
    pub shallow_bytes: u64,
    /// What would be freed with them, in bytes, where that is known.
    pub retained_bytes: Option<u64>,
    /// From the root to the class; for a cycle its references in order.
    pub path: Vec<PathStep>,
    /// The same as text.
    pub path_text: String,
    /// Where they were made, where that is known.
    pub born: Vec<Birthplace>,
    /// The extension module to blame, for native kinds.
    pub module_file: Option<String>,
    /// How sure.
    pub confidence: Confidence,
    /// The evidence, a sentence.
    pub why: String,
    /// What to do, a sentence.
    pub advice: String,
    /// The class, for views.
    #[serde(skip)]
    pub type_id: TypeId,
    /// One of the objects, for views.
    #[serde(skip)]
    pub example: Option<NodeId>,
    /// The cycle, where it is one, for views.
    #[serde(skip)]
    pub cycle: Option<Cycle>,
}

impl Suspect {
    /// Whether it belongs to the ledger of references: counts, ownership, cycles that no
    /// collector frees.
    pub fn is_of_references(&self) -> bool {
        self.kind.proves() || self.rule == "no-traverse"
    }
}

/// Steps in words.
pub fn path_steps(snapshot: &Snapshot, steps: &[Step]) -> Vec<PathStep> {
    let word = |s: &Step| PathStep {
        kind: s.kind.name(),
        label: (s.label != LabelId::NONE).then(|| snapshot.text(s.label).to_string()),
        type_name: naming::type_name(snapshot, s.type_id).to_string(),
    };
    steps.iter().map(word).collect()
}

impl Confidence {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::High => "high",
            Confidence::Medium => "medium",
            Confidence::Low => "low",
        }
    }
}

impl SuspectKind {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            SuspectKind::Cycle => "cycle",
            SuspectKind::Garbage => "garbage",
            SuspectKind::Growth => "growth",
            SuspectKind::Retained => "retained",
            SuspectKind::Ownership => "ownership",
            SuspectKind::References => "references",
            SuspectKind::Orphan => "orphan",
        }
    }
}

impl SuspectKind {
    /// Whether the object itself shows that something is wrong: growth may be wanted.
    fn proves(self) -> bool {
        matches!(self, SuspectKind::Ownership | SuspectKind::References | SuspectKind::Orphan)
    }
}

/// Puts the suspects in order, surest first, what is wrong in itself before what only
/// grew, then by bytes, and numbers them.
pub fn rank(mut suspects: Vec<Suspect>) -> Vec<Suspect> {
    suspects.sort_by(|a, b| {
        let bytes = |s: &Suspect| s.retained_bytes.unwrap_or(s.shallow_bytes);
        let order = a.confidence.cmp(&b.confidence).then(b.kind.proves().cmp(&a.kind.proves()));
        let order = order.then(bytes(b).cmp(&bytes(a)));
        order.then_with(|| a.type_name.cmp(&b.type_name)).then_with(|| a.path_text.cmp(&b.path_text))
    });
    for (suspect, rank) in suspects.iter_mut().zip(1..) {
        suspect.rank = rank;
    }
    suspects
}
