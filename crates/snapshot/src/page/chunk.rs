//! One column of one row group on its way into the file: pages are compressed as
//! they come, the dictionary goes in front at the end.  Knows pages and their
//! bookkeeping, not what the values mean.

use std::io::{self, Cursor, Read, Write};

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::header;

/// Compresses pages, one context for all of a level.
pub(crate) struct Codec {
    zstd: Compressor<'static>,
    out: Vec<u8>,
}

impl Codec {
    /// For a zstd level; each page carries a checksum of its content.
    pub fn new(level: i32) -> io::Result<Codec> {
        let mut zstd = Compressor::new(level)?;
        zstd.set_parameter(CParameter::ChecksumFlag(true))?;
        // Columns repeat in long stretches or hardly at all: to look for shorter
        // matches costs a fifth more and finds nothing.
        zstd.set_parameter(CParameter::MinMatch(7))?;
        Ok(Codec { zstd, out: Vec::new() })
    }

    fn compress(&mut self, body: &[u8]) -> io::Result<&[u8]> {
        self.out.clear();
        self.out.reserve(zstd::zstd_safe::compress_bound(body.len()));
        self.zstd.compress_to_buffer(body, &mut self.out)?;
        Ok(&self.out)
    }
}

/// A column chunk being made.  [`Chunk::append_to`] empties it for the next.
#[derive(Default)]
pub(crate) struct Chunk {
    pages: Vec<u8>,
    dictionary: Vec<u8>,
    rows: usize,
    nulls: usize,
    uncompressed: usize,
    encodings: Vec<Encoding>,
}

impl Chunk {
    /// Appends a page of `rows` rows, `nulls` of them without a value.
    pub fn page(
        &mut self,
        codec: &mut Codec,
        body: &[u8],
        rows: usize,
        nulls: usize,
        encoding: Encoding,
    ) -> io::Result<()> {
        let at = self.pages.len();
        let packed = codec.compress(body)?;
        header::put_data(packed.len(), body.len(), rows, encoding, &mut self.pages);
        self.uncompressed += self.pages.len() - at + body.len();
        self.pages.extend_from_slice(packed);
        self.rows += rows;
        self.nulls += nulls;
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        Ok(())
    }

    /// Sets the dictionary: `count` values, PLAIN.
    pub fn dictionary(&mut self, codec: &mut Codec, body: &[u8], count: usize) -> io::Result<()> {
        let packed = codec.compress(body)?;
        header::put_dictionary(packed.len(), body.len(), count, &mut self.dictionary);
        self.uncompressed += self.dictionary.len() + body.len();
        self.dictionary.extend_from_slice(packed);
        Ok(())
    }

    /// Rows without a value so far.
    pub fn nulls(&self) -> usize {
        self.nulls
    }

    /// Appends the chunk to the row group as its next column.
    pub fn append_to<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        column: ColumnDescPtr,
        statistics: Option<Statistics>,
    ) -> Result<()> {
        let bytes = self.dictionary.len() + self.pages.len();
        let has_dictionary = !self.dictionary.is_empty();
        let mut encodings = self.encodings.clone();
        encodings.push(Encoding::RLE);
        if has_dictionary && !encodings.contains(&Encoding::PLAIN) {
            encodings.push(Encoding::PLAIN);
        }
        let mut metadata = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_encodings(encodings)
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(bytes as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_dictionary_page_offset(has_dictionary.then_some(0))
            .set_data_page_offset(self.dictionary.len() as i64);
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        group.append_column(&InOrder(&self.dictionary, &self.pages), close)?;
        self.clear();
        Ok(())
    }

    fn clear(&mut self) {
        self.pages.clear();
        self.dictionary.clear();
        self.encodings.clear();
        (self.rows, self.nulls, self.uncompressed) = (0, 0, 0);
    }
}

/// Two stretches of bytes read as one file.
struct InOrder<'a>(&'a [u8], &'a [u8]);

impl Length for InOrder<'_> {
    fn len(&self) -> u64 {
        (self.0.len() + self.1.len()) as u64
    }
}

impl<'a> ChunkReader for InOrder<'a> {
    type T = io::Chain<Cursor<&'a [u8]>, Cursor<&'a [u8]>>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        if start != 0 {
            return Err(ParquetError::General("a column chunk is read from its start".into()));
        }
        Ok(Cursor::new(self.0).chain(Cursor::new(self.1)))
    }

    fn get_bytes(&self, _start: u64, _length: usize) -> Result<bytes::Bytes> {
        Err(ParquetError::General("a column chunk is read in one piece".into()))
    }
}
