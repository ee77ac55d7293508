//! DELTA_BINARY_PACKED, as parquet-format's Encodings.md lays it down: blocks of
//! 128 differences in four miniblocks of 32, each packed in as few bits as its
//! largest needs.  For columns that rise slowly, and for numbers near their
//! neighbours.

use super::pack::{bits_at, pack_32, unpack_32};
use super::varint;

const BLOCK: usize = 128;
const MINI: usize = 32;

/// How wide a miniblock's values are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Width {
    /// No wider than needed: smallest before compression.
    Bits,
    /// 0, 8, 16 or 32 bits: the compressor sees whole bytes, and finds repetitions.
    Bytes,
}

impl Width {
    #[inline]
    fn of(self, all: u32) -> u32 {
        let bits = 32 - all.leading_zeros();
        match self {
            Width::Bits => bits,
            Width::Bytes => match bits {
                0 => 0,
                1..=8 => 8,
                9..=16 => 16,
                _ => 32,
            },
        }
    }
}

fn header(count: usize, first: i64, out: &mut Vec<u8>) {
    varint::put(BLOCK as u64, out);
    varint::put((BLOCK / MINI) as u64, out);
    varint::put(count as u64, out);
    varint::put_zigzag(first, out);
}

/// Appends 32-bit numbers (an INT32 column's; differences wrap).
pub(crate) fn encode_u32(values: &[u32], width: Width, out: &mut Vec<u8>) {
    let Some((&first, rest)) = values.split_first() else { return header(0, 0, out) };
    header(values.len(), first as i32 as i64, out);
    let mut before = first;
    for chunk in rest.chunks(BLOCK) {
        let mut block = [0; BLOCK + 1];
        block[0] = before;
        block[1..=chunk.len()].copy_from_slice(chunk);
        before = block[chunk.len()];
        put_block(&block, chunk.len(), width, out);
    }
}

/// One block: `count` numbers, the one before them in front.
fn put_block(block: &[u32; BLOCK + 1], count: usize, width: Width, out: &mut Vec<u8>) {
    let mut over = [0u32; BLOCK];
    for (d, pair) in over.iter_mut().zip(block.windows(2)) {
        *d = pair[1].wrapping_sub(pair[0]);
    }
    let least = over[..count].iter().fold(i32::MAX, |least, &d| least.min(d as i32));
    for d in &mut over {
        *d = d.wrapping_sub(least as u32);
    }
    over[count..].fill(0);
    varint::put_zigzag(least as i64, out);
    let minis = over.as_chunks::<MINI>().0;
    let widths: [u32; BLOCK / MINI] = std::array::from_fn(|m| width.of(minis[m].iter().fold(0, |all, v| all | v)));
    out.extend_from_slice(&widths.map(|w| w as u8));
    for (mini, &w) in minis[..count.div_ceil(MINI)].iter().zip(&widths) {
        pack_32(mini, w, out);
    }
}

/// Appends 64-bit numbers (an INT64 column's; differences wrap).
pub(crate) fn encode_u64(values: &[u64], width: Width, out: &mut Vec<u8>) {
    let Some((&first, rest)) = values.split_first() else { return header(0, 0, out) };
    header(values.len(), first as i64, out);
    let mut before = first;
    for chunk in rest.chunks(BLOCK) {
        // Differences of numbers within 2^31 of each other need 32 bits only.
        let base = before.wrapping_sub(1 << 30);
        let mut block = [0u32; BLOCK + 1];
        block[0] = 1 << 30;
        let mut all = 0;
        for (near, &v) in block[1..].iter_mut().zip(chunk) {
            let offset = v.wrapping_sub(base);
            *near = offset as u32;
            all |= offset;
        }
        if all < 1 << 31 {
            put_block(&block, chunk.len(), width, out);
        } else {
            put_far_block(before, chunk, width, out);
        }
        before = chunk[chunk.len() - 1];
    }
}

/// A block with a long way between two numbers: a miniblock whose differences
/// need more than 32 bits has 64.
fn put_far_block(before: u64, chunk: &[u64], width: Width, out: &mut Vec<u8>) {
    let mut over = [0u64; BLOCK];
    let mut last = before;
    for (o, &v) in over.iter_mut().zip(chunk) {
        *o = v.wrapping_sub(last);
        last = v;
    }
    let least = over[..chunk.len()].iter().fold(i64::MAX, |least, &d| least.min(d as i64));
    over[..chunk.len()].iter_mut().for_each(|d| *d = d.wrapping_sub(least as u64));
    varint::put_zigzag(least, out);
    let minis = over.as_chunks::<MINI>().0;
    let widths: [u32; BLOCK / MINI] = std::array::from_fn(|m| {
        let all = minis[m].iter().fold(0, |all, v| all | v);
        u32::try_from(all).map_or(64, |all| width.of(all))
    });
    out.extend_from_slice(&widths.map(|w| w as u8));
    for (mini, &w) in minis[..chunk.len().div_ceil(MINI)].iter().zip(&widths) {
        match w {
            64 => mini.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes())),
            _ => pack_32(&mini.map(|v| v as u32), w, out),
        }
    }
}

/// A number that a delta column has: its width and how it wraps.
pub(crate) trait Lane: Copy {
    /// The widest miniblock that makes sense.
    const BITS: u32;
    /// The low bits.
    fn low(v: u64) -> Self;
    /// The sum, wrapped.
    fn plus(self, other: Self) -> Self;
}

