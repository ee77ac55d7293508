//! Growth as suspects: evidence says how sure, the first rule that knows the shape says
//! what it is and what to do.

use undying_graph::{NodeId, RootKind, Snapshot};

use super::case::Case;
use super::rules::RULES;
use super::{Confidence, Suspect, SuspectKind, evidence, path_steps};
use crate::growth::{Grown, Holder};
use crate::{ClassChange, StepKind, naming};
use rustc_hash::FxHashMap;

/// The suspects among what grew, unranked: each with how many more of its class came in each
/// interval, oldest first.  `changes` are the classes of the last interval.
pub fn find(after: &Snapshot, grown: &[(Grown, Vec<i64>)], changes: &[ClassChange]) -> Vec<Suspect> {
    let changes: FxHashMap<&str, &ClassChange> = changes.iter().map(|c| (c.type_name.as_str(), c)).collect();
    let case = |(grown, history): &'_ (Grown, Vec<i64>)| {
        let change = changes.get(grown.class.name.as_str());
        let everywhere = change.map_or(0, |c| c.after as i64 - c.before as i64);
        let population = change.map_or(0, |c| c.before);
        suspect(&Case { snapshot: after, grown, history, everywhere, population })
    };
    grown.iter().filter_map(case).collect()
}

fn suspect(case: &Case) -> Option<Suspect> {
    let sure = evidence::confidence(case.history)?.max(evidence::limit(case)?);
    // the table of a class's subclasses follows the classes, which are told themselves
    if case.has_label("__subclasses__") {
        return None;
    }
    let (rule, finding) = RULES.iter().find_map(|r| Some((r.name, (r.find)(case)?)))?;
    let grown = case.grown;
    let mut path = path_steps(case.snapshot, &grown.steps);
    // classes are named by their own name, as the suspect is
    if let Some(last) = path.last_mut().filter(|_| grown.class.classes) {
        last.type_name = case.class_name();
    }
    Some(Suspect {
        rank: 0,
        kind: SuspectKind::Growth,
        rule,
        type_name: case.class_name(),
        count: case.history.iter().sum::<i64>().max(0) as u64,
        shallow_bytes: grown.class.bytes.max(0) as u64,
        retained_bytes: Some(grown.bytes.max(0) as u64),
        path,
        path_text: naming::path_text(case.snapshot, &grown.steps),
        born: grown.born.few(case.snapshot),
        module_file: holding_file(case),
        confidence: sure.max(finding.at_most).max(certain(grown.holder)),
        why: format!("{}: {}.", evidence::told(case.history), finding.why),
        advice: finding.advice,
        type_id: type_id(case.snapshot, grown.example()),
        example: Some(grown.example()),
        cycle: None,
    })
}

/// The extension module of which a variable holds it.
fn holding_file(case: &Case) -> Option<String> {
    let native = |k| matches!(k, StepKind::Root(RootKind::Static | RootKind::Native));
    let root = case.grown.steps.first().filter(|s| native(s.kind))?;
    let (file, _) = case.snapshot.text(root.label).split_once(['!', '+'])?;
    let libraries = case.snapshot.facts.libraries.iter();
    libraries.map(|l| &l.path).find(|p| naming::file_name(p) == file).cloned()
}

fn type_id(snapshot: &Snapshot, n: NodeId) -> undying_graph::TypeId {
    match n.index() < snapshot.graph.len() {
        true => snapshot.graph.type_id(n),
        false => undying_graph::TypeId(0),
    }
}

/// How sure what this holds can be at most: what a thread is at work on comes and goes,
/// and where no name leads to it is native code's.
fn certain(holder: Holder) -> Confidence {
    match holder {
        Holder::Object(_) | Holder::Roots(RootKind::Atexit | RootKind::Fork) => Confidence::High,
        Holder::Roots(RootKind::Native | RootKind::Interpreter) => Confidence::Medium,
        Holder::Roots(_) => Confidence::Low,
    }
}
