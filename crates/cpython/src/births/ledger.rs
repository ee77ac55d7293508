//! The ledger that our tracer keeps in the target, read from outside in the form of
//! `undying_lives::format`.  The process may have been stopped in the middle of a growth,
//! and what lies there may be anything: rows are read one by one, and believed when they
//! are in range.

use std::mem::{offset_of, size_of};

use rustc_hash::FxHashMap;
use undying_graph::{Births, CheckpointRow, DeathRow, LabelId, NodeId, PlaceRow, Recorder, Sink, TypeId};
use undying_lives::format::{
    Anchor, CHUNK_BYTES, Checkpoint, Chunk, Class, Code, EVERY, FREE_LIST, GRANULE, MAGIC, Place, Record, SAMPLE,
    Sample, Table, Tally, Text, VERSION,
};

use super::Wrong;
use crate::index::Index;
use crate::object;
use crate::space::{Body, Space};
use crate::visit::Context;

/// A row is no longer than this.
const LONGEST_ROW: u64 = 1 << 12;
/// Names are cut.
const LONGEST_NAME: u32 = 1 << 12;
/// A sample's address: an empty row, one that was used.
const NO_SAMPLE: u64 = 1;

/// A ledger that was found.
pub struct Ledger<'s, 'a> {
    space: &'s Space<'a>,
    anchor: Body<'s>,
    /// Who kept it.
    pub recorder: Recorder,
}

/// The rows of a table that are there.
#[derive(Clone, Copy)]
struct Rows {
    base: u64,
    len: u64,
    row: u64,
}

macro_rules! field {
    ($body:expr, $row:ty, $($field:ident).+ as half) => { $body.half(offset_of!($row, $($field).+) as u32) };
    ($body:expr, $row:ty, $($field:ident).+) => { $body.word(offset_of!($row, $($field).+) as u32) };
}

impl<'s, 'a> Ledger<'s, 'a> {
    /// The ledger at this address, if process `pid` keeps one there now.
    pub fn at(space: &'s Space<'a>, address: u64, pid: u32) -> Option<Ledger<'s, 'a>> {
        let anchor = space.body(address)?;
        let ours = field!(anchor, Anchor, magic) == MAGIC
            && field!(anchor, Anchor, version as half) == VERSION
            && u64::from(field!(anchor, Anchor, size as half)) >= size_of::<Anchor>() as u64
            && field!(anchor, Anchor, pid as half) == pid;
        let recorder = match field!(anchor, Anchor, mode as half) {
            EVERY if ours => Recorder::Every,
            SAMPLE if ours => Recorder::Sample,
            _ => return None,
        };
        Some(Ledger { space, anchor, recorder })
    }

    /// The table whose description lies at a byte of the anchor, its rows at least as long
    /// as we know them.  `all`: every row of the capacity.
    fn table(&self, at: usize, least: usize, all: bool) -> Rows {
        let table = self.anchor.from(at as u64);
        let (capacity, row) = (field!(table, Table, capacity), field!(table, Table, row));
        let len = if all { capacity } else { field!(table, Table, len).min(capacity) };
        let known = (least as u64..=LONGEST_ROW).contains(&row);
        // no more than memory was copied
        let most = self.space.image.len() / row.max(1);
        Rows { base: field!(table, Table, base), len: if known { len.min(most) } else { 0 }, row }
    }

