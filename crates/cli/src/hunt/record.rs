//! `--record`: a few more calls, while the processor tells of every change of the counts
//! of objects that leak.  Where an object will lie that is not yet made is learnt from a
//! rehearsal: a copy of the process makes the same calls from the same memory.

use std::time::Duration;

use undying_analysis::flight::{Recorded, told, verdict};
use undying_analysis::hunt::{HuntAnswer, Leak, Quarry, quarry};
use undying_graph::{Change, Snapshot};
use undying_recorder::{End, Limits, Recording};

use super::Hunting;
use super::child::{Rehearsal, Trouble};
use crate::failure::Failure;
use crate::source::{self, Target};

/// Objects that the processor watches at once.
const WATCHED: usize = 4;
/// How often it is tried when the calls do not do what they did in the rehearsal.
const TRIES: usize = 3;
/// Calls that are recorded: few are enough, more where one in many leaks.
const CALLS: (u64, u64) = (3, 300);
/// How long a rehearsal may take, and how much longer than the same calls took before.
const REHEARSAL: Duration = Duration::from_secs(5);
const SLOWER: f64 = 10.0;

/// What came of a recording.
#[derive(Default)]
pub struct Records {
    /// Objects of different classes or faults, the one that tells most first.
    pub objects: Vec<Recorded>,
    /// Why there is none, or why what there is may not be all.
    pub note: Option<String>,
}

impl Records {
    fn none(why: impl Into<String>) -> Records {
        Records { objects: Vec::new(), note: Some(format!("nothing was recorded: {}", why.into())) }
    }
}

/// One try.
enum Tried {
    /// It came as rehearsed.
    Done(Records),
    /// The objects did not come to lie where they lay in the rehearsal.
    Otherwise(Records),
}

impl Hunting<'_> {
    /// Records objects of what leaks.  What keeps it from that is a note.
    pub(super) fn record(&mut self, answer: &HuntAnswer) -> Result<Records, Failure> {
        let leaks: Vec<Leak> = answer.leaks.iter().filter(|l| l.entries_per_call == 0.0).cloned().collect();
        if leaks.is_empty() {
            return Ok(Records::none("what leaks is no object and no reference to one, so there is no count to watch"));
        }
        let most = leaks.iter().map(|l| l.count_per_call.max(l.references_per_call.abs())).fold(0.0, f64::max);
        let calls = ((3.0 / most.max(0.01)).ceil() as u64).clamp(CALLS.0, CALLS.1);
        let mut last = Records::default();
        for _ in 0..TRIES {
            match self.try_to_record(&leaks, calls)? {
                Tried::Done(records) => return Ok(records),
                Tried::Otherwise(records) => last = records,
            }
        }
        let note = "the calls did not do the same twice, so the objects watched may not be those that leak: threads, \
                    time and chance make them differ";
        Ok(Records { note: Some(note.to_owned()), ..last })
    }

    fn try_to_record(&mut self, leaks: &[Leak], calls: u64) -> Result<Tried, Failure> {
        let before = self.capture()?;
        let patience = REHEARSAL + Duration::from_secs_f64((self.pace.seconds * calls as f64 * SLOWER).min(60.0));
        let rehearsed = self.driven.rehearse(calls, patience);
        let copy = match self.told(rehearsed)? {
            Rehearsal::Done(copy) => copy,
            Rehearsal::NoCopy => {
                return Ok(Tried::Done(Records::none("no copy of the process could be made to rehearse in")));
            }
            Rehearsal::Failed(why) => {
                let why = format!(
                    "the calls are rehearsed in a copy of the process, and there {why}; a copy has none of the \
                     threads that were there before: let each call begin those that it needs"
                );
                return Ok(Tried::Done(Records::none(why)));
            }
        };
        let found = source::load(&Target::Live(copy), self.bars)
            .and_then(|after| Ok(quarry(&before, &after, leaks, WATCHED, self.bars)?));
        let watched = found.and_then(|found| self.watch(&found, calls));
        // Only now: before, it would not have been the same memory to the last byte.
        let dismissed = self.driven.dismiss(copy);
        let (records, is_alive) = watched?;
        if !is_alive || records.objects.is_empty() {
            return Ok(Tried::Done(records));
        }
        self.told(dismissed)?;
        let after = self.capture()?;
        let there = records.objects.iter().any(|o| is_there(&after, o));
        Ok(if there { Tried::Done(records) } else { Tried::Otherwise(records) })
    }

    /// The recording, and whether the process outlived it.
    fn watch(&mut self, found: &[Quarry], calls: u64) -> Result<(Records, bool), Failure> {
        if found.is_empty() {
            let why = "every object that stays is held by objects that are known: no reference was lost, and the \
                       holder is what to look at";
            return Ok((Records::none(why), true));
        }
        let addresses: Vec<u64> = found.iter().map(|q| q.address).collect();
        let (recording, ended) = self.driven.record(calls, &addresses, &Limits::default());
        let recording = match recording {
            Ok(recording) => self.of_the_program(recording),
            Err(why) => return Ok((Records::none(why.to_string()), true)),
        };
        let objects = judged(found, &recording, calls);
        match ended {
            Ok(counts) => {
                self.last = Some(counts);
                Ok((Records { objects, note: unfinished(&recording) }, true))
            }
            Err(Trouble::Stopped) => self.told(Err(Trouble::Stopped)),
            // It may well die of what is wrong: what was recorded until then tells why.
            Err(trouble) => {
                let note = Some(super::sentence(&trouble, &self.wanted).sentence);
                Ok((Records { objects, note }, false))
            }
        }
    }

    /// What the program did, without what the driver did between its calls.
    fn of_the_program(&self, mut recording: Recording) -> Recording {
        let is_own = |c: &Change| c.python.first().is_some_and(|f| self.driven.is_own(&f.file, f.line));
        recording.changes.retain(|c| !is_own(c));
        recording
    }
}

