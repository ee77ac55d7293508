//! Healthy servers under a short load, on the oldest and the newest interpreter: none is
//! accused.  bench/steady.py does the work and has the long form; this says with which
//! environments, so that nothing is installed and nobody asks a network.
#![allow(clippy::print_stderr)] // what is left out is told

mod found;
mod stages;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use found::{Python, UNDYING};

/// What any Python can run, and what needs an environment with Flask.
const PLAIN: [&str; 3] = ["worker", "example healthy", "example born_and_dead"];
const FLASK: &str = "flask";

/// The environment made for all tests, if it has Flask.
fn with_flask(python: &Python) -> Option<PathBuf> {
    let version = format!("{}.{}", python.version.0, python.version.1);
    let environment = Path::new(&std::env::var_os("UNDYING_TEST_ENVS")?).join(version);
    let asked =
        Command::new(environment.join("bin/python")).args(["-c", "import flask"]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success()).then_some(environment)
}

/// Where steady.py finds an interpreter by its version: the environment, or the bare one.
fn environments(python: &Python, flask: Option<&Path>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join(&python.full);
    match flask {
        Some(environment) => symlink(environment, place).expect("is new"),
        None => {
            std::fs::create_dir_all(place.join("bin")).expect("is new");
            symlink(&python.path, place.join("bin/python")).expect("is new");
        }
    }
    dir
}

/// What is wrong, one line a case.
fn judged(python: &Python) -> Vec<String> {
    let flask = with_flask(python);
    if flask.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no environment with Flask for Python {}", python.full);
        eprintln!("skipped: a Flask server on Python {}, cargo xtask test makes an environment for it", python.full);
    }
    let envs = environments(python, flask.as_deref());
    let cases: Vec<&str> = PLAIN.iter().copied().chain(flask.is_some().then_some(FLASK)).collect();
    let mut command = Command::new(&python.path);
    command.arg(found::root().join("bench/steady.py")).args(["--undying", UNDYING, "--jobs", "1"]);
    command.arg("--python").arg(&python.path).arg("--envs").arg(envs.path());
    command.args(["--seconds", "3", "--requests", "150", "--warm-up", "150"]);
    for case in &cases {
        command.args(["--case", case]);
    }
    let out = command.output().expect("runs");
    let text = String::from_utf8_lossy(&out.stdout);
    let (quiet, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.ends_with("quiet"));
    let mut complaints: Vec<String> = rest.into_iter().map(str::to_owned).collect();
    if quiet.len() != cases.len() || !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        complaints.push(format!("Python {}: {} of {} are quiet {said}", python.full, quiet.len(), cases.len()));
    }
    complaints
}

#[test]
fn servers_at_work_are_left_in_peace() {
    let complaints = stages::two_at_a_time(&stages::oldest_and_newest(), judged).concat();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
