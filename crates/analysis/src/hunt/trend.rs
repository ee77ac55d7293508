//! What a row of numbers says: one for each round of equally many calls.

/// What becomes of a figure over rounds of equally many calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trend {
    /// It does not grow, or not in every round.
    Flat,
    /// It grows, and not evenly enough to say that it will go on.
    Unsteady,
    /// It grows in every round, at one rate.
    Steady,
}

/// Judges changes, one for each round; all may be below zero.  `least` is the change in
/// one round that is more than noise.
///
/// What fills once (a cache, a pool, a table of interned strings) grows less and less or
/// stops; what is imported or specialised grows in one round; a cache that is emptied when
/// full falls back.  A leak does none of these: the least round is at least half of the
/// greatest, and the later half of the rounds does not fall below four fifths of the
/// earlier.  One object more or less in a round is no matter: of a leak of one in ten calls
/// some rounds have one more.
pub fn trend(changes: &[i64], least: f64) -> Trend {
    let (rising, falling) = (changes.iter().all(|&c| c >= 0), changes.iter().all(|&c| c <= 0));
    if rising == falling {
        return Trend::Flat;
    }
    let sizes: Vec<f64> = changes.iter().map(|c| c.unsigned_abs() as f64).collect();
    let at_work = sizes.iter().filter(|&&s| s > 0.0).count();
    if at_work * 2 < sizes.len() || sizes.len() < 3 || sum(&sizes) < least * sizes.len() as f64 {
        return Trend::Flat;
    }
    let (lowest, highest) = sizes.iter().fold((f64::MAX, 0f64), |(l, h), &s| (l.min(s), h.max(s)));
    let (early, late) = (sum(&sizes[..sizes.len() / 2]), sum(&sizes[sizes.len().div_ceil(2)..]));
    let even = (lowest + 1.0) * 2.0 >= highest - 1.0 && late + 1.0 >= early * 0.8;
    if even && at_work == sizes.len() { Trend::Steady } else { Trend::Unsteady }
}

fn sum(sizes: &[f64]) -> f64 {
    sizes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::{Trend, trend};

    #[test]
    fn a_leak_grows_in_every_round_at_one_rate() {
        for changes in [[100, 100, 100, 100], [10, 9, 10, 11], [2, 2, 2, 2], [2, 1, 2, 2], [-7, -7, -7, -7]] {
            assert_eq!(trend(&changes, 0.2), Trend::Steady, "{changes:?}");
        }
    }

    #[test]
    fn what_fills_once_is_no_leak() {
        for changes in [[100, 0, 0, 0], [0, 0, 500, 0], [128, 0, -1, 0], [5, -5, 5, -5], [0; 4], [300, -512, 300, 300]]
        {
            assert_eq!(trend(&changes, 0.2), Trend::Flat, "{changes:?}");
        }
    }

    #[test]
    fn what_slows_down_needs_another_look() {
        for changes in [[95, 60, 40, 20], [100, 100, 100, 0], [1000, 100, 100, 100], [0, 9, 0, 9]] {
            assert_eq!(trend(&changes, 0.2), Trend::Unsteady, "{changes:?}");
        }
    }

    #[test]
    fn little_is_noise_and_two_rounds_are_too_few() {
        assert_eq!(trend(&[1, 1, 1, 1], 10.0), Trend::Flat);
        assert_eq!(trend(&[50, 50], 0.5), Trend::Flat);
        assert_eq!(trend(&[], 0.5), Trend::Flat);
    }
}
