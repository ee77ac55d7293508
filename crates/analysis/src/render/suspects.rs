//! `report` for people: the suspects, then the heap in figures.

use undying_graph::Snapshot;
use undying_report::{Block, Cell, Link, Report, Tone};

use super::{amount, facts, letters, plural, retainers};
use crate::suspects::{Suspect, SuspectKind};
use crate::{Ledgers, ReportAnswer, naming};

pub(super) fn render(snapshot: &Snapshot, answer: &ReportAnswer, report: &mut Report) {
    match answer.suspects.len() as u64 {
        0 => report.text(Tone::Good, "No suspects: nothing of the program's own in this heap should be dead."),
        n => report.part(plural(n, "suspect")),
    };
    for suspect in &answer.suspects {
        render_one(snapshot, suspect, None, report);
    }
    retainers::findings(snapshot, &answer.retainers, answer.ledgers.bytes.shallow, report);
    let text = "One heap shows what is dead and what is big. What grows takes two: undying dump, some work, undying dump, \
                undying diff FIRST SECOND.";
    report.part("Heap").push(figures(&answer.ledgers));
    report.text(Tone::Quiet, text);
}

/// One suspect.  `since` is the earlier heap that it was held against.
pub(super) fn render_one(snapshot: &Snapshot, suspect: &Suspect, since: Option<&str>, report: &mut Report) {
    let what = match suspect.kind {
        SuspectKind::Cycle if suspect.rule == "no-traverse" => "on cycles that no collection can free",
        SuspectKind::Cycle => "pending garbage on a cycle that only the collector can free",
        SuspectKind::Growth => "more and more of them, and they are held",
        SuspectKind::Retained => "one container holds a large part of the heap",
        SuspectKind::Ownership => "nobody will free the native object behind it",
        SuspectKind::References if suspect.rule == "stolen-reference" => {
            "counted less often than referred to: it will vanish in use"
        }
        SuspectKind::References => "counted more often than referred to: references were lost",
        SuspectKind::Orphan => "counted, and nothing in the process refers to it: lost by native code",
        SuspectKind::Garbage => "pending garbage held by a dead cycle that only the collector can free",
    };
    report.finding(format!("{}. {}: {what}", suspect.rank, suspect.type_name));
    let mut rows = Vec::new();
    match &suspect.cycle {
        None => {
            report.text(Tone::Plain, suspect.path_text.clone());
        }
        Some(cycle) => {
            let told = letters::letter(snapshot, cycle);
            for (t, letters) in &told.who {
                let size = if *t == suspect.type_id {
                    format!(" ({})", amount(suspect.count, suspect.shallow_bytes))
                } else {
                    String::new()
                };
                let text = format!("{}{size}", naming::type_name(snapshot, *t));
                rows.push((letters.clone(), Cell::Text(text)));
            }
            if let Some(cut) = letters::cut(&told.path) {
                rows.push(("make weak".to_owned(), Cell::Name(cut)));
            }
            report.push(Block::Path(told.path));
        }
    }
    let mut rows: Vec<(&str, Cell)> = rows.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    rows.push(("how", Cell::Text(suspect.advice.clone())));
    rows.push(("evidence", Cell::Text(suspect.why.clone())));
    rows.push(("confidence", Cell::Text(suspect.confidence.name().into())));
    if let Some(bytes) = suspect.retained_bytes {
        let name = if suspect.kind == SuspectKind::Growth { "bytes more" } else { "frees" };
        rows.push((name, Cell::Bytes(bytes)));
    }
    if !suspect.born.is_empty() {
        let places: Vec<String> = suspect.born.iter().map(ToString::to_string).collect();
        rows.push(("born", Cell::Text(places.join(", "))));
    }
    if let Some(file) = &suspect.module_file {
        rows.push(("suspect", Cell::Name(file.clone())));
    }
    rows.push(("rule", Cell::Text(suspect.rule.to_owned())));
    let since = since.into_iter().flat_map(|dir| ["--since".to_owned(), dir.to_owned()]);
    let what = std::iter::once(suspect.type_name.clone()).chain(since);
    rows.push(("next", Cell::Link(Link::new("why", what))));
    report.push(facts(rows));
}

pub(super) fn figures(ledgers: &Ledgers) -> Block {
    let lives = &ledgers.lives;
    let garbage = match lives.pending_garbage {
        0 => "nothing".to_owned(),
        n => amount(n, lives.pending_garbage_bytes),
    };
    let collector = match lives.gc_enabled {
        Some(true) => "on",
        Some(false) => "off: cycles are never freed",
        None => "",
    };
    let mut rows = vec![
        ("objects", Cell::Text(amount(lives.objects, ledgers.bytes.shallow))),
        ("classes", Cell::Count(lives.types)),
        ("waiting for the collector", Cell::Text(garbage)),
        ("collector", Cell::Text(collector.into())),
        ("references", Cell::Count(ledgers.references.found)),
    ];
    if let Some(resident) = ledgers.bytes.resident {
        rows.push(("resident", Cell::Bytes(resident)));
    }
    facts(rows)
}
