//! Where bytes meet, on heaps written by hand, and as a report tells them.
#![allow(missing_docs)]

mod world;

use undying_analysis::render::{Limits, Told, render, told};
use undying_analysis::{
    Answer, Intermediates, Query, Retainer, RetainerLimits, TopBy, accumulation_points, answer, dominators, naming,
    refcounts,
};
use undying_graph::{NodeId, RootKind, Silent, Snapshot};
use world::{Form, World};

const MIB: u64 = 1 << 20;

fn points(s: &Snapshot, limits: RetainerLimits) -> Vec<Retainer> {
    let counts = refcounts(s, &Silent).unwrap();
    let doms = dominators(s, &counts, &Silent).unwrap();
    accumulation_points(s, &doms, limits, &Silent).unwrap()
}

fn class<'a>(s: &'a Snapshot, r: &Retainer) -> &'a str {
    naming::type_name(s, r.type_id)
}

fn most(s: &Snapshot, r: &Retainer) -> (String, u64, u64) {
    let most = r.most.expect("a class");
    (naming::type_name(s, most.type_id).to_string(), most.count, most.retained_bytes)
}

/// A module whose cache holds so many sessions of 4 KiB, each with a buffer of its own.
fn cache(w: &mut World, module: NodeId, name: &str, sessions: u32) -> NodeId {
    let (owner, store) = (w.new_object("app.Cache"), w.new_object("dict"));
    w.attr(module, name, owner);
    w.attr(owner, "store", store);
    for i in 0..sessions {
        let (session, buffer) = (w.new_object("app.Session"), w.new_object("bytes"));
        w.bytes(session, 1024);
        w.bytes(buffer, 3072);
        w.value(store, i, session);
        w.attr(session, "buffer", buffer);
    }
    store
}

#[test]
fn the_point_is_where_the_children_meet() {
    let mut w = World::new(Form::Inline);
    let module = w.module("app");
    let store = cache(&mut w, module, "cache", 1024);
    let s = w.snapshot();
    let found = points(&s, RetainerLimits::REPORT);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].node, class(&s, &found[0]), found[0].children), (store, "dict", 1024));
    assert_eq!(found[0].retained_bytes, 1024 * 4096 + 64);
    assert_eq!(found[0].retained_count, 2 * 1024 + 1);
    assert_eq!(most(&s, &found[0]), ("app.Session".to_string(), 1024, 4 * MIB));
}

#[test]
fn two_caches_of_one_module_are_two_points_and_the_module_none() {
    let mut w = World::new(Form::Inline);
    let module = w.module("app");
    let (small, large) = (cache(&mut w, module, "small", 512), cache(&mut w, module, "large", 600));
    let s = w.snapshot();
    let nodes: Vec<NodeId> = points(&s, RetainerLimits::REPORT).iter().map(|r| r.node).collect();
    assert_eq!(nodes, [large, small]);
    let one = RetainerLimits { rows: 1, ..RetainerLimits::REPORT };
    assert_eq!(points(&s, one).len(), 1);
}

#[test]
fn a_holder_with_much_besides_its_big_child_is_a_point_too() {
    let mut w = World::new(Form::Inline);
    let module = w.module("app");
    let store = cache(&mut w, module, "cache", 1024);
    let big = w.new_object("list");
    w.bytes(big, 8 * MIB);
    w.value(store, 9999, big);
    let s = w.snapshot();
    let found = points(&s, RetainerLimits::REPORT);
    let nodes: Vec<NodeId> = found.iter().map(|r| r.node).collect();
    assert_eq!(nodes, [store, big]);
    assert!(found[0].retained_bytes > found[1].retained_bytes);
    assert_eq!((found[1].children, found[1].most), (0, None));
}

