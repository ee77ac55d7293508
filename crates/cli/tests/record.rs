//! `hunt --record` names the line of C that lost a reference: in small modules with one
//! planted bug, built for each interpreter that has its headers.

mod found;

use std::path::{Path, PathBuf};
use std::process::Command;

use found::{Python, UNDYING};
use serde_json::Value;

/// Modules of one C file, the function at fault, what it did, and to what.
const CASES: [(&str, &str, &str, &str); 7] = [
    ("blocks", "decode", "kept", "bytes"),
    ("checksums", "of", "kept", "int"),
    ("settings", "limit", "kept", "repro.Settings"),
    ("units", "scale", "released", "repro.Unit"),
    ("ring", "put", "kept", "repro.Reading"),
    // made by a module of the standard library, which is not to blame
    ("prices", "with_tax", "kept", "decimal.Decimal"),
    // which the driver takes and gives up too
    ("sorter", "copy_sorted", "kept", "NoneType"),
];

/// From this version on `None` is not counted.
const NONE_IS_IMMORTAL: (u32, u32) = (3, 12);

fn zoo() -> PathBuf {
    found::root().join("tests/targets/native-zoo/native")
}

/// Builds the module; `None` where this interpreter has no headers or there is no compiler.
fn built(python: &Python, name: &str) -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut build = Command::new("sh");
    build.arg(zoo().join(name).join("build.sh")).arg(&python.path).arg(dir.path());
    build.output().is_ok_and(|out| out.status.success()).then_some(dir)
}

fn recorded(python: &Python, name: &str, modules: &Path, format: &str) -> String {
    let mut command = Command::new(UNDYING);
    command.args(["hunt", "--record", "-q", "--format", format, "--script"]).arg(zoo().join(name).join("repro.py"));
    command.arg("--python").arg(&python.path).env("PYTHONPATH", modules);
    let out = command.output().expect("runs");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "Python {} {name}: {stderr}", python.full);
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// The line that bears the word BUG.
fn bug(name: &str) -> usize {
    let source = std::fs::read_to_string(zoo().join(name).join(format!("{name}.c"))).expect("is there");
    1 + source.lines().position(|l| l.contains("BUG")).expect("is marked")
}

#[allow(clippy::print_stderr)]
fn say(text: &str) {
    eprintln!("{text}");
}

#[test]
fn the_function_that_lost_the_reference_is_named() {
    for python in found::supported() {
        for (name, function, mistake, class) in CASES {
            if class == "NoneType" && python.version >= NONE_IS_IMMORTAL {
                say(&format!("not tested: {name} for Python {}, which does not count None", python.full));
                continue;
            }
            let Some(modules) = built(&python, name) else {
                say(&format!("not built, so not tested: {name} for Python {}", python.full));
                continue;
            };
            let said: Value = serde_json::from_str(&recorded(&python, name, modules.path(), "json")).expect("JSON");
            let record = &said["record"];
            let note = said["record_error"].as_str().unwrap_or("");
            if note.contains("debug registers") {
                say(&format!("not tested: {note}"));
                return;
            }
            let all = format!("Python {} {name}: {record:#}", python.full);
            assert_eq!((said["verdict"].as_str(), record["complete"].as_bool()), (Some("leak"), Some(true)), "{all}");
            assert_eq!((&record["type"], &record["mistake"]), (&class.into(), &mistake.into()), "{all}");
            let culprit = &record["sites"][0];
            assert_eq!(culprit["function"], function, "{all}");
            assert!(culprit["file"].as_str().is_some_and(|f| f.ends_with(&format!("{name}.c"))), "{all}");
            // the line that took it, or that did not give it back: both are of the function
            let line = culprit["line"].as_u64().unwrap_or(0) as usize;
            assert!(line.abs_diff(bug(name)) <= 12, "{all}");
            assert!(culprit["python"].as_str().is_some_and(|p| p.contains("repro.py")), "{all}");
            let accused = record["history"].as_array().expect("a list").iter().filter(|w| w["accused"] == true);
            assert!(accused.count() > 0, "{all}");
        }
    }
}

/// A rehearsal cannot make these calls: that is said, and all else too.
#[test]
fn calls_that_wait_for_a_thread_are_hunted_and_not_recorded() {
    // it takes some seconds of patience each, and nothing in it is a version's
    let all = found::supported();
    for python in all.first().into_iter().chain(all.last()) {
        let mut command = Command::new(UNDYING);
        command.args(["hunt", "--record", "--format", "json", "-n", "200", "hunted:waits_for_a_worker", "--python"]);
        command.arg(&python.path).current_dir(found::root().join("tests/targets"));
        let out = command.output().expect("runs");
        let all = format!("Python {}: {}", python.full, String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{all}");
        let said: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        assert_eq!((said["verdict"].as_str(), said["leaks"][0]["type"].as_str()), (Some("leak"), Some("hunted.Thing")));
        assert!(said["record"].is_null() && said["suspects"][0]["type"] == "hunted.Thing", "{all}");
        assert!(said["record_error"].as_str().is_some_and(|why| why.contains("threads")), "{all} {said:#}");
    }
}

#[test]
fn people_read_what_was_done_where() {
    let python = found::supported().pop().expect("one was found");
    let Some(modules) = built(&python, "units") else { return say("not tested: the module was not built") };
    let said = recorded(&python, "units", modules.path(), "text");
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if !told.contains("debug registers") {
        for words in [
            "Recorded: one repro.Unit",
            "scale gives back a reference that it does not own",
            "units.c:",
            "never answered",
        ] {
            assert!(told.contains(words), "{words} is not in:\n{said}");
        }
    }
}
