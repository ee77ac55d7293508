//! Heaps written by hand: objects, attributes, roots, with reference counts that
//! come out right by themselves.  Shared by the tests; knows no analysis.
#![allow(dead_code, missing_docs)]

use std::collections::HashMap;

use proptest::prelude::*;
use undying_graph::{
    Builder, Certainty, Detail, Edge, EdgeKind, Flags, LabelId, NamedRow, NodeId, ObjectRow, Origin, Root, RootKind,
    Sink, Snapshot, TypeId,
};

/// How instances keep their attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// In the object: CPython 3.11 and later.
    Inline,
    /// In a dictionary of their own: up to 3.10.
    Dict,
}

struct Thing {
    class: TypeId,
    bytes: u64,
    flags: Flags,
    immortal: bool,
    /// Counted references beyond those found.
    extra: i64,
    edges: Vec<Edge>,
}

pub struct World {
    builder: Builder,
    form: Form,
    things: Vec<Thing>,
    dicts: HashMap<NodeId, NodeId>,
    classes: HashMap<String, TypeId>,
    roots: Vec<Root>,
    named: Vec<NamedRow>,
}

impl World {
    pub fn new(form: Form) -> World {
        World {
            builder: Builder::new(),
            form,
            things: Vec::new(),
            dicts: HashMap::new(),
            classes: HashMap::new(),
            roots: Vec::new(),
            named: Vec::new(),
        }
    }

    fn label(&mut self, text: &str) -> LabelId {
        self.builder.label(text)
    }

    /// The class of this name; new ones are builtin when the name has no module,
    /// else the program's.
    pub fn class(&mut self, name: &str) -> TypeId {
        let origin = if name.contains('.') { Origin::Program } else { Origin::Builtin };
        self.class_of(name, origin)
    }

    pub fn class_of(&mut self, name: &str, origin: Origin) -> TypeId {
        if let Some(&t) = self.classes.get(name) {
            return t;
        }
        let t = self.builder.add_type(name);
        self.builder.tail_mut().types[t.index()].origin = origin;
        self.classes.insert(name.to_string(), t);
        t
    }

    /// One more class of this name.
    pub fn class_again(&mut self, name: &str) -> TypeId {
        self.classes.remove(name);
        self.class(name)
    }

    /// A new object, tracked by the collector, 64 bytes.
    pub fn new_object(&mut self, class: &str) -> NodeId {
        let class = self.class(class);
        self.instance(class)
    }

    /// The same of a class that is there.
    pub fn instance(&mut self, class: TypeId) -> NodeId {
        self.things.push(Thing {
            class,
            bytes: 64,
            flags: Flags::GC_TRACKED,
            immortal: false,
            extra: 0,
            edges: Vec::new(),
        });
        NodeId(self.things.len() as u32 - 1)
    }

    /// A new string: in none of the collector's lists.
    pub fn string(&mut self) -> NodeId {
        let n = self.new_object("str");
        self.untracked(n);
        n
    }

    /// A class object with the cycle that every class has.
    pub fn class_object(&mut self, name: &str) -> NodeId {
        let n = self.new_object("type");
        self.flags(n, Flags::GC_TRACKED.with(Flags::CLASS, true));
        self.name(n, name);
        let mro = self.new_object("tuple");
        self.field(n, "__mro__", mro);
        self.item(mro, 0, n);
        n
    }

    /// A module in `sys.modules`, with its dictionary.
    pub fn module(&mut self, name: &str) -> NodeId {
        let n = self.new_object("module");
        let dict = self.new_object("dict");
        self.field(n, "__dict__", dict);
        self.dicts.insert(n, dict);
        self.root(RootKind::Module, name, n);
        n
    }

    pub fn flags(&mut self, n: NodeId, flags: Flags) {
        self.things[n.index()].flags = flags;
    }

    pub fn untracked(&mut self, n: NodeId) {
        self.flags(n, Flags::default());
    }

    pub fn immortal(&mut self, n: NodeId) {
        self.things[n.index()].immortal = true;
    }

    pub fn bytes(&mut self, n: NodeId, bytes: u64) {
        self.things[n.index()].bytes = bytes;
    }

    /// Counts so many references more (or fewer) than there are.
    pub fn extra(&mut self, n: NodeId, references: i64) {
        self.things[n.index()].extra += references;
    }

    pub fn name(&mut self, n: NodeId, name: &str) {
        let name = self.label(name);
        let (file, line) = (LabelId::NONE, 0);
        self.named.push(NamedRow { node: n, name, file, line });
    }

    pub fn root(&mut self, kind: RootKind, label: &str, node: NodeId) {
        let label = self.label(label);
        self.roots.push(Root { node, kind, label });
        self.extra(node, 1);
    }

    pub fn edge(&mut self, from: NodeId, edge: Edge) {
        self.things[from.index()].edges.push(edge);
    }

    fn named_edge(&mut self, from: NodeId, kind: EdgeKind, label: &str, target: NodeId) {
        let detail = Detail::Label(self.label(label));
        let certainty = Certainty::Exact;
        self.edge(from, Edge { target, kind, certainty, detail });
    }

    /// An attribute as the world's form has it: `from.label = to`.
    pub fn attr(&mut self, from: NodeId, label: &str, to: NodeId) {
        let dict = self.dicts.get(&from).copied();
        let dict = match (dict, self.form) {
            (Some(dict), _) => dict,
            (None, Form::Inline) => return self.field(from, label, to),
            (None, Form::Dict) => {
                let dict = self.new_object("dict");
                self.field(from, "__dict__", dict);
                self.dicts.insert(from, dict);
                dict
            }
        };
        self.named_edge(dict, EdgeKind::Value, label, to);
    }

