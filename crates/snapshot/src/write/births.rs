//! The tables of births: written only where somebody recorded them.

use std::io;

use undying_graph::{Birth, Births, DeathRow, PlaceRow};

use super::file::{io_error, open};
use super::small::Small;
use crate::schema::{BIRTHS, DEATHS, GROUP_ROWS, PLACES};
use crate::table::{Column, write_group};

impl Small<'_> {
    /// All three.
    pub fn write_births(&self, births: &Births) -> io::Result<()> {
        self.table(&PLACES, &births.places, |rows, _| self.places(rows))?;
        self.table(&DEATHS, &births.deaths, |rows, _| self.deaths(rows))?;
        let mut file = open(self.directory, &BIRTHS, self.undying)?;
        for first in (0..births.len()).step_by(GROUP_ROWS) {
            let rows = || (first..births.len().min(first + GROUP_ROWS)).filter_map(|row| births.get(row));
            write_group(&mut file, &columns(rows)).map_err(io_error)?;
        }
        file.close().map_err(io_error)?;
        Ok(())
    }

    fn places(&self, rows: &[PlaceRow]) -> Vec<Column> {
        vec![
            Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.file))),
            Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.function))),
            Column::u32_or_null(rows.iter().map(|r| (r.line != 0).then_some(r.line))),
            Column::u32_or_null(rows.iter().map(|r| r.parent)),
        ]
    }

    fn deaths(&self, rows: &[DeathRow]) -> Vec<Column> {
        vec![
            Column::text(rows.iter().map(|r| self.text(r.class))),
            Column::u32_or_null(rows.iter().map(|r| r.type_id.map(|t| t.0))),
            Column::u32_or_null(rows.iter().map(|r| r.place)),
            Column::i64(rows.iter().map(|r| r.by_count)),
            Column::i64(rows.iter().map(|r| r.by_collector)),
        ]
    }
}

fn columns<I: Iterator<Item = Birth>>(rows: impl Fn() -> I) -> Vec<Column> {
    vec![
        Column::u32(rows().map(|b| b.node.0)),
        Column::u32(rows().map(|b| b.place)),
        Column::u32_or_null(rows().map(|b| b.epoch)),
    ]
}
