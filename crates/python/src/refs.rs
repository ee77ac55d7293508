//! Who refers to one object, each way with its name.  An instance's dictionary is left
//! out as in paths: `Session.cache`, not `dict['cache']`.

use serde::Serialize;
use undying_analysis::{Step, StepKind, WellKnown, naming};
use undying_graph::{Certainty, EdgeKind, NodeId, RootKind, Snapshot, Transpose};
use undying_report::{Block, Cell, Column, Report, Table, Tone};

use crate::wanted::title;

/// So many referrers of a dictionary are asked whether it is theirs.
const MOST_OWNERS: usize = 10_000;

/// The answer.
#[derive(Debug, Serialize)]
pub struct Refs {
    /// Dotted.
    #[serde(rename = "type")]
    type_name: String,
    address: u64,
    /// `None` when immortal.
    refcount: Option<u64>,
    references: Vec<Reference>,
    /// Weak references, which keep nothing alive.
    weak: u64,
}

/// One way in which it is held.
#[derive(Debug, Serialize)]
struct Reference {
    /// As in paths: `attr`, `item`, `key`, `local`, `module`…
    kind: &'static str,
    /// The attribute, the variable, the key where it is a name.
    label: Option<String>,
    index: Option<u32>,
    /// As it would be written.
    text: String,
    certainty: &'static str,
    /// Who holds it; null where it is no object.
    holder: Option<Holder>,
}

/// An object that holds.
#[derive(Debug, Serialize)]
struct Holder {
    #[serde(rename = "type")]
    type_name: String,
    address: u64,
    name: String,
}

/// Finds them.  What functions that run have in hand is left out: the call that asks
/// has the object in hand too.
pub fn refs(snapshot: &Snapshot, referrers: &Transpose, n: NodeId) -> Refs {
    let graph = &snapshot.graph;
    let mut found = Refs {
        type_name: snapshot.type_name(n).to_owned(),
        address: graph.address(n),
        refcount: graph.refcount(n),
        references: Vec::new(),
        weak: 0,
    };
    let known = WellKnown::new(snapshot);
    for (holder, number) in referrers.referrers(n) {
        let edge = graph.edge(number);
        match edge.kind {
            EdgeKind::Weak if edge.certainty == Certainty::Conservative => {}
            EdgeKind::Weak => found.weak += 1,
            EdgeKind::Frame if edge.certainty == Certainty::Conservative => {}
            _ => found.references.push(reference(snapshot, referrers, &known, holder, number)),
        }
    }
    let roots = snapshot.roots.iter().filter(|r| r.node == n && r.kind != RootKind::Stack);
    found.references.extend(roots.map(|root| Reference {
        kind: root.kind.name(),
        label: text_of(snapshot, root.label),
        index: None,
        text: naming::root_text(snapshot, root.kind, root.label),
        certainty: certainty(Certainty::Exact),
        holder: None,
    }));
    // that instances refer to their class is the least news
    found.references.sort_by_key(|r| r.kind == StepKind::Type.name());
    found
}

fn reference(
    snapshot: &Snapshot,
    referrers: &Transpose,
    known: &WellKnown,
    holder: NodeId,
    number: usize,
) -> Reference {
    let graph = &snapshot.graph;
    let mut steps = Vec::new();
    known.push(snapshot, &mut steps, &graph.edge(number));
    let mut holder = holder;
    // through a dictionary to whose it is
    for (owner, of) in referrers.referrers(holder).take(MOST_OWNERS) {
        let mut both = Vec::new();
        known.push(snapshot, &mut both, &graph.edge(of));
        known.push(snapshot, &mut both, &graph.edge(number));
        if both.len() == 1 {
            (holder, steps) = (owner, both);
            break;
        }
    }
    let name = name(snapshot, holder);
    let step = steps.first().copied();
    let how = step.map_or(String::new(), |s| naming::step_text(snapshot, &s));
    Reference {
        kind: step.map_or("unknown", |s| s.kind.name()),
        label: step.and_then(|s| text_of(snapshot, s.label)),
        index: step.and_then(|s| s.index),
        text: format!("{name}{}", written(step, how)),
        certainty: certainty(step.map_or(Certainty::Conservative, |s| s.certainty)),
        holder: Some(Holder { type_name: snapshot.type_name(holder).to_owned(), address: graph.address(holder), name }),
    }
}

/// A module by its bare name, as one writes it.
fn name(snapshot: &Snapshot, n: NodeId) -> String {
    let own = snapshot.name_of(n).map(|row| snapshot.text(row.name)).filter(|name| !name.is_empty());
    match own {
        Some(name) if snapshot.type_name(n) == "module" => name.to_owned(),
        _ => naming::node_name(snapshot, n, snapshot.graph.type_id(n)),
    }
}

fn written(step: Option<Step>, how: String) -> String {
    match step.map(|s| s.kind) {
        // `frame main local x` reads well as it is
        Some(StepKind::Unknown) => " (a word in it looks like its address)".into(),
        _ => how,
    }
}

fn text_of(snapshot: &Snapshot, label: undying_graph::LabelId) -> Option<String> {
    Some(snapshot.text(label)).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn certainty(c: Certainty) -> &'static str {
    match c {
        Certainty::Exact => "exact",
        Certainty::Member => "member",
        Certainty::Conservative => "conservative",
    }
}

/// For people.
pub fn render(snapshot: &Snapshot, n: NodeId, refs: &Refs, rows: usize) -> Report {
    let mut report = Report::default();
    let count = refs.references.len();
    let noun = if count == 1 { "reference" } else { "references" };
    report.part(format!("{}: {count} {noun}", title(snapshot, n)));
    let row = |r: &Reference| {
        let class = r.holder.as_ref().map_or(Cell::Empty, |h| Cell::Name(h.type_name.clone()));
        vec![Cell::Name(r.text.clone()), class, r.holder.as_ref().map_or(Cell::Empty, |h| Cell::Address(h.address))]
    };
    let columns = ["held as", "holder", "at"].map(Column::left).to_vec();
    if count > 0 {
        let omitted = count.saturating_sub(rows) as u64;
        let rows = refs.references.iter().take(rows).map(row).collect();
        report.push(Block::Table(Table { columns, rows, omitted }));
    }
    if refs.weak > 0 {
        report.text(Tone::Quiet, format!("and {} weak", refs.weak));
    }
    report
}
