//! Programs of tests/targets/rule.py, captured at each of its three words, and two of
//! them at a time.  Knows nothing of what is to be said about them.
#![allow(dead_code)] // each test file uses its part

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::found::{self, Python, UNDYING};

/// The words, which are the snapshots' names too.
pub const WORDS: [&str; 3] = ["READY", "MORE", "DONE"];

/// The snapshots of one process, in a directory of their own.
pub struct Stages(TempDir);

/// Killed when the test is done with it, or fails.
struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stages {
    /// Runs the program that rule.py is told of, and captures it at the first `words`.
    pub fn of(python: &Python, program: &[&str], words: usize) -> Stages {
        Stages::beside(None, python, program, words)
    }

    /// As [`Stages::of`], for a program that finds modules in a directory.
    pub fn beside(modules: Option<&Path>, python: &Python, program: &[&str], words: usize) -> Stages {
        let stages = Stages(tempfile::tempdir().expect("a directory"));
        let mut command = Command::new(&python.path);
        if let Some(modules) = modules {
            command.env("PYTHONPATH", modules);
        }
        command.arg(found::root().join("tests/targets/rule.py")).args(program);
        // what a program warns of is its own matter
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut target = Target(command.spawn().expect("starts"));
        let mut stdin = target.0.stdin.take().expect("is piped");
        let mut lines = BufReader::new(target.0.stdout.take().expect("is piped")).lines();
        for word in &WORDS[..words] {
            let line = lines.next().and_then(Result::ok);
            assert_eq!(line.as_deref(), Some(*word), "Python {} {program:?}", python.full);
            stages.well(&["dump", &target.0.id().to_string(), "-o", word, "-q"]);
            let _ = stdin.write_all(b"\n");
        }
        stages
    }

    /// Where the snapshots are.
    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Runs undying there.
    pub fn undying(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(UNDYING);
        command.args(arguments).current_dir(self.dir());
        for variable in ["COLUMNS", "LANG", "LC_ALL", "LC_CTYPE"] {
            command.env_remove(variable);
        }
        command.output().expect("runs")
    }

    /// What it says where it has to succeed, in a pipe, without a word on standard error.
    pub fn well(&self, arguments: &[&str]) -> String {
        let out = self.undying(arguments);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && stderr.is_empty(), "{arguments:?} {}: {stderr}", out.status);
        String::from_utf8(out.stdout).expect("UTF-8")
    }

    /// What it says to programs.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.well(&[arguments, &["--format", "json"]].concat())).expect("JSON")
    }

    /// The suspects between these snapshots.
    pub fn suspects(&self, words: &[&str]) -> Vec<Value> {
        let answer = self.json(&[&["diff"], words].concat());
        answer["suspects"].as_array().expect("a list").clone()
    }
}

/// The oldest and the newest interpreter that can be read; one where there is one.
pub fn oldest_and_newest() -> Vec<Python> {
    let mut all = found::supported();
    if all.len() > 2 {
        all.drain(1..all.len() - 1);
    }
    all
}

/// `work` on each job, two at a time; what it gives, in the jobs' order.
pub fn two_at_a_time<T: Sync, R: Send>(jobs: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((i, job)) = jobs.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(job);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((i, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// One line of a suspect, for who reads why a test failed.
pub fn line(suspect: &Value) -> String {
    let field = |name: &str| suspect[name].as_str().unwrap_or("-").to_owned();
    let [confidence, kind, class, way, rule] = ["confidence", "kind", "type", "path_text", "rule"].map(field);
    format!("{confidence} {kind} {class} × {} {way} [{rule}]", suspect["count"])
}
