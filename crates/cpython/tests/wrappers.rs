//! Objects that stand for native ones, read from outside against what they say of
//! themselves inside: SWIG (with proxies and `-builtin`), pybind11, Cython, cffi, ctypes,
//! as far as they are here, on every interpreter found.

// What is left out is told.
#![allow(clippy::print_stderr)]

#[path = "../../cli/tests/builds/mod.rs"]
mod builds;
#[path = "../../cli/tests/found/mod.rs"]
mod found;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use builds::Tools;
use found::Python;
use undying_cpython::{Options, Target};
use undying_graph::{Builder, Silent, Snapshot, WrapperRow, WrapperSystem};

/// A target that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds the modules that can be built into `dir`, those that take long if `all`; the words
/// that wrappers.py is told.
fn build(python: &Python, all: bool, dir: &Path, left_out: &mut BTreeSet<String>) -> Vec<&'static str> {
    let mut words = vec!["ctypes"];
    let tools = match Tools::of(python) {
        Ok(tools) => tools,
        Err(why) => {
            left_out.insert(why);
            return words;
        }
    };
    let interface = sources().join("shapes.i");
    match tools.wrap(&interface, "shapes", dir, &[]) {
        Ok(()) => words.push("shapes"),
        Err(why) => drop(left_out.insert(why)),
    }
    if words.contains(&"shapes") && tools.wrap(&interface, "shapes_builtin", dir, &["-builtin"]).is_ok() {
        words.push("shapes_builtin");
    }
    let beside = sources();
    let beside = beside.to_str().expect("a path of letters");
    match tools.ask("import pybind11; print(pybind11.get_include())") {
        _ if !all => {}
        Some(include) => {
            let options = ["-std=c++17", "-O0", "-fvisibility=hidden", "-I", beside, "-I", &include];
            tools.compile(&sources().join("bound.cpp"), "bound", dir, &options);
            words.push("pybind11");
        }
        None => drop(left_out.insert(format!("Python {} has no pybind11", python.full))),
    }
    match tools.ask("import Cython") {
        _ if !all => {}
        Some(_) => {
            let c = dir.join("solid.c");
            let mut cython = Command::new(&tools.python);
            builds::well(cython.args(["-m", "cython", "-3"]).arg(sources().join("solid.pyx")).arg("-o").arg(&c));
            tools.compile(&c, "solid", dir, &["-O0"]);
            words.push("cython");
        }
        None => drop(left_out.insert(format!("Python {} has no Cython", python.full))),
    }
    match tools.ask("import cffi") {
        Some(_) => words.push("cffi"),
        None => drop(left_out.insert(format!("Python {} has no cffi", python.full))),
    }
    words
}

fn sources() -> PathBuf {
    found::root().join("tests/targets/wrappers")
}

fn start(python: &Python, dir: &Path, words: &[&str]) -> Running {
    let interpreter = Tools::of(python).map_or(python.path.clone(), |t| t.python);
    let mut command = Command::new(interpreter);
    command.arg(sources().join("wrappers.py")).arg(dir.join("truth")).args(words);
    command.env("PYTHONPATH", dir).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the interpreter starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "READY", "{}", python.full);
    Running(child)
}

fn capture(pid: u32) -> Snapshot {
    let mut sink = Builder::new();
    let target = Target::open(pid as i32).expect("a Python");
    target.capture(&Options::default(), &Silent, &mut sink).expect("a capture");
    sink.build()
}

/// What one line of the truth says, beside the object's address.
fn compare(snapshot: &Snapshot, row: &WrapperRow, told: &[&str], who: &str) {
    let said = (row.system.name(), snapshot.text(row.native_type), row.native_address.to_string());
    assert_eq!((said.0, said.1, said.2.as_str()), (told[0], told[1], told[2]), "{who}");
    let word = |b: Option<bool>| b.map_or("-", |b| if b { "yes" } else { "no" });
    assert_eq!(word(row.owned), told[3], "{who}: {told:?}");
    if told[4] != "yes" {
        assert!(!row.is_lost(), "{who}: {told:?} is nobody's: {row:?}");
    }
    match row.system {
        WrapperSystem::Swig if told[1] == "Ink *" => assert_eq!(row.destructor, Some(false), "{who}"),
        WrapperSystem::Swig => assert_ne!(row.destructor, Some(false), "{who}"),
        WrapperSystem::Pybind11 => assert_eq!(row.holder, row.owned, "{who}: {told:?}"),
        _ => {}
    }
    if matches!(row.system, WrapperSystem::Swig | WrapperSystem::Pybind11) {
        let file = snapshot.text(row.module_file);
        assert!(file.contains("shapes") || file.contains("bound"), "{who}: {told:?} by {file:?}");
    }
}

#[test]
fn what_objects_stand_for_is_read_as_they_say_it() {
    let mut left_out = BTreeSet::new();
    let mut built = false;
    let pythons = found::supported();
    for (i, python) in pythons.iter().enumerate() {
        let all = i == 0 || i + 1 == pythons.len();
        let dir = tempfile::tempdir().expect("a directory");
        let words = build(python, all, dir.path(), &mut left_out);
        built |= words.contains(&"shapes");
        let running = start(python, dir.path(), &words);
        let snapshot = capture(running.0.id());
        let truth = fs::read_to_string(dir.path().join("truth")).expect("is written");
        let (mut lost, mut found) = (BTreeMap::<String, (u32, u32)>::new(), BTreeSet::new());
        for line in truth.lines() {
            let told: Vec<&str> = line.split('\t').collect();
            let address = told[0].parse().expect("a number");
            let who = format!("Python {} {line:?}", python.full);
            let row = snapshot.graph.find(address).and_then(|n| snapshot.wrapper(n));
            let row = row.unwrap_or_else(|| panic!("{who} is not known"));
            compare(&snapshot, row, &told[1..], &who);
            found.insert(row.system);
            if told[5] == "yes" {
                let counts = lost.entry(format!("{} {}", told[1], snapshot.text(row.module_file))).or_default();
                *counts = (counts.0 + 1, counts.1 + u32::from(row.is_lost()));
            }
        }
        assert!(found.contains(&WrapperSystem::Ctypes), "Python {}", python.full);
        // words that nobody uses any more may hide a few
        for (tool, (all, seen)) in &lost {
            assert!(seen * 5 >= all * 4 && *all == 20, "Python {} {tool}: {seen} of {all} are lost", python.full);
        }
        assert_eq!(lost.len(), words.iter().filter(|w| w.starts_with("shapes") || **w == "pybind11").count());
    }
    left_out.iter().for_each(|why| eprintln!("left out: {why}"));
    assert!(built || std::env::var_os("CI").is_none(), "no SWIG module could be built");
}
