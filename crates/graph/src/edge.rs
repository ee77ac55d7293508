//! References: what holds what, under which name, and how we know.

use crate::{LabelId, NodeId};

macro_rules! named_enum {
    ($(#[$m:meta])* $name:ident { $($(#[$vm:meta])* $v:ident = $text:literal),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$vm])* $v),* }

        impl $name {
            /// Every value, in the order of its number.
            pub const ALL: &'static [$name] = &[$($name::$v),*];

            /// The name used in files and output.
            pub fn name(self) -> &'static str {
                match self { $($name::$v => $text),* }
            }

            /// The value with this number.
            #[inline]
            pub fn from_number(n: u8) -> Option<$name> {
                Self::ALL.get(n as usize).copied()
            }

            /// The value with this name.
            pub fn from_name(text: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|v| v.name() == text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.name())
            }
        }
    };
}
pub(crate) use named_enum;

named_enum! {
    /// By what kind of thing an object holds another.
    EdgeKind {
        /// An attribute: from an instance's values, or a field of a C structure
        /// under its Python name; `__dict__` when it is the attribute dictionary.
        Attr = "attr",
        /// Element of a list, tuple, deque, set or array, by index where it has one.
        Item = "item",
        /// The dictionary holds the object as a key.
        Key = "key",
        /// The dictionary holds the object as a value; the label is the key's
        /// text when that is an interned identifier, else the entry's index.
        Value = "value",
        /// A local variable of a frame, generator or coroutine.
        Local = "local",
        /// A cell's content.
        Cell = "cell",
        /// A `__slots__` descriptor's place.
        Slot = "slot",
        /// A cell in a function's closure tuple.
        Closure = "closure",
        /// A frame, or a temporary on its evaluation stack.
        Frame = "frame",
        /// A class's base.
        Base = "base",
        /// The object's reference to its own class (instances of heap types).
        Type = "type",
        /// A weak reference: it keeps nothing alive and counts in no refcount.  Of certainty
        /// `conservative`: a place on a running frame's stack that holds nothing any more.
        Weak = "weak",
        /// From raw memory that the object owns.
        Native = "native",
        /// A word of the object that equals an object's address.
        Unknown = "unknown",
    }
}

named_enum! {
    /// How a reference is known.
    Certainty {
        /// From the layout of a builtin type.
        Exact = "exact",
        /// From a member table that the target's own type publishes.
        Member = "member",
        /// A word that looks like the address of an object.
        Conservative = "conservative",
    }
}

/// The name or the position of a reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Detail {
    /// Nothing to say.
    None,
    /// A name.
    Label(LabelId),
    /// A position: element index, entry index, or byte offset for [`EdgeKind::Unknown`]
    /// and [`EdgeKind::Native`].
    Index(u32),
}

/// One strong reference (or one weak, by kind), as stored: 9 bytes in columns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Edge {
    /// What is held.
    pub target: NodeId,
    /// How it is held.
    pub kind: EdgeKind,
    /// How we know.
    pub certainty: Certainty,
    /// Under which name or at which position.
    pub detail: Detail,
}

impl Edge {
    /// An exact reference without a name.
    pub fn exact(target: NodeId, kind: EdgeKind) -> Edge {
        Edge { target, kind, certainty: Certainty::Exact, detail: Detail::None }
    }

    /// Whether it keeps its target alive.
    #[inline]
    pub fn is_strong(&self) -> bool {
        self.kind != EdgeKind::Weak
    }

    /// Kind (bits 0-3), certainty (bits 4-5) and what the number is (bits 6-7).
    #[inline]
    pub fn pack(&self) -> (u8, u32) {
        let (what, number) = match self.detail {
            Detail::None => (0u8, 0),
            Detail::Label(l) => (1, l.0),
            Detail::Index(i) => (2, i),
        };
        (self.kind as u8 | (self.certainty as u8) << 4 | what << 6, number)
    }

    /// The reverse of [`Edge::pack`]; a tag that no edge packs to reads as unknown.
    #[inline]
    pub fn unpack(target: NodeId, tag: u8, number: u32) -> Edge {
        Edge {
            target,
            kind: EdgeKind::from_number(tag & 15).unwrap_or(EdgeKind::Unknown),
            certainty: Certainty::from_number(tag >> 4 & 3).unwrap_or(Certainty::Conservative),
            detail: match tag >> 6 {
                1 => Detail::Label(LabelId(number)),
                2 => Detail::Index(number),
                _ => Detail::None,
            },
        }
    }
}
