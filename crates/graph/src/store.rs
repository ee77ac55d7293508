//! The graph in memory: columns, references in compressed rows by source.

use rustc_hash::FxHashMap;

use crate::{
    Births, Edge, Facts, Flags, LabelId, Labels, NamedRow, NodeId, ObjectRow, RegionRow, Root, TypeId, TypeRow,
    WrapperRow,
};

/// Objects and references, in columns.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) address: Vec<u64>,
    pub(crate) type_id: Vec<u32>,
    /// Saturated; the true size of a larger object is in `huge`.
    pub(crate) shallow: Vec<u32>,
    pub(crate) huge: FxHashMap<u32, u64>,
    /// Saturated at `u32::MAX - 1`; `u32::MAX` is immortal.
    pub(crate) refcount: Vec<u32>,
    pub(crate) flags: Vec<u8>,
    /// One more than there are objects.
    pub(crate) first: Vec<u32>,
    pub(crate) target: Vec<u32>,
    pub(crate) tag: Vec<u8>,
    pub(crate) number: Vec<u32>,
}

/// Referrers: for each object the edge numbers that point to it.
#[derive(Clone, Debug)]
pub struct Transpose {
    first: Vec<u32>,
    source: Vec<u32>,
    edge: Vec<u32>,
}

impl Graph {
    /// Number of objects.
    #[inline]
    pub fn len(&self) -> usize {
        self.address.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.address.is_empty()
    }

    /// Number of references, weak ones included.
    #[inline]
    pub fn edge_count(&self) -> usize {
        self.target.len()
    }

    /// Every object's id, ascending.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.address.len() as u32).map(NodeId)
    }

    /// Where the object lay.
    #[inline]
    pub fn address(&self, n: NodeId) -> u64 {
        self.address[n.index()]
    }

    /// Its class.
    #[inline]
    pub fn type_id(&self, n: NodeId) -> TypeId {
        TypeId(self.type_id[n.index()])
    }

    /// Its own size in bytes, collector's header included.
    #[inline]
    pub fn shallow_bytes(&self, n: NodeId) -> u64 {
        match self.shallow[n.index()] {
            u32::MAX => self.huge.get(&n.0).copied().unwrap_or(u32::MAX as u64),
            s => s as u64,
        }
    }

    /// Its reference count; `None` when immortal.
    #[inline]
    pub fn refcount(&self, n: NodeId) -> Option<u64> {
        match self.refcount[n.index()] {
            u32::MAX => None,
            r => Some(r as u64),
        }
    }

    /// What else is known.
    #[inline]
    pub fn flags(&self, n: NodeId) -> Flags {
        Flags(self.flags[n.index()])
    }

    /// The whole row.
    pub fn row(&self, n: NodeId) -> ObjectRow {
        ObjectRow {
            address: self.address(n),
            type_id: self.type_id(n),
            shallow_bytes: self.shallow_bytes(n),
            refcount: self.refcount(n),
            flags: self.flags(n),
        }
    }

    /// Numbers of the object's references.
    #[inline]
    pub fn edge_range(&self, n: NodeId) -> std::ops::Range<usize> {
        self.first[n.index()] as usize..self.first[n.index() + 1] as usize
    }

    /// The reference with this number.
    #[inline]
    pub fn edge(&self, number: usize) -> Edge {
        Edge::unpack(NodeId(self.target[number]), self.tag[number], self.number[number])
    }

    /// What the object holds.
    #[inline]
    pub fn edges(&self, n: NodeId) -> impl ExactSizeIterator<Item = Edge> + '_ {
        self.edge_range(n).map(|e| self.edge(e))
    }

    /// The object whose reference this is: the reverse of [`Graph::edge_range`].
    pub fn source(&self, number: usize) -> NodeId {
        let after = self.first.partition_point(|&f| f as usize <= number);
        NodeId(after.saturating_sub(1) as u32)
    }

    /// Bare targets of all references, by edge number, for tight loops.
    #[inline]
    pub fn targets(&self) -> &[u32] {
        &self.target
    }

    /// Packed kind and certainty of all references, by edge number ([`Edge::pack`]).
    #[inline]
    pub fn tags(&self) -> &[u8] {
        &self.tag
    }

    /// First edge number of each object, and one more: the compressed rows' index.
    #[inline]
    pub fn first_edges(&self) -> &[u32] {
        &self.first
    }

    /// The object at this address.
    pub fn find(&self, address: u64) -> Option<NodeId> {
        self.address.binary_search(&address).ok().map(|i| NodeId(i as u32))
    }

    /// The referrers of every object.  16 bytes an edge while it is built, 8 after.
    pub fn transpose(&self) -> Transpose {
        let mut first = vec![0u32; self.len() + 1];
        for &t in &self.target {
            first[t as usize + 1] += 1;
        }
        for i in 1..first.len() {
            first[i] += first[i - 1];
        }
        let mut at = first.clone();
        let mut source = vec![0u32; self.target.len()];
        let mut edge = vec![0u32; self.target.len()];
        for n in 0..self.len() {
            for e in self.first[n]..self.first[n + 1] {
                let slot = &mut at[self.target[e as usize] as usize];
                source[*slot as usize] = n as u32;
                edge[*slot as usize] = e;
                *slot += 1;
            }
        }
        Transpose { first, source, edge }
    }
}

impl Transpose {
    /// Who refers to the object: referrer and edge number, ascending.
    pub fn referrers(&self, n: NodeId) -> impl ExactSizeIterator<Item = (NodeId, usize)> + '_ {
        let r = self.first[n.index()] as usize..self.first[n.index() + 1] as usize;
        r.map(|i| (NodeId(self.source[i]), self.edge[i] as usize))
    }

    /// How many references point to the object, weak ones included.
    pub fn in_degree(&self, n: NodeId) -> usize {
        (self.first[n.index() + 1] - self.first[n.index()]) as usize
    }
}

/// One heap at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Objects and references.
    pub graph: Graph,
    /// Names.
    pub labels: Labels,
    /// Classes, by [`TypeId`].
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

impl Snapshot {
    /// A name's text.
    pub fn text(&self, id: LabelId) -> &str {
        self.labels.text(id)
    }

    /// The class of an object.
    pub fn type_of(&self, n: NodeId) -> Option<&TypeRow> {
        self.types.get(self.graph.type_id(n).index())
    }

    /// The dotted name of an object's class.
    pub fn type_name(&self, n: NodeId) -> &str {
        self.type_of(n).map_or("?", |t| self.text(t.name))
    }

    /// What native thing the object stands for, if it does.
    pub fn wrapper(&self, n: NodeId) -> Option<&WrapperRow> {
        self.wrappers.binary_search_by_key(&n, |r| r.node).ok().map(|i| &self.wrappers[i])
    }

    /// The object's own name (function, class, module, code, frame), if it has one.
    pub fn name_of(&self, n: NodeId) -> Option<&NamedRow> {
        self.named.binary_search_by_key(&n, |r| r.node).ok().map(|i| &self.named[i])
    }
}
