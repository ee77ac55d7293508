//! Questions to a living process with known holders: what is said of it alive is
//! what is said of its snapshot, to people and to programs.

mod found;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use found::{Python, UNDYING};
use serde_json::Value;

/// 300 sessions in a list, 20 in a dictionary, one in a local variable of a
/// running function; the last two also in globals or nowhere else.
const PROGRAM: &str = r#"
import gc, sys
class Session(object):
    pass
class Child(object):
    pass
class Pool(object):
    def __init__(self):
        self.idle = [Session() for _ in range(300)]
        self.by_name = dict((i, Session()) for i in range(20))
class Parent(object):
    def __init__(self):
        self.children = [Child()]
        self.children[0].parent = self
pool = Pool()
parent = Parent()
gc.collect()
gc.disable()
def leave_garbage():
    a, b = Child(), Child()
    a.other, b.other = b, a
for _ in range(7):
    leave_garbage()
def serve():
    current = Session()
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    sys.stdin.read()
serve()
"#;

struct Target(Child);

impl Target {
    fn new(python: &Python, dir: &Path) -> Target {
        std::fs::write(dir.join("service.py"), PROGRAM).expect("writes");
        let mut command = Command::new(&python.path);
        command.arg("service.py").current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("UTF-8");
        assert_eq!(line, "READY\n", "{}", python.full);
        Target(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn undying(dir: &Path, arguments: &[&str]) -> Output {
    let out = Command::new(UNDYING).args(arguments).current_dir(dir).output().expect("runs");
    // No progress and no colour where there is no terminal.
    assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{arguments:?}");
    assert!(out.status.success(), "{arguments:?}");
    assert!(!out.stdout.contains(&0x1b), "{arguments:?}");
    out
}

fn text(dir: &Path, arguments: &[&str]) -> String {
    String::from_utf8(undying(dir, arguments).stdout).expect("UTF-8")
}

fn json(dir: &Path, arguments: &[&str]) -> Value {
    let out = undying(dir, &[arguments, &["--format", "json"]].concat());
    serde_json::from_slice(&out.stdout).expect("JSON")
}

/// Each with a target and its snapshot, on every interpreter.
fn everywhere(check: impl Fn(&Path, &str, &Python)) {
    for python in found::supported() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = Target::new(&python, dir.path());
        text(dir.path(), &["dump", &target.pid(), "-o", "snap"]);
        check(dir.path(), &target.pid(), &python);
        check(dir.path(), "snap", &python);
    }
}

#[test]
fn why_counts_the_distinct_chains() {
    everywhere(|dir, target, python| {
        let said = text(dir, &["why", target, "Session"]);
        assert!(said.contains("__main__.Session: 321 objects"), "{}:\n{said}", python.full);
        assert!(said.contains("__main__ —.pool→ Pool —.idle→ list —[…]→ Session"), "{}:\n{said}", python.full);
        assert!(said.contains("__main__ —.pool→ Pool —.by_name→ dict —[…]→ Session"), "{}:\n{said}", python.full);
        assert!(said.contains("local current"), "{}:\n{said}", python.full);
        let answer = json(dir, &["why", target, "__main__.Session"]);
        assert_eq!((&answer["count"], &answer["garbage"]), (&321.into(), &0.into()));
        let count = |text: &str| {
            let rows = answer["chains"].as_array().expect("a list").iter();
            let held = rows.filter(|c| c["path_text"].as_str().is_some_and(|t| t.contains(text)));
            held.map(|c| c["count"].as_u64().unwrap_or(0)).sum::<u64>()
        };
        assert_eq!((count("pool.idle"), count("pool.by_name"), count("current")), (300, 20, 1), "{answer}");
    });
}

#[test]
fn cycles_are_garbage_or_held() {
    everywhere(|dir, target, python| {
        let answer = json(dir, &["cycles", target]);
        let shapes = answer["cycles"].as_array().expect("a list");
        let of = |state: &str| -> Vec<&Value> {
            shapes.iter().filter(|s| s["state"] == state && s["type"] == "__main__.Child").collect()
        };
        let (garbage, all) = (of("garbage"), shapes.iter());
        assert_eq!(garbage.len(), 1, "{} {answer}", python.full);
        assert_eq!((&garbage[0]["count"], &garbage[0]["instances"]), (&7.into(), &14.into()));
        let back = |s: &&Value| s["state"] == "held" && s["cut"]["edge"] == "Child.parent";
        assert_eq!(all.filter(back).count(), 1, "{} {answer}", python.full);
        let said = text(dir, &["cycles", target]);
        assert!(said.contains("7 × __main__.Child"), "{said}");
        assert!(said.contains("A —.children→ list —[0]→ B —.parent→ A"), "{said}");
    });
}

#[test]
fn a_collector_that_is_off_makes_garbage_certain() {
    everywhere(|dir, target, python| {
        let answer = json(dir, &["report", target]);
        let suspects = answer["suspects"].as_array().expect("a list");
        assert_eq!(suspects.len(), 1, "{} {answer}", python.full);
        assert_eq!((&suspects[0]["type"], &suspects[0]["count"]), (&"__main__.Child".into(), &14.into()));
        assert_eq!(suspects[0]["confidence"], "high");
        assert!(text(dir, &["report", target]).contains("off: cycles are never freed"));
    });
}

#[test]
fn top_counts_instances() {
    everywhere(|dir, target, python| {
        let answer = json(dir, &["top", target]);
        let rows = answer["types"].as_array().expect("a list");
        let sessions = rows.iter().find(|r| r["type"] == "__main__.Session");
        assert_eq!(sessions.expect("is there")["count"], 321, "{}", python.full);
        let total: u64 = rows.iter().filter_map(|r| r["count"].as_u64()).sum();
        assert_eq!(answer["objects"], total);
        assert_eq!(text(dir, &["top", target, "-n", "5"]).lines().filter(|l| l.ends_with('%')).count(), 5);
    });
}

#[test]
fn doctor_says_that_all_is_well() {
    everywhere(|dir, target, python| {
        if target == "snap" {
            return;
        }
        assert!(text(dir, &["doctor", target]).contains("can be read"), "{}", python.full);
        assert_eq!(json(dir, &["doctor", target])["readable"], true);
    });
}

#[test]
fn a_dump_without_a_name_is_called_after_the_program() {
    let Some(python) = found::supported().pop() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let target = Target::new(&python, dir.path());
    let line = text(dir.path(), &["dump", &target.pid()]);
    let name = line.trim().rsplit(' ').next().expect("a path");
    assert!(name.starts_with(&format!("undying-service.py.{}.2", target.pid())), "{line}");
    for part in ["objects", "references", "stood still", "defects"] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(line.lines().count(), 1);
    assert!(dir.path().join(name).join("objects.parquet").is_file());
    // A second one with the same name is refused, or replaces it when that is asked.
    let again = Command::new(UNDYING).args(["dump", &target.pid(), "-o", name]).current_dir(dir.path()).output();
    assert_eq!(again.expect("runs").status.code(), Some(2));
    text(dir.path(), &["dump", &target.pid(), "-o", name, "--force", "-q"]);
}
