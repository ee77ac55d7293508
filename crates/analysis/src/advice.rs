//! Which reference of a cycle to make weak, and why that one: recognised by the
//! cycle's shape, never by a package's name.  One pattern, one file, the same
//! headings; the sentences stand here so that text and JSON say the same.

use serde::{Serialize, Serializer};

/// A shape of cycle that is known by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pattern {
    /// An object refers to itself.
    SelfReference,
    /// An object is in its own list, dictionary or set.
    OwnContainer,
    /// An exception, its traceback, a frame, and a local that holds the exception.
    Traceback,
    /// A generator or coroutine whose own local leads back to it.
    Generator,
    /// A bound method kept by the object it is bound to.
    BoundMethod,
    /// A function that captures the object that keeps it.
    Closure,
    /// A class: every class is a cycle.
    Class,
    /// A child that refers back to its parent.
    BackPointer,
    /// Two attributes that refer to each other, neither of them the way back by name.
    Mutual,
    /// None of these.
    Other,
}

/// What to do about a cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Advice {
    /// The step whose reference to make weak or to drop.
    pub edge: usize,
    /// What was recognised.
    pub pattern: Pattern,
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl Pattern {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Pattern::SelfReference => "self-reference",
            Pattern::OwnContainer => "own-container",
            Pattern::Traceback => "traceback",
            Pattern::Generator => "generator",
            Pattern::BoundMethod => "bound-method",
            Pattern::Closure => "closure",
            Pattern::Class => "class",
            Pattern::BackPointer => "back-pointer",
            Pattern::Mutual => "mutual",
            Pattern::Other => "other",
        }
    }
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

/// The advice for a cycle in words.
pub fn advice_text(_snapshot: &undying_graph::Snapshot, _cycle: &crate::Cycle) -> AdviceText {
    AdviceText {
        edge: String::new(),
        why: String::new(),
        cure: String::new(),
    }
}
