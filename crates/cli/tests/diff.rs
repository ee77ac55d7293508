//! `undying diff` and what goes with it, as a user or a script meets them: what is
//! refused, what programs read, `--fail-on`, `--ignore`, `why --since`, text in a pipe.

mod found;
mod stages;

use std::fs;
use std::path::Path;
use std::process::Command;

use found::UNDYING;
use serde_json::Value;
use stages::Stages;

/// A thousandth of a shop.  `orders`, `rows` and `cycles` leak where they are asked for.
const PROGRAM: &str = r#"
import collections, gc

class Order:
    def __init__(self, number):
        self.number = number

class Visit:
    pass

class Document:
    def __init__(self):
        self.page = Page(self)

class Page:
    def __init__(self, document):
        self.document = document

def make():
    class Row:
        pass
    return Row

Row = make()
orders = []
rows = {}
recent = collections.deque(maxlen=10)
leaks = LEAKS
if "cycles" in leaks:
    gc.disable()

def step(i):
    recent.append(Visit())
    if "orders" in leaks:
        orders.append(Order(i))
    if "rows" in leaks:
        rows[i] = Row()
    if "cycles" in leaks:
        Document()
"#;

/// The shop on an interpreter, captured at each word.
fn shop_on(python: &found::Python, leaks: &[&str]) -> Stages {
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("shop.py");
    fs::write(&program, PROGRAM.replace("LEAKS", &format!("{leaks:?}"))).expect("writes");
    Stages::of(python, &[program.to_str().expect("a path of letters")], 3)
}

fn shop(leaks: &[&str]) -> Stages {
    let newest = stages::oldest_and_newest().pop().expect("a Python that can be read");
    shop_on(&newest, leaks)
}

/// The exit code and the one sentence of what is not done.
fn refused(stages: &Stages, arguments: &[&str]) -> (Option<i32>, String) {
    let out = stages.undying(arguments);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "", "{arguments:?}");
    let stderr = String::from_utf8(out.stderr).expect("UTF-8");
    assert_eq!(stderr.lines().count(), 1, "one sentence: {stderr:?}");
    assert!(stderr.starts_with("undying: ") && stderr.contains(';'), "it says what to do next: {stderr}");
    (out.status.code(), stderr)
}

fn code(stages: &Stages, arguments: &[&str]) -> Option<i32> {
    let out = stages.undying(arguments);
    assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{arguments:?}");
    out.status.code()
}

fn types(suspects: &Value) -> Vec<&str> {
    let all = suspects.as_array().expect("a list").iter();
    let mut types: Vec<&str> = all.filter_map(|s| s["type"].as_str()).collect();
    types.sort_unstable();
    types
}

const THREE: [&str; 4] = ["diff", "READY", "MORE", "DONE"];
const ROW: &str = "__main__.make.<locals>.Row";

#[test]
fn what_cannot_be_compared_is_refused() {
    let (one, other) = (shop(&["orders"]), shop(&[]));
    let foreign = other.dir().join("DONE");
    let foreign = foreign.to_str().expect("a path of letters");
    for (arguments, exit, words) in [
        (&["diff"][..], 2, "missing"),
        (&["diff", "READY"], 2, "DIR"),
        (&["diff", "READY", foreign], 2, "snapshots of one process"),
        (&["diff", foreign, "READY"], 2, "snapshots of one process"),
        (&["diff", "DONE", "READY"], 2, "oldest first"),
        (&["diff", "READY", "DONE", "MORE"], 2, "oldest first"),
        (&["diff", "READY", "nowhere"], 3, "nowhere"),
        (&["diff", "nowhere", "DONE"], 3, "nowhere"),
        (&["diff", "READY", "/"], 3, "not a snapshot"),
        (&["diff", "READY", "DONE", "--fail-on", "rubbish"], 2, "the kinds are any, growth"),
        (&["diff", "READY", "DONE", "--fail-on", "growth:sure"], 2, "high, medium or low"),
        (&["why", "DONE", "Order", "--since", foreign], 2, "snapshots of one process"),
        (&["why", "READY", "Order", "--since", "DONE"], 2, "oldest first"),
        (&["why", "DONE", "Order", "--since", "nowhere"], 3, "nowhere"),
    ] {
        let (got, sentence) = refused(&one, arguments);
        assert_eq!(got, Some(exit), "{arguments:?}: {sentence}");
        assert!(sentence.contains(words), "{arguments:?}: {sentence}");
    }
    damage(&one.dir().join("MORE"));
    let since = ["why", "DONE", "Order", "--since", "MORE"];
    for arguments in [&["diff", "READY", "MORE"][..], &["diff", "MORE", "DONE"], &THREE, &since] {
        let (got, sentence) = refused(&one, arguments);
        assert_eq!(got, Some(4), "{arguments:?}: {sentence}");
        assert!(sentence.contains("MORE") && sentence.contains("edges.parquet"), "{sentence}");
    }
}

