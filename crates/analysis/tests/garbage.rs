//! The collector's algorithm against a literal retelling of it, and what a user
//! relies on: nothing that lives is called dead.
#![allow(missing_docs)]

mod world;

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;
use undying_analysis::{Garbage, garbage, refcounts};
use undying_graph::{Certainty, Edge, Flags, NodeId, RootKind, Silent, Snapshot};
use world::{Form, World, any_snapshot};

fn find(s: &Snapshot) -> Garbage {
    let counts = refcounts(s, &Silent).unwrap();
    garbage(s, &counts, &Silent).unwrap()
}

/// `update_refs`, `subtract_refs`, `move_unreachable`, with maps and no haste.
fn naive(s: &Snapshot) -> BTreeSet<NodeId> {
    let g = &s.graph;
    let exact = |n: NodeId| g.edges(n).filter(|e| e.is_strong() && e.certainty != Certainty::Conservative);
    let candidate = |n: NodeId| {
        let f = g.flags(n);
        f.has(Flags::GC_TRACKED) && !f.has(Flags::FROZEN) && g.refcount(n) != Some(0)
    };
    let candidates: BTreeSet<NodeId> = g.nodes().filter(|&n| candidate(n)).collect();
    let mut gc_refs: HashMap<NodeId, i64> =
        candidates.iter().map(|&n| (n, g.refcount(n).unwrap_or(1) as i64)).collect();
    for &n in &candidates {
        exact(n).for_each(|e| _ = gc_refs.entry(e.target).and_modify(|r| *r -= 1));
    }
    let found = |n: NodeId| g.nodes().flat_map(exact).filter(|e| e.target == n).count() as u64;
    let rooted = |n: NodeId| s.roots.iter().any(|r| r.node == n && r.kind != RootKind::Stack);
    let pinned = |n: NodeId| match g.refcount(n) {
        None => true,
        Some(r) => rooted(n) || r < found(n),
    };
    let counts = |kind| !matches!(kind, RootKind::Module | RootKind::Immortal | RootKind::Interned | RootKind::Native);
    let excess = |n: NodeId| {
        let edges = g.nodes().flat_map(|m| g.edges(m)).filter(|e| e.is_strong() && e.target == n).count();
        let roots = s.roots.iter().filter(|r| r.node == n && counts(r.kind)).count();
        g.refcount(n).is_some_and(|r| r > (edges + roots) as u64)
    };
    let frozen = |n: NodeId| g.flags(n).has(Flags::FROZEN);
    let left_over = |n: NodeId| gc_refs.get(&n).is_some_and(|&r| r > 0);
    let seed = |n: &NodeId| pinned(*n) || left_over(*n) || frozen(*n) || excess(*n);
    let mut alive: BTreeSet<NodeId> = g.nodes().filter(seed).collect();
    loop {
        let reached: BTreeSet<NodeId> =
            alive.iter().flat_map(|&n| g.edges(n)).filter(|e| e.is_strong()).map(|e| e.target).collect();
        let before = alive.len();
        alive.extend(reached);
        if alive.len() == before {
            break;
        }
    }
    let mut dead: BTreeSet<NodeId> = candidates.difference(&alive).copied().collect();
    loop {
        let held_by_dead = |n: NodeId| dead.iter().flat_map(|&d| exact(d)).filter(|e| e.target == n).count() as u64;
        let guessed = |n: NodeId| {
            let guess = |e: &Edge| e.is_strong() && e.certainty == Certainty::Conservative && e.target == n;
            g.nodes().flat_map(|m| g.edges(m)).any(|e| guess(&e))
        };
        let falls = |n: NodeId| {
            !dead.contains(&n)
                && !pinned(n)
                && !guessed(n)
                && held_by_dead(n) > 0
                && g.refcount(n) == Some(held_by_dead(n))
        };
        let more: Vec<NodeId> = g.nodes().filter(|&n| falls(n)).collect();
        if more.is_empty() {
            return dead;
        }
        dead.extend(more);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn agrees_with_the_literal_algorithm(s in any_snapshot(14)) {
        let fast: BTreeSet<NodeId> = find(&s).dead.iter().collect();
        prop_assert_eq!(fast, naive(&s));
    }

    #[test]
    fn the_sums_are_those_of_the_dead(s in any_snapshot(40)) {
        let g = find(&s);
        prop_assert_eq!(g.objects, g.dead.len() as u64);
        prop_assert_eq!(g.bytes, g.dead.iter().map(|n| s.graph.shallow_bytes(n)).sum::<u64>());
        prop_assert_eq!(g.tracked, g.dead.iter().filter(|&n| s.graph.flags(n).has(Flags::GC_TRACKED)).count() as u64);
    }
}

#[test]
fn a_dropped_pair_is_dead_and_takes_along_what_only_it_holds() {
    let mut w = World::new(Form::Dict);
    let (a, b) = (w.new_object("__main__.LeakTest"), w.new_object("__main__.LeakTest"));
    w.attr(a, "b", b);
    w.attr(b, "a", a);
    let (own, shared) = (w.string(), w.string());
    w.attr(a, "text", own);
    w.attr(a, "shared", shared);
    let main = w.module("__main__");
    w.attr(main, "shared", shared);
    let g = find(&w.snapshot());
    assert_eq!(g.objects, 5, "two objects, their dictionaries, one string");
    assert!(g.dead.contains(own) && !g.dead.contains(shared) && !g.dead.contains(main));
}

#[test]
fn a_pair_is_alive_when_anything_holds_it() {
    for holder in 0..6 {
        let mut w = World::new(Form::Inline);
        let (a, b) = (w.new_object("app.A"), w.new_object("app.A"));
        w.attr(a, "b", b);
        w.attr(b, "a", a);
        match holder {
            0 => w.extra(b, 1),
            1 => w.root(RootKind::Frame, "main thread · f · local x", a),
            2 => w.immortal(a),
            3 => {
                let list = w.new_object("list");
                w.flags(list, Flags::GC_TRACKED.with(Flags::FROZEN, true));
                w.item(list, 0, a);
            }
            // A guess is never subtracted.
            4 => w.guess(b, a),
            _ => w.extra(a, -1),
        }
        let g = find(&w.snapshot());
        assert_eq!(g.objects, 0, "holder {holder}");
        assert_eq!(g.deficits, (holder == 5) as u64);
    }
}

#[test]
fn a_stale_word_on_a_stack_does_not_hide_a_cycle() {
    let mut w = World::new(Form::Inline);
    let a = w.new_object("app.A");
    w.attr(a, "me", a);
    w.root(RootKind::Stack, "", a);
    w.extra(a, -1);
    assert_eq!(find(&w.snapshot()).objects, 1);
}
