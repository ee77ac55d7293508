//! The ledger of lives for programs.

use serde::Serialize;
use undying_graph::Snapshot;

use super::super::lives::{HOW, place_text};
use crate::{ClassLives, LifeCounts, LivesAnswer};

/// Birthplaces of a class that are told.
const PLACES: usize = 100;

/// Births, deaths and the living.  What nobody recorded is null.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LivesTold {
    /// Who recorded births: `tracemalloc`, `undying, every block`, `undying, a sample`.
    pub recorder: Option<&'static str>,
    /// Whether births and deaths are estimates.
    pub estimates: bool,
    /// Mean bytes from one sample to the next; null where every block is recorded.
    pub sample_bytes: Option<u64>,
    /// Births that could not be recorded.
    pub lost: u64,
    /// The program's classes first, most born (or alive) first.
    pub types: Vec<ClassTold>,
    /// The moments between the intervals of `alive_by_interval`.
    pub checkpoints: Vec<CheckpointTold>,
    /// Where nobody recorded births: how they get known.
    pub how: Option<&'static str>,
}

/// One class.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClassTold {
    /// Dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How many.
    #[serde(flatten)]
    pub counts: CountsTold,
    /// Of the living: those whose birth nobody saw.
    pub birth_unseen: Option<u64>,
    /// The living's own sizes together.
    pub shallow_bytes: u64,
    /// The place of most first.
    pub places: Vec<PlaceTold>,
    /// Places left out.
    pub places_left_out: u64,
    /// The living whose birth was seen: before the first checkpoint, since it, and so on.
    pub alive_by_interval: Vec<u64>,
}

/// How many of some objects.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CountsTold {
    /// The dead and the living whose birth was recorded.
    pub born: Option<u64>,
    /// Freed when the last reference went.
    pub dead_by_count: Option<u64>,
    /// Found by the cyclic collector.
    pub dead_by_collector: Option<u64>,
    /// In the heap.
    pub alive: u64,
    /// Of them: those that only the collector can free.
    pub garbage: u64,
}

/// One birthplace of a class.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PlaceTold {
    /// `pkg/mod.py:41 in make`.
    pub place: String,
    /// How many were born there.
    #[serde(flatten)]
    pub counts: CountsTold,
}

/// A moment with a name.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CheckpointTold {
    /// The name.
    pub name: String,
    /// Seconds since 1970.
    pub at: f64,
}

fn counts(c: &LifeCounts) -> CountsTold {
    CountsTold {
        born: c.born,
        dead_by_count: c.dead_by_count,
        dead_by_collector: c.dead_by_collector,
        alive: c.alive,
        garbage: c.garbage,
    }
}

fn class(snapshot: &Snapshot, c: &ClassLives) -> ClassTold {
    let shown = c.places.iter().take(PLACES);
    ClassTold {
        type_name: snapshot.text(c.name).to_owned(),
        counts: counts(&c.counts),
        birth_unseen: c.unwitnessed,
        shallow_bytes: c.bytes,
        places: shown.map(|p| PlaceTold { place: place_text(snapshot, p.place), counts: counts(&p.counts) }).collect(),
        places_left_out: c.places.len().saturating_sub(PLACES) as u64,
        alive_by_interval: c.intervals.clone(),
    }
}

/// With names.
pub(super) fn told(snapshot: &Snapshot, answer: &LivesAnswer) -> LivesTold {
    let births = snapshot.births.as_ref();
    let sample = births.map(|b| b.sample_bytes).filter(|&b| b > 0);
    let moments = births.into_iter().flat_map(|b| &b.checkpoints);
    LivesTold {
        recorder: answer.recorder.map(|r| r.name()),
        estimates: sample.is_some(),
        sample_bytes: sample,
        lost: births.map_or(0, |b| b.lost),
        types: answer.classes.iter().map(|c| class(snapshot, c)).collect(),
        checkpoints: moments.map(|c| CheckpointTold { name: snapshot.text(c.name).to_owned(), at: c.at }).collect(),
        how: answer.recorder.is_none().then_some(HOW),
    }
}
