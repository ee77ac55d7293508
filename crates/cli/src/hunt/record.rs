//! `--record`: one object of the leaking kind under the processor's watch while the calls
//! are made once more.  Where it will lie is known from a rehearsal: a copy of the process
//! makes the same calls from the same state.

use undying_analysis::flight::{Recorded, told, verdict};
use undying_analysis::references::{Ledger, Lost, Mistake, changes};
use undying_analysis::{hunt::HuntAnswer, refcounts, survival};
use undying_graph::{NodeId, Snapshot};
use undying_recorder::{Limits, record};

use super::Hunting;
use crate::failure::Failure;
use crate::source::{self, Target};

/// So many calls are rehearsed: more where fewer leave nothing.
const CALLS: [u64; 3] = [1, 10, 100];
/// How often a rehearsal that did not repeat is tried anew.
const TRIES: usize = 3;
/// Objects that the processor watches at once.
const WATCHED: usize = 4;

/// What to watch.
struct Prey {
    type_name: String,
    addresses: Vec<u64>,
    calls: u64,
}

impl Hunting<'_> {
    /// Records; a sentence where that could not be done.
    pub(super) fn record(&mut self, answer: &HuntAnswer) -> Result<Result<Recorded, String>, Failure> {
        let mut best: Option<Recorded> = None;
        for _ in 0..TRIES {
            let Some(prey) = self.rehearsed(answer)? else { break };
            let recorded = match self.watched(&prey)? {
                Ok(recorded) => recorded,
                Err(sentence) => return Ok(Err(sentence)),
            };
            let named = !recorded.sites.is_empty();
            if best.as_ref().is_none_or(|b| named || (b.mistake.is_none() && recorded.mistake.is_some())) {
                best = Some(recorded);
            }
            if named {
                break;
            }
        }
        Ok(best.ok_or_else(|| {
            "nothing was recorded: the calls, rehearsed in a copy of the process, left no object whose count is wrong"
                .to_owned()
        }))
    }

    /// What the calls leave, as a copy of the process shows it.
    fn rehearsed(&mut self, answer: &HuntAnswer) -> Result<Option<Prey>, Failure> {
        for calls in CALLS {
            let before = self.capture()?;
            let rehearsal = self.driven.rehearse(calls);
            let Some(copy) = self.told(rehearsal)? else { return Ok(None) };
            let after = source::load(&Target::Live(copy.pid), self.bars);
            let dismissed = self.driven.dismiss(copy.pid);
            self.told(dismissed)?;
            if let Some(prey) = self.prey(answer, &before, &after?, calls)? {
                return Ok(Some(prey));
            }
        }
        Ok(None)
    }

    fn prey(
        &self,
        answer: &HuntAnswer,
        before: &Snapshot,
        after: &Snapshot,
        calls: u64,
    ) -> Result<Option<Prey>, Failure> {
        let same = survival(before, after, self.bars)?;
        let (earlier, later) = (refcounts(before, self.bars)?, refcounts(after, self.bars)?);
        let ledger = |snapshot, counts| Ledger { snapshot, counts, uncollectable: &[] };
        let mut lost = changes(&ledger(before, &earlier), &ledger(after, &later), &same);
        let wanted = |l: &Lost| answer.leaks.iter().position(|k| k.type_name == after.type_name(l.example));
        lost.retain(|l| wanted(l).is_some() && l.mistake != Mistake::Uncollectable);
        lost.sort_by_key(|l| (std::cmp::Reverse(l.references), wanted(l)));
        let address = |n: &NodeId| after.graph.address(*n);
        Ok(lost.first().map(|l| Prey {
            type_name: after.type_name(l.example).to_owned(),
            addresses: l.members.iter().rev().take(WATCHED).map(address).collect(),
            calls,
        }))
    }

    fn watched(&mut self, prey: &Prey) -> Result<Result<Recorded, String>, Failure> {
        let (pid, calls) = (self.driven.pid(), prey.calls);
        let asking = self.driven.asking();
        let (speaker, listener) = self.told(asking)?;
        let go = || super::child::ask(&speaker, calls);
        let recording =
            match record(pid, &prey.addresses, &Limits::default(), go, || super::child::has_spoken(&listener)) {
                Ok(recording) => recording,
                Err(e) => return Ok(Err(format!("nothing was recorded: {e}"))),
            };
        let answered = self.driven.answered();
        self.last = Some(self.told(answered)?);
        let judged = (0..prey.addresses.len()).map(|i| (i, verdict(&recording.changes, i)));
        let best = judged.max_by_key(|(_, v)| (v.mistake.is_some(), !v.sites.is_empty(), v.net.unsigned_abs()));
        let Some((i, verdict)) = best else { return Ok(Err("nothing was recorded".to_owned())) };
        Ok(Ok(Recorded {
            type_name: prey.type_name.clone(),
            address: prey.addresses[i],
            calls,
            complete: recording.complete,
            ..told(&verdict, &recording.changes)
        }))
    }
}
