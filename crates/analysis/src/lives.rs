//! The ledger of lives: per class, and per birthplace below it, how many were born, how
//! many died in which way, how many are alive, and of these how many wait for the
//! collector.  What nobody recorded is `None`, never zero.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Births, LabelId, Origin, Recorder, Snapshot, TypeId};

use crate::Garbage;
use crate::histogram::first_of_name;

/// How many of some objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LifeCounts {
    /// Whose birth was recorded: the dead and the living; `None` where deaths are not counted.
    pub born: Option<u64>,
    /// Freed when the last reference went.
    pub dead_by_count: Option<u64>,
    /// Found by the cyclic collector.
    pub dead_by_collector: Option<u64>,
    /// In the heap; at a birthplace, those whose birth was recorded there.
    pub alive: u64,
    /// Of them: those that only the collector can free.
    pub garbage: u64,
}

/// The lives of one class's instances that were born at one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PlaceLives {
    /// A row of the places that names the line; `None` where it is not known.
    pub place: Option<u32>,
    /// How many.
    pub counts: LifeCounts,
}

/// The lives of one class's instances.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ClassLives {
    /// The class's name.
    pub name: LabelId,
    /// The class, the first of its name; `None` when it is gone.
    pub type_id: Option<TypeId>,
    /// How many.
    pub counts: LifeCounts,
    /// Of the living: those whose birth nobody saw; `None` where no one can say (no
    /// recorder, or a sample).
    pub unwitnessed: Option<u64>,
    /// The own sizes of the living, in bytes.
    pub bytes: u64,
    /// By birthplace, the one with most births first.
    pub places: Vec<PlaceLives>,
    /// The living by the interval they were born in: before the first checkpoint, after
    /// it, and so on; empty where there is none.
    pub intervals: Vec<u64>,
}

/// The answer to `lives`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LivesAnswer {
    /// Who recorded births, if somebody did.
    pub recorder: Option<Recorder>,
    /// The program's classes first, then its libraries', most born (or alive) first.
    pub classes: Vec<ClassLives>,
}

/// A sum that may be of estimates.
#[derive(Clone, Copy, Default)]
struct Sum {
    dead: [u64; 2],
    alive: f64,
    garbage: f64,
}

impl Sum {
    fn counts(&self, deaths: bool) -> LifeCounts {
        let alive = self.alive.round() as u64;
        let [count, collector] = self.dead;
        LifeCounts {
            born: deaths.then(|| count.saturating_add(collector).saturating_add(alive)),
            dead_by_count: deaths.then_some(count),
            dead_by_collector: deaths.then_some(collector),
            alive,
            garbage: self.garbage.round() as u64,
        }
    }

    fn die(&mut self, by_count: u64, by_collector: u64) {
        self.dead = [self.dead[0].saturating_add(by_count), self.dead[1].saturating_add(by_collector)];
    }
}

/// What is gathered of one class.
#[derive(Default)]
struct Class {
    type_id: Option<TypeId>,
    alive: u64,
    garbage: u64,
    bytes: u64,
    seen: u64,
    recorded: Sum,
    /// By a row that names the line.
    places: FxHashMap<Option<u32>, Sum>,
    intervals: Vec<u64>,
}

/// The lives of all classes.
pub fn lives(snapshot: &Snapshot, garbage: &Garbage) -> LivesAnswer {
    let mut classes = living(snapshot, garbage);
    if let Some(births) = &snapshot.births {
        recorded(snapshot, births, garbage, &mut classes);
    }
    let recorder = snapshot.births.as_ref().map(|b| b.recorder);
    let mut rows: Vec<ClassLives> = classes.into_iter().map(|(name, class)| class.finish(name, recorder)).collect();
    rows.retain(|r| r.counts.alive > 0 || r.counts.born.unwrap_or(0) > 0);
    let origin = |r: &ClassLives| r.type_id.and_then(|t| snapshot.types.get(t.index())).map(|t| t.origin);
    // one that is gone was made at run time
    let rank = |r: &ClassLives| Reverse(origin(r).unwrap_or(Origin::Program));
    rows.sort_by_cached_key(|r| {
        let many = r.counts.born.unwrap_or(r.counts.alive).max(r.counts.alive);
        (rank(r), Reverse(many), snapshot.text(r.name).to_owned())
    });
    LivesAnswer { recorder, classes: rows }
}

