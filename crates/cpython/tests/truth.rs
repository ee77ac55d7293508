//! What is read from outside against what the interpreter says inside, on every
//! interpreter found: objects, types, sizes, references, and the names a person
//! would give them.  docs/ACCURACY.md has the same with real programs.

// A skipped interpreter is named.
#![allow(clippy::print_stderr)]

#[path = "../../cli/tests/found/mod.rs"]
mod found;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use undying_cpython::{Options, Target};
use undying_graph::{Builder, Detail, Edge, EdgeKind, NodeId, Silent, Snapshot};

/// A target that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(python: &Path, truth: &Path) -> Running {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/targets/truth.py");
    let mut child = Command::new(python)
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

/// What the program said.
#[derive(Default)]
struct Truth {
    objects: HashMap<u64, (String, i64, String)>,
    holds: HashMap<(u64, u64), u64>,
    expected: Vec<(u64, u64, String, String)>,
    mine: HashSet<u64>,
}

fn read(path: &Path) -> Truth {
    let mut truth = Truth::default();
    for line in std::fs::read_to_string(path).expect("the truth").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let id = |i: usize| words[i].parse::<u64>().expect("an id");
        match words[0] {
            "object" => {
                truth.objects.insert(id(1), (words[2].into(), words[3].parse().expect("a size"), words[4].into()));
            }
            "holds" => drop(truth.holds.insert((id(1), id(2)), id(3))),
            "expect" => truth.expected.push((id(1), id(2), words[3].into(), words[4].into())),
            "mine" => truth.mine.extend((1..words.len()).map(id)),
            other => panic!("a line of kind {other}"),
        }
    }
    truth
}

fn capture(pid: u32) -> Snapshot {
    let target = Target::open(pid as i32).expect("a Python");
    let mut sink = Builder::new();
    target.capture(&Options::default(), &Silent, &mut sink).expect("a capture");
    sink.build()
}

