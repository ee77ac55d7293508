//! Objects that stand for something native, for people: a table by native type.

use undying_report::{Cell, Report, Tone, count};

use super::{Limits, plural, table};
use crate::{WrapperTypeRow, tool};

/// Puts the table into a report; nothing where there are none.
pub fn render_wrappers(rows: &[WrapperTypeRow], limits: Limits, report: &mut Report) {
    if rows.is_empty() {
        return;
    }
    let all = rows.iter().fold(0u64, |sum, r| sum.saturating_add(r.count));
    report.part(format!("Native objects: {} of Python's for them", plural(all, "object")));
    let omitted = rows.len().saturating_sub(limits.rows) as u64;
    let some = |n: u64| Cell::Text(if n == 0 { String::new() } else { count(n) });
    let cells = rows.iter().take(limits.rows).map(|r| {
        let native = r.native_type.as_deref().unwrap_or("?");
        vec![
            Cell::Name(format!("{} {native}", tool(r.system))),
            Cell::Name(r.class.clone()),
            Cell::Count(r.count),
            some(r.owned),
            some(r.not_owned),
            some(r.lost),
            some(r.without_destructor),
            if r.native_bytes == 0 { Cell::Text(String::new()) } else { Cell::Bytes(r.native_bytes) },
        ]
    });
    let columns =
        ["native type", "class", ">objects", ">owned", ">not owned", ">lost", ">no destructor", ">native size"];
    report.push(table(&columns, cells.collect(), omitted));
    if rows.iter().any(|r| r.lost > 0) {
        let text = "Lost: of those not owned, blocks of memory of their own to which nothing else points.";
        report.text(Tone::Quiet, text);
    }
}
