//! The ledger of references against planted truth, and against programs that count in
//! order, on every interpreter found.

mod found;
mod stages;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use found::{Python, UNDYING};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the planted program plants: the rule that tells it, the class, how many.
const PLANTED: [(&str, &str, u64); 4] = [
    ("lost-reference", "__main__.Over", 1),
    ("orphan", "__main__.Lost", 7),
    ("orphan", "bytes", 5),
    ("stolen-reference", "__main__.Under", 1),
];
/// What its sister plants in each step, `None` where so few are no growth.
const IN_STEPS: [(&str, &str, u64); 5] = [
    ("lost-reference", "planted.Over", 25),
    ("lost-reference", "planted.Over", 40),
    ("orphan", "bytes", 5),
    ("orphan", "planted.Lost", 70),
    ("stolen-reference", "planted.Under", 30),
];
/// Objects of the interpreter's own that it counts too often by itself, in one heap: static
/// types and modules of 3.8 and 3.9 (`Modules/_threadmodule.c`, `Modules/selectmodule.c`,
/// `Python/pylifecycle.c`), a context of 3.11's `_decimal`.
const OF_THE_INTERPRETER: u64 = 4;

/// A program at its word, killed when the test is done with it.
struct Target {
    child: Child,
    stdin: ChildStdin,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    snapshots: TempDir,
    what: String,
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Target {
    fn start(python: &Python, program: &str, arguments: &[&str]) -> Target {
        let mut command = Command::new(&python.path);
        command.arg(found::root().join("tests/targets").join(program)).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        let stdin = child.stdin.take().expect("is piped");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let what = format!("Python {} {program} {arguments:?}", python.full);
        Target { child, stdin, lines, snapshots: tempfile::tempdir().expect("a directory"), what }
    }

    /// Captures it at its next word.
    fn dump(&mut self, name: &str) {
        let line = self.lines.next().and_then(Result::ok);
        assert_eq!(line.as_deref(), Some("READY"), "{}", self.what);
        let out = self.undying(&["dump", &self.child.id().to_string(), "-o", name, "-q"]);
        assert!(out.is_empty(), "{}", self.what);
        let _ = self.stdin.write_all(b"\n");
    }

    fn undying(&self, arguments: &[&str]) -> Vec<u8> {
        let out = Command::new(UNDYING).args(arguments).current_dir(self.snapshots.path()).output().expect("runs");
        let words = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && words.is_empty(), "{} {arguments:?}: {words}", self.what);
        out.stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.undying(&[arguments, &["--format", "json"]].concat())).expect("JSON")
    }
}

fn suspects(answer: &Value) -> &[Value] {
    answer["suspects"].as_array().expect("a list")
}

/// Rule, class and number of each suspect, in order.
fn told(suspects: &[Value]) -> Vec<(&str, &str, u64)> {
    let mut told: Vec<_> = suspects
        .iter()
        .map(|s| {
            let word = |name: &str| s[name].as_str().expect("a word");
            (word("rule"), word("type"), s["count"].as_u64().expect("a number"))
        })
        .collect();
    told.sort_unstable();
    told
}

/// For who reads why a test failed.
fn lines(suspects: &[Value]) -> String {
    suspects.iter().map(|s| format!("{} {}\n", stages::line(s), s["why"])).collect()
}

#[test]
fn what_was_planted_is_found_and_nothing_else() {
    stages::two_at_a_time(&found::supported(), |python| {
        let mut target = Target::start(python, "planted.py", &[]);
        target.dump("heap");
        let (refs, report) = (target.json(&["refs", "heap"]), target.json(&["report", "heap"]));
        assert_eq!(told(suspects(&refs)), PLANTED, "{}\n{}", target.what, lines(suspects(&refs)));
        let mut all = PLANTED.to_vec();
        all.push(("garbage", "__main__.Pair", 18));
        all.sort_unstable();
        assert_eq!(told(suspects(&report)), all, "{}\n{}", target.what, lines(suspects(&report)));
        let cycles = target.json(&["cycles", "heap"]);
        let cycle = &cycles["cycles"][0];
        assert_eq!((&cycle["count"], &cycle["instances"]), (&json!(9), &json!(18)), "{}", target.what);
        assert_eq!((&cycle["state"], &cycles["garbage_cycles"]), (&json!("garbage"), &json!(9)), "{}", target.what);
        assert_ledger(&refs, &target.what);
    });
}

