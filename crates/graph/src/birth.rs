//! Where and when objects were made, as somebody inside the target recorded it: rows
//! joined to objects, and what was counted of those that are gone.  Knows neither who
//! recorded it how, nor what it is good for.

use crate::edge::named_enum;
use crate::{LabelId, NodeId, TypeId};

named_enum! {
    /// Who recorded births in the target.
    Recorder {
        /// Python's own `tracemalloc`: stacks of the living, no deaths.
        Tracemalloc = "tracemalloc",
        /// Our tracer, every block of the object allocator.
        Every = "undying, every block",
        /// Our tracer, a sample by bytes: counts are estimates.
        Sample = "undying, a sample",
    }
}

impl Recorder {
    /// Whether it counts deaths.
    pub fn counts_deaths(self) -> bool {
        self != Recorder::Tracemalloc
    }
}

/// One line of one function, under the place that called it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlaceRow {
    /// The file as the code names it; [`LabelId::NONE`] where not known.
    pub file: LabelId,
    /// The function, qualified from 3.11 on; [`LabelId::NONE`] where not known.
    pub function: LabelId,
    /// The line; 0 where there is none.
    pub line: u32,
    /// Who called: a place with a lower number; `None` at the outermost that was kept.
    pub parent: Option<u32>,
}

/// One object's birth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Birth {
    /// The object.
    pub node: NodeId,
    /// Where: a row of [`Births::places`].
    pub place: u32,
    /// In which epoch, where the recorder counts them: it rises at every checkpoint.
    pub epoch: Option<u32>,
}

/// Objects of one class that were made at one place and are gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeathRow {
    /// The class's dotted name.
    pub class: LabelId,
    /// The class, where it is in the heap.
    pub type_id: Option<TypeId>,
    /// Where they were made; `None` where that is not known any more.
    pub place: Option<u32>,
    /// Freed when the last reference went.
    pub by_count: u64,
    /// Found by the cyclic collector.
    pub by_collector: u64,
}

/// A name that the program gave to a moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CheckpointRow {
    /// The name.
    pub name: LabelId,
    /// The first epoch after it.
    pub epoch: u32,
    /// Seconds since 1970.
    pub at: f64,
}

/// Births of the living, and what was counted of the dead.  8 bytes a birth, 12 where
/// there are epochs.
#[derive(Clone, PartialEq, Debug)]
pub struct Births {
    /// Who recorded it.
    pub recorder: Recorder,
    /// Mean bytes from one sample to the next; 0 where every block is recorded.
    pub sample_bytes: u64,
    /// Births that the recorder could not keep for want of memory.
    pub lost: u64,
    /// The epoch under way; 0 where there are none.
    pub epoch: u32,
    /// Places, callers before those they call.
    pub places: Vec<PlaceRow>,
    /// What was counted of the dead.
    pub deaths: Vec<DeathRow>,
    /// Moments with a name, oldest first.
    pub checkpoints: Vec<CheckpointRow>,
    nodes: Vec<u32>,
    place: Vec<u32>,
    epochs: Vec<u32>,
}

impl Births {
    /// Nothing recorded yet.
    pub fn new(recorder: Recorder) -> Births {
        Births {
            recorder,
            sample_bytes: 0,
            lost: 0,
            epoch: 0,
            places: Vec::new(),
            deaths: Vec::new(),
            checkpoints: Vec::new(),
            nodes: Vec::new(),
            place: Vec::new(),
            epochs: Vec::new(),
        }
    }

    /// One more; objects come in ascending order.  Epochs are kept when the first has one.
    pub fn push(&mut self, node: NodeId, place: u32, epoch: Option<u32>) {
        debug_assert!(self.nodes.last().is_none_or(|&l| l < node.0), "objects ascend");
        let with = if self.nodes.is_empty() { epoch.is_some() } else { self.has_epochs() };
        self.nodes.push(node.0);
        self.place.push(place);
        if with {
            self.epochs.push(epoch.unwrap_or(0));
        }
    }

    /// How many objects' births are known.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether each birth has its epoch.
    pub fn has_epochs(&self) -> bool {
        !self.epochs.is_empty()
    }

