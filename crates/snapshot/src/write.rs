//! Writes a snapshot as it is captured: objects and references stream into
//! their tables, the rest follows at the end.  Knows the graph's rows and the
//! order of work; pages, bytes and directories are other files' business.

mod births;
mod dictionary;
mod edges;
mod encoder;
mod file;
mod objects;
mod small;
mod wrappers;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use undying_graph::{Edge, LabelId, Labels, ObjectRow, Sink, Tail};

use self::edges::{EdgePage, Edges, Texts};
use self::encoder::Encoder;
use self::objects::{ObjectPage, Objects};
use self::small::Small;
use crate::directory::Partial;
use crate::error::WriteError;
use crate::meta::{self, Counts, RecordedMeta};
use crate::schema::{EDGES, META, NAMES, OBJECTS, RECORDED, REGIONS, ROOTS, TYPES, Table, UNTRAVERSED, WRAPPERS};

/// No program has so many classes; a type number past it is a mistake.
const MAX_TYPES: u32 = 1 << 24;

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The snapshot's directory.
    pub path: PathBuf,
    /// Rows of each table.
    pub counts: Counts,
    /// Bytes of all files.
    pub bytes: u64,
}

/// A [`Sink`] that writes a snapshot's directory.  Call [`Writer::commit`] after
/// [`Sink::finish`]; a writer that is dropped before leaves nothing behind.
pub struct Writer {
    // Dropped first: it holds files in the directory open.
    encoder: Encoder,
    directory: Partial,
    undying: String,
    labels: Labels,
    /// So many labels the encoder knows.
    told: usize,
    objects: ObjectPage,
    /// References, and those that no traversal confirms.
    edges: [EdgePage; 2],
    counts: Counts,
    /// Objects that the walk announced: ids are below.
    announced: u32,
    /// The highest type number met.
    last_type: u32,
    /// References to objects that will not come.
    dangling: u64,
    /// Whether there are tables of births.
    recorded: bool,
    finished: bool,
}

