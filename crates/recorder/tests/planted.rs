//! Mistakes planted in small modules, recorded under each interpreter: the line of C is
//! named; what is healthy is not accused.

#![allow(clippy::print_stderr)] // interpreters that were skipped are named

mod child;

use child::{Driver, planted, pythons};
use undying_analysis::flight::{Mistake, Part, Verdict, verdict};
use undying_recorder::{End, Recording};

const CALLS: usize = 3;

/// The lines of a source file that are marked for a function.
fn marked(function: &str) -> Vec<u32> {
    let texts = ["planted.c", "holder.cpp"].map(|f| std::fs::read_to_string(planted().join(f)).unwrap());
    let mark = format!("guilty {function} ");
    let lines = texts.iter().flat_map(|t| t.lines().enumerate());
    lines.filter(|(_, l)| l.contains(&mark)).map(|(i, _)| i as u32 + 1).collect()
}

/// What was recorded, for whoever reads of a failure.
fn told(recording: &Recording, found: &Verdict) -> String {
    let mut text = format!("{:?} net {} {:?}\n", found.mistake, found.net, recording.end);
    for e in &found.history {
        let c = &recording.changes[e.change];
        let names: Vec<_> = c.native.iter().take(8).map(|f| f.function.as_deref().unwrap_or("?")).collect();
        let (before, after) = (c.before as i64, c.after as i64);
        text += &format!("{} {before} -> {after} {:?} {:?} answered by {:?}", e.change, e.part, e.hand, e.answer);
        text += &format!("{} | {}\n", if e.accused { " ACCUSED" } else { "" }, names.join(" < "));
    }
    for s in &found.sites {
        text += &format!("site {:?} {:?} x{}\n", s.frame.function, s.frame.line, s.count);
    }
    text
}

/// Every interpreter and a case that has a planted mistake: kind, function, times.
fn judge(python: &str, driver: &mut Driver, case: &str, mistake: Mistake, function: &str, count: usize) {
    let recording = driver.record(case, CALLS);
    let found = verdict(&recording.changes, 0);
    let told = format!("{python} {case}: {}", told(&recording, &found));
    assert!(recording.complete && recording.end == End::Done, "{told}");
    assert_eq!(found.mistake, Some(mistake), "{told}");
    let guilty = found.guilty().unwrap_or_else(|| panic!("nobody accused: {told}"));
    let last = guilty.frame.function.as_deref().unwrap_or("").split('(').next().unwrap().rsplit("::").next().unwrap();
    assert_eq!(last, function, "{told}");
    let lines = marked(function);
    assert!(guilty.frame.line.is_some_and(|l| lines.contains(&l)), "{:?} not in {lines:?}: {told}", guilty.frame.line);
    assert_eq!(
        found.sites.iter().filter(|s| s.frame.function == guilty.frame.function).map(|s| s.count).sum::<usize>(),
        count,
        "{told}"
    );
    assert!(guilty.python.as_ref().is_some_and(|p| p.file.ends_with("driver.py") && p.line > 0), "{told}");
}

#[test]
fn the_line_that_lost_a_reference_is_named() {
    for python in pythons() {
        let name = python.program.display().to_string();
        let mut driver = Driver::start(&python, "driver.py");
        for case in ["append_kept", "error_path", "set_string", "build_kept"] {
            judge(&name, &mut driver, case, Mistake::Kept, case, 1);
        }
        judge(&name, &mut driver, "getter_twice", Mistake::Kept, "getter_twice", CALLS);
        judge(&name, &mut driver, "label", Mistake::Kept, "label", CALLS);
        judge(&name, &mut driver, "mixed", Mistake::Kept, "getter_twice", CALLS);
        judge(&name, &mut driver, "among_getters", Mistake::Kept, "taken_only", CALLS);
        judge(&name, &mut driver, "has", Mistake::Released, "has", CALLS);
        judge(&name, &mut driver, "released_twice", Mistake::Released, "released_twice", CALLS);
    }
}

#[test]
fn what_is_healthy_is_not_accused() {
    for python in pythons() {
        let mut driver = Driver::start(&python, "driver.py");
        for case in ["use_list", "use_tuple", "use_kept", "no_error", "call_with"] {
            let recording = driver.record(case, CALLS);
            let found = verdict(&recording.changes, 0);
            let told = format!("{} {case}: {}", python.program.display(), told(&recording, &found));
            assert!(found.mistake.is_none() && found.sites.is_empty() && found.net == 0, "{told}");
            let births = found.history.iter().filter(|e| e.part == Part::Birth).count();
            assert_eq!(births, if case == "use_kept" { 0 } else { CALLS }, "{told}");
            assert!(!found.history.is_empty(), "{told}");
        }
    }
}

#[test]
fn a_stolen_reference_is_told_by_the_line_of_python() {
    for python in pythons() {
        let mut driver = Driver::start(&python, "driver.py");
        let recording = driver.record("stolen", CALLS);
        let found = verdict(&recording.changes, 0);
        let told = format!("{}: {}", python.program.display(), told(&recording, &found));
        assert_eq!((found.mistake, found.net), (Some(Mistake::Released), -(CALLS as i64)), "{told}");
        assert!(found.sites.is_empty(), "{told}");
        let driver = std::fs::read_to_string(planted().join("driver.py")).unwrap();
        let line = driver.lines().position(|l| l.contains("\"stolen\":")).unwrap() as u32 + 1;
        assert!(found.python.iter().any(|(p, n)| p.line == line && *n == CALLS), "{:?} {told}", found.python);
    }
}
