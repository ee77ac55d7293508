//! The big tables into columns of a graph: each page of each column goes straight
//! to its place.  Knows what the columns mean; ids are checked here.

use undying_graph::{Certainty, Columns, EdgeKind, LabelId, Labels, NodeId, Progress};

use super::Result;
use super::open::{Buffers, Open, Want};
use crate::error::ReadError;
use crate::page::load::{Dictionary, Rows};

type Step = std::result::Result<(), &'static str>;

/// Bits of an edge's tag ([`undying_graph::Edge::pack`]).
const CERTAINTY: u32 = 4;
const IS_LABEL: u8 = 1 << 6;
const IS_INDEX: u8 = 1 << 7;

/// Room for so many more, or an error instead of the end of the process.
fn reserve<T>(column: &mut Vec<T>, rows: usize, table: &Open) -> Result<()> {
    column.try_reserve_exact(rows).map_err(|_| table.damaged("more rows than this machine has memory for"))
}

/// Reads `objects.parquet`; type ids are below `types`.
pub(super) fn objects(
    table: &Open,
    buffers: &mut Buffers,
    types: usize,
    c: &mut Columns,
    progress: &dyn Progress,
) -> Result<()> {
    let rows = table.all_rows();
    if rows > u32::MAX as usize {
        return Err(table.damaged("more objects than ids"));
    }
    reserve(&mut c.address, rows, table)?;
    reserve(&mut c.type_id, rows, table)?;
    reserve(&mut c.shallow, rows, table)?;
    reserve(&mut c.refcount, rows, table)?;
    reserve(&mut c.flags, rows, table)?;
    progress.phase("reading objects", rows as u64);
    for group in 0..table.groups() {
        progress.check()?;
        table.pages(buffers, group, "address", Want::Wide, |rows, _| {
            c.address.extend_from_slice(all(rows, &rows.wide)?);
            Ok(())
        })?;
        table.pages(buffers, group, "type_id", Want::Narrow, |rows, _| {
            let ids = all(rows, &rows.narrow)?;
            c.type_id.extend_from_slice(ids);
            below(ids, types, "a type that is not there")
        })?;
        table.pages(buffers, group, "shallow_bytes", Want::Wide, |rows, _| sizes(all(rows, &rows.wide)?, c))?;
        table.pages(buffers, group, "refcount", Want::Wide, |rows, _| {
            refcounts(rows, &mut c.refcount);
            Ok(())
        })?;
        table.pages(buffers, group, "flags", Want::Narrow, |rows, _| {
            c.flags.extend(all(rows, &rows.narrow)?.iter().map(|&f| f as u8));
            Ok(())
        })?;
        progress.done(c.address.len() as u64);
    }
    Ok(())
}

/// The values of a column that has one in every row.
fn all<'a, T>(rows: &Rows, values: &'a [T]) -> std::result::Result<&'a [T], &'static str> {
    if values.len() == rows.count { Ok(values) } else { Err("a row without a value") }
}

fn below(ids: &[u32], limit: usize, why: &'static str) -> Step {
    match ids.iter().fold(0, |most, &id| most.max(id)) {
        most if (most as usize) < limit || ids.is_empty() => Ok(()),
        _ => Err(why),
    }
}

fn sizes(values: &[u64], c: &mut Columns) -> Step {
    let first = c.shallow.len();
    c.shallow.extend(values.iter().map(|&v| v.min(u32::MAX as u64) as u32));
    if values.iter().any(|&v| v >= u32::MAX as u64) {
        let huge = values.iter().enumerate().filter(|(_, v)| **v >= u32::MAX as u64);
        c.huge.extend(huge.map(|(i, &v)| (NodeId((first + i) as u32), v)));
    }
    Ok(())
}

fn refcounts(rows: &Rows, out: &mut Vec<u32>) {
    let narrow = |v: u64| v.min(u32::MAX as u64 - 1) as u32;
    if rows.present.is_empty() {
        return out.extend(rows.wide.iter().map(|&v| narrow(v)));
    }
    let mut values = rows.wide.iter();
    out.extend(rows.present.iter().map(|&p| if p == 1 { values.next().map_or(0, |&v| narrow(v)) } else { u32::MAX }));
}

/// Reads a table of references; ids are below the number of objects.
pub(super) fn edges(
    table: &Open,
    objects: usize,
    buffers: &mut Buffers,
    labels: &mut Labels,
    c: &mut Columns,
    progress: &dyn Progress,
) -> Result<()> {
    let rows = table.all_rows();
    if rows > u32::MAX as usize {
        return Err(table.damaged("more references than one graph in memory holds"));
    }
    reserve(&mut c.first, objects + 1, table)?;
    c.first.resize(objects + 1, 0);
    reserve(&mut c.target, rows, table)?;
    reserve(&mut c.tag, rows, table)?;
    reserve(&mut c.number, rows, table)?;
    progress.phase("reading references", rows as u64);
    let mut sources = Sources { last: 0, rows: 0 };
    for group in 0..table.groups() {
        progress.check()?;
        let before = c.target.len();
        table.pages(buffers, group, "source", Want::Narrow, |rows, _| {
            sources.take(all(rows, &rows.narrow)?, objects, &mut c.first)
        })?;
        table.pages(buffers, group, "target", Want::Narrow, |rows, _| {
            let ids = all(rows, &rows.narrow)?;
            c.target.extend_from_slice(ids);
            below(ids, objects, "a reference to an object that is not there")
        })?;
        tags(table, buffers, group, before, &mut c.tag)?;
        c.number.resize(c.target.len(), 0);
        details(table, buffers, group, labels, &mut c.tag[before..], &mut c.number[before..])?;
        progress.done(c.target.len() as u64);
    }
    // Objects that hold nothing start where the one before them ends.
    let mut end = 0;
    for first in &mut c.first {
        end = end.max(*first);
        *first = end;
    }
    Ok(())
}