impl Lane for u32 {
    const BITS: u32 = 32;
    #[inline]
    fn low(v: u64) -> u32 {
        v as u32
    }
    #[inline]
    fn plus(self, other: u32) -> u32 {
        self.wrapping_add(other)
    }
}

impl Lane for u64 {
    const BITS: u32 = 64;
    #[inline]
    fn low(v: u64) -> u64 {
        v
    }
    #[inline]
    fn plus(self, other: u64) -> u64 {
        self.wrapping_add(other)
    }
}

/// Appends `count` numbers decoded from `bytes`.  `Err` names what does not fit;
/// nothing is reserved beyond `count`.
pub(crate) fn decode<T: Lane>(mut bytes: &[u8], count: usize, out: &mut Vec<T>) -> Result<(), &'static str> {
    let bytes = &mut bytes;
    let cut = "delta-coded numbers are cut off";
    let block = varint::take(bytes).ok_or(cut)?;
    let minis = varint::take(bytes).ok_or(cut)?;
    let total = varint::take(bytes).ok_or(cut)?;
    let first = varint::take_zigzag(bytes).ok_or(cut)?;
    if total != count as u64 {
        return Err("delta-coded numbers are not as many as the page says");
    }
    if minis == 0 || block == 0 || block > 1 << 20 || block % minis != 0 || (block / minis) % MINI as u64 != 0 {
        return Err("a delta block of no legal size");
    }
    if count == 0 {
        return Ok(());
    }
    let (mini, minis) = ((block / minis) as usize, minis as usize);
    let mut last = T::low(first as u64);
    out.push(last);
    let mut left = count - 1;
    while left > 0 {
        let least = T::low(varint::take_zigzag(bytes).ok_or(cut)? as u64);
        let widths = bytes.split_off(..minis).ok_or(cut)?;
        for &width in widths.iter().take(left.div_ceil(mini)) {
            let n = left.min(mini);
            let used = decode_mini(bytes, width as u32, least, n, mini, &mut last, out)?;
            bytes.split_off(..used).ok_or(cut)?;
            left -= n;
        }
    }
    Ok(())
}

/// One miniblock; gives the bytes it took.
#[inline]
fn decode_mini<T: Lane>(
    bytes: &[u8],
    width: u32,
    least: T,
    n: usize,
    mini: usize,
    last: &mut T,
    out: &mut Vec<T>,
) -> Result<usize, &'static str> {
    if width > T::BITS {
        return Err("a delta wider than its column");
    }
    let whole = mini / 8 * width as usize;
    // The last miniblock may be cut short after its last value.
    if (n * width as usize).div_ceil(8) > bytes.len() {
        return Err("delta-coded numbers are cut off");
    }
    if width > 32 || bytes.len() < whole {
        for i in 0..n {
            *last = last.plus(least).plus(T::low(bits_at(bytes, i * width as usize, width)));
            out.push(*last);
        }
        return Ok(whole.min(bytes.len()));
    }
    let mut values = [0; MINI];
    let mut decoded = [*last; MINI];
    for (i, at) in (0..n).step_by(MINI).enumerate() {
        let here = bytes.get(i * 4 * width as usize..).unwrap_or(&[]);
        unpack_32(here, width, &mut values).ok_or("delta-coded numbers are cut off")?;
        for (d, &v) in decoded.iter_mut().zip(&values) {
            *last = last.plus(least).plus(T::low(v as u64));
            *d = *last;
        }
        let take = (n - at).min(MINI);
        out.extend_from_slice(&decoded[..take]);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        prop_oneof![
            prop::collection::vec(any::<u64>(), 0..300),
            prop::collection::vec(0u64..50, 0..600),
            prop::collection::vec(any::<u32>().prop_map(u64::from), 0..300),
            (any::<u64>(), prop::collection::vec(0u64..5000, 0..1000)).prop_map(|(first, steps)| {
                steps
                    .iter()
                    .scan(first, |at, s| {
                        *at = at.wrapping_add(*s);
                        Some(*at)
                    })
                    .collect()
            }),
        ]
    }

    proptest! {
        #[test]
        fn numbers_come_back(v in numbers(), bytes in any::<bool>()) {
            let width = if bytes { Width::Bytes } else { Width::Bits };
            let (mut out, mut back) = (Vec::new(), Vec::new());
            encode_u64(&v, width, &mut out);
            prop_assert_eq!(decode::<u64>(&out, v.len(), &mut back), Ok(()));
            prop_assert_eq!(&back, &v);

            let v: Vec<u32> = v.iter().map(|&v| v as u32).collect();
            let (mut out, mut back) = (Vec::new(), Vec::new());
            encode_u32(&v, width, &mut out);
            prop_assert_eq!(decode::<u32>(&out, v.len(), &mut back), Ok(()));
            prop_assert_eq!(&back, &v);
        }

        #[test]
        fn damaged_bytes_are_refused_or_decoded(v in numbers(), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut out = Vec::new();
            encode_u64(&v, Width::Bits, &mut out);
            for end in 0..out.len() {
                let mut back = Vec::new();
                let done = decode::<u64>(&out[..end], v.len(), &mut back);
                prop_assert!(done.is_err() || back == v);
            }
            let i = at.index(out.len());
            out[i] ^= flip;
            let mut back = Vec::new();
            if decode::<u64>(&out, v.len(), &mut back).is_ok() {
                prop_assert_eq!(back.len(), v.len());
            }
        }
    }
}
