//! Several heaps of one process, oldest first: what came, what went, what stays and
//! grows.  Two heaps at a time are enough: of each interval only its gains are kept.

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Cancelled, LabelId, NodeId, Progress, RootKind, Snapshot};

use crate::growth::{Grown, Holder, growth};
use crate::references::{Ledger, Lost, Mistake, changes, uncollectable};
use crate::suspects::{self, Suspect};
use crate::{ClassChange, CycleLimits, Garbage, Intermediates, Ledgers, NodeSet, Survival};
use crate::{class_changes, components_within, cycles, ledgers, paths, survival};

/// One interval in figures.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Interval {
    /// Seconds between the two captures.
    pub seconds: f64,
    /// Objects in both heaps.
    pub survivors: u64,
    /// Objects that are in the later heap only.
    pub new: u64,
    /// Objects that are in the earlier heap only.
    pub gone: u64,
}

/// The answer to `diff`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DiffAnswer {
    /// Ranked, the first to look at first.
    pub suspects: Vec<Suspect>,
    /// The ledgers of the last heap.
    pub ledgers: Ledgers,
    /// The intervals, oldest first.
    pub intervals: Vec<Interval>,
    /// Classes whose instances changed in the last interval, most bytes gained first.
    #[serde(rename = "types")]
    pub classes: Vec<ClassChange>,
}

/// Gains of the intervals so far, by what makes two the same.
#[derive(Clone, Debug, Default)]
pub struct History {
    intervals: Vec<Interval>,
    /// By holder and class.
    gains: FxHashMap<(String, String), Gained>,
    garbage: FxHashMap<String, Gained>,
    /// References too many or too few, by mistake and what they are to.
    lost: FxHashMap<(Mistake, String), Gained>,
}

/// What came of one class, so far.
#[derive(Clone, Debug, Default)]
struct Gained {
    /// Objects more, by interval.
    counts: Vec<i64>,
    /// Their own sizes, all intervals together, and with all that came with them.
    bytes: i64,
    retained: i64,
}

impl Gained {
    /// Puts an interval's gains to it; what did not grow in an earlier one has zeros there.
    fn add(&mut self, interval: usize, count: i64, bytes: i64, retained: i64) {
        self.counts.resize(self.counts.len().max(interval + 1), 0);
        self.counts[interval] += count;
        self.bytes += bytes;
        self.retained += retained;
    }
}

