//! What a person asks about: a class's name or an address, to objects.

use undying_graph::{NodeId, Snapshot, TypeId};

/// What `WHAT` means in this heap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selected {
    /// One object, by its address.
    Object(NodeId),
    /// All instances of these classes (several may share a last name); where there is none,
    /// the classes themselves.
    Instances(Vec<TypeId>, Vec<NodeId>),
    /// No object lies there and no class is called so; the nearest names that exist.
    Nothing(Vec<TypeId>),
}

/// Finds what is meant: an address (`0x…`, or decimal as `id()` prints it) or a
/// class's name, whole or its last parts.
pub fn select(snapshot: &Snapshot, what: &str) -> Selected {
    if let Some(address) = address(what) {
        return snapshot.graph.find(address).map_or(Selected::Nothing(Vec::new()), Selected::Object);
    }
    let name = |t: &TypeId| snapshot.text(snapshot.types[t.index()].name);
    let all = || (0..snapshot.types.len() as u32).map(TypeId);
    let whole: Vec<TypeId> = all().filter(|t| name(t) == what).collect();
    let suffix = |t: &TypeId| name(t).strip_suffix(what).is_some_and(|before| before.ends_with('.'));
    let types = if whole.is_empty() { all().filter(suffix).collect() } else { whole };
    if types.is_empty() || what.is_empty() {
        let lower = what.to_lowercase();
        let near = |t: &TypeId| !lower.is_empty() && name(t).to_lowercase().contains(&lower);
        return Selected::Nothing(all().filter(near).take(5).collect());
    }
    let graph = &snapshot.graph;
    let nodes: Vec<NodeId> = graph.nodes().filter(|&n| types.binary_search(&graph.type_id(n)).is_ok()).collect();
    if nodes.is_empty() {
        // a class without instances: the class objects themselves, as many as bear the name
        let classes: Vec<NodeId> = types.iter().filter_map(|t| snapshot.types[t.index()].object).collect();
        return Selected::Instances(types, classes);
    }
    Selected::Instances(types, nodes)
}

fn address(what: &str) -> Option<u64> {
    let hex = what.strip_prefix("0x").or_else(|| what.strip_prefix("0X"));
    hex.map_or_else(|| what.parse().ok(), |h| u64::from_str_radix(h, 16).ok())
}
