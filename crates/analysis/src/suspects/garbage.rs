//! Rule `garbage`: objects that nothing alive holds and that only the cyclic
//! collector can free.
//!
//! Evidence: instances of the program's own classes are enough, once; of all
//! others there is pending garbage in every healthy process (imports leave
//! classes, functions and cells behind), so these must be many of one shape and
//! more than a working collector leaves, or a large share of the heap.

use undying_graph::{Facts, Origin, Snapshot};

use super::{Confidence, Suspect, SuspectKind, evidence, path_steps};
use crate::{CycleShape, CycleState, Cycles, Refcounts, advice_text, naming};

/// A shape that is there twice was made by code that runs again.
const REPEATS: u64 = 2;
/// Cycles of one shape before a library's or the interpreter's are worth a word:
/// imports leave tens of a shape, loops leave hundreds.
const MANY: u64 = 100;
/// A shape with so large a part of the heap's bytes is worth a word, whatever
/// it is: one in four is where the collector itself would start a full collection.
const SHARE: u64 = 4;
/// A share of a heap smaller than this says nothing, in bytes.
const SHARE_FLOOR: u64 = 4 << 20;

/// The suspects of this rule, unranked.  `heap_bytes` are all objects' own sizes.
pub fn find(snapshot: &Snapshot, counts: &Refcounts, cycles: &Cycles, heap_bytes: u64) -> Vec<Suspect> {
    let collector = Collector::new(&snapshot.facts, counts.candidates.len() as u64);
    let garbage = cycles.shapes.iter().filter(|s| s.state == CycleState::Garbage);
    let judged = garbage.filter_map(|s| Some((s, confidence(snapshot, &collector, s, heap_bytes)?)));
    judged.map(|(s, sure)| suspect(snapshot, &collector, s, sure)).collect()
}

/// What the target's collector would leave lying about.
struct Collector {
    off: bool,
    /// Objects it may leave between two full collections.
    leaves: u64,
}

impl Collector {
    /// CPython 3.8 to 3.13 (Modules/gcmodule.c, `gc_collect_generations`): the
    /// oldest generation is looked at after threshold 0 × 1 × 2 allocations, and
    /// then only when a quarter of it is new; a threshold 0 of 0 is "never".
    fn new(facts: &Facts, tracked: u64) -> Collector {
        let first = facts.gc_thresholds.first().copied();
        let rest = facts.gc_thresholds.iter().skip(1);
        let product = |sum: u64, t: &i64| sum.saturating_mul((*t).max(1) as u64);
        let generations = rest.fold(first.unwrap_or(700).max(0) as u64, product);
        Collector { off: facts.gc_enabled == Some(false) || first == Some(0), leaves: generations.max(tracked / 4) }
    }
}

/// How sure, given how much more of it came in each interval.  With the collector at
/// work pending garbage rises and falls: only what rises in every interval is more than
/// that, and two heaps never show it.
pub fn grown(facts: &Facts, history: &[i64], alone: Confidence) -> Option<Confidence> {
    let off = Collector::new(facts, 0).off;
    let sure = evidence::confidence(history)?;
    match (off, history.len()) {
        // nothing frees it, so what came stays
        (true, _) => Some(alone),
        // more than a collector at work leaves, and rising at each look
        (false, 2..) if alone == Confidence::High => Some(sure.max(Confidence::Medium)),
        (false, _) => Some(Confidence::Low),
    }
}

/// How sure, `None` where it is not worth a word.
fn confidence(snapshot: &Snapshot, collector: &Collector, shape: &CycleShape, heap: u64) -> Option<Confidence> {
    let origin = snapshot.types.get(shape.head.index()).map(|t| t.origin);
    let instances = !shape.head_is_class;
    if instances && origin == Some(Origin::Program) {
        // with the collector on, what it leaves between two collections is healthy
        let again = collector.off || (shape.count >= REPEATS && shape.objects > collector.leaves);
        return Some(if again { Confidence::High } else { Confidence::Medium });
    }
    let many = shape.count >= MANY && (collector.off || shape.objects > collector.leaves);
    let large = shape.bytes >= SHARE_FLOOR && shape.bytes >= heap / SHARE;
    let library = instances && origin == Some(Origin::Library);
    match (many, large) {
        (true, _) if collector.off && library => Some(Confidence::High),
        (true, _) | (_, true) => Some(Confidence::Medium),
        _ => None,
    }
}

fn suspect(snapshot: &Snapshot, collector: &Collector, shape: &CycleShape, confidence: Confidence) -> Suspect {
    let steps = &shape.cycle.steps;
    let kind = if shape.head_on_cycle { SuspectKind::Cycle } else { SuspectKind::Garbage };
    Suspect {
        rank: 0,
        kind,
        rule: "garbage",
        type_name: type_name(snapshot, shape),
        count: shape.instances,
        shallow_bytes: shape.instance_bytes,
        retained_bytes: Some(shape.bytes),
        path: path_steps(snapshot, steps),
        path_text: naming::cycle_text(snapshot, steps),
        born: shape.born.few(snapshot),
        module_file: None,
        confidence,
        why: why(collector, shape),
        advice: advice_text(snapshot, &shape.cycle).cure,
        type_id: shape.head,
        example: steps.last().map(|s| s.node),
        cycle: Some(shape.cycle.clone()),
    }
}

/// The class that accumulates: where classes themselves do, the example's own name.
fn type_name(snapshot: &Snapshot, shape: &CycleShape) -> String {
    let class = shape.cycle.steps.last().filter(|_| shape.head_is_class);
    let own = class.and_then(|s| snapshot.name_of(s.node)).map(|row| snapshot.text(row.name));
    own.unwrap_or(naming::type_name(snapshot, shape.head)).to_string()
}

/// The evidence, a sentence.
fn why(collector: &Collector, shape: &CycleShape) -> String {
    let knots = match shape.count {
        1 => "one cycle".to_string(),
        n => format!("{n} cycles of this shape"),
    };
    let held = match (shape.head_on_cycle, shape.cycle.steps.as_slice()) {
        (false, _) => format!("held only by {knots} that nothing alive holds"),
        (true, [one]) if one.times == 1 => {
            format!("referring to itself in {knots}, held by nothing else")
        }
        (true, _) => format!("holding each other in {knots}, held by nothing else"),
    };
    let end = match collector.off {
        true => "and the collector is switched off, so they stay",
        false => "so counting never frees them and they wait for the collector",
    };
    format!("{} of {} dead objects, {held}, {end}.", shape.instances, shape.objects)
}
