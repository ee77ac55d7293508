//! Which extension module to suspect.  The heap does not say who lost a reference; it says
//! whose classes are involved, which modules the program uses itself, and the files say
//! which were written by hand and which make instances of a class at all.  So this is an
//! estimate, and says between how many it chose.

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{EdgeKind, Library, NodeId, RootKind, Snapshot, TypeId};

use crate::naming;

/// The module to suspect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blame {
    /// Its file.
    pub file: String,
    /// Other files for which as much speaks.
    pub others: Vec<String>,
    /// It is the only one that could be.
    pub only: bool,
}

/// What speaks for a module, in points.
mod points {
    /// It defines the class.
    pub const DEFINES: u32 = 16;
    /// An instance of its classes holds one of them, or is held by one.
    pub const NEIGHBOUR: u32 = 6;
    /// The program itself imports it, or the package that it belongs to.
    pub const USED: u32 = 4;
    /// Its code was written by hand: generators count references for their users.
    pub const BY_HAND: u32 = 3;
    /// Written against a binding library: counted by hand in places.
    pub const BOUND: u32 = 1;
    /// It calls what makes instances of the class.
    pub const MAKES: u32 = 2;
}

/// undying's own module.
const OURS: &str = "_undying.";
/// So many objects are asked for their neighbours.
const ASKED: usize = 64;

/// Knows the modules of one heap.
pub struct Blames<'b> {
    snapshot: &'b Snapshot,
    used: FxHashSet<String>,
}

impl<'b> Blames<'b> {
    /// Of one heap.
    pub fn new(snapshot: &'b Snapshot) -> Blames<'b> {
        Blames { snapshot, used: used_by_program(snapshot) }
    }

    /// Whom to suspect of what happened to these objects of a class.
    pub fn of(&self, class: TypeId, members: &[NodeId]) -> Option<Blame> {
        // the module that looks, in a process that asks about itself, only looks
        let libraries = self.snapshot.facts.libraries.iter().filter(|l| !naming::file_name(&l.path).starts_with(OURS));
        let defining = self.defining(class, members);
        let beside = self.neighbours(members);
        let made = naming::type_name(self.snapshot, class);
        let score = |l: &Library| {
            let mut sum = 0;
            sum += if defining.contains(&l.path) { points::DEFINES } else { 0 };
            sum += if beside.contains(l.path.as_str()) { points::NEIGHBOUR } else { 0 };
            sum += if self.used.contains(package(&l.path)) { points::USED } else { 0 };
            sum += if l.makes.iter().any(|m| *m == made) { points::MAKES } else { 0 };
            sum + match l.written_by.as_str() {
                "hand" => points::BY_HAND,
                "cython" => 0,
                _ => points::BOUND,
            }
        };
        let mut scored: Vec<(u32, &Library)> = libraries.map(|l| (score(l), l)).collect();
        scored.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.path.cmp(&b.1.path)));
        let &(best, first) = scored.first()?;
        let others = scored[1..].iter().filter(|s| s.0 == best).map(|s| s.1.path.clone()).collect();
        Some(Blame { file: first.path.clone(), others, only: scored.len() == 1 })
    }

    /// Files that define the class, or, of objects that are classes, these.
    fn defining(&self, class: TypeId, members: &[NodeId]) -> FxHashSet<String> {
        let mut files: FxHashSet<String> = crate::references::type_file(self.snapshot, class).into_iter().collect();
        for &n in members.iter().take(ASKED) {
            let own = (0..self.snapshot.types.len() as u32).map(TypeId);
            let is_class = self.snapshot.graph.flags(n).has(undying_graph::Flags::CLASS);
            if !is_class {
                break;
            }
            let row = own.into_iter().find(|t| self.snapshot.types[t.index()].object == Some(n));
            files.extend(row.and_then(|t| crate::references::type_file(self.snapshot, t)));
        }
        files
    }

    /// Files whose classes' instances the objects hold.
    fn neighbours(&self, members: &[NodeId]) -> FxHashSet<&str> {
        let (snapshot, graph) = (self.snapshot, &self.snapshot.graph);
        let mut files = FxHashSet::default();
        for &n in members.iter().take(ASKED).filter(|n| n.index() < graph.len()) {
            for e in graph.edges(n).take(ASKED).filter(|e| e.kind != EdgeKind::Type) {
                let file = snapshot.type_of(e.target).map(|t| snapshot.text(t.module_file));
                files.extend(file.filter(|f| !f.is_empty()));
            }
        }
        files
    }
}

/// The package that a file belongs to: the first directory below site-packages, or the
/// module's own name.
fn package(path: &str) -> &str {
    let inside = ["/site-packages/", "/dist-packages/"].iter().find_map(|m| path.split_once(m).map(|p| p.1));
    let inside = inside.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path));
    let first = inside.split('/').next().unwrap_or(inside);
    let name = first.split('.').next().unwrap_or(first);
    // `_meshkit.so` is imported by `meshkit.py`
    if inside.contains('/') { name } else { name.trim_start_matches('_') }
}

/// Names of the packages that the program's own module uses: the modules, classes and
/// functions among its variables.
fn used_by_program(snapshot: &Snapshot) -> FxHashSet<String> {
    let graph = &snapshot.graph;
    let main = snapshot.roots.iter().find(|r| r.kind == RootKind::Module && snapshot.text(r.label) == "__main__");
    let Some(main) = main.filter(|m| m.node.index() < graph.len()) else { return FxHashSet::default() };
    let modules: FxHashMap<NodeId, &str> = snapshot
        .roots
        .iter()
        .filter(|r| r.kind == RootKind::Module)
        .map(|r| (r.node, snapshot.text(r.label)))
        .collect();
    let mut used = FxHashSet::default();
    let values = |n: NodeId| graph.edges(n).filter(|e| e.kind == EdgeKind::Value).map(|e| e.target);
    let dictionary =
        |n: NodeId| graph.edges(n).find(|e| e.kind == EdgeKind::Attr && snapshot.type_name(e.target) == "dict");
    let mut looked: FxHashSet<NodeId> = FxHashSet::default();
    let mut waiting = vec![main.node];
    while let Some(module) = waiting.pop().filter(|&m| looked.insert(m)) {
        let Some(variables) = dictionary(module).map(|e| e.target) else { continue };
        for value in values(variables).filter(|v| v.index() < graph.len()) {
            // a function of a C module holds its module
            let of = graph.edges(value).map(|e| e.target).find_map(|t| modules.get(&t).copied());
            let named = modules.get(&value).copied().or(of);
            let class = graph.flags(value).has(undying_graph::Flags::CLASS).then(|| snapshot.name_of(value)).flatten();
            let class = class.map(|row| snapshot.text(row.name));
            for name in [named, class].into_iter().flatten() {
                let top = name.split('.').next().unwrap_or(name);
                used.insert(top.trim_start_matches('_').to_owned());
                used.insert(top.to_owned());
            }
        }
    }
    used
}
