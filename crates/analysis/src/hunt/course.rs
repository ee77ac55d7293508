//! The course of a hunt: every round, the rows of figures by what they count, and
//! whether more calls are needed.  Knows nothing of who makes them.

use std::collections::BTreeMap;
use std::fmt;

use super::{Change, LEAST, LEAST_BYTES, Round, Trend, trend};

/// What a row of figures counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kept {
    /// Objects of a class.
    Objects(String),
    /// Unaccounted references to older objects of a class.
    References(String),
    /// References in older objects of a class: entries of containers.
    Entries(String),
    /// Blocks of Python's allocator.
    Blocks,
    /// Bytes of the C library's allocator.
    NativeBytes,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::Objects(name) => f.write_str(name),
            Kept::References(name) => write!(f, "references to {name}"),
            Kept::Entries(name) => write!(f, "entries of {name}"),
            Kept::Blocks => f.write_str("blocks"),
            Kept::NativeBytes => f.write_str("native bytes"),
        }
    }
}

/// Rounds as they come.  Those of one set have equally many calls and are judged
/// together; a new set begins where calls are doubled.
#[derive(Clone, Debug, Default)]
pub struct Course {
    rounds: Vec<Round>,
    /// Of the set under way: each row has one figure a round.
    rows: BTreeMap<Kept, Vec<i64>>,
    bytes: BTreeMap<String, i64>,
    set: usize,
    /// Rates in the set before.
    earlier: BTreeMap<Kept, f64>,
}

impl Course {
    /// A round that only warms up.
    pub fn warm_up(&mut self, round: Round) {
        self.rounds.push(Round { judged: false, ..round });
    }

    /// Begins a set of rounds.
    pub fn begin_set(&mut self) {
        let rates = self.judged().into_iter().map(|(kept, _, rate)| (kept, rate)).collect();
        if self.set > 0 {
            self.earlier = rates;
        }
        (self.set, self.rows, self.bytes) = (0, BTreeMap::new(), BTreeMap::new());
        self.rounds.iter_mut().for_each(|r| r.judged = false);
    }

    /// A round of the set, and how the heap changed in it.
    pub fn enter(&mut self, round: Round, change: &Change) {
        let at = self.set;
        self.set += 1;
        let mut put = |kept: Kept, figure: i64| {
            let row = self.rows.entry(kept).or_default();
            row.resize(at + 1, 0);
            row[at] = figure;
        };
        put(Kept::Blocks, round.blocks);
        if let Some(native) = round.native_bytes {
            put(Kept::NativeBytes, native);
        }
        for (name, &(count, bytes)) in &change.objects {
            put(Kept::Objects(name.clone()), count);
            *self.bytes.entry(name.clone()).or_default() += bytes;
        }
        for (name, &count) in &change.references {
            put(Kept::References(name.clone()), count);
        }
        for (name, &count) in &change.entries {
            put(Kept::Entries(name.clone()), count);
        }
        let objects = Some(change.objects.values().map(|c| c.0).sum());
        let references = Some(change.references.values().sum());
        self.rounds.push(Round { judged: true, objects, references, ..round });
        for row in self.rows.values_mut() {
            row.resize(self.set, 0);
        }
    }

    /// Each row of the set, what becomes of it, and its rate a call.
    pub fn judged(&self) -> Vec<(Kept, Trend, f64)> {
        let per_round = self.calls_a_round();
        let calls = (per_round * self.set as f64).max(1.0);
        let judge = |(kept, row): (&Kept, &Vec<i64>)| {
            let least = if *kept == Kept::NativeBytes { LEAST_BYTES } else { LEAST } * per_round;
            let rate = row.iter().sum::<i64>() as f64 / calls;
            let slower = self.earlier.get(kept).is_some_and(|before| rate.abs() < before.abs() * 0.8);
            let trend = match trend(row, least) {
                // fewer objects, fewer blocks: that is no leak
                _ if rate < 0.0 && !matches!(kept, Kept::References(_)) => Trend::Flat,
                Trend::Steady if slower => Trend::Unsteady,
                trend => trend,
            };
            (kept.clone(), trend, rate)
        };
        self.rows.iter().map(judge).collect()
    }

    /// Whether something leaks, as far as the set tells.
    pub fn leaks(&self) -> bool {
        self.judged().iter().any(|(_, trend, _)| *trend == Trend::Steady)
    }

    /// Whether something grew in a way that the set does not settle.
    pub fn is_unsettled(&self) -> bool {
        self.judged().iter().any(|(_, trend, _)| *trend == Trend::Unsteady)
    }

    /// Calls so far, and how many raised an exception.
    pub fn calls(&self) -> (u64, u64) {
        self.rounds.iter().fold((0, 0), |(calls, raised), r| (calls + r.calls, raised + r.raised))
    }

    /// Seconds spent in calls so far.
    pub fn seconds(&self) -> f64 {
        self.rounds.iter().map(|r| r.seconds).sum()
    }

    /// All rounds so far.
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    pub(super) fn native_known(&self) -> bool {
        self.rows.contains_key(&Kept::NativeBytes)
    }

    pub(super) fn bytes_per_call(&self, class: &str) -> f64 {
        let calls = self.calls_a_round() * self.set as f64;
        self.bytes.get(class).map_or(0.0, |&bytes| bytes as f64 / calls.max(1.0))
    }

    fn calls_a_round(&self) -> f64 {
        self.rounds.last().map_or(0.0, |r| r.calls as f64)
    }
}
