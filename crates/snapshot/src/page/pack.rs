//! Bit packing as Parquet has it: value after value from the lowest bit of the
//! first byte, 32 values at a time.  Knows bits, not what they mean.

/// Calls a function generic over the width with a width known at run time.
macro_rules! by_width {
    ($f:ident, $width:expr, $($arg:expr),*) => {
        by_width!(@ $f, $width, ($($arg),*), 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
    };
    (@ $f:ident, $width:expr, $args:tt, $($w:literal)*) => {
        match $width { $($w => by_width!(@@ $f, $w, $args),)* _ => {} }
    };
    (@@ $f:ident, $w:literal, ($($arg:expr),*)) => { $f::<$w>($($arg),*) };
}

/// Appends 32 values of `width` bits, 4 × `width` bytes.  Each must fit in
/// `width`, which is at most 32.
#[inline]
pub(crate) fn pack_32(values: &[u32; 32], width: u32, out: &mut Vec<u8>) {
    by_width!(pack, width, values, out);
}

/// The reverse of [`pack_32`]; `None` when `bytes` are fewer than 4 × `width`.
#[inline]
pub(crate) fn unpack_32(bytes: &[u8], width: u32, values: &mut [u32; 32]) -> Option<()> {
    let packed = 4 * width as usize;
    if width == 0 {
        *values = [0; 32];
    }
    if bytes.len() >= packed + SLACK {
        by_width!(unpack, width, bytes, values);
    } else {
        let mut padded = [0; 4 * 32 + SLACK];
        padded[..packed].copy_from_slice(bytes.get(..packed)?);
        by_width!(unpack, width, &padded, values);
    }
    Some(())
}

/// Bytes past the packed ones that [`unpack`] may look at.
const SLACK: usize = 8;

/// Eight values make `W` bytes; they are joined in pairs, fours, eights.
#[inline]
fn pack<const W: usize>(values: &[u32; 32], out: &mut Vec<u8>) {
    let mut bytes = [[0u8; W]; 4];
    for (eight, to) in values.as_chunks::<8>().0.iter().zip(&mut bytes) {
        if W == 8 {
            // Constant shifts would do, but this is one instruction.
            to.copy_from_slice(&eight.map(|v| v as u8)[..W]);
            continue;
        }
        let two = |low: u32, high: u32| low as u64 | (high as u64) << W;
        let four = |v: &[u32; 8], i: usize| two(v[i], v[i + 1]) as u128 | (two(v[i + 2], v[i + 3]) as u128) << (2 * W);
        let (low, high) = (four(eight, 0), four(eight, 4));
        if W <= 16 {
            to.copy_from_slice(&(low | high << (4 * W)).to_le_bytes()[..W]);
        } else {
            let (first, second) = to.split_at_mut(16);
            let across = high.checked_shl(4 * W as u32).unwrap_or(0);
            first.copy_from_slice(&(low | across).to_le_bytes());
            second.copy_from_slice(&(high >> (128 - 4 * W)).to_le_bytes()[..W - 16]);
        }
    }
    out.extend_from_slice(bytes.as_flattened());
}

/// `bytes` are at least 4 × `W` and [`SLACK`].
#[inline]
fn unpack<const W: usize>(bytes: &[u8], values: &mut [u32; 32]) {
    let mask = (1u64 << W) - 1;
    for (eight, at) in values.as_chunks_mut::<8>().0.iter_mut().zip((0..).step_by(W)) {
        let Some(window) = bytes.get(at..at + W + SLACK) else { return };
        for (i, v) in eight.iter_mut().enumerate() {
            let (byte, shift) = (i * W / 8, i * W % 8);
            let Some(word) = window[byte..].first_chunk() else { return };
            *v = (u64::from_le_bytes(*word) >> shift & mask) as u32;
        }
    }
}

/// The value of `width` bits (at most 64) that starts at bit `at`; bits past the
/// end read as 0.  Slow: for widths and places where [`unpack_32`] does not serve.
pub(crate) fn bits_at(bytes: &[u8], at: usize, width: u32) -> u64 {
    let mut window = [0u8; 16];
    for (to, from) in window.iter_mut().zip(bytes.iter().skip(at / 8)) {
        *to = *from;
    }
    let mask = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
    (u128::from_le_bytes(window) >> (at % 8)) as u64 & mask
}

/// Eight bytes' bit `bit` as one byte, the first byte's lowest.
#[inline]
pub(crate) fn gather_bit(bytes: [u8; 8], bit: u32) -> u8 {
    let ones = u64::from_le_bytes(bytes) >> bit & 0x0101_0101_0101_0101;
    // Byte i's bit, at 8 i, moves to 56 + i.
    (ones.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_is_the_bit_by_bit_one(seed in any::<[u32; 32]>(), width in 0u32..=32) {
            let values = seed.map(|v| if width == 0 { 0 } else { v >> (32 - width) });
            let mut out = vec![9];
            pack_32(&values, width, &mut out);
            prop_assert_eq!(out.len(), 1 + 4 * width as usize);
            for (i, &v) in values.iter().enumerate() {
                for b in 0..width {
                    let at = i * width as usize + b as usize;
                    prop_assert_eq!(out[1 + at / 8] >> (at % 8) & 1, (v >> b & 1) as u8);
                }
                prop_assert_eq!(bits_at(&out[1..], i * width as usize, width), v as u64);
            }
            let mut back = [7; 32];
            prop_assert_eq!(unpack_32(&out[1..], width, &mut back), Some(()));
            prop_assert_eq!(back, values);
            if width > 0 {
                prop_assert_eq!(unpack_32(&out[2..], width, &mut back), None);
            }
        }

        #[test]
        fn gathered_bits_are_in_order(bytes in any::<[u8; 8]>(), bit in 0u32..8) {
            let slow = (0..8).fold(0, |a, i| a | (bytes[i] >> bit & 1) << i);
            prop_assert_eq!(gather_bit(bytes, bit), slow);
        }
    }
}
