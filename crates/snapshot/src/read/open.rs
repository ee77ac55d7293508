//! One open table: its footer checked, its columns found by name, their chunks
//! read.  Knows Parquet and its stock readers, not what the columns mean.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::{LogicalType, Type};
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::Result;
use crate::error::ReadError;
use crate::page::load::{About, Dictionary, Loader, Rows, Trouble};
use crate::schema::Table;
use crate::table::{Column, read_column};

/// A table has no more rows for each byte of its file: pages and their headers
/// take room even where every row is the same.
const ROWS_PER_BYTE: u64 = 4096;
/// Rows that any file may have.
const ROWS_AT_LEAST: u64 = 1 << 20;

/// What a column must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Want {
    /// Unsigned, 32 bits.
    Narrow,
    /// Signed, 64 bits.
    Wide,
    /// Texts.
    Text,
    /// Truth values.
    Truth,
}

/// One open table.
pub(super) struct Open {
    table: &'static str,
    file: File,
    reader: SerializedFileReader<File>,
    bytes: u64,
}

/// Buffers that columns share.
pub(super) struct Buffers {
    loader: Loader,
    chunk: Vec<u8>,
    rows: Rows,
}

impl Buffers {
    pub fn new() -> std::io::Result<Buffers> {
        Ok(Buffers { loader: Loader::new()?, chunk: Vec::new(), rows: Rows::default() })
    }
}

impl Open {
    /// Opens a table and reads its footer.
    pub fn new(dir: &Path, table: &Table) -> Result<Open> {
        let path = dir.join(table.file);
        let failed = |why: std::io::Error| match why.kind() {
            ErrorKind::NotFound => ReadError::damaged(table.file, "the file is missing"),
            _ => ReadError::Io { path: path.clone(), why },
        };
        let file = File::open(&path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            return Err(ReadError::damaged(table.file, "not a file"));
        }
        let own = file.try_clone().map_err(failed)?;
        let reader = guarded(table.file, || SerializedFileReader::new(own))?;
        let open = Open { table: table.file, file, reader, bytes: about.len() };
        let limit = open.bytes.saturating_mul(ROWS_PER_BYTE).saturating_add(ROWS_AT_LEAST);
        let mut rows = 0u64;
        for group in open.reader.metadata().row_groups() {
            let here = u64::try_from(group.num_rows()).map_err(|_| open.damaged("a negative number of rows"))?;
            rows = rows.saturating_add(here);
        }
        if rows > limit { Err(open.damaged("more rows than its bytes can hold")) } else { Ok(open) }
    }

    /// An error about this table.
    pub fn damaged(&self, why: impl std::fmt::Display) -> ReadError {
        ReadError::damaged(self.table, why)
    }

    /// Number of row groups.
    pub fn groups(&self) -> usize {
        self.reader.metadata().num_row_groups()
    }

    /// Rows of a row group, as the footer claims.
    pub fn rows(&self, group: usize) -> usize {
        usize::try_from(self.reader.metadata().row_group(group).num_rows()).unwrap_or(0)
    }

    /// Rows of all row groups, as the footer claims; bounded by the file's size.
    pub fn all_rows(&self) -> usize {
        (0..self.groups()).map(|g| self.rows(g)).sum()
    }

