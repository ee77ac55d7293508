//! Who keeps them alive: the shortest chains from roots to a set of objects,
//! equal chains told as one row with a count.  Works on steps (step.rs); makes
//! no text.

mod forest;
mod holders;
mod merge;

pub(crate) use forest::way_to;
pub use forest::{Forest, Reached, forest};

use serde::Serialize;
use undying_graph::{Cancelled, NodeId, Progress, Snapshot, Transpose};

use crate::{Garbage, Step, WellKnown};

/// How much is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainLimits {
    /// Chains for each object, by different holders.
    pub per_object: usize,
    /// Rows in the answer.
    pub rows: usize,
}

impl Default for ChainLimits {
    fn default() -> Self {
        ChainLimits { per_object: 3, rows: 20 }
    }
}

/// Chains that differ only in the objects on the way and in positions.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MergedChain {
    /// From the root (the first step) to the object.
    pub steps: Vec<Step>,
    /// How many of the objects are held so.
    pub count: u64,
    /// Their own sizes together, in bytes.
    pub bytes: u64,
    /// One of them, whose objects the steps name.
    pub example: NodeId,
}

/// The holders of a set of objects.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Chains {
    /// Most objects first.  An object with two holders counts in two rows.
    pub rows: Vec<MergedChain>,
    /// Rows left out.
    pub rows_left_out: u64,
    /// How many objects were asked for.
    pub targets: u64,
    /// Their own sizes together, in bytes.
    pub bytes: u64,
    /// Of them: held by nothing but cyclic garbage, which the collector would free.
    pub garbage: u64,
    /// Of them: reached by no root and yet not garbage; a guess or a deficit
    /// stands between.
    pub unexplained: u64,
}

/// The shortest way from a root to the object; empty where none reaches it.
pub fn steps_to(snapshot: &Snapshot, forest: &Forest, n: NodeId) -> Vec<Step> {
    let graph = &snapshot.graph;
    let Some((root, edges)) = way_to(graph, forest, n) else {
        return Vec::new();
    };
    let known = WellKnown::new(snapshot);
    let mut steps = vec![Step::root(snapshot, &root)];
    edges.iter().for_each(|&e| known.push(snapshot, &mut steps, &graph.edge(e as usize)));
    steps
}

/// The chains to `targets`.  Without the referrers only one chain an object is
/// found, its shortest.
pub fn chains(
    snapshot: &Snapshot,
    forest: &Forest,
    referrers: Option<&Transpose>,
    garbage: &Garbage,
    targets: &[NodeId],
    limits: ChainLimits,
    progress: &dyn Progress,
) -> Result<Chains, Cancelled> {
    let graph = &snapshot.graph;
    let mut answer = Chains { targets: targets.len() as u64, ..Chains::default() };
    let mut reached = Vec::new();
    for &n in targets.iter().filter(|n| n.index() < graph.len()) {
        answer.bytes = answer.bytes.saturating_add(graph.shallow_bytes(n));
        match () {
            _ if forest.reaches(n) => reached.push(n),
            _ if garbage.dead.contains(n) => answer.garbage += 1,
            _ => answer.unexplained += 1,
        }
    }
    // Nearest first: the first object of a row is its example.
    reached.sort_unstable_by_key(|&n| forest.position(n));
    reached.dedup();
    let mut rows = merge::rows(snapshot, forest, referrers, &reached, limits, progress)?;
    answer.rows_left_out = rows.len().saturating_sub(limits.rows) as u64;
    rows.truncate(limits.rows);
    answer.rows = rows;
    Ok(answer)
}
