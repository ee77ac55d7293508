//! The small tables: types, roots, names, regions.  Whole columns through the
//! stock writers; they are a thousandth of the snapshot.

use std::io;

use undying_graph::{LabelId, Labels, NamedRow, RegionRow, Root, Tail, TypeRow};

use super::file::{io_error, open};
use crate::directory::Partial;
use crate::schema::{GROUP_ROWS, NAMES, REGIONS, ROOTS, TYPES, Table};
use crate::table::{Column, write_group};

/// Writes the small tables of one snapshot.
pub(super) struct Small<'a> {
    pub directory: &'a Partial,
    pub undying: &'a str,
    pub labels: &'a Labels,
}

impl Small<'_> {
    /// All four.
    pub fn write(&self, tail: &Tail) -> io::Result<()> {
        self.table(&TYPES, &tail.types, |rows, first| self.types(rows, first))?;
        self.table(&ROOTS, &tail.roots, |rows, _| self.roots(rows))?;
        self.table(&NAMES, &tail.named, |rows, _| self.names(rows))?;
        self.table(&REGIONS, &tail.regions, |rows, _| regions(rows))
    }

    /// One, in row groups; `columns` gets the rows and the number of the first.
    pub fn table<R>(&self, table: &Table, rows: &[R], columns: impl Fn(&[R], usize) -> Vec<Column>) -> io::Result<()> {
        let mut file = open(self.directory, table, self.undying)?;
        for (i, rows) in rows.chunks(GROUP_ROWS).enumerate() {
            write_group(&mut file, &columns(rows, i * GROUP_ROWS)).map_err(io_error)?;
        }
        file.close().map_err(io_error)?;
        Ok(())
    }

    pub fn text(&self, id: LabelId) -> &str {
        self.labels.text(id)
    }

    pub fn text_or_null(&self, id: LabelId) -> Option<&str> {
        (id != LabelId::NONE).then(|| self.labels.text(id))
    }

    fn types(&self, rows: &[TypeRow], first: usize) -> Vec<Column> {
        vec![
            Column::u32((first as u32..).take(rows.len())),
            Column::text(rows.iter().map(|r| self.text(r.name))),
            Column::u32_or_null(rows.iter().map(|r| r.object.map(|o| o.0))),
            Column::i64(rows.iter().map(|r| r.basic_bytes)),
            Column::i64(rows.iter().map(|r| r.item_bytes)),
            Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.module_file))),
            Column::text(rows.iter().map(|r| r.origin.name())),
            Column::bool(rows.iter().map(|r| r.has_gc)),
            Column::bool(rows.iter().map(|r| r.has_del)),
        ]
    }

    fn roots(&self, rows: &[Root]) -> Vec<Column> {
        vec![
            Column::u32(rows.iter().map(|r| r.node.0)),
            Column::text(rows.iter().map(|r| r.kind.name())),
            Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.label))),
        ]
    }

    fn names(&self, rows: &[NamedRow]) -> Vec<Column> {
        vec![
            Column::u32(rows.iter().map(|r| r.node.0)),
            Column::text(rows.iter().map(|r| self.text(r.name))),
            Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.file))),
            Column::u32_or_null(rows.iter().map(|r| (r.line != 0).then_some(r.line))),
        ]
    }
}

fn regions(rows: &[RegionRow]) -> Vec<Column> {
    vec![
        Column::i64(rows.iter().map(|r| r.start)),
        Column::i64(rows.iter().map(|r| r.end)),
        Column::text(rows.iter().map(|r| r.permissions.as_str())),
        Column::i64(rows.iter().map(|r| r.offset)),
        Column::text(rows.iter().map(|r| r.path.as_str())),
        Column::i64_or_null(rows.iter().map(|r| r.resident_bytes)),
        Column::text(rows.iter().map(|r| r.claim.as_str())),
    ]
}
