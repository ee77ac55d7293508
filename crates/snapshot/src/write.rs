//! Writes a snapshot as it is captured: objects and references stream into
//! their tables, the rest follows at the end.  Knows the graph's rows and the
//! order of work; pages, bytes and directories are other files' business.

mod dictionary;
mod edges;
mod encoder;
mod file;
mod objects;
mod small;

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
use crate::meta::{self, Counts};
use crate::schema::{EDGES, META, NAMES, OBJECTS, REGIONS, ROOTS, TYPES};

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
    edges: EdgePage,
    counts: Counts,
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
        let edges = file::open(&directory, &EDGES, undying_version).and_then(Edges::new).map_err(at(EDGES.file))?;
        Ok(Writer {
            encoder: Encoder::start(objects, edges).map_err(at(""))?,
            directory,
            undying: undying_version.into(),
            labels: Labels::default(),
            told: 0,
            objects: ObjectPage::new(),
            edges: EdgePage::new(),
            counts: Counts::default(),
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
        for name in [OBJECTS.file, EDGES.file, TYPES.file, ROOTS.file, NAMES.file, REGIONS.file, META] {
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

    fn flush_edges(&mut self) -> io::Result<()> {
        if self.told < self.labels.len() {
            let mut texts = Texts::default();
            (self.told..self.labels.len()).for_each(|l| texts.push(self.labels.text(LabelId(l as u32))));
            self.told = self.labels.len();
            self.encoder.texts(texts)?;
        }
        let empty = self.encoder.empty_edges();
        self.encoder.edges(std::mem::replace(&mut self.edges, empty))
    }

    fn write_rest(&mut self, tail: &Tail) -> io::Result<()> {
        if !self.objects.is_empty() {
            self.flush_objects()?;
        }
        if !self.edges.is_empty() {
            self.flush_edges()?;
        }
        self.encoder.finish()?;
        Small { directory: &self.directory, undying: &self.undying, labels: &self.labels }.write(tail)?;
        self.counts.types = tail.types.len() as u64;
        self.counts.roots = tail.roots.len() as u64;
        self.counts.names = tail.named.len() as u64;
        self.counts.regions = tail.regions.len() as u64;
        let text = meta::to_text(&self.undying, self.counts, &tail.facts)?;
        self.directory.file(META)?.write_all(text.as_bytes())
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
        if objects > u32::MAX as usize {
            return Err(io::Error::other("more than 4,294,967,295 objects: past what a snapshot numbers"));
        }
        Ok(())
    }

    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()> {
        let id = self.counts.objects as u32;
        self.counts.objects += 1;
        self.counts.edges += edges.len() as u64;
        let mut rest = self.edges.push(id, edges);
        while self.edges.is_full() {
            self.flush_edges().map_err(|e| self.explain(e))?;
            rest = self.edges.push(id, rest);
        }
        self.objects.push(row);
        if self.objects.is_full() {
            self.flush_objects().map_err(|e| self.explain(e))?;
        }
        Ok(())
    }

    fn finish(&mut self, tail: Tail) -> io::Result<()> {
        self.write_rest(&tail).map_err(|e| self.explain(e))?;
        self.finished = true;
        Ok(())
    }
}
