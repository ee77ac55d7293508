//! Knots gathered into rows: one for each shape, with what its knots hold.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{NodeId, Snapshot, TypeId};

use super::knot::Reader;
use super::shape;
use super::{Cycle, CycleShape, CycleState};
use crate::{Born, Step, StepKey, TypeCount, advice, histogram};

/// Classes told for a shape.
const TYPES: usize = 8;

/// A row while it is filled.
struct Row {
    first: Vec<Vec<Step>>,
    count: u64,
    objects: u64,
    bytes: u64,
    /// By class and whether the objects are classes themselves.
    types: FxHashMap<(TypeId, bool), (u64, u64)>,
    /// Where they were made, likewise; empty where that is not known.
    born: FxHashMap<(TypeId, bool), Born>,
    on_cycle: FxHashSet<TypeId>,
}

/// All rows of one state.
#[derive(Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    by_key: FxHashMap<Box<[StepKey]>, usize>,
    by_likeness: FxHashMap<u64, usize>,
}

impl Rows {
    /// Enters a knot; the number of its row, `None` when no cycle was found in
    /// it.  Small knots that are built alike are searched once.
    pub(super) fn knot(
        &mut self,
        reader: &mut Reader,
        members: &[NodeId],
        inside: impl Fn(NodeId) -> bool,
        edge: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let likeness = reader.likeness(members, &inside, &edge);
        if let Some(&row) = likeness.and_then(|l| self.by_likeness.get(&l)) {
            self.rows[row].count += 1;
            return Some(row);
        }
        let row = self.cycles(reader.snapshot, reader.cycles(members, inside, edge))?;
        if let Some(likeness) = likeness {
            self.by_likeness.insert(likeness, row);
        }
        Some(row)
    }

    /// Enters a knot whose cycles were found.
    fn cycles(&mut self, snapshot: &Snapshot, cycles: Vec<Vec<Step>>) -> Option<usize> {
        let key = shape::key(snapshot, cycles.first()?);
        let next = self.rows.len();
        let row = *self.by_key.entry(key).or_insert(next);
        if row == next {
            self.rows.push(Row {
                first: cycles,
                count: 0,
                objects: 0,
                bytes: 0,
                types: FxHashMap::default(),
                born: FxHashMap::default(),
                on_cycle: FxHashSet::default(),
            });
        }
        self.rows[row].count += 1;
        Some(row)
    }

    /// Enters an object of a knot, or one that only it holds.
    pub(super) fn object(&mut self, row: usize, reader: &Reader, n: NodeId, member: bool) {
        let snapshot = reader.snapshot;
        let Some(row) = self.rows.get_mut(row) else {
            return;
        };
        let (bytes, t) = (snapshot.graph.shallow_bytes(n), reader.same_name(snapshot.graph.type_id(n)));
        let class = snapshot.graph.flags(n).has(undying_graph::Flags::CLASS);
        row.objects += 1;
        row.bytes = row.bytes.saturating_add(bytes);
        let sum = row.types.entry((t, class)).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(bytes));
        if snapshot.births.is_some() {
            row.born.entry((t, class)).or_default().add(snapshot, n);
        }
        if member && !class {
            row.on_cycle.insert(t);
        }
    }

    /// The finished rows, most bytes first.
    pub(super) fn finish(self, reader: &Reader, state: CycleState) -> Vec<CycleShape> {
        let rows = self.rows.into_iter().map(|row| row.finish(reader, state));
        let mut rows: Vec<CycleShape> = rows.collect();
        rows.sort_by_cached_key(|r| (Reverse(r.bytes), Reverse(r.count), shape::key(reader.snapshot, &r.cycle.steps)));
        rows
    }
}

impl Row {
    fn finish(mut self, reader: &Reader, state: CycleState) -> CycleShape {
        let ((head, head_is_class), (instances, instance_bytes)) = self.head(reader);
        let born = self.born.remove(&(head, head_is_class)).unwrap_or_default();
        let mut types: FxHashMap<TypeId, TypeCount> = FxHashMap::default();
        for ((type_id, _), (count, bytes)) in self.types {
            let none = TypeCount { type_id, count: 0, shallow_bytes: 0 };
            let row = types.entry(type_id).or_insert(none);
            row.count += count;
            row.shallow_bytes = row.shallow_bytes.saturating_add(bytes);
        }
        let mut types: Vec<TypeCount> = types.into_values().collect();
        histogram::sort(&mut types);
        types.truncate(TYPES);
        let mut cycles = self.first.into_iter().map(|mut steps| {
            shape::turn_by_text(reader.snapshot, &reader.telling, &mut steps);
            let advice = advice::advise(reader.snapshot, &steps);
            end_with_advice(reader, Cycle { steps, advice })
        });
        CycleShape {
            state,
            cycle: cycles.next().unwrap_or_default(),
            others: cycles.collect(),
            count: self.count,
            objects: self.objects,
            bytes: self.bytes,
            head,
            head_is_class,
            instances,
            instance_bytes,
            head_on_cycle: head_is_class || self.on_cycle.contains(&head),
            types,
            born,
        }
    }

    /// The class that tells most, and its instances: the best rank, on the cycle
    /// before beside it, then most instances.
    fn head(&self, reader: &Reader) -> ((TypeId, bool), (u64, u64)) {
        let best = self.types.iter().min_by_key(|((t, class), (count, _))| {
            let rank = if *class { shape::CLASS } else { reader.telling.of_type(*t) };
            (rank, !self.on_cycle.contains(t), Reverse(*count), *t)
        });
        best.map_or(((TypeId(u32::MAX), false), (0, 0)), |(key, sums)| (*key, *sums))
    }
}

/// The cycle begun so that the reference to cut comes last, where the object
/// that then comes first tells as much.
fn end_with_advice(reader: &Reader, mut cycle: Cycle) -> Cycle {
    let (steps, edge) = (&mut cycle.steps, &mut cycle.advice.edge);
    let rank = |s: &Step| reader.telling.of(reader.snapshot, s.node);
    if let (Some(cut), Some(last)) = (steps.get(*edge), steps.last())
        && rank(cut) == rank(last)
    {
        steps.rotate_left(*edge + 1);
        *edge = steps.len() - 1;
    }
    cycle
}
