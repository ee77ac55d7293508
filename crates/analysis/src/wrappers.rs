//! Objects that stand for something native, by tool and native type: how many, who frees
//! it, whether anybody does; and the proxy that a SWIG user knows for the object behind
//! it.  Judges nothing.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use undying_graph::{Detail, Edge, Flags, LabelId, NodeId, Snapshot, WrapperRow, WrapperSystem};

/// The wrappers of one native type by one tool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WrapperTypeRow {
    /// The tool.
    pub system: WrapperSystem,
    /// The native type as the tool writes it, where it is known.
    pub native_type: Option<String>,
    /// The Python class that most of them have: of SWIG the proxies' own.
    pub class: String,
    /// How many.
    pub count: u64,
    /// Of them: that free the native thing when they go.
    pub owned: u64,
    /// Of them: that do not.
    pub not_owned: u64,
    /// Of them: that own what the binding cannot free.
    pub without_destructor: u64,
    /// Of them: that do not own a block of its own to which nothing else points.
    pub lost: u64,
    /// The native blocks that begin where they point, each once, in bytes.
    pub native_bytes: u64,
}

/// What a wrapper is grouped by: the tool, the native type, and of ctypes and Cython (and
/// where the type is not known) the class.
type Key = (WrapperSystem, LabelId);

/// The wrappers of a heap by tool and native type, most first.
pub fn wrappers(snapshot: &Snapshot) -> Vec<WrapperTypeRow> {
    let proxies = Proxies::of(snapshot);
    let mut groups: FxHashMap<Key, Vec<&WrapperRow>> = FxHashMap::default();
    for row in snapshot.wrappers.iter().filter(|r| r.node.index() < snapshot.graph.len()) {
        groups.entry((row.system, row.native_type)).or_default().push(row);
    }
    let mut rows: Vec<WrapperTypeRow> = groups.into_iter().map(|(key, of)| row(snapshot, &proxies, key, &of)).collect();
    rows.sort_by(|a, b| {
        (Reverse(a.count), &a.native_type, &a.class).cmp(&(Reverse(b.count), &b.native_type, &b.class))
    });
    rows
}

fn row(snapshot: &Snapshot, proxies: &Proxies, key: Key, of: &[&WrapperRow]) -> WrapperTypeRow {
    let count = |is: &dyn Fn(&WrapperRow) -> bool| of.iter().filter(|r| is(r)).count() as u64;
    let mut blocks: FxHashMap<u64, u64> = FxHashMap::default();
    blocks.extend(of.iter().filter_map(|r| Some((r.native_address, r.native_bytes?))));
    let mut classes: FxHashMap<&str, u64> = FxHashMap::default();
    of.iter().for_each(|r| *classes.entry(snapshot.type_name(proxies.of_wrapper(r.node))).or_default() += 1);
    let class = classes.into_iter().max_by_key(|&(name, n)| (n, Reverse(name))).map_or("", |c| c.0);
    WrapperTypeRow {
        system: key.0,
        native_type: (key.1 != LabelId::NONE).then(|| snapshot.text(key.1).to_owned()),
        class: class.to_owned(),
        count: of.len() as u64,
        owned: count(&|r| r.owned == Some(true)),
        not_owned: count(&|r| r.owned == Some(false)),
        without_destructor: count(&|r| r.owned == Some(true) && r.destructor == Some(false)),
        lost: count(&WrapperRow::is_lost),
        native_bytes: blocks.values().fold(0, |sum, &b| sum.saturating_add(b)),
    }
}

/// The proxies of SWIG: who has the object behind as `this`.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    by_wrapper: FxHashMap<NodeId, NodeId>,
}

