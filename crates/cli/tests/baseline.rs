//! `--baseline FILE` from run to run of a program that leaks here and there: known is
//! silent, new fails, cured leaves the file and does not come back; a file that is not
//! understood is left as it is.

mod found;
mod stages;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stages::Stages;

/// Lists that leak, and a chain whose length tells runs apart.
const PROGRAM: &str = r#"
class Order:
    pass

class Event:
    pass

class Version:
    def __init__(self, before):
        self.before = before

orders, events = [], []
latest = None
for _ in range(EARLIER):
    latest = Version(latest)

def step(i):
    global latest
    if "orders" in LEAKS:
        orders.append(Order())
    if "events" in LEAKS:
        events.append(Event())
    if "versions" in LEAKS:
        latest = Version(latest)
"#;

/// One run of the program, which has lived for a while.
fn run(leaks: &[&str], earlier: usize) -> Stages {
    let newest = stages::oldest_and_newest().pop().expect("a Python that can be read");
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("shop.py");
    let text = PROGRAM.replace("LEAKS", &format!("{leaks:?}")).replace("EARLIER", &earlier.to_string());
    fs::write(&program, text).expect("writes");
    Stages::of(&newest, &[program.to_str().expect("a path of letters")], 3)
}

fn words(file: &Path) -> [&str; 8] {
    let file = file.to_str().expect("a path of letters");
    ["diff", "READY", "MORE", "DONE", "--fail-on", "any", "--baseline", file]
}

/// The exit code, and the classes that are told.
fn held(stages: &Stages, file: &Path) -> (Option<i32>, Vec<String>) {
    let out = stages.undying(&[&words(file)[..], &["--format", "json"]].concat());
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    let answer: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let suspects = answer["suspects"].as_array().expect("a list").iter();
    (out.status.code(), suspects.filter_map(|s| s["type"].as_str()).map(str::to_owned).collect())
}

/// The classes that the file lists.
fn listed(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("is there");
    let baseline: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(baseline["schema"], 1);
    let known = baseline["suspects"].as_array().expect("a list").iter();
    known.filter_map(|k| k["type"].as_str()).map(str::to_owned).collect()
}

#[test]
fn known_is_silent_new_fails_and_cured_does_not_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("known.json");
    let (orders, both, none) = (run(&["orders"], 0), run(&["orders", "events"], 0), run(&[], 0));
    let silent = (Some(0), Vec::new());
    let told = |name: &str| (Some(1), vec![format!("__main__.{name}")]);

    assert_eq!(held(&orders, &file), silent, "what is there at first is known");
    assert_eq!(listed(&file), ["__main__.Order"]);
    let first = fs::read(&file).expect("is there");
    assert_eq!(held(&run(&["orders"], 0), &file), silent, "another process of the same program");
    assert_eq!(held(&both, &file), told("Event"), "a new leak fails");
    assert_eq!(held(&both, &file), told("Event"), "and goes on failing");
    assert_eq!(fs::read(&file).expect("is there"), first, "nothing is added by itself");

    let text = none.well(&words(&file));
    assert!(text.contains("1 of the baseline not seen any more and taken out of it"), "{text}");
    assert!(listed(&file).is_empty(), "cured");
    assert_eq!(held(&none, &file), silent);
    assert_eq!(held(&orders, &file), told("Order"), "what was cured is new when it is back");
    assert!(listed(&file).is_empty());
    let left: Vec<PathBuf> = fs::read_dir(dir.path()).expect("is there").flatten().map(|f| f.path()).collect();
    assert_eq!(left, [file]);
}

#[test]
fn of_two_that_are_known_one_is_cured() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("known.json");
    let both = run(&["orders", "events"], 0);
    let text = both.well(&words(&file));
    assert!(text.contains("2 known from the baseline and left out"), "{text}");
    assert_eq!(held(&run(&["events"], 0), &file), (Some(0), Vec::new()));
    assert_eq!(listed(&file), ["__main__.Event"]);
    assert_eq!(held(&both, &file), (Some(1), vec!["__main__.Order".to_owned()]));
}

#[test]
fn a_chain_that_is_known_may_be_longer() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("known.json");
    let (short, long) = (run(&["versions"], 0), run(&["versions"], 1000));
    let ways = [&short, &long].map(|s| s.json(&["diff", "READY", "DONE"])["suspects"][0]["path_text"].clone());
    assert!(ways[0].as_str().is_some_and(|way| way.contains("before")), "{ways:?}");
    assert_eq!(held(&short, &file), (Some(0), Vec::new()));
    assert_eq!(listed(&file), ["__main__.Version"]);
    assert_eq!(held(&long, &file), (Some(0), Vec::new()), "{ways:?}");
    assert_eq!(listed(&file), ["__main__.Version"]);
}

#[test]
fn a_file_that_is_not_understood_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let stages = run(&["orders"], 0);
    let file = dir.path().join("known.json");
    let newer = "{\"schema\": 1000, \"suspects\": []}";
    for (text, says) in [
        ("", "is no baseline"),
        ("nonsense", "is no baseline"),
        ("{\"schema\": 1, \"suspects\": [", "is no baseline"),
        ("[1, 2]", "is no baseline"),
        ("{\"schema\": 1, \"suspects\": [{\"kind\": \"growth\"}]}", "is no baseline"),
        (newer, "update undying"),
    ] {
        fs::write(&file, text).expect("writes");
        let sentence = refused(&stages, &file, 2);
        assert!(sentence.contains(says) && sentence.contains("known.json"), "{text:?}: {sentence}");
        assert_eq!(fs::read_to_string(&file).expect("is there"), text);
    }
    fs::write(&file, b"\xff\xfe\x00").expect("writes");
    refused(&stages, &file, 2);
    assert_eq!(fs::read(&file).expect("is there"), b"\xff\xfe\x00");
    refused(&stages, dir.path(), 2);
}

#[test]
fn where_nothing_can_be_written_one_sentence_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let stages = run(&["orders"], 0);
    // a directory that is not there, and one in which not even root can write
    for file in [dir.path().join("nowhere/known.json"), PathBuf::from("/proc/known.json")] {
        let sentence = refused(&stages, &file, 5);
        assert!(sentence.contains("known.json cannot be written"), "{sentence}");
        assert!(!file.exists());
    }
}

/// The one sentence with which it ends.
fn refused(stages: &Stages, file: &Path, code: i32) -> String {
    let out = stages.undying(&words(file));
    let sentence = String::from_utf8(out.stderr).expect("UTF-8");
    assert_eq!(out.status.code(), Some(code), "{sentence}");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "", "{sentence}");
    assert!(sentence.lines().count() == 1 && sentence.contains(';'), "{sentence}");
    sentence
}
