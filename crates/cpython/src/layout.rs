//! Where CPython's structures keep what the reader wants: one [`Layout`] a line of
//! builds.  The numbers are generated (docs/LAYOUTS.md); which of them is right for
//! a target is decided elsewhere, and here nothing is read from one.

#[rustfmt::skip]
mod tables;

pub use tables::*;

/// The offset or size of what a version does not have.
pub const ABSENT: u32 = u32::MAX;

/// A simple builtin type: nothing but a fixed structure with references.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObjectLayout {
    /// `tp_name`, as in C.
    pub type_name: &'static str,
    /// Size of the structure in bytes.
    pub size: u32,
    /// Name and offset in bytes of every reference the object owns, by offset; the
    /// one to its type is not among them.
    pub refs: &'static [(&'static str, u32)],
}

impl Layout {
    /// The layout of instances of the builtin type with this `tp_name`, if its
    /// `tp_basicsize` agrees.  A class of the same name in another module, or a
    /// subclass with fields of its own, is thus not taken for it.
    pub fn object(&self, type_name: &str, basicsize: u64) -> Option<&'static ObjectLayout> {
        let i = self.objects.binary_search_by(|object| object.type_name.cmp(type_name)).ok()?;
        self.objects.get(i).filter(|object| u64::from(object.size) == basicsize)
    }
}
