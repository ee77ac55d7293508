//! Reads a snapshot's directory back into a graph.  Whatever the files hold,
//! the answer is a [`Snapshot`] whose ids are in range, or a [`ReadError`].

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, SerializedFileReader};
use undying_graph::{
    Builder, Certainty, Detail, Edge, EdgeKind, Flags, NamedRow, NodeId, ObjectRow, Origin, Progress, RegionRow, Root,
    RootKind, Sink, Snapshot, Tail, TypeId, TypeRow,
};

use crate::error::ReadError;
use crate::meta::read_meta;
use crate::schema::{EDGES, NAMES, OBJECTS, REGIONS, ROOTS, TYPES, Table};
use crate::table::{Column, read_column};

type Result<T> = std::result::Result<T, ReadError>;

/// Reads the whole snapshot into memory.
pub fn read(dir: &Path, progress: &dyn Progress) -> Result<Snapshot> {
    let meta = read_meta(dir)?;
    let mut b = Builder::new();
    let types = read_types(dir, &mut b)?;
    let n = meta.counts.objects;
    read_graph(dir, &mut b, types.len(), n, progress)?;
    let roots = read_roots(dir, &mut b, n)?;
    let named = read_names(dir, &mut b, n)?;
    let regions = read_regions(dir)?;
    for t in &types {
        if t.object.is_some_and(|o| o.0 as u64 >= n) {
            return Err(ReadError::damaged(TYPES.file, "a class is an object that is not there"));
        }
    }
    *b.tail_mut() = Tail { types, roots, named, regions, facts: meta.facts };
    Ok(b.build())
}

/// One open table.
struct Open {
    file: &'static str,
    reader: SerializedFileReader<File>,
}

impl Open {
    fn new(dir: &Path, table: &Table) -> Result<Open> {
        let path = dir.join(table.file);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(ReadError::damaged(table.file, "the file is missing"));
            }
            Err(why) => return Err(ReadError::Io { path, why }),
        };
        let reader = SerializedFileReader::new(file).map_err(|e| ReadError::damaged(table.file, e))?;
        Ok(Open { file: table.file, reader })
    }

    fn damaged(&self, why: impl std::fmt::Display) -> ReadError {
        ReadError::damaged(self.file, why)
    }

    fn groups(&self) -> usize {
        self.reader.metadata().num_row_groups()
    }

    fn rows(&self, group: usize) -> usize {
        self.reader.metadata().row_group(group).num_rows().max(0) as usize
    }

    fn column(&self, group: usize, name: &str) -> Result<Column> {
        let descr = self.reader.metadata().file_metadata().schema_descr_ptr();
        let at = descr.columns().iter().position(|c| c.path().parts().len() == 1 && c.name() == name);
        let at = at.ok_or_else(|| self.damaged(format_args!("no column {name}")))?;
        let column = descr.column(at);
        if column.max_rep_level() > 0 || column.max_def_level() > 1 {
            return Err(self.damaged(format_args!("column {name} is nested")));
        }
        let rows = self.rows(group);
        let open = self.reader.get_row_group(group).and_then(|g| g.get_column_reader(at));
        open.and_then(|r| read_column(r, rows, column.max_def_level() == 1))
            .map_err(|e| self.damaged(format_args!("column {name}: {e}")))
    }

    fn integers(&self, group: usize, name: &str) -> Result<Vec<Option<i64>>> {
        match self.column(group, name)? {
            Column::I32 { values, present } => Ok(join(values.into_iter().map(|v| v as u32 as i64), &present)),
            Column::I64 { values, present } => Ok(join(values.into_iter(), &present)),
            _ => Err(self.damaged(format_args!("column {name} is not of integers"))),
        }
    }

    fn texts(&self, group: usize, name: &str) -> Result<Vec<Option<ByteArray>>> {
        match self.column(group, name)? {
            Column::Text { values, present } => Ok(join(values.into_iter(), &present)),
            _ => Err(self.damaged(format_args!("column {name} is not of text"))),
        }
    }

    fn bools(&self, group: usize, name: &str) -> Result<Vec<bool>> {
        match self.column(group, name)? {
            Column::Bool { values } => Ok(values),
            _ => Err(self.damaged(format_args!("column {name} is not of truth values"))),
        }
    }

    fn str<'a>(&self, text: &'a Option<ByteArray>) -> Result<&'a str> {
        match text {
            Some(bytes) => bytes.as_utf8().map_err(|e| self.damaged(e)),
            None => Ok(""),
        }
    }

    fn u32(&self, v: Option<i64>) -> Result<u32> {
        v.and_then(|v| u32::try_from(v).ok()).ok_or_else(|| self.damaged("a number out of range"))
    }
}

