//! The three ledgers of a heap: lives, references, bytes, as plain numbers.
//! What is not known is `null`, never zero.

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::Snapshot;

use crate::{Garbage, Histogram, RefcountTotals, Refcounts, naming};

/// One class in the ledger of lives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LifeRow {
    /// The class, dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Instances.
    pub count: u64,
    /// Their own sizes together, in bytes.
    pub shallow_bytes: u64,
    /// Whose birth was recorded, the dead included, where deaths are counted.
    pub born: Option<u64>,
    /// Of them: freed when the last reference went.
    pub dead_by_count: Option<u64>,
    /// Of them: found by the cyclic collector.
    pub dead_by_collector: Option<u64>,
}

/// Who is alive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Lives {
    /// All objects.
    pub objects: u64,
    /// The classes with most bytes, twenty at most.
    pub by_type: Vec<LifeRow>,
    /// How many classes have instances.
    pub types: u64,
    /// Objects that only the collector can free.
    pub pending_garbage: u64,
    /// Their own sizes together, in bytes.
    pub pending_garbage_bytes: u64,
    /// Whether the collector is switched on.
    pub gc_enabled: Option<bool>,
    /// Who recorded births, if somebody did.
    pub recorder: Option<&'static str>,
}

/// References counted against references found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct References {
    /// References found, weak ones included.
    pub found: u64,
    /// Objects by how their count compares.
    #[serde(flatten)]
    pub totals: RefcountTotals,
}

/// Where the bytes are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Bytes {
    /// The objects' own sizes together.
    pub shallow: u64,
    /// Copied from the target.
    pub copied: u64,
    /// The target's resident size.
    pub resident: Option<u64>,
    /// Resident and in no object: allocators' free space, native data, code;
    /// `None` where the resident size is not known.
    pub not_objects: Option<u64>,
}

/// All three.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Ledgers {
    /// Who is alive.
    pub lives: Lives,
    /// Counted against found.
    pub references: References,
    /// Where the bytes are.
    pub bytes: Bytes,
}

/// Classes in the ledger of lives.
const LIFE_ROWS: usize = 20;

/// Fills the ledgers from what was computed.
pub fn ledgers(snapshot: &Snapshot, histogram: &Histogram, counts: &Refcounts, garbage: &Garbage) -> Ledgers {
    let facts = &snapshot.facts;
    let recorder = snapshot.births.as_ref().map(|b| b.recorder);
    let counted = recorder.filter(|r| r.counts_deaths()).map(|_| crate::lives(snapshot, garbage).classes);
    let counted: FxHashMap<_, _> = counted.into_iter().flatten().map(|c| (c.type_id, c.counts)).collect();
    let row = |r: &crate::TypeCount| {
        let counts = counted.get(&Some(r.type_id)).copied().unwrap_or_default();
        LifeRow {
            type_name: naming::type_name(snapshot, r.type_id).to_string(),
            count: r.count,
            shallow_bytes: r.shallow_bytes,
            born: counts.born,
            dead_by_count: counts.dead_by_count,
            dead_by_collector: counts.dead_by_collector,
        }
    };
    let resident = (facts.resident_bytes > 0).then_some(facts.resident_bytes);
    Ledgers {
        lives: Lives {
            objects: histogram.objects,
            by_type: histogram.rows.iter().take(LIFE_ROWS).map(row).collect(),
            types: histogram.rows.len() as u64,
            pending_garbage: garbage.objects,
            pending_garbage_bytes: garbage.bytes,
            gc_enabled: facts.gc_enabled,
            recorder: recorder.map(|r| r.name()),
        },
        references: References { found: snapshot.graph.edge_count() as u64, totals: counts.totals.clone() },
        bytes: Bytes {
            shallow: histogram.shallow_bytes,
            copied: facts.copied_bytes,
            resident,
            not_objects: resident.map(|r| r.saturating_sub(histogram.shallow_bytes)),
        },
    }
}