/// The table has the same numbers, and of the rest everything is explained.
fn assert_ledger(refs: &Value, what: &str) {
    let rows = refs["types"].as_array().expect("a list");
    let number = |row: &Value, name: &str| row[name].as_u64().expect("a number");
    let row = |class: &str| rows.iter().find(|r| r["type"] == class).unwrap_or_else(|| panic!("{what}: {class}"));
    let columns = ["excess", "excess_references", "orphans", "deficit", "deficit_references"];
    let of = |class: &str| columns.map(|c| number(row(class), c));
    assert_eq!(of("__main__.Lost"), [7, 7, 7, 0, 0], "{what}");
    assert_eq!(of("bytes"), [5, 5, 5, 0, 0], "{what}");
    assert_eq!(of("__main__.Over"), [1, 1, 0, 0, 0], "{what}");
    assert_eq!(of("__main__.Under"), [0, 0, 0, 1, 1], "{what}");
    let planted = |r: &&Value| PLANTED.iter().any(|p| r["type"] == p.1);
    let rest: u64 = rows.iter().filter(|r| !planted(r)).map(|r| number(r, "excess") + number(r, "deficit")).sum();
    assert!(rest <= OF_THE_INTERPRETER, "{what}: {rows:#?}");
    let totals = &refs["totals"];
    assert_eq!(["orphans", "deficit"].map(|c| number(totals, c)), [12, 1], "{what}");
    assert_eq!(number(totals, "excess"), 13 + rest, "{what}");
}

#[test]
fn what_comes_with_each_step_is_sure() {
    stages::two_at_a_time(&found::supported(), |python| {
        let mut target = Target::start(python, "planted_steps.py", &[]);
        ["A", "B", "C"].iter().for_each(|name| target.dump(name));
        let planted: Vec<_> = IN_STEPS.iter().map(|&(rule, class, count)| (rule, class, 2 * count)).collect();
        let refs = target.json(&["refs", "A", "B", "C"]);
        assert_eq!(told(suspects(&refs)), planted, "{}\n{}", target.what, lines(suspects(&refs)));
        let diff = target.json(&["diff", "A", "B", "C"]);
        let (of_references, others): (Vec<Value>, Vec<Value>) =
            suspects(&diff).iter().cloned().partition(|s| s["kind"] == "references" || s["kind"] == "orphan");
        assert_eq!(told(&of_references), planted, "{}\n{}", target.what, lines(&of_references));
        // what is held as well as counted too often is no less a list that grows
        let rules: Vec<&str> = told(&others).into_iter().map(|o| o.0).collect();
        assert!(rules.contains(&"garbage"), "{}\n{}", target.what, lines(&others));
        assert!(
            rules.iter().all(|r| ["garbage", "growing-container"].contains(r)),
            "{}\n{}",
            target.what,
            lines(&others)
        );
        for suspect in suspects(&refs).iter().chain(&of_references) {
            assert_eq!(suspect["confidence"], "high", "{}\n{}", target.what, lines(suspects(&refs)));
        }
    });
}

#[test]
fn steps_that_count_in_order_are_left_in_peace() {
    stages::two_at_a_time(&found::supported(), |python| {
        let mut target = Target::start(python, "planted_steps.py", &["--healthy"]);
        ["A", "B", "C"].iter().for_each(|name| target.dump(name));
        let refs = target.json(&["refs", "A", "B", "C"]);
        assert!(suspects(&refs).is_empty(), "{}\n{}", target.what, lines(suspects(&refs)));
    });
}

#[test]
fn a_healthy_program_has_no_suspect() {
    stages::two_at_a_time(&found::supported(), |python| {
        let mut target = Target::start(python, "healthy_native.py", &[]);
        target.dump("heap");
        let refs = target.json(&["refs", "heap"]);
        assert!(suspects(&refs).is_empty(), "{}\n{}", target.what, lines(suspects(&refs)));
        let totals = &refs["totals"];
        let number = |name: &str| totals[name].as_u64().expect("a number");
        assert!(number("mortal") > 40_000, "{}: too few objects to be the whole heap", target.what);
        assert_eq!((number("orphans"), number("deficit")), (0, 0), "{}: {:#}", target.what, refs["types"]);
        assert!(number("excess") <= OF_THE_INTERPRETER, "{}: {:#}", target.what, refs["types"]);
    });
}
