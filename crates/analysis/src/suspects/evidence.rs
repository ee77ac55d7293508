//! How sure growth makes: from how much came in each interval alone.  Two heaps show
//! that something grew; only a third can tell a leak from a cache that fills, a pool
//! that warms up or a backlog that settles.

use super::Confidence;

/// Fewer than so many more are noise.
pub const NOISE: i64 = 8;
/// So many more are worth a look after one interval.
const MANY: i64 = 32;
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
        Course::Steady if total >= MANY && history.iter().all(|&g| g >= NOISE) => Some(Confidence::High),
        Course::Steady | Course::Once if total >= MANY => Some(Confidence::Medium),
        _ => Some(Confidence::Low),
    }
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
        assert_eq!(confidence(&[20, 20]), Some(Confidence::High));
        assert_eq!(confidence(&[]), None);
    }
}
