//! The columns of `objects.parquet`: staged by the page, encoded, gathered into
//! row groups.  Knows each column's habits; `docs/FORMAT.md` has the figures.

use std::io;

use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;
use undying_graph::{Flags, ObjectRow};

use super::dictionary::{Ids, Values};
use super::file::{TableFile, io_error};
use crate::page::chunk::{Chunk, Codec};
use crate::page::delta::{self, Width};
use crate::page::hybrid;
use crate::schema::{GROUP_ROWS, PAGE_ROWS};

/// Past this many values in a row group a dictionary does not pay.
const DICTIONARY_MAX: usize = 1 << 16;

/// A page's worth of objects.
pub(super) struct ObjectPage {
    address: Box<[u64; PAGE_ROWS]>,
    type_id: Box<[u32; PAGE_ROWS]>,
    shallow: Box<[u64; PAGE_ROWS]>,
    refcount: Box<[u64; PAGE_ROWS]>,
    flags: Box<[u8; PAGE_ROWS]>,
    /// Bit 0: the reference count is known.
    known: Box<[u8; PAGE_ROWS]>,
    len: usize,
}

impl ObjectPage {
    /// Empty.
    pub fn new() -> ObjectPage {
        ObjectPage {
            address: column(),
            type_id: column(),
            shallow: column(),
            refcount: column(),
            flags: column(),
            known: column(),
            len: 0,
        }
    }

    /// Takes one object, if there is room.
    #[inline]
    pub fn push(&mut self, row: &ObjectRow) {
        let i = self.len;
        if i < PAGE_ROWS {
            self.address[i] = row.address;
            self.type_id[i] = row.type_id.0;
            self.shallow[i] = row.shallow_bytes;
            self.refcount[i] = row.refcount.unwrap_or(0);
            self.flags[i] = row.flags.0;
            self.known[i] = row.refcount.is_some() as u8;
            self.len = i + 1;
        }
    }

    /// Whether no more will fit.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == PAGE_ROWS
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

/// Room for one column of a page.
pub(super) fn column<T: Copy + Default>() -> Box<[T; PAGE_ROWS]> {
    let zeros = vec![T::default(); PAGE_ROWS].into_boxed_slice();
    // As long as asked for: the other arm is for the types only.
    zeros.try_into().unwrap_or_else(|_| Box::new([T::default(); PAGE_ROWS]))
}

/// Encodes pages of objects and writes row groups.
pub(super) struct Objects {
    file: TableFile,
    codec: Codec,
    /// In the order of the schema.
    address: Chunk,
    type_id: Chunk,
    shallow: Chunk,
    refcount: Chunk,
    tracked: Chunk,
    flags: Chunk,
    types: Ids,
    sizes: Values,
    counts: Values,
    flag_sets: Ids,
    first_address: u64,
    last_address: u64,
    rows: usize,
    body: Vec<u8>,
    indices: Vec<u32>,
}

impl Objects {
    /// Into this file.
    pub fn new(file: TableFile) -> io::Result<Objects> {
        Ok(Objects {
            file,
            codec: Codec::new(1)?,
            address: Chunk::default(),
            type_id: Chunk::default(),
            shallow: Chunk::default(),
            refcount: Chunk::default(),
            tracked: Chunk::default(),
            flags: Chunk::default(),
            types: Ids::default(),
            sizes: Values::default(),
            counts: Values::default(),
            flag_sets: Ids::default(),
            first_address: 0,
            last_address: 0,
            rows: 0,
            body: Vec::new(),
            indices: Vec::new(),
        })
    }

    /// Encodes a page, and writes a row group when it is full.
    pub fn page(&mut self, page: &ObjectPage) -> io::Result<()> {
        let rows = page.len;
        self.addresses(page)?;
        self.body.clear();
        self.indices.clear();
        self.indices.extend(page.type_id[..rows].iter().map(|&t| self.types.place(t)));
        hybrid::put_indices(&self.indices, self.types.used().len(), &mut self.body);
        self.type_id.page(&mut self.codec, &self.body, rows, 0, Encoding::RLE_DICTIONARY)?;

        self.body.clear();
        let encoding = put_values(&page.shallow[..rows], &mut self.sizes, &mut self.indices, &mut self.body);
        self.shallow.page(&mut self.codec, &self.body, rows, 0, encoding)?;

        self.refcounts(page)?;
        self.flag_columns(page)?;
        self.rows += rows;
        if self.rows >= GROUP_ROWS { self.group() } else { Ok(()) }
    }

