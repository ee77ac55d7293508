//! What calls leave behind: rounds of calls held against each other, what grows
//! steadily told from what fills once, and the rates in words.  Knows heaps and
//! counters; not how the calls are made.

mod course;
mod quarry;
mod round;
mod trend;

use serde::Serialize;

pub use course::{Course, Kept};
pub use quarry::{Quarry, quarry};
pub use round::{Change, Round, change};
pub use trend::{Trend, trend};

use undying_graph::{NodeId, Snapshot};

use crate::suspects::{Suspect, SuspectKind};
use crate::{Birthplace, Born, Survival};

/// What came of a hunt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing stays.
    #[default]
    Clean,
    /// Something grows in every round, at a steady rate.
    Leak,
    /// Something grew to the end, and unsteadily: more calls would tell.
    Undecided,
}

/// What one call leaves behind, on average over the judged rounds.  0 where it is not
/// steady.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct PerCall {
    /// References to objects that were there before, which no object that was found
    /// accounts for.  Below 0: references that were given back and were not the callable's.
    pub references: f64,
    /// Objects.
    pub objects: f64,
    /// Their own sizes, and native bytes, in bytes; without counting twice.
    pub bytes: f64,
    /// Blocks of Python's allocator (`sys.getallocatedblocks`).
    pub blocks: f64,
    /// Bytes of the C library's allocator, where it can be asked: large Python objects
    /// are in them.
    pub native_bytes: Option<f64>,
}

/// What one call leaves of one class.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Leak {
    /// Dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Objects a call.
    pub count_per_call: f64,
    /// Their own sizes, in bytes a call.
    pub bytes_per_call: f64,
    /// Unaccounted references to older objects of this class a call; below 0 where they
    /// are given back too often.
    pub references_per_call: f64,
    /// Entries more in older containers of this class a call, where nothing else shows
    /// the leak: what they hold is there anyhow.
    pub entries_per_call: f64,
    /// The extension module to blame, where one is known.
    pub module_file: Option<String>,
    /// Where they are made, where that is known.
    pub born: Vec<Birthplace>,
}

/// The answer to `hunt`.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct HuntAnswer {
    /// In a word.
    pub verdict: Verdict,
    /// Calls in all, those to warm up included.
    pub calls: u64,
    /// Of them: calls that raised an exception, where that was allowed.
    pub raised: u64,
    /// All rounds, those to warm up first.
    pub rounds: Vec<Round>,
    /// What stays.
    pub per_call: PerCall,
    /// By class, most bytes first.
    pub leaks: Vec<Leak>,
    /// What grew unsteadily: classes, or `blocks`, `native bytes`.
    pub undecided: Vec<String>,
    /// Ranked: holders, modules, birthplaces of what stays.
    pub suspects: Vec<Suspect>,
}

/// Rates below this are noise: one object in a hundred calls.
pub(crate) const LEAST: f64 = 0.01;
/// The same for bytes.
pub(crate) const LEAST_BYTES: f64 = 0.5;
/// Python's own allocator serves requests up to this size (`SMALL_REQUEST_THRESHOLD`,
/// Objects/obmalloc.c, 3.8 to 3.13); larger ones are in the C allocator's bytes.
const SMALL: f64 = 512.0;

