//! The objects of a cycle by letter, so that two of one class are told apart:
//! `A —.b→ B —.a→ A`, and below what A and B are.

use undying_graph::{NodeId, Origin, Snapshot, TypeId};
use undying_report::Path;

use crate::{Cycle, Step, naming};

/// A cycle as a path, and who the letters are.
pub(super) struct Lettered {
    /// From the first object round to it again.
    pub path: Path,
    /// Letters by class, in order of appearance.
    pub who: Vec<(TypeId, String)>,
}

/// Gives a letter to every object that has no name of its own and is an instance
/// of a class worth naming; containers of the interpreter stay `list` and `dict`.
pub(super) fn letter(snapshot: &Snapshot, cycle: &Cycle) -> Lettered {
    let steps = &cycle.steps;
    let mut known: Vec<(NodeId, String)> = Vec::new();
    let mut who: Vec<(TypeId, String)> = Vec::new();
    let mut name = |step: &Step| {
        if let Some((_, letter)) = known.iter().find(|(n, _)| *n == step.node) {
            return letter.clone();
        }
        if !has_letter(snapshot, step) {
            return naming::node_name(snapshot, step.node, step.type_id);
        }
        let letter = nth(known.len());
        known.push((step.node, letter.clone()));
        match who.iter_mut().find(|(t, _)| *t == step.type_id) {
            Some((_, letters)) => *letters = format!("{letters}, {letter}"),
            None => who.push((step.type_id, letter.clone())),
        }
        letter
    };
    let mut path = Path::from(steps.last().map_or_else(String::new, &mut name));
    for (i, step) in steps.iter().enumerate() {
        let how = naming::step_text(snapshot, step);
        path.hop(how.trim(), name(step), i == cycle.advice.edge);
    }
    Lettered { path, who }
}

fn has_letter(snapshot: &Snapshot, step: &Step) -> bool {
    let builtin = snapshot.types.get(step.type_id.index()).is_none_or(|t| t.origin == Origin::Builtin);
    let named = snapshot.name_of(step.node).is_some_and(|row| !snapshot.text(row.name).is_empty());
    !builtin && !named && !snapshot.graph.flags(step.node).has(undying_graph::Flags::CLASS)
}

/// A to Z, then A2 to Z2 and so on.
fn nth(i: usize) -> String {
    let letter = char::from(b'A' + (i % 26) as u8);
    match i / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{}", round + 1),
    }
}

/// The reference to cut, by the letters of the path: `B.a`.
pub(super) fn cut(path: &Path) -> Option<String> {
    let at = path.hops.iter().position(|h| h.mark)?;
    let holder = match at.checked_sub(1) {
        Some(before) => &path.hops[before].node,
        None => &path.start,
    };
    let edge = &path.hops[at].edge;
    let gap = if edge.starts_with(['.', '[']) { "" } else { " " };
    Some(format!("{holder}{gap}{edge}"))
}

#[cfg(test)]
mod tests {
    use super::nth;

    #[test]
    fn letters_never_end_and_never_repeat() {
        let all: std::collections::BTreeSet<String> = (0..1000).map(nth).collect();
        assert_eq!((all.len(), nth(0).as_str(), nth(25).as_str(), nth(26).as_str()), (1000, "A", "Z", "A2"));
    }
}
