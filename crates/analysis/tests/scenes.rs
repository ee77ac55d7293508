//! The essay's scenes and healthy processes: who is a suspect and who is not.
#![allow(missing_docs)]

mod world;

use undying_analysis::suspects::{Confidence, SuspectKind};
use undying_analysis::{Answer, Intermediates, Query, ReportAnswer, answer};
use undying_graph::{NodeId, Origin, RootKind, Silent, Snapshot};
use world::{Form, World};

const FORMS: [Form; 2] = [Form::Inline, Form::Dict];

fn report(s: &Snapshot) -> ReportAnswer {
    match answer(s, &Query::Report, &mut Intermediates::default(), &Silent).unwrap() {
        Answer::Report(r) => *r,
        other => panic!("another answer: {other:?}"),
    }
}

/// An interpreter: a few modules, classes in use, and the class garbage that
/// imports leave behind.
fn interpreter(form: Form) -> World {
    let mut w = World::new(form);
    for name in ["builtins", "sys", "enum", "__main__"] {
        let m = w.module(name);
        let class = w.class_object(&format!("{name}.Used"));
        w.attr(m, "Used", class);
    }
    for i in 0..60 {
        w.class_object(&format!("enum.Lost{i}"));
        let f = w.new_object("function");
        w.closure(f, "f", f);
    }
    w
}

fn pair(w: &mut World) -> (NodeId, NodeId) {
    let (a, b) = (w.new_object("__main__.LeakTest"), w.new_object("__main__.LeakTest"));
    w.attr(a, "b", b);
    w.attr(b, "a", a);
    (a, b)
}

fn labels(r: &ReportAnswer) -> Vec<&str> {
    r.suspects[0].path.iter().filter_map(|s| s.label.as_deref()).collect()
}

#[test]
fn an_interpreter_at_rest_has_no_suspect() {
    for form in FORMS {
        let r = report(&interpreter(form).snapshot());
        assert_eq!(r.suspects, [], "{form:?}");
        assert!(r.ledgers.lives.pending_garbage >= 60 * 5, "the garbage of imports is in the ledger");
    }
}

#[test]
fn a_dropped_pair_is_a_suspect() {
    for form in FORMS {
        let mut w = interpreter(form);
        pair(&mut w);
        let r = report(&w.snapshot());
        assert_eq!(r.suspects.len(), 1, "{form:?}");
        let s = &r.suspects[0];
        assert_eq!((s.rank, s.kind, s.type_name.as_str()), (1, SuspectKind::Cycle, "__main__.LeakTest"));
        assert_eq!((s.count, s.shallow_bytes, s.confidence), (2, 128, Confidence::Medium));
        assert_eq!(labels(&r), ["b", "a"]);
        let kinds: Vec<&str> = s.path.iter().map(|p| p.kind).collect();
        assert_eq!(kinds, ["attr", "attr"]);
        assert!(!s.why.is_empty() && s.advice.contains("weakref"), "{}", s.advice);
    }
}

#[test]
fn self_me_is_a_suspect() {
    for form in FORMS {
        let mut w = interpreter(form);
        let a = w.new_object("__main__.LeakTest");
        w.attr(a, "me", a);
        let r = report(&w.snapshot());
        assert_eq!((labels(&r), r.suspects[0].count), (vec!["me"], 1));
        assert_eq!(r.suspects[0].path_text, "LeakTest —.me→ LeakTest");
        assert!(r.suspects[0].advice.starts_with("Drop LeakTest.me"), "{}", r.suspects[0].advice);
    }
}

#[test]
fn a_cycle_born_in_a_function_again_and_again_is_one_shape() {
    for form in FORMS {
        let mut w = interpreter(form);
        for _ in 0..3 {
            pair(&mut w);
        }
        let r = report(&w.snapshot());
        assert_eq!((r.suspects.len(), r.suspects[0].count, r.suspects[0].confidence), (1, 6, Confidence::Medium));
        let retained = if form == Form::Dict { 12 * 64 } else { 6 * 64 };
        assert_eq!(r.suspects[0].retained_bytes, Some(retained));
    }
}

