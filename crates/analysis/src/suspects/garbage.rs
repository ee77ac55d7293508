//! Rule `garbage`: objects that nothing alive holds and that only the cyclic
//! collector can free.

use undying_graph::Snapshot;

use super::Suspect;
use crate::{Cycles, Garbage, Refcounts};

/// The suspects of this rule, unranked.
pub fn find(
    _snapshot: &Snapshot,
    _counts: &Refcounts,
    _garbage: &Garbage,
    _cycles: &Cycles,
) -> Vec<Suspect> {
    Vec::new()
}
