//! The mixture of runs and bit-packed groups in which Parquet writes definition
//! levels and dictionary indices (Encodings.md, RLE).  Knows numbers of known
//! width, not the dictionaries they point into.

use super::pack::{bits_at, gather_bit, unpack_32};
use super::varint;

/// Appends a run of `count` times `value`, `width` bits wide.
pub(crate) fn put_run(value: u32, count: usize, width: u32, out: &mut Vec<u8>) {
    if count > 0 {
        varint::put((count as u64) << 1, out);
        out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
    }
}

/// Appends the header of a bit-packed stretch of `count` numbers, which must be
/// padded to whole groups of eight.
fn put_packed_header(count: usize, out: &mut Vec<u8>) {
    varint::put((count.div_ceil(8) as u64) << 1 | 1, out);
}

/// Appends the definition levels of a first-version page: 1 where `bit` is set in
/// the row's tag.  Gives how many are.
pub(crate) fn put_levels(tags: &[u8], bit: u32, out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    put_packed_header(tags.len(), out);
    let bits = out.len();
    put_bits(tags, bit, out);
    let set = out[bits..].iter().map(|b| b.count_ones()).sum::<u32>() as usize;
    if set == 0 || set == tags.len() {
        out.truncate(at + 4);
        put_run((set > 0) as u32, tags.len(), 1, out);
    }
    let bytes = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
    set
}

/// Appends one bit of every tag, eight to a byte: a column of truth values.
pub(crate) fn put_bits(tags: &[u8], bit: u32, out: &mut Vec<u8>) {
    let (eights, rest) = tags.as_chunks::<8>();
    out.extend(eights.iter().map(|eight| gather_bit(*eight, bit)));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        out.push(gather_bit(last, bit));
    }
}

/// The width in which indices into a dictionary of `len` are written: whole
/// bytes or halves, because the compressor sees repetitions only in these.
fn index_width(len: usize) -> u32 {
    match len {
        0..=0x10 => 4,
        0x11..=0x100 => 8,
        0x101..=0x1_0000 => 16,
        _ => 32,
    }
}

/// Appends dictionary indices (the width's byte included), all below `len`.
pub(crate) fn put_indices(indices: &[u32], len: usize, out: &mut Vec<u8>) {
    let width = index_width(len);
    out.push(width as u8);
    if indices.is_empty() {
        return;
    }
    put_packed_header(indices.len(), out);
    match width {
        4 => return put_nibbles(indices.iter().map(|&i| i as u8), out),
        8 => out.extend(indices.iter().map(|&i| i as u8)),
        16 => {
            let at = out.len();
            out.resize(at + 2 * indices.len(), 0);
            for (to, &i) in out[at..].as_chunks_mut::<2>().0.iter_mut().zip(indices) {
                *to = (i as u16).to_le_bytes();
            }
        }
        _ => indices.iter().for_each(|i| out.extend_from_slice(&i.to_le_bytes())),
    }
    pad(indices.len(), width as usize, out);
}

/// Appends dictionary indices of four bits: bits 0-3 of the tags.
pub(crate) fn put_tag_nibbles(tags: &[u8], out: &mut Vec<u8>) {
    out.push(4);
    put_packed_header(tags.len(), out);
    let (eights, rest) = tags.as_chunks::<8>();
    for eight in eights {
        let low = u64::from_le_bytes(*eight) & 0x0f0f_0f0f_0f0f_0f0f;
        // Neighbours meet in one byte, then every other byte is kept.
        let pairs = low | low >> 4;
        let four: [u8; 4] = std::array::from_fn(|i| (pairs >> (16 * i)) as u8);
        out.extend_from_slice(&four);
    }
    put_nibbles(rest.iter().map(|t| t & 15), out);
}

/// Appends numbers below 16, two to a byte, padded to a whole group of eight.
fn put_nibbles(mut numbers: impl ExactSizeIterator<Item = u8>, out: &mut Vec<u8>) {
    let end = out.len() + numbers.len().div_ceil(8) * 4;
    while let Some(low) = numbers.next() {
        out.push(low | numbers.next().unwrap_or(0) << 4);
    }
    out.resize(end, 0);
}

/// Appends dictionary indices of two bits: bits 4-5 of the tags.
pub(crate) fn put_pairs(tags: &[u8], out: &mut Vec<u8>) {
    out.push(2);
    let Some(&first) = tags.first() else { return };
    if tags.iter().fold(0, |all, t| all | (t ^ first) & 0x30) == 0 {
        return put_run((first >> 4 & 3) as u32, tags.len(), 2, out);
    }
    put_packed_header(tags.len(), out);
    for four in tags.chunks(4) {
        out.push(four.iter().enumerate().fold(0, |byte, (i, t)| byte | (t >> 4 & 3) << (2 * i)));
    }
    pad(tags.len().next_multiple_of(4), 2, out);
}

