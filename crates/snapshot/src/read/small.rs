//! The small tables, row by row, through the stock readers.  Knows what their
//! columns mean; ids are checked here.

use std::path::Path;

use parquet::data_type::ByteArray;
use undying_graph::{Labels, NamedRow, NodeId, Origin, RegionRow, Root, RootKind, TypeRow};

use super::Result;
use super::open::Open;
use crate::schema::{NAMES, REGIONS, ROOTS, TYPES};
use crate::table::Column;

impl Open {
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
            Column::Bool { values } if values.len() == self.rows(group) => Ok(values),
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

    fn u64(&self, v: Option<i64>) -> Result<u64> {
        v.map(|v| v as u64).ok_or_else(|| self.damaged("a row without a value"))
    }

    fn node(&self, id: Option<i64>, objects: usize) -> Result<NodeId> {
        match self.u32(id)? {
            id if (id as usize) < objects => Ok(NodeId(id)),
            _ => Err(self.damaged("an object that is not there")),
        }
    }
}

fn join<T>(mut values: impl Iterator<Item = T>, present: &[i16]) -> Vec<Option<T>> {
    if present.is_empty() {
        return values.map(Some).collect();
    }
    present.iter().map(|&p| if p == 1 { values.next() } else { None }).collect()
}

/// Reads `types.parquet`; the classes' own objects are checked by [`check_types`].
pub(super) fn types(dir: &Path, labels: &mut Labels) -> Result<Vec<TypeRow>> {
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
                name: labels.intern(t.str(&names[i])?),
                object: objects[i].map(|o| t.u32(Some(o))).transpose()?.map(NodeId),
                basic_bytes: t.u64(basic[i])?,
                item_bytes: t.u64(item[i])?,
                module_file: labels.intern(t.str(&files[i])?),
                origin: Origin::from_name(t.str(&origin[i])?).ok_or_else(|| t.damaged("an unknown origin"))?,
                has_gc: gc[i],
                has_del: del[i],
            });
        }
    }
    Ok(rows)
}

/// Reads `roots.parquet`.
pub(super) fn roots(dir: &Path, labels: &mut Labels, objects: usize) -> Result<Vec<Root>> {
    let t = Open::new(dir, &ROOTS)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (o, k, l) = (t.integers(g, "object_id")?, t.texts(g, "kind")?, t.texts(g, "label")?);
        for i in 0..t.rows(g) {
            let node = t.node(o[i], objects)?;
            let kind = RootKind::from_name(t.str(&k[i])?).ok_or_else(|| t.damaged("an unknown kind"))?;
            rows.push(Root { node, kind, label: labels.intern(t.str(&l[i])?) });
        }
    }
    Ok(rows)
}

/// Reads `names.parquet`.
pub(super) fn names(dir: &Path, labels: &mut Labels, objects: usize) -> Result<Vec<NamedRow>> {
    let t = Open::new(dir, &NAMES)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (o, names) = (t.integers(g, "object_id")?, t.texts(g, "name")?);
        let (files, lines) = (t.texts(g, "file")?, t.integers(g, "line")?);
        for i in 0..t.rows(g) {
            let node = t.node(o[i], objects)?;
            let (name, file) = (labels.intern(t.str(&names[i])?), labels.intern(t.str(&files[i])?));
            rows.push(NamedRow { node, name, file, line: t.u32(lines[i].or(Some(0)))? });
        }
    }
    Ok(rows)
}

/// Reads `regions.parquet`.
pub(super) fn regions(dir: &Path) -> Result<Vec<RegionRow>> {
    let t = Open::new(dir, &REGIONS)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (start, end, offset) = (t.integers(g, "start")?, t.integers(g, "end")?, t.integers(g, "offset")?);
        let (permissions, path) = (t.texts(g, "permissions")?, t.texts(g, "path")?);
        let (resident, claim) = (t.integers(g, "resident_bytes")?, t.texts(g, "claim")?);
        for i in 0..t.rows(g) {
            rows.push(RegionRow {
                start: t.u64(start[i])?,
                end: t.u64(end[i])?,
                permissions: t.str(&permissions[i])?.into(),
                offset: t.u64(offset[i])?,
                path: t.str(&path[i])?.into(),
                resident_bytes: resident[i].map(|r| r as u64),
                claim: t.str(&claim[i])?.into(),
            });
        }
    }
    Ok(rows)
}
