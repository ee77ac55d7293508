//! The offline verdict on what only the collector can free, against the collector's
//! own: the same objects, on every interpreter found.

mod found;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use undying_cpython::{Options, Target};
use undying_graph::{Builder, Flags, Silent};

#[test]
fn the_dead_are_those_that_the_collector_finds() {
    for (seed, python) in found::supported().into_iter().enumerate() {
        let mut child = Command::new(&python.path)
            .arg(found::root().join("tests/targets/garbage.py"))
            .arg(seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "READY");
        let target = Target::open(child.id() as i32).expect("a Python");
        let mut sink = Builder::new();
        target.capture(&Options::default(), &Silent, &mut sink).expect("a capture");
        let snapshot = sink.build();
        child.stdin.take().expect("piped").write_all(b"\n").expect("it listens");
        let mut answer = || {
            line.clear();
            out.read_line(&mut line).expect("the verdict");
            line.split_whitespace().map(str::to_owned).collect::<BTreeSet<String>>()
        };
        let theirs: BTreeSet<u64> = answer().iter().map(|w| w.parse().expect("an id")).collect();
        let left = answer();
        assert!(child.wait().expect("it ends").success());
        let counts = undying_analysis::refcounts(&snapshot, &Silent).expect("not cancelled");
        let garbage = undying_analysis::garbage(&snapshot, &counts, &Silent).expect("not cancelled");
        let ours: BTreeSet<u64> = garbage
            .dead
            .iter()
            .filter(|&n| snapshot.graph.flags(n).has(Flags::GC_TRACKED))
            .map(|n| snapshot.graph.address(n))
            .collect();
        let name = |a: &u64| snapshot.graph.find(*a).map_or("?".to_owned(), |n| snapshot.type_name(n).to_owned());
        let missed: Vec<String> = theirs.difference(&ours).map(name).collect();
        // the collector lets go of plain tuples without counting them, and a finalizer may
        // free some by count: what matters is that nothing we call dead is left
        let accused: Vec<String> = ours
            .iter()
            .map(|a| format!("{a}:{}", name(a).rsplit('.').next().unwrap_or("")))
            .filter(|o| left.contains(o))
            .collect();
        assert!(theirs.len() > 1000, "{}: {} garbage objects are too few to tell", python.full, theirs.len());
        assert!(accused.is_empty(), "{}: alive, and taken for dead: {accused:?}", python.full);
        assert!(missed.is_empty(), "{}: dead, and not seen: {missed:?}", python.full);
    }
}
