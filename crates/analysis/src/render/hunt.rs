//! `hunt` for people: the verdict, what stays by class, who is to blame, the rounds.
//! Programs get the answer as it is.

use undying_graph::Snapshot;
use undying_report::{Block, Cell, Report, Tone, bytes, count};

use super::suspects::render_one;
use super::{Limits, plural, table};
use crate::hunt::{HuntAnswer, Leak, Verdict};

/// Fewer calls than this do not tell a leak from a large cache.
const FEW: u64 = 2_000;

/// For people.  `callable` is what was called; `last` is the heap that the suspects are
/// of, where there are any.
pub fn render_hunt(
    answer: &HuntAnswer,
    callable: &str,
    python: &str,
    last: Option<&Snapshot>,
    limits: Limits,
) -> Report {
    let mut report = Report::default();
    let judged: Vec<_> = answer.rounds.iter().filter(|r| r.judged).collect();
    let each = judged.last().map_or(0, |r| r.calls);
    let rounds = format!("{} of {} judged", plural(judged.len() as u64, "round"), count(each));
    let text = format!("{callable} · CPython {python} · {} · {rounds}", plural(answer.calls, "call"));
    report.text(Tone::Quiet, text);
    verdict(answer, &mut report);
    if answer.leaks.iter().any(|l| l.entries_per_call == 0.0) {
        report.part("What stays, by class").push(leaks(&answer.leaks, limits));
        births(answer, &mut report);
    }
    if let (Some(last), false) = (last, answer.suspects.is_empty()) {
        report.part(plural(answer.suspects.len() as u64, "suspect"));
        for suspect in answer.suspects.iter().take(limits.rows) {
            let from = report.blocks.len();
            render_one(last, suspect, None, &mut report);
            without_next(&mut report, from);
        }
    }
    report.part("Rounds").push(rounds_table(answer));
    report
}

fn verdict(answer: &HuntAnswer, report: &mut Report) {
    let per_call = &answer.per_call;
    match answer.verdict {
        Verdict::Clean => report.text(Tone::Good, "No leak: nothing grows with the calls."),
        Verdict::Undecided => {
            let text = format!(
                "Undecided: {} grew to the end, and not at one rate. More calls tell a leak from what fills: -n, --time.",
                answer.undecided.join(", ")
            );
            report.text(Tone::Warning, text)
        }
        Verdict::Leak => {
            let mut parts = vec![
                format!("{} objects", rate(per_call.objects)),
                format!("{} references", rate(per_call.references)),
                format!("{} a call", rate_of_bytes(per_call.bytes)),
            ];
            let entries = answer.leaks.iter().filter(|l| l.entries_per_call > 0.0);
            parts.extend(entries.map(|l| format!("{} entries in {}", rate(l.entries_per_call), l.type_name)));
            if answer.leaks.is_empty() && per_call.blocks > 0.0 {
                parts.push(format!("in {} blocks that are no objects", rate(per_call.blocks)));
            }
            report.text(Tone::Strong, format!("Leaks: {}.", parts.join(", ")))
        }
    };
    let given_back: Vec<_> = answer.leaks.iter().filter(|l| l.references_per_call < 0.0).collect();
    if let Some(leak) = given_back.first() {
        let text = format!(
            "References to {} are given back that were not the callable's: the object will vanish while in use.",
            leak.type_name
        );
        report.text(Tone::Warning, text);
    }
    if answer.verdict == Verdict::Leak && answer.calls < FEW {
        let text = format!(
            "After {} a cache with more entries than that looks the same; -n or --time gives more calls.",
            plural(answer.calls, "call")
        );
        report.text(Tone::Quiet, text);
    }
    if answer.raised > 0 {
        let text = format!("{} of {} raised an exception.", count(answer.raised), plural(answer.calls, "call"));
        let tone = if answer.raised == answer.calls { Tone::Warning } else { Tone::Quiet };
        report.text(tone, text);
    }
}

fn leaks(leaks: &[Leak], limits: Limits) -> Block {
    let row = |l: &Leak| {
        let module = l.module_file.clone().map_or(Cell::Empty, Cell::Name);
        vec![
            Cell::Name(l.type_name.clone()),
            Cell::Text(rate(l.count_per_call)),
            Cell::Text(rate(l.references_per_call)),
            Cell::Text(rate_of_bytes(l.bytes_per_call)),
            module,
        ]
    };
    let rows = leaks.iter().take(limits.rows).map(row).collect();
    let omitted = leaks.len().saturating_sub(limits.rows) as u64;
    let columns = ["class", ">objects a call", ">references a call", ">size a call", "module"];
    table(&columns, rows, omitted)
}

/// Of what is told in the table alone: a suspect says it itself.
fn births(answer: &HuntAnswer, report: &mut Report) {
    let suspected = |l: &&Leak| answer.suspects.iter().any(|s| s.type_name == l.type_name);
    for leak in answer.leaks.iter().filter(|l| !l.born.is_empty() && !suspected(l)) {
        let places: Vec<String> = leak.born.iter().map(ToString::to_string).collect();
        report.text(Tone::Plain, format!("{} is born in {}", leak.type_name, places.join(", ")));
    }
}

fn rounds_table(answer: &HuntAnswer) -> Block {
    let signed =
        |n: Option<i64>| n.map_or(Cell::Empty, |n| Cell::Text(if n == 0 { "0".into() } else { format!("{n:+}") }));
    let row = |r: &crate::hunt::Round| {
        vec![
            Cell::Count(r.calls),
            Cell::Seconds(r.seconds),
            signed(Some(r.blocks)),
            signed(r.native_bytes),
            signed(r.objects),
            signed(r.references),
            Cell::Text(if r.judged { "judged" } else { "" }.into()),
        ]
    };
    let rows = answer.rounds.iter().map(row).collect();
    table(&[">calls", ">time", ">blocks", ">native bytes", ">objects", ">references", ""], rows, 0)
}

/// The process that the next command would be asked of is gone.
fn without_next(report: &mut Report, from: usize) {
    for block in report.blocks.iter_mut().skip(from) {
        if let Block::Facts { facts } = block {
            facts.retain(|f| f.name != "next");
        }
    }
}

/// `3.00`, `0`, `-1.00`
fn rate(n: f64) -> String {
    if n == 0.0 { "0".into() } else { format!("{n:.2}") }
}

fn rate_of_bytes(n: f64) -> String {
    if n != 0.0 && n.abs() < 10.0 { format!("{n:.1} bytes") } else { bytes(n.max(0.0).round() as u64) }
}
