//! Rules `swig-newobject` and `swig-destructor`: C++ objects that stay when their SWIG
//! proxies go.
//!
//! Sees: proxies whose `thisown` is False although nothing else in the process points to
//! what they stand for; and proxies that own what the module has no destructor for.
//!
//! Evidence: the first is proved object by object (a block of the C library of its own,
//! and no other word in the target's memory that points into it); what a parent holds, a
//! static and a part of something larger are none of it.  The second is what SWIG itself
//! complains of when the proxy goes.  How many there are, and in a second heap how many
//! came, says how sure.

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{Cancelled, LabelId, NodeId, Progress, Snapshot, WrapperRow, WrapperSystem};

use super::{Confidence, Suspect, SuspectKind, path_steps};
use crate::paths::{self, Forest};
use crate::{Born, Proxies, module_file, naming};

/// So many are no accident.
const MANY: u64 = 8;

/// One mistake: the rule, what is wrong, what to do.
struct Mistake {
    rule: &'static str,
    is: fn(&WrapperRow) -> bool,
    told: fn(&Group) -> (String, String),
    /// How sure it can be.
    at_most: fn(&Group) -> Confidence,
}

const MISTAKES: &[Mistake] = &[
    Mistake { rule: "swig-newobject", is: is_lost, told: not_owned, at_most: not_owned_at_most },
    Mistake { rule: "swig-destructor", is: is_stuck, told: no_destructor, at_most: |_| Confidence::High },
];

/// Proxies of one class for one native type that are wrong in the same way.
struct Group<'g> {
    rows: Vec<&'g WrapperRow>,
    /// Of them: those whose native object came since the earlier heap, where there is one.
    came: Option<u64>,
    /// Of the same class and type, right or wrong, that do (not) own it as these.
    alike: u64,
    /// As SWIG writes it.
    native: &'g str,
    /// No class of the module stands for the type: what Python has is SWIG's own object.
    bare: bool,
    /// Their native blocks, in bytes.
    bytes: u64,
}

/// Whether there can be any: for a caller that would have to compute the rest.
pub fn possible(snapshot: &Snapshot) -> bool {
    snapshot.wrappers.iter().any(|r| is_lost(r) || is_stuck(r))
}

/// The suspects, unranked.  `before` is an earlier heap of the same process.
pub fn find(
    snapshot: &Snapshot,
    before: Option<&Snapshot>,
    forest: &Forest,
    progress: &dyn Progress,
) -> Result<Vec<Suspect>, Cancelled> {
    if !possible(snapshot) {
        return Ok(Vec::new());
    }
    progress.check()?;
    let proxies = Proxies::of(snapshot);
    let class = |r: &WrapperRow| snapshot.type_name(proxies.of_wrapper(r.node));
    let mut found = Vec::new();
    for mistake in MISTAKES {
        let known: Option<FxHashSet<u64>> =
            before.map(|b| b.wrappers.iter().filter(|r| (mistake.is)(r)).map(|r| r.native_address).collect());
        let mut groups: FxHashMap<(&str, LabelId), Vec<&WrapperRow>> = FxHashMap::default();
        for row in snapshot.wrappers.iter().filter(|r| (mistake.is)(r) && r.node.index() < snapshot.graph.len()) {
            groups.entry((class(row), row.native_type)).or_default().push(row);
        }
        for ((name, native_type), rows) in groups {
            let owned = rows.first().and_then(|r| r.owned);
            let same = |r: &&WrapperRow| r.native_type == native_type && r.owned == owned && class(r) == name;
            let blocks: FxHashMap<u64, u64> =
                rows.iter().filter_map(|r| Some((r.native_address, r.native_bytes?))).collect();
            let new = |known: &FxHashSet<u64>| rows.iter().filter(|r| !known.contains(&r.native_address)).count();
            let group = Group {
                came: known.as_ref().map(|k| new(k) as u64),
                alike: snapshot.wrappers.iter().filter(same).count() as u64,
                native: snapshot.text(native_type),
                bare: name.rsplit('.').next() == Some("SwigPyObject"),
                bytes: blocks.values().fold(0, |sum, &b| sum.saturating_add(b)),
                rows,
            };
            found.push(suspect(snapshot, mistake, &group, &proxies, forest));
        }
    }
    Ok(found)
}

/// Stands for an object that nobody owns.
fn is_lost(row: &WrapperRow) -> bool {
    row.system == WrapperSystem::Swig && row.is_lost()
}

/// Owns an object that the module cannot free.
fn is_stuck(row: &WrapperRow) -> bool {
    let owns = row.owned == Some(true) && row.destructor == Some(false);
    row.system == WrapperSystem::Swig && owns && row.native_address != 0 && row.native_bytes.is_some()
}