fn damage(snapshot: &Path) {
    let table = snapshot.join("edges.parquet");
    let bytes = fs::read(&table).expect("is there");
    fs::write(&table, &bytes[..bytes.len() / 2]).expect("writes");
}

#[test]
fn programs_read_the_fields_that_are_promised() {
    for python in stages::oldest_and_newest() {
        let stages = shop_on(&python, &["orders", "cycles"]);
        for (question, snapshots) in [(&THREE[..], 3), (&["report", "DONE"], 1)] {
            let answer = stages.json(question);
            assert_eq!(answer["schema"], 1);
            assert_eq!(answer["command"], question[0]);
            assert_eq!(answer["python"], python.full.as_str());
            let origins = answer["snapshots"].as_array().expect("a list");
            assert_eq!(origins.len(), snapshots);
            for (origin, name) in origins.iter().zip(&question[1..]) {
                assert_eq!(origin["path"], *name);
                assert!(origin["pid"].is_u64() && origin["objects"].as_u64() > Some(5_000), "{origin}");
            }
            for ledger in ["lives", "references", "bytes"] {
                assert!(answer["ledgers"][ledger].is_object(), "{ledger}");
            }
            let suspects = answer["suspects"].as_array().expect("a list");
            assert!(!suspects.is_empty(), "Python {} {question:?}", python.full);
            for (suspect, rank) in suspects.iter().zip(1..) {
                assert_eq!(suspect["rank"], rank);
                is_whole(suspect);
            }
        }
        let answer = stages.json(&THREE);
        let orders = answer["suspects"].as_array().expect("a list").iter().find(|s| s["type"] == "__main__.Order");
        let orders = orders.expect("orders leak");
        assert_eq!((&orders["kind"], &orders["count"]), (&"growth".into(), &400.into()));
        let steps = orders["path"].as_array().expect("a list");
        assert_eq!((&steps[0]["kind"], &steps[0]["label"]), (&"module".into(), &"__main__".into()));
        assert!(steps.iter().any(|s| s["label"] == "orders"), "{orders}");
    }
}

/// A suspect has every field of the promise, of its kind.
fn is_whole(suspect: &Value) {
    for text in ["kind", "type", "path_text", "confidence", "why", "advice"] {
        assert!(suspect[text].as_str().is_some_and(|t| !t.is_empty()), "{text}: {suspect}");
    }
    for number in ["count", "shallow_bytes"] {
        assert!(suspect[number].as_u64() > Some(0), "{number}: {suspect}");
    }
    for maybe in ["retained_bytes", "module_file"] {
        let value = suspect.get(maybe).unwrap_or_else(|| panic!("{maybe}: {suspect}"));
        assert!(value.is_null() || value.is_u64() || value.is_string(), "{maybe}: {suspect}");
    }
    assert!(suspect["born"].is_array(), "{suspect}");
    assert!(["high", "medium", "low"].iter().any(|c| suspect["confidence"] == *c), "{suspect}");
    let path = suspect["path"].as_array().expect("a list");
    assert!(!path.is_empty() && path.iter().all(|s| s["kind"].is_string() && s.get("label").is_some()), "{suspect}");
}

#[test]
fn a_leak_fails_and_a_cured_one_does_not() {
    let (leak, cured) = (shop(&["orders"]), shop(&[]));
    for (words, option, of_leak) in [
        (&["READY", "DONE"][..], "growth:medium", 1),
        (&["READY", "DONE"], "growth:high", 0),
        (&["READY", "MORE", "DONE"], "growth:high", 1),
        (&["READY", "MORE", "DONE"], "any", 1),
        (&["READY", "MORE", "DONE"], "garbage", 0),
    ] {
        let question = [&["diff", "--fail-on", option], words].concat();
        assert_eq!(code(&leak, &question), Some(of_leak), "{question:?}");
        assert_eq!(code(&cured, &question), Some(0), "{question:?}");
    }
    let either = ["diff", "READY", "DONE", "--fail-on", "garbage", "--fail-on", "growth:low"];
    assert_eq!(code(&leak, &either), Some(1));
}

