//! `lives` for people: classes and their birthplaces in one table, then who is left of
//! each interval between checkpoints.

use undying_graph::{Births, Recorder, Snapshot};
use undying_report::{Block, Cell, Report, Tone, bytes, count};

use super::{Limits, amount, plural, table};
use crate::{ClassLives, LifeCounts, LivesAnswer, naming};

/// Birthplaces of a class that are shown.
const PLACES: usize = 3;
/// Intervals between checkpoints that are shown, the last ones.
const INTERVALS: usize = 6;

/// How births get known where nobody recorded them.
pub(super) const HOW: &str = "Nobody recorded births in this process: run it as undying run app.py with undying \
                              installed for its Python, or with PYTHONTRACEMALLOC=1 in its environment.";

pub(super) fn render(snapshot: &Snapshot, answer: &LivesAnswer, limits: Limits, report: &mut Report) {
    let shallow = answer.classes.iter().fold(0u64, |sum, c| sum.saturating_add(c.bytes));
    report.part(format!("Lives: {} alive", amount(snapshot.graph.len() as u64, shallow)));
    let omitted = answer.classes.len().saturating_sub(limits.rows) as u64;
    let columns: &[&str] = match answer.recorder {
        Some(r) if r.counts_deaths() => {
            &["class", ">born", ">dead by count", ">dead by collector", ">alive", ">garbage", ">birth unseen"]
        }
        Some(_) => &["class", ">alive", ">garbage", ">birth unseen"],
        None => &["class", ">alive", ">garbage"],
    };
    let shown = answer.classes.iter().take(limits.rows);
    let rows = shown.flat_map(|c| class(snapshot, c, columns.len())).collect();
    report.push(table(columns, rows, omitted));
    match &snapshot.births {
        None => {
            report.text(Tone::Quiet, HOW);
        }
        Some(births) => {
            notes(births, report);
            if !births.checkpoints.is_empty() {
                report.part("Alive, by when they were born");
                report.push(intervals(snapshot, births, answer, limits));
            }
        }
    }
}

/// The class's row, and those of its birthplaces.
fn class(snapshot: &Snapshot, class: &ClassLives, columns: usize) -> Vec<Vec<Cell>> {
    let row = |name: Cell, c: &LifeCounts, unseen: Option<u64>| {
        let mut cells = vec![name];
        let number = |n: Option<u64>| n.map_or(Cell::Text(String::new()), Cell::Count);
        if columns > 4 {
            cells.extend([c.born, c.dead_by_count, c.dead_by_collector].map(number));
        }
        cells.extend([Cell::Count(c.alive), Cell::Count(c.garbage)]);
        if columns > 3 {
            cells.push(number(unseen));
        }
        cells
    };
    let mut rows = vec![row(Cell::Name(snapshot.text(class.name).to_owned()), &class.counts, class.unwitnessed)];
    for place in class.places.iter().take(PLACES) {
        rows.push(row(Cell::Text(format!("  {}", place_text(snapshot, place.place))), &place.counts, None));
    }
    let more = class.places.len().saturating_sub(PLACES) as u64;
    if more > 0 {
        let text = Cell::Text(format!("  and {}", plural(more, "other place")));
        rows.push(std::iter::once(text).chain((1..columns).map(|_| Cell::Text(String::new()))).collect());
    }
    rows
}

/// A birthplace in words.
pub(super) fn place_text(snapshot: &Snapshot, place: Option<u32>) -> String {
    let row = place.and_then(|p| snapshot.births.as_ref()?.places.get(p as usize));
    match row {
        Some(row) if row.line > 0 || !snapshot.text(row.file).is_empty() => naming::place_text(snapshot, row),
        Some(_) => "outside of Python".to_owned(),
        None => "not known where".to_owned(),
    }
}

/// What must be known of the figures.
fn notes(births: &Births, report: &mut Report) {
    match births.recorder {
        Recorder::Tracemalloc => {
            report.text(Tone::Quiet, "Births are tracemalloc's, which counts no deaths; undying run counts both.");
        }
        Recorder::Every => {}
        Recorder::Sample => {
            let every = bytes(births.sample_bytes);
            let text =
                format!("Births and deaths are estimates, from a sample of one in {every}; the living are exact.");
            report.text(Tone::Warning, text);
        }
    }
    if births.lost > 0 {
        let text = format!("{} could not be recorded for want of memory.", plural(births.lost, "birth"));
        report.text(Tone::Warning, text);
    }
}

/// A row a class, a column an interval.
fn intervals(snapshot: &Snapshot, births: &Births, answer: &LivesAnswer, limits: Limits) -> Block {
    let all = births.checkpoints.len() + 1;
    let from = all.saturating_sub(INTERVALS);
    let title = |i: usize| match i.checked_sub(1).and_then(|i| births.checkpoints.get(i)) {
        Some(c) => format!(">since {}", snapshot.text(c.name)),
        None => format!(">before {}", births.checkpoints.first().map_or("", |c| snapshot.text(c.name))),
    };
    let columns: Vec<String> = std::iter::once("class".to_owned()).chain((from..all).map(title)).collect();
    let told = answer.classes.iter().filter(|c| !c.intervals.is_empty());
    let row = |c: &ClassLives| {
        let numbers = c.intervals.iter().skip(from).map(|&n| Cell::Text(count(n)));
        std::iter::once(Cell::Name(snapshot.text(c.name).to_owned())).chain(numbers).collect()
    };
    let rows: Vec<Vec<Cell>> = told.clone().take(limits.rows).map(row).collect();
    let omitted = told.count().saturating_sub(limits.rows) as u64;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    table(&columns, rows, omitted)
}
