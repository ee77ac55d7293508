//! A leak under `tracemalloc`: the suspect names the line and the function that made it,
//! in `diff`, `report`, `why` and `lives`, on every interpreter found.

// A skipped interpreter is named.
#![allow(clippy::print_stderr)]

mod found;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const PROGRAM: &str = "\
import gc, sys
gc.disable()

class Session:
    pass

class Pair:
    pass

kept = []

def make():
    one = Session()
    return one

def cycle():
    pair = Pair()
    pair.me = pair

def work(n):
    for _ in range(n):
        kept.append(make())
        cycle()

work(50)
print('READY', flush=True)
sys.stdin.readline()
work(200)
print('DONE', flush=True)
sys.stdin.readline()
";

/// A target that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(out: &mut BufReader<ChildStdout>, word: &str) {
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), word);
}

fn undying(words: &[&str]) -> String {
    let out = Command::new(found::UNDYING).args(words).output().expect("undying runs");
    assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("text")
}

fn json(words: &[&str]) -> serde_json::Value {
    let words: Vec<&str> = words.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&undying(&words)).expect("JSON")
}

/// `born` of the first suspect of a class.
fn born<'a>(told: &'a serde_json::Value, class: &str) -> &'a serde_json::Value {
    let suspects = told["suspects"].as_array().expect("suspects");
    let suspect = suspects.iter().find(|s| s["type"] == class);
    &suspect.unwrap_or_else(|| panic!("no {class} in {suspects:?}"))["born"]
}

#[test]
fn a_suspect_names_the_line_that_made_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("leak.py");
    std::fs::write(&program, PROGRAM).expect("the program");
    for python in found::supported() {
        look(&python.path, &program, dir.path());
    }
}

fn look(python: &Path, program: &Path, dir: &Path) {
    let mut child = Command::new(python)
        .args(["-X", "tracemalloc=3"])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut input = child.stdin.take().expect("piped");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let target = Running(child);
    let pid = target.0.id().to_string();
    let [first, second] = ["first", "second"].map(|name| dir.join(name).display().to_string());
    said(&mut out, "READY");
    undying(&["dump", &pid, "-q", "--force", "-o", &first]);
    input.write_all(b"\n").expect("it listens");
    said(&mut out, "DONE");
    undying(&["dump", &pid, "-q", "--force", "-o", &second]);

    let file = program.display();
    let (made, dead) = (format!("{file}:13 in make"), format!("{file}:17 in cycle"));
    let who = python.display();
    let told = json(&["diff", &first, &second]);
    assert_eq!(born(&told, "__main__.Session"), &serde_json::json!([made]), "{who}");
    assert_eq!(born(&told, "__main__.Pair"), &serde_json::json!([dead]), "{who}");
    assert_eq!(born(&json(&["report", &second]), "__main__.Pair"), &serde_json::json!([dead]), "{who}");
    assert!(undying(&["report", &second]).contains("cycle (250 of 250)"), "{who}");

    let told = json(&["why", &second, "Session"]);
    assert_eq!(told["born"], serde_json::json!([made]), "{who}");
    let one = told["chains"][0]["example"].as_u64().expect("an address");
    let told = json(&["why", &second, &format!("{one:#x}")]);
    let stack: Vec<&str> = told["stack"].as_array().expect("a stack").iter().filter_map(|f| f.as_str()).collect();
    assert_eq!(stack[..2], [made.as_str(), &format!("{file}:22 in work")], "{who}");
    assert_eq!(stack.len(), 3, "{who}: as deep as was recorded");

    let told = json(&["lives", &second]);
    assert_eq!((&told["command"], &told["recorder"]), (&"lives".into(), &"tracemalloc".into()));
    let types = told["types"].as_array().expect("classes");
    let pair = types.iter().find(|t| t["type"] == "__main__.Pair").expect("the class");
    assert_eq!((&pair["alive"], &pair["garbage"], &pair["birth_unseen"]), (&250.into(), &250.into(), &0.into()));
    assert!(pair["born"].is_null(), "{who}: tracemalloc counts no deaths");
    assert_eq!(pair["places"][0]["place"], dead.as_str(), "{who}");
    // a running heap says the same
    let live = json(&["lives", &pid]);
    assert_eq!(live["types"], told["types"], "{who}");
}