fn suspect(snapshot: &Snapshot, mistake: &Mistake, group: &Group, proxies: &Proxies, forest: &Forest) -> Suspect {
    let nodes: Vec<NodeId> = group.rows.iter().map(|r| proxies.of_wrapper(r.node)).collect();
    // the nearest to a root is the easiest to find
    let reached = nodes.iter().copied().filter(|&n| forest.reaches(n));
    let example = reached.min_by_key(|&n| forest.position(n)).or(nodes.first().copied());
    let steps = example.map_or(Vec::new(), |n| paths::steps_to(snapshot, forest, n));
    let type_id = snapshot.graph.type_id(example.unwrap_or(NodeId(0)));
    let (why, advice) = (mistake.told)(group);
    let own = |n: &NodeId| snapshot.graph.shallow_bytes(*n);
    Suspect {
        rank: 0,
        kind: SuspectKind::Ownership,
        rule: mistake.rule,
        type_name: naming::type_name(snapshot, type_id).to_owned(),
        count: group.rows.len() as u64,
        shallow_bytes: nodes.iter().map(own).fold(0, u64::saturating_add),
        retained_bytes: None,
        path: path_steps(snapshot, &steps),
        path_text: naming::path_text(snapshot, &steps),
        born: Born::of(snapshot, nodes.iter().copied()).few(snapshot),
        module_file: group.rows.first().and_then(|r| module_file(snapshot, r)),
        confidence: confidence(group).max((mistake.at_most)(group)),
        why,
        advice,
        type_id,
        example,
        cycle: None,
    }
}

/// How sure: many of them, and in a second heap many that were not there before.
fn confidence(group: &Group) -> Confidence {
    match group.came.unwrap_or(group.rows.len() as u64) {
        MANY.. => Confidence::High,
        1.. => Confidence::Medium,
        0 => Confidence::Low,
    }
}

/// What has no destructor is freed by hand, by a function of the library; and one that is
/// pointed to often enough is likely kept in a way that does not show.
fn not_owned_at_most(group: &Group) -> Confidence {
    let freed_by_hand = group.rows.iter().any(|r| r.destructor == Some(false));
    let exceptions = (group.rows.len() as u64).saturating_mul(2) < group.alike;
    if freed_by_hand || exceptions { Confidence::Low } else { Confidence::High }
}

/// `100 proxies of Mesh *, 80 of them new,`
fn how_many(group: &Group) -> String {
    let (one, many) = if group.bare { ("Swig Object", "Swig Objects") } else { ("proxy", "proxies") };
    match (group.rows.len(), group.came) {
        (1, _) => format!("1 {one} of type {}", group.native),
        (n, Some(came)) if came == n as u64 => format!("{n} {many} of type {}, all of them new,", group.native),
        (n, Some(came)) => format!("{n} {many} of type {}, {came} of them new,", group.native),
        (n, None) => format!("{n} {many} of type {}", group.native),
    }
}

fn not_owned(group: &Group) -> (String, String) {
    let native = group.native;
    let (have, behind, none) = match group.rows.len() {
        1 => ("has", "object behind it", "points to it (a block of the C library of its own"),
        _ => ("have", "objects behind them", "points to any of them (blocks of the C library of their own"),
    };
    let why = format!(
        "{} {have} thisown False: Python will not free the C++ {behind}, and nothing else can, as no other word in \
         the process {none}, {} bytes); when the proxy goes, the object stays for ever.",
        how_many(group),
        group.bytes,
    );
    let advice = match group.rows.iter().any(|r| r.destructor == Some(false)) {
        false => format!(
            "The function that returns this {native} hands over a new object, and SWIG does not know: write %newobject \
             FUNCTION; (or %newobject CLASS::METHOD;) before its declaration in the interface file, so that thisown is \
             True and the proxy deletes it. Until then proxy.thisown = True in Python does the same."
        ),
        true => format!(
            "If the program frees it with a function of the library, this is no leak. If nothing does, tell SWIG that \
             the function that returns this {native} hands over a new object (%newobject FUNCTION; before its \
             declaration in the interface file), and how to free one: the class with its destructor, or %extend."
        ),
    };
    (why, advice)
}

fn no_destructor(group: &Group) -> (String, String) {
    let native = group.native;
    let (have, they) = if group.rows.len() == 1 { ("has", "it goes") } else { ("have", "they go") };
    let why = format!(
        "{} {have} thisown True, but no module that is loaded has a destructor for this type: when {they} SWIG prints \
         \"swig/python detected a memory leak of type '{native}', no destructor found.\" and the C++ object stays for \
         ever ({} bytes).",
        how_many(group),
        group.bytes,
    );
    let class = native.trim_end_matches(['*', '&', ' ']);
    let class = class.strip_prefix("struct ").unwrap_or(class);
    let short = class.rsplit("::").next().unwrap_or(class);
    let advice = format!(
        "Let SWIG see how {class} is freed: declare the class with its destructor in the interface file \
         (%nodefaultctor {short}; class {short} {{ public: ~{short}(); }}; or %include its header), or %import the interface of the module that \
         wraps it and import that module. Remove a %nodefaultdtor that names it. If it is a C structure that a \
         function frees: %extend {short} {{ ~{short}() {{ free_it($self); }} }}."
    );
    (why, advice)
}

#[cfg(test)]
mod tests;
