//! `cargo xtask check`: the rules of this code base that the compiler cannot hold:
//! who may import whom, where unsafe code may stand, how long a file may be.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Which sibling crates a crate may import (docs/ARCHITECTURE.md); tests may import more.
const IMPORTS: &[(&str, &[&str])] = &[
    ("memory", &[]),
    ("graph", &[]),
    ("report", &[]),
    ("lives", &[]),
    ("cpython", &["memory", "graph", "lives"]),
    ("recorder", &["memory", "graph", "cpython"]),
    ("native", &["memory", "graph"]),
    ("snapshot", &["graph"]),
    ("export", &["graph"]),
    ("analysis", &["graph", "report"]),
    ("cli", &["memory", "graph", "report", "cpython", "native", "snapshot", "export", "analysis", "recorder"]),
    ("python", &["memory", "graph", "report", "cpython", "native", "snapshot", "export", "analysis", "cli", "lives"]),
];

/// The only files in which unsafe code may stand.
const UNSAFE_FILES: &[&str] = &[
    "crates/memory/src/stop.rs",
    "crates/memory/src/process.rs",
    "crates/recorder/src/kernel.rs",
    "crates/lives/src/rows.rs",
    "crates/python/src/arm/child.rs",
    "crates/python/src/arm/failing.rs",
    "crates/python/src/trace/hooks.rs",
    "crates/python/src/trace/interpreter.rs",
    "crates/python/src/trace/memory.rs",
];

/// The longest a source file may be, in lines, and the one that may be longer.
const LONGEST: usize = 600;
const GENERATED: &str = "crates/cpython/src/layout/tables.rs";

/// Names that say nothing of what a file owns.
const NAMELESS: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

/// Directories of a single machine; in two parts so that this file passes.
const MACHINE: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Prints every breach and fails if there is one.
pub fn run(root: &Path) -> Result<()> {
    let mut breaches = Vec::new();
    for path in tracked(root)? {
        // A file that is deleted but not yet committed so is still listed.
        let Ok(bytes) = std::fs::read(root.join(&path)) else {
            continue;
        };
        if let Ok(text) = String::from_utf8(bytes) {
            breaches.extend(breaches_of(&path, &text));
        }
    }
    for breach in &breaches {
        println!("{breach}");
    }
    match breaches.len() {
        0 => Ok(()),
        n => bail!("{n} breaches of the rules"),
    }
}

fn tracked(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output();
    let output = output.context("cannot run git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_string).collect())
}

/// What is wrong with a file of this path and text, one line a breach.
fn breaches_of(path: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut say = |what: String| breaches.push(format!("{path}: {what}"));
    let stem = |part: &str| part.split('.').next().unwrap_or(part).to_string();
    if let Some(part) = path.split('/').find(|part| NAMELESS.contains(&stem(part).as_str())) {
        say(format!("{part} does not say what it owns"));
    }
    if let Some(line) = text.lines().position(|line| MACHINE.iter().any(|prefix| line.contains(prefix))) {
        say(format!("line {}: a path of one machine", line + 1));
    }
    if path.ends_with(".rs") {
        let lines = text.lines().count();
        if lines > LONGEST && path != GENERATED {
            say(format!("{lines} lines, {LONGEST} are the most"));
        }
        if !UNSAFE_FILES.contains(&path)
            && let Some(line) = unsafe_line(text)
        {
            say(format!("line {line}: unsafe code, which only {} may hold", UNSAFE_FILES.join(" and ")));
        }
    }
    if let Some(name) = path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml")) {
        imports(name, text).into_iter().for_each(say);
    }
    breaches
}

/// The first line with the word `unsafe` outside of comments and quotes, or with leave
/// to use it.  The compiler denies the code; this finds who allows himself.
fn unsafe_line(text: &str) -> Option<usize> {
    let breaks = |line: &str| {
        let unescaped = line.replace("\\\"", "");
        let unquoted: String = unescaped.split('"').step_by(2).collect();
        let code = unquoted.split("//").next().unwrap_or_default();
        let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word == "unsafe") || code.contains("allow(unsafe_code)")
    };
    Some(text.lines().position(breaks)? + 1)
}

/// What is wrong with the imports of the crate in `crates/NAME`.
fn imports(name: &str, manifest: &str) -> Vec<String> {
    let Ok(manifest) = manifest.parse::<toml::Table>() else {
        return vec!["cannot be parsed".to_string()];
    };
    let Some((_, allowed)) = IMPORTS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name} is not in the import rule of xtask/src/check.rs")];
    };
    let sections =
        ["dependencies", "build-dependencies"].iter().filter_map(|section| manifest.get(*section)?.as_table());
    let siblings = sections.flat_map(|table| table.keys()).filter_map(|name| name.strip_prefix("undying-"));
    siblings.filter(|other| !allowed.contains(other)).map(|other| format!("{name} may not import {other}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_against_the_rule_is_found() {
        let manifest = "[dependencies]\nundying-graph.workspace = true\nundying-memory = { path = '../memory' }\n";
        assert_eq!(imports("analysis", manifest), ["analysis may not import memory"]);
        assert!(imports("cpython", manifest).is_empty());
        assert_eq!(imports("novelty", manifest).len(), 1);
        let tests_only = "[dev-dependencies]\nundying-cpython.workspace = true\n";
        assert!(imports("graph", tests_only).is_empty());
    }

    #[test]
    fn unsafe_code_is_found_and_talk_of_it_is_not() {
        assert_eq!(unsafe_line("//! unsafe\nlet a = unsafe { b() };"), Some(2));
        assert_eq!(unsafe_line("#![allow(unsafe_code)]"), Some(1));
        assert_eq!(unsafe_line("say(\"unsafe\");"), None);
        assert_eq!(unsafe_line("#![deny(unsafe_code)] // not unsafe"), None);
        assert!(breaches_of(UNSAFE_FILES[0], "unsafe {}").is_empty());
    }

    #[test]
    fn length_names_and_paths_are_held() {
        let long = "\n".repeat(LONGEST + 1);
        assert_eq!(breaches_of("crates/graph/src/a.rs", &long).len(), 1);
        assert!(breaches_of(GENERATED, &long).is_empty());
        assert_eq!(breaches_of("crates/graph/src/utils.rs", "").len(), 1);
        assert_eq!(breaches_of("crates/graph/src/common/a.rs", "").len(), 1);
        assert_eq!(breaches_of("docs/A.md", &format!("see {}x", MACHINE[0])).len(), 1);
    }
}
