//! What one object retains, in living processes and their snapshots: told to people
//! and programs, and every immediate dominator as petgraph finds it.

mod found;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use found::{Python, UNDYING};
use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::Value;
use undying_analysis::{dominators, refcounts};
use undying_graph::{NodeId, Silent, Snapshot};

/// A cache of 200 pages of 64 KiB, a small one, and a list of 5,000 links.
const PROGRAM: &str = r#"
import gc, sys
class Page(object):
    def __init__(self, size):
        self.text = bytearray(size)
class Cache(object):
    def __init__(self, pages, size):
        self.pages = [Page(size) for _ in range(pages)]
class Job(object):
    next = None
    def __init__(self):
        self.text = bytearray(1000)
cache = Cache(200, 65536)
small = Cache(20, 1000)
first = last = Job()
for _ in range(4999):
    last.next = Job()
    last = last.next
del last
gc.collect()
sys.stdout.write("READY\n")
sys.stdout.flush()
sys.stdin.read()
"#;

struct Target(Child);

impl Target {
    fn new(python: &Python, dir: &Path) -> Target {
        std::fs::write(dir.join("pages.py"), PROGRAM).expect("writes");
        let mut command = Command::new(&python.path);
        command.arg("pages.py").current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("UTF-8");
        assert_eq!(line, "READY\n", "{}", python.full);
        Target(child)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(dir: &Path, arguments: &[&str]) -> String {
    let out = Command::new(UNDYING).args(arguments).current_dir(dir).output().expect("runs");
    assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{arguments:?}");
    assert!(out.status.success(), "{arguments:?}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

fn json(dir: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&text(dir, &[arguments, &["--format", "json"]].concat())).expect("JSON")
}

/// The list of pages and the chain of jobs among the rows.
fn check_retainers(answer: &Value, of: &str) {
    let rows = answer["retainers"].as_array().unwrap_or_else(|| panic!("{of}: no list"));
    let with = |path: &str| rows.iter().find(|r| r["path_text"].as_str().is_some_and(|t| t.starts_with(path)));
    let pages = with("__main__.cache.pages").unwrap_or_else(|| panic!("{of}: {rows:#?}"));
    assert_eq!((&pages["type"], &pages["children"], &pages["chain"]), (&"list".into(), &200.into(), &false.into()));
    let bytes = pages["retained_bytes"].as_u64().unwrap_or(0);
    assert!((200 * 65536..210 * 65536).contains(&bytes), "{of}: {pages:#?}");
    assert_eq!((&pages["most"]["type"], &pages["most"]["count"]), (&"__main__.Page".into(), &200.into()), "{of}");
    let jobs = with("__main__.first").unwrap_or_else(|| panic!("{of}: {rows:#?}"));
    assert_eq!((&jobs["type"], &jobs["chain"]), (&"__main__.Job".into(), &true.into()), "{of}");
    assert_eq!((&jobs["most"]["type"], &jobs["most"]["count"]), (&"__main__.Job".into(), &5000.into()), "{of}");
    assert!(with("__main__.cache.pages[0]").is_none(), "{of}: a page is a child, not a point");
}

#[test]
fn what_one_object_retains_is_told_alive_and_from_a_snapshot() {
    for python in found::supported() {
        let dir = tempfile::tempdir().expect("a directory");
        let (dir, target) = (dir.path(), Target::new(&python, dir.path()));
        let pid = target.0.id().to_string();
        text(dir, &["dump", &pid, "-o", "snap"]);
        for target in [pid.as_str(), "snap"] {
            let of = format!("{} {target}", python.full);
            check_retainers(&json(dir, &["report", target]), &of);
            let answer = json(dir, &["top", target, "--by", "dominator"]);
            check_retainers(&answer, &of);
            let classes = answer["types"].as_array().expect("a list");
            let of_class = |name: &str| classes.iter().find(|c| c["type"] == name).expect("a row");
            assert_eq!(of_class("__main__.Page")["count"], 220, "{of}");
            let cache = of_class("__main__.Cache")["retained_bytes"].as_u64().unwrap_or(0);
            assert!(cache > 200 * 65536, "{of}: {cache}");
        }
        let said = text(dir, &["top", "snap", "--by", "dominator", "-n", "2"]);
        assert!(said.contains("__main__.cache.pages"), "{}:\n{said}", python.full);
        let said = text(dir, &["report", "snap"]);
        for words in ["Biggest retainers", "list with 200 __main__.Page", "chain of 5,000 __main__.Job"] {
            assert!(said.contains(words), "{} does not say {words}:\n{said}", python.full);
        }
        same_as_petgraph(&undying_snapshot::read(&dir.join("snap"), &Silent).expect("reads"), &python.full);
    }
}

/// UNDYING_SNAPSHOTS names directories of snapshots, with `:` between: any heap at hand.
#[test]
fn any_snapshot_has_the_dominators_that_petgraph_finds() {
    let named = std::env::var_os("UNDYING_SNAPSHOTS").unwrap_or_default();
    for dir in std::env::split_paths(&named).filter(|d| !d.as_os_str().is_empty()) {
        same_as_petgraph(&undying_snapshot::read(&dir, &Silent).expect("a snapshot"), &dir.display().to_string());
    }
}

/// Every immediate dominator against another's algorithm, over the same entries.
fn same_as_petgraph(s: &Snapshot, of: &str) {
    let doms = dominators(s, &refcounts(s, &Silent).expect("never cancelled"), &Silent).expect("never cancelled");
    let mut g = DiGraph::<(), ()>::new();
    let root = NodeIndex::new(s.graph.len());
    (0..=s.graph.len()).for_each(|_| _ = g.add_node(()));
    let node = |n: NodeId| NodeIndex::new(n.index());
    for n in s.graph.nodes() {
        if doms.is_entry(n) {
            g.add_edge(root, node(n), ());
        }
        for e in s.graph.edges(n).filter(|e| e.is_strong()) {
            if doms.is_unreached(e.target) || !doms.is_unreached(n) {
                g.add_edge(node(n), node(e.target), ());
            }
        }
    }
    let theirs = simple_fast(&g, root);
    let mut dominated = 0;
    for n in s.graph.nodes() {
        let above = theirs.immediate_dominator(node(n)).expect("everything hangs from the root");
        let ours = doms.idom(n).map_or(root, node);
        assert_eq!(ours, above, "{of}: of object {}", n.0);
        dominated += (above != root) as u32;
    }
    assert!(dominated > 10_000, "{of}: {dominated} objects have a dominator");
}
