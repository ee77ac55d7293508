//! The columns of `edges.parquet`: staged by the page, encoded, gathered into
//! row groups.  Knows each column's habits; `docs/FORMAT.md` has the figures.

use std::io;

use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;
use undying_graph::{Certainty, Edge, EdgeKind};

use super::dictionary::Ids;
use super::file::{TableFile, io_error};
use super::objects::column;
use crate::page::chunk::{Chunk, Codec};
use crate::page::delta::{self, Width};
use crate::page::hybrid;
use crate::schema::{GROUP_ROWS, PAGE_ROWS};

/// Bit of an edge's tag: its number is a label.
const IS_LABEL: u32 = 6;
/// Bit of an edge's tag: its number is an index.
const IS_INDEX: u32 = 7;

/// A page's worth of references.
pub(super) struct EdgePage {
    source: Box<[u32; PAGE_ROWS]>,
    target: Box<[u32; PAGE_ROWS]>,
    /// [`Edge::pack`]'s.
    tag: Box<[u8; PAGE_ROWS]>,
    number: Box<[u32; PAGE_ROWS]>,
    len: usize,
}

impl EdgePage {
    /// Empty.
    pub fn new() -> EdgePage {
        EdgePage { source: column(), target: column(), tag: column(), number: column(), len: 0 }
    }

    /// Takes as many of one object's references as there is room for; gives the rest.
    #[inline]
    pub fn push<'a>(&mut self, source: u32, edges: &'a [Edge]) -> &'a [Edge] {
        let mut i = self.len;
        for (n, e) in edges.iter().enumerate() {
            if i >= PAGE_ROWS {
                self.len = i;
                return &edges[n..];
            }
            self.source[i] = source;
            self.target[i] = e.target.0;
            (self.tag[i], self.number[i]) = e.pack();
            i += 1;
        }
        self.len = i;
        &[]
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

/// The texts of labels by number, as the encoder has been told them.
#[derive(Default)]
pub(super) struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    /// The next label.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    /// Appends those of another table, which starts where this one ends.
    pub fn append(&mut self, other: &Texts) {
        let base = self.text.len();
        self.text.push_str(&other.text);
        self.ends.extend(other.ends.iter().map(|e| base + e));
    }

    /// How many.
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, id: u32) -> &str {
        let i = id as usize;
        let start = if i == 0 { 0 } else { self.ends.get(i - 1).copied().unwrap_or(0) };
        self.ends.get(i).and_then(|&end| self.text.get(start..end)).unwrap_or("")
    }
}

/// Encodes pages of references and writes row groups.
pub(super) struct Edges {
    file: TableFile,
    codec: Codec,
    /// For columns in which compression finds little: quick.
    quick: Codec,
    source: Chunk,
    target: Chunk,
    kind: Chunk,
    label: Chunk,
    index: Chunk,
    certainty: Chunk,
    labels: Ids,
    first_source: u32,
    last_source: u32,
    rows: usize,
    body: Vec<u8>,
    places: Vec<u32>,
    numbers: Vec<u64>,
}

impl Edges {
    /// Into this file.
    pub fn new(file: TableFile) -> io::Result<Edges> {
        Ok(Edges {
            file,
            codec: Codec::new(1)?,
            quick: Codec::new(-1000)?,
            source: Chunk::default(),
            target: Chunk::default(),
            kind: Chunk::default(),
            label: Chunk::default(),
            index: Chunk::default(),
            certainty: Chunk::default(),
            labels: Ids::default(),
            first_source: 0,
            last_source: 0,
            rows: 0,
            body: Vec::new(),
            places: vec![0; PAGE_ROWS],
            numbers: vec![0; PAGE_ROWS],
        })
    }

    /// Encodes a page, and writes a row group when it is full.
    pub fn page(&mut self, page: &EdgePage, texts: &Texts) -> io::Result<()> {
        let rows = page.len;
        let (source, target) = (&page.source[..rows], &page.target[..rows]);
        let (tag, number) = (&page.tag[..rows], &page.number[..rows]);
        if self.rows == 0 {
            self.first_source = source.first().copied().unwrap_or(0);
        }
        self.last_source = source.last().copied().unwrap_or(0);

        self.body.clear();
        delta::encode_u32(source, Width::Bits, &mut self.body);
        self.source.page(&mut self.codec, &self.body, rows, 0, Encoding::DELTA_BINARY_PACKED)?;
        self.body.clear();
        delta::encode_u32(target, Width::Bits, &mut self.body);
        self.target.page(&mut self.quick, &self.body, rows, 0, Encoding::DELTA_BINARY_PACKED)?;
        self.body.clear();
        hybrid::put_tag_nibbles(tag, &mut self.body);
        self.kind.page(&mut self.codec, &self.body, rows, 0, Encoding::RLE_DICTIONARY)?;
        self.labels(tag, number, texts.len())?;
        self.indices(tag, number)?;
        self.body.clear();
        hybrid::put_pairs(tag, &mut self.body);
        self.certainty.page(&mut self.codec, &self.body, rows, 0, Encoding::RLE_DICTIONARY)?;

        self.rows += rows;
        if self.rows >= GROUP_ROWS { self.group(texts) } else { Ok(()) }
    }

