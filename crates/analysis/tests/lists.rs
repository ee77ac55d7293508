//! Lists of classes, and what a person may ask for.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use undying_analysis::{Answer, Intermediates, Query, Selected, TopBy, answer, histogram, ledgers, refcounts, select};
use undying_graph::{Flags, NodeId, RootKind, Silent, Snapshot};
use world::{Form, World, any_snapshot};

proptest! {
    #[test]
    fn the_histogram_counts_every_object_once(s in any_snapshot(60)) {
        let mut twin: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for n in s.graph.nodes() {
            let sum = twin.entry(s.type_name(n)).or_default();
            *sum = (sum.0 + 1, sum.1 + s.graph.shallow_bytes(n));
        }
        let h = histogram(&s);
        let name = |t: undying_graph::TypeId| s.text(s.types[t.index()].name);
        let rows: BTreeMap<&str, (u64, u64)> =
            h.rows.iter().map(|r| (name(r.type_id), (r.count, r.shallow_bytes))).collect();
        prop_assert_eq!(&rows, &twin);
        prop_assert_eq!(h.objects as usize, s.graph.len());
        prop_assert!(h.rows.windows(2).all(|w| w[0].shallow_bytes >= w[1].shallow_bytes));
        let top = answer(&s, &Query::Top { by: TopBy::Type }, &mut Intermediates::default(), &Silent).unwrap();
        prop_assert_eq!(top, Answer::Top(h));
    }

    #[test]
    fn every_mortal_object_is_in_one_class_of_counts(s in any_snapshot(30)) {
        let t = refcounts(&s, &Silent).unwrap().totals;
        let mortal = s.graph.nodes().filter(|&n| s.graph.refcount(n).is_some()).count() as u64;
        prop_assert_eq!(t.mortal, mortal);
        prop_assert_eq!(t.exact + t.guessed + t.excess + t.deficit + t.zero, mortal);
    }
}

fn audited() -> Snapshot {
    let mut w = World::new(Form::Inline);
    let all: Vec<NodeId> = (0..8).map(|_| w.new_object("app.A")).collect();
    w.attr(all[0], "x", all[1]);
    w.root(RootKind::Frame, "", all[0]);
    w.guess(all[1], all[2]);
    w.attr(all[1], "y", all[3]);
    w.extra(all[3], 2);
    w.attr(all[1], "z", all[4]);
    w.attr(all[0], "z", all[4]);
    w.extra(all[4], -1);
    w.immortal(all[5]);
    // 3.11's count of an object laid out by the interpreter.
    w.extra(all[6], 999_999_999);
    w.flags(all[7], Flags::default());
    w.snapshot()
}

#[test]
fn counts_are_told_apart() {
    let t = refcounts(&audited(), &Silent).unwrap().totals;
    assert_eq!((t.mortal, t.exact, t.guessed), (6, 1, 2), "a frame explains one, a guess another");
    assert_eq!((t.excess, t.excess_references, t.deficit, t.zero), (1, 2, 1, 1));
}

#[test]
fn what_is_not_known_is_not_zero() {
    let mut s = audited();
    let make = |s: &Snapshot| {
        let counts = refcounts(s, &Silent).unwrap();
        let dead = undying_analysis::garbage(s, &counts, &Silent).unwrap();
        ledgers(s, &histogram(s), &counts, &dead)
    };
    assert_eq!((make(&s).bytes.resident, make(&s).bytes.not_objects), (None, None));
    s.facts.resident_bytes = 10_000;
    let bytes = make(&s).bytes;
    assert_eq!((bytes.resident, bytes.shallow, bytes.not_objects), (Some(10_000), 8 * 64, Some(10_000 - 8 * 64)));
}

#[test]
fn a_name_an_address_or_nothing() {
    let mut w = World::new(Form::Inline);
    let (a, b) = (w.new_object("pkg.mod.Session"), w.new_object("other.Session"));
    w.new_object("other.BigSession");
    let s = w.snapshot();
    let nodes = |what: &str| match select(&s, what) {
        Selected::Object(n) => vec![n],
        Selected::Instances(_, nodes) => nodes,
        Selected::Nothing(_) => Vec::new(),
    };
    assert_eq!(nodes("pkg.mod.Session"), [a]);
    assert_eq!(nodes("mod.Session"), [a]);
    assert_eq!(nodes("Session"), [a, b]);
    let address = s.graph.address(b);
    assert_eq!(nodes(&format!("{address:#x}")), [b]);
    assert_eq!(nodes(&address.to_string()), [b]);
    for nothing in ["ession", "0x3", "", ".Session", "0xzz", "99999999999999999999999"] {
        assert_eq!(nodes(nothing), [], "{nothing:?}");
    }
    let Selected::Nothing(near) = select(&s, "bigsess") else { panic!("found") };
    assert_eq!(near.len(), 1, "the name that comes near is offered");
}
