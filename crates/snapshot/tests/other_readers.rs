//! Others read what we write, and we read what others write.  Needs a `python3`
//! with pyarrow on the path; says so when there is none.
#![allow(clippy::print_stderr)] // says what it skips

mod heaps;

use std::path::Path;
use std::process::Command;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use undying_graph::{Detail, Silent, Snapshot};
use undying_snapshot::read;

/// Runs the script; `None` when pyarrow is not there.
fn pyarrow(arguments: &[&str], snapshot: &Path) -> Option<Vec<u8>> {
    let has = Command::new("python3").args(["-c", "import pyarrow"]).output();
    if !has.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: no python3 with pyarrow");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/other_readers.py");
    let done = Command::new("python3").arg(script).arg(arguments[0]).arg(snapshot).args(&arguments[1..]).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(done.stdout)
}

fn some_heap() -> heaps::Heap {
    let mut runner = TestRunner::deterministic();
    loop {
        let heap = heaps::heap(40).new_tree(&mut runner).unwrap().current();
        let tables = [heap.roots.len(), heap.named.len(), heap.regions.len()];
        if heap.things.len() > 30 && !tables.contains(&0) {
            return heap;
        }
    }
}

/// The columns of the big tables, by name.
fn columns(s: &Snapshot) -> Value {
    let g = &s.graph;
    let edges: Vec<_> = g.nodes().flat_map(|n| g.edges(n).map(move |e| (n.0, e))).collect();
    let label = |d| if let Detail::Label(l) = d { json!(s.text(l)) } else { Value::Null };
    let index = |d| if let Detail::Index(i) = d { json!(i) } else { Value::Null };
    json!({
        "objects": {
            "address": g.nodes().map(|n| g.address(n) as i64).collect::<Vec<_>>(),
            "type_id": g.nodes().map(|n| g.type_id(n).0).collect::<Vec<_>>(),
            "shallow_bytes": g.nodes().map(|n| g.shallow_bytes(n) as i64).collect::<Vec<_>>(),
            "gc_tracked": g.nodes().map(|n| g.flags(n).0 & 1 == 1).collect::<Vec<_>>(),
            "flags": g.nodes().map(|n| g.flags(n).0).collect::<Vec<_>>(),
        },
        "edges": {
            "source": edges.iter().map(|e| e.0).collect::<Vec<_>>(),
            "target": edges.iter().map(|e| e.1.target.0).collect::<Vec<_>>(),
            "kind": edges.iter().map(|e| e.1.kind.name()).collect::<Vec<_>>(),
            "label": edges.iter().map(|e| label(e.1.detail)).collect::<Vec<_>>(),
            "index": edges.iter().map(|e| index(e.1.detail)).collect::<Vec<_>>(),
            "certainty": edges.iter().map(|e| e.1.certainty.name()).collect::<Vec<_>>(),
        },
    })
}

/// The columns of the small tables.
fn small_columns(s: &Snapshot) -> Value {
    let named = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    json!({
        "types": {
            "type_id": (0..s.types.len()).collect::<Vec<_>>(),
            "name": s.types.iter().map(|t| s.text(t.name)).collect::<Vec<_>>(),
            "object_id": s.types.iter().map(|t| t.object.map(|o| o.0)).collect::<Vec<_>>(),
            "basic_bytes": s.types.iter().map(|t| t.basic_bytes as i64).collect::<Vec<_>>(),
            "item_bytes": s.types.iter().map(|t| t.item_bytes as i64).collect::<Vec<_>>(),
            "module_file": s.types.iter().map(|t| named(s.text(t.module_file))).collect::<Vec<_>>(),
            "origin": s.types.iter().map(|t| t.origin.name()).collect::<Vec<_>>(),
            "has_gc": s.types.iter().map(|t| t.has_gc).collect::<Vec<_>>(),
            "has_del": s.types.iter().map(|t| t.has_del).collect::<Vec<_>>(),
        },
        "roots": {
            "object_id": s.roots.iter().map(|r| r.node.0).collect::<Vec<_>>(),
            "kind": s.roots.iter().map(|r| r.kind.name()).collect::<Vec<_>>(),
            "label": s.roots.iter().map(|r| named(s.text(r.label))).collect::<Vec<_>>(),
        },
        "names": {
            "object_id": s.named.iter().map(|r| r.node.0).collect::<Vec<_>>(),
            "name": s.named.iter().map(|r| s.text(r.name)).collect::<Vec<_>>(),
            "file": s.named.iter().map(|r| named(s.text(r.file))).collect::<Vec<_>>(),
            "line": s.named.iter().map(|r| Some(r.line).filter(|&l| l != 0)).collect::<Vec<_>>(),
        },
        "regions": {
            "start": s.regions.iter().map(|r| r.start as i64).collect::<Vec<_>>(),
            "end": s.regions.iter().map(|r| r.end as i64).collect::<Vec<_>>(),
            "permissions": s.regions.iter().map(|r| &r.permissions).collect::<Vec<_>>(),
            "offset": s.regions.iter().map(|r| r.offset as i64).collect::<Vec<_>>(),
            "path": s.regions.iter().map(|r| &r.path).collect::<Vec<_>>(),
            "resident_bytes": s.regions.iter().map(|r| r.resident_bytes.map(|b| b as i64)).collect::<Vec<_>>(),
            "claim": s.regions.iter().map(|r| &r.claim).collect::<Vec<_>>(),
        },
    })
}

