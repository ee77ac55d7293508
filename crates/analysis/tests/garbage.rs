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

/// The collector retold with maps and no haste.
struct Twin<'a>(&'a Snapshot);

impl Twin<'_> {
    fn exact(&self, n: NodeId) -> impl Iterator<Item = Edge> {
        self.0.graph.edges(n).filter(|e| e.is_strong() && e.certainty != Certainty::Conservative)
    }

    fn strong_to(&self, n: NodeId) -> impl Iterator<Item = Edge> {
        let g = &self.0.graph;
        g.nodes().flat_map(|m| g.edges(m)).filter(move |e| e.is_strong() && e.target == n)
    }

    fn guessed(&self, n: NodeId) -> u64 {
        self.strong_to(n).filter(|e| e.certainty == Certainty::Conservative).count() as u64
    }

    fn roots(&self, n: NodeId, kinds: impl Fn(RootKind) -> bool) -> u64 {
        self.0.roots.iter().filter(|r| r.node == n && kinds(r.kind)).count() as u64
    }

    fn pinned(&self, n: NodeId) -> bool {
        let found = self.strong_to(n).count() as u64 - self.guessed(n);
        let rooted = self.roots(n, |kind| kind != RootKind::Stack) > 0;
        rooted || self.0.graph.refcount(n).is_none_or(|r| r < found)
    }

    fn excess(&self, n: NodeId) -> bool {
        use RootKind::*;
        let roots = self.roots(n, |kind| !matches!(kind, Module | Immortal | Interned | Native));
        self.0.graph.refcount(n).is_some_and(|r| r > self.strong_to(n).count() as u64 + roots)
    }

    /// `update_refs`, `subtract_refs`.
    fn gc_refs(&self) -> HashMap<NodeId, i64> {
        let g = &self.0.graph;
        let tracked = |n: NodeId| g.flags(n).has(Flags::GC_TRACKED) && !g.flags(n).has(Flags::FROZEN);
        let candidates = g.nodes().filter(|&n| tracked(n) && g.refcount(n) != Some(0));
        let mut refs: HashMap<NodeId, i64> = candidates.map(|n| (n, g.refcount(n).unwrap_or(1) as i64)).collect();
        for n in refs.keys().copied().collect::<Vec<_>>() {
            self.exact(n).for_each(|e| _ = refs.entry(e.target).and_modify(|r| *r -= 1));
        }
        refs
    }

    /// `move_unreachable`, and then what falls.
    fn dead(&self) -> BTreeSet<NodeId> {
        let g = &self.0.graph;
        let refs = self.gc_refs();
        let left_over = |n: NodeId| refs.get(&n).is_some_and(|&r| r > 0);
        let frozen = |n: NodeId| g.flags(n).has(Flags::FROZEN);
        let seed = |n: &NodeId| self.pinned(*n) || left_over(*n) || frozen(*n) || self.excess(*n);
        let mut alive: BTreeSet<NodeId> = g.nodes().filter(seed).collect();
        let mut before = 0;
        while alive.len() > before {
            before = alive.len();
            let edges = alive.iter().flat_map(|&n| g.edges(n)).filter(|e| e.is_strong());
            let reached: Vec<NodeId> = edges.map(|e| e.target).collect();
            alive.extend(reached);
        }
        let mut dead: BTreeSet<NodeId> = refs.into_keys().filter(|n| !alive.contains(n)).collect();
        let mut before = usize::MAX;
        while dead.len() != before {
            before = dead.len();
            let by_dead = |n: NodeId| dead.iter().flat_map(|&d| self.exact(d)).filter(|e| e.target == n).count() as u64;
            let falls = |n: &NodeId| by_dead(*n) > 0 && g.refcount(*n) == Some(by_dead(*n));
            let safe = |n: &NodeId| self.pinned(*n) || self.guessed(*n) > 0;
            let more: Vec<NodeId> = g.nodes().filter(|n| falls(n) && !safe(n)).collect();
            dead.extend(more);
        }
        dead
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]
    #[test]
    fn agrees_with_the_literal_algorithm(s in any_snapshot(14)) {
        let fast: BTreeSet<NodeId> = find(&s).dead.iter().collect();
        prop_assert_eq!(fast, Twin(&s).dead());
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
    for holder in 0..7 {
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
            // Native code holds something in no list, and that may hold the pair.
            5 => {
                let opaque = w.new_object("ext.Opaque");
                w.untracked(opaque);
                w.extra(opaque, 1);
                w.guess(opaque, a);
                w.extra(a, -1);
            }
            _ => w.extra(a, -1),
        }
        let g = find(&w.snapshot());
        assert_eq!(g.objects, 0, "holder {holder}");
        assert_eq!(g.deficits, (holder == 6) as u64);
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
