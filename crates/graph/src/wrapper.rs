//! Python objects that stand for something native: which tool made the binding, what
//! lies behind it, and who has to free that.  Knows neither how a tool lays its objects
//! out nor what is a mistake.

use crate::edge::named_enum;
use crate::{LabelId, NodeId};

named_enum! {
    /// The tool whose binding an object is.
    WrapperSystem {
        /// SWIG: the object behind a proxy's `this`, or a `-builtin` proxy itself.
        Swig = "swig",
        /// pybind11.
        Pybind11 = "pybind11",
        /// Cython's `cdef class`: the C structure is the object itself.
        Cython = "cython",
        /// cffi's `CData`.
        Cffi = "cffi",
        /// `ctypes`.
        Ctypes = "ctypes",
    }
}

/// One object that stands for something native.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrapperRow {
    /// The object.
    pub node: NodeId,
    /// The tool.
    pub system: WrapperSystem,
    /// The native type as the tool writes it (`Mesh *`); [`LabelId::NONE`] where not known.
    pub native_type: LabelId,
    /// Where the native thing lies; 0 where there is none (yet, or any more).
    pub native_address: u64,
    /// Whether it goes when the object goes.
    pub owned: Option<bool>,
    /// Whether the binding knows how to free one.
    pub destructor: Option<bool>,
    /// Whether pybind11's holder (`unique_ptr`, `shared_ptr`) has been made.
    pub holder: Option<bool>,
    /// Bytes of the C library's block, where one begins exactly there.
    pub native_bytes: Option<u64>,
    /// Words elsewhere in the target's memory that point into that block; `None` where they
    /// were not counted.
    pub pointers: Option<u32>,
    /// The extension that has the binding's type information; [`LabelId::NONE`] where not
    /// known.
    pub module_file: LabelId,
}

impl WrapperRow {
    /// Whether nobody is left to free it: the object does not own it, it is a block of its
    /// own, and nothing else in the target's memory points there.
    pub fn is_lost(&self) -> bool {
        self.owned == Some(false) && self.native_bytes.is_some() && self.pointers == Some(0)
    }
}