/// Zeros up to a whole group of eight numbers of `width` bits.
fn pad(count: usize, width: usize, out: &mut Vec<u8>) {
    let missing = count.next_multiple_of(8) - count;
    out.resize(out.len() + missing * width / 8, 0);
}

/// Appends exactly `count` numbers of `width` bits (at most 32) from the front of
/// `bytes`.  `Err` names what does not fit.
pub(crate) fn decode(mut bytes: &[u8], width: u32, count: usize, out: &mut Vec<u32>) -> Result<(), &'static str> {
    const CUT: &str = "runs are cut off";
    if width > 32 {
        return Err("a number wider than 32 bits");
    }
    let bytes = &mut bytes;
    let mut left = count;
    while left > 0 {
        let header = varint::take(bytes).ok_or(CUT)?;
        if header & 1 == 0 {
            let run = bytes.split_off(..width.div_ceil(8) as usize).ok_or(CUT)?;
            let n = left.min(usize::try_from(header >> 1).unwrap_or(usize::MAX));
            if n == 0 {
                return Err("an empty run");
            }
            out.resize(out.len() + n, bits_at(run, 0, width) as u32);
            left -= n;
        } else {
            let groups = usize::try_from(header >> 1).unwrap_or(usize::MAX);
            let n = left.min(groups.saturating_mul(8));
            if n == 0 {
                return Err("an empty run");
            }
            // Some writers cut the last group off after its last number.
            let packed = bytes.len().min(groups.saturating_mul(width as usize));
            let packed = bytes.split_off(..packed).ok_or(CUT)?;
            if (n as u64 * width as u64).div_ceil(8) > packed.len() as u64 {
                return Err(CUT);
            }
            unpack(packed, width, n, out);
            left -= n;
        }
    }
    Ok(())
}

/// `n` numbers from whole bytes; there are enough.
fn unpack(bytes: &[u8], width: u32, n: usize, out: &mut Vec<u32>) {
    match width {
        8 => out.extend(bytes[..n].iter().map(|&b| b as u32)),
        16 => out.extend(bytes.as_chunks::<2>().0[..n].iter().map(|&b| u16::from_le_bytes(b) as u32)),
        32 => out.extend(bytes.as_chunks::<4>().0[..n].iter().map(|&b| u32::from_le_bytes(b))),
        _ => {
            let mut values = [0; 32];
            for at in (0..n).step_by(32) {
                let here = bytes.get(at / 8 * width as usize..).unwrap_or(&[]);
                let take = (n - at).min(32);
                match unpack_32(here, width, &mut values) {
                    Some(()) => out.extend_from_slice(&values[..take]),
                    None => out.extend((0..take).map(|i| bits_at(here, i * width as usize, width) as u32)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], count: usize) -> Vec<u32> {
        let mut back = Vec::new();
        decode(&bytes[1..], bytes[0] as u32, count, &mut back).unwrap();
        back
    }

    proptest! {
        #[test]
        fn tags_come_back(tags in prop::collection::vec(any::<u8>(), 0..200), same in any::<bool>()) {
            let tags = if same { vec![0x92; tags.len()] } else { tags };
            let mut out = Vec::new();
            put_tag_nibbles(&tags, &mut out);
            prop_assert_eq!(read(&out, tags.len()), tags.iter().map(|t| (t & 15) as u32).collect::<Vec<_>>());
            prop_assert_eq!(out.len() - 2, tags.len().div_ceil(8) * 4 + usize::from(tags.len() > 504));

            let mut out = Vec::new();
            put_pairs(&tags, &mut out);
            prop_assert_eq!(read(&out, tags.len()), tags.iter().map(|t| (t >> 4 & 3) as u32).collect::<Vec<_>>());

            for bit in [6, 7] {
                let mut out = Vec::new();
                let set = put_levels(&tags, bit, &mut out);
                let mut back = Vec::new();
                prop_assert_eq!(u32::from_le_bytes(*out.first_chunk().unwrap()) as usize, out.len() - 4);
                decode(&out[4..], 1, tags.len(), &mut back).unwrap();
                prop_assert_eq!(back.iter().sum::<u32>() as usize, set);
                prop_assert_eq!(back, tags.iter().map(|t| (t >> bit & 1) as u32).collect::<Vec<_>>());
            }
        }

        #[test]
        fn indices_come_back(v in prop::collection::vec(any::<u32>(), 0..300), shift in 0u32..32) {
            let v: Vec<u32> = v.iter().map(|v| v >> shift).collect();
            let mut out = Vec::new();
            put_indices(&v, v.iter().max().map_or(0, |&m| m as usize + 1), &mut out);
            prop_assert_eq!(read(&out, v.len()), v);
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..100), width in 0u32..40, count in 0usize..1000) {
            let mut back = Vec::new();
            if decode(&bytes, width, count, &mut back).is_ok() {
                prop_assert_eq!(back.len(), count);
            }
        }
    }
}