fn join<T>(mut values: impl Iterator<Item = T>, present: &[i16]) -> Vec<Option<T>> {
    if present.is_empty() {
        return values.map(Some).collect();
    }
    present.iter().map(|&p| if p == 1 { values.next() } else { None }).collect()
}

fn read_types(dir: &Path, b: &mut Builder) -> Result<Vec<TypeRow>> {
    let t = Open::new(dir, &TYPES)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (ids, names) = (t.integers(g, "type_id")?, t.texts(g, "name")?);
        let (objects, basic) = (t.integers(g, "object_id")?, t.integers(g, "basic_bytes")?);
        let (item, files) = (t.integers(g, "item_bytes")?, t.texts(g, "module_file")?);
        let (origin, gc, del) = (t.texts(g, "origin")?, t.bools(g, "has_gc")?, t.bools(g, "has_del")?);
        for i in 0..t.rows(g) {
            if ids[i] != Some(rows.len() as i64) {
                return Err(t.damaged("type_id is not the row number"));
            }
            rows.push(TypeRow {
                name: b.label(t.str(&names[i])?),
                object: objects[i].map(|o| t.u32(Some(o))).transpose()?.map(NodeId),
                basic_bytes: basic[i].unwrap_or(0) as u64,
                item_bytes: item[i].unwrap_or(0) as u64,
                module_file: b.label(t.str(&files[i])?),
                origin: Origin::from_name(t.str(&origin[i])?).ok_or_else(|| t.damaged("an unknown origin"))?,
                has_gc: gc[i],
                has_del: del[i],
            });
        }
    }
    Ok(rows)
}

fn read_graph(dir: &Path, b: &mut Builder, types: usize, n: u64, progress: &dyn Progress) -> Result<()> {
    let (objects, edges) = (Open::new(dir, &OBJECTS)?, Open::new(dir, &EDGES)?);
    let mut all: Vec<(u32, Edge)> = Vec::new();
    for g in 0..edges.groups() {
        progress.check()?;
        let (s, t) = (edges.integers(g, "source")?, edges.integers(g, "target")?);
        let (k, l) = (edges.texts(g, "kind")?, edges.texts(g, "label")?);
        let (x, c) = (edges.integers(g, "index")?, edges.texts(g, "certainty")?);
        for i in 0..edges.rows(g) {
            let target = edges.u32(t[i])?;
            if target as u64 >= n {
                return Err(edges.damaged("a reference to an object that is not there"));
            }
            let kind = EdgeKind::from_name(edges.str(&k[i])?).ok_or_else(|| edges.damaged("an unknown kind"))?;
            let certainty =
                Certainty::from_name(edges.str(&c[i])?).ok_or_else(|| edges.damaged("an unknown certainty"))?;
            let detail = match (&l[i], x[i]) {
                (Some(_), _) => Detail::Label(b.label(edges.str(&l[i])?)),
                (None, Some(x)) => Detail::Index(edges.u32(Some(x))?),
                (None, None) => Detail::None,
            };
            all.push((edges.u32(s[i])?, Edge { target: NodeId(target), kind, certainty, detail }));
        }
    }
    let mut rest = all.as_slice();
    let mut id = 0u32;
    for g in 0..objects.groups() {
        progress.check()?;
        let (a, t) = (objects.integers(g, "address")?, objects.integers(g, "type_id")?);
        let (s, r) = (objects.integers(g, "shallow_bytes")?, objects.integers(g, "refcount")?);
        let f = objects.integers(g, "flags")?;
        for i in 0..objects.rows(g) {
            let type_id = objects.u32(t[i])?;
            if type_id as usize >= types {
                return Err(objects.damaged("a type that is not there"));
            }
            let row = ObjectRow {
                address: a[i].unwrap_or(0) as u64,
                type_id: TypeId(type_id),
                shallow_bytes: s[i].unwrap_or(0) as u64,
                refcount: r[i].map(|r| r as u64),
                flags: Flags(objects.u32(f[i])? as u8),
            };
            let mine = rest.partition_point(|e| e.0 <= id);
            let out: Vec<Edge> = rest[..mine].iter().map(|e| e.1).collect();
            if rest[..mine].iter().any(|e| e.0 != id) {
                return Err(edges.damaged("sources are not ascending"));
            }
            rest = &rest[mine..];
            b.push(&row, &out);
            id += 1;
        }
    }
    if id as u64 != n {
        return Err(objects.damaged("not as many rows as meta.json says"));
    }
    if !rest.is_empty() {
        return Err(edges.damaged("sources are not ascending"));
    }
    Ok(())
}

