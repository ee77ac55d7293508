//! Rules `orphan`, `lost-reference`, `stolen-reference`, `no-traverse`, `type-leak`: what
//! native code did wrong in counting.
//!
//! Sees: counts that do not agree with the references found.
//!
//! Evidence: one heap shows that something is wrong and not that it goes on; modules that
//! leak a few constants when they are imported are common, so there it takes the
//! program's own objects, or many bytes, to be worth a word.  More in each interval is a
//! leak, and three heaps show that.

use undying_graph::{Flags, NodeId, Origin, Snapshot, TypeId};

use super::{Confidence, Suspect, SuspectKind, evidence, path_steps};
use crate::paths::{Forest, steps_to};
use crate::references::{Blames, Lost, Mistake, Uncollectable, object_name};
use crate::{Balance, Born, Refcounts, naming};

/// So many bytes that nothing refers to are worth a word, whatever they are.
const BYTES: u64 = 64 << 10;
/// Where each is at least so large: texts of documentation are common.
const LARGE: u64 = 16 << 10;
/// So many of a kind are no accident of an import.
const MANY: i64 = 64;
/// So many are no accident of all the imports of a large program.
const VERY_MANY: i64 = 1000;
/// One object with so many references too few will be gone soon.
const FEW: i64 = 2;
/// So many references lost steadily are a leak, objects of any size: what fills and empties
/// like a cache is held by something.
const STEADILY: i64 = 40;
/// So many given away steadily are a mistake: a deficit rests on no guess.
const STOLEN: i64 = 16;
/// Each interval brings at least so many.
const EACH: i64 = 4;
/// So many objects are named in a sentence at most.
const SHOWN: usize = 3;

/// What is told of one mistake.
struct Finding<'f> {
    mistake: Mistake,
    type_id: TypeId,
    name: String,
    objects: i64,
    references: i64,
    bytes: u64,
    retained: Option<u64>,
    example: NodeId,
    members: &'f [NodeId],
    /// In words, how much came when.
    when: String,
    confidence: Confidence,
}

/// The suspects of one heap, unranked.
pub fn find(snapshot: &Snapshot, counts: &Refcounts, uncollectable: &[Uncollectable], forest: &Forest) -> Vec<Suspect> {
    let blames = Blames::new(snapshot);
    let mut found: Vec<Suspect> = Vec::new();
    for group in groups(snapshot, counts) {
        let of_program = snapshot.types.get(group.type_id.index()).is_some_and(|t| t.origin == Origin::Program);
        let each = group.bytes / (group.members.len() as u64).max(1);
        let large = group.mistake == Mistake::Orphan && group.bytes >= BYTES && each >= LARGE;
        let many = match group.mistake {
            Mistake::Deficit => group.references >= MANY,
            _ => group.references >= VERY_MANY,
        };
        // modules of the interpreter's own lose a reference when they are made, and no more
        if group.references == 1 && group.mistake != Mistake::Deficit && !of_program && !large {
            continue;
        }
        let sure = if of_program || large || many { Confidence::Medium } else { Confidence::Low };
        let finding = Finding {
            mistake: group.mistake,
            type_id: group.type_id,
            name: group.name,
            objects: group.members.len() as i64,
            references: group.references,
            bytes: group.bytes,
            retained: None,
            example: group.members[0],
            members: &group.members,
            when: String::new(),
            confidence: sure,
        };
        found.push(suspect(snapshot, counts, forest, &blames, &finding));
    }
    for row in uncollectable {
        found.push(blind(snapshot, row, None));
    }
    found
}

/// Objects of one class with the same mistake in one heap.
struct Group {
    mistake: Mistake,
    type_id: TypeId,
    name: String,
    references: i64,
    bytes: u64,
    members: Vec<NodeId>,
}

fn groups(snapshot: &Snapshot, counts: &Refcounts) -> Vec<Group> {
    let graph = &snapshot.graph;
    let mut groups: rustc_hash::FxHashMap<(Mistake, String), Group> = rustc_hash::FxHashMap::default();
    for n in counts.excess.iter().chain(counts.deficit.iter()) {
        let Some(balance) = counts.balance(graph, n) else { continue };
        let (mistake, references) = match balance {
            b if b.is_orphan() => (Mistake::Orphan, 1),
            b if b.deficit() > 0 => (Mistake::Deficit, b.deficit()),
            b => (Mistake::Excess, b.excess()),
        };
        let name = object_name(snapshot, n);
        let group = groups.entry((mistake, name.clone())).or_insert_with(|| Group {
            mistake,
            type_id: graph.type_id(n),
            name,
            references: 0,
            bytes: 0,
            members: Vec::new(),
        });
        group.references = group.references.saturating_add(references as i64);
        group.bytes += graph.shallow_bytes(n);
        group.members.push(n);
    }
    let mut all: Vec<Group> = groups.into_values().collect();
    all.sort_by(|a, b| (b.references, &a.name).cmp(&(a.references, &b.name)));
    all
}

