//! Rule `retainer`: one container that holds a large part of the heap.
//!
//! Sees: a container, or a chain, below which a fifth of the heap hangs.
//!
//! Evidence: one heap cannot tell a registry that leaks from a cache that is meant; so it
//! is only worth a look, and a second snapshot is what tells.

use undying_graph::Snapshot;

use super::{Confidence, Suspect, SuspectKind, path_steps};
use crate::{Born, Retainer, naming};

/// A container with one part in so many of the heap's bytes is worth a look.
const SHARE: u64 = 5;
/// Less than this is no burden on anyone, in bytes.
const LEAST: u64 = 4 << 20;
/// Containers of fewer are structures, not collections.
const MANY: u64 = 1000;

/// What collects: the language's own containers, and the dictionaries behind objects'
/// attributes are none.
const CONTAINERS: &[&str] = &[
    "dict",
    "list",
    "set",
    "frozenset",
    "tuple",
    "collections.deque",
    "collections.OrderedDict",
    "collections.defaultdict",
    "functools._lru_cache_wrapper",
];

/// The suspects of this rule, unranked.  `heap_bytes` are all objects' own sizes.
pub fn find(snapshot: &Snapshot, retainers: &[Retainer], heap_bytes: u64) -> Vec<Suspect> {
    let large = |r: &&Retainer| r.retained_bytes >= LEAST && r.retained_bytes >= heap_bytes / SHARE;
    let mut found: Vec<Suspect> = Vec::new();
    for suspect in retainers.iter().filter(large).filter_map(|r| suspect(snapshot, r, heap_bytes)) {
        // what hangs below one that is told already is a part of it
        if !found.iter().any(|above| suspect.path_text.starts_with(&above.path_text)) {
            found.push(suspect);
        }
    }
    found
}

fn suspect(snapshot: &Snapshot, r: &Retainer, heap_bytes: u64) -> Option<Suspect> {
    let most = r.most.filter(|m| m.count >= MANY)?;
    let container = CONTAINERS.contains(&naming::type_name(snapshot, r.type_id));
    let of = naming::type_name(snapshot, most.type_id);
    // modules, code and classes are the program itself
    if (!container && !r.chain) || matches!(of, "module" | "code" | "function" | "type") || r.steps.is_empty() {
        return None;
    }
    let way = naming::path_text(snapshot, &r.steps);
    let part = (r.retained_bytes as f64 * 100.0 / heap_bytes.max(1) as f64).round();
    let what = if r.chain { "a chain of" } else { "one container of" };
    Some(Suspect {
        rank: 0,
        kind: SuspectKind::Retained,
        rule: "retainer",
        type_name: of.to_owned(),
        count: most.count,
        shallow_bytes: snapshot.graph.shallow_bytes(r.node),
        retained_bytes: Some(r.retained_bytes),
        path: path_steps(snapshot, &r.steps),
        path_text: way.clone(),
        born: Born::of(snapshot, [r.node]).few(snapshot),
        module_file: None,
        confidence: Confidence::Low,
        why: format!("{way} is {what} {} and holds {part} % of the heap.", most.count),
        advice: "Take a second snapshot when the program has worked some more, and let undying diff say whether it \
                 grows; if it is a cache, give it a bound."
            .into(),
        type_id: most.type_id,
        example: Some(r.node),
        cycle: None,
    })
}