    /// The number of a column, which must not be nested.
    fn find(&self, name: &str) -> Result<usize> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let at = schema.columns().iter().position(|c| c.path().parts().len() == 1 && c.name() == name);
        let at = at.ok_or_else(|| self.damaged(format_args!("no column {name}")))?;
        let column = schema.column(at);
        if column.max_rep_level() > 0 || column.max_def_level() > 1 {
            return Err(self.damaged(format_args!("column {name} is nested")));
        }
        Ok(at)
    }

    /// A whole column of one row group through the stock readers, after a survey
    /// of its pages.
    fn stock(&self, group: usize, at: usize) -> Result<Column> {
        let nullable = self.about(group, at).nullable;
        guarded(self.table, || {
            let reader = self.reader.get_row_group(group)?.get_column_reader(at)?;
            read_column(reader, self.rows(group), nullable)
        })
    }

    /// Hands a column of one row group to `each`, page after page: its rows, and
    /// the dictionary so far.
    pub fn pages(
        &self,
        buffers: &mut Buffers,
        group: usize,
        name: &str,
        want: Want,
        mut each: impl FnMut(&Rows, &Dictionary) -> std::result::Result<(), &'static str>,
    ) -> Result<()> {
        let at = self.find(name)?;
        let about = self.about(group, at);
        let fits = match want {
            Want::Text => about.physical == Type::BYTE_ARRAY,
            Want::Truth => about.physical == Type::BOOLEAN,
            Want::Narrow | Want::Wide => matches!(about.physical, Type::INT32 | Type::INT64),
        };
        if !fits {
            return Err(self.damaged(format_args!("column {name} has the type {}", about.physical)));
        }
        let unsigned = self.is_unsigned(at);
        let Buffers { loader, chunk, rows } = buffers;
        self.read_chunk(group, at, chunk)?;
        let mut turned = Rows::default();
        let mut hand = |rows: &Rows, dictionary: &Dictionary| match (want, about.physical) {
            (Want::Narrow, Type::INT64) | (Want::Wide, Type::INT32) => {
                turn(rows, unsigned, &mut turned)?;
                each(&turned, dictionary)
            }
            _ => each(rows, dictionary),
        };
        let done = match loader.pages(chunk, about, rows, |rows, dictionary| Ok(hand(rows, dictionary)?)) {
            Err(Trouble::Unknown) => {
                let dictionary = &mut loader.dictionary;
                dictionary.clear();
                whole(self.stock(group, at)?, rows, dictionary);
                hand(rows, dictionary)
            }
            Err(Trouble::Bad(why)) => Err(why),
            Ok(()) => Ok(()),
        };
        done.map_err(|why| self.damaged(format_args!("column {name}: {why}")))
    }

    fn about(&self, group: usize, at: usize) -> About {
        let column = self.reader.metadata().row_group(group).column(at);
        About {
            physical: column.column_type(),
            compression: column.compression(),
            nullable: column.column_descr().max_def_level() == 1,
            rows: self.rows(group),
        }
    }

    fn is_unsigned(&self, at: usize) -> bool {
        let column = self.reader.metadata().file_metadata().schema_descr().column(at);
        matches!(column.logical_type_ref(), Some(LogicalType::Integer(int)) if !int.is_signed)
    }

    /// The bytes of a column chunk, which must lie in the file.
    fn read_chunk(&self, group: usize, at: usize, chunk: &mut Vec<u8>) -> Result<()> {
        chunk.clear();
        if self.rows(group) == 0 {
            // Some writers leave a group without rows, and a dictionary without pages.
            return Ok(());
        }
        let column = self.reader.metadata().row_group(group).column(at);
        let data = column.data_page_offset();
        // Some writers say 0 where there is no dictionary.
        let start = column.dictionary_page_offset().filter(|&d| d > 0 && d < data).unwrap_or(data);
        let outside = || self.damaged("a column lies outside the file");
        let (start, length) = (u64::try_from(start).ok(), u64::try_from(column.compressed_size()).ok());
        let (start, length) = start.zip(length).ok_or_else(outside)?;
        if start.checked_add(length).is_none_or(|end| end > self.bytes) {
            return Err(outside());
        }
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.take(length).read_to_end(chunk));
        match read {
            Ok(n) if n as u64 == length => Ok(()),
            Ok(_) => Err(outside()),
            Err(why) => Err(ReadError::Io { path: self.table.into(), why }),
        }
    }
}

/// Numbers of the other width than they are stored in.
fn turn(from: &Rows, unsigned: bool, to: &mut Rows) -> std::result::Result<(), &'static str> {
    to.count = from.count;
    to.present.clone_from(&from.present);
    to.wide.clear();
    to.wide.extend(from.narrow.iter().map(|&v| if unsigned { v as u64 } else { v as i32 as u64 }));
    to.narrow.clear();
    for &v in &from.wide {
        to.narrow.push(u32::try_from(v).map_err(|_| "a number past 32 bits")?);
    }
    Ok(())
}

/// A column from the stock readers in the form of pages: one page.
fn whole(column: Column, rows: &mut Rows, dictionary: &mut Dictionary) {
    let levels = |present: Vec<i16>| -> Vec<u8> { present.into_iter().map(|p| p as u8 & 1).collect() };
    *rows = Rows::default();
    match column {
        Column::I32 { values, present } => {
            rows.count = if present.is_empty() { values.len() } else { present.len() };
            rows.narrow = values.into_iter().map(|v| v as u32).collect();
            rows.present = levels(present);
        }
        Column::I64 { values, present } => {
            rows.count = if present.is_empty() { values.len() } else { present.len() };
            rows.wide = values.into_iter().map(|v| v as u64).collect();
            rows.present = levels(present);
        }
        Column::Text { values, present } => {
            rows.count = if present.is_empty() { values.len() } else { present.len() };
            rows.narrow = (0..values.len() as u32).collect();
            values.iter().for_each(|v: &ByteArray| dictionary.push(v.data()));
            rows.present = levels(present);
        }
        Column::Bool { values, present } => {
            rows.count = if present.is_empty() { values.len() } else { present.len() };
            rows.narrow = values.into_iter().map(u32::from).collect();
            rows.present = levels(present);
        }
    }
}

/// Runs a part of the stock reader, which is not made for hostile files: should
/// it panic on one, the file is damaged.
fn guarded<T>(file: &str, work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|e| ReadError::damaged(file, e)),
        Err(_) => Err(ReadError::damaged(file, "it does not hold together")),
    }
}
