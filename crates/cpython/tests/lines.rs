//! The line that a running frame is at, read from outside, against the one that the
//! interpreter tells inside, on every interpreter found.

// A skipped interpreter is named.
#![allow(clippy::print_stderr)]

#[path = "../../cli/tests/found/mod.rs"]
mod found;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use undying_cpython::{Options, Target};
use undying_graph::{Builder, RootKind, Silent, Snapshot};

/// A target that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `line:function` of every frame of the program, as it is told inside.
fn start(python: &Path) -> (Running, BTreeSet<String>) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/targets/lines.py");
    let mut child = Command::new(python)
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut told = BTreeSet::new();
    for _ in 0..2 {
        let line = lines.next().expect("a line").expect("text");
        told.extend(line.split(' ').map(String::from));
    }
    // what the threading module is at meanwhile is not ours
    told.retain(|t| ["last", "generates", "middle", "main"].iter().any(|f| t.ends_with(f)));
    (Running(child), told)
}

fn capture(pid: u32) -> Snapshot {
    let target = Target::open(pid as i32).expect("a Python");
    let mut sink = Builder::new();
    target.capture(&Options::default(), &Silent, &mut sink).expect("a capture");
    sink.build()
}

/// `line:function` by the labels of frames that are no objects, and the names of those
/// that are.
fn read(s: &Snapshot) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for root in s.roots.iter().filter(|r| r.kind == RootKind::Frame) {
        let Some((name, at)) = s.text(root.label).split_once(" (") else { continue };
        let function = name.rsplit(['.', ' ']).next().expect("a last part");
        let Some((file, line)) = at.split_once(')').and_then(|(at, _)| at.rsplit_once(':')) else { continue };
        if file.ends_with("lines.py") {
            found.insert(format!("{line}:{function}"));
        }
    }
    let frames = s.named.iter().filter(|row| s.type_name(row.node) == "frame");
    for row in frames.filter(|row| s.text(row.file).ends_with("lines.py")) {
        found.insert(format!("{}:{}", row.line, s.text(row.name)));
    }
    found
}

#[test]
fn a_running_frame_is_at_the_line_that_it_says() {
    for python in found::supported() {
        let (target, told) = start(&python.path);
        let found = read(&capture(target.0.id()));
        // a generator's frame is told by its generator
        let told: BTreeSet<_> = told.into_iter().filter(|t| !t.ends_with("generates")).collect();
        assert!(told.len() >= 3, "{told:?}");
        let missing: Vec<_> = told.difference(&found).collect();
        assert!(missing.is_empty(), "{}: {missing:?} of {told:?} not in {found:?}", python.path.display());
    }
}
