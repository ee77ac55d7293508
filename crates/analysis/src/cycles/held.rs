//! Cycles that something alive holds.  Classes, modules, their globals and the
//! functions in them form one great knot in every program; they are left out
//! first, and what still hangs together is told.

use undying_graph::{Cancelled, Detail, EdgeKind, Flags, LabelId, NodeId, Progress, RootKind, Snapshot, TypeId};

use super::knot::Reader;
use super::rows::Rows;
use super::shape;
use super::{CycleShape, CycleState};
use crate::{Components, Garbage, NodeSet, components, naming};

/// The shapes of the held knots that hold instances of the program's or a
/// library's classes, and how many such knots there are.
pub(super) fn shapes(
    reader: &mut Reader,
    garbage: &Garbage,
    all: &Components,
    progress: &dyn Progress,
) -> Result<(Vec<CycleShape>, u64), Cancelled> {
    let snapshot = reader.snapshot;
    let left_out = ordinary(snapshot);
    let globals = snapshot.labels.find("__globals__");
    let node = |n: NodeId| all.of(n).is_some() && !left_out.contains(n) && !garbage.dead.contains(n);
    let edge = |e: usize| is_own(snapshot, globals, e);
    let knots = components::search(&snapshot.graph, node, edge, progress)?;
    let mut rows = Rows::default();
    let mut count = 0;
    for knot in knots.ids() {
        if knot & 0xfff == 0 {
            progress.check()?;
        }
        let members = knots.members(knot);
        if !members.iter().any(|&n| reader.telling.of(snapshot, n) <= shape::LIBRARY) {
            continue;
        }
        count += 1;
        let inside = |n: NodeId| knots.of(n) == Some(knot);
        if let Some(row) = rows.knot(reader, members, inside, edge) {
            members.iter().for_each(|&n| rows.object(row, reader, n, true));
        }
    }
    Ok((rows.finish(reader, CycleState::Held), count))
}

/// Whether the reference belongs to the object's own content, not to the
/// machinery that every object of its kind has.
fn is_own(snapshot: &Snapshot, globals: Option<LabelId>, e: usize) -> bool {
    let edge = snapshot.graph.edge(e);
    let machinery = match edge.detail {
        Detail::Label(l) => edge.kind == EdgeKind::Attr && Some(l) == globals,
        _ => false,
    };
    !machinery && !matches!(edge.kind, EdgeKind::Type | EdgeKind::Base)
}

/// Classes, modules and modules' dictionaries.
fn ordinary(snapshot: &Snapshot) -> NodeSet {
    let graph = &snapshot.graph;
    let mut set = NodeSet::new(graph.len());
    let dict = snapshot.labels.find("__dict__");
    let rows = (0..snapshot.types.len() as u32).map(TypeId);
    let module: Vec<TypeId> = rows.filter(|&t| naming::type_name(snapshot, t) == "module").collect();
    let is_module = |n: NodeId| module.contains(&graph.type_id(n));
    let rooted = snapshot.roots.iter().filter(|r| r.kind == RootKind::Module).map(|r| r.node);
    let modules: Vec<NodeId> = graph.nodes().filter(|&n| is_module(n)).chain(rooted).collect();
    for n in modules.into_iter().filter(|n| n.index() < graph.len()) {
        set.insert(n);
        let own = |e: &undying_graph::Edge| dict.is_some_and(|d| e.detail == Detail::Label(d));
        graph.edges(n).filter(own).for_each(|e| _ = set.insert(e.target));
    }
    for n in graph.nodes().filter(|&n| graph.flags(n).has(Flags::CLASS)) {
        set.insert(n);
    }
    set
}