/// The suspects among what came between heaps: each with how much came in each interval,
/// oldest first.
pub fn grown(
    snapshot: &Snapshot,
    counts: &Refcounts,
    forest: &Forest,
    uncollectable: &[Uncollectable],
    lost: &[(Lost, Vec<i64>)],
) -> Vec<Suspect> {
    let blames = Blames::new(snapshot);
    let mut found = Vec::new();
    for (lost, history) in lost {
        let Some(confidence) = confidence(snapshot, lost, history) else { continue };
        if lost.mistake == Mistake::Uncollectable {
            let row = uncollectable.iter().find(|u| u.type_id == lost.type_id);
            found.extend(row.map(|row| blind(snapshot, row, Some((lost, history, confidence)))));
            continue;
        }
        let total: i64 = history.iter().sum();
        let finding = Finding {
            mistake: lost.mistake,
            type_id: lost.type_id,
            name: lost.name.clone(),
            objects: if lost.persistent { 1 } else { total },
            references: total,
            bytes: lost.bytes.max(0) as u64,
            retained: Some(lost.retained.max(0) as u64),
            example: lost.example,
            members: &lost.members,
            when: format!("{}: ", evidence::told(history)),
            confidence,
        };
        let mut suspect = suspect(snapshot, counts, forest, &blames, &finding);
        if lost.persistent {
            suspect.count = total.max(0) as u64;
        }
        found.push(suspect);
    }
    found
}

/// How sure: references that nobody holds come by no healthy course, so fewer than of
/// objects say it, except of what native code counts as it likes (static types, singletons).
fn confidence(snapshot: &Snapshot, lost: &Lost, history: &[i64]) -> Option<Confidence> {
    let sure = evidence::confidence(history)?;
    let total: i64 = history.iter().sum();
    let steady = evidence::course(history) == evidence::Course::Steady && history.iter().all(|&g| g >= EACH);
    let enough = match lost.mistake {
        Mistake::Deficit => total >= STOLEN,
        Mistake::Orphan => {
            total >= STEADILY || (lost.bytes.max(0) as u64 >= BYTES && lost.bytes >= total * LARGE as i64)
        }
        _ => total >= STEADILY,
    };
    let of_library = snapshot.graph.flags(lost.example).has(Flags::STATIC);
    // each object of SWIG's, 4.3 to 4.5, leaves a reference to its class, which lives on anyway
    if lost.mistake == Mistake::Excess && lost.persistent && is_swigs(&lost.name) {
        return Some(Confidence::Low);
    }
    Some(if steady && enough && !of_library { Confidence::High } else { sure })
}

/// Whether a name is that of the class that SWIG itself makes for what proxies stand for.
fn is_swigs(name: &str) -> bool {
    name.rsplit('.').next() == Some("SwigPyObject")
}

fn suspect(snapshot: &Snapshot, counts: &Refcounts, forest: &Forest, blames: &Blames, f: &Finding) -> Suspect {
    let blame = blames.of(f.type_id, f.members);
    let module = blame.as_ref().map_or("an extension module", |b| naming::file_name(&b.file)).to_owned();
    let is_class = snapshot.graph.flags(f.example).has(undying_graph::Flags::CLASS);
    let balance = counts.balance(&snapshot.graph, f.example).unwrap_or_default();
    let (kind, rule, why) = match f.mistake {
        Mistake::Orphan => (SuspectKind::Orphan, "orphan", orphan(snapshot, f, &balance)),
        Mistake::Deficit => (SuspectKind::References, "stolen-reference", stolen(f, &balance)),
        _ if is_class => (SuspectKind::References, "type-leak", excess(f, &balance)),
        _ => (SuspectKind::References, "lost-reference", excess(f, &balance)),
    };
    let doubt = match &blame {
        Some(b) if b.only => format!(" {module} is the only extension module here that is not Python's own."),
        Some(b) if b.others.is_empty() => format!(" Of the extension modules loaded most speaks for {module}."),
        Some(b) => format!(" As much as for {module} speaks for {} more modules.", b.others.len()),
        None => String::new(),
    };
    let steps = if f.mistake == Mistake::Orphan { Vec::new() } else { steps_to(snapshot, forest, f.example) };
    let path_text = match steps.is_empty() {
        true => format!("<nothing> → {}", f.name),
        false => naming::path_text(snapshot, &steps),
    };
    Suspect {
        rank: 0,
        kind,
        rule,
        type_name: naming::type_name(snapshot, f.type_id).to_string(),
        count: f.objects.max(0) as u64,
        shallow_bytes: f.bytes,
        retained_bytes: f.retained,
        path: path_steps(snapshot, &steps),
        path_text,
        born: Born::of(snapshot, f.members.iter().copied()).few(snapshot),
        module_file: blame.map(|b| b.file),
        confidence: f.confidence,
        why: format!("{}{why}{doubt}", f.when),
        advice: advice(rule, &module).to_string(),
        type_id: f.type_id,
        example: Some(f.example),
        cycle: None,
    }
}

