//! Text of `str` objects that code is made of: names of modules, classes,
//! attributes, functions, files.  Other strings are never read, only measured.
//! Layout of `str`: CPython `Include/cpython/unicodeobject.h` (3.8 to 3.13).

use undying_memory::Memory;

use crate::layout::Layout;
use crate::space::Space;

/// Longer names are cut: no identifier comes near it.
const LONGEST: u64 = 512;

/// The state word of a `str`, decoded.  Bit positions: interned 0-1, kind 2-4,
/// compact 5, ascii 6 (3.8 to 3.13, builds with a GIL).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// Interned: `sys.intern`, or by the compiler.
    pub interned: bool,
    /// Bytes a character: 1, 2, 4; 0 for a string not yet made ready (before 3.12).
    pub kind: u64,
    /// Characters follow the header.
    pub compact: bool,
    /// Only ASCII.
    pub ascii: bool,
}

impl State {
    /// From the 32-bit state field.
    #[inline]
    pub fn decode(state: u32) -> State {
        State {
            interned: state & 3 != 0,
            kind: (state >> 2 & 7) as u64,
            compact: state >> 5 & 1 == 1,
            ascii: state >> 6 & 1 == 1,
        }
    }
}

/// The text of a compact string, at most [`LONGEST`] characters.
pub fn text(space: &Space, layout: &Layout, address: u64) -> Option<String> {
    let mut head = [0u8; 40];
    let ascii = &layout.ascii;
    space.read(address, &mut head).ok()?;
    let body = crate::space::Body(&head);
    let state = State::decode(body.half(ascii.state));
    if !state.compact {
        return None;
    }
    let length = body.word(ascii.length).min(LONGEST);
    let start = address + if state.ascii { ascii.size } else { layout.compact.size } as u64;
    let mut bytes = vec![0u8; (length * state.kind.min(4)) as usize];
    space.read(start, &mut bytes).ok()?;
    Some(match state.kind {
        1 => bytes.iter().map(|&b| b as char).collect(),
        2 => {
            let units = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
        }
        4 => {
            let units = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            units.map(|c| char::from_u32(c).unwrap_or('\u{fffd}')).collect()
        }
        _ => return None,
    })
}

/// The text when the string is interned and looks like an identifier (or a dotted
/// name): the only keys whose text is captured.
pub fn identifier(space: &Space, layout: &Layout, address: u64) -> Option<String> {
    let body = space.body(address)?;
    let state = State::decode(body.half(layout.ascii.state));
    if !state.interned || body.word(layout.ascii.length) > LONGEST {
        return None;
    }
    let name = text(space, layout, address)?;
    let mut parts = name.split('.');
    let word = |p: &str| {
        p.chars().next().is_some_and(|c| c == '_' || c.is_alphabetic())
            && p.chars().all(|c| c == '_' || c.is_alphanumeric())
    };
    parts.all(word).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn decodes_the_state_bits() {
        // interned, one byte a character, compact, ascii
        let s = State::decode(0b1100101);
        assert_eq!(s, State { interned: true, kind: 1, compact: true, ascii: true });
        assert_eq!(State::decode(0b0110000), State { interned: false, kind: 4, compact: true, ascii: false });
    }
}