/// Shares of one interpreter, and examples of what is off.
struct Shares {
    shares: [(&'static str, f64, f64); 5],
    off: BTreeMap<String, u64>,
}

fn compare(truth: &Truth, s: &Snapshot) -> Shares {
    let at: HashMap<u64, NodeId> = s.graph.nodes().map(|n| (s.graph.address(n), n)).collect();
    // a frame's references went on after it told them
    let moved = |id: &u64| truth.mine.contains(id) || truth.objects.get(id).is_some_and(|o| o.0 == "frame");
    let mut off = BTreeMap::new();
    let (mut known, mut hit, mut typed, mut sized) = (0.0, 0.0, 0.0, 0.0);
    for (id, (name, bytes, _)) in truth.objects.iter().filter(|o| !moved(o.0)) {
        known += 1.0;
        let Some(&n) = at.get(id) else {
            count(&mut off, format!("no object {name}"));
            continue;
        };
        hit += 1.0;
        let ours = s.type_name(n).rsplit('.').next().unwrap_or("").to_owned();
        typed += f64::from(u8::from(ours == *name));
        let size = s.graph.shallow_bytes(n) as i64;
        let right = *bytes < 0 || size == *bytes;
        sized += f64::from(u8::from(right));
        if ours != *name || !right {
            count(&mut off, format!("{name} is taken for {ours}, {:+} bytes", size - bytes));
        }
    }
    let (recall, precision) = references(truth, s, &at, &moved, &mut off);
    Shares {
        shares: [
            ("objects", hit / known, 0.999),
            ("types", typed / hit, 0.999),
            ("sizes", sized / hit, 0.995),
            ("recall", recall, 0.9999),
            ("precision", precision, 0.995),
        ],
        off,
    }
}

fn count(off: &mut BTreeMap<String, u64>, what: String) {
    *off.entry(what).or_default() += 1;
}

fn references(
    truth: &Truth,
    s: &Snapshot,
    at: &HashMap<u64, NodeId>,
    moved: &impl Fn(&u64) -> bool,
    off: &mut BTreeMap<String, u64>,
) -> (f64, f64) {
    let mut ours: HashMap<(u64, u64), u64> = HashMap::new();
    let mut own_type: HashSet<(u64, u64)> = HashSet::new();
    for (&id, &n) in at.iter().filter(|a| truth.objects.contains_key(a.0) && !moved(a.0)) {
        for e in s.graph.edges(n).filter(Edge::is_strong) {
            let key = (id, s.graph.address(e.target));
            match e.kind {
                EdgeKind::Type => drop(own_type.insert(key)),
                _ => *ours.entry(key).or_default() += 1,
            }
        }
    }
    let wanted = || truth.holds.iter().filter(|h| !moved(&h.0.0) && !truth.mine.contains(&h.0.1));
    let total: u64 = wanted().map(|h| h.1).sum();
    let mut met = 0;
    for (key, n) in wanted() {
        let found = ours.get(key).copied().unwrap_or(0) + u64::from(own_type.contains(key));
        met += found.min(*n);
        if found < *n {
            let name = |id| truth.objects.get(&id).map_or("?", |o| o.0.as_str());
            count(off, format!("missed: {} holds {}", name(key.0), name(key.1)));
        }
    }
    // asked only where a traversal can answer: from and to collectable types, classes aside
    let kind = |id| truth.objects.get(&id).map(|o| o.2.as_str());
    let (mut claimed, mut right) = (0, 0);
    for (key, n) in ours.iter().filter(|o| kind(o.0.0) == Some("traversed") && !truth.mine.contains(&o.0.1)) {
        if matches!(kind(key.1), Some("traversed" | "class")) {
            claimed += n;
            right += (*n).min(truth.holds.get(key).copied().unwrap_or(0));
        }
    }
    (met as f64 / total as f64, right as f64 / claimed as f64)
}

/// Expected names that are not there.
fn unnamed(truth: &Truth, s: &Snapshot) -> Vec<String> {
    let at: HashMap<u64, NodeId> = s.graph.nodes().map(|n| (s.graph.address(n), n)).collect();
    let says = |e: &Edge, kind: &str, label: &str| {
        let text = match e.detail {
            Detail::Label(l) => s.text(l),
            _ => "-",
        };
        kind.split('|').any(|k| k == e.kind.name()) && (label == "-" || text == label)
    };
    let mut missing = Vec::new();
    for (holder, held, kind, label) in &truth.expected {
        let (Some(&from), Some(&to)) = (at.get(holder), at.get(held)) else {
            missing.push(format!("{kind} {label}: holder or held is not there"));
            continue;
        };
        // up to 3.10, and once a program asked for it, attributes live in a dictionary
        let dictionary = s.graph.edges(from).find(|e| matches!(e.detail, Detail::Label(l) if s.text(l) == "__dict__"));
        let through = dictionary.into_iter().flat_map(|d| s.graph.edges(d.target));
        if !s.graph.edges(from).chain(through).any(|e| e.target == to && says(&e, kind, label)) {
            let there: Vec<String> = s.graph.edges(from).filter(|e| e.target == to).map(|e| format!("{e:?}")).collect();
            missing.push(format!("{} —{kind} {label}→ {}: {there:?}", s.type_name(from), s.type_name(to)));
        }
    }
    missing
}

#[test]
fn the_interpreter_and_the_reader_agree() {
    let mut wrong = Vec::new();
    for python in found::supported() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("truth");
        let target = start(&python.path, &path);
        let s = capture(target.0.id());
        let truth = read(&path);
        assert_eq!(s.facts.python, python.full);
        if !s.facts.defects.is_empty() {
            wrong.push(format!("{}: defects {:?}", python.full, s.facts.defects));
        }
        assert!(truth.objects.len() > 20_000 && truth.expected.len() > 40, "{}: a thin truth", python.full);
        let compared = compare(&truth, &s);
        for (what, share, least) in compared.shares {
            eprintln!("{} {what} {share:.6}", python.full);
            if share < least {
                wrong.push(format!("{}: {what} {share:.6} is below {least}: {:#?}", python.full, compared.off));
            }
        }
        wrong.extend(unnamed(&truth, &s).into_iter().map(|u| format!("{}: {u}", python.full)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
