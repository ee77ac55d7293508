//! From the recorded changes of one object's reference count to the reference that was
//! lost or taken too often: increments and decrements are paired, and what is left over
//! has a line of C.  A pure function of changes; how they were recorded is not known here.
//!
//! The interpreter is taken to count rightly, so each pair costs belief of a different
//! kind: what one call of native code takes and gives back itself, what a container was
//! given and gave up, what the evaluation loop took and dropped, what a call returned to
//! it (one reference a call), what native code kept between calls.  The pairs are made in
//! this order (`pairing.rs`); the left over is what the cheapest story leaves.

mod pairing;
mod stack;
mod told;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use undying_graph::{Change, NativeFrame, PythonFrame};

pub use told::{ChangeTold, FrameTold, Recorded, SiteTold, native, told};

use pairing::Pairing;
use stack::Stack;

/// One change of more references than this is no count at all.
const MOST_AT_ONCE: i64 = 1 << 16;

/// What is wrong with the count of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mistake {
    /// A reference that nobody gives up: a decrement is missing.
    Kept,
    /// A decrement too many.
    Released,
}

/// A place in native code and how often it was met.
#[derive(Clone, Debug)]
pub struct Site {
    /// The function to look into; its own source where that is known.
    pub frame: NativeFrame,
    /// The native frames from the one that wrote to the first that the interpreter called,
    /// innermost first, inlined ones too: how the frame came to do it.
    pub chain: Vec<NativeFrame>,
    /// The interpreter's function that it called to do it, where it did not do it itself.
    pub through: Option<Arc<str>>,
    /// The reference is the object's first: it was made here.
    pub birth: bool,
    /// The line of Python that called, at the first of these changes.
    pub python: Option<PythonFrame>,
    /// Changes of the kind here.
    pub count: usize,
    /// The first of them, a number in the changes given.
    pub change: usize,
}

/// Who made a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hand {
    /// Native code, by itself.
    Native,
    /// The interpreter, called by native code.
    ForNative,
    /// The interpreter.
    Interpreter,
}

/// What a change is a part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The object was made.
    Birth,
    /// It died.
    Death,
    /// References were taken.
    Taken,
    /// References were given up.
    GivenUp,
    /// The memory was used for something else, or was no object yet.
    Other,
}

/// One change, with the one that answers it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its number in the changes given.
    pub change: usize,
    /// What it is.
    pub part: Part,
    /// By whom.
    pub hand: Hand,
    /// The number of the change that answers it; `None` where none does.  (Of several
    /// references at once the answer to the last.)
    pub answer: Option<usize>,
    /// It is what the verdict is about.
    pub accused: bool,
}

/// What the changes of one object say.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What is wrong; `None` where everything is answered.
    pub mistake: Option<Mistake>,
    /// References gained from the first change to the last, in all lives of the object.
    pub net: i64,
    /// Where, the most suspicious first.  Empty when the references that are left over were
    /// taken by the interpreter: a container or variable of Python holds them; or, where one
    /// was released too often, a container gave up what it was never given: native code
    /// handed it a borrowed reference (as `PyTuple_SetItem` and `PyList_SetItem` take).
    pub sites: Vec<Site>,
    /// Lines of Python at which the interpreter took or gave up what nothing answers.
    pub python: Vec<(PythonFrame, usize)>,
    /// Every change of the object, in order.
    pub history: Vec<Entry>,
}

impl Verdict {
    /// The function to look into.
    pub fn guilty(&self) -> Option<&Site> {
        self.sites.first()
    }
}

/// Judge the changes of one of the watched objects.
pub fn verdict(changes: &[Change], object: usize) -> Verdict {
    let stacks = stacks(changes, object);
    let mut all = Verdict { mistake: None, net: 0, sites: Vec::new(), python: Vec::new(), history: Vec::new() };
    for life in lives(changes, object) {
        let pairing = Pairing::new(changes, &life, &stacks);
        let mut found = pairing.verdict();
        all.net += found.net;
        all.history.append(&mut found.history);
        // the last life that has something wrong: what lives on is what leaks
        if found.mistake.is_some() {
            (all.mistake, all.sites, all.python) = (found.mistake, found.sites, found.python);
        }
    }
    all
}

/// What is told by the stack of each change of an object; equal ones are looked at once.
fn stacks(changes: &[Change], object: usize) -> FxHashMap<usize, Arc<Stack>> {
    let mut known: FxHashMap<*const NativeFrame, Arc<Stack>> = FxHashMap::default();
    let of = |c: &Change| known.entry(c.native.as_ptr()).or_insert_with(|| Arc::new(Stack::new(&c.native))).clone();
    let own = changes.iter().enumerate().filter(|(_, c)| c.object == object);
    let mut of = of;
    own.map(|(i, c)| (i, of(c))).collect()
}

/// One object's time at an address: the numbers of its changes, and what they are.
#[derive(Clone, Debug, Default)]
struct Life {
    parts: Vec<(usize, Part)>,
}

/// An address may see several objects, one after another.
fn lives(changes: &[Change], object: usize) -> Vec<Life> {
    let mut lives = vec![Life::default()];
    for (i, change) in changes.iter().enumerate().filter(|(_, c)| c.object == object) {
        let part = part(change);
        if part == Part::Birth {
            lives.push(Life::default());
        }
        if let Some(life) = lives.last_mut() {
            life.parts.push((i, part));
        }
    }
    lives.retain(|l| !l.parts.is_empty());
    lives
}

/// A count of 1 that was none before is a birth: so objects begin in every version
/// (`_Py_NewReference`), also those from a free list.  What was there before may look like
/// a count; a decrement leaves 1 behind only where 2 were.
fn part(change: &Change) -> Part {
    let plausible = |count: u64| count > 0 && count < 1 << 31;
    match (change.before, change.after) {
        (1, 0) => Part::Death,
        (2, 1) if is_making(change) => Part::Birth,
        (2, 1) => Part::GivenUp,
        (_, 1) => Part::Birth,
        (before, after) if plausible(before) && plausible(after) => match change.delta() {
            1..=MOST_AT_ONCE => Part::Taken,
            delta if (-MOST_AT_ONCE..0).contains(&delta) => Part::GivenUp,
            _ => Part::Other,
        },
        _ => Part::Other,
    }
}

/// Whether the function that wrote begins a count (3.8 to 3.13).
fn is_making(change: &Change) -> bool {
    let first = change.native.first().and_then(|f| f.function.as_deref());
    matches!(first, Some("_Py_NewReference" | "_Py_NewReferenceNoTotal" | "new_reference"))
}
