//! `top` for people: classes by their instances' bytes.

use undying_graph::Snapshot;
use undying_report::{Cell, Report};

use super::{Limits, amount, table};
use crate::{Histogram, naming};

pub(super) fn render(snapshot: &Snapshot, histogram: &Histogram, limits: Limits, report: &mut Report) {
    let all = histogram.shallow_bytes.max(1) as f64;
    let shown = histogram.rows.iter().take(limits.rows);
    let rows = shown.map(|row| {
        vec![
            Cell::Name(naming::type_name(snapshot, row.type_id).to_owned()),
            Cell::Count(row.count),
            Cell::Bytes(row.shallow_bytes),
            Cell::Share(row.shallow_bytes as f64 / all),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let omitted = (histogram.rows.len() - rows.len()) as u64;
    report.part(format!("Classes: {}", amount(histogram.objects, histogram.shallow_bytes)));
    report.push(table(&["class", ">objects", ">bytes", ">of all"], rows, omitted));
}