    /// A row, nothing where it was not copied.
    #[inline]
    fn row(&self, rows: Rows, n: u64) -> Option<Body<'s>> {
        let at = if n < rows.len { rows.base.checked_add(n.checked_mul(rows.row)?)? } else { return None };
        self.space.body(at).filter(|b| b.0.len() as u64 >= rows.row)
    }

    fn rows(&self, rows: Rows) -> impl Iterator<Item = (u64, Body<'s>)> + '_ {
        (0..rows.len).filter_map(move |n| Some((n, self.row(rows, n)?)))
    }

    /// A piece of the text.
    fn text(&self, at: Body) -> String {
        let (start, len) = (field!(at, Text, start as half), field!(at, Text, len as half).min(LONGEST_NAME));
        let table = self.table(offset_of!(Anchor, text), 1, false);
        let end = u64::from(start) + u64::from(len);
        let bytes = table.base.checked_add(start.into()).filter(|_| end <= table.len);
        let bytes = bytes.and_then(|at| self.space.body(at)).and_then(|b| b.0.get(..len as usize));
        String::from_utf8_lossy(bytes.unwrap_or(&[])).into_owned()
    }

    /// What is known of each class, by its address.
    fn classes(&self) -> (Vec<LedgerClass>, FxHashMap<u64, u32>) {
        let mut all = Vec::new();
        let mut by_address = FxHashMap::default();
        for (n, row) in self.rows(self.table(offset_of!(Anchor, classes), size_of::<Class>(), false)) {
            // a row that was not copied keeps its number
            all.resize_with(n as usize, LedgerClass::default);
            let address = field!(row, Class, address);
            if address != 0 {
                by_address.insert(address, n as u32);
            }
            let dead = row.from(offset_of!(Class, dead) as u64);
            all.push(LedgerClass {
                address,
                name: self.text(row.from(offset_of!(Class, name) as u64)),
                flags: field!(row, Class, flags as half),
                dead: [dead.word(0), dead.word(8)],
            });
        }
        (all, by_address)
    }

    /// The births of all objects whose block has a record.
    pub fn births<S: Sink + ?Sized>(&self, cx: &Context, index: &Index, sink: &mut S, wrong: &mut Wrong) -> Births {
        let mut births = Births::new(self.recorder);
        births.epoch = field!(self.anchor, Anchor, epoch as half);
        births.lost = field!(self.anchor, Anchor, lost);
        if self.recorder == Recorder::Sample {
            births.sample_bytes = field!(self.anchor, Anchor, sample_bytes);
        }
        births.checkpoints = self.checkpoints(sink);
        let mut nowhere = 0;
        let number = self.places(sink, &mut births.places, &mut nowhere);
        let (classes, by_address) = self.classes();
        let mut inexact: Vec<Option<bool>> = vec![None; cx.classes.len()];
        let mut records = self.records();
        for (n, address) in index.iter(cx.space.image).enumerate() {
            let class = cx.space.body_or_empty(address).word(object::TYPE);
            let Some(c) = cx.classes.at(cx.space, cx.layout, class) else { continue };
            let Some(class) = cx.classes.get(c) else { continue };
            let known = inexact.get_mut(c as usize).map(|i| {
                let flags = || by_address.get(&class.address).and_then(|&n| classes.get(n as usize)).map(|c| c.flags);
                *i.get_or_insert_with(|| flags().is_some_and(|f| f & FREE_LIST != 0))
            });
            // the record may be of an object that lay there before
            if known == Some(true) {
                continue;
            }
            let before = object::before(class.flags);
            let Some(record) = records.find(address.wrapping_sub(before)) else { continue };
            if !record.may_hold(before + u64::from(class.basicsize)) {
                continue;
            }
            match number.get(record.place as usize - 1) {
                Some(Some(place)) => births.push(NodeId(n as u32), *place, Some(record.epoch())),
                _ => nowhere += 1,
            }
        }
        births.deaths = self.deaths(cx, sink, &classes, &number);
        if nowhere > 0 {
            wrong.push(("birth-of-nothing", nowhere));
        }
        births
    }

    /// Rows as the graph has them; by the ledger's number the row's.  Frames that nobody
    /// wrote are told as their callers.
    fn places<S: Sink + ?Sized>(&self, sink: &mut S, rows: &mut Vec<PlaceRow>, nowhere: &mut u64) -> Vec<Option<u32>> {
        let codes = self.codes(sink);
        let mut number: Vec<Option<u32>> = Vec::new();
        for (n, row) in self.rows(self.table(offset_of!(Anchor, places), size_of::<Place>(), false)) {
            number.resize(n as usize, None);
            let (parent, code) = (field!(row, Place, parent as half), field!(row, Place, code as half));
            // place 0 is no frame at all, and no caller
            let caller = if parent == 0 { None } else { number.get(parent as usize).copied().flatten() };
            let Some(&(file, function, hidden)) = codes.get(code as usize) else {
                *nowhere += 1;
                number.push(None);
                continue;
            };
            if hidden && caller.is_some() {
                number.push(caller);
                continue;
            }
            number.push(Some(rows.len() as u32));
            rows.push(PlaceRow { file, function, line: field!(row, Place, line as half), parent: caller });
        }
        number
    }

    /// File, name, and whether nobody wrote it.
    fn codes<S: Sink + ?Sized>(&self, sink: &mut S) -> Vec<(LabelId, LabelId, bool)> {
        let mut codes = Vec::new();
        for (n, row) in self.rows(self.table(offset_of!(Anchor, codes), size_of::<Code>(), false)) {
            codes.resize(n as usize, (LabelId::NONE, LabelId::NONE, true));
            let file = sink.label(&self.text(row.from(offset_of!(Code, file) as u64)));
            let name = sink.label(&self.text(row.from(offset_of!(Code, name) as u64)));
            codes.push((file, name, field!(row, Code, hidden as half) != 0));
        }
        codes
    }

    fn checkpoints<S: Sink + ?Sized>(&self, sink: &mut S) -> Vec<CheckpointRow> {
        let row = |row: Body| CheckpointRow {
            name: sink.label(&self.text(row.from(offset_of!(Checkpoint, name) as u64))),
            epoch: field!(row, Checkpoint, epoch as half),
            at: f64::from_bits(field!(row, Checkpoint, at)),
        };
        let table = self.table(offset_of!(Anchor, checkpoints), size_of::<Checkpoint>(), false);
        self.rows(table).map(|r| r.1).map(row).collect()
    }

    /// The dead by class and place; those of a class that no tally has, without a place.
    fn deaths<S: Sink + ?Sized>(
        &self,
        cx: &Context,
        sink: &mut S,
        classes: &[LedgerClass],
        number: &[Option<u32>],
    ) -> Vec<DeathRow> {
        let mut left: Vec<[u64; 2]> = classes.iter().map(|c| c.dead).collect();
        let named: Vec<(LabelId, Option<TypeId>)> = classes.iter().map(|c| c.known(cx, sink)).collect();
        let mut rows = Vec::new();
        for (_, row) in self.rows(self.table(offset_of!(Anchor, tallies), size_of::<Tally>(), false)) {
            let (class, place) = (field!(row, Tally, class as half) as usize, field!(row, Tally, place as half));
            let Some(&(name, type_id)) = named.get(class) else { continue };
            let dead = row.from(offset_of!(Tally, dead) as u64);
            let [by_count, by_collector] = [dead.word(0), dead.word(8)];
            left[class] = [left[class][0].saturating_sub(by_count), left[class][1].saturating_sub(by_collector)];
            let place = number.get(place as usize).copied().flatten();
            rows.push(DeathRow { class: name, type_id, place, by_count, by_collector });
        }
        for (&(class, type_id), [by_count, by_collector]) in named.iter().zip(left) {
            rows.push(DeathRow { class, type_id, place: None, by_count, by_collector });
        }
        rows.retain(|r| r.by_count > 0 || r.by_collector > 0);
        rows
    }

    fn records(&self) -> Records<'_, 's, 'a> {
        let (mut chunks, mut samples) = (FxHashMap::default(), FxHashMap::default());
        if self.recorder == Recorder::Every {
            for (_, row) in self.rows(self.table(offset_of!(Anchor, chunks), size_of::<Chunk>(), true)) {
                let key = field!(row, Chunk, key);
                if key != 0 {
                    chunks.insert(key, field!(row, Chunk, records));
                }
            }
        }
        for (_, row) in self.rows(self.table(offset_of!(Anchor, samples), size_of::<Sample>(), true)) {
            let address = field!(row, Sample, address);
            if address > NO_SAMPLE {
                samples.insert(address, record(row.from(offset_of!(Sample, record) as u64)));
            }
        }
        let last = (0, 0);
        Records { ledger: self, chunks, samples, last }
    }
}

