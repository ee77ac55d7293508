//! The table of wrappers of native objects: written only where there are any.

use std::io;

use undying_graph::WrapperRow;

use super::small::Small;
use crate::schema::WRAPPERS;
use crate::table::Column;

impl Small<'_> {
    /// The table.
    pub fn write_wrappers(&self, rows: &[WrapperRow]) -> io::Result<()> {
        self.table(&WRAPPERS, rows, |rows, _| self.wrappers(rows))
    }

    fn wrappers(&self, rows: &[WrapperRow]) -> Vec<Column> {
        vec![
            Column::u32(rows.iter().map(|r| r.node.0)),
            Column::text(rows.iter().map(|r| r.system.name())),
            Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.native_type))),
            Column::i64(rows.iter().map(|r| r.native_address)),
            Column::bool_or_null(rows.iter().map(|r| r.owned)),
            Column::bool_or_null(rows.iter().map(|r| r.destructor)),
            Column::bool_or_null(rows.iter().map(|r| r.holder)),
            Column::i64_or_null(rows.iter().map(|r| r.native_bytes)),
            Column::u32_or_null(rows.iter().map(|r| r.pointers)),
            Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.module_file))),
        ]
    }
}
