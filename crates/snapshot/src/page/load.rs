//! The pages of one column chunk, taken apart: levels and values of every page in
//! turn.  Knows the encodings that our files have (and most others'); a chunk it
//! does not know it says so, before the first page, and the stock readers serve.

use parquet::basic::{Compression, Encoding, Type};
use zstd::bulk::Decompressor;

use super::header::{self, Header, Kind};
use super::{delta, hybrid};

/// No page or dictionary that is read here is larger, in bytes.
const PAGE_MAX: usize = 256 << 20;

/// Why a chunk could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// Damaged: what does not fit.
    Bad(&'static str),
    /// Sound as far as can be told, in an encoding that is not known here.
    Unknown,
}

impl From<&'static str> for Trouble {
    fn from(why: &'static str) -> Trouble {
        Trouble::Bad(why)
    }
}

type Result<T> = std::result::Result<T, Trouble>;

/// What the footer says of a chunk, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// The physical type.
    pub physical: Type,
    /// How pages are compressed.
    pub compression: Compression,
    /// Whether rows may have no value.
    pub nullable: bool,
    /// Rows of the row group.
    pub rows: usize,
}

/// One page's rows.  Only the fields that belong to the type are filled.
#[derive(Default, Debug)]
pub(crate) struct Rows {
    /// Rows of the page.
    pub count: usize,
    /// 1 or 0 a row; empty where every row has a value.
    pub present: Vec<u8>,
    /// INT32 values, 0 or 1 for a truth value, or a text's place in the dictionary.
    pub narrow: Vec<u32>,
    /// INT64 values.
    pub wide: Vec<u64>,
}

/// A chunk's dictionary; texts of pages without one are added to it as they come.
#[derive(Default, Debug)]
pub(crate) struct Dictionary {
    /// Of INT32.
    pub narrow: Vec<u32>,
    /// Of INT64.
    pub wide: Vec<u64>,
    /// Of texts: all of them, and where each ends.
    pub text: Vec<u8>,
    /// Ends in `text`.
    pub ends: Vec<usize>,
}

impl Dictionary {
    /// The texts from number `first` on.
    pub fn texts_from(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).skip(first).map(|(start, &end)| &self.text[start..end])
    }

    /// Appends a text.
    pub fn push(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.ends.push(self.text.len());
    }

    /// Appends texts, each behind its length.
    fn take_texts(&mut self, mut bytes: &[u8], count: usize) -> Option<()> {
        // A text takes its length's four bytes at least.
        if count > bytes.len() / 4 {
            return None;
        }
        for _ in 0..count {
            let length = bytes.split_off(..4)?.try_into().ok()?;
            self.push(bytes.split_off(..u32::from_le_bytes(length) as usize)?);
        }
        Some(())
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.narrow.clear();
        self.wide.clear();
        self.text.clear();
        self.ends.clear();
    }
}

/// Takes chunks apart; keeps its buffers from one to the next.
pub(crate) struct Loader {
    zstd: Decompressor<'static>,
    body: Vec<u8>,
    places: Vec<u32>,
    /// The current chunk's.
    pub dictionary: Dictionary,
}

impl Loader {
    /// Ready.
    pub fn new() -> std::io::Result<Loader> {
        let (body, places) = (Vec::new(), Vec::new());
        Ok(Loader { zstd: Decompressor::new()?, body, places, dictionary: Dictionary::default() })
    }

    /// Hands each page's rows to `each`, in order; it sees the dictionary too.
    /// [`Trouble::Unknown`] comes before the first call.
    pub fn pages(
        &mut self,
        chunk: &[u8],
        about: About,
        rows: &mut Rows,
        mut each: impl FnMut(&Rows, &Dictionary) -> Result<()>,
    ) -> Result<()> {
        survey(chunk, about)?;
        self.dictionary.clear();
        let mut rest = chunk;
        while !rest.is_empty() {
            let header = header::take(&mut rest).ok_or("a page's header does not fit")?;
            let body = rest.split_off(..header.compressed).ok_or("a page is cut off")?;
            match header.kind {
                Kind::Dictionary => self.take_dictionary(body, header, about)?,
                Kind::Data | Kind::DataV2 { .. } => {
                    self.page(body, header, about, rows)?;
                    each(rows, &self.dictionary)?;
                }
                Kind::Other => {}
            }
        }
        Ok(())
    }

