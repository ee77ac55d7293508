//! Birthplaces of what is told: those of the objects meant and of no others, the place of
//! most first, files as modules are imported.
#![allow(missing_docs)]

mod world;

use undying_analysis::render::{Limits, render, told};
use undying_analysis::{Answer, History, Intermediates, Query, answer, diff};
use undying_graph::{Births, EdgeKind, Facts, NodeId, PlaceRow, Recorder, RootKind, Silent, Snapshot};
use undying_report::{Style, write};
use world::{Form, World};

const APP: &str = "/srv/env/lib/python3.12/site-packages/app/mod.py";

/// Gives births to objects: file, function, line, and line of the caller in `main.py`.
fn born(s: &mut Snapshot, of: impl Fn(&Snapshot, NodeId) -> Option<(&'static str, &'static str, u32)>) {
    let mut births = Births::new(Recorder::Tracemalloc);
    let (main, none) = (s.labels.intern("main.py"), undying_graph::LabelId::NONE);
    for n in s.graph.nodes() {
        let Some((file, function, line)) = of(s, n) else { continue };
        // each object of its own stack: they end in the same line all the same
        births.places.push(PlaceRow { file: main, function: none, line: 100 + n.0, parent: None });
        let parent = births.places.len() as u32 - 1;
        let (file, function) = (s.labels.intern(file), s.labels.intern(function));
        births.places.push(PlaceRow { file, function, line, parent: Some(parent) });
        births.push(n, parent + 1, None);
    }
    s.births = Some(births);
}

fn ask(s: &Snapshot, query: &Query) -> (Answer, String, serde_json::Value) {
    let answer = answer(s, query, &mut Intermediates::default(), &Silent).unwrap();
    let report = render(s, query, &answer, Limits::default());
    let mut text = Vec::new();
    write(&report, &Style { width: 200, ..Style::default() }, &mut text).unwrap();
    let json = serde_json::to_value(told(s, &answer)).unwrap();
    (answer, String::from_utf8(text).unwrap(), json)
}

/// A module that holds a list of nodes, each with a dictionary.
fn registry(nodes: usize) -> Snapshot {
    let mut w = World::new(Form::Inline);
    let (module, list) = (w.module("app"), w.new_object("list"));
    w.attr(module, "kept", list);
    for i in 0..nodes {
        let (node, dict) = (w.new_object("app.Node"), w.new_object("dict"));
        w.item(list, i as u32, node);
        w.attr(node, "data", dict);
    }
    w.snapshot()
}

/// Old nodes at one line, new ones at another; their dictionaries elsewhere.
fn by_class(old: usize) -> impl Fn(&Snapshot, NodeId) -> Option<(&'static str, &'static str, u32)> {
    move |s, n| {
        let before = s.graph.nodes().filter(|&m| m < n && s.type_name(m) == "app.Node").count();
        match s.type_name(n) {
            "app.Node" if before < old => Some((APP, "setup", 7)),
            "app.Node" if before % 4 == 3 => Some((APP, "other", 50)),
            "app.Node" if before % 50 == 2 => None,
            "app.Node" => Some((APP, "make", 41)),
            "dict" => Some(("/srv/app.py", "", 3)),
            _ => None,
        }
    }
}

#[test]
fn growth_is_born_where_its_new_objects_were() {
    let (mut before, mut after) = (registry(20), registry(220));
    born(&mut before, by_class(20));
    born(&mut after, by_class(20));
    let answer = diff(&before, &after, &mut History::default(), &mut Intermediates::default(), &Silent).unwrap();
    let [suspect] = answer.suspects.as_slice() else { panic!("{:?}", answer.suspects) };
    let told: Vec<String> = suspect.born.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["app/mod.py:41 in make (146 of 200)", "app/mod.py:50 in other (50 of 200)"]);
    let json = serde_json::to_value(suspect).unwrap();
    assert_eq!(json["born"], serde_json::json!(["app/mod.py:41 in make", "app/mod.py:50 in other"]));
}

#[test]
fn without_a_recorder_nothing_is_born() {
    let answer = diff(&registry(20), &registry(220), &mut History::default(), &mut Intermediates::default(), &Silent);
    assert_eq!(serde_json::to_value(&answer.unwrap().suspects[0]).unwrap()["born"], serde_json::json!([]));
    let (_, text, json) = ask(&registry(9), &Query::Why { what: "Node".into() });
    assert_eq!((&json["born"], &json["stack"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert!(!text.contains("born"), "{text}");
}

#[test]
fn why_tells_the_places_of_many_and_the_stack_of_one() {
    let mut s = registry(8);
    born(&mut s, by_class(2));
    let (_, text, json) = ask(&s, &Query::Why { what: "Node".into() });
    let places = ["app/mod.py:41 in make", "app/mod.py:50 in other", "app/mod.py:7 in setup"];
    assert_eq!(json["born"], serde_json::json!(places));
    assert!(text.contains("app/mod.py:41 in make (3 of 8)"), "{text}");
    let node = s.graph.nodes().find(|&n| s.type_name(n) == "app.Node").unwrap();
    let (_, text, json) = ask(&s, &Query::Why { what: format!("{:#x}", s.graph.address(node)) });
    let stack = ["app/mod.py:7 in setup".to_owned(), format!("main.py:{}", 100 + node.0)];
    assert_eq!(json["stack"], serde_json::json!(stack));
    assert!(text.contains("called by"), "{text}");
}

#[test]
fn a_dead_cycle_is_born_where_its_members_were() {
    let mut w = World::new(Form::Dict);
    for _ in 0..30 {
        let (a, b) = (w.new_object("app.A"), w.new_object("app.B"));
        w.attr(a, "b", b);
        w.attr(b, "a", a);
    }
    let alive = w.new_object("app.A");
    w.root(RootKind::Interpreter, "kept", alive);
    let mut s = w.snapshot();
    s.facts = Facts { gc_enabled: Some(false), ..Facts::default() };
    born(&mut s, |s, n| match s.type_name(n) {
        "app.A" if n.index() + 1 == s.graph.len() => Some(("/srv/a.py", "alive", 9)),
        "app.A" => Some(("/srv/a.py", "make_a", 1)),
        "app.B" => Some(("/srv/a.py", "make_b", 2)),
        _ => None,
    });
    let (_, text, json) = ask(&s, &Query::Report);
    let suspect = &json["suspects"][0];
    let expected = if suspect["type"] == "app.A" { "/srv/a.py:1 in make_a" } else { "/srv/a.py:2 in make_b" };
    assert_eq!(suspect["born"], serde_json::json!([expected]));
    assert!(text.contains(&format!("{expected} (30 of 30)")), "{text}");
}

#[test]
fn a_container_is_born_where_it_was_made_itself() {
    let mut w = World::new(Form::Inline);
    let (module, list) = (w.module("app"), w.new_object("list"));
    w.attr(module, "kept", list);
    for i in 0..2000 {
        let node = w.new_object("app.Node");
        w.bytes(node, 8 << 10);
        w.plain(list, EdgeKind::Item, node);
        let _ = i;
    }
    let mut s = w.snapshot();
    born(&mut s, |s, n| match s.type_name(n) {
        "list" => Some(("/usr/lib/python3.11/json/decoder.py", "decode", 5)),
        "app.Node" => Some((APP, "make", 41)),
        _ => None,
    });
    let (_, _, json) = ask(&s, &Query::Report);
    assert_eq!(json["suspects"][0]["born"], serde_json::json!(["json/decoder.py:5 in decode"]));
}
