//! The extension modules of examples/, built, run and asked about as docs/NATIVE.md and
//! docs/SWIG.md tell it, on every interpreter found that has its headers: the mistake is
//! named, and built with -DFIXED nothing is.
#![allow(clippy::print_stderr)] // what is left out is told

mod builds;
mod found;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use builds::Tools;
use found::{Python, UNDYING};
use serde_json::Value;

/// A target that is ended with the test.
struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn example(path: &str) -> PathBuf {
    found::root().join("examples").join(path)
}

/// Builds by `build` into a directory of its own, with -DFIXED or without.
fn built(build: impl Fn(&Path, &[&str]) -> Result<(), String>, fixed: bool) -> Result<tempfile::TempDir, String> {
    let dir = tempfile::tempdir().expect("a directory");
    build(dir.path(), if fixed { &["-DFIXED"] } else { &[] })?;
    Ok(dir)
}

/// Runs the program, takes a snapshot at each of three stops, gives what `diff` says.
fn suspects(python: &Python, program: &Path, modules: &Path) -> Vec<Value> {
    let mut command = Command::new(&python.path);
    command.arg(program).env("PYTHONPATH", modules).env("PYTHONDONTWRITEBYTECODE", "1");
    // SWIG complains on standard output
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut target = Target(command.spawn().expect("starts"));
    let mut stdin = target.0.stdin.take().expect("is piped");
    let mut lines = BufReader::new(target.0.stderr.take().expect("is piped")).lines();
    for name in ["first", "second", "third"] {
        let line = lines.next().and_then(Result::ok).unwrap_or_default();
        assert!(line.contains("Enter for more"), "Python {} {}: {line:?}", python.full, program.display());
        let mut dump = Command::new(UNDYING);
        dump.args(["dump", &target.0.id().to_string(), "-q", "-o", name]).current_dir(modules);
        builds::well(&mut dump);
        stdin.write_all(b"\n").expect("is read");
    }
    let mut diff = Command::new(UNDYING);
    let out = diff.args(["diff", "first", "second", "third", "--format", "json"]).current_dir(modules).output();
    let answer: Value = serde_json::from_slice(&out.expect("runs").stdout).expect("JSON");
    answer["suspects"].as_array().expect("a list").clone()
}

/// What is said of a suspect, for who reads why a test failed.
fn line(s: &Value) -> String {
    format!("{} {} {} × {} [{}] {}", s["confidence"], s["kind"], s["type"], s["count"], s["rule"], s["path_text"])
}

/// The module of `build` on each interpreter: `told` judges the suspects of the one with
/// the mistake, and the one without has none of high confidence.
fn each(
    name: &str,
    program: &Path,
    build: impl Fn(&Tools, &Path, &[&str]) -> Result<(), String>,
    told: impl Fn(&[Value]) -> Option<String>,
) {
    let mut any = false;
    for python in found::supported() {
        let tools = Tools::of(&python);
        let make = |fixed| built(|dir, options| build(tools.as_ref().map_err(Clone::clone)?, dir, options), fixed);
        let (bad, fixed) = match make(false).and_then(|bad| Ok((bad, make(true)?))) {
            Ok(both) => both,
            Err(why) => {
                eprintln!("left out: {name} on Python {}: {why}", python.full);
                continue;
            }
        };
        any = true;
        let found = suspects(&python, program, bad.path());
        let all: Vec<String> = found.iter().map(line).collect();
        if let Some(complaint) = told(&found) {
            panic!("Python {} {name}: {complaint}:\n{}", python.full, all.join("\n"));
        }
        let loud = suspects(&python, program, fixed.path()).into_iter().find(|s| s["confidence"] == "high");
        assert!(loud.is_none(), "Python {} {name}, fixed: {}", python.full, loud.as_ref().map_or(String::new(), line));
    }
    assert!(any || std::env::var_os("CI").is_none(), "{name} could not be built for any Python");
}

/// Whether a suspect is all of this.
fn is(s: &Value, kind: &str, rule: &str, module: &str) -> bool {
    let file = s["module_file"].as_str().unwrap_or("");
    s["kind"] == kind && s["rule"] == rule && s["confidence"] == "high" && file.contains(module)
}

#[test]
fn the_reference_that_a_module_written_by_hand_loses_is_named() {
    let build = |tools: &Tools, dir: &Path, options: &[&str]| {
        tools.compile(&example("native/tally.c"), "tally", dir, options);
        Ok(())
    };
    each("tally", &example("native/digest.py"), build, |found| {
        let first = found.first()?;
        let named = is(first, "orphan", "orphan", "tally") && first["type"] == "str";
        (!named || first["count"].as_u64() < Some(6000)).then(|| "the keys are not the first".to_owned())
    });
}

#[test]
fn what_swig_was_not_told_is_named_in_its_own_words() {
    let build =
        |tools: &Tools, dir: &Path, options: &[&str]| tools.wrap(&example("swig/sketch.i"), "sketch", dir, options);
    each("sketch", &example("swig/studio.py"), build, |found| {
        let first: Vec<&Value> = found.iter().take(2).collect();
        let named = |rule| first.iter().find(|s| is(s, "ownership", rule, "_sketch"));
        let (Some(shape), Some(ink)) = (named("swig-newobject"), named("swig-destructor")) else {
            return Some("the two mistakes are not the first two".to_owned());
        };
        let words = |s: &Value, words: &[&str]| {
            let text = format!("{} {} {}", s["why"], s["advice"], s["path_text"]);
            words.iter().find(|w| !text.contains(**w)).map(|w| format!("{w:?} is not said of {}", s["type"]))
        };
        let shapes = (shape["type"] != "sketch.Shape" || shape["count"] != 100).then(|| "the shapes".to_owned());
        shapes
            .or_else(|| words(shape, &["Shape *", "thisown False", "%newobject", "history"]))
            .or_else(|| words(ink, &["Ink *", "thisown True", "no destructor found", "~Ink()", "history"]))
            .or_else(|| found.iter().find(|s| s["path_text"].as_str() == Some("backgrounds")).map(line))
    });
}