/// Sources so far: ascending, and below the number of objects.
struct Sources {
    last: u32,
    rows: u32,
}

impl Sources {
    /// Notes where each object's references end.
    fn take(&mut self, sources: &[u32], objects: usize, first: &mut [u32]) -> Step {
        let (Some(&least), Some(&most)) = (sources.first(), sources.last()) else { return Ok(()) };
        if least < self.last || !sources.is_sorted() {
            return Err("sources do not ascend");
        }
        if most as usize >= objects {
            return Err("a reference from an object that is not there");
        }
        self.last = most;
        for &source in sources {
            self.rows += 1;
            first[source as usize + 1] = self.rows;
        }
        Ok(())
    }
}

/// Kind and certainty of one row group's references, which start at `before`.
fn tags(table: &Open, buffers: &mut Buffers, group: usize, before: usize, tag: &mut Vec<u8>) -> Result<()> {
    let (mut known, mut refused) = (Vec::new(), None);
    let kinds = table.pages(buffers, group, "kind", Want::Text, |rows, dictionary| {
        let number = |text: &str| EdgeKind::from_name(text).map(|k| k as u8);
        name_numbers(dictionary, &mut known, &mut refused, number)?;
        tag.extend(all(rows, &rows.narrow)?.iter().map(|&place| known[place as usize]));
        Ok(())
    });
    kinds.map_err(|e| explain(table, "kind", &refused, e))?;
    known.clear();
    let mut at = before;
    let certainties = table.pages(buffers, group, "certainty", Want::Text, |rows, dictionary| {
        let number = |text: &str| Certainty::from_name(text).map(|k| (k as u8) << CERTAINTY);
        name_numbers(dictionary, &mut known, &mut refused, number)?;
        let tags = tag.get_mut(at..at + rows.count).ok_or("more rows than kind has")?;
        tags.iter_mut().zip(all(rows, &rows.narrow)?).for_each(|(tag, &place)| *tag |= known[place as usize]);
        at += rows.count;
        Ok(())
    });
    certainties.map_err(|e| explain(table, "certainty", &refused, e))
}

/// Label and index of one row group's references: those in `tags`, with as many
/// `numbers`.
fn details(
    table: &Open,
    buffers: &mut Buffers,
    group: usize,
    labels: &mut Labels,
    tags: &mut [u8],
    numbers: &mut [u32],
) -> Result<()> {
    const MANY: &str = "more rows than target has";
    let (mut at, mut ids) = (0, Vec::new());
    table.pages(buffers, group, "label", Want::Text, |rows, dictionary| {
        for text in dictionary.texts_from(ids.len()) {
            ids.push(labels.intern(std::str::from_utf8(text).map_err(|_| "a label that is not UTF-8")?));
        }
        let here = at..at + rows.count;
        at += rows.count;
        let (tags, numbers) = (tags.get_mut(here.clone()).ok_or(MANY)?, numbers.get_mut(here).ok_or(MANY)?);
        put(rows, tags, numbers, IS_LABEL, |i| rows.narrow.get(i).map_or(0, |&p| id_at(&ids, p)));
        Ok(())
    })?;
    let mut at = 0;
    table.pages(buffers, group, "index", Want::Wide, |rows, _| {
        let here = at..at + rows.count;
        at += rows.count;
        let (tags, numbers) = (tags.get_mut(here.clone()).ok_or(MANY)?, numbers.get_mut(here).ok_or(MANY)?);
        if rows.wide.iter().fold(0, |all, v| all | v) > u32::MAX as u64 {
            return Err("an index past 32 bits");
        }
        put(rows, tags, numbers, IS_INDEX, |i| rows.wide.get(i).map_or(0, |&v| v as u32));
        Ok(())
    })
}

fn id_at(ids: &[LabelId], place: u32) -> u32 {
    ids.get(place as usize).map_or(0, |id| id.0)
}

/// Sets the numbers of the rows that have one and no label yet (a label tells more
/// than an index).
#[inline]
fn put(rows: &Rows, tags: &mut [u8], numbers: &mut [u32], bit: u8, value: impl Fn(usize) -> u32) {
    let mut at = 0;
    for (i, (tag, number)) in tags.iter_mut().zip(numbers).enumerate() {
        let present = rows.present.get(i).is_none_or(|&p| p == 1);
        if present {
            if *tag & IS_LABEL == 0 {
                *tag |= bit;
                *number = value(at);
            }
            at += 1;
        }
    }
}

/// The numbers of the names in a dictionary; an unknown one is kept in `refused`.
fn name_numbers(
    dictionary: &Dictionary,
    known: &mut Vec<u8>,
    refused: &mut Option<String>,
    number: impl Fn(&str) -> Option<u8>,
) -> Step {
    for text in dictionary.texts_from(known.len()) {
        let text = std::str::from_utf8(text).map_err(|_| "a name that is not UTF-8")?;
        match number(text) {
            Some(n) => known.push(n),
            None => {
                *refused = Some(text.chars().take(40).collect());
                return Err("an unknown name");
            }
        }
    }
    Ok(())
}

fn explain(table: &Open, column: &str, refused: &Option<String>, e: ReadError) -> ReadError {
    match refused {
        Some(name) => table.damaged(format_args!("column {column}: this version does not know {name:?}")),
        None => e,
    }
}
