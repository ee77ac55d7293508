//! Variable-length integers: seven bits a byte, the lowest first.  Shared by
//! the encodings and the page headers.

/// Appends an unsigned number.
#[inline]
pub(crate) fn put(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Appends a signed number, small magnitudes short.
#[inline]
pub(crate) fn put_zigzag(v: i64, out: &mut Vec<u8>) {
    put((v << 1 ^ v >> 63) as u64, out);
}

/// Takes an unsigned number off the front; `None` when it is cut off or too long.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut v = 0u64;
    for i in 0..10 {
        let (&b, rest) = bytes.split_first()?;
        *bytes = rest;
        v |= ((b & 0x7f) as u64) << (7 * i);
        if b < 0x80 {
            return Some(v);
        }
    }
    None
}

/// Takes a signed number off the front.
#[inline]
pub(crate) fn take_zigzag(bytes: &mut &[u8]) -> Option<i64> {
    take(bytes).map(|v| (v >> 1) as i64 ^ -((v & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(v in any::<u64>(), shift in 0u32..64) {
            let v = v >> shift;
            let mut out = Vec::new();
            put(v, &mut out);
            put_zigzag(v as i64, &mut out);
            let mut rest = out.as_slice();
            prop_assert_eq!(take(&mut rest), Some(v));
            prop_assert_eq!(take_zigzag(&mut rest), Some(v as i64));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(take(&mut &[0x80u8; 4][..]), None);
            prop_assert_eq!(take(&mut &[0xffu8; 11][..]), None);
        }
    }
}
