//! Where a set of objects was made: birthplaces counted, the innermost frame of each
//! stack as it was recorded.  Knows neither which objects nor why they are asked for.

use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};
use undying_graph::{LabelId, NodeId, Snapshot};

use crate::naming;

/// Birthplaces of a suspect that are told.
pub const TOLD: usize = 3;

/// The birthplaces of some objects, counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Born {
    /// By place.
    places: FxHashMap<u32, u64>,
    /// Objects, those of unknown birth included.
    objects: u64,
}

/// One birthplace in words.  Serialised as its text alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Birthplace {
    /// `pkg/mod.py:41 in make`.
    pub text: String,
    /// Objects made there.
    pub count: u64,
    /// Of so many, those of unknown birth included.
    pub of: u64,
}

impl Serialize for Birthplace {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl std::fmt::Display for Birthplace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} of {})", self.text, self.count, self.of)
    }
}

impl Born {
    /// The birthplaces of these objects.
    pub fn of(snapshot: &Snapshot, nodes: impl IntoIterator<Item = NodeId>) -> Born {
        let mut born = Born::default();
        if snapshot.births.is_some() {
            nodes.into_iter().for_each(|n| born.add(snapshot, n));
        }
        born
    }

    /// One more object.
    pub fn add(&mut self, snapshot: &Snapshot, n: NodeId) {
        self.objects += 1;
        if let Some(place) = snapshot.births.as_ref().and_then(|b| b.place_of(n)) {
            *self.places.entry(place).or_default() += 1;
        }
    }

    /// Takes in those of other objects.
    pub fn join(&mut self, other: &Born) {
        self.objects += other.objects;
        for (place, count) in &other.places {
            *self.places.entry(*place).or_default() += count;
        }
    }

    /// The places in words, those with most objects first; stacks that end in the same line
    /// are one.
    pub fn told(&self, snapshot: &Snapshot) -> Vec<Birthplace> {
        let Some(births) = &snapshot.births else { return Vec::new() };
        let mut lines: FxHashMap<(LabelId, LabelId, u32), (u64, u32)> = FxHashMap::default();
        for (&at, count) in &self.places {
            let Some(row) = births.places.get(at as usize) else { continue };
            let line = lines.entry((row.file, row.function, row.line)).or_insert((0, at));
            *line = (line.0 + count, line.1.min(at));
        }
        let row = |(count, at): &(u64, u32)| {
            let text = births.places.get(*at as usize).map_or_else(String::new, |p| naming::place_text(snapshot, p));
            Birthplace { text, count: *count, of: self.objects }
        };
        let mut rows: Vec<Birthplace> = lines.values().map(row).collect();
        rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
        rows
    }

    /// The first of [`Born::told`], as many as a suspect has.
    pub fn few(&self, snapshot: &Snapshot) -> Vec<Birthplace> {
        let mut rows = self.told(snapshot);
        rows.truncate(TOLD);
        rows
    }
}