/// The objects with their verdicts, those that name somebody first, of several that tell
/// the same the first.
fn judged(found: &[Quarry], recording: &Recording, calls: u64) -> Vec<Recorded> {
    let one = |(i, q): (usize, &Quarry)| {
        let judged = verdict(&recording.changes, i);
        let weight = (judged.mistake.is_some(), !judged.sites.is_empty(), judged.net.unsigned_abs());
        let recorded = Recorded {
            type_name: q.type_name.clone(),
            address: q.address,
            calls,
            complete: recording.complete,
            ..told(&judged, &recording.changes)
        };
        (weight, recorded)
    };
    let mut all: Vec<_> = found.iter().enumerate().map(one).collect();
    all.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let named = all.first().is_some_and(|(weight, _)| weight.1);
    // beside one that names somebody, those that do not are no help
    all.retain(|(weight, _)| weight.1 || !named);
    let mut objects: Vec<Recorded> = Vec::new();
    for (_, recorded) in all {
        let fault = |r: &Recorded| r.sites.first().map(|s| (s.function.clone(), s.line, s.library.clone()));
        let alike = |r: &Recorded| r.type_name == recorded.type_name && fault(r) == fault(&recorded);
        if !objects.iter().any(alike) {
            objects.push(recorded);
        }
    }
    objects
}

fn unfinished(recording: &Recording) -> Option<String> {
    let why = match recording.end {
        End::Done => return None,
        End::Events => "the counts changed too often: only the first changes were recorded",
        End::Time => "the calls took too long: only their beginning was recorded",
        End::Gone => "the process ended while it was recorded",
        End::Interrupted => "the recording was interrupted",
    };
    Some(why.to_owned())
}

/// Whether an object of the class lies there.
fn is_there(heap: &Snapshot, object: &Recorded) -> bool {
    let mut nodes = heap.graph.nodes();
    nodes.any(|n| heap.graph.address(n) == object.address && heap.type_name(n) == object.type_name)
}