    /// Decompresses into `self.body`.
    fn inflate(&mut self, body: &[u8], uncompressed: usize, how: Compression) -> Result<()> {
        self.body.clear();
        if how == Compression::UNCOMPRESSED {
            self.body.extend_from_slice(body);
        } else if uncompressed > 0 {
            self.body.try_reserve(uncompressed).map_err(|_| "a page too large for this machine")?;
            let done = self.zstd.decompress_to_buffer(body, &mut self.body);
            done.map_err(|_| "a page does not decompress")?;
        }
        if self.body.len() == uncompressed { Ok(()) } else { Err("a page is not as long as its header says".into()) }
    }

    fn take_dictionary(&mut self, body: &[u8], header: Header, about: About) -> Result<()> {
        self.inflate(body, header.uncompressed, about.compression)?;
        let Loader { body, dictionary, .. } = self;
        dictionary.clear();
        let short = "a dictionary is cut off";
        match about.physical {
            Type::INT32 => plain_narrow(body, header.values, &mut dictionary.narrow).ok_or(short)?,
            Type::INT64 => plain_wide(body, header.values, &mut dictionary.wide).ok_or(short)?,
            _ => dictionary.take_texts(body, header.values).ok_or(short)?,
        }
        Ok(())
    }

    fn page(&mut self, body: &[u8], header: Header, about: About, rows: &mut Rows) -> Result<()> {
        rows.count = header.values;
        rows.present.clear();
        rows.narrow.clear();
        rows.wide.clear();
        let mut present = header.values;
        if let Kind::DataV2 { levels, compressed } = header.kind {
            let (front, values) = body.split_at_checked(levels).ok_or("levels are cut off")?;
            let how = if compressed { about.compression } else { Compression::UNCOMPRESSED };
            self.inflate(values, header.uncompressed.saturating_sub(levels), how)?;
            if about.nullable {
                present = take_levels(front, header.values, &mut rows.present, &mut self.places)?;
            }
            return self.values(0, header, about, present, rows);
        }
        self.inflate(body, header.uncompressed, about.compression)?;
        let mut start = 0;
        if about.nullable {
            let mut rest = self.body.as_slice();
            let cut = "levels are cut off";
            let length = rest.split_off(..4).and_then(|four| four.try_into().ok()).ok_or(cut)?;
            let levels = rest.split_off(..u32::from_le_bytes(length) as usize).ok_or(cut)?;
            present = take_levels(levels, header.values, &mut rows.present, &mut self.places)?;
            start = 4 + levels.len();
        }
        self.values(start, header, about, present, rows)
    }

    /// The values of a page, from `start` of the decompressed body on.
    fn values(&mut self, start: usize, header: Header, about: About, count: usize, rows: &mut Rows) -> Result<()> {
        let bytes = self.body.get(start..).unwrap_or(&[]);
        let cut = "values are cut off";
        let dictionary = &mut self.dictionary;
        match (about.physical, Coding::of(header.encoding).ok_or(Trouble::Unknown)?) {
            (Type::INT32, Coding::Plain) => plain_narrow(bytes, count, &mut rows.narrow).ok_or(cut)?,
            (Type::INT64, Coding::Plain) => plain_wide(bytes, count, &mut rows.wide).ok_or(cut)?,
            (Type::INT32, Coding::Delta) => delta::decode(bytes, count, &mut rows.narrow)?,
            (Type::INT64, Coding::Delta) => delta::decode(bytes, count, &mut rows.wide)?,
            (Type::INT32, Coding::Places) => {
                self.places.clear();
                take_places(bytes, count, dictionary.narrow.len(), &mut self.places)?;
                rows.narrow.extend(self.places.iter().map(|&p| dictionary.narrow[p as usize]));
            }
            (Type::INT64, Coding::Places) => {
                self.places.clear();
                take_places(bytes, count, dictionary.wide.len(), &mut self.places)?;
                rows.wide.extend(self.places.iter().map(|&p| dictionary.wide[p as usize]));
            }
            (Type::BOOLEAN, Coding::Plain) => plain_bits(bytes, count, &mut rows.narrow).ok_or(cut)?,
            (Type::BOOLEAN, _) => return Err(Trouble::Unknown),
            (_, Coding::Places) => take_places(bytes, count, dictionary.ends.len(), &mut rows.narrow)?,
            (_, Coding::Plain) => {
                let first = dictionary.ends.len();
                dictionary.take_texts(bytes, count).ok_or(cut)?;
                rows.narrow.extend((first..dictionary.ends.len()).map(|place| place as u32));
            }
            _ => return Err(Trouble::Unknown),
        }
        Ok(())
    }
}