#[test]
fn one_cycle_is_sure_when_the_collector_is_off() {
    let mut w = interpreter(Form::Inline);
    pair(&mut w);
    let mut s = w.snapshot();
    s.facts.gc_enabled = Some(false);
    let r = report(&s);
    assert_eq!((r.suspects.len(), r.suspects[0].confidence), (1, Confidence::High));
    assert!(r.suspects[0].why.contains("switched off"));
}

#[test]
fn a_pair_that_is_still_held_is_no_suspect() {
    for form in FORMS {
        let mut w = interpreter(form);
        let (a, _) = pair(&mut w);
        w.root(RootKind::Frame, "main thread · <module> · local A", a);
        assert_eq!(report(&w.snapshot()).suspects, []);
    }
}

#[test]
fn the_programs_object_that_only_a_traceback_holds_is_garbage() {
    let mut w = interpreter(Form::Inline);
    let (e, tb, f) = (w.new_object("ValueError"), w.new_object("traceback"), w.new_object("frame"));
    w.field(e, "__traceback__", tb);
    w.field(tb, "tb_frame", f);
    w.local(f, "e", e);
    let payload = w.new_object("__main__.Payload");
    w.local(f, "payload", payload);
    let r = report(&w.snapshot());
    assert_eq!(r.suspects.len(), 1);
    assert_eq!((r.suspects[0].kind, r.suspects[0].type_name.as_str()), (SuspectKind::Garbage, "__main__.Payload"));
    assert!(r.suspects[0].path_text.contains("local e"));
}

#[test]
fn a_librarys_garbage_is_a_suspect_only_in_numbers() {
    for (cycles, off, expected) in
        [(99, true, 0), (100, true, 1), (100, false, 0), (20_000, false, 0), (40_000, false, 1)]
    {
        let mut w = World::new(Form::Inline);
        w.class_of("lib.Response", Origin::Library);
        for _ in 0..cycles {
            let (r, list) = (w.new_object("lib.Response"), w.new_object("list"));
            w.attr(r, "history", list);
            w.item(list, 0, r);
        }
        // A heap in which this garbage is not a large share.
        let big = w.new_object("bytes");
        w.bytes(big, 1 << 30);
        w.extra(big, 1);
        let mut s = w.snapshot();
        s.facts.gc_enabled = Some(!off);
        // the large object is held by a count alone, which is another matter
        let garbage = report(&s).suspects.iter().filter(|s| s.type_name == "lib.Response").count();
        assert_eq!(garbage, expected, "{cycles} cycles, collector off: {off}");
    }
}

#[test]
fn a_class_made_in_a_loop_counts_as_classes_not_as_the_programs_instances() {
    let mut w = interpreter(Form::Inline);
    w.class_object("__main__.Once");
    assert_eq!(report(&w.snapshot()).suspects, []);
}

#[test]
fn a_suspect_is_json_of_the_agreed_names() {
    let mut w = interpreter(Form::Inline);
    pair(&mut w);
    let r = report(&w.snapshot());
    let json = serde_json::to_value(&r).unwrap();
    let mut keys: Vec<&str> = json["suspects"][0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut agreed = [
        "rank",
        "kind",
        "rule",
        "type",
        "count",
        "shallow_bytes",
        "retained_bytes",
        "path",
        "path_text",
        "born",
        "module_file",
        "confidence",
        "why",
        "advice",
    ];
    agreed.sort_unstable();
    assert_eq!(keys, agreed);
    assert_eq!(json["suspects"][0]["path"][0]["kind"], "attr");
    assert_eq!(json["suspects"][0]["confidence"], "medium");
    assert!(json["ledgers"]["references"]["mortal"].as_u64() > Some(0));
    assert!(json["ledgers"]["bytes"]["resident"].is_null(), "what is not known is null");
}