impl Proxies {
    /// Of a heap.  One pass over the references, two where proxies have dictionaries of
    /// their own; none where there is nothing of SWIG's.
    pub fn of(snapshot: &Snapshot) -> Proxies {
        let swig = snapshot.wrappers.iter().filter(|r| r.system == WrapperSystem::Swig);
        let wanted: FxHashSet<NodeId> = swig.map(|r| r.node).collect();
        let mut by_wrapper = holders(snapshot, &wanted, "this");
        let is_dict = |n: &NodeId| snapshot.type_name(*n) == "dict";
        let dicts: FxHashSet<NodeId> = by_wrapper.values().copied().filter(is_dict).collect();
        let owners = holders(snapshot, &dicts, "__dict__");
        by_wrapper.values_mut().for_each(|n| *n = owners.get(n).copied().unwrap_or(*n));
        by_wrapper.retain(|_, n| !is_dict(n) && !snapshot.graph.flags(*n).has(Flags::CLASS));
        Proxies { by_wrapper }
    }

    /// The proxy, or the object itself where it has none (or is one).
    pub fn of_wrapper(&self, n: NodeId) -> NodeId {
        self.by_wrapper.get(&n).copied().unwrap_or(n)
    }
}

/// Who holds each of `wanted` under a name; of several the first.
fn holders(snapshot: &Snapshot, wanted: &FxHashSet<NodeId>, name: &str) -> FxHashMap<NodeId, NodeId> {
    let mut found = FxHashMap::default();
    let (graph, label) = (&snapshot.graph, snapshot.labels.find(name));
    let (Some(label), false) = (label, wanted.is_empty()) else { return found };
    let named = |e: &Edge| e.detail == Detail::Label(label) && e.is_strong();
    for (number, &target) in graph.targets().iter().enumerate() {
        if wanted.contains(&NodeId(target)) && named(&graph.edge(number)) {
            found.entry(NodeId(target)).or_insert_with(|| graph.source(number));
        }
    }
    found
}

/// What some objects stand for, in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StandsFor {
    /// `SWIG, Mesh *, thisown False, nothing else points to it`.
    pub text: String,
    /// How many of the objects.
    pub count: u64,
}

/// What these objects, or the objects behind these proxies, stand for, most first.
pub fn stands_for(snapshot: &Snapshot, nodes: &[NodeId]) -> Vec<StandsFor> {
    if snapshot.wrappers.is_empty() {
        return Vec::new();
    }
    let wanted: FxHashSet<NodeId> = nodes.iter().copied().collect();
    let proxies = Proxies::of(snapshot);
    let meant = |r: &&WrapperRow| wanted.contains(&r.node) || wanted.contains(&proxies.of_wrapper(r.node));
    let mut counts: FxHashMap<String, u64> = FxHashMap::default();
    let rows = snapshot.wrappers.iter().filter(|r| r.node.index() < snapshot.graph.len()).filter(meant);
    rows.for_each(|r| *counts.entry(wrapper_text(snapshot, r)).or_default() += 1);
    let mut told: Vec<StandsFor> = counts.into_iter().map(|(text, count)| StandsFor { text, count }).collect();
    told.sort_by(|a, b| (b.count, &a.text).cmp(&(a.count, &b.text)));
    told
}

/// What is said of an object: `SWIG, Mesh *, thisown False, nothing else points to it`.
fn wrapper_text(snapshot: &Snapshot, row: &WrapperRow) -> String {
    let mut parts = vec![tool(row.system).to_owned()];
    if row.native_type != LabelId::NONE {
        parts.push(snapshot.text(row.native_type).to_owned());
    }
    let owned = match (row.system, row.owned) {
        (WrapperSystem::Swig, Some(true)) => "thisown True",
        (WrapperSystem::Swig, Some(false)) => "thisown False",
        (WrapperSystem::Cython, _) | (_, None) => "",
        (_, Some(true)) => "owns it",
        (_, Some(false)) => "does not own it",
    };
    parts.extend((!owned.is_empty()).then(|| owned.to_owned()));
    if row.owned == Some(true) && row.destructor == Some(false) {
        parts.push("no destructor".to_owned());
    }
    if row.is_lost() {
        parts.push("nothing else points to it".to_owned());
    }
    parts.join(", ")
}

