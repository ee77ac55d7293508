//! The object header: type, reference count, collector's header.  The facts are of
//! builds with a GIL (CPython `Include/object.h`); the free-threaded header is
//! another set of these numbers.

use crate::space::{Body, Space};

/// `ob_type`.
pub const TYPE: u32 = 8;
/// `ob_size` of objects of variable length.
pub const SIZE: u32 = 16;
/// Size of the collector's header before a collectable object (3.8 on).
pub const GC_HEADER: u64 = 16;
/// `_gc_prev` carries two flag bits (finalized, collecting).
pub const PREV_FLAGS: u64 = 3;
/// The finalizer has run.
pub const PREV_FINALIZED: u64 = 1;

/// `Py_TPFLAGS_*`, stable over all versions read here.
pub mod flag {
    /// Values live right behind the object (3.13).
    pub const INLINE_VALUES: u64 = 1 << 2;
    /// The weak reference list sits before the collector's header (3.12).
    pub const MANAGED_WEAKREF: u64 = 1 << 3;
    /// The attribute dictionary sits before the collector's header (3.11).
    pub const MANAGED_DICT: u64 = 1 << 4;
    /// Made at run time.
    pub const HEAP: u64 = 1 << 9;
    /// Instances can take part in collection.
    pub const HAVE_GC: u64 = 1 << 14;
    /// A subclass of `type`: instances are classes.
    pub const TYPE_SUBCLASS: u64 = 1 << 31;
}

/// Bytes between the start of an instance's block and the instance, by the flags of its
/// class: the collector's header and what lies before that (`_PyType_PreHeaderSize`,
/// Include/internal/pycore_object.h, 3.11 on).
#[inline]
pub fn before(flags: u64) -> u64 {
    let header = if flags & flag::HAVE_GC != 0 { GC_HEADER } else { 0 };
    header + if flags & (flag::MANAGED_DICT | flag::MANAGED_WEAKREF) != 0 { 16 } else { 0 }
}

/// How a reference count is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counting {
    /// A plain count (up to 3.11).
    Plain,
    /// Immortal when the low 32 bits are negative (PEP 683; 3.12, 3.13).
    Immortal32,
}

/// What the count word of an object says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// So many references.
    Mortal(u64),
    /// Never freed.
    Immortal,
    /// No count can look like this.
    Nonsense,
}

impl Counting {
    /// Decode the word at offset 0.
    #[inline]
    pub fn decode(self, word: u64) -> Count {
        match self {
            Counting::Plain if word == 0 || word >> 40 != 0 => Count::Nonsense,
            Counting::Immortal32 if (word as u32 as i32) < 0 || (word as u32) >= 0x3fff_ffff => match word >> 32 {
                0 => Count::Immortal,
                _ => Count::Nonsense,
            },
            Counting::Immortal32 if word == 0 || word >> 32 != 0 => Count::Nonsense,
            _ => Count::Mortal(word),
        }
    }
}

/// The collector's header of an object at `address`.
#[inline]
pub fn gc_header<'a>(space: &Space<'a>, address: u64) -> Option<Body<'a>> {
    space.body(address.checked_sub(GC_HEADER)?)
}
