//! How many calls a round has, and when there were enough.  Knows times and sizes, not
//! what is called.

/// Rounds that are judged together.
pub const ROUNDS: usize = 4;

/// What a round should last at least, in seconds.
const ROUND_SECONDS: f64 = 0.3;
/// Calls of a round at least, and at most in the first set.
const CALLS: (u64, u64) = (20, 1_000);
/// Calls of a round at least where one is so slow, or keeps so much, that more would not do.
const FEWEST: u64 = 3;
/// With so many calls in all a cache that fills is told from a leak: few have more entries.
const ENOUGH: u64 = 10_000;
/// With so many it will do where they have taken [`LONG`] seconds.
const ENOUGH_OF_SLOW: u64 = 2_000;
const LONG: f64 = 3.0;
/// Sets at most.
const SETS: u32 = 6;
/// Bytes that the calls of a round, and of all rounds, may keep.
const ROUND_BYTES: f64 = 32e6;
const ALL_BYTES: f64 = 192e6;

/// What is known of one call.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Pace {
    /// Calls of a round, where the user says it.
    pub fixed: Option<u64>,
    /// Seconds that all calls may take.
    pub time: f64,
    /// Seconds a call.
    pub seconds: f64,
    /// Bytes that a call keeps.
    pub bytes: f64,
}

impl Pace {
    /// Calls to begin with, of which the time is measured.
    pub fn first(&self) -> u64 {
        self.fixed.unwrap_or(CALLS.0).min(CALLS.0)
    }

    /// Whether so many more calls are too slow to be worth it.
    pub fn is_too_slow_for(&self, calls: u64) -> bool {
        self.seconds * calls as f64 > self.time / 8.0
    }

    /// Calls of a round in the first set.
    pub fn round(&self) -> u64 {
        if let Some(calls) = self.fixed {
            return calls;
        }
        let wished = (ROUND_SECONDS / self.seconds.max(1e-9)) as u64;
        // two rounds to warm up, and a set
        let afford = (self.time / self.seconds.max(1e-9) / (ROUNDS + 2) as f64) as u64;
        wished.clamp(CALLS.0, CALLS.1).min(afford).min(self.bearable()).max(FEWEST)
    }

    /// Calls of a round in the next set after `sets` with so many a round, if there is to
    /// be one: `calls` and `seconds` are all so far.
    pub fn next(&self, round: u64, sets: u32, calls: u64, seconds: f64, leaks: bool) -> Option<u64> {
        let enough = calls >= ENOUGH || (calls >= ENOUGH_OF_SLOW && seconds >= LONG);
        if sets >= SETS || (leaks && enough) {
            return None;
        }
        if let Some(calls) = self.fixed {
            // as many as were asked for, once more if that did not settle it
            return (sets < 2 && !leaks).then_some(calls);
        }
        let rounds = ROUNDS as f64;
        let missing = ENOUGH.saturating_sub(calls).div_ceil(ROUNDS as u64);
        let wished = (round * 2).max(missing.min(round * 8));
        let afford = ((self.time - seconds) / self.seconds.max(1e-9) / rounds).max(0.0) as u64;
        let bear = ((ALL_BYTES - self.bytes * calls as f64) / self.bytes.max(1.0) / rounds).max(0.0) as u64;
        let next = wished.min(afford).min(bear).min(self.bearable().max(round));
        (next >= round).then_some(next)
    }

    /// Calls that keep no more than a round may.
    fn bearable(&self) -> u64 {
        (ROUND_BYTES / self.bytes.max(1.0)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(seconds: f64, bytes: f64) -> Pace {
        Pace { fixed: None, time: 20.0, seconds, bytes }
    }

    #[test]
    fn rounds_are_short_and_have_calls_enough() {
        assert_eq!(pace(1e-6, 0.0).round(), 1_000);
        assert_eq!(pace(1e-3, 0.0).round(), 300);
        assert_eq!(pace(0.05, 0.0).round(), 20);
        assert_eq!(pace(5.0, 0.0).round(), FEWEST);
        assert_eq!(pace(1e-6, 10e6).round(), 3);
        assert_eq!(Pace { fixed: Some(7), ..pace(9.0, 1e9) }.round(), 7);
    }

    /// The sets that a callable of this kind gets while it seems to leak.
    fn sets(pace: Pace) -> Vec<u64> {
        let mut rounds = vec![pace.round()];
        let mut calls = 40 + 2 * rounds[0];
        loop {
            let round = rounds[rounds.len() - 1];
            calls += round * ROUNDS as u64;
            let sets = rounds.len() as u32;
            match pace.next(round, sets, calls, calls as f64 * pace.seconds, true) {
                Some(next) => rounds.push(next),
                None => return rounds,
            }
        }
    }

    #[test]
    fn a_leak_is_believed_after_many_calls_or_much_time() {
        assert_eq!(sets(pace(1e-6, 0.0)), [1_000, 2_000]);
        let slow = sets(pace(2e-3, 0.0));
        let calls = 40 + 2 * slow[0] + ROUNDS as u64 * slow.iter().sum::<u64>();
        assert!(calls >= ENOUGH_OF_SLOW && calls as f64 * 2e-3 < 30.0, "{slow:?}");
        assert_eq!(sets(pace(5.0, 0.0)), [FEWEST]);
        let big = sets(pace(1e-6, 4e6));
        assert!(big.iter().sum::<u64>() as f64 * 4.0 * 4e6 <= ALL_BYTES, "{big:?}");
    }
}