    fn addresses(&mut self, page: &ObjectPage) -> io::Result<()> {
        if self.rows == 0 {
            self.first_address = page.address[0];
        }
        self.last_address = page.address[page.len.saturating_sub(1)];
        self.body.clear();
        delta::encode_u64(&page.address[..page.len], Width::Bytes, &mut self.body);
        self.address.page(&mut self.codec, &self.body, page.len, 0, Encoding::DELTA_BINARY_PACKED)
    }

    fn refcounts(&mut self, page: &ObjectPage) -> io::Result<()> {
        let rows = page.len;
        self.body.clear();
        let known = hybrid::put_levels(&page.known[..rows], 0, &mut self.body);
        let encoding = if known == rows {
            put_values(&page.refcount[..rows], &mut self.counts, &mut self.indices, &mut self.body)
        } else {
            let present = page.refcount[..rows].iter().zip(&page.known[..rows]).filter(|(_, k)| **k == 1);
            let present: Vec<u64> = present.map(|(r, _)| *r).collect();
            put_values(&present, &mut self.counts, &mut self.indices, &mut self.body)
        };
        self.refcount.page(&mut self.codec, &self.body, rows, rows - known, encoding)
    }

    fn flag_columns(&mut self, page: &ObjectPage) -> io::Result<()> {
        let rows = page.len;
        self.body.clear();
        hybrid::put_bits(&page.flags[..rows], Flags::GC_TRACKED.0.trailing_zeros(), &mut self.body);
        self.tracked.page(&mut self.codec, &self.body, rows, 0, Encoding::PLAIN)?;

        self.body.clear();
        self.indices.clear();
        self.indices.extend(page.flags[..rows].iter().map(|&f| self.flag_sets.place(f as u32)));
        hybrid::put_indices(&self.indices, self.flag_sets.used().len(), &mut self.body);
        self.flags.page(&mut self.codec, &self.body, rows, 0, Encoding::RLE_DICTIONARY)
    }

    /// Writes the row group and starts the next.
    fn group(&mut self) -> io::Result<()> {
        for (chunk, ids) in [(&mut self.type_id, &mut self.types), (&mut self.flags, &mut self.flag_sets)] {
            self.body.clear();
            ids.used().iter().for_each(|id| self.body.extend_from_slice(&id.to_le_bytes()));
            chunk.dictionary(&mut self.codec, &self.body, ids.used().len())?;
            ids.clear();
        }
        for (chunk, values) in [(&mut self.shallow, &mut self.sizes), (&mut self.refcount, &mut self.counts)] {
            self.body.clear();
            values.used().iter().for_each(|v| self.body.extend_from_slice(&v.to_le_bytes()));
            chunk.dictionary(&mut self.codec, &self.body, values.used().len())?;
            values.clear();
        }
        self.write_group().map_err(io_error)?;
        self.rows = 0;
        Ok(())
    }

    fn write_group(&mut self) -> parquet::errors::Result<()> {
        let columns: Vec<_> = self.file.schema_descr().columns().to_vec();
        let range = |first: u64, last: u64| {
            Some(Statistics::int64(Some(first as i64), Some(last as i64), None, Some(0), false))
        };
        let nulls = Some(Statistics::int64(None, None, None, Some(self.refcount.nulls() as u64), false));
        let statistics = [range(self.first_address, self.last_address), None, None, nulls, None, None];
        let chunks = [
            &mut self.address,
            &mut self.type_id,
            &mut self.shallow,
            &mut self.refcount,
            &mut self.tracked,
            &mut self.flags,
        ];
        let mut group = self.file.next_row_group()?;
        for ((chunk, column), statistics) in chunks.into_iter().zip(columns).zip(statistics) {
            chunk.append_to(&mut group, column, statistics)?;
        }
        group.close()?;
        Ok(())
    }

    /// Writes what is left and closes the file.
    pub fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.group()?;
        }
        self.file.close().map_err(io_error)?;
        Ok(())
    }
}

/// Appends numbers as dictionary indices, or plainly when the row group has too
/// many different ones.
fn put_values(values: &[u64], dictionary: &mut Values, indices: &mut Vec<u32>, body: &mut Vec<u8>) -> Encoding {
    if dictionary.used().len() >= DICTIONARY_MAX {
        values.iter().for_each(|v| body.extend_from_slice(&v.to_le_bytes()));
        return Encoding::PLAIN;
    }
    indices.clear();
    indices.extend(values.iter().map(|&v| dictionary.place(v)));
    if dictionary.used().is_empty() {
        return Encoding::PLAIN;
    }
    hybrid::put_indices(indices, dictionary.used().len(), body);
    Encoding::RLE_DICTIONARY
}
