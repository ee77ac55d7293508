//! Page headers (parquet-format's parquet.thrift, PageHeader, in Thrift's compact
//! protocol): written for our pages, read for anybody's.  A header is checked
//! against the bytes that are there before anything is allocated by it.

use parquet::basic::Encoding;

use super::varint;

const BOOL_TRUE: u8 = 1;
const BOOL_FALSE: u8 = 2;
const I32: u8 = 5;
const STRUCT: u8 = 12;

/// What a page holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The values that indices point to.
    Dictionary,
    /// Rows, the levels inside the compressed part.
    Data,
    /// Rows, the levels in front of the compressed part.
    DataV2 {
        /// Bytes of definition levels.
        levels: usize,
        /// Whether the values are compressed.
        compressed: bool,
    },
    /// Something else: to be skipped.
    Other,
}

/// What a header says, as far as anybody here wants to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// What the page holds.
    pub kind: Kind,
    /// Bytes of the page in the file, this header not counted.
    pub compressed: usize,
    /// Bytes after decompression.
    pub uncompressed: usize,
    /// Values, nulls included.
    pub values: usize,
    /// The number of the values' encoding.
    pub encoding: i32,
}

fn put_i32(step: u8, v: usize, out: &mut Vec<u8>) {
    out.push(step << 4 | I32);
    varint::put_zigzag(v as i64, out);
}

/// Appends the header of a dictionary page.
pub(crate) fn put_dictionary(compressed: usize, uncompressed: usize, values: usize, out: &mut Vec<u8>) {
    put_i32(1, 2, out);
    put_i32(1, uncompressed, out);
    put_i32(1, compressed, out);
    out.push(4 << 4 | STRUCT); // field 7
    put_i32(1, values, out);
    put_i32(1, Encoding::PLAIN as usize, out);
    out.extend_from_slice(&[1 << 4 | BOOL_FALSE, 0, 0]); // not sorted; both structures end
}

/// Appends the header of a data page of the first version.
pub(crate) fn put_data(compressed: usize, uncompressed: usize, values: usize, encoding: Encoding, out: &mut Vec<u8>) {
    put_i32(1, 0, out);
    put_i32(1, uncompressed, out);
    put_i32(1, compressed, out);
    out.push(2 << 4 | STRUCT); // field 5
    put_i32(1, values, out);
    put_i32(1, encoding as usize, out);
    put_i32(1, Encoding::RLE as usize, out);
    put_i32(1, Encoding::RLE as usize, out);
    out.extend_from_slice(&[0, 0]);
}

/// Takes a header off the front; `None` when it is no header, or one that claims
/// more bytes than follow.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<Header> {
    let (mut kind, mut uncompressed, mut compressed) = (None, None, None);
    let mut inner = None;
    let mut field = 0;
    while let Some(wire) = next_field(bytes, &mut field)? {
        match (field, wire) {
            (1, I32) => kind = Some(varint::take_zigzag(bytes)?),
            (2, I32) => uncompressed = size(bytes),
            (3, I32) => compressed = size(bytes),
            (5 | 7 | 8, STRUCT) => inner = Some((field, take_inner(bytes, field)?)),
            _ => skip(bytes, wire, 0)?,
        }
    }
    let (uncompressed, compressed) = (uncompressed?, compressed?);
    if compressed > bytes.len() {
        return None;
    }
    let (at, i) = inner.unwrap_or_default();
    let kind = match (kind?, at) {
        (2, 7) => Kind::Dictionary,
        (0, 5) => Kind::Data,
        (3, 8) if i.repetition > 0 || i.levels > uncompressed.min(compressed) => return None,
        (3, 8) => Kind::DataV2 { levels: i.levels, compressed: i.compressed },
        (0 | 2 | 3, _) => return None,
        _ => Kind::Other,
    };
    Some(Header { kind, compressed, uncompressed, values: i.values, encoding: i.encoding })
}

/// The structure inside, for whichever kind of page.
#[derive(Clone, Copy, Default)]
struct Inner {
    values: usize,
    encoding: i32,
    levels: usize,
    repetition: usize,
    compressed: bool,
}

