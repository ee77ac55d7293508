//! Whole columns of the small tables through the stock Parquet writers and
//! readers, and of any table that another program wrote.  Knows Parquet's
//! types, not what a column means.

use std::io::Write;

use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedFileWriter;

/// A column of one row group.  `present` is empty where every row has a value,
/// else 1 or 0 a row; `values` has the present ones only.
#[derive(Debug)]
pub(crate) enum Column {
    /// 32-bit integers, signed or not.
    I32 { values: Vec<i32>, present: Vec<i16> },
    /// 64-bit integers.
    I64 { values: Vec<i64>, present: Vec<i16> },
    /// Truth values.
    Bool { values: Vec<bool>, present: Vec<i16> },
    /// Texts.
    Text { values: Vec<ByteArray>, present: Vec<i16> },
}

impl Column {
    /// Unsigned 32-bit integers.
    pub fn u32(values: impl Iterator<Item = u32>) -> Column {
        Column::I32 { values: values.map(|v| v as i32).collect(), present: Vec::new() }
    }

    /// Unsigned 32-bit integers, some missing.
    pub fn u32_or_null(rows: impl Iterator<Item = Option<u32>>) -> Column {
        let (values, present) = split(rows.map(|v| v.map(|v| v as i32)));
        Column::I32 { values, present }
    }

    /// 64-bit integers; unsigned ones keep their bits.
    pub fn i64(values: impl Iterator<Item = u64>) -> Column {
        Column::I64 { values: values.map(|v| v as i64).collect(), present: Vec::new() }
    }

    /// 64-bit integers, some missing.
    pub fn i64_or_null(rows: impl Iterator<Item = Option<u64>>) -> Column {
        let (values, present) = split(rows.map(|v| v.map(|v| v as i64)));
        Column::I64 { values, present }
    }

    /// Truth values.
    pub fn bool(values: impl Iterator<Item = bool>) -> Column {
        Column::Bool { values: values.collect(), present: Vec::new() }
    }

    /// Truth values, some missing.
    pub fn bool_or_null(rows: impl Iterator<Item = Option<bool>>) -> Column {
        let (values, present) = split(rows);
        Column::Bool { values, present }
    }

    /// Texts.
    pub fn text<'a>(values: impl Iterator<Item = &'a str>) -> Column {
        Column::Text { values: values.map(ByteArray::from).collect(), present: Vec::new() }
    }

    /// Texts, some missing.
    pub fn text_or_null<'a>(rows: impl Iterator<Item = Option<&'a str>>) -> Column {
        let (values, present) = split(rows.map(|v| v.map(ByteArray::from)));
        Column::Text { values, present }
    }
}

fn split<T>(rows: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let (mut values, mut present) = (Vec::new(), Vec::new());
    for row in rows {
        present.push(row.is_some() as i16);
        values.extend(row);
    }
    (values, present)
}

/// Writes one row group: the table's columns in order.
pub(crate) fn write_group<W: Write + Send>(file: &mut SerializedFileWriter<W>, columns: &[Column]) -> Result<()> {
    let mut group = file.next_row_group()?;
    for column in columns {
        let mut writer = group.next_column()?.ok_or_else(|| ParquetError::General("a column too many".into()))?;
        write_column(writer.untyped(), column)?;
        writer.close()?;
    }
    group.close()?;
    Ok(())
}

fn write_column(writer: &mut ColumnWriter<'_>, column: &Column) -> Result<()> {
    match (writer, column) {
        (ColumnWriter::Int32ColumnWriter(w), Column::I32 { values, present }) => {
            w.write_batch(values, levels(present), None)?
        }
        (ColumnWriter::Int64ColumnWriter(w), Column::I64 { values, present }) => {
            w.write_batch(values, levels(present), None)?
        }
        (ColumnWriter::BoolColumnWriter(w), Column::Bool { values, present }) => {
            w.write_batch(values, levels(present), None)?
        }
        (ColumnWriter::ByteArrayColumnWriter(w), Column::Text { values, present }) => {
            w.write_batch(values, levels(present), None)?
        }
        _ => return Err(ParquetError::General("a column of another type".into())),
    };
    Ok(())
}

fn levels(present: &[i16]) -> Option<&[i16]> {
    (!present.is_empty()).then_some(present)
}

/// Reads `rows` rows of a column; fewer are an error.
pub(crate) fn read_column(reader: ColumnReader, rows: usize, nullable: bool) -> Result<Column> {
    let mut present = Vec::new();
    macro_rules! read {
        ($reader:expr) => {{
            let (mut reader, mut values) = ($reader, Vec::new());
            let mut got = 0;
            while got < rows {
                let levels = nullable.then_some(&mut present);
                let (n, _, _) = reader.read_records(rows - got, levels, None, &mut values)?;
                if n == 0 {
                    return Err(ParquetError::General(format!("{got} rows where {rows} should be")));
                }
                got += n;
            }
            values
        }};
    }
    Ok(match reader {
        ColumnReader::Int32ColumnReader(r) => Column::I32 { values: read!(r), present },
        ColumnReader::Int64ColumnReader(r) => Column::I64 { values: read!(r), present },
        ColumnReader::BoolColumnReader(r) => Column::Bool { values: read!(r), present },
        ColumnReader::ByteArrayColumnReader(r) => Column::Text { values: read!(r), present },
        _ => return Err(ParquetError::General("a type that no column has".into())),
    })
}