fn read_roots(dir: &Path, b: &mut Builder, n: u64) -> Result<Vec<Root>> {
    let t = Open::new(dir, &ROOTS)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (o, k, l) = (t.integers(g, "object_id")?, t.texts(g, "kind")?, t.texts(g, "label")?);
        for i in 0..t.rows(g) {
            let node = in_range(&t, o[i], n)?;
            let kind = RootKind::from_name(t.str(&k[i])?).ok_or_else(|| t.damaged("an unknown kind"))?;
            rows.push(Root { node, kind, label: b.label(t.str(&l[i])?) });
        }
    }
    Ok(rows)
}

fn read_names(dir: &Path, b: &mut Builder, n: u64) -> Result<Vec<NamedRow>> {
    let t = Open::new(dir, &NAMES)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (o, names) = (t.integers(g, "object_id")?, t.texts(g, "name")?);
        let (files, lines) = (t.texts(g, "file")?, t.integers(g, "line")?);
        for i in 0..t.rows(g) {
            let node = in_range(&t, o[i], n)?;
            let (name, file) = (b.label(t.str(&names[i])?), b.label(t.str(&files[i])?));
            rows.push(NamedRow { node, name, file, line: t.u32(lines[i].or(Some(0)))? });
        }
    }
    Ok(rows)
}

fn read_regions(dir: &Path) -> Result<Vec<RegionRow>> {
    let t = Open::new(dir, &REGIONS)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (start, end, offset) = (t.integers(g, "start")?, t.integers(g, "end")?, t.integers(g, "offset")?);
        let (permissions, path) = (t.texts(g, "permissions")?, t.texts(g, "path")?);
        let (resident, claim) = (t.integers(g, "resident_bytes")?, t.texts(g, "claim")?);
        for i in 0..t.rows(g) {
            rows.push(RegionRow {
                start: start[i].unwrap_or(0) as u64,
                end: end[i].unwrap_or(0) as u64,
                permissions: t.str(&permissions[i])?.into(),
                offset: offset[i].unwrap_or(0) as u64,
                path: t.str(&path[i])?.into(),
                resident_bytes: resident[i].map(|r| r as u64),
                claim: t.str(&claim[i])?.into(),
            });
        }
    }
    Ok(rows)
}

fn in_range(t: &Open, id: Option<i64>, n: u64) -> Result<NodeId> {
    let id = t.u32(id)?;
    if id as u64 >= n { Err(t.damaged("an object that is not there")) } else { Ok(NodeId(id)) }
}