#[test]
fn what_is_small_is_no_finding() {
    let mut w = World::new(Form::Inline);
    let module = w.module("app");
    cache(&mut w, module, "cache", 200);
    assert!(points(&w.snapshot(), RetainerLimits::REPORT).is_empty(), "below a mebibyte");

    let mut w = World::new(Form::Inline);
    let module = w.module("app");
    cache(&mut w, module, "cache", 300);
    // As much again twenty times over, held one by one.
    for _ in 0..80 {
        let n = w.new_object("bytes");
        w.bytes(n, MIB / 2);
        w.root(RootKind::Stack, "", n);
    }
    assert!(points(&w.snapshot(), RetainerLimits::REPORT).is_empty(), "below a twentieth");
}

#[test]
fn a_long_chain_is_told_by_its_first_link() {
    for form in [Form::Inline, Form::Dict] {
        let mut w = World::new(form);
        let (module, list) = (w.module("app"), w.new_object("app.Jobs"));
        w.attr(module, "jobs", list);
        let mut last = list;
        let mut head = None;
        for i in 0..5000u32 {
            let link = w.new_object("app.Job");
            w.bytes(link, 1000);
            w.attr(last, if i == 0 { "head" } else { "next" }, link);
            head.get_or_insert(link);
            last = link;
        }
        let s = w.snapshot();
        let found = points(&s, RetainerLimits::REPORT);
        assert_eq!(found.len(), 1, "{form:?}");
        assert_eq!((Some(found[0].node), found[0].chain), (head, true), "{form:?}");
        let (name, count, bytes) = most(&s, &found[0]);
        assert_eq!((name.as_str(), count, bytes), ("app.Job", 5000, found[0].retained_bytes), "{form:?}");
    }
}

#[test]
fn all_points_come_biggest_first() {
    let mut w = World::new(Form::Dict);
    let module = w.module("app");
    for i in 1..12 {
        cache(&mut w, module, &format!("cache{i}"), i * 3);
    }
    let s = w.snapshot();
    let found = points(&s, RetainerLimits::rows(8));
    assert_eq!(found.len(), 8);
    assert!(found.is_sorted_by_key(|r| std::cmp::Reverse(r.retained_bytes)));
    let more = points(&s, RetainerLimits::rows(30));
    assert_eq!(found, more[..8]);
}

#[test]
fn a_report_and_top_tell_who_holds_it() {
    let mut w = World::new(Form::Inline);
    let module = w.module("app");
    cache(&mut w, module, "cache", 1024);
    let s = w.snapshot();
    let mut kept = Intermediates::default();
    let report = answer(&s, &Query::Report, &mut kept, &Silent).unwrap();
    let Told::Report { retainers, .. } = told(&s, &report) else { panic!("another answer") };
    assert_eq!(retainers.len(), 1);
    assert_eq!(retainers[0].path_text, "app.cache.store → dict");
    assert_eq!(retainers[0].retained_bytes, 4 * MIB + 64);
    let text = format!("{:?}", render(&s, &Query::Report, &report, Limits::default()));
    for words in
        ["Biggest retainers", "dict with 1,024 app.Session: 4.00 MiB, 100 % of the heap", "2,049 objects, 4.00 MiB"]
    {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let query = Query::Top { by: TopBy::Dominator };
    let top = answer(&s, &query, &mut kept, &Silent).unwrap();
    let Answer::Retainers(rows) = &top else { panic!("another answer") };
    assert_eq!(rows.bytes, s.graph.nodes().map(|n| s.graph.shallow_bytes(n)).sum::<u64>());
    let Told::Retainers { retainers, types, .. } = told(&s, &top) else { panic!("another answer") };
    assert_eq!(retainers[0].path_text, "app.cache.store → dict");
    let session = types.iter().find(|t| t.type_name == "app.Session").expect("a row");
    assert_eq!((session.count, session.retained_bytes), (1024, 4 * MIB));
    assert!(format!("{:?}", render(&s, &query, &top, Limits::default())).contains("app.cache.store → dict"));
}

#[test]
fn a_heap_of_nothing_is_answered() {
    let s = Snapshot::default();
    let top = answer(&s, &Query::Top { by: TopBy::Dominator }, &mut Intermediates::default(), &Silent).unwrap();
    let Answer::Retainers(rows) = top else { panic!("another answer") };
    assert!(rows.rows.is_empty() && rows.classes.is_empty());
}