    /// A field of a C structure under its Python name.
    pub fn field(&mut self, from: NodeId, label: &str, to: NodeId) {
        self.named_edge(from, EdgeKind::Attr, label, to);
    }

    pub fn local(&mut self, from: NodeId, label: &str, to: NodeId) {
        self.named_edge(from, EdgeKind::Local, label, to);
    }

    pub fn key(&mut self, from: NodeId, label: &str, to: NodeId) {
        self.named_edge(from, EdgeKind::Value, label, to);
    }

    pub fn item(&mut self, from: NodeId, index: u32, target: NodeId) {
        let detail = Detail::Index(index);
        self.edge(from, Edge { detail, ..Edge::exact(target, EdgeKind::Item) });
    }

    /// A dictionary's value under a key without a name.
    pub fn value(&mut self, from: NodeId, index: u32, target: NodeId) {
        let detail = Detail::Index(index);
        self.edge(from, Edge { detail, ..Edge::exact(target, EdgeKind::Value) });
    }

    pub fn plain(&mut self, from: NodeId, kind: EdgeKind, target: NodeId) {
        self.edge(from, Edge::exact(target, kind));
    }

    pub fn guess(&mut self, from: NodeId, target: NodeId) {
        let certainty = Certainty::Conservative;
        self.edge(from, Edge { certainty, ..Edge::exact(target, EdgeKind::Unknown) });
    }

    /// A function that captures `variable`, by way of its closure tuple and a cell.
    pub fn closure(&mut self, function: NodeId, variable: &str, content: NodeId) {
        let (tuple, cell) = (self.new_object("tuple"), self.new_object("cell"));
        self.field(function, "__closure__", tuple);
        self.item(tuple, 0, cell);
        self.name(cell, variable);
        self.plain(cell, EdgeKind::Cell, content);
    }

    /// The heap; each count is the strong references found, and the extra ones.
    pub fn snapshot(mut self) -> Snapshot {
        let mut counts = vec![0i64; self.things.len()];
        for e in self.things.iter().flat_map(|t| &t.edges).filter(|e| e.is_strong()) {
            counts[e.target.index()] += 1;
        }
        for (i, t) in self.things.iter().enumerate() {
            let row = ObjectRow {
                address: 0x1000 + 64 * i as u64,
                type_id: t.class,
                shallow_bytes: t.bytes,
                refcount: (!t.immortal).then(|| (counts[i] + t.extra).max(0) as u64),
                flags: t.flags.with(Flags::IMMORTAL, t.immortal),
            };
            self.builder.push(&row, &t.edges);
        }
        let tail = self.builder.tail_mut();
        tail.roots = self.roots;
        tail.named = self.named;
        tail.facts.gc_enabled = Some(true);
        tail.facts.gc_thresholds = vec![700, 10, 10];
        self.builder.build()
    }
}

/// Names that decide how references are told, and some that do not.
const NAMES: &[&str] = &["__dict__", "__closure__", "next", "prev", "a"];
const CLASSES: &[&str] = &["dict", "list", "cell", "function", "lib.Node", "app.Node", "app.Other"];

#[derive(Clone, Debug)]
struct Drawn {
    class: usize,
    flags: u8,
    immortal: bool,
    extra: i64,
    root: Option<usize>,
    edges: Vec<(usize, usize, u8, usize)>,
}

fn drawn(nodes: usize) -> impl Strategy<Value = Drawn> {
    let edge = (0..nodes, 0..EdgeKind::ALL.len(), 0u8..8, 0..NAMES.len() + 2);
    let extra = prop_oneof![12 => Just(0i64), 2 => Just(1), 1 => Just(-1), 1 => Just(3)];
    let flags = prop_oneof![10 => Just(1u8), 3 => Just(0), 1 => Just(5), 1 => Just(33)];
    let root = prop::option::weighted(0.08, 0..RootKind::ALL.len());
    let edges = prop::collection::vec(edge, 0..4);
    let immortal = prop::bool::weighted(0.03);
    (0..CLASSES.len(), flags, immortal, extra, root, edges)
        .prop_map(|(class, flags, immortal, extra, root, edges)| Drawn { class, flags, immortal, extra, root, edges })
}

/// Any small heap: all kinds of references and roots, counts that are mostly
/// right, some objects that no collector tracks.
pub fn any_snapshot(most: usize) -> impl Strategy<Value = Snapshot> {
    let rows = (1..most).prop_flat_map(|n| prop::collection::vec(drawn(n), n));
    rows.prop_map(|rows| {
        let mut w = World::new(Form::Inline);
        for d in &rows {
            let n = w.new_object(CLASSES[d.class]);
            w.flags(n, Flags(d.flags));
            w.extra(n, d.extra);
            if d.immortal {
                w.immortal(n);
            }
            if d.class == 2 {
                w.name(n, "captured");
            }
        }
        for (i, d) in rows.iter().enumerate() {
            let from = NodeId(i as u32);
            if let Some(kind) = d.root {
                let kind = RootKind::ALL[kind];
                w.root(kind, kind.name(), from);
            }
            for &(to, kind, certainty, detail) in &d.edges {
                let detail = match NAMES.get(detail) {
                    Some(name) => Detail::Label(w.label(name)),
                    None if detail == NAMES.len() => Detail::Index(7),
                    None => Detail::None,
                };
                let certainty = Certainty::ALL[certainty.saturating_sub(5) as usize];
                let (target, kind) = (NodeId(to as u32), EdgeKind::ALL[kind]);
                w.edge(from, Edge { target, kind, certainty, detail });
            }
        }
        w.snapshot()
    })
}