impl HuntAnswer {
    /// Judges the course, and takes of the suspects those that it bears out.
    pub fn of(course: &Course, suspects: Vec<Suspect>) -> HuntAnswer {
        let (mut leaks, mut entries, mut undecided) = (Vec::<Leak>::new(), Vec::new(), Vec::new());
        let mut per_call = PerCall { native_bytes: course.native_known().then_some(0.0), ..PerCall::default() };
        for (kept, trend, rate) in course.judged() {
            if trend == Trend::Unsteady {
                undecided.push(kept.to_string());
            }
            if trend != Trend::Steady {
                continue;
            }
            match kept {
                Kept::Entries(name) => entries.push((name, rate)),
                Kept::Blocks => per_call.blocks = rate,
                Kept::NativeBytes => per_call.native_bytes = Some(rate),
                Kept::Objects(name) => {
                    per_call.objects += rate;
                    let bytes = course.bytes_per_call(&name);
                    let leak = leak_of(&mut leaks, name);
                    (leak.count_per_call, leak.bytes_per_call) = (rate, bytes);
                }
                Kept::References(name) => {
                    per_call.references += rate;
                    leak_of(&mut leaks, name).references_per_call = rate;
                }
            }
        }
        if leaks.is_empty() {
            for (name, rate) in entries {
                leak_of(&mut leaks, name).entries_per_call = rate;
            }
        }
        per_call.bytes = bytes(&leaks, &per_call);
        leaks.sort_by(|a, b| {
            let order = b.bytes_per_call.total_cmp(&a.bytes_per_call);
            order.then(b.references_per_call.abs().total_cmp(&a.references_per_call.abs()))
        });
        let verdict = match (course.leaks(), undecided.is_empty()) {
            (true, _) => Verdict::Leak,
            (false, true) => Verdict::Clean,
            (false, false) => Verdict::Undecided,
        };
        let suspects = borne_out(&leaks, suspects);
        for leak in &mut leaks {
            let module = suspects.iter().filter(|s| s.type_name == leak.type_name).find_map(|s| s.module_file.clone());
            leak.module_file = module;
        }
        let (calls, raised) = course.calls();
        let rounds = course.rounds().to_vec();
        HuntAnswer { verdict, calls, raised, rounds, per_call, leaks, undecided, suspects }
    }

    /// Puts in where what leaks is made: `after` is a heap with births, `same` tells what
    /// of it is new.
    pub fn put_births(&mut self, after: &Snapshot, same: &Survival) {
        for leak in self.leaks.iter_mut().filter(|l| l.count_per_call > 0.0) {
            let of_class = |n: &NodeId| same.is_new(*n) && after.type_name(*n) == leak.type_name;
            leak.born = Born::of(after, after.graph.nodes().filter(of_class)).few(after);
            for suspect in self.suspects.iter_mut().filter(|s| s.type_name == leak.type_name && s.born.is_empty()) {
                suspect.born = leak.born.clone();
            }
        }
    }

    /// The kinds of suspects that the counts alone would make, for `--fail-on`.
    pub fn kinds(&self) -> Vec<&'static str> {
        let objects = self.leaks.iter().any(|l| l.count_per_call > 0.0 || l.entries_per_call > 0.0);
        let references = self.leaks.iter().any(|l| l.references_per_call != 0.0);
        let leak = self.verdict == Verdict::Leak;
        let bytes = leak && !objects && !references;
        let kinds = [(objects, "growth"), (references, "references"), (bytes, "bytes")];
        kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect()
    }
}

fn leak_of(leaks: &mut Vec<Leak>, type_name: String) -> &mut Leak {
    let at = leaks.iter().position(|l| l.type_name == type_name).unwrap_or(leaks.len());
    if at == leaks.len() {
        leaks.push(Leak { type_name, ..Leak::default() });
    }
    &mut leaks[at]
}

/// Small objects by their own sizes, all else by the C allocator where it can be asked.
fn bytes(leaks: &[Leak], per_call: &PerCall) -> f64 {
    let own = |l: &&Leak| per_call.native_bytes.is_none() || l.bytes_per_call <= SMALL * l.count_per_call;
    let small: f64 = leaks.iter().filter(own).map(|l| l.bytes_per_call).sum();
    small + per_call.native_bytes.unwrap_or(0.0)
}

/// The suspects of classes that leak.  Several snapshots see what the counters do not,
/// and more than leaks: a cache that fills is a suspect there.
fn borne_out(leaks: &[Leak], mut suspects: Vec<Suspect>) -> Vec<Suspect> {
    let fits = |s: &Suspect| {
        leaks.iter().any(|l| {
            let more = matches!(s.kind, SuspectKind::Growth | SuspectKind::Cycle | SuspectKind::Garbage);
            let container = l.entries_per_call > 0.0 && more;
            container || l.type_name == s.type_name && (l.count_per_call > 0.0 || !more)
        })
    };
    suspects.retain(fits);
    for (suspect, rank) in suspects.iter_mut().zip(1..) {
        suspect.rank = rank;
    }
    suspects
}