/// How values are coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Coding {
    Plain,
    Places,
    Delta,
}

impl Coding {
    fn of(encoding: i32) -> Option<Coding> {
        const PLAIN: i32 = Encoding::PLAIN as i32;
        const PLACES: i32 = Encoding::RLE_DICTIONARY as i32;
        const OLD_PLACES: i32 = 2; // PLAIN_DICTIONARY
        const DELTA: i32 = Encoding::DELTA_BINARY_PACKED as i32;
        match encoding {
            PLAIN => Some(Coding::Plain),
            PLACES | OLD_PLACES => Some(Coding::Places),
            DELTA => Some(Coding::Delta),
            _ => None,
        }
    }
}

/// Looks over a chunk's headers: that pages fit into the chunk, are of decent
/// size, and have the row group's rows together; and whether all can be read here.
pub(crate) fn survey(chunk: &[u8], about: About) -> Result<()> {
    let mut rest = chunk;
    let (mut rows, mut known) = (0usize, true);
    while !rest.is_empty() {
        let header = header::take(&mut rest).ok_or("a page's header does not fit")?;
        rest.split_off(..header.compressed).ok_or("a page is cut off")?;
        if header.uncompressed > PAGE_MAX {
            return Err("a page larger than any that is read".into());
        }
        let coding = Coding::of(header.encoding);
        match header.kind {
            Kind::Dictionary => known &= matches!(coding, Some(Coding::Plain | Coding::Places)),
            Kind::Data | Kind::DataV2 { .. } => {
                rows = rows.saturating_add(header.values);
                known &= match about.physical {
                    Type::INT32 | Type::INT64 => coding.is_some(),
                    Type::BYTE_ARRAY => matches!(coding, Some(Coding::Places | Coding::Plain)),
                    Type::BOOLEAN => coding == Some(Coding::Plain),
                    _ => false,
                };
            }
            Kind::Other => {}
        }
    }
    if rows != about.rows {
        return Err("a column has not as many rows as its row group".into());
    }
    let codec = matches!(about.compression, Compression::UNCOMPRESSED | Compression::ZSTD(_));
    if known && codec { Ok(()) } else { Err(Trouble::Unknown) }
}

/// Definition levels of a column that is not nested; gives how many are 1.
/// `present` stays empty when all are.
fn take_levels(bytes: &[u8], count: usize, present: &mut Vec<u8>, spare: &mut Vec<u32>) -> Result<usize> {
    spare.clear();
    hybrid::decode(bytes, 1, count, spare)?;
    let set = spare.iter().map(|l| (l & 1) as usize).sum();
    if set < count {
        present.extend(spare.iter().map(|&l| l as u8 & 1));
    }
    Ok(set)
}

/// Dictionary indices, all below `len`.
fn take_places(bytes: &[u8], count: usize, len: usize, places: &mut Vec<u32>) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let (&width, packed) = bytes.split_first().ok_or("values are cut off")?;
    hybrid::decode(packed, width as u32, count, places)?;
    match places.iter().fold(0, |most, &p| most.max(p)) as usize {
        most if most < len => Ok(()),
        _ => Err("a place past the end of the dictionary".into()),
    }
}

fn plain_bits(bytes: &[u8], count: usize, out: &mut Vec<u32>) -> Option<()> {
    let bits = bytes.get(..count.div_ceil(8))?.iter().flat_map(|byte| (0..8).map(move |bit| (byte >> bit & 1) as u32));
    out.extend(bits.take(count));
    Some(())
}

fn plain_narrow(bytes: &[u8], count: usize, out: &mut Vec<u32>) -> Option<()> {
    out.extend(bytes.as_chunks::<4>().0.get(..count)?.iter().map(|&four| u32::from_le_bytes(four)));
    Some(())
}

fn plain_wide(bytes: &[u8], count: usize, out: &mut Vec<u64>) -> Option<()> {
    out.extend(bytes.as_chunks::<8>().0.get(..count)?.iter().map(|&eight| u64::from_le_bytes(eight)));
    Some(())
}