impl Writer {
    /// Makes a temporary directory beside `dest`, to be named `dest` at the end.
    /// An existing `dest` is an error, unless `force` and it is a snapshot or empty.
    pub fn create(dest: &Path, force: bool, undying_version: &str) -> Result<Writer, WriteError> {
        let directory = Partial::create(dest, force)?;
        let at = |name: &'static str| {
            let path = dest.join(name);
            move |why| WriteError::Io { path, why }
        };
        let objects =
            file::open(&directory, &OBJECTS, undying_version).and_then(Objects::new).map_err(at(OBJECTS.file))?;
        let edges =
            |table: &Table| file::open(&directory, table, undying_version).and_then(Edges::new).map_err(at(table.file));
        let edges = [edges(&EDGES)?, edges(&UNTRAVERSED)?];
        Ok(Writer {
            encoder: Encoder::start(objects, edges).map_err(at(""))?,
            directory,
            undying: undying_version.into(),
            labels: Labels::default(),
            told: 0,
            objects: ObjectPage::new(),
            edges: [EdgePage::new(), EdgePage::new()],
            counts: Counts::default(),
            announced: 0,
            last_type: 0,
            dangling: 0,
            recorded: false,
            finished: false,
        })
    }

    /// Flushes everything to the disk and gives the directory its name.
    pub fn commit(self) -> Result<Summary, WriteError> {
        let path = self.directory.dest().to_path_buf();
        if !self.finished {
            return Err(WriteError::Unfinished(path));
        }
        let mut bytes = 0;
        let recorded = RECORDED.iter().filter(|_| self.recorded).copied();
        let recorded = recorded.chain((self.counts.wrappers > 0).then_some(&WRAPPERS));
        let tables = [&OBJECTS, &EDGES, &UNTRAVERSED, &TYPES, &ROOTS, &NAMES, &REGIONS].into_iter().chain(recorded);
        for name in tables.map(|t| t.file).chain([META]) {
            let flushed = File::open(self.directory.join(name)).and_then(|f| f.sync_all().and_then(|()| f.metadata()));
            bytes += flushed.map_err(|why| WriteError::Io { path: path.join(name), why })?.len();
        }
        self.directory.commit()?;
        Ok(Summary { path, counts: self.counts, bytes })
    }

    fn flush_objects(&mut self) -> io::Result<()> {
        let empty = self.encoder.empty_objects();
        self.encoder.objects(std::mem::replace(&mut self.objects, empty))
    }

    fn flush_edges(&mut self, table: usize) -> io::Result<()> {
        if self.told < self.labels.len() {
            let mut texts = Texts::default();
            (self.told..self.labels.len()).for_each(|l| texts.push(self.labels.text(LabelId(l as u32))));
            self.told = self.labels.len();
            self.encoder.texts(texts)?;
        }
        let empty = self.encoder.empty_edges();
        self.encoder.edges(table, std::mem::replace(&mut self.edges[table], empty))
    }

    /// Takes one object's references for one of the two tables.
    #[inline]
    fn references(&mut self, table: usize, id: u32, edges: &[Edge]) -> io::Result<()> {
        if edges.iter().all(|e| e.target.0 < self.announced) {
            return self.put(table, id, edges);
        }
        let edges = self.without_dangling(edges);
        self.put(table, id, &edges)
    }

    /// Fills as many pages as they need.
    #[inline]
    fn put(&mut self, table: usize, id: u32, edges: &[Edge]) -> io::Result<()> {
        let count = if table == 0 { &mut self.counts.edges } else { &mut self.counts.untraversed };
        *count += edges.len() as u64;
        let mut rest = self.edges[table].push(id, edges);
        while self.edges[table].is_full() {
            self.flush_edges(table)?;
            rest = self.edges[table].push(id, rest);
        }
        Ok(())
    }

    /// A reference to an object that was not announced is left out and counted.
    #[cold]
    fn without_dangling(&mut self, edges: &[Edge]) -> Vec<Edge> {
        let kept: Vec<Edge> = edges.iter().filter(|e| e.target.0 < self.announced).copied().collect();
        self.dangling += (edges.len() - kept.len()) as u64;
        kept
    }

    #[cold]
    fn new_last_type(&mut self, id: u32) -> io::Result<()> {
        if id > MAX_TYPES {
            return Err(invalid(format!("type number {id}: past what any program has")));
        }
        self.last_type = id;
        Ok(())
    }

    fn write_rest(&mut self, mut tail: Tail) -> io::Result<()> {
        let (came, types) = (self.counts.objects, tail.types.len());
        if came != self.announced as u64 {
            return Err(invalid(format!("{} objects were announced and {came} came", self.announced)));
        }
        if came > 0 && self.last_type as usize >= types {
            return Err(invalid(format!("an object has type number {}, and there are {types} types", self.last_type)));
        }
        if !self.objects.is_empty() {
            self.flush_objects()?;
        }
        for table in 0..self.edges.len() {
            if !self.edges[table].is_empty() {
                self.flush_edges(table)?;
            }
        }
        self.encoder.finish()?;
        self.keep_known(&mut tail);
        let small = Small { directory: &self.directory, undying: &self.undying, labels: &self.labels };
        small.write(&tail)?;
        if let Some(births) = &tail.births {
            small.write_births(births)?;
            self.counts.births = births.len() as u64;
            self.counts.places = births.places.len() as u64;
            self.counts.deaths = births.deaths.len() as u64;
        }
        if !tail.wrappers.is_empty() {
            small.write_wrappers(&tail.wrappers)?;
            self.counts.wrappers = tail.wrappers.len() as u64;
        }
        self.counts.types = types as u64;
        self.counts.roots = tail.roots.len() as u64;
        self.counts.names = tail.named.len() as u64;
        self.counts.regions = tail.regions.len() as u64;
        let recorded = tail.births.as_ref().map(|b| RecordedMeta::of(b, &self.labels));
        self.recorded = recorded.is_some();
        let text = meta::to_text(&self.undying, self.counts, recorded, &tail.facts)?;
        self.directory.file(META)?.write_all(text.as_bytes())
    }

    /// As [`undying_graph::Builder::build`]: ids that are not there go.
    fn keep_known(&self, tail: &mut Tail) {
        let there = |id: undying_graph::NodeId| id.0 < self.announced;
        tail.roots.retain(|r| there(r.node));
        tail.named.retain(|r| there(r.node));
        tail.named.sort_by_key(|r| r.node);
        tail.wrappers.retain(|r| there(r.node));
        tail.wrappers.sort_by_key(|r| r.node);
        let unknown = tail.births.as_mut().map_or(0, |b| b.keep_known(self.announced as usize, tail.types.len()));
        if unknown > 0 {
            *tail.facts.defects.entry("birth-of-nothing".into()).or_default() += unknown;
        }
        tail.types.iter_mut().for_each(|t| t.object = t.object.filter(|o| there(*o)));
        if self.dangling > 0 {
            *tail.facts.defects.entry("dangling-reference".into()).or_default() += self.dangling;
        }
    }

    /// An error with the place it is about.
    fn explain(&self, e: io::Error) -> io::Error {
        io::Error::new(e.kind(), format!("cannot write the snapshot {}: {e}", self.directory.dest().display()))
    }
}

impl Sink for Writer {
    fn label(&mut self, text: &str) -> LabelId {
        self.labels.intern(text)
    }

    fn begin(&mut self, objects: usize) -> io::Result<()> {
        self.announced = u32::try_from(objects)
            .map_err(|_| invalid("more than 4,294,967,295 objects: past what a snapshot numbers".into()))?;
        Ok(())
    }

    #[inline]
    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()> {
        self.object_with_untraversed(row, edges, &[])
    }

    #[inline]
    fn object_with_untraversed(&mut self, row: &ObjectRow, edges: &[Edge], untraversed: &[Edge]) -> io::Result<()> {
        if row.type_id.0 > self.last_type {
            self.new_last_type(row.type_id.0).map_err(|e| self.explain(e))?;
        }
        let id = self.counts.objects as u32;
        self.counts.objects += 1;
        self.references(0, id, edges).map_err(|e| self.explain(e))?;
        if !untraversed.is_empty() {
            self.references(1, id, untraversed).map_err(|e| self.explain(e))?;
        }
        self.objects.push(row);
        if self.objects.is_full() {
            self.flush_objects().map_err(|e| self.explain(e))?;
        }
        Ok(())
    }

    fn finish(&mut self, tail: Tail) -> io::Result<()> {
        self.write_rest(tail).map_err(|e| self.explain(e))?;
        self.finished = true;
        Ok(())
    }
}
