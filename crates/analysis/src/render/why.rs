//! `why` for people: the distinct chains, most objects first.

use undying_graph::{RootKind, Snapshot};
use undying_report::{Block, Cell, Path, Report, Tone};

use super::{Limits, amount, cycles, facts, plural};
use crate::{Query, Selected, StandsFor, Step, StepKind, WhyAnswer, naming};

/// Birthplaces shown, at most.
const PLACES: usize = 5;

pub(super) fn render(snapshot: &Snapshot, query: &Query, answer: &WhyAnswer, limits: Limits, report: &mut Report) {
    let chains = &answer.chains;
    report.part(format!("{}: {}", title(snapshot, query, answer), amount(chains.targets, chains.bytes)));
    native(answer, limits, report);
    births(snapshot, answer, limits, report);
    for chain in chains.rows.iter().take(limits.rows) {
        report.finding(format!("{} held by", amount(chain.count, chain.bytes)));
        report.push(Block::Path(path(snapshot, &chain.steps)));
    }
    let more = chains.rows.len().saturating_sub(limits.rows) as u64 + chains.rows_left_out;
    if more > 0 {
        report.text(Tone::Quiet, format!("and {}", plural(more, "more chain")));
    }
    if chains.garbage > 0 {
        let them = plural(chains.garbage, "object");
        report.part(format!("{them} held by nothing but dead cycles, which only the collector can free"));
        cycles::shapes(snapshot, answer.cycles.shapes.iter(), limits, report);
    }
    if chains.unexplained > 0 {
        let them = plural(chains.unexplained, "object");
        let text = format!("{them} reached by no root, and yet not known to be dead: a guess stands between.");
        report.text(Tone::Warning, text);
    }
}

/// What native things they stand for, where they do.
fn native(answer: &WhyAnswer, limits: Limits, report: &mut Report) {
    let text = |n: &StandsFor| match answer.chains.targets {
        1 => n.text.clone(),
        all => format!("{} ({} of {all})", n.text, n.count),
    };
    let rows: Vec<(&str, Cell)> =
        answer.native.iter().take(limits.rows).map(|n| ("stands for", Cell::Text(text(n)))).collect();
    if !rows.is_empty() {
        report.push(facts(rows));
    }
}

/// Where they were made: of one object the whole stack, of several the places of most.
fn births(snapshot: &Snapshot, answer: &WhyAnswer, limits: Limits, report: &mut Report) {
    let stack = stack(snapshot, answer);
    let places = answer.born.told(snapshot);
    let rows: Vec<(&str, Cell)> = match stack.is_empty() {
        true => {
            let shown = places.iter().take(limits.rows.min(PLACES));
            shown.map(|p| ("born", Cell::Text(p.to_string()))).collect()
        }
        false => {
            let words = std::iter::once("born").chain(std::iter::repeat("called by"));
            words.zip(stack).map(|(word, line)| (word, Cell::Text(line))).collect()
        }
    };
    let omitted = if rows.len() < places.len() { places.len() - rows.len() } else { 0 };
    if !rows.is_empty() {
        report.push(facts(rows));
    }
    if omitted > 0 {
        report.text(Tone::Quiet, format!("and at {}", plural(omitted as u64, "other place")));
    }
}

/// The stack that made the one object that was asked about, innermost first.
pub(super) fn stack(snapshot: &Snapshot, answer: &WhyAnswer) -> Vec<String> {
    let (Selected::Object(n), Some(births)) = (&answer.selected, &snapshot.births) else { return Vec::new() };
    let place = births.place_of(*n);
    let rows = place.into_iter().flat_map(|p| births.stack(p));
    rows.map(|row| naming::place_text(snapshot, row)).collect()
}

fn title(snapshot: &Snapshot, query: &Query, answer: &WhyAnswer) -> String {
    match &answer.selected {
        Selected::Object(n) => {
            let name = naming::node_name(snapshot, *n, snapshot.graph.type_id(*n));
            format!("{name} at {:#x}", snapshot.graph.address(*n))
        }
        Selected::Instances(types, _) => {
            let names: Vec<&str> = types.iter().map(|&t| naming::type_name(snapshot, t)).collect();
            names.join(", ")
        }
        Selected::Nothing(_) => match query {
            Query::Why { what } => what.clone(),
            _ => String::new(),
        },
    }
}

/// A chain from its root.
pub(super) fn path(snapshot: &Snapshot, steps: &[Step]) -> Path {
    let node = |step: &Step| naming::node_name(snapshot, step.node, step.type_id);
    let mut path = Path::default();
    for step in steps {
        match step.kind {
            StepKind::Root(kind) => {
                path.start = naming::root_text(snapshot, kind, step.label);
                // A module is its own root; another root holds the object named next.
                if kind != RootKind::Module {
                    path.hop("", node(step), false);
                }
            }
            _ => {
                path.hop(naming::step_text(snapshot, step).trim(), node(step), false);
            }
        }
    }
    path
}
