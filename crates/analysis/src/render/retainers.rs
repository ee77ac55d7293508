//! What retains most, for people: a table for `top`, findings for `report`.

use undying_graph::Snapshot;
use undying_report::{Block, Cell, Link, Report, Tone, bytes, count};

use super::{Limits, amount, facts, table, why};
use crate::{ClassRetained, Retainer, Retainers, naming};

/// Classes under the table of objects.
const CLASSES: usize = 10;

pub(super) fn render(snapshot: &Snapshot, answer: &Retainers, limits: Limits, report: &mut Report) {
    let shown: Vec<&Retainer> = answer.rows.iter().take(limits.rows).collect();
    report.part(format!("What would be freed with one object, of {}", amount(answer.objects, answer.bytes)));
    let rows = shown.iter().map(|r| {
        vec![
            Cell::Name(title(snapshot, r)),
            Cell::Address(address(snapshot, r)),
            Cell::Bytes(r.retained_bytes),
            share(r.retained_bytes, answer.bytes),
            Cell::Count(r.retained_count),
            Cell::Text(naming::path_text(snapshot, &r.steps)),
        ]
    });
    let omitted = (answer.rows.len() - shown.len()) as u64;
    report.push(table(&["object", "address", ">frees", ">of all", ">objects", "held by"], rows.collect(), omitted));
    report.text(Tone::Quiet, "One may hang from another: the sizes do not add up.");
    classes(snapshot, &answer.classes, answer.bytes, report);
}

fn classes(snapshot: &Snapshot, classes: &[ClassRetained], all: u64, report: &mut Report) {
    report.part("What would be freed with the instances of a class, one by one");
    let rows = classes.iter().take(CLASSES).map(|c| {
        vec![
            Cell::Name(naming::type_name(snapshot, c.type_id).to_owned()),
            Cell::Count(c.count),
            Cell::Bytes(c.retained_bytes),
            share(c.retained_bytes, all),
        ]
    });
    let omitted = classes.len().saturating_sub(CLASSES) as u64;
    report.push(table(&["class", ">objects", ">frees", ">of all"], rows.collect(), omitted));
}

/// The findings of a report; nothing when there is none.
pub(super) fn findings(snapshot: &Snapshot, retainers: &[Retainer], all: u64, report: &mut Report) {
    if retainers.is_empty() {
        return;
    }
    report.part("Biggest retainers");
    for r in retainers {
        let part = (r.retained_bytes as f64 / all.max(1) as f64 * 100.0).round();
        report.finding(format!("{}: {}, {part} % of the heap", title(snapshot, r), bytes(r.retained_bytes)));
        if !r.steps.is_empty() {
            report.push(Block::Path(why::path(snapshot, &r.steps)));
        }
        let address = format!("{:#x}", address(snapshot, r));
        report.push(facts(vec![
            ("would free", Cell::Text(amount(r.retained_count, r.retained_bytes))),
            ("next", Cell::Link(Link::new("why", [address]))),
        ]));
    }
}

/// `dict with 1,024 app.Session`
fn title(snapshot: &Snapshot, r: &Retainer) -> String {
    let name = naming::node_name(snapshot, r.node, r.type_id);
    let Some(most) = r.most else { return name };
    let class = naming::type_name(snapshot, most.type_id);
    match r.chain {
        true => format!("chain of {} {class}", count(most.count)),
        false if r.children > most.count => format!("{name} with {} {class} and more", count(most.count)),
        false => format!("{name} with {} {class}", count(most.count)),
    }
}

fn share(part: u64, all: u64) -> Cell {
    Cell::Share(part as f64 / all.max(1) as f64)
}

fn address(snapshot: &Snapshot, r: &Retainer) -> u64 {
    if r.node.index() < snapshot.graph.len() { snapshot.graph.address(r.node) } else { 0 }
}
