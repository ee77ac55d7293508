//! Ways from the roots against a slow search, merged chains against chains made
//! one by one, and the chains a person expects.
#![allow(missing_docs)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use undying_analysis::paths::{ChainLimits, Chains, Forest, MergedChain, Reached, chains, forest};
use undying_analysis::{Garbage, Step, StepKey, StepKind, WellKnown, garbage, naming, refcounts};
use undying_graph::{Certainty, Detail, EdgeKind, Flags, LabelId, NodeId, RootKind, Silent, Snapshot};
use world::{Form, World, any_snapshot};

fn grow(s: &Snapshot) -> (Forest, Garbage) {
    let counts = refcounts(s, &Silent).unwrap();
    (forest(s, &counts, &Silent).unwrap(), garbage(s, &counts, &Silent).unwrap())
}

fn ask(s: &Snapshot, targets: &[NodeId], per_object: usize) -> Chains {
    let (forest, dead) = grow(s);
    let referrers = s.graph.transpose();
    let limits = ChainLimits { per_object, rows: usize::MAX };
    chains(s, &forest, Some(&referrers), &dead, targets, limits, &Silent).unwrap()
}

fn text(s: &Snapshot, row: &MergedChain) -> String {
    naming::path_text(s, &row.steps)
}

fn texts(s: &Snapshot, c: &Chains) -> Vec<(u64, String)> {
    c.rows.iter().map(|r| (r.count, text(s, r))).collect()
}

/// Steps to an object by following the forest upwards, one by one.
fn way(s: &Snapshot, forest: &Forest, n: NodeId) -> Option<(Vec<Step>, usize, bool)> {
    let mut edges = Vec::new();
    let mut at = n;
    let root = loop {
        match forest.reached(&s.graph, at) {
            Reached::No => return None,
            Reached::Root(root) => break root,
            Reached::By(holder, e) => {
                assert!(s.graph.edge_range(holder).contains(&e), "the reference is the holder's");
                assert_eq!(s.graph.edge(e).target, at);
                assert!(s.graph.edge(e).is_strong());
                edges.push(s.graph.edge(e));
                at = holder;
            }
        }
        assert!(edges.len() <= s.graph.len(), "no way turns in a circle");
    };
    let known = WellKnown::new(s);
    let mut steps = vec![Step::root(s, &root)];
    edges.iter().rev().for_each(|e| known.push(s, &mut steps, e));
    let guessed = edges.iter().any(|e| e.certainty == Certainty::Conservative);
    Some((steps, edges.len(), guessed))
}

/// Roots that tell a person something, the best first.
const TELLING: [RootKind; 7] = {
    use RootKind::*;
    [Module, Frame, Thread, Atexit, Fork, Interpreter, Static]
};

