//! Fills a [`Snapshot`] in memory: from a live capture, a file, or a test.

use std::io;

use crate::Origin;
use crate::{Edge, Flags, Graph, LabelId, Labels, NodeId, ObjectRow, Sink, Snapshot, Tail, TypeId, TypeRow};

/// A [`Sink`] that keeps everything in memory.
#[derive(Debug)]
pub struct Builder {
    labels: Labels,
    graph: Graph,
    tail: Tail,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl Builder {
    /// Empty.
    pub fn new() -> Builder {
        let graph = Graph { first: vec![0], ..Graph::default() };
        Builder { labels: Labels::default(), graph, tail: Tail::default() }
    }

    /// With the table of names given (a file has it whole).
    pub fn with_labels(labels: Labels) -> Builder {
        Builder { labels, ..Builder::new() }
    }

    pub(crate) fn with_graph(labels: Labels, graph: Graph) -> Builder {
        Builder { labels, graph, tail: Tail::default() }
    }

    /// The finished snapshot.  References to objects that never came are dropped
    /// and counted as the defect `dangling-reference`; a running frame's places that its
    /// target's count has no room for are weak.
    pub fn build(mut self) -> Snapshot {
        let n = self.graph.len() as u32;
        if self.graph.target.iter().any(|&t| t >= n) {
            let dropped = self.drop_dangling(n);
            *self.tail.facts.defects.entry("dangling-reference".into()).or_default() += dropped;
        }
        crate::stale::weaken(&mut self.graph);
        let Tail { types, mut roots, mut named, regions, mut births, mut wrappers, mut facts } = self.tail;
        let unknown = births.as_mut().map_or(0, |b| b.keep_known(n as usize, types.len()));
        if unknown > 0 {
            *facts.defects.entry("birth-of-nothing".into()).or_default() += unknown;
        }
        roots.retain(|r| r.node.0 < n);
        named.retain(|r| r.node.0 < n);
        named.sort_by_key(|r| r.node);
        wrappers.retain(|r| r.node.0 < n);
        wrappers.sort_by_key(|r| r.node);
        Snapshot { graph: self.graph, labels: self.labels, types, roots, named, regions, births, wrappers, facts }
    }

    fn drop_dangling(&mut self, n: u32) -> u64 {
        let g = &mut self.graph;
        let before = g.target.len();
        let mut kept = 0usize;
        let mut e = 0usize;
        for i in 0..g.address.len() {
            let end = g.first[i + 1] as usize;
            g.first[i] = kept as u32;
            while e < end {
                if g.target[e] < n {
                    (g.target[kept], g.tag[kept], g.number[kept]) = (g.target[e], g.tag[e], g.number[e]);
                    kept += 1;
                }
                e += 1;
            }
        }
        if let Some(last) = g.first.last_mut() {
            *last = kept as u32;
        }
        g.target.truncate(kept);
        g.tag.truncate(kept);
        g.number.truncate(kept);
        (before - kept) as u64
    }

    /// A class for a test or a synthetic graph.
    pub fn add_type(&mut self, name: &str) -> TypeId {
        let name = self.labels.intern(name);
        self.tail.types.push(TypeRow {
            name,
            object: None,
            basic_bytes: 0,
            item_bytes: 0,
            module_file: LabelId::NONE,
            origin: Origin::Program,
            has_gc: true,
            has_del: false,
        });
        TypeId(self.tail.types.len() as u32 - 1)
    }

    /// The part that comes last, to be filled in by hand.
    pub fn tail_mut(&mut self) -> &mut Tail {
        &mut self.tail
    }

    /// A whole graph from edge lists, one type, refcounts as the references found:
    /// for tests and benches.  `edges[i]` are the targets of object `i`.
    pub fn from_edges(edges: &[Vec<u32>]) -> Snapshot {
        let mut b = Builder::new();
        let t = b.add_type("test.Node");
        let mut counts = vec![0u64; edges.len()];
        edges.iter().flatten().for_each(|&d| counts[d as usize] += 1);
        let kind = crate::EdgeKind::Item;
        for (i, out) in edges.iter().enumerate() {
            let row = ObjectRow {
                address: 0x1000 + 64 * i as u64,
                type_id: t,
                shallow_bytes: 64,
                refcount: Some(counts[i]),
                flags: Flags::GC_TRACKED,
            };
            let out: Vec<Edge> = out.iter().map(|&d| Edge::exact(NodeId(d), kind)).collect();
            b.push(&row, &out);
        }
        b.build()
    }

    /// The next object.
    pub fn push(&mut self, row: &ObjectRow, edges: &[Edge]) -> NodeId {
        let g = &mut self.graph;
        let id = g.address.len() as u32;
        g.address.push(row.address);
        g.type_id.push(row.type_id.0);
        if row.shallow_bytes >= u32::MAX as u64 {
            g.huge.insert(id, row.shallow_bytes);
        }
        g.shallow.push(row.shallow_bytes.min(u32::MAX as u64) as u32);
        g.refcount.push(row.refcount.map_or(u32::MAX, |r| r.min(u32::MAX as u64 - 1) as u32));
        g.flags.push(row.flags.0);
        for e in edges {
            let (tag, number) = e.pack();
            g.target.push(e.target.0);
            g.tag.push(tag);
            g.number.push(number);
        }
        g.first.push(g.target.len() as u32);
        NodeId(id)
    }
}

impl Sink for Builder {
    fn label(&mut self, text: &str) -> LabelId {
        self.labels.intern(text)
    }

    fn begin(&mut self, objects: usize) -> io::Result<()> {
        let g = &mut self.graph;
        g.address.reserve_exact(objects);
        g.type_id.reserve_exact(objects);
        g.shallow.reserve_exact(objects);
        g.refcount.reserve_exact(objects);
        g.flags.reserve_exact(objects);
        g.first.reserve_exact(objects);
        Ok(())
    }

    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()> {
        if self.graph.target.len() + edges.len() > u32::MAX as usize {
            return Err(io::Error::other("more than 4,294,967,295 references: past what one graph in memory holds"));
        }
        self.push(row, edges);
        Ok(())
    }

    fn finish(&mut self, tail: Tail) -> io::Result<()> {
        self.tail = tail;
        Ok(())
    }
}
