//! `refs` for people: the suspects, then the ledger of references by class and module,
//! what stands for native objects, and what could not be followed.

use undying_graph::Snapshot;
use undying_report::{Cell, Report, Tone, count};

use super::suspects::render_one;
use super::wrappers::render_wrappers;
use super::{Limits, plural, table};
use crate::references::{ModuleReferences, TypeReferences, Unaudited};
use crate::{ReferencesAnswer, naming};

/// `first` is an earlier heap of the same process, where there is one.
pub(super) fn render(
    snapshot: &Snapshot,
    answer: &ReferencesAnswer,
    first: Option<&str>,
    limits: Limits,
    report: &mut Report,
) {
    match answer.suspects.len() as u64 {
        0 => report.text(Tone::Good, "No suspects: nobody lost a reference or gave away another's."),
        n => report.part(plural(n, "suspect")),
    };
    for suspect in answer.suspects.iter().take(limits.rows) {
        render_one(snapshot, suspect, first, report);
    }
    let hidden = answer.suspects.len().saturating_sub(limits.rows) as u64;
    if hidden > 0 {
        report.text(Tone::Quiet, format!("and {}; -n shows more", plural(hidden, "suspect")));
    }
    totals(answer, report);
    types(&answer.types, limits, report);
    modules(&answer.modules, limits, report);
    render_wrappers(&answer.wrappers, limits, report);
    unaudited(&answer.unaudited, limits, report);
    if first.is_none() {
        let text = "One heap shows what is wrong, not whether it goes on: modules lose a few constants when they are \
                    imported. undying refs FIRST SECOND THIRD shows what comes with each step.";
        report.text(Tone::Quiet, text);
    }
}

fn totals(answer: &ReferencesAnswer, report: &mut Report) {
    let t = &answer.totals;
    let living = t.mortal.saturating_sub(t.zero);
    let explained = t.exact.saturating_add(t.guessed);
    let share = if living == 0 { 100.0 } else { 100.0 * explained as f64 / living as f64 };
    report.part("References");
    let text = format!(
        "{} of {} counted objects ({share:.2} %) are referred to exactly as often as counted; {} of them only when \
         words of native memory or of unknown types are taken for references.",
        count(explained),
        count(living),
        count(t.guessed),
    );
    report.text(Tone::Plain, text);
    let text = format!(
        "{} counted too often ({}, of which {} referred to by nothing); {} counted too rarely.",
        plural(t.excess, "object"),
        plural(t.excess_references, "reference"),
        count(t.orphans),
        plural(t.deficit, "object"),
    );
    report.text(Tone::Plain, text);
}

/// A number, nothing for none.
fn some(n: u64) -> Cell {
    Cell::Text(if n == 0 { String::new() } else { count(n) })
}

fn types(rows: &[TypeReferences], limits: Limits, report: &mut Report) {
    if rows.is_empty() {
        return;
    }
    let cells = rows.iter().take(limits.rows).map(|r| {
        vec![
            Cell::Name(r.type_name.clone()),
            Cell::Count(r.objects),
            Cell::Count(r.explained),
            some(r.excess),
            some(r.excess_references),
            some(r.orphans),
            some(r.deficit),
            some(r.deficit_references),
        ]
    });
    let columns =
        ["class", ">objects", ">explained", ">excess", ">references", ">orphans", ">deficit", ">references missing"];
    let omitted = rows.len().saturating_sub(limits.rows) as u64;
    report.push(table(&columns, cells.collect(), omitted));
}

fn modules(rows: &[ModuleReferences], limits: Limits, report: &mut Report) {
    let named: Vec<&ModuleReferences> = rows.iter().filter(|m| m.module_file.is_some()).collect();
    if named.is_empty() {
        return;
    }
    report.part("Classes of native modules");
    let cells = named.iter().take(limits.rows).map(|m| {
        let file = m.module_file.as_deref().unwrap_or_default();
        vec![
            Cell::Name(naming::file_name(file).to_owned()),
            Cell::Count(m.objects),
            Cell::Count(m.explained),
            some(m.excess),
            some(m.orphans),
            some(m.deficit),
        ]
    });
    let omitted = named.len().saturating_sub(limits.rows) as u64;
    let columns = ["module", ">objects", ">explained", ">excess", ">orphans", ">deficit"];
    report.push(table(&columns, cells.collect(), omitted));
}

fn unaudited(rows: &[Unaudited], limits: Limits, report: &mut Report) {
    if rows.is_empty() {
        return;
    }
    report.part("Not audited: references of these are guessed from words that look like addresses");
    let cells = rows.iter().take(limits.rows).map(|r| {
        let file = r.module_file.as_deref().map_or("", naming::file_name);
        vec![
            Cell::Name(r.type_name.clone()),
            Cell::Count(r.objects),
            Cell::Count(r.guesses),
            Cell::Name(file.to_owned()),
        ]
    });
    let omitted = rows.len().saturating_sub(limits.rows) as u64;
    report.push(table(&["class", ">objects", ">guesses", "module"], cells.collect(), omitted));
}
