//! Where a capture puts what it finds.

use std::io;

use crate::{Births, Edge, Facts, LabelId, NodeId, ObjectRow, RegionRow, Root, TypeRow, WrapperRow};

/// An object's own name: of a function, class, module, code object, frame, thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamedRow {
    /// The object.
    pub node: NodeId,
    /// Its name (`module.qualname` where it has one).
    pub name: LabelId,
    /// The file of its code, or [`LabelId::NONE`].
    pub file: LabelId,
    /// Its first line, or a frame's current one; 0 where not known.
    pub line: u32,
}

/// What comes after the last object.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    /// Classes; row number = [`crate::TypeId`].
    pub types: Vec<TypeRow>,
    /// References from outside the heap.
    pub roots: Vec<Root>,
    /// Own names of objects, by ascending node.
    pub named: Vec<NamedRow>,
    /// The address space.
    pub regions: Vec<RegionRow>,
    /// Where the objects were made, where somebody recorded it.
    pub births: Option<Births>,
    /// Objects that stand for something native, by ascending node.
    pub wrappers: Vec<WrapperRow>,
    /// The target.
    pub facts: Facts,
}

/// Takes objects in id order (which is address order), each with its references.
/// `io::Error` is what a full disk gives; the capture hands it on at once.
pub trait Sink {
    /// The number of a name.
    fn label(&mut self, text: &str) -> LabelId;
    /// How many objects will come.  Called once, first.
    fn begin(&mut self, objects: usize) -> io::Result<()>;
    /// The next object and what it holds.
    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()>;
    /// The next object, its references told apart: those that the cyclic collector can
    /// follow, and those from an object of a type without `tp_traverse` to one of a
    /// collectable type, which it can never see.  Both count.
    fn object_with_untraversed(&mut self, row: &ObjectRow, edges: &[Edge], untraversed: &[Edge]) -> io::Result<()> {
        if untraversed.is_empty() {
            return self.object(row, edges);
        }
        let all: Vec<Edge> = edges.iter().chain(untraversed).copied().collect();
        self.object(row, &all)
    }
    /// All the rest.  Called once, last.
    fn finish(&mut self, tail: Tail) -> io::Result<()>;
}
