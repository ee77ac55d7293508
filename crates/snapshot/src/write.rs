//! Writes a snapshot as it is captured: objects and references stream into
//! their tables, the rest follows at the end.  Knows the graph's rows and the
//! order of work; pages, bytes and directories are other files' business.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use parquet::file::writer::SerializedFileWriter;
use undying_graph::{
    Detail, Edge, LabelId, Labels, NamedRow, ObjectRow, RegionRow, Root, Sink, Tail, TypeRow,
};

use crate::directory::Partial;
use crate::error::WriteError;
use crate::meta::{self, Counts};
use crate::schema::{EDGES, GROUP_ROWS, META, NAMES, OBJECTS, REGIONS, ROOTS, TYPES, Table};
use crate::table::{Column, write_group};

type TableFile = SerializedFileWriter<BufWriter<File>>;

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
    directory: Partial,
    undying: String,
    labels: Labels,
    objects: Option<TableFile>,
    edges: Option<TableFile>,
    object_rows: Vec<ObjectRow>,
    edge_rows: Vec<(u32, Edge)>,
    counts: Counts,
    finished: bool,
}

fn other(e: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(e)
}

impl Writer {
    /// Makes a temporary directory beside `dest`, to be named `dest` at the end.
    /// An existing `dest` is an error, unless `force` and it is a snapshot or empty.
    pub fn create(dest: &Path, force: bool, undying_version: &str) -> Result<Writer, WriteError> {
        let directory = Partial::create(dest, force)?;
        let mut writer = Writer {
            directory,
            undying: undying_version.into(),
            labels: Labels::default(),
            objects: None,
            edges: None,
            object_rows: Vec::new(),
            edge_rows: Vec::new(),
            counts: Counts::default(),
            finished: false,
        };
        let failed = |table: &Table, dir: &Partial, why| WriteError::Io {
            path: dir.join(table.file),
            why,
        };
        writer.objects = Some(
            writer
                .open(&OBJECTS)
                .map_err(|e| failed(&OBJECTS, &writer.directory, e))?,
        );
        writer.edges = Some(
            writer
                .open(&EDGES)
                .map_err(|e| failed(&EDGES, &writer.directory, e))?,
        );
        Ok(writer)
    }

    /// Flushes everything to the disk and gives the directory its name.
    pub fn commit(self) -> Result<Summary, WriteError> {
        let path = self.directory.dest().to_path_buf();
        if !self.finished {
            return Err(WriteError::Unfinished(path));
        }
        let mut bytes = 0;
        for file in [
            OBJECTS.file,
            EDGES.file,
            TYPES.file,
            ROOTS.file,
            NAMES.file,
            REGIONS.file,
            META,
        ] {
            let at = self.directory.join(file);
            let flushed = File::open(&at).and_then(|f| f.sync_all().and_then(|()| f.metadata()));
            bytes += flushed
                .map_err(|why| WriteError::Io { path: at, why })?
                .len();
        }
        self.directory.commit()?;
        Ok(Summary {
            path,
            counts: self.counts,
            bytes,
        })
    }

    fn open(&self, table: &Table) -> io::Result<TableFile> {
        let file = BufWriter::with_capacity(1 << 20, self.directory.file(table.file)?);
        let properties = table.properties(&self.undying).map_err(other)?;
        SerializedFileWriter::new(file, table.parsed().map_err(other)?, properties).map_err(other)
    }