fn has_the_schema(shown: &Value) {
    let schema = |table: &str| shown[table]["schema"].clone();
    assert_eq!(
        schema("objects"),
        json!([
            ["address", "int64", false],
            ["type_id", "uint32", false],
            ["shallow_bytes", "int64", false],
            ["refcount", "int64", true],
            ["gc_tracked", "bool", false],
            ["flags", "uint32", false],
        ])
    );
    assert_eq!(
        schema("edges"),
        json!([
            ["source", "uint32", false],
            ["target", "uint32", false],
            ["kind", "string", false],
            ["label", "string", true],
            ["index", "int64", true],
            ["certainty", "string", false],
        ])
    );
    assert_eq!(schema("untraversed"), schema("edges"));
}

#[test]
fn pyarrow_sees_the_contract_and_our_values() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let heap = some_heap();
    heap.write(&dest);
    let Some(shown) = pyarrow(&["show"], &dest) else { return };
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown["undying.schema"], "1");
    has_the_schema(&shown);
    let (mut traversed, mut untraversed) = (heap.clone(), heap.clone());
    traversed.things.iter_mut().for_each(|t| t.untraversed.clear());
    untraversed.things.iter_mut().for_each(|t| t.links = std::mem::take(&mut t.untraversed));
    let mut expected = columns(&traversed.build());
    expected["untraversed"] = columns(&untraversed.build())["edges"].take();
    assert!(!expected["untraversed"]["source"].as_array().unwrap().is_empty());
    let small = small_columns(&traversed.build());
    for (table, wanted) in expected.as_object().unwrap().iter().chain(small.as_object().unwrap()) {
        for (column, values) in wanted.as_object().unwrap() {
            assert_eq!(&shown[table]["columns"][column], values, "{table}.{column}");
        }
    }
    // In memory a count is saturated, in the file it is whole.
    let counts = heap.things.iter().map(|t| t.row.refcount.map(|r| r as i64)).collect::<Vec<_>>();
    assert_eq!(shown["objects"]["columns"]["refcount"], json!(counts));
}

#[test]
fn what_pyarrow_rewrites_reads_back_the_same() {
    for variant in ["default", "plain", "second", "delta", "pieces"] {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("s");
        let heap = some_heap();
        heap.write(&dest);
        if pyarrow(&["rewrite", variant], &dest).is_none() {
            return;
        }
        heaps::same(&read(&dest, &Silent).unwrap_or_else(|e| panic!("{variant}: {e}")), &heap.build());
    }
}

#[test]
fn a_large_heap_survives_pyarrow() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let heap = heaps::large(300_000);
    heap.write(&dest);
    for variant in ["second", "delta"] {
        if pyarrow(&["rewrite", variant], &dest).is_none() {
            return;
        }
        heaps::same(&read(&dest, &Silent).unwrap_or_else(|e| panic!("{variant}: {e}")), &heap.build());
    }
}
