//! Birthplaces read from outside against those that `tracemalloc` tells inside, on every
//! interpreter found: every object, every frame.

// A skipped interpreter is named.
#![allow(clippy::print_stderr)]

#[path = "../../cli/tests/found/mod.rs"]
mod found;

use found::Python;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use undying_cpython::{Options, Target};
use undying_graph::{Births, Builder, Recorder, Silent, Snapshot};

/// A target that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(python: &Path, arguments: &[&str], truth: &Path) -> Running {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/targets/born.py");
    let program = program.canonicalize().expect("the program");
    let mut child = Command::new(python)
        .args(arguments)
        .arg(program)
        .arg(truth)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "READY", "{} did not come up", python.display());
    Running(child)
}

fn capture(pid: u32) -> Snapshot {
    let target = Target::open(pid as i32).expect("a Python");
    let mut sink = Builder::new();
    target.capture(&Options::default(), &Silent, &mut sink).expect("a capture");
    sink.build()
}

/// File, line and function of each frame, innermost first.
fn stack(s: &Snapshot, births: &Births, place: u32) -> Vec<(String, u32, String)> {
    births.stack(place).map(|p| (s.text(p.file).to_owned(), p.line, s.text(p.function).to_owned())).collect()
}

/// How many of the objects told, of those with a stack, of the frames whose function is known.
fn compare(truth: &str, s: &Snapshot, births: &Births, python: &Python) -> [u64; 3] {
    let (mut counts, who) = ([0; 3], python.path.display());
    for line in truth.lines() {
        let mut words = line.split('\t');
        let address = words.next().and_then(|w| w.strip_prefix("0x")).expect("an address");
        let address = u64::from_str_radix(address, 16).expect("an address");
        let Some(n) = s.graph.find(address) else { continue };
        counts[0] += 1;
        let rest: Vec<&str> = words.collect();
        let mut theirs: Vec<(&str, u32, &str)> =
            rest.chunks_exact(3).map(|f| (f[0], f[1].parse().expect("a line"), f[2])).collect();
        // made while no Python ran
        theirs.retain(|f| f.1 > 0);
        // it looks for instances with attributes 16 bytes too near
        if theirs.is_empty() && python.version == (3, 11) {
            continue;
        }
        let ours = births.place_of(n).map(|p| stack(s, births, p)).unwrap_or_default();
        let about = || format!("{who}: {} at {address:#x}: {ours:?} for {theirs:?}", s.type_name(n));
        assert_eq!(ours.len(), theirs.len(), "{}", about());
        counts[1] += u64::from(!theirs.is_empty());
        for (our, their) in ours.iter().zip(&theirs) {
            assert_eq!((our.0.as_str(), our.1), (their.0, their.1), "{}", about());
            if their.2 != "?" {
                // the module's own code lives while it runs
                let own = if their.2.is_empty() { "<module>" } else { their.2 };
                assert_eq!(our.2, own, "{}", about());
                counts[2] += u64::from(!their.2.is_empty());
            }
        }
    }
    counts
}

#[test]
fn every_birthplace_is_the_one_that_tracemalloc_tells() {
    let dir = tempfile::tempdir().expect("a directory");
    for python in found::supported() {
        let truth = dir.path().join("truth");
        let target = start(&python.path, &["-X", "tracemalloc=25"], &truth);
        let s = capture(target.0.id());
        let births = s.births.as_ref().unwrap_or_else(|| panic!("{}: no births", python.path.display()));
        assert_eq!(births.recorder, Recorder::Tracemalloc);
        let who = python.path.display();
        let text = std::fs::read_to_string(&truth).expect("the truth");
        let [objects, with, named] = compare(&text, &s, births, &python);
        let told = text.lines().count() as u64;
        eprintln!("{who}: {told} objects told, {objects} there, {with} with a stack, {named} frames named");
        assert!(objects * 1000 >= told * 999, "{objects} of {told}");
        assert!(with > 1000 && named > 4000, "{with} {named}");
        assert_eq!(s.facts.defects.get("impossible-stack"), None);
    }
}

#[test]
fn without_a_recorder_there_are_no_births() {
    let dir = tempfile::tempdir().expect("a directory");
    for python in found::supported() {
        let target = start(&python.path, &[], &dir.path().join("truth"));
        assert_eq!(capture(target.0.id()).births, None, "{}", python.path.display());
    }
}
