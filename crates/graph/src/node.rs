//! Identifiers and the row of one object.

use std::fmt;

use serde::Serialize;

/// A row of the objects table.  Objects are numbered in address order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct NodeId(pub u32);

/// A row of the types table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct TypeId(pub u32);

impl NodeId {
    /// As an index into a column.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl TypeId {
    /// As an index into a column.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is true of one object, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// In one of the collector's lists (`gc.is_tracked`).
    pub const GC_TRACKED: Flags = Flags(1);
    /// Its reference count is never changed (PEP 683), so it says nothing.
    pub const IMMORTAL: Flags = Flags(2);
    /// In the permanent generation (`gc.freeze`): the collector passes it by.
    pub const FROZEN: Flags = Flags(4);
    /// Its finalizer (`__del__`) has run already (PEP 442).
    pub const FINALIZED: Flags = Flags(8);
    /// It lies in a mapped file's data, not in allocated memory.
    pub const STATIC: Flags = Flags(16);
    /// It is a class (an instance of `type` or of a metaclass).
    pub const CLASS: Flags = Flags(32);
    /// In the youngest generation: no collection has looked at it yet.
    pub const YOUNG: Flags = Flags(64);

    /// No list of the collector, no root and no reference of such an object leads to it: it
    /// was found by its block of memory.
    pub const UNREACHED: Flags = Flags(128);

    /// Whether every bit of `other` is set.
    #[inline]
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` set when `on`.
    #[inline]
    pub fn with(self, other: Flags, on: bool) -> Flags {
        if on { Flags(self.0 | other.0) } else { self }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:#04x})", self.0)
    }
}

/// One object as it is captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObjectRow {
    /// Where it lay in the target: what `id()` gives there.
    pub address: u64,
    /// Its class.
    pub type_id: TypeId,
    /// What `sys.getsizeof` would say, collector's header included, in bytes.
    pub shallow_bytes: u64,
    /// Its reference count; `None` when immortal.
    pub refcount: Option<u64>,
    /// What else is known.
    pub flags: Flags,
}