/// What any root reaches over strong references, by trying every reference again and again.
fn reachable(s: &Snapshot) -> BTreeSet<NodeId> {
    let mut found: BTreeSet<NodeId> = s.roots.iter().map(|r| r.node).collect();
    loop {
        let strong = |n: &NodeId| s.graph.edges(*n).filter(|e| e.is_strong()).map(|e| e.target).collect::<Vec<_>>();
        let more: Vec<NodeId> = found.iter().flat_map(strong).filter(|n| !found.contains(n)).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// References by which modules are ahead of other roots.
const LEAD: usize = 4;

fn is_own_dictionary(s: &Snapshot, e: &undying_graph::Edge) -> bool {
    let dict = s.labels.find("__dict__").map(Detail::Label);
    e.kind == EdgeKind::Attr && Some(e.detail) == dict && e.certainty != Certainty::Conservative
}

/// When each object is reached over exact references and from which kind of root, as the
/// forest promises: modules and their dictionaries at 0, other telling roots at the lead,
/// each reference takes 1; of two at a time the more telling root's comes first.
fn arrivals(s: &Snapshot) -> BTreeMap<NodeId, (usize, usize)> {
    let mut when: BTreeMap<NodeId, (usize, usize)> = BTreeMap::new();
    for root in &s.roots {
        let Some(rank) = TELLING.iter().position(|&k| k == root.kind) else { continue };
        let module = root.kind == RootKind::Module;
        let begins = (if module { 0 } else { LEAD }, rank);
        let dictionaries = s.graph.edges(root.node).filter(|e| module && is_own_dictionary(s, e));
        for n in dictionaries.map(|e| e.target).chain([root.node]) {
            let at = when.entry(n).or_insert(begins);
            *at = begins.min(*at);
        }
    }
    loop {
        let before = when.clone();
        for (n, &(at, rank)) in &before {
            for e in s.graph.edges(*n).filter(|e| e.is_strong() && e.certainty != Certainty::Conservative) {
                let there = when.entry(e.target).or_insert((at + 1, rank));
                *there = (at + 1, rank).min(*there);
            }
        }
        if when == before {
            return when;
        }
    }
}

/// Whether the way to an object begins with a module's reference to its own dictionary.
fn through_dictionary(s: &Snapshot, forest: &Forest, n: NodeId) -> bool {
    let mut at = n;
    while let Reached::By(holder, e) = forest.reached(&s.graph, at) {
        let module = |r: &undying_graph::Root| r.node == holder && r.kind == RootKind::Module;
        if matches!(forest.reached(&s.graph, holder), Reached::Root(_)) && s.roots.iter().any(module) {
            return is_own_dictionary(s, &s.graph.edge(e));
        }
        at = holder;
    }
    false
}

/// The rows that `chains` should give when each object has one chain.
fn one_by_one(s: &Snapshot, forest: &Forest) -> BTreeMap<Vec<StepKey>, u64> {
    let keys = |steps: &[Step]| steps.iter().map(|k| k.key(s)).collect::<Vec<_>>();
    let blank = |keys: &[StepKey]| {
        let blank =
            |k: &StepKey| StepKey { label: if k.kind == StepKind::Key { LabelId::NONE } else { k.label }, ..*k };
        keys.iter().map(blank).collect::<Vec<_>>()
    };
    let mut rows: BTreeMap<Vec<StepKey>, u64> = BTreeMap::new();
    for n in s.graph.nodes() {
        if let Some((steps, _, _)) = way(s, forest, n) {
            *rows.entry(keys(&steps)).or_default() += 1;
        }
    }
    let mut merged: BTreeMap<Vec<StepKey>, u64> = BTreeMap::new();
    for (row, count) in &rows {
        let alike = rows.keys().filter(|other| blank(other) == blank(row)).count();
        let row = if alike >= 3 { blank(row) } else { row.clone() };
        *merged.entry(row).or_default() += count;
    }
    merged
}

/// Each object's way against the slow searches.
fn ways_are_real_and_shortest(s: &Snapshot) -> Result<(), TestCaseError> {
    let (forest, dead) = grow(s);
    let near = arrivals(s);
    let any = reachable(s);
    for n in s.graph.nodes() {
        let way = way(s, &forest, n);
        if let Some(&(time, rank)) = near.get(&n) {
            let (steps, length, guessed) = way.unwrap();
            prop_assert_eq!(steps[0].kind, StepKind::Root(TELLING[rank]));
            // a module's own dictionary is as near as the module, others begin behind its lead
            let ahead = if TELLING[rank] == RootKind::Module { 0 } else { LEAD };
            let through = through_dictionary(s, &forest, n) as usize;
            prop_assert_eq!(length + ahead, time + through);
            prop_assert!(!guessed);
        } else if any.contains(&n) {
            prop_assert!(way.is_some());
        } else if let Some((steps, _, _)) = way {
            prop_assert_eq!(steps[0].kind, StepKind::Root(RootKind::Native));
            prop_assert!(!dead.dead.contains(n), "what is dead has no holder");
        }
    }
    prop_assert_eq!(forest.reached as usize, s.graph.nodes().filter(|&n| forest.reaches(n)).count());
    Ok(())
}

/// Chains that cross: modules, some with a dictionary of their own, at the head of some,
/// other roots at others, so that where two meet the lead decides.
fn any_chains() -> impl Strategy<Value = Snapshot> {
    let chain = (0usize..4, 1usize..9);
    let links = prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..8);
    (prop::collection::vec(chain, 1..6), links).prop_map(|(chains, links)| {
        let mut w = World::new(Form::Inline);
        let mut all = Vec::new();
        for (head, length) in chains {
            let links: Vec<NodeId> = (0..length).map(|_| w.new_object("app.Node")).collect();
            links.windows(2).for_each(|n| w.attr(n[0], "next", n[1]));
            match head {
                0 => {
                    let m = w.module("app");
                    w.attr(m, "head", links[0]);
                }
                1 => w.root(RootKind::Module, "app", links[0]),
                2 => w.root(RootKind::Frame, "main thread", links[0]),
                _ => w.root(RootKind::Stack, "", links[0]),
            }
            all.extend(links);
        }
        links.iter().for_each(|(from, to)| w.attr(*from.get(&all), "other", *to.get(&all)));
        w.snapshot()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]
    #[test]
    fn every_way_is_real_and_shortest(s in any_snapshot(16)) {
        ways_are_real_and_shortest(&s)?;
    }

    #[test]
    fn where_chains_cross_the_way_is_real_and_shortest(s in any_chains()) {
        ways_are_real_and_shortest(&s)?;
    }

    #[test]
    fn merged_rows_are_the_chains_one_by_one(s in any_snapshot(24)) {
        let (forest, dead) = grow(&s);
        let all: Vec<NodeId> = s.graph.nodes().collect();
        let limits = ChainLimits { per_object: 1, rows: usize::MAX };
        let got = chains(&s, &forest, None, &dead, &all, limits, &Silent).unwrap();
        let rows: BTreeMap<Vec<StepKey>, u64> =
            got.rows.iter().map(|r| (r.steps.iter().map(|k| k.key(&s)).collect(), r.count)).collect();
        prop_assert_eq!(rows.len(), got.rows.len(), "no two rows read the same");
        prop_assert_eq!(rows, one_by_one(&s, &forest));
        let reached = got.rows.iter().map(|r| r.count).sum::<u64>();
        prop_assert_eq!(reached + got.garbage + got.unexplained, got.targets);
        for r in &got.rows {
            prop_assert_eq!(r.steps.last().unwrap().node, r.example);
        }
    }

    #[test]
    fn every_further_chain_is_a_real_way(s in any_snapshot(12)) {
        for n in s.graph.nodes() {
            let got = ask(&s, &[n], 4);
            prop_assert!(got.rows.len() <= 4);
            for row in &got.rows {
                prop_assert!(is_way(&s, row, n), "{:?}", row);
            }
        }
    }
}

/// Whether each step of the row follows from the one before, over one reference, two where
/// a dictionary or a closure was left out, three where both were.
fn is_way(s: &Snapshot, row: &MergedChain, target: NodeId) -> bool {
    fn leads(s: &Snapshot, n: NodeId, to: NodeId, most: usize) -> bool {
        let mut strong = s.graph.edges(n).filter(|e| e.is_strong());
        strong.any(|e| e.target == to || (most > 1 && leads(s, e.target, to, most - 1)))
    }
    let follows = |w: &[Step]| {
        let most = if w[1].kind == StepKind::Closure { 3 } else { 2 };
        w[1].times > 1 || leads(s, w[0].node, w[1].node, most)
    };
    row.steps.last().is_some_and(|l| l.node == target) && row.steps.windows(2).all(follows)
}

#[test]
fn a_cache_in_a_module_reads_as_the_contract_says() {
    for form in [Form::Inline, Form::Dict] {
        let mut w = World::new(form);
        let (m, cache, list) = (w.module("requests.adapters"), w.new_object("dict"), w.new_object("list"));
        w.attr(m, "_cache", cache);
        w.value(cache, 0, list);
        let made: Vec<NodeId> = (0..347).map(|_| w.new_object("app.Class")).collect();
        made.iter().enumerate().for_each(|(i, &n)| w.item(list, i as u32, n));
        let s = w.snapshot();
        let got = ask(&s, &made, 3);
        assert_eq!(texts(&s, &got), [(347, "requests.adapters._cache[…] → list → Class".to_string())]);
        assert_eq!((got.targets, got.bytes, got.garbage, got.unexplained), (347, 347 * 64, 0, 0));
        let kinds: Vec<&str> = got.rows[0].steps.iter().map(|s| s.kind.name()).collect();
        assert_eq!(kinds, ["module", "attr", "key", "item"]);
    }
}

#[test]
fn keys_by_name_are_one_row_when_they_are_many() {
    for (keys, rows) in [(2, 2), (3, 1), (40, 1)] {
        let mut w = World::new(Form::Inline);
        let (m, cache) = (w.module("app"), w.new_object("dict"));
        w.attr(m, "users", cache);
        let made: Vec<NodeId> = (0..keys).map(|_| w.new_object("app.User")).collect();
        made.iter().enumerate().for_each(|(i, &n)| w.key(cache, &format!("user{i}"), n));
        let s = w.snapshot();
        let got = ask(&s, &made, 1);
        assert_eq!(got.rows.len(), rows);
        assert_eq!(got.rows.iter().map(|r| r.count).sum::<u64>(), keys as u64);
        let expected = if rows == 1 { "app.users[…] → User" } else { "app.users['user0'] → User" };
        assert_eq!(text(&s, &got.rows[0]), expected);
    }
}

#[test]
fn a_module_is_told_before_the_frame_that_runs_in_it() {
    let mut w = World::new(Form::Inline);
    let m = w.module("__main__");
    let a = w.new_object("app.A");
    w.attr(m, "a", a);
    w.root(RootKind::Frame, "main thread · <module> · globals", NodeId(m.0 + 1));
    w.root(RootKind::Stack, "", a);
    let s = w.snapshot();
    assert_eq!(texts(&s, &ask(&s, &[a], 1)), [(1, "__main__.a → A".to_string())]);
}

#[test]
fn two_holders_are_two_rows_each_by_its_own_way() {
    let mut w = World::new(Form::Dict);
    let (m, list, session) = (w.module("app"), w.new_object("list"), w.new_object("app.Session"));
    let a = w.new_object("app.A");
    w.attr(m, "pending", list);
    w.attr(m, "session", session);
    w.item(list, 5, a);
    w.attr(session, "current", a);
    let s = w.snapshot();
    let rows: BTreeSet<String> = texts(&s, &ask(&s, &[a], 3)).into_iter().map(|r| r.1).collect();
    let expected = ["app.pending[5] → A", "app.session.current → A"];
    assert_eq!(rows, expected.map(String::from).into());
}

#[test]
fn two_ways_that_read_the_same_count_an_object_once() {
    let mut w = World::new(Form::Inline);
    let (m, all, a) = (w.module("app"), w.new_object("list"), w.new_object("app.A"));
    w.attr(m, "batches", all);
    for i in 0..2 {
        let batch = w.new_object("list");
        w.item(all, i, batch);
        w.item(batch, 0, a);
    }
    let s = w.snapshot();
    let got = ask(&s, &[a], 3);
    assert_eq!((got.rows.len(), got.rows[0].count), (1, 1));
}

#[test]
fn holders_of_the_only_container_are_told_too() {
    let mut w = World::new(Form::Inline);
    let (m, list, a) = (w.module("app"), w.new_object("list"), w.new_object("app.A"));
    w.attr(m, "pending", list);
    w.item(list, 0, a);
    let job = w.new_object("app.Job");
    w.attr(job, "queue", list);
    w.root(RootKind::Atexit, "atexit callback", job);
    let s = w.snapshot();
    let rows: BTreeSet<String> = texts(&s, &ask(&s, &[a], 3)).into_iter().map(|r| r.1).collect();
    let expected = ["app.pending[0] → A", "<atexit atexit callback>.queue[0] → A"];
    assert_eq!(rows, expected.map(String::from).into());
}

#[test]
fn a_linked_list_is_one_row_however_long() {
    for form in [Form::Inline, Form::Dict] {
        let mut w = World::new(form);
        let m = w.module("app");
        let nodes: Vec<NodeId> = (0..1000).map(|_| w.new_object("app.Node")).collect();
        w.attr(m, "head", nodes[0]);
        nodes.windows(2).for_each(|n| w.attr(n[0], "next", n[1]));
        nodes.windows(2).for_each(|n| w.attr(n[1], "prev", n[0]));
        let s = w.snapshot();
        let got = texts(&s, &ask(&s, &nodes, 3));
        assert_eq!(got[0], (997, "app.head.next×3 → Node".to_string()));
        assert_eq!(got.len(), 4, "the first three are near enough to be told apart");
    }
}

#[test]
fn what_nothing_reaches_is_garbage_or_held_by_native_code() {
    let mut w = World::new(Form::Inline);
    let (g, n, held) = (w.new_object("app.A"), w.new_object("app.A"), w.new_object("app.A"));
    w.attr(g, "me", g);
    w.extra(n, 2);
    w.attr(n, "x", held);
    // A count that is too low: alive, but nobody can say why.
    let odd = w.new_object("app.A");
    w.attr(odd, "me", odd);
    w.attr(odd, "again", odd);
    w.extra(odd, -1);
    let s = w.snapshot();
    let got = ask(&s, &[g, n, held, odd], 3);
    let expected = [(1, "<native> → A".to_string()), (1, "<native>.x → A".to_string())];
    assert_eq!(texts(&s, &got), expected);
    assert_eq!((got.targets, got.garbage, got.unexplained), (4, 1, 1));
}

#[test]
fn exact_ways_are_told_before_guesses_and_weak_ones_never() {
    let mut w = World::new(Form::Inline);
    let (m, a, far) = (w.module("app"), w.new_object("app.A"), w.new_object("app.B"));
    let opaque = w.new_object("ext.Opaque");
    w.attr(m, "opaque", opaque);
    w.guess(opaque, a);
    w.attr(m, "far", far);
    w.attr(far, "a", a);
    let weak = w.new_object("app.C");
    w.plain(opaque, EdgeKind::Weak, weak);
    let s = w.snapshot();
    assert_eq!(texts(&s, &ask(&s, &[a], 1)), [(1, "app.far.a → A".to_string())]);
    let got = ask(&s, &[weak], 3);
    assert_eq!((got.rows.len(), got.unexplained), (0, 1));
}

#[test]
fn names_of_frames_functions_and_classes_stand_in_the_text() {
    let mut w = World::new(Form::Inline);
    let (frame, class, f) = (w.new_object("frame"), w.class_object("app.Registry"), w.new_object("function"));
    w.name(frame, "app.main");
    w.root(RootKind::Frame, "main thread · running frame", frame);
    w.local(frame, "cls", class);
    w.attr(class, "made", f);
    w.name(f, "app.make");
    let a = w.new_object("app.A");
    w.closure(f, "kept", a);
    w.flags(a, Flags::GC_TRACKED);
    let s = w.snapshot();
    let expected = "<frame main thread · running frame> → frame app.main local cls → class app.Registry\
                    .made closure kept → cell kept cell → A";
    assert_eq!(texts(&s, &ask(&s, &[a], 1)), [(1, expected.to_string())]);
}