    /// The birth with this row number.
    pub fn get(&self, row: usize) -> Option<Birth> {
        let (&node, &place) = (self.nodes.get(row)?, self.place.get(row)?);
        Some(Birth { node: NodeId(node), place, epoch: self.epochs.get(row).copied() })
    }

    /// All births, by ascending object.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Birth> + '_ {
        (0..self.len()).map(|row| Birth {
            node: NodeId(self.nodes[row]),
            place: self.place[row],
            epoch: self.epochs.get(row).copied(),
        })
    }

    /// An object's birth.
    pub fn of(&self, node: NodeId) -> Option<Birth> {
        self.get(self.nodes.binary_search(&node.0).ok()?)
    }

    /// Where an object was made.
    pub fn place_of(&self, node: NodeId) -> Option<u32> {
        self.of(node).map(|b| b.place)
    }

    /// The stack of a place: itself, who called it, and so on outwards.
    pub fn stack(&self, place: u32) -> impl Iterator<Item = &PlaceRow> + '_ {
        let caller = |&(at, row): &(u32, &PlaceRow)| {
            let parent = row.parent.filter(|&p| p < at)?;
            Some((parent, self.places.get(parent as usize)?))
        };
        let first = self.places.get(place as usize).map(|row| (place, row));
        std::iter::successors(first, caller).map(|(_, row)| row)
    }

    /// Leaves out what names an object, a class or a place that is not there; how many
    /// rows that were.
    pub fn keep_known(&mut self, objects: usize, types: usize) -> u64 {
        let places = self.places.len() as u32;
        let mut wrong = 0;
        for (at, row) in (0u32..).zip(&mut self.places) {
            wrong += u64::from(row.parent.is_some_and(|p| p >= at));
            row.parent = row.parent.filter(|&p| p < at);
        }
        let before = self.len();
        let fits = |row: usize| (self.nodes[row] as usize) < objects && self.place[row] < places;
        let rising = |row: usize| row == 0 || self.nodes[row - 1] < self.nodes[row];
        if !(0..before).all(|row| fits(row) && rising(row)) {
            let mut rows: Vec<Birth> = self.iter().collect();
            rows.retain(|b| b.node.index() < objects && b.place < places);
            rows.sort_by_key(|b| b.node);
            rows.dedup_by_key(|b| b.node);
            (self.nodes, self.place, self.epochs) = Default::default();
            rows.iter().for_each(|b| self.push(b.node, b.place, b.epoch));
        }
        for row in &mut self.deaths {
            row.place = row.place.filter(|&p| p < places);
            row.type_id = row.type_id.filter(|t| t.index() < types);
        }
        wrong + (before - self.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn births() -> Births {
        let mut b = Births::new(Recorder::Every);
        let row = |line, parent| PlaceRow { file: LabelId::NONE, function: LabelId::NONE, line, parent };
        b.places = vec![row(1, None), row(2, Some(0)), row(3, Some(1)), row(4, None)];
        for (node, place, epoch) in [(2, 2, 0), (5, 3, 1), (9, 2, 1)] {
            b.push(NodeId(node), place, Some(epoch));
        }
        b
    }

    #[test]
    fn a_birth_is_found_by_its_object_and_a_stack_leads_outwards() {
        let b = births();
        assert_eq!(b.of(NodeId(5)), Some(Birth { node: NodeId(5), place: 3, epoch: Some(1) }));
        assert_eq!((b.place_of(NodeId(4)), b.place_of(NodeId(9))), (None, Some(2)));
        assert_eq!(b.stack(2).map(|p| p.line).collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(b.stack(9).count(), 0);
        assert_eq!(b.iter().map(|b| b.node.0).collect::<Vec<_>>(), [2, 5, 9]);
    }

    #[test]
    fn what_is_not_there_goes() {
        let mut b = births();
        assert_eq!(b.keep_known(10, 1), 0);
        assert_eq!(b, births());
        b.places[1].parent = Some(2); // a ring
        b.places.pop();
        assert_eq!(b.keep_known(9, 1), 3, "a parent, one place too far, one object too far");
        assert_eq!(b.iter().map(|b| (b.node.0, b.epoch)).collect::<Vec<_>>(), [(2, Some(0))]);
        assert_eq!(b.stack(2).map(|p| p.line).collect::<Vec<_>>(), [3, 2]);
    }
}
