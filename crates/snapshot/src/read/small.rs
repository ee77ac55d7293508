//! The small tables, row by row, through the stock readers.  Knows what their
//! columns mean; ids are checked here.

use std::path::Path;
use std::rc::Rc;

use undying_graph::{Labels, NamedRow, NodeId, Origin, RegionRow, Root, RootKind, TypeRow};

use super::Result;
use super::open::{Buffers, Open, Want};
use crate::error::ReadError;
use crate::page::load::Rows;
use crate::schema::{NAMES, REGIONS, ROOTS, TYPES, Table};

/// A table and the buffers its columns are read through.
pub(super) struct Reading {
    table: Open,
    buffers: Buffers,
}

impl Reading {
    /// Opens a table.
    pub(super) fn new(dir: &Path, table: &Table) -> Result<Reading> {
        let buffers = Buffers::new().map_err(|why| ReadError::Io { path: dir.into(), why })?;
        Ok(Reading { table: Open::new(dir, table)?, buffers })
    }

    /// Row groups.
    pub(super) fn groups(&self) -> usize {
        self.table.groups()
    }

    /// Rows of a row group.
    pub(super) fn rows(&self, group: usize) -> usize {
        self.table.rows(group)
    }

    /// An error about this table.
    pub(super) fn damaged(&self, why: &str) -> ReadError {
        self.table.damaged(why)
    }

    /// A column of numbers.
    pub(super) fn integers(&mut self, group: usize, name: &str) -> Result<Vec<Option<i64>>> {
        let mut all = Vec::new();
        self.table.pages(&mut self.buffers, group, name, Want::Wide, |rows, _| {
            join(rows, rows.wide.iter().map(|&v| v as i64), &mut all);
            Ok(())
        })?;
        Ok(all)
    }

    /// A column of texts.
    pub(super) fn texts(&mut self, group: usize, name: &str) -> Result<Vec<Option<Rc<str>>>> {
        let (mut all, mut known) = (Vec::new(), Vec::<Rc<str>>::new());
        self.table.pages(&mut self.buffers, group, name, Want::Text, |rows, dictionary| {
            for text in dictionary.texts_from(known.len()) {
                known.push(std::str::from_utf8(text).map_err(|_| "a text that is not UTF-8")?.into());
            }
            join(rows, rows.narrow.iter().map(|&place| known[place as usize].clone()), &mut all);
            Ok(())
        })?;
        Ok(all)
    }

    /// A column of truth values.
    pub(super) fn bools(&mut self, group: usize, name: &str) -> Result<Vec<bool>> {
        let mut all = Vec::new();
        self.table.pages(&mut self.buffers, group, name, Want::Truth, |rows, _| {
            if rows.narrow.len() != rows.count {
                return Err("a row without a value");
            }
            all.extend(rows.narrow.iter().map(|&v| v == 1));
            Ok(())
        })?;
        Ok(all)
    }

    /// A column of truth values, some missing.
    pub(super) fn bools_or_null(&mut self, group: usize, name: &str) -> Result<Vec<Option<bool>>> {
        let mut all = Vec::new();
        self.table.pages(&mut self.buffers, group, name, Want::Truth, |rows, _| {
            join(rows, rows.narrow.iter().map(|&v| v == 1), &mut all);
            Ok(())
        })?;
        Ok(all)
    }

    /// A number that is there and fits.
    pub(super) fn u32(&self, v: Option<i64>) -> Result<u32> {
        v.and_then(|v| u32::try_from(v).ok()).ok_or_else(|| self.damaged("a number out of range"))
    }

    /// A number that is there.
    pub(super) fn u64(&self, v: Option<i64>) -> Result<u64> {
        v.map(|v| v as u64).ok_or_else(|| self.damaged("a row without a value"))
    }

