//! Which heap an answer is about, for programs: one entry of `snapshots` in the JSON of
//! every command.

use serde::Serialize;
use undying_graph::{Defects, Snapshot};

/// Where a heap came from.  The fields are a promise.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HeapTold {
    /// The directory, or null for a running process.
    pub path: Option<String>,
    /// The process.
    pub pid: i64,
    /// The program's name.
    pub program: String,
    /// Seconds since 1970, UTC.
    pub captured_at: f64,
    /// How long the target stood still.
    pub paused_seconds: f64,
    /// Whether it was caught outside the collector and the allocator.
    pub at_rest: bool,
    /// How many objects.
    pub objects: usize,
    /// What could not be right, by kind.
    pub defects: Defects,
}

impl HeapTold {
    /// The heap, and where it is kept.
    pub fn of(snapshot: &Snapshot, path: Option<String>) -> HeapTold {
        let facts = &snapshot.facts;
        HeapTold {
            path,
            pid: facts.pid,
            program: facts.program.clone(),
            captured_at: facts.captured_at,
            paused_seconds: facts.paused_seconds,
            at_rest: facts.at_rest,
            objects: snapshot.graph.len(),
            defects: facts.defects.clone(),
        }
    }
}
