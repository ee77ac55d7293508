//! Which of the classes that came with a growing holder to name: the one that a
//! person would call the thing that leaks.

use undying_graph::Origin;

/// What is known of one class under one holder.
#[derive(Clone, Debug)]
pub struct Gain {
    /// The class's number.
    pub class: u32,
    /// Its dotted name.
    pub name: String,
    /// Whose code it is.
    pub origin: Origin,
    /// Instances more than before.
    pub count: i64,
    /// Their own sizes, in bytes more than before.
    pub bytes: i64,
    /// Of the bytes that the holder gained: how many came with these, what they hold included.
    pub through: u64,
    /// References from the holder to the nearest.
    pub depth: u32,
    /// One of them, by number in the later heap.
    pub example: u32,
    /// The nearest, by number in the later heap.
    pub first: u32,
    /// They hang on each other, one after the other, not side by side on the holder;
    /// `example` is then the last.
    pub chained: bool,
    /// Whether these are classes themselves.
    pub classes: bool,
}

/// A class is named when nearly all came with its instances: four fifths, the share at
/// which Eclipse MAT, too, goes down to the next.
const NEARLY_ALL: f64 = 0.8;

/// One in so many of what came most often is rare.
const RARE: i64 = 50;

impl Gain {
    /// Whether the class is the language's own, of which a heap is full: it says nothing
    /// by its number.
    pub fn is_plain(&self) -> bool {
        tier(self) >= 4
    }

    /// Whether its objects hold nothing.
    pub fn is_scalar(&self) -> bool {
        matches!(self.name.as_str(), "int" | "float" | "str" | "bytes" | "bool" | "complex" | "NoneType")
    }
}

/// How much a class tells: lower tells more.
fn tier(gain: &Gain) -> u8 {
    const ACTING: &[&str] = &[
        "frame",
        "traceback",
        "generator",
        "coroutine",
        "async_generator",
        "_asyncio.Task",
        "_asyncio.Future",
        "_thread._local",
        "socket.socket",
        "_io.TextIOWrapper",
        "_io.BufferedReader",
        "_io.FileIO",
    ];
    match gain.origin {
        _ if gain.classes => 0,
        Origin::Program => 0,
        Origin::Library => 1,
        Origin::Stdlib => 2,
        Origin::Builtin if ACTING.contains(&gain.name.as_str()) => 3,
        // a builtin of a module: `collections.deque`, `functools.partial`
        Origin::Builtin if gain.name.contains('.') => 4,
        Origin::Builtin if gain.name.ends_with("Error") || gain.name.ends_with("Exception") => 3,
        Origin::Builtin => 5,
    }
}

/// The class to name.  `entries` are the references that the holder gained.
pub fn telling(gains: &[Gain], entries: i64) -> Option<&Gain> {
    let top = gains.iter().map(|g| g.count).max()?;
    // once for each entry; where the holder itself gained few, any class that is not rare
    let each = if entries * 2 >= top.min(32) { entries.min(top) } else { top.min((top / RARE).max(16)) };
    let often: Vec<&Gain> = gains.iter().filter(|g| g.count > 0 && g.count * 3 >= each).collect();
    let all = gains.iter().map(|g| g.through).max().unwrap_or(0).max(1) as f64;
    let heavy = |g: &&&Gain| g.through as f64 >= NEARLY_ALL * all;
    let of = |t: u8| often.iter().filter(move |g| tier(g) == t);
    // the first of the program's classes on the way down through which nearly all came, else of
    // a library's, else of the standard library's; else the one through which most came
    let topmost = |t: u8| of(t).filter(heavy).min_by_key(|g| (g.depth, std::cmp::Reverse(g.through)));
    let most = |t: u8| of(t).max_by_key(|g| (g.through, std::cmp::Reverse(g.depth)));
    let nearest = || often.iter().min_by_key(|g| (g.depth, std::cmp::Reverse(g.bytes)));
    let heavy = (0..=2).find_map(topmost).or_else(|| (0..=2).find_map(most));
    heavy.or_else(|| topmost(3)).or_else(|| most(3)).or_else(|| most(4)).or_else(nearest).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(name: &str, origin: Origin, count: i64, through: u64, depth: u32) -> Gain {
        let (class, bytes, example, first, chained, classes) = (depth, count * 64, 0, 0, false, false);
        Gain { class, name: name.into(), origin, count, bytes, through, depth, example, first, chained, classes }
    }

    fn named(gains: &[Gain], entries: i64) -> &str {
        &telling(gains, entries).unwrap().name
    }

    #[test]
    fn the_first_class_that_nearly_all_came_through() {
        let gains = [
            gain("tuple", Origin::Builtin, 200, 90_000, 1),
            gain("lib.Frame", Origin::Library, 200, 88_000, 2),
            gain("lib.Manager", Origin::Library, 200, 80_000, 3),
            gain("lib.Column", Origin::Library, 4000, 20_000, 6),
        ];
        assert_eq!(named(&gains, 200), "lib.Frame");
    }

    #[test]
    fn a_thread_before_the_small_thing_it_works_on_and_its_big_payload_before_it() {
        let thread = gain("threading.Thread", Origin::Stdlib, 50, 90_000, 1);
        assert_eq!(
            named(&[thread.clone(), gain("__main__.Job", Origin::Program, 50, 3_000, 3)], 50),
            "threading.Thread"
        );
        assert_eq!(named(&[thread, gain("__main__.Job", Origin::Program, 50, 80_000, 3)], 50), "__main__.Job");
    }

    #[test]
    fn what_came_rarely_is_not_named() {
        let gains = [gain("str", Origin::Builtin, 100, 5_000, 1), gain("app.Config", Origin::Program, 3, 900, 2)];
        assert_eq!(named(&gains, 100), "str");
        assert!(telling(&[], 4).is_none());
    }
}