/// A tool's name as it is written.
pub fn tool(system: WrapperSystem) -> &'static str {
    match system {
        WrapperSystem::Swig => "SWIG",
        WrapperSystem::Pybind11 => "pybind11",
        WrapperSystem::Cython => "Cython",
        WrapperSystem::Cffi => "cffi",
        WrapperSystem::Ctypes => "ctypes",
    }
}

/// The extension to blame for a wrapper: the one that has its type information, else the
/// one that defines its class.
pub fn module_file(snapshot: &Snapshot, row: &WrapperRow) -> Option<String> {
    let class = snapshot.type_of(row.node).map_or(LabelId::NONE, |t| t.module_file);
    let file = [row.module_file, class].into_iter().find(|&f| f != LabelId::NONE)?;
    Some(snapshot.text(file).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use undying_graph::{Builder, EdgeKind, ObjectRow};

    fn wrapper(node: u32, system: WrapperSystem, native_type: LabelId) -> WrapperRow {
        WrapperRow {
            node: NodeId(node),
            system,
            native_type,
            native_address: 0x5000,
            owned: Some(false),
            destructor: Some(true),
            holder: None,
            native_bytes: Some(24),
            pointers: Some(0),
            module_file: LabelId::NONE,
        }
    }

    /// A proxy with its attributes inline, one with a dictionary, an object without a proxy.
    #[test]
    fn a_proxy_is_found_whichever_way_it_keeps_its_attributes() {
        let mut b = Builder::new();
        let (class, dict, behind) = (b.add_type("shop.Mesh"), b.add_type("dict"), b.add_type("SwigPyObject"));
        let labels = ["this", "__dict__", "Mesh *"].map(|t| undying_graph::Sink::label(&mut b, t));
        let mut push = |type_id, edges: &[(u32, EdgeKind, LabelId)]| {
            let row = ObjectRow { address: 0, type_id, shallow_bytes: 48, refcount: Some(1), flags: Flags::default() };
            let edge = |&(t, kind, l)| Edge { detail: Detail::Label(l), ..Edge::exact(NodeId(t), kind) };
            b.push(&row, &edges.iter().map(edge).collect::<Vec<_>>());
        };
        push(class, &[(4, EdgeKind::Attr, labels[0])]);
        push(class, &[(2, EdgeKind::Attr, labels[1])]);
        push(dict, &[(5, EdgeKind::Value, labels[0])]);
        push(dict, &[(6, EdgeKind::Value, labels[2])]);
        (0..3).for_each(|_| push(behind, &[]));
        let rows = (4..7).map(|n| wrapper(n, WrapperSystem::Swig, labels[2]));
        b.tail_mut().wrappers = rows.collect();
        b.tail_mut().wrappers[1].owned = Some(true);
        b.tail_mut().wrappers[1].destructor = Some(false);
        let snapshot = b.build();
        let proxies = Proxies::of(&snapshot);
        assert_eq!([4, 5, 6].map(|n| proxies.of_wrapper(NodeId(n)).0), [0, 1, 6]);
        let told = wrappers(&snapshot);
        assert_eq!(told.len(), 1);
        let row = &told[0];
        assert_eq!((row.class.as_str(), row.native_type.as_deref()), ("shop.Mesh", Some("Mesh *")));
        assert_eq!((row.count, row.owned, row.not_owned, row.without_destructor, row.lost), (3, 1, 2, 1, 2));
        assert_eq!(row.native_bytes, 24, "one block, whoever stands for it");
        assert_eq!(
            wrapper_text(&snapshot, &snapshot.wrappers[0]),
            "SWIG, Mesh *, thisown False, nothing else points to it"
        );
        let told = stands_for(&snapshot, &[NodeId(0), NodeId(1), NodeId(6)]);
        let told: Vec<(&str, u64)> = told.iter().map(|t| (t.text.as_str(), t.count)).collect();
        let lost = ("SWIG, Mesh *, thisown False, nothing else points to it", 2);
        assert_eq!(told, [lost, ("SWIG, Mesh *, thisown True, no destructor", 1)]);
        assert_eq!(stands_for(&snapshot, &[NodeId(3)]), []);
    }
}