/// Who is in the heap, by the name of the class.
fn living(snapshot: &Snapshot, garbage: &Garbage) -> FxHashMap<LabelId, Class> {
    let graph = &snapshot.graph;
    let first = first_of_name(snapshot);
    let mut sums = vec![(0u64, 0u64, 0u64); snapshot.types.len()];
    for n in graph.nodes() {
        let class = first.get(graph.type_id(n).index()).and_then(|t| sums.get_mut(t.index()));
        if let Some((alive, dead, bytes)) = class {
            *alive += 1;
            *dead += u64::from(garbage.dead.contains(n));
            *bytes = bytes.saturating_add(graph.shallow_bytes(n));
        }
    }
    let mut classes = FxHashMap::default();
    for (t, row) in (0u32..).map(TypeId).zip(&snapshot.types).filter(|(t, _)| first[t.index()] == *t) {
        let (alive, garbage, bytes) = sums[t.index()];
        classes.insert(row.name, Class { type_id: Some(t), alive, garbage, bytes, ..Class::default() });
    }
    classes
}

/// Puts in what was recorded.
fn recorded(snapshot: &Snapshot, births: &Births, garbage: &Garbage, classes: &mut FxHashMap<LabelId, Class>) {
    let graph = &snapshot.graph;
    let line = lines(births);
    let intervals = births.checkpoints.len() + usize::from(!births.checkpoints.is_empty());
    for birth in births.iter() {
        let name = snapshot.type_of(birth.node).map(|t| t.name);
        let Some(class) = name.and_then(|n| classes.get_mut(&n)) else { continue };
        let weight = weight(births, graph.shallow_bytes(birth.node));
        let dead = if garbage.dead.contains(birth.node) { weight } else { 0.0 };
        class.seen += 1;
        let place = class.places.entry(line.get(birth.place as usize).copied()).or_default();
        for sum in [&mut class.recorded, place] {
            (sum.alive, sum.garbage) = (sum.alive + weight, sum.garbage + dead);
        }
        if let Some(epoch) = birth.epoch.filter(|_| intervals > 0) {
            class.intervals.resize(intervals, 0);
            class.intervals[births.checkpoints.partition_point(|c| c.epoch <= epoch)] += 1;
        }
    }
    for row in &births.deaths {
        let class = classes.entry(row.class).or_default();
        class.recorded.die(row.by_count, row.by_collector);
        let place = row.place.and_then(|p| line.get(p as usize)).copied();
        class.places.entry(place).or_default().die(row.by_count, row.by_collector);
    }
}

/// For each place the first that ends in the same line.
fn lines(births: &Births) -> Vec<u32> {
    let mut first = FxHashMap::default();
    let rows = (0u32..).zip(&births.places);
    rows.map(|(at, row)| *first.entry((row.file, row.function, row.line)).or_insert(at)).collect()
}

/// For how many objects one of the sample stands: each of its bytes was looked at with the
/// chance of one in `sample_bytes`.
fn weight(births: &Births, bytes: u64) -> f64 {
    match births.sample_bytes {
        0 => 1.0,
        mean => 1.0 / -f64::exp_m1(-(bytes.max(1) as f64) / mean as f64),
    }
}

impl Class {
    fn finish(self, name: LabelId, recorder: Option<Recorder>) -> ClassLives {
        let deaths = recorder.is_some_and(Recorder::counts_deaths);
        let row = |(place, sum): (Option<u32>, Sum)| PlaceLives { place, counts: sum.counts(deaths) };
        let mut places: Vec<PlaceLives> = self.places.into_iter().map(row).collect();
        places.sort_by_key(|p| (Reverse(p.counts.born.unwrap_or(p.counts.alive)), p.place));
        let witnessed = matches!(recorder, Some(Recorder::Tracemalloc | Recorder::Every));
        ClassLives {
            name,
            type_id: self.type_id,
            counts: LifeCounts { alive: self.alive, garbage: self.garbage, ..self.recorded.counts(deaths) },
            unwitnessed: witnessed.then(|| self.alive.saturating_sub(self.seen)),
            bytes: self.bytes,
            places,
            intervals: self.intervals,
        }
    }
}
