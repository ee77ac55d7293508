//! How paths and cycles are written.  The only place where steps become text,
//! for JSON and people alike.  Computes nothing else.

use std::fmt::Write;

use undying_graph::{LabelId, NodeId, PlaceRow, RootKind, Snapshot, TypeId};

use crate::{Step, StepKind};

/// A class's dotted name.
pub fn type_name(snapshot: &Snapshot, t: TypeId) -> &str {
    snapshot.types.get(t.index()).map_or("?", |row| snapshot.text(row.name))
}

/// A class's name without its module: `LeakTest` of `__main__.LeakTest`.
pub fn short_name(snapshot: &Snapshot, t: TypeId) -> &str {
    let name = type_name(snapshot, t);
    let name = name.rsplit_once("<locals>.").map_or(name, |(_, after)| after);
    name.rsplit('.').find(|part| !part.is_empty()).unwrap_or(name)
}

/// What the object is called on the way: its class, and its own name where it
/// has one: `frame run_job`, `function Session.close`, `class LeakTest`.
pub fn node_name(snapshot: &Snapshot, n: NodeId, t: TypeId) -> String {
    let class = short_name(snapshot, t);
    match snapshot.name_of(n).map(|row| snapshot.text(row.name)) {
        Some(name) if !name.is_empty() => {
            let class = if snapshot.graph.flags(n).has(undying_graph::Flags::CLASS) { "class" } else { class };
            format!("{class} {name}")
        }
        _ => class.to_string(),
    }
}

/// A place in the program: `pkg/mod.py:41 in make`.
pub fn place_text(snapshot: &Snapshot, place: &PlaceRow) -> String {
    let file = match file_text(snapshot.text(place.file)) {
        "" => "?",
        file => file,
    };
    let mut text = file.to_owned();
    if place.line > 0 {
        let _ = write!(text, ":{}", place.line);
    }
    if place.function != LabelId::NONE {
        let _ = write!(text, " in {}", snapshot.text(place.function));
    }
    text
}

/// A file as a module is imported: from where packages or the standard library are
/// installed; else as it is.
pub fn file_text(path: &str) -> &str {
    for packages in ["/site-packages/", "/dist-packages/"] {
        if let Some((_, inside)) = path.rsplit_once(packages) {
            return inside;
        }
    }
    // …/lib/python3.12/json/decoder.py
    let library = path.find("/lib/python3.").and_then(|at| path[at + "/lib/python3.".len()..].split_once('/'));
    match library {
        Some((version, inside)) if version.bytes().all(|b| b.is_ascii_digit()) => inside,
        _ => path,
    }
}

/// A step as it is written behind its holder: `.name`, `['key']`, `[…]`,
/// ` local x`.  Empty for a root.
pub fn step_text(snapshot: &Snapshot, step: &Step) -> String {
    let label = snapshot.text(step.label);
    let named = step.label != LabelId::NONE;
    let mut text = match step.kind {
        StepKind::Root(_) => String::new(),
        StepKind::Attr | StepKind::Slot if named => format!(".{label}"),
        StepKind::Attr | StepKind::Slot => ".…".to_string(),
        StepKind::Key if named => format!("['{label}']"),
        StepKind::Item | StepKind::Key => step.index.map_or("[…]".to_string(), |i| format!("[{i}]")),
        StepKind::AsKey => " key".to_string(),
        StepKind::Cell => " cell".to_string(),
        StepKind::Type => " class".to_string(),
        StepKind::Local | StepKind::Closure | StepKind::Frame | StepKind::Base => spoken(step.kind.name(), label),
        StepKind::Weak | StepKind::Native | StepKind::Unknown => spoken(step.kind.name(), label),
    };
    if step.times > 1 {
        let _ = write!(text, "×{}", step.times);
    }
    text
}

fn spoken(kind: &str, label: &str) -> String {
    if label.is_empty() { format!(" {kind}") } else { format!(" {kind} {label}") }
}

/// The root of a path in words: a module's name alone, else the kind and the name.
pub fn root_text(snapshot: &Snapshot, kind: RootKind, label: LabelId) -> String {
    let label = snapshot.text(label);
    match (kind, label) {
        (_, "") => format!("<{}>", kind.name()),
        (RootKind::Module, name) => name.to_string(),
        (_, name) => format!("<{} {name}>", kind.name()),
    }
}

/// A path from its root: `requests.adapters._cache[…] → list → Class`.
pub fn path_text(snapshot: &Snapshot, steps: &[Step]) -> String {
    let mut text = String::new();
    // Whether the text ends with the name of what the last step leads to.
    let mut told = false;
    for (i, step) in steps.iter().enumerate() {
        if let StepKind::Root(kind) = step.kind {
            text.push_str(&root_text(snapshot, kind, step.label));
        } else if !(told && step.kind == StepKind::Item && step.times == 1) {
            text.push_str(&step_text(snapshot, step));
        }
        let last = i + 1 == steps.len();
        let is_module = step.kind == StepKind::Root(RootKind::Module);
        told = match step.kind {
            _ if last => !is_module,
            kind if kind.is_attribute() => step.times > 1,
            StepKind::Root(_) => !is_module && snapshot.name_of(step.node).is_some(),
            StepKind::Key => step.label == LabelId::NONE,
            _ => true,
        };
        if told {
            let _ = write!(text, " → {}", node_name(snapshot, step.node, step.type_id));
        }
    }
    text
}

/// A cycle from its first object round to it again: `A —.b→ B —.a→ A`.
pub fn cycle_text(snapshot: &Snapshot, steps: &[Step]) -> String {
    let Some(last) = steps.last() else {
        return String::new();
    };
    let mut text = node_name(snapshot, last.node, last.type_id);
    for step in steps {
        let how = step_text(snapshot, step);
        let _ = write!(text, " —{}→ {}", how.trim_start(), node_name(snapshot, step.node, step.type_id));
    }
    text
}

/// The last part of a file's path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
