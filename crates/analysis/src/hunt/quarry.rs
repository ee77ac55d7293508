//! Which objects to watch while their references are counted up and down: those that a
//! rehearsal of the calls left behind, or whose counts it changed.  Knows two heaps: the
//! one before the calls, and that of a copy of the process in which they were made.

use undying_graph::{Cancelled, NodeId, Progress, Snapshot};

use super::Leak;
use super::round::incoming;
use crate::refcounts::counted;
use crate::survival;

/// An object worth to be watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarry {
    /// Where it lies, or will lie once the calls are made.
    pub address: u64,
    /// Its class, dotted.
    pub type_name: String,
    /// Whether the calls make it; otherwise it is there before.
    pub is_born: bool,
    /// References of its count that no object that was found accounts for: of one that is
    /// born all, otherwise how many more.
    pub unaccounted: i64,
}

/// The objects of leaking classes that show what is wrong, at most `most`: of every class
/// one before a second of any, what the calls did most to first.  Objects that other
/// objects hold show nothing: there is no reference missing.
pub fn quarry(
    before: &Snapshot,
    after: &Snapshot,
    leaks: &[Leak],
    most: usize,
    progress: &dyn Progress,
) -> Result<Vec<Quarry>, Cancelled> {
    let same = survival(before, after, progress)?;
    let (was, is) = (incoming(before), incoming(after));
    let rest = |s: &Snapshot, n: NodeId, found: &[u32]| {
        let found = i64::from(found.get(n.index()).copied().unwrap_or(0));
        counted(&s.graph, n).filter(|&count| count > 0).map(|count| count as i64 - found)
    };
    let mut all = Vec::new();
    for n in after.graph.nodes() {
        let Some(leak) = leaks.iter().find(|l| l.type_name == after.type_name(n)) else { continue };
        let Some(now) = rest(after, n, &is) else { continue };
        let (is_born, unaccounted) = match same.earlier(n).map(|old| rest(before, old, &was)) {
            None => (true, now),
            Some(Some(then)) => (false, now - then),
            Some(None) => continue,
        };
        let wanted = match is_born {
            true => leak.count_per_call > 0.0 && unaccounted > 0,
            false => {
                leak.references_per_call != 0.0 && unaccounted.signum() as f64 == leak.references_per_call.signum()
            }
        };
        if wanted {
            let (address, type_name) = (after.graph.address(n), leak.type_name.clone());
            all.push(Quarry { address, type_name, is_born, unaccounted });
        }
    }
    all.sort_by_key(|q| (std::cmp::Reverse(q.unaccounted.abs()), std::cmp::Reverse(q.address)));
    Ok(of_every_class(all, most))
}

fn of_every_class(mut left: Vec<Quarry>, most: usize) -> Vec<Quarry> {
    let mut taken: Vec<Quarry> = Vec::new();
    while taken.len() < most && !left.is_empty() {
        let times = |class: &str| taken.iter().filter(|q| q.type_name == class).count();
        let Some(next) = (0..left.len()).min_by_key(|&i| times(&left[i].type_name)) else { break };
        taken.push(left.remove(next));
    }
    taken
}
