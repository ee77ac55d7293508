//! Births that somebody recorded inside the target: Python's `tracemalloc`, or our own
//! ledger.  Their tables lie in the copied memory; each object of the walk is looked up
//! there by its block.  Where nobody recorded anything there are no births, and that is
//! no error.

mod functions;
mod ledger;
mod places;
mod tracemalloc;

use undying_graph::{Births, Recorder, Sink};

use crate::births::ledger::Ledger;
use crate::index::Index;
use crate::visit::Context;

/// What could not be right, by kind.
pub type Wrong = Vec<(&'static str, u64)>;

/// The births of the objects of `index`.  `runtime` is the address of `_PyRuntime`.
pub fn read<S: Sink + ?Sized>(
    cx: &Context,
    index: &Index,
    runtime: u64,
    sink: &mut S,
    wrong: &mut Wrong,
) -> Option<Births> {
    // all that was kept by us tells most, a sample least
    let (ledgers, pid) = cx.statics.ledgers();
    let ledger = ledgers.iter().find_map(|&at| Ledger::at(cx.space, at, pid));
    let every = ledger.as_ref().is_some_and(|l| l.recorder == Recorder::Every);
    let traces = if every { None } else { tracemalloc::find(cx, runtime) };
    match (traces, ledger) {
        (Some(traces), _) => Some(tracemalloc::births(cx, index, &traces, sink, wrong)),
        (None, Some(ledger)) => Some(ledger.births(cx, index, sink, wrong)),
        (None, None) => None,
    }
}
