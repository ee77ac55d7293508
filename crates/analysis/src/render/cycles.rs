//! `cycles` for people: each shape once, with its members and the cut.

use undying_graph::Snapshot;
use undying_report::{Block, Cell, Report, Tone, count};

use super::{Limits, amount, facts, letters, plural};
use crate::{CycleShape, CycleState, Cycles, advice_text, naming};

pub(super) fn render(snapshot: &Snapshot, cycles: &Cycles, limits: Limits, report: &mut Report) {
    let of = |state| cycles.shapes.iter().filter(move |s| s.state == state);
    let garbage = amount(cycles.garbage_objects, cycles.garbage_bytes);
    match cycles.garbage_knots {
        0 => report.text(Tone::Good, "No garbage cycles: nothing waits for the collector."),
        n => report.part(format!("Garbage: {}, {garbage}; only the collector can free them", plural(n, "cycle"))),
    };
    shapes(snapshot, of(CycleState::Garbage), limits, report);
    match cycles.held_instance_knots {
        0 => report.text(Tone::Plain, "No held cycles among the objects of the program and its libraries."),
        n => report
            .part(format!("Held from outside: {} of the program's and its libraries' objects", plural(n, "cycle"))),
    };
    shapes(snapshot, of(CycleState::Held), limits, report);
    let ordinary = cycles.held_knots.saturating_sub(cycles.held_instance_knots);
    if ordinary > 0 {
        let text =
            format!("Not listed: {} that classes, modules and functions are made of.", plural(ordinary, "cycle"));
        report.text(Tone::Quiet, text);
    }
    if cycles.shapes_left_out > 0 {
        report.text(Tone::Quiet, format!("Shapes left out: {}.", count(cycles.shapes_left_out)));
    }
}

/// The shapes as findings.
pub(super) fn shapes<'a>(
    snapshot: &Snapshot,
    shapes: impl Iterator<Item = &'a CycleShape>,
    limits: Limits,
    report: &mut Report,
) {
    let shapes: Vec<&CycleShape> = shapes.collect();
    for shape in shapes.iter().take(limits.rows) {
        one(snapshot, shape, report);
    }
    if let Some(more) = shapes.len().checked_sub(limits.rows).filter(|&m| m > 0) {
        report.text(Tone::Quiet, format!("and {} of other shapes", plural(more as u64, "cycle")));
    }
}

fn one(snapshot: &Snapshot, shape: &CycleShape, report: &mut Report) {
    let head = naming::type_name(snapshot, shape.head);
    let times = if shape.count > 1 { format!("{} × ", count(shape.count)) } else { String::new() };
    report.finding(format!("{times}{head} ({})", amount(shape.objects, shape.bytes)));
    let told = letters::letter(snapshot, &shape.cycle);
    let who: Vec<(String, Cell)> = told
        .who
        .iter()
        .map(|(t, letters)| (letters.clone(), Cell::Name(naming::type_name(snapshot, *t).to_owned())))
        .collect();
    let cut = letters::cut(&told.path);
    report.push(Block::Path(told.path));
    for other in &shape.others {
        report.push(Block::Path(letters::letter(snapshot, other).path));
    }
    let advice = advice_text(snapshot, &shape.cycle);
    let mut rows: Vec<(&str, Cell)> = who.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    rows.extend(cut.map(|cut| ("make weak", Cell::Name(cut))));
    rows.push(("because", Cell::Text(advice.why)));
    rows.push(("how", Cell::Text(advice.cure)));
    report.push(facts(rows));
}