impl History {
    /// How many intervals were looked at.
    pub fn len(&self) -> usize {
        self.intervals.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Puts an interval's gains to those before; gives each with its whole course.
    fn enter(&mut self, grown: Vec<Grown>) -> Vec<(Grown, Vec<i64>)> {
        let before = self.intervals.len();
        for g in &grown {
            for class in &g.classes {
                // by itself, and by its words: told as one of several it may be known by these
                for key in [&g.key, &g.shape].into_iter().take(if g.key == g.shape { 1 } else { 2 }) {
                    let row = self.gains.entry((key.clone(), class.name.clone())).or_default();
                    row.add(before, class.count, class.bytes, g.bytes);
                }
            }
        }
        let mut told: Vec<(Grown, Vec<i64>)> = Vec::new();
        for g in grown {
            let same = |other: &Grown| other.key == g.key && other.class.name == g.class.name;
            match told.iter_mut().find(|(other, _)| same(other)) {
                // two holders that read the same are one row
                Some((other, _)) => other.join(&g),
                None => told.push((g, Vec::new())),
            }
        }
        for (g, course) in &mut told {
            let key = (g.key.clone(), g.class.name.clone());
            let all = self.gains.get(&key).cloned().unwrap_or_default();
            (*course, g.class.bytes, g.bytes) = (all.counts, all.bytes, all.retained);
        }
        told
    }
}

/// Looks at the next interval; the answer speaks of all intervals so far.  `kept` are
/// the later heap's intermediates.
pub fn diff(
    before: &Snapshot,
    after: &Snapshot,
    history: &mut History,
    kept: &mut Intermediates,
    progress: &dyn Progress,
) -> Result<DiffAnswer, Cancelled> {
    let same = survival(before, after, progress)?;
    let counts = crate::query::need(&mut kept.refcounts, || crate::refcounts(after, progress))?;
    let dead = crate::query::need(&mut kept.garbage, || crate::garbage(after, counts, progress))?;
    let forest = crate::query::need(&mut kept.forest, || paths::forest(after, counts, progress))?;
    let alive = |n: NodeId| forest.reaches(n) && !dead.dead.contains(n);
    let grown = growth(before, after, &same, forest, alive, progress)?;
    let told = history.enter(grown);
    let stuck = uncollectable(after, counts, dead, Some(forest), progress)?;
    let ledger = Ledger { snapshot: after, counts, uncollectable: &stuck };
    let lost = lost(before, &ledger, &same, history, progress)?;
    history.intervals.push(interval(before, after, &same));
    let classes = class_changes(before, after, &same);
    // what only a count keeps alive is told by the references
    let (unnamed, told): (Vec<_>, Vec<_>) = told.into_iter().partition(|(g, _)| is_told(g, &lost));
    let mut found = suspects::growth::find(after, &told, &classes);
    found.extend(suspects::references::grown(after, counts, forest, &stuck, &lost));
    if found.is_empty() {
        found = suspects::growth::find(after, &unnamed, &classes);
    }
    let histogram = crate::histogram(after);
    found.extend(suspects::ownership::find(after, Some(before), forest, progress)?);
    found.extend(garbage(before, after, &same, dead, counts, history, histogram.shallow_bytes, progress)?);
    Ok(DiffAnswer {
        suspects: suspects::rank(found),
        ledgers: ledgers(after, &histogram, counts, dead),
        intervals: history.intervals.clone(),
        classes,
    })
}

/// What came of references, each with how much came in each interval.
type Courses = Vec<(Lost, Vec<i64>)>;

/// What came of lost and stolen references in this interval, and of cycles that no
/// collector frees, each with its whole course.
fn lost(
    before: &Snapshot,
    later: &Ledger,
    same: &Survival,
    history: &mut History,
    progress: &dyn Progress,
) -> Result<Courses, Cancelled> {
    let counts = crate::refcounts(before, progress)?;
    let mut stuck = Vec::new();
    if !later.uncollectable.is_empty() {
        let dead = crate::garbage(before, &counts, progress)?;
        stuck = uncollectable(before, &counts, &dead, None, progress)?;
    }
    let earlier = Ledger { snapshot: before, counts: &counts, uncollectable: &stuck };
    let at = history.intervals.len();
    let mut told = Vec::new();
    for mut change in changes(&earlier, later, same) {
        let row = history.lost.entry((change.mistake, change.key.clone())).or_default();
        row.add(at, change.references, change.bytes, change.retained);
        (change.bytes, change.retained) = (row.bytes, row.retained);
        told.push((change, row.counts.clone()));
    }
    Ok(told)
}

/// Whether what grew is kept by native code without a name, or by a stale word here and
/// there while nothing at all refers to most of its kind.
fn is_told(grown: &Grown, lost: &[(Lost, Vec<i64>)]) -> bool {
    let native = |kind| matches!(kind, RootKind::Native | RootKind::Stack | RootKind::Static);
    let Holder::Roots(kind) = grown.holder else { return false };
    let named = grown.steps.first().is_some_and(|s| s.label != LabelId::NONE);
    let same =
        |l: &Lost| !l.persistent && l.name == grown.class.name && l.objects.saturating_mul(2) > grown.class.count;
    native(kind) && (!named || lost.iter().any(|(l, _)| same(l)))
}

fn interval(before: &Snapshot, after: &Snapshot, same: &Survival) -> Interval {
    Interval {
        seconds: (after.facts.captured_at - before.facts.captured_at).max(0.0),
        survivors: same.survivors,
        new: after.graph.len() as u64 - same.survivors,
        gone: before.graph.len() as u64 - same.survivors,
    }
}

/// Pending garbage that came in this interval, less what was pending before and went:
/// a collector at work keeps it level.
#[allow(clippy::too_many_arguments)] // all that one heap's judgement takes, and the other heap
fn garbage(
    before: &Snapshot,
    after: &Snapshot,
    same: &Survival,
    dead: &Garbage,
    counts: &crate::Refcounts,
    history: &mut History,
    heap_bytes: u64,
    progress: &dyn Progress,
) -> Result<Vec<Suspect>, Cancelled> {
    let mut new = NodeSet::new(after.graph.len());
    for n in dead.dead.iter().filter(|&n| same.is_new(n)) {
        new.insert(n);
    }
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let fresh = Garbage { objects: new.len() as u64, dead: new, ..Garbage::default() };
    let knots = components_within(after, &fresh.dead, progress)?;
    let cycles = cycles(after, &fresh, &knots, None, CycleLimits::default(), progress)?;
    let found = suspects::garbage::find(after, counts, &cycles, heap_bytes);
    if found.is_empty() {
        return Ok(found);
    }
    let earlier_counts = crate::refcounts(before, progress)?;
    let earlier = crate::garbage(before, &earlier_counts, progress)?;
    let mut went: FxHashMap<&str, i64> = FxHashMap::default();
    for n in earlier.dead.iter().filter(|&n| same.is_gone(n)) {
        *went.entry(before.type_name(n)).or_default() += 1;
    }
    let at = history.intervals.len() - 1;
    let mut judged = Vec::new();
    for mut suspect in found {
        let class = crate::naming::type_name(after, suspect.type_id);
        let net = suspect.count as i64 - went.get(class).copied().unwrap_or(0);
        let row = history.garbage.entry(suspect.path_text.clone()).or_default();
        let bytes = |n: Option<u64>| n.unwrap_or(0) as i64;
        row.add(at, net, suspect.shallow_bytes as i64, bytes(suspect.retained_bytes));
        if let Some(confidence) = suspects::garbage::grown(&after.facts, &row.counts, suspect.confidence) {
            suspect.confidence = confidence;
            suspect.why = format!("{}; {}", suspects::evidence::told(&row.counts), suspect.why);
            suspect.count = row.counts.iter().sum::<i64>().max(0) as u64;
            (suspect.shallow_bytes, suspect.retained_bytes) = (row.bytes as u64, Some(row.retained as u64));
            judged.push(suspect);
        }
    }
    Ok(judged)
}
