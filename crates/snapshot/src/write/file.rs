//! An open table file, and the errors of one.  Knows buffers, no columns.

use std::fs::File;
use std::io::{self, BufWriter};

use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use crate::directory::Partial;
use crate::schema::Table;

/// A table that is being written.
pub(super) type TableFile = SerializedFileWriter<BufWriter<File>>;

/// Bytes that are handed to the system at once.
const BUFFER: usize = 256 << 10;

/// Starts a table in the directory.
pub(super) fn open(directory: &Partial, table: &Table, undying: &str) -> io::Result<TableFile> {
    let file = BufWriter::with_capacity(BUFFER, directory.file(table.file)?);
    let properties = table.properties(undying).map_err(io_error)?;
    let schema = table.parsed().map_err(io_error)?;
    SerializedFileWriter::new(file, schema, properties).map_err(io_error)
}

/// The system's own error where there is one inside: a full disk stays one.
pub(super) fn io_error(e: ParquetError) -> io::Error {
    match e {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(e) => *e,
            Err(e) => io::Error::other(e),
        },
        e => io::Error::other(e),
    }
}