fn orphan(snapshot: &Snapshot, f: &Finding, balance: &Balance) -> String {
    let sizes: Vec<String> =
        f.members.iter().take(SHOWN).map(|&n| snapshot.graph.shallow_bytes(n).to_string()).collect();
    format!(
        "{} {} counted as referred to ({}), and no object, variable of a library, stack, register or C allocation of \
         the process has {} address ({} bytes for example).",
        quantity(f.objects, &f.name),
        if f.objects == 1 { "is" } else { "are each" },
        balance.counted,
        if f.objects == 1 { "its" } else { "their" },
        sizes.join(", ")
    )
}

fn excess(f: &Finding, balance: &Balance) -> String {
    format!(
        "{} {} {} more than can be found: of one, {} counted, {} found.",
        quantity(f.objects, &f.name),
        if f.objects == 1 { "is counted" } else { "are counted together" },
        plural(f.references),
        balance.counted,
        balance.found(),
    )
}

fn stolen(f: &Finding, balance: &Balance) -> String {
    format!(
        "{} {} {} fewer than refer to {}: of one, {} counted, {} found. When the count reaches 0 it is freed, and \
         those that still refer to it crash.",
        quantity(f.objects, &f.name),
        if f.objects == 1 { "is counted" } else { "are counted together" },
        plural(f.references),
        if f.objects == 1 { "it" } else { "them" },
        balance.counted,
        balance.exact,
    )
}

fn quantity(n: i64, name: &str) -> String {
    format!("{n} {name}")
}

fn plural(n: i64) -> String {
    if n == 1 { "1 reference".to_owned() } else { format!("{n} references") }
}

/// What to look for, by rule.
fn advice(rule: &str, module: &str) -> String {
    let look = match rule {
        "orphan" => {
            "a function that makes such an object and does not give it back: a way out (an error, most often) without \
             Py_DECREF, or an item put into a list or dict by PyList_Append, PyDict_SetItem or PyObject_SetAttr, which \
             take a reference of their own and leave the maker's"
        }
        "lost-reference" => {
            "a Py_INCREF too many before a value is returned or stored, or a reference that PyObject_GetAttr, \
             PySequence_GetItem or Py_BuildValue(\"O\") gave and nobody released"
        }
        "type-leak" => {
            "instances that keep a reference to their class when they go: tp_dealloc of a class made at run time must \
             end with Py_DECREF(Py_TYPE(self)); or a reference to the class itself that is never released"
        }
        _ => {
            "a Py_DECREF of a borrowed reference (PyDict_GetItem, PyList_GetItem, PyTuple_GetItem, \
             PyArg_ParseTuple), a reference given away twice (PyTuple_SetItem and PyModule_AddObject steal), or \
             instances that do not count the reference to their class"
        }
    };
    format!("Look in {module} for {look}. `undying hunt MODULE:CALLABLE --record` names the line.")
}

/// Cycles that no collector frees.
fn blind(snapshot: &Snapshot, row: &Uncollectable, grown: Option<(&Lost, &[i64], Confidence)>) -> Suspect {
    let program = snapshot.types.get(row.type_id.index()).is_some_and(|t| t.origin != Origin::Builtin);
    let (when, count, bytes, confidence) = match grown {
        Some((lost, history, sure)) => {
            let total: i64 = history.iter().sum();
            (format!("{}: ", evidence::told(history)), total.max(0) as u64, lost.retained.max(0) as u64, sure)
        }
        None => {
            let sure = if program && row.count as i64 >= FEW { Confidence::Medium } else { Confidence::Low };
            (String::new(), row.members.len() as u64, row.bytes, sure)
        }
    };
    let module = row.module_file.as_deref().map_or("the extension module", naming::file_name);
    Suspect {
        rank: 0,
        kind: SuspectKind::Cycle,
        rule: "no-traverse",
        type_name: row.type_name.clone(),
        count,
        shallow_bytes: row.members.iter().map(|&n| snapshot.graph.shallow_bytes(n)).sum(),
        retained_bytes: Some(bytes),
        path: path_steps(snapshot, &row.cycle.steps),
        path_text: row.path_text.clone(),
        born: Born::of(snapshot, row.members.iter().copied()).few(snapshot),
        module_file: row.module_file.clone(),
        confidence,
        why: format!(
            "{when}cycles that nothing outside refers to, and that no collection frees: {} has {}, so the collector \
             cannot see what it holds.",
            row.type_name,
            if row.partial { "a tp_traverse that does not visit all" } else { "no tp_traverse" }
        ),
        advice: match row.partial {
            true => format!("Let tp_traverse of {} in {module} visit every reference that it holds.", row.type_name),
            false => format!(
                "Give {} Py_TPFLAGS_HAVE_GC, tp_traverse and tp_clear in {module}; until then break the cycle when \
                 the work is done.",
                row.type_name
            ),
        },
        type_id: row.type_id,
        example: Some(row.example),
        cycle: None,
    }
}