fn record(body: Body) -> Record {
    Record { place: field!(body, Record, place as half), epoch_and_size: field!(body, Record, epoch_and_size as half) }
}

/// A class as the ledger has it.
#[derive(Default)]
struct LedgerClass {
    address: u64,
    name: String,
    flags: u32,
    dead: [u64; 2],
}

impl LedgerClass {
    /// Its name and, where it is in the heap, its number.
    fn known<S: Sink + ?Sized>(&self, cx: &Context, sink: &mut S) -> (LabelId, Option<TypeId>) {
        let number = if self.address == 0 { None } else { cx.classes.at(cx.space, cx.layout, self.address) };
        (sink.label(&self.name), number.map(TypeId))
    }
}

/// Records by block.
struct Records<'l, 's, 'a> {
    ledger: &'l Ledger<'s, 'a>,
    chunks: FxHashMap<u64, u64>,
    samples: FxHashMap<u64, Record>,
    /// The chunk that was asked for last, and where its records are.
    last: (u64, u64),
}

impl Records<'_, '_, '_> {
    /// The record of a block.
    #[inline]
    fn find(&mut self, block: u64) -> Option<Record> {
        let found = match self.ledger.recorder {
            Recorder::Sample => self.samples.get(&block).copied()?,
            _ => self.in_chunk(block)?,
        };
        (found.place != 0).then_some(found)
    }

    #[inline]
    fn in_chunk(&mut self, block: u64) -> Option<Record> {
        let key = block / CHUNK_BYTES + 1;
        if self.last.0 != key {
            self.last = (key, self.chunks.get(&key).copied().unwrap_or(0));
        }
        let at =
            if self.last.1 == 0 { return None } else { block % CHUNK_BYTES / GRANULE * size_of::<Record>() as u64 };
        Some(record(self.ledger.space.body(self.last.1.checked_add(at)?)?))
    }
}

#[cfg(test)]
mod tests;
