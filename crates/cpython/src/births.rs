//! Births that somebody recorded inside the target: Python's `tracemalloc`, or our own
//! ledger.  Their tables lie in the copied memory; each object of the walk is looked up
//! there by its block.  Where nobody recorded anything there are no births, and that is
//! no error.

mod functions;
mod places;
mod tracemalloc;

use undying_graph::{Births, Sink};

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
    let traces = tracemalloc::find(cx, runtime)?;
    Some(tracemalloc::births(cx, index, &traces, sink, wrong))
}