    /// An object that is there.
    pub(super) fn node(&self, id: Option<i64>, objects: usize) -> Result<NodeId> {
        match self.u32(id)? {
            id if (id as usize) < objects => Ok(NodeId(id)),
            _ => Err(self.damaged("an object that is not there")),
        }
    }
}

/// The rows of a page with their values, if they have one.
fn join<T>(rows: &Rows, mut values: impl Iterator<Item = T>, all: &mut Vec<Option<T>>) {
    match rows.present.is_empty() {
        true => all.extend(values.map(Some)),
        false => all.extend(rows.present.iter().map(|&p| if p == 1 { values.next() } else { None })),
    }
}

/// The text of a row, "" where it has none.
pub(super) fn or_empty(text: &Option<Rc<str>>) -> &str {
    text.as_deref().unwrap_or("")
}

/// Reads `types.parquet`; the classes' own objects are checked by [`check_types`].
pub(super) fn types(dir: &Path, labels: &mut Labels) -> Result<Vec<TypeRow>> {
    let mut t = Reading::new(dir, &TYPES)?;
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
                name: labels.intern(or_empty(&names[i])),
                object: objects[i].map(|o| t.u32(Some(o))).transpose()?.map(NodeId),
                basic_bytes: t.u64(basic[i])?,
                item_bytes: t.u64(item[i])?,
                module_file: labels.intern(or_empty(&files[i])),
                origin: Origin::from_name(or_empty(&origin[i])).ok_or_else(|| t.damaged("an unknown origin"))?,
                has_gc: gc[i],
                has_del: del[i],
            });
        }
    }
    Ok(rows)
}

/// Reads `roots.parquet`.
pub(super) fn roots(dir: &Path, labels: &mut Labels, objects: usize) -> Result<Vec<Root>> {
    let mut t = Reading::new(dir, &ROOTS)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (o, k, l) = (t.integers(g, "object_id")?, t.texts(g, "kind")?, t.texts(g, "label")?);
        for i in 0..t.rows(g) {
            let node = t.node(o[i], objects)?;
            let kind = RootKind::from_name(or_empty(&k[i])).ok_or_else(|| t.damaged("an unknown kind"))?;
            rows.push(Root { node, kind, label: labels.intern(or_empty(&l[i])) });
        }
    }
    Ok(rows)
}

/// Reads `names.parquet`.
pub(super) fn names(dir: &Path, labels: &mut Labels, objects: usize) -> Result<Vec<NamedRow>> {
    let mut t = Reading::new(dir, &NAMES)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (o, names) = (t.integers(g, "object_id")?, t.texts(g, "name")?);
        let (files, lines) = (t.texts(g, "file")?, t.integers(g, "line")?);
        for i in 0..t.rows(g) {
            let node = t.node(o[i], objects)?;
            let (name, file) = (labels.intern(or_empty(&names[i])), labels.intern(or_empty(&files[i])));
            rows.push(NamedRow { node, name, file, line: t.u32(lines[i].or(Some(0)))? });
        }
    }
    Ok(rows)
}

/// Reads `regions.parquet`.
pub(super) fn regions(dir: &Path) -> Result<Vec<RegionRow>> {
    let mut t = Reading::new(dir, &REGIONS)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (start, end, offset) = (t.integers(g, "start")?, t.integers(g, "end")?, t.integers(g, "offset")?);
        let (permissions, path) = (t.texts(g, "permissions")?, t.texts(g, "path")?);
        let (resident, claim) = (t.integers(g, "resident_bytes")?, t.texts(g, "claim")?);
        for i in 0..t.rows(g) {
            rows.push(RegionRow {
                start: t.u64(start[i])?,
                end: t.u64(end[i])?,
                permissions: or_empty(&permissions[i]).into(),
                offset: t.u64(offset[i])?,
                path: or_empty(&path[i]).into(),
                resident_bytes: resident[i].map(|r| r as u64),
                claim: or_empty(&claim[i]).into(),
            });
        }
    }
    Ok(rows)
}
