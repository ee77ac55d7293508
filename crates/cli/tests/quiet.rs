//! Programs in which nothing is wrong: no suspect in any of them, on any interpreter
//! found.
#![allow(clippy::print_stderr)] // skips are told

mod found;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use found::{Python, UNDYING};
use serde_json::Value;

/// A program that has said READY and waits for the end of its stdin.
struct Target(Child);

impl Target {
    fn start(python: &Path, arguments: &[&str]) -> Target {
        let mut command = Command::new(python);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("READY")), "{command:?} ended before it was ready");
        Target(child)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn target_file(name: &str) -> String {
    let path = found::root().join("tests/targets").join(name);
    path.to_str().expect("a path of letters").to_owned()
}

/// All is understood and nothing is suspected.
fn assert_quiet(report: &[u8], objects: u64, what: &str) {
    let report: Value = serde_json::from_slice(report).expect("JSON");
    let snapshot = &report["snapshots"][0];
    assert_eq!(snapshot["defects"], serde_json::json!({}), "{what}");
    assert!(snapshot["objects"].as_u64() > Some(objects), "{what}: too few objects to be the whole heap");
    let suspects = report["suspects"].as_array().expect("a list");
    assert!(suspects.is_empty(), "{what}: {suspects:#?}");
}

fn quiet_while_it_runs(python: &Python, executable: &Path, arguments: &[&str], objects: u64) {
    let target = Target::start(executable, arguments);
    let pid = target.0.id().to_string();
    let out = Command::new(UNDYING).args(["report", &pid, "--format", "json"]).output().expect("runs");
    let what = format!("Python {} {arguments:?}", python.full);
    assert!(out.status.success(), "{what}: {}", String::from_utf8_lossy(&out.stderr));
    assert_quiet(&out.stdout, objects, &what);
}

#[test]
fn an_interpreter_that_waits() {
    for python in found::supported() {
        let code = "import sys; print('READY', flush=True); sys.stdin.read()";
        quiet_while_it_runs(&python, &python.path, &["-c", code], 10_000);
    }
}

#[test]
fn a_program_of_nothing() {
    for python in found::supported() {
        let dir = tempfile::tempdir().expect("a directory");
        let report = dir.path().join("report.json");
        let mut command = Command::new(UNDYING);
        command.args(["run", "-q", "--format", "json", "-o"]).arg(&report).arg("--python").arg(&python.path);
        let out = command.args(["-c", "pass"]).output().expect("runs");
        assert!(out.status.success() && out.stderr.is_empty(), "Python {}: {out:?}", python.full);
        let report = std::fs::read(&report).expect("a report");
        assert_quiet(&report, 10_000, &format!("Python {} -c pass", python.full));
    }
}

#[test]
fn the_whole_standard_library() {
    for python in found::supported() {
        quiet_while_it_runs(&python, &python.path, &[&target_file("standard_library.py")], 100_000);
    }
}

#[test]
fn a_flask_server_at_rest() {
    for python in found::supported() {
        match with_flask(&python) {
            Ok(executable) => quiet_while_it_runs(&python, &executable, &[&target_file("flask_at_rest.py")], 50_000),
            // who tests every change must test this
            Err(why) if std::env::var_os("CI").is_some() => panic!("Python {}: {why}", python.full),
            Err(why) => eprintln!("skipped: Flask on Python {}: {why}", python.full),
        }
    }
}

/// An interpreter of this version that has Flask: from the environments set up for all
/// tests, else from one of our own, made once.
fn with_flask(python: &Python) -> Result<PathBuf, String> {
    let version = format!("{}.{}", python.version.0, python.version.1);
    let given = std::env::var_os("UNDYING_TEST_ENVS").map(|dir| Path::new(&dir).join(&version).join("bin/python"));
    if let Some(given) = given.filter(|p| has_flask(p)) {
        return Ok(given);
    }
    // a distribution's build and one's own of the same version are two
    let base = python.path.to_string_lossy().replace(|c: char| !c.is_alphanumeric(), "-");
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("flask-{}{base}", python.full));
    let executable = environment.join("bin/python");
    if !has_flask(&executable) {
        succeed(Command::new(&python.path).args(["-m", "venv", "--clear"]).arg(&environment))?;
        let mut pip = Command::new(&executable);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "-r"]);
        succeed(pip.arg(found::root().join("tests/requirements/every.txt")))?;
    }
    Ok(executable)
}

fn has_flask(python: &Path) -> bool {
    let asked = Command::new(python).args(["-c", "import flask"]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let out = command.output().map_err(|e| e.to_string())?;
    let words = String::from_utf8_lossy(&out.stderr);
    if out.status.success() { Ok(()) } else { Err(format!("{command:?}: {}", words.trim())) }
}
