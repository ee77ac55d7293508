//! What undying says about each example, on every interpreter found, held
//! against tests/golden.  `UPDATE_GOLDEN=1` writes the golden files anew, to be
//! read in review.

mod found;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use found::{Python, UNDYING};

/// Program's output, report and exit code of an example.
fn run(python: &Python, example: &str, options: &[&str]) -> (String, String, Option<i32>) {
    let dir = tempfile::tempdir().expect("a directory");
    let report = dir.path().join("report");
    let mut command = Command::new(UNDYING);
    command.args(["run", "-q", "-o"]).arg(&report).args(options).arg("--python").arg(&python.path).arg(example);
    let out = command.current_dir(found::root().join("examples")).env_remove("LANG").output().expect("runs");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(said, "", "{} {example}", python.full);
    let report = fs::read_to_string(&report).expect("a report");
    (String::from_utf8(out.stdout).expect("UTF-8"), report, out.status.code())
}

/// The report without what differs from one run or one Python to another: sizes,
/// counts of all objects, the process, the version.
fn normalised(report: &str) -> String {
    let heap = report.find("\nHeap\n").expect("it ends with the heap");
    let (first, rest) = report[..heap].split_once('\n').expect("it begins with the circumstances");
    for part in ["process ", "CPython 3.", " objects", "stood still "] {
        assert!(first.contains(part), "{first}");
    }
    let words = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for i in 1..words.len() {
            let unit = words[i].trim_end_matches([')', ',', ';']);
            let amount = ["bytes", "KiB"].contains(&unit) || words[i] == "dead";
            if amount && words[i - 1].starts_with(|c: char| c.is_ascii_digit()) {
                words[i - 1] = "N".to_owned();
            }
        }
        words.join(" ")
    };
    rest.trim_start().lines().map(|l| words(l) + "\n").collect()
}

fn golden(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{}.txt", example.trim_end_matches(".py")))
}

fn check(example: &str) {
    let renew = std::env::var_os("UPDATE_GOLDEN").is_some();
    for (i, python) in found::supported().iter().enumerate() {
        let (_, report, code) = run(python, example, &[]);
        assert_eq!(code, Some(0), "{} {example}", python.full);
        let said = normalised(&report);
        if renew && i == 0 {
            fs::write(golden(example), &said).expect("writes");
        }
        let expected = fs::read_to_string(golden(example)).expect("a golden file; UPDATE_GOLDEN=1 makes it");
        assert_eq!(said, expected, "Python {}", python.full);
    }
}

#[test]
fn born_and_dead() {
    check("born_and_dead.py");
}

#[test]
fn a_and_b() {
    check("a_and_b.py");
}

#[test]
fn myself() {
    check("myself.py");
}

#[test]
fn in_a_function() {
    check("in_a_function.py");
}

#[test]
fn healthy() {
    check("healthy.py");
}

/// The issue's own words, whatever the golden files say.
#[test]
fn the_pair_is_told_as_it_was_tied() {
    for python in found::supported() {
        let (_, report, _) = run(&python, "a_and_b.py", &[]);
        for words in ["LeakTest", "A —.b→ B —.a→ A", "only the collector can free", "make weak", "weakref"] {
            assert!(report.contains(words), "{} does not say {words}:\n{report}", python.full);
        }
        let (_, report, _) = run(&python, "myself.py", &[]);
        assert!(report.contains("A —.me→ A"), "{}:\n{report}", python.full);
    }
}

#[test]
fn every_example_runs_the_same_on_every_python() {
    let examples = fs::read_dir(found::root().join("examples")).expect("is there").flatten();
    let names = examples.map(|e| e.file_name().to_string_lossy().into_owned());
    for example in names.filter(|n| n.ends_with(".py")) {
        assert!(golden(&example).is_file(), "no golden report for {example}");
        for python in found::all() {
            let out = Command::new(&python.path).arg(&example).current_dir(found::root().join("examples")).output();
            let out = out.expect("runs");
            assert!(out.status.success() && out.stderr.is_empty(), "{} {example}: {out:?}", python.full);
        }
    }
}

#[test]
fn json_says_the_same_to_programs() {
    for python in found::supported() {
        let (_, report, _) = run(&python, "a_and_b.py", &["--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        assert_eq!((&json["schema"], &json["command"]), (&1.into(), &"report".into()));
        assert_eq!(json["python"], python.full.as_str());
        let suspects = json["suspects"].as_array().expect("a list");
        assert_eq!(suspects.len(), 1, "{}: {report}", python.full);
        let suspect = &suspects[0];
        assert_eq!(suspect["type"], "__main__.LeakTest");
        assert_eq!(suspect["count"], 2);
        let labels: Vec<_> = suspect["path"].as_array().expect("a list").iter().map(|s| &s["label"]).collect();
        assert_eq!(labels, ["b", "a"]);
        for field in ["kind", "confidence", "why", "advice", "path_text", "born", "module_file", "shallow_bytes"] {
            assert!(suspect.get(field).is_some(), "{field}");
        }
        for ledger in ["lives", "references", "bytes"] {
            assert!(json["ledgers"].get(ledger).is_some(), "{ledger}");
        }
    }
}

#[test]
fn fail_on_decides_the_exit_code() {
    let Some(python) = found::supported().pop() else { return };
    for (example, option, code) in [
        ("a_and_b.py", "any", 1),
        ("a_and_b.py", "cycle:medium", 1),
        ("a_and_b.py", "growth", 0),
        ("healthy.py", "any", 0),
    ] {
        let (_, _, got) = run(&python, example, &["--fail-on", option]);
        assert_eq!(got, Some(code), "{example} {option}");
    }
    // What could not be looked at must not pass for healthy.
    let blind = ["run", "--fail-on", "any", "-c", "import os; os._exit(0)"];
    let out = Command::new(UNDYING).args(blind).output().expect("runs");
    assert_eq!(out.status.code(), Some(3));
}

#[test]
fn a_saved_snapshot_answers_further_questions() {
    for python in found::supported() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(UNDYING);
        command.args(["run", "-q", "--save", "snap", "--python"]).arg(&python.path);
        command.arg(found::root().join("examples/a_and_b.py")).current_dir(dir.path());
        let out = command.output().expect("runs");
        let report = String::from_utf8_lossy(&out.stderr).into_owned();
        let next = report.lines().find_map(|l| l.trim().strip_prefix("next")).expect("a next command").trim();
        let words: Vec<&str> = next.split(' ').skip(1).collect();
        for question in [words, vec!["cycles", "snap"], vec!["report", "snap"]] {
            let out = Command::new(UNDYING).args(&question).current_dir(dir.path()).output().expect("runs");
            let answer = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(answer.contains("A —.b→ B —.a→ A"), "{} {question:?}:\n{answer}", python.full);
        }
        let out = Command::new(UNDYING).args(["top", "snap", "-n", "3"]).current_dir(dir.path()).output();
        assert!(String::from_utf8_lossy(&out.expect("runs").stdout).contains("str"));
    }
}
