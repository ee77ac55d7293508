//! A heap in memory that can be saved as it was captured: which references no traversal
//! confirms is kept beside the graph, which does not need it.

use std::io;
use std::path::Path;

use undying_cli::{Failure, VERSION};
use undying_graph::{Builder, Edge, LabelId, ObjectRow, Progress, Sink, Snapshot, Tail};
use undying_snapshot::{WriteError, Writer};

/// A sink that builds a graph and remembers.
#[derive(Debug, Default)]
pub struct Keeping {
    builder: Builder,
    objects: u32,
    untraversed: Untraversed,
}

/// Objects whose last so many references no traversal confirms, ascending.
pub type Untraversed = Vec<(u32, u32)>;

impl Keeping {
    /// The finished heap.
    pub fn build(self) -> (Snapshot, Untraversed) {
        (self.builder.build(), self.untraversed)
    }
}

impl Sink for Keeping {
    fn label(&mut self, text: &str) -> LabelId {
        self.builder.label(text)
    }

    fn begin(&mut self, objects: usize) -> io::Result<()> {
        self.builder.begin(objects)
    }

    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()> {
        self.objects += 1;
        self.builder.object(row, edges)
    }

    fn object_with_untraversed(&mut self, row: &ObjectRow, edges: &[Edge], untraversed: &[Edge]) -> io::Result<()> {
        if !untraversed.is_empty() {
            self.untraversed.push((self.objects, untraversed.len() as u32));
        }
        self.objects += 1;
        self.builder.object_with_untraversed(row, edges, untraversed)
    }

    fn finish(&mut self, tail: Tail) -> io::Result<()> {
        self.builder.finish(tail)
    }
}

/// Writes a heap to a directory.
pub fn save(
    snapshot: &Snapshot,
    untraversed: &Untraversed,
    to: &Path,
    force: bool,
    progress: &dyn Progress,
) -> Result<(), Failure> {
    let mut writer = Writer::create(to, force, VERSION)?;
    let failed = |why| Failure::from(WriteError::Io { path: to.into(), why });
    // in the same order they get the same numbers
    (0..snapshot.labels.len() as u32).for_each(|l| {
        writer.label(snapshot.text(LabelId(l)));
    });
    let graph = &snapshot.graph;
    writer.begin(graph.len()).map_err(failed)?;
    let mut apart = untraversed.iter().copied().peekable();
    let mut edges: Vec<Edge> = Vec::new();
    for n in graph.nodes() {
        if n.0.is_multiple_of(1 << 14) {
            progress.check()?;
        }
        edges.clear();
        edges.extend(graph.edges(n));
        let last = apart.next_if(|a| a.0 == n.0).map_or(0, |a| a.1 as usize);
        let (traversed, not) = edges.split_at(edges.len().saturating_sub(last));
        writer.object_with_untraversed(&graph.row(n), traversed, not).map_err(failed)?;
    }
    let tail = Tail {
        types: snapshot.types.clone(),
        roots: snapshot.roots.clone(),
        named: snapshot.named.clone(),
        regions: snapshot.regions.clone(),
        births: snapshot.births.clone(),
        wrappers: snapshot.wrappers.clone(),
        facts: snapshot.facts.clone(),
    };
    writer.finish(tail).map_err(failed)?;
    writer.commit()?;
    Ok(())
}
