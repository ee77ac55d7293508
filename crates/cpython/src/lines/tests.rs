//! Line tables against the interpreters that wrote them, and against noise.

#[path = "../../../cli/tests/found/mod.rs"]
mod found;

use std::process::Command;

use proptest::prelude::*;

use super::*;

/// Tells, for every code object of a part of the standard library: form, first line,
/// bytes of code, table, and what the interpreter itself reads from it.
const TELL: &str = r#"
import dis, os, sys, types
form = "Steps" if sys.version_info < (3, 10) else "Ranges" if sys.version_info < (3, 11) else "Locations"
def tell(code):
    table = code.co_lnotab if form == "Steps" else code.co_linetable
    if form == "Steps":
        rows = ["%d:%d" % row for row in dis.findlinestarts(code)]
    else:
        rows = ["%d-%d:%s" % (a, b, "" if n is None else n) for a, b, n in code.co_lines()]
    print(form, code.co_firstlineno, len(code.co_code), table.hex() or "-", " ".join(rows), sep="|")
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            tell(const)
root = os.path.dirname(os.__file__)
for name in ["argparse", "ast", "asyncio/base_events", "asyncio/tasks", "collections/__init__", "contextlib",
             "dataclasses", "datetime", "decimal", "difflib", "dis", "enum", "functools", "heapq", "inspect",
             "pickle", "statistics", "tarfile", "threading", "typing", "unittest/mock", "zipfile"]:
    path = os.path.join(root, name + ".py")
    if os.path.exists(path):
        with open(path, "rb") as f:
            tell(compile(f.read(), path, "exec"))
wide = "x = [\n" + "\n" * 400 + "1]\n" + "\n" * 70000 + "def f():\n  return (y +\n" + "\n" * 3000 + "z)\nwhile x:\n  x = " + "+".join("a%d" % i for i in range(300)) + "\n"
tell(compile(wide, "wide", "exec"))
"#;

fn form(name: &str) -> Form {
    match name {
        "Steps" => Form::Steps,
        "Ranges" => Form::Ranges,
        _ => Form::Locations,
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).unwrap()).collect()
}

/// As the interpreter tells it: `co_lines` merges neighbours of one line, and
/// `findlinestarts` (up to 3.9) names the starts of lines.
fn told(form: Form, all: Lines) -> Vec<String> {
    let mut merged: Vec<Range> = Vec::new();
    for r in all {
        match merged.last_mut() {
            Some(last) if last.line == r.line => last.end = r.end,
            _ => merged.push(r),
        }
    }
    let line = |r: &Range| r.line.map_or_else(String::new, |n| n.to_string());
    match form {
        Form::Steps => merged.iter().map(|r| format!("{}:{}", r.start, line(r))).collect(),
        _ => merged.iter().map(|r| format!("{}-{}:{}", r.start, r.end, line(r))).collect(),
    }
}

#[test]
fn every_code_object_reads_as_its_own_interpreter_reads_it() {
    for python in found::supported().into_iter().map(|p| p.path) {
        let out = Command::new(&python).args(["-c", TELL]).output().unwrap();
        assert!(out.status.success(), "{}: {}", python.display(), String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        let mut count = 0;
        for row in text.lines() {
            let parts: Vec<&str> = row.split('|').collect();
            let (form, table) = (form(parts[0]), bytes(parts[3].trim_matches('-')));
            let (first, length) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
            let ours = told(form, lines(form, &table, first, length));
            // the interpreter's own merging differs; ranges of no line are told apart
            let theirs: Vec<String> = merge(form, parts[4]);
            assert_eq!(ours, theirs, "{} {row}", python.display());
            count += 1;
        }
        assert!(count > 1000, "{}: {count} code objects", python.display());
    }
}

/// The interpreter's rows, neighbours of one line merged.
fn merge(form: Form, rows: &str) -> Vec<String> {
    if form == Form::Steps {
        return rows.split_whitespace().map(String::from).collect();
    }
    let mut merged: Vec<(String, String, String)> = Vec::new();
    for row in rows.split_whitespace() {
        let (span, line) = row.split_once(':').unwrap();
        let (start, end) = span.split_once('-').unwrap();
        match merged.last_mut() {
            Some(last) if last.2 == line => last.1 = end.into(),
            _ => merged.push((start.into(), end.into(), line.into())),
        }
    }
    merged.into_iter().map(|(s, e, l)| format!("{s}-{e}:{l}")).collect()
}

proptest! {
    #[test]
    fn noise_ends_and_ranges_follow_each_other(
        table in prop::collection::vec(any::<u8>(), 0..600),
        first in any::<u32>(),
        length in any::<u32>(),
    ) {
        for form in [Form::Steps, Form::Ranges, Form::Locations] {
            let mut at = 0;
            for r in lines(form, &table, first, length) {
                prop_assert_eq!(r.start, at);
                prop_assert!(r.end > r.start || r.end == u32::MAX);
                at = r.end;
            }
            let _ = lines(form, &table, first, length).at(length / 2);
        }
    }

    #[test]
    fn the_line_at_a_byte_is_that_of_its_range(table in prop::collection::vec(any::<u8>(), 0..80), first in 0..100u32) {
        for form in [Form::Steps, Form::Ranges, Form::Locations] {
            let all: Vec<Range> = lines(form, &table, first, 300).collect();
            for offset in 0..300 {
                let slow = all.iter().find(|r| r.start <= offset && offset < r.end).and_then(|r| r.line);
                prop_assert_eq!(lines(form, &table, first, 300).at(offset), slow);
            }
        }
    }
}