    fn labels(&mut self, tag: &[u8], number: &[u32], texts: usize) -> io::Result<()> {
        self.body.clear();
        let set = hybrid::put_levels(tag, IS_LABEL, &mut self.body);
        let mut at = 0;
        // Every number is written, only a label's stays: no branch to guess.
        for (&tag, &number) in tag.iter().zip(number) {
            self.places[at.min(PAGE_ROWS - 1)] = number;
            at += (tag >> IS_LABEL & 1) as usize;
        }
        for place in &mut self.places[..set] {
            // A label that nobody told is none.
            *place = self.labels.place(if (*place as usize) < texts { *place } else { 0 });
        }
        let known = self.labels.used().len();
        let encoding = if known == 0 { Encoding::PLAIN } else { Encoding::RLE_DICTIONARY };
        if known > 0 {
            hybrid::put_indices(&self.places[..set], known, &mut self.body);
        }
        self.label.page(&mut self.codec, &self.body, tag.len(), tag.len() - set, encoding)
    }

    fn indices(&mut self, tag: &[u8], number: &[u32]) -> io::Result<()> {
        self.body.clear();
        let set = hybrid::put_levels(tag, IS_INDEX, &mut self.body);
        let mut at = 0;
        for (&tag, &number) in tag.iter().zip(number) {
            self.numbers[at.min(PAGE_ROWS - 1)] = number as u64;
            at += (tag >> IS_INDEX & 1) as usize;
        }
        delta::encode_u64(&self.numbers[..set], Width::Bits, &mut self.body);
        self.index.page(&mut self.codec, &self.body, tag.len(), tag.len() - set, Encoding::DELTA_BINARY_PACKED)
    }

    /// Writes the row group and starts the next.
    fn group(&mut self, texts: &Texts) -> io::Result<()> {
        put_texts(EdgeKind::ALL.iter().map(|k| k.name()), &mut self.body);
        self.kind.dictionary(&mut self.codec, &self.body, EdgeKind::ALL.len())?;
        put_texts(Certainty::ALL.iter().map(|c| c.name()), &mut self.body);
        self.certainty.dictionary(&mut self.codec, &self.body, Certainty::ALL.len())?;
        if !self.labels.used().is_empty() {
            put_texts(self.labels.used().iter().map(|&l| texts.get(l)), &mut self.body);
            self.label.dictionary(&mut self.codec, &self.body, self.labels.used().len())?;
            self.labels.clear();
        }
        self.write_group().map_err(io_error)?;
        self.rows = 0;
        Ok(())
    }

    fn write_group(&mut self) -> parquet::errors::Result<()> {
        let columns: Vec<_> = self.file.schema_descr().columns().to_vec();
        let sources =
            Statistics::int32(Some(self.first_source as i32), Some(self.last_source as i32), None, Some(0), false);
        let no_label = Statistics::byte_array(None, None, None, Some(self.label.nulls() as u64), false);
        let no_index = Statistics::int64(None, None, None, Some(self.index.nulls() as u64), false);
        let statistics = [Some(sources), None, None, Some(no_label), Some(no_index), None];
        let chunks =
            [&mut self.source, &mut self.target, &mut self.kind, &mut self.label, &mut self.index, &mut self.certainty];
        let mut group = self.file.next_row_group()?;
        for ((chunk, column), statistics) in chunks.into_iter().zip(columns).zip(statistics) {
            chunk.append_to(&mut group, column, statistics)?;
        }
        group.close()?;
        Ok(())
    }

    /// Writes what is left and closes the file.
    pub fn finish(mut self, texts: &Texts) -> io::Result<()> {
        if self.rows > 0 {
            self.group(texts)?;
        }
        self.file.close().map_err(io_error)?;
        Ok(())
    }
}

/// A dictionary page's body: each text behind its length.
fn put_texts<'a>(texts: impl Iterator<Item = &'a str>, body: &mut Vec<u8>) {
    body.clear();
    for text in texts {
        body.extend_from_slice(&(text.len() as u32).to_le_bytes());
        body.extend_from_slice(text.as_bytes());
    }
}
