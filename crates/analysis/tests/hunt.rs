//! Courses of made-up callables: leaks are told from what fills once whatever the number
//! of calls in a round, as long as there are calls enough.

use undying_analysis::hunt::{Change, Course, HuntAnswer, Round, Verdict};

/// How many objects there are after so many calls.
type Kept = fn(u64) -> i64;

/// A set of four rounds of so many calls after so many calls before.
fn verdict(kept: Kept, before: u64, calls: u64) -> Verdict {
    let mut course = Course::default();
    course.warm_up(Round { calls: before, ..Round::default() });
    course.begin_set();
    for round in 0..4 {
        let from = before + round * calls;
        let more = kept(from + calls) - kept(from);
        let mut change = Change::default();
        change.objects.insert("C".into(), (more, more * 48));
        course.enter(Round { calls, blocks: more, ..Round::default() }, &change);
    }
    HuntAnswer::of(&course, Vec::new()).verdict
}

#[test]
fn leaks_are_leaks_from_twenty_calls_a_round_on() {
    let leaks: [Kept; 5] = [
        |n| n as i64,
        |n| 3 * n as i64 + 500,
        |n| n as i64 / 10,
        |n| (n as i64 * 7) / 20,
        |n| (n + ((n * 2_654_435_761) >> 16) % 3) as i64,
    ];
    for (i, leak) in leaks.into_iter().enumerate() {
        for calls in [20, 33, 100, 1_000, 2_000] {
            assert_eq!(verdict(leak, 41, calls), Verdict::Leak, "leak {i}, {calls} calls a round");
        }
    }
}

#[test]
fn what_fills_once_is_never_a_leak_once_it_is_full() {
    let filling: [Kept; 5] = [
        |n| n.min(600) as i64,
        |n| (n % 512) as i64,
        |n| if n < 2_500 { 0 } else { 800 },
        |n| (n.min(5_000) as f64).sqrt() as i64 * 40,
        |n| 64 - (n + 1).leading_zeros() as i64,
    ];
    for (i, kept) in filling.into_iter().enumerate() {
        for calls in [1_000, 2_000, 3_333] {
            let said = verdict(kept, 2_041, calls);
            assert_ne!(said, Verdict::Leak, "no leak {i}, {calls} calls a round");
        }
    }
}

#[test]
fn a_rate_that_falls_from_set_to_set_is_not_steady() {
    let mut course = Course::default();
    for more in [100, 60] {
        course.begin_set();
        for _ in 0..4 {
            let mut change = Change::default();
            change.objects.insert("C".into(), (more, 0));
            course.enter(Round { calls: 100, ..Round::default() }, &change);
        }
    }
    assert_eq!(HuntAnswer::of(&course, Vec::new()).verdict, Verdict::Undecided);
}

#[test]
fn rates_are_of_one_call_and_bytes_are_counted_once() {
    let mut course = Course::default();
    course.begin_set();
    for _ in 0..4 {
        let mut change = Change::default();
        change.objects.insert("small".into(), (100, 4_800));
        change.objects.insert("large".into(), (50, 500_000));
        change.references.insert("NoneType".into(), -100);
        let round = Round { calls: 100, blocks: 150, native_bytes: Some(500_800), ..Round::default() };
        course.enter(round, &change);
    }
    let answer = HuntAnswer::of(&course, Vec::new());
    let per_call = answer.per_call;
    assert_eq!((per_call.objects, per_call.references, per_call.blocks), (1.5, -1.0, 1.5));
    assert_eq!((per_call.bytes, per_call.native_bytes), (48.0 + 5_008.0, Some(5_008.0)));
    let names: Vec<&str> = answer.leaks.iter().map(|l| l.type_name.as_str()).collect();
    assert_eq!(names, ["large", "small", "NoneType"]);
    assert_eq!(answer.kinds(), ["growth", "references"]);
}
