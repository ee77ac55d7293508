//! How sure growth makes: from how much came in each interval alone.  Two heaps show
//! that something grew; only a third can tell a leak from a cache that fills, a pool
//! that warms up or a backlog that settles.

use super::Confidence;
use super::case::Case;
use undying_graph::Certainty;

/// So many entries lost are no accident.
const OFTEN: u64 = 4;
/// Fewer than so many more are noise.
pub const NOISE: i64 = 8;
/// So many more are worth a look after one interval; batches and buffers of a hundred are
/// common, and two heaps may show one emptier and one fuller.
const MANY: i64 = 64;
/// So many more, steadily, are a leak.
const SURE: i64 = 128;
/// An interval that brings at most this part of the best one has settled.
const SETTLED: f64 = 0.25;
/// The last interval of steady growth brings at least this part of those before it.
const STEADY: f64 = 0.5;

/// How something grew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// One interval: it grew.
    Once,
    /// In every interval, and no slower in the last.
    Steady,
    /// In every interval, slower and slower.
    Slowing,
    /// Not any more in the last interval, or hardly.
    Settled,
}

/// The course of what came in each interval, oldest first.
pub fn course(history: &[i64]) -> Course {
    let Some((&last, before)) = history.split_last() else { return Course::Settled };
    if before.is_empty() {
        return if last > 0 { Course::Once } else { Course::Settled };
    }
    let best = before.iter().copied().max().unwrap_or(0).max(1) as f64;
    let mean = before.iter().sum::<i64>() as f64 / before.len() as f64;
    if last <= 0 || (last as f64) <= SETTLED * best {
        Course::Settled
    } else if before.iter().all(|&g| g > 0) && last as f64 >= STEADY * mean {
        Course::Steady
    } else {
        Course::Slowing
    }
}

/// How sure, from the course and the number alone; `None` where it is noise.
pub fn confidence(history: &[i64]) -> Option<Confidence> {
    let total: i64 = history.iter().sum();
    match course(history) {
        Course::Settled => None,
        _ if total < NOISE => None,
        Course::Steady if total >= SURE && history.iter().all(|&g| g >= NOISE) => Some(Confidence::High),
        Course::Steady | Course::Once if total >= MANY => Some(Confidence::Medium),
        _ => Some(Confidence::Low),
    }
}

/// What speaks against a leak in the last interval: how sure it can be at most, `None`
/// where nothing is left.
/// - Elsewhere as many of the class went: they moved, or one container took another's place.
/// - The holder only exchanged entries: what hangs on the new ones weighs more, no more.
/// - Numbers and texts in what did not get longer: others took their place.
/// - The holder let go of half of what it had: it is emptied at times, which a leak never is.
/// - The way to it crosses a guess: guesses never accuse.
/// - One interval brought less than half of what was there before: too little to tell from
///   a cache that is not full yet.
pub fn limit(case: &Case) -> Option<Confidence> {
    let grown = case.grown;
    let count = grown.class.count;
    if case.everywhere.saturating_mul(2) < count {
        return None;
    }
    let moved = grown.entries_lost.max(grown.entries_new);
    let exchanged = grown.entries_gained < NOISE && moved >= OFTEN;
    let stays = grown.entries_gained < count / 4 && (grown.entries_new as i64).saturating_mul(8) >= count;
    if (grown.class.is_scalar() && stays) || (exchanged && (moved as i64).saturating_mul(4) >= count) {
        return None;
    }
    let base = if grown.class.is_plain() { grown.entries_before } else { case.population };
    let little = case.history.len() < 2 && (count as u64).saturating_mul(2) < base;
    let emptied = grown.entries_lost >= OFTEN && grown.entries_lost.saturating_mul(2) > grown.entries_before;
    // a word that looks like an address may be what a frame or a free list left behind
    let guessed = grown.steps.iter().any(|s| s.certainty == Certainty::Conservative);
    // each of many containers a little longer: they fill up to something
    let scattered = grown.holders > 1 && grown.class.is_scalar();
    Some(match case.history.len() {
        _ if guessed => Confidence::Low,
        _ if !emptied && !little && !scattered => Confidence::High,
        ..3 => Confidence::Low,
        _ => Confidence::Medium,
    })
}

/// The course in words: `200 more in one interval`.
pub fn told(history: &[i64]) -> String {
    let total: i64 = history.iter().sum();
    let each: Vec<String> = history.iter().map(|g| format!("{g:+}")).collect();
    match course(history) {
        Course::Once => format!("{total} more in the one interval between the two snapshots"),
        Course::Steady => format!("{total} more, steadily: {} by interval", each.join(", ")),
        Course::Slowing => format!("{total} more, slower and slower: {} by interval", each.join(", ")),
        Course::Settled => format!("{total} more, and no longer growing: {} by interval", each.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_heaps_tell_a_leak_from_what_fills_or_settles() {
        assert_eq!(confidence(&[200]), Some(Confidence::Medium));
        assert_eq!(confidence(&[200, 200]), Some(Confidence::High));
        assert_eq!(confidence(&[200, 190, 210]), Some(Confidence::High));
        assert_eq!(confidence(&[300, 20]), None, "a cache that fills");
        assert_eq!(confidence(&[300, 0]), None);
        assert_eq!(confidence(&[300, -250]), None, "a backlog that settles");
        assert_eq!(confidence(&[300, 120]), Some(Confidence::Low), "slower and slower");
        assert_eq!(confidence(&[0, 300]), Some(Confidence::Low), "it began only now");
        assert_eq!(confidence(&[5]), None);
        assert_eq!(confidence(&[20]), Some(Confidence::Low));
        assert_eq!(confidence(&[20, 20]), Some(Confidence::Low));
        assert_eq!(confidence(&[40, 40]), Some(Confidence::Medium));
        assert_eq!(confidence(&[]), None);
    }
}
