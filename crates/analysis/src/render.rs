//! Answers in words: for people as blocks of a report, for programs as plain
//! structures with names in them (`render/told.rs`).  Puts in names and computes
//! nothing; how it looks is the writer's business.

mod cycles;
mod diff;
mod flight;
mod heap;
mod hunt;
mod letters;
mod lives;
mod refs;
mod retainers;
mod suspects;
mod told;
mod top;
mod why;
mod wrappers;

use undying_graph::Snapshot;
use undying_report::{Block, Column, Fact, Report, Table, Tone, bytes, count, seconds};

use crate::{Answer, Query};

pub use diff::render_diff;
pub use flight::render_flight;
pub use heap::HeapTold;
pub use hunt::render_hunt;
pub use told::{Told, told};
pub use wrappers::render_wrappers;

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Rows of a table, chains, shapes of cycles.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { rows: 20 }
    }
}

/// The answer for people.
pub fn render(snapshot: &Snapshot, query: &Query, answer: &Answer, limits: Limits) -> Report {
    let mut report = Report::default();
    report.text(Tone::Quiet, circumstances(snapshot));
    match answer {
        Answer::Report(answer) => suspects::render(snapshot, answer, &mut report),
        Answer::Why(answer) => why::render(snapshot, query, answer, limits, &mut report),
        Answer::Cycles(answer) => cycles::render(snapshot, answer, limits, &mut report),
        Answer::Lives(answer) => lives::render(snapshot, answer, limits, &mut report),
        Answer::Refs(answer) => refs::render(snapshot, answer, None, limits, &mut report),
        Answer::Top(answer) => top::render(snapshot, answer, limits, &mut report),
        Answer::Retainers(answer) => retainers::render(snapshot, answer, limits, &mut report),
    }
    doubts(snapshot, &mut report);
    report
}

/// The ledger of references for people; `first` is an earlier heap of the same process,
/// `notes` are what was left out.
pub fn render_refs(
    snapshot: &Snapshot,
    answer: &crate::ReferencesAnswer,
    first: Option<&str>,
    notes: &[String],
    limits: Limits,
) -> Report {
    let mut report = Report::default();
    report.text(Tone::Quiet, circumstances(snapshot));
    refs::render(snapshot, answer, first, limits, &mut report);
    for note in notes {
        report.text(Tone::Quiet, format!("{note}."));
    }
    doubts(snapshot, &mut report);
    report
}

/// What was looked at, on one line.
fn circumstances(snapshot: &Snapshot) -> String {
    let facts = &snapshot.facts;
    let mut parts = Vec::new();
    if !facts.program.is_empty() {
        parts.push(facts.program.clone());
    }
    if facts.pid > 0 {
        parts.push(format!("process {}", facts.pid));
    }
    if !facts.python.is_empty() {
        parts.push(format!("CPython {}", facts.python));
    }
    parts.push(plural(snapshot.graph.len() as u64, "object"));
    parts.push(format!("stood still {}", seconds(facts.paused_seconds)));
    parts.join(" · ")
}

/// What may make the answer wrong.
fn doubts(snapshot: &Snapshot, report: &mut Report) {
    let facts = &snapshot.facts;
    if facts.stops > 0 && !facts.at_rest {
        let text = "The target never came to rest: it was copied inside the collector or the allocator, \
                    so counts may be off by what was in hand. Capture it again.";
        report.text(Tone::Warning, text);
    }
    if !facts.defects.is_empty() {
        let kinds: Vec<String> = facts.defects.iter().map(|(kind, n)| format!("{} × {kind}", count(*n))).collect();
        report.text(Tone::Warning, format!("Met while reading and left out: {}.", kinds.join(", ")));
    }
}

/// `1 object`, `2 objects`.
fn plural(n: u64, word: &str) -> String {
    format!("{} {word}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `2 objects, 112 bytes`
fn amount(n: u64, size: u64) -> String {
    format!("{}, {}", plural(n, "object"), bytes(size))
}

/// Names with values, as lines under a finding.
fn facts(rows: Vec<(&str, undying_report::Cell)>) -> Block {
    Block::Facts { facts: rows.into_iter().map(|(name, value)| Fact::new(name, value)).collect() }
}

/// A table with its columns given as `name` (words) or `>name` (numbers).
fn table(columns: &[&str], rows: Vec<Vec<undying_report::Cell>>, omitted: u64) -> Block {
    let column = |name: &&str| match name.strip_prefix('>') {
        Some(name) => Column::right(name),
        None => Column::left(*name),
    };
    Block::Table(Table { columns: columns.iter().map(column).collect(), rows, omitted })
}
