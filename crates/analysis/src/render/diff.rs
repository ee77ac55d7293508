//! `diff` for people: the suspects, the intervals, the classes that changed.  Programs get
//! the answer as it is: its names are in it already.

use undying_graph::Snapshot;
use undying_report::{Cell, Report, Tone, count};

use super::suspects::{figures, render_one};
use super::{Limits, circumstances, doubts, plural, table};
use crate::{ClassChange, DiffAnswer};

/// For people.  `first` is where the oldest heap is, `notes` are what was left out.
pub fn render_diff(last: &Snapshot, answer: &DiffAnswer, first: &str, notes: &[String], limits: Limits) -> Report {
    let mut report = Report::default();
    report.text(Tone::Quiet, circumstances(last));
    let intervals = answer.intervals.len() as u64;
    match answer.suspects.len() as u64 {
        0 => report
            .text(Tone::Good, "No suspects: what came between the snapshots went again, or is too little to tell."),
        n => report.part(plural(n, "suspect")),
    };
    for suspect in answer.suspects.iter().take(limits.rows) {
        render_one(last, suspect, Some(first), &mut report);
    }
    let hidden = answer.suspects.len().saturating_sub(limits.rows) as u64;
    if hidden > 0 {
        report.text(Tone::Quiet, format!("and {}; -n shows more", plural(hidden, "suspect")));
    }
    for note in notes {
        report.text(Tone::Quiet, format!("{note}."));
    }
    if intervals == 1 && !answer.suspects.is_empty() {
        let text = "Two snapshots show that something grew. A third, as much later again, tells a leak from a cache \
                    that fills: undying diff FIRST SECOND THIRD.";
        report.text(Tone::Quiet, text);
    }
    report.part("Between the snapshots");
    for interval in &answer.intervals {
        let text = format!(
            "{:.0} s: {} came, {} went, {} stayed",
            interval.seconds,
            count(interval.new),
            count(interval.gone),
            count(interval.survivors)
        );
        report.text(Tone::Plain, text);
    }
    report.push(classes(answer, limits));
    report.part("Heap").push(figures(&answer.ledgers));
    doubts(last, &mut report);
    report
}

/// The classes that gained most.
fn classes(answer: &DiffAnswer, limits: Limits) -> undying_report::Block {
    let gained = |c: &&ClassChange| c.bytes_after > c.bytes_before;
    let rows: Vec<&ClassChange> = answer.classes.iter().filter(gained).collect();
    let omitted = rows.len().saturating_sub(limits.rows) as u64;
    let cells = rows.iter().take(limits.rows).map(|c| {
        vec![
            Cell::Name(c.type_name.clone()),
            Cell::Count(c.before),
            Cell::Count(c.after),
            Cell::Text(format!("{:+}", c.after as i64 - c.before as i64)),
            Cell::Bytes(c.bytes_after - c.bytes_before),
        ]
    });
    table(&["class", ">before", ">after", ">more", ">bytes more"], cells.collect(), omitted)
}