#[test]
fn what_is_ignored_is_not_told_and_fails_nothing() {
    let stages = shop(&["orders", "rows"]);
    assert_eq!(types(&stages.json(&THREE)["suspects"]), ["__main__.Order", ROW]);
    for (pattern, left) in [
        ("__main__.Order", &[ROW][..]),
        ("__main__.orders*", &[ROW]),
        ("*.rows[*", &["__main__.Order"]),
        ("*Row", &["__main__.Order"]),
        ("growing-container", &[]),
        ("growth", &[]),
        ("*", &[]),
        ("Order", &["__main__.Order", ROW]),
        ("__main__", &["__main__.Order", ROW]),
    ] {
        let question = [&THREE[..], &["--ignore", pattern]].concat();
        let answer = stages.json(&question);
        assert_eq!(types(&answer["suspects"]), left, "{pattern}");
        assert_eq!(answer["ignored"], 2 - left.len(), "{pattern}");
        assert!(left.is_empty() || answer["suspects"][0]["rank"] == 1, "{pattern}");
        let failing = [&question[..], &["--fail-on", "any"]].concat();
        assert_eq!(code(&stages, &failing), Some(i32::from(!left.is_empty())), "{pattern}");
        let said = stages.well(&question).contains(&format!("{} left out by --ignore", 2 - left.len()));
        assert_eq!(said, left.len() < 2, "{pattern}");
    }
    let both = [&THREE[..], &["--ignore", "__main__.Order", "--ignore", "*Row"]].concat();
    assert!(types(&stages.json(&both)["suspects"]).is_empty());
}

#[test]
fn why_since_counts_the_new_ones_only() {
    for python in stages::oldest_and_newest() {
        let stages = shop_on(&python, &["orders"]);
        for (since, count) in [(None, 420), (Some("READY"), 400), (Some("MORE"), 200), (Some("DONE"), 0)] {
            let mut question = vec!["why", "DONE", "__main__.Order"];
            question.extend(since.iter().flat_map(|dir| ["--since", dir]));
            let answer = stages.json(&question);
            assert_eq!(answer["count"], count, "Python {} {since:?}", python.full);
            let chains = answer["chains"].as_array().expect("a list").iter();
            assert_eq!(chains.filter_map(|c| c["count"].as_u64()).sum::<u64>(), count, "{answer}");
            assert!(stages.well(&question).contains(&format!("{count} object")), "Python {} {since:?}", python.full);
        }
    }
}

#[test]
fn text_in_a_pipe_is_plain_and_what_it_says_to_type_works() {
    let stages = shop(&["orders", "rows"]);
    for question in [&THREE[..], &["diff", "READY", "DONE"]] {
        let text = stages.well(question);
        assert!(!text.contains('\x1b') && !text.contains('\r'), "{text}");
        assert!(text.contains("2 suspects") && text.lines().all(|l| l.chars().count() <= 100), "{text}");
        for words in ["1. __main__.", "2. __main__.", "__main__.orders[…] → Order", "__main__.rows[…] → Row"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert_eq!(text.contains("A third"), question.len() == 3, "{text}");
        let next: Vec<&str> = text.lines().filter_map(|l| l.trim().strip_prefix("next")).map(str::trim).collect();
        assert_eq!(next.len(), 2, "{text}");
        for line in next {
            assert!(line.starts_with("undying why DONE ") && line.ends_with(" --since READY"), "{line}");
            let answer = typed(stages.dir(), line);
            let name = if line.contains("Row") { ROW } else { "__main__.Order" };
            assert!(answer.contains(name) && answer.contains("→"), "{line}\n{answer}");
        }
    }
    let one = stages.well(&[&THREE[..], &["-n", "1"]].concat());
    assert!(one.contains("1. ") && !one.contains("2. __main__") && one.contains("and 1 suspect"), "{one}");
}

/// What a shell answers.
fn typed(dir: &Path, line: &str) -> String {
    let ours = Path::new(UNDYING).parent().expect("a directory");
    let path = std::env::join_paths([ours, Path::new("/usr/bin"), Path::new("/bin")]).expect("no colon");
    let out = Command::new("sh").args(["-c", line]).current_dir(dir).env("PATH", path).output().expect("runs");
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}