/// Fields as DataPageHeader (5), DictionaryPageHeader (7) and DataPageHeaderV2 (8)
/// number them; the first two share theirs.
fn take_inner(bytes: &mut &[u8], of: i64) -> Option<Inner> {
    let mut inner = Inner { compressed: true, ..Inner::default() };
    let mut field = 0;
    while let Some(wire) = next_field(bytes, &mut field)? {
        match (of, field, wire) {
            (_, 1, I32) => inner.values = size(bytes)?,
            (5 | 7, 2, I32) | (8, 4, I32) => inner.encoding = i32::try_from(varint::take_zigzag(bytes)?).ok()?,
            (8, 5, I32) => inner.levels = size(bytes)?,
            (8, 6, I32) => inner.repetition = size(bytes)?,
            (8, 7, BOOL_TRUE | BOOL_FALSE) => inner.compressed = wire == BOOL_TRUE,
            _ => skip(bytes, wire, 0)?,
        }
    }
    Some(inner)
}

/// The next field's wire type, `None` at the end of the structure.
fn next_field(bytes: &mut &[u8], field: &mut i64) -> Option<Option<u8>> {
    let (&byte, rest) = bytes.split_first()?;
    *bytes = rest;
    if byte == 0 {
        return Some(None);
    }
    *field = match byte >> 4 {
        0 => varint::take_zigzag(bytes)?,
        step => field.checked_add(step as i64)?,
    };
    Some(Some(byte & 15))
}

fn size(bytes: &mut &[u8]) -> Option<usize> {
    // Parquet's sizes and counts are 32 bits, signed.
    varint::take_zigzag(bytes).and_then(|v| i32::try_from(v).ok()).and_then(|v| usize::try_from(v).ok())
}

/// Passes over a value of any type (statistics, and fields of later versions).
fn skip(bytes: &mut &[u8], wire: u8, depth: u32) -> Option<()> {
    if depth > 8 {
        return None;
    }
    match wire {
        BOOL_TRUE | BOOL_FALSE => {}
        3 => {
            bytes.split_off(..1)?;
        }
        4..=6 => {
            varint::take(bytes)?;
        }
        7 => {
            bytes.split_off(..8)?;
        }
        8 => {
            let n = usize::try_from(varint::take(bytes)?).ok()?;
            bytes.split_off(..n)?;
        }
        9 | 10 => skip_list(bytes, depth)?,
        STRUCT => {
            let mut field = 0;
            while let Some(wire) = next_field(bytes, &mut field)? {
                skip(bytes, wire, depth + 1)?;
            }
        }
        _ => return None,
    }
    Some(())
}

fn skip_list(bytes: &mut &[u8], depth: u32) -> Option<()> {
    let (&head, rest) = bytes.split_first()?;
    *bytes = rest;
    let n = if head >> 4 == 15 { varint::take(bytes)? } else { (head >> 4) as u64 };
    // Every element takes a byte at least.
    if n > bytes.len() as u64 {
        return None;
    }
    for _ in 0..n {
        match head & 15 {
            BOOL_TRUE | BOOL_FALSE => {
                bytes.split_off(..1)?;
            }
            wire => skip(bytes, wire, depth + 1)?,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_come_back() {
        let mut out = Vec::new();
        put_data(3, 1 << 20, 65_536, Encoding::DELTA_BINARY_PACKED, &mut out);
        put_dictionary(0, 77, 14, &mut out);
        out.extend_from_slice(b"abc");
        let mut rest = out.as_slice();
        let data = Header { kind: Kind::Data, compressed: 3, uncompressed: 1 << 20, values: 65_536, encoding: 5 };
        assert_eq!(take(&mut rest), Some(data));
        let dictionary = Header { kind: Kind::Dictionary, compressed: 0, uncompressed: 77, values: 14, encoding: 0 };
        assert_eq!(take(&mut rest), Some(dictionary));
        assert_eq!(rest, b"abc");
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0usize..30, v in any::<u8>()) {
            if let Some(header) = take(&mut bytes.as_slice()) {
                prop_assert!(header.compressed <= bytes.len());
            }
            let mut out = Vec::new();
            put_data(0, 1000, 500, Encoding::PLAIN, &mut out);
            if let Some(byte) = out.get_mut(at) {
                *byte = v;
            }
            if let Some(header) = take(&mut out.as_slice()) {
                prop_assert!(header.compressed <= out.len());
            }
        }
    }
}