    fn flush_objects(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.object_rows);
        let columns = [
            Column::i64(rows.iter().map(|r| r.address)),
            Column::u32(rows.iter().map(|r| r.type_id.0)),
            Column::i64(rows.iter().map(|r| r.shallow_bytes)),
            Column::i64_or_null(rows.iter().map(|r| r.refcount)),
            Column::bool(
                rows.iter()
                    .map(|r| r.flags.has(undying_graph::Flags::GC_TRACKED)),
            ),
            Column::u32(rows.iter().map(|r| r.flags.0 as u32)),
        ];
        let Some(file) = &mut self.objects else {
            return Ok(());
        };
        write_group(file, &columns).map_err(other)
    }

    fn flush_edges(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.edge_rows);
        let label = |e: &Edge| {
            if let Detail::Label(l) = e.detail {
                Some(l)
            } else {
                None
            }
        };
        let index = |e: &Edge| {
            if let Detail::Index(i) = e.detail {
                Some(i as u64)
            } else {
                None
            }
        };
        let columns = [
            Column::u32(rows.iter().map(|r| r.0)),
            Column::u32(rows.iter().map(|r| r.1.target.0)),
            Column::text(rows.iter().map(|r| r.1.kind.name())),
            Column::text_or_null(
                rows.iter()
                    .map(|r| label(&r.1).map(|l| self.labels.text(l))),
            ),
            Column::i64_or_null(rows.iter().map(|r| index(&r.1))),
            Column::text(rows.iter().map(|r| r.1.certainty.name())),
        ];
        let Some(file) = &mut self.edges else {
            return Ok(());
        };
        write_group(file, &columns).map_err(other)
    }

    /// A small table: row groups of at most [`GROUP_ROWS`].
    fn small<R>(
        &self,
        table: &Table,
        rows: &[R],
        columns: impl Fn(&[R], usize) -> Vec<Column>,
    ) -> io::Result<()> {
        let mut file = self.open(table)?;
        for (i, rows) in rows.chunks(GROUP_ROWS).enumerate() {
            write_group(&mut file, &columns(rows, i * GROUP_ROWS)).map_err(other)?;
        }
        file.close().map_err(other)?;
        Ok(())
    }

    fn text(&self, id: LabelId) -> &str {
        self.labels.text(id)
    }

    fn text_or_null(&self, id: LabelId) -> Option<&str> {
        (id != LabelId::NONE).then(|| self.labels.text(id))
    }

    fn types(&self, rows: &[TypeRow]) -> io::Result<()> {
        self.small(&TYPES, rows, |rows, first| {
            vec![
                Column::u32((first as u32..).take(rows.len())),
                Column::text(rows.iter().map(|r| self.text(r.name))),
                Column::u32_or_null(rows.iter().map(|r| r.object.map(|o| o.0))),
                Column::i64(rows.iter().map(|r| r.basic_bytes)),
                Column::i64(rows.iter().map(|r| r.item_bytes)),
                Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.module_file))),
                Column::text(rows.iter().map(|r| r.origin.name())),
                Column::bool(rows.iter().map(|r| r.has_gc)),
                Column::bool(rows.iter().map(|r| r.has_del)),
            ]
        })
    }

    fn roots(&self, rows: &[Root]) -> io::Result<()> {
        self.small(&ROOTS, rows, |rows, _| {
            vec![
                Column::u32(rows.iter().map(|r| r.node.0)),
                Column::text(rows.iter().map(|r| r.kind.name())),
                Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.label))),
            ]
        })
    }

    fn names(&self, rows: &[NamedRow]) -> io::Result<()> {
        self.small(&NAMES, rows, |rows, _| {
            vec![
                Column::u32(rows.iter().map(|r| r.node.0)),
                Column::text(rows.iter().map(|r| self.text(r.name))),
                Column::text_or_null(rows.iter().map(|r| self.text_or_null(r.file))),
                Column::u32_or_null(rows.iter().map(|r| (r.line != 0).then_some(r.line))),
            ]
        })
    }

    fn regions(&self, rows: &[RegionRow]) -> io::Result<()> {
        self.small(&REGIONS, rows, |rows, _| {
            vec![
                Column::i64(rows.iter().map(|r| r.start)),
                Column::i64(rows.iter().map(|r| r.end)),
                Column::text(rows.iter().map(|r| r.permissions.as_str())),
                Column::i64(rows.iter().map(|r| r.offset)),
                Column::text(rows.iter().map(|r| r.path.as_str())),
                Column::i64_or_null(rows.iter().map(|r| r.resident_bytes)),
                Column::text(rows.iter().map(|r| r.claim.as_str())),
            ]
        })
    }
}

impl Sink for Writer {
    fn label(&mut self, text: &str) -> LabelId {
        self.labels.intern(text)
    }

    fn begin(&mut self, _objects: usize) -> io::Result<()> {
        Ok(())
    }

    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()> {
        let id = self.counts.objects as u32;
        self.object_rows.push(*row);
        if self.object_rows.len() == GROUP_ROWS {
            self.flush_objects()?;
        }
        for e in edges {
            self.edge_rows.push((id, *e));
            if self.edge_rows.len() == GROUP_ROWS {
                self.flush_edges()?;
            }
        }
        self.counts.objects += 1;
        self.counts.edges += edges.len() as u64;
        Ok(())
    }

    fn finish(&mut self, tail: Tail) -> io::Result<()> {
        if !self.object_rows.is_empty() {
            self.flush_objects()?;
        }
        if !self.edge_rows.is_empty() {
            self.flush_edges()?;
        }
        for file in [self.objects.take(), self.edges.take()]
            .into_iter()
            .flatten()
        {
            file.close().map_err(other)?;
        }
        self.types(&tail.types)?;
        self.roots(&tail.roots)?;
        self.names(&tail.named)?;
        self.regions(&tail.regions)?;
        self.counts.types = tail.types.len() as u64;
        self.counts.roots = tail.roots.len() as u64;
        self.counts.names = tail.named.len() as u64;
        self.counts.regions = tail.regions.len() as u64;
        let text = meta::to_text(&self.undying, self.counts, &tail.facts)?;
        let mut file = self.directory.file(META)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        self.finished = true;
        Ok(())
    }
}
