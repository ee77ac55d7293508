//! A flight recorder's verdict for people: the line that lost the reference, how it came
//! there, and the changes of the count around it.

use undying_report::{Cell, Report, Tone, count};

use super::{facts, plural, table};
use crate::flight::{ChangeTold, Recorded, SiteTold};

/// Changes shown in a table.
const SHOWN: usize = 24;

/// Puts it into a report.
pub fn render_flight(recorded: &Recorded, report: &mut Report) {
    report.part(format!("Recorded: one {} at {:#x}", recorded.type_name, recorded.address));
    let changes = plural(recorded.changes as u64, "change");
    let text = format!("{changes} of the count at this address in {}.", plural(recorded.calls, "call"));
    report.text(Tone::Quiet, text);
    if !recorded.complete {
        report.text(Tone::Warning, "The recording is not complete: the verdict is of what is there.");
    }
    match (recorded.mistake, recorded.sites.first()) {
        (None, _) => {
            report.text(Tone::Good, "Every reference taken was given up again.");
        }
        (Some(mistake), Some(site)) => accused(mistake, site, &recorded.sites[1..], report),
        (Some(_), None) => {
            let places = recorded.python.join(", ");
            let text = format!("Python itself holds it: nothing answers what was taken at {places}.");
            report.text(Tone::Plain, text);
        }
    }
    history(&recorded.history, report);
}

fn accused(mistake: &str, site: &SiteTold, others: &[SiteTold], report: &mut Report) {
    let function = site.function.as_deref().unwrap_or("a function without a name");
    let place = match (&site.file, site.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => site.library.clone(),
    };
    let what = match (mistake, site.birth) {
        ("released", _) => "gives back a reference that it does not own",
        (_, true) => "makes the object and never gives its reference back",
        _ => "takes a reference and never gives it back",
    };
    report.finding(format!("{function} {what}"));
    let mut rows = vec![("where", Cell::Text(place)), ("library", Cell::Name(site.library.clone()))];
    if let Some(through) = &site.through {
        rows.push(("by", Cell::Text(through.clone())));
    }
    if let Some(python) = &site.python {
        rows.push(("called at", Cell::Text(python.clone())));
    }
    if site.count > 1 {
        rows.push(("times", Cell::Count(site.count as u64)));
    }
    let frames: Vec<String> = site.frames.iter().map(|f| f.function.clone().unwrap_or_else(|| "?".into())).collect();
    if frames.len() > 1 {
        rows.push(("stack", Cell::Text(frames.join(" ← "))));
    }
    report.push(facts(rows));
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|s| s.function.as_deref().unwrap_or("?")).collect();
        report.text(Tone::Quiet, format!("Less likely: {}.", names.join(", ")));
    }
}

fn history(rows: &[ChangeTold], report: &mut Report) {
    if rows.is_empty() {
        return;
    }
    let accused = rows.iter().position(|r| r.accused).unwrap_or(0);
    // others lay at the address before: their lives tell nothing of this one's
    let born = rows[..=accused].iter().rposition(|r| r.what == "born").unwrap_or(0);
    let from = born.max(accused.saturating_sub(SHOWN / 2));
    let rows = &rows[from..];
    let cells = rows.iter().take(SHOWN).map(|r| {
        let answer = match (r.answer, r.accused) {
            (_, true) => "never answered".to_owned(),
            (Some(n), _) => format!("#{}", count(n as u64)),
            (None, _) => String::new(),
        };
        vec![
            Cell::Text(format!("#{}", count(r.number as u64))),
            Cell::Text(r.what.clone()),
            Cell::Count(r.count),
            Cell::Text(r.by.clone()),
            Cell::Text(r.python.clone().unwrap_or_default()),
            Cell::Text(answer),
        ]
    });
    let omitted = rows.len().saturating_sub(SHOWN) as u64;
    report.push(table(&[">", "change", ">count", "by", "Python", "answered by"], cells.collect(), omitted));
}
