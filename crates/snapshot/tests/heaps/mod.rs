//! Random heaps for the tests, written through any sink, and compared row by row.
#![allow(dead_code)] // each test file uses its own part

use std::io;
use std::path::Path;

use proptest::prelude::*;
use undying_graph::*;
use undying_snapshot::{Summary, Writer};

/// A reference, its label as text.
#[derive(Clone, Debug)]
pub struct Link {
    pub target: u32,
    pub kind: EdgeKind,
    pub certainty: Certainty,
    pub label: Option<String>,
    pub index: Option<u32>,
}

/// An object and what it holds.
#[derive(Clone, Debug)]
pub struct Thing {
    pub row: ObjectRow,
    pub links: Vec<Link>,
    /// Those that no traversal confirms.
    pub untraversed: Vec<Link>,
}

/// Name, object, sizes, file, origin, whether collected, whether finalized.
pub type Class = (String, Option<u32>, u64, u64, String, Origin, bool, bool);

/// All that a capture tells a sink, names as text.
#[derive(Clone, Debug, Default)]
pub struct Heap {
    pub things: Vec<Thing>,
    pub types: Vec<Class>,
    pub roots: Vec<(u32, RootKind, String)>,
    pub named: Vec<(u32, String, String, u32)>,
    pub regions: Vec<RegionRow>,
    pub births: Option<Recorded>,
    pub wrappers: Vec<Wrapper>,
    pub facts: Facts,
}

/// Object, tool, native type, address, what is known of it, the file.
pub type Wrapper = (u32, WrapperSystem, String, u64, Known, String);

/// Owned, destructor, holder, bytes, pointers.
pub type Known = (Option<bool>, Option<bool>, Option<bool>, Option<u64>, Option<u32>);

/// File, function, line, caller.
pub type Place = (String, String, u32, Option<u32>);

/// Class, its number, place, dead by count and by the collector.
pub type Dead = (String, Option<u32>, Option<u32>, u64, u64);

/// Births, names as text.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub recorder: Recorder,
    pub places: Vec<Place>,
    /// Object and place.
    pub living: Vec<(u32, u32)>,
    /// Whether each has an epoch.
    pub epochs: bool,
    pub dead: Vec<Dead>,
    pub checkpoints: Vec<(String, u32)>,
}

impl Recorded {
    fn tell(&self, sink: &mut dyn Sink) -> Births {
        let mut births = Births::new(self.recorder);
        (births.sample_bytes, births.lost, births.epoch) = (self.places.len() as u64, 3, 7);
        for (file, function, line, parent) in &self.places {
            let (file, function) = (sink.label(file), sink.label(function));
            births.places.push(PlaceRow { file, function, line: *line, parent: *parent });
        }
        for (node, place) in &self.living {
            births.push(NodeId(*node), *place, self.epochs.then_some(node % 3));
        }
        for (class, type_id, place, by_count, by_collector) in &self.dead {
            let (class, type_id, place) = (sink.label(class), type_id.map(TypeId), *place);
            births.deaths.push(DeathRow { class, type_id, place, by_count: *by_count, by_collector: *by_collector });
        }
        for (name, epoch) in &self.checkpoints {
            births.checkpoints.push(CheckpointRow { name: sink.label(name), epoch: *epoch, at: 1.5 });
        }
        births
    }
}

fn edges(links: &[Link], sink: &mut dyn Sink) -> Vec<Edge> {
    let detail = |l: &Link, sink: &mut dyn Sink| match (&l.label, l.index) {
        (Some(text), _) => Detail::Label(sink.label(text)),
        (None, Some(i)) => Detail::Index(i),
        (None, None) => Detail::None,
    };
    let edge = |l: &Link, sink: &mut dyn Sink| Edge {
        target: NodeId(l.target),
        kind: l.kind,
        certainty: l.certainty,
        detail: detail(l, sink),
    };
    links.iter().map(|l| edge(l, sink)).collect()
}

impl Heap {
    /// Tells it to a sink.
    pub fn tell(&self, sink: &mut dyn Sink) -> io::Result<()> {
        sink.begin(self.things.len())?;
        for thing in &self.things {
            let (edges, untraversed) = (edges(&thing.links, sink), edges(&thing.untraversed, sink));
            sink.object_with_untraversed(&thing.row, &edges, &untraversed)?;
        }
        let mut tail = Tail { regions: self.regions.clone(), facts: self.facts.clone(), ..Tail::default() };
        for (name, object, basic_bytes, item_bytes, file, origin, has_gc, has_del) in &self.types {
            tail.types.push(TypeRow {
                name: sink.label(name),
                object: object.map(NodeId),
                basic_bytes: *basic_bytes,
                item_bytes: *item_bytes,
                module_file: sink.label(file),
                origin: *origin,
                has_gc: *has_gc,
                has_del: *has_del,
            });
        }
        for (node, kind, label) in &self.roots {
            tail.roots.push(Root { node: NodeId(*node), kind: *kind, label: sink.label(label) });
        }
        for (node, name, file, line) in &self.named {
            let (name, file) = (sink.label(name), sink.label(file));
            tail.named.push(NamedRow { node: NodeId(*node), name, file, line: *line });
        }
        tail.births = self.births.as_ref().map(|b| b.tell(sink));
        for (node, system, native_type, native_address, known, file) in &self.wrappers {
            tail.wrappers.push(WrapperRow {
                node: NodeId(*node),
                system: *system,
                native_type: sink.label(native_type),
                native_address: *native_address,
                owned: known.0,
                destructor: known.1,
                holder: known.2,
                native_bytes: known.3,
                pointers: known.4,
                module_file: sink.label(file),
            });
        }
        sink.finish(tail)
    }

    /// In memory: what a file must read back as.
    pub fn build(&self) -> Snapshot {
        let mut builder = Builder::new();
        self.tell(&mut builder).unwrap();
        builder.build()
    }

    /// On disk.
    pub fn write(&self, dest: &Path) -> Summary {
        let mut writer = Writer::create(dest, false, "0.0.0-test").unwrap();
        self.tell(&mut writer).unwrap();
        writer.commit().unwrap()
    }
}

/// Whether two snapshots say the same, whatever numbers their labels have.
pub fn same(a: &Snapshot, b: &Snapshot) {
    assert_eq!((a.graph.len(), a.graph.edge_count()), (b.graph.len(), b.graph.edge_count()));
    for n in a.graph.nodes() {
        assert_eq!(a.graph.row(n), b.graph.row(n), "{n:?}");
        assert_eq!(a.graph.edges(n).len(), b.graph.edges(n).len(), "{n:?}");
        for (x, y) in a.graph.edges(n).zip(b.graph.edges(n)) {
            assert_eq!((x.target, x.kind, x.certainty), (y.target, y.kind, y.certainty), "{n:?}");
            match (x.detail, y.detail) {
                (Detail::Label(p), Detail::Label(q)) => assert_eq!(a.text(p), b.text(q)),
                (p, q) => assert_eq!(p, q),
            }
        }
    }
    let types = |s: &Snapshot| -> Vec<_> {
        let row = |t: &TypeRow| {
            let texts = (s.text(t.name).to_string(), s.text(t.module_file).to_string());
            (texts, t.object, t.basic_bytes, t.item_bytes, t.origin, t.has_gc, t.has_del)
        };
        s.types.iter().map(row).collect()
    };
    assert_eq!(types(a), types(b));
    let roots =
        |s: &Snapshot| -> Vec<_> { s.roots.iter().map(|r| (r.node, r.kind, s.text(r.label).to_string())).collect() };
    assert_eq!(roots(a), roots(b));
    let named = |s: &Snapshot| -> Vec<_> {
        s.named.iter().map(|r| (r.node, s.text(r.name).to_string(), s.text(r.file).to_string(), r.line)).collect()
    };
    assert_eq!(named(a), named(b));
    assert_eq!((&a.regions, &a.facts), (&b.regions, &b.facts));
    assert_eq!(recorded(a), recorded(b));
    let wrappers = |s: &Snapshot| -> Vec<_> {
        let row = |w: &WrapperRow| {
            let texts = (s.text(w.native_type).to_string(), s.text(w.module_file).to_string());
            let known = (w.owned, w.destructor, w.holder, w.native_bytes, w.pointers);
            (w.node, w.system, texts, w.native_address, known)
        };
        s.wrappers.iter().map(row).collect()
    };
    assert_eq!(wrappers(a), wrappers(b));
}

/// All that is said of births.
fn recorded(s: &Snapshot) -> Option<impl PartialEq + std::fmt::Debug> {
    let births = s.births.as_ref()?;
    let place = |p: &PlaceRow| (s.text(p.file).to_string(), s.text(p.function).to_string(), p.line, p.parent);
    let dead = |d: &DeathRow| (s.text(d.class).to_string(), d.type_id, d.place, d.by_count, d.by_collector);
    let moment = |c: &CheckpointRow| (s.text(c.name).to_string(), c.epoch, c.at.to_bits());
    Some((
        (births.recorder, births.sample_bytes, births.lost, births.epoch),
        births.places.iter().map(place).collect::<Vec<_>>(),
        births.iter().collect::<Vec<_>>(),
        births.deaths.iter().map(dead).collect::<Vec<_>>(),
        births.checkpoints.iter().map(moment).collect::<Vec<_>>(),
    ))
}

/// Births of some of `objects`; now and then of one that is not there, at a place that is
/// not there.
fn births(objects: u32, types: u32) -> impl Strategy<Value = Recorded> {
    let place = (text(), text(), 0u32..9, prop::option::of(any::<prop::sample::Index>()));
    let number = |most: u32| prop_oneof![20 => 0..most, 1 => Just(most)];
    let dead = (text(), prop::option::of(number(types)), prop::option::of(0u32..6), amount(), amount());
    let living = prop::collection::btree_map(number(objects.max(1)), 0u32..6, 0..9);
    (
        prop::sample::select(Recorder::ALL.to_vec()),
        prop::collection::vec(place, 0..6),
        living,
        any::<bool>(),
        prop::collection::vec(dead, 0..4),
        prop::collection::vec((text(), any::<u32>()), 0..3),
    )
        .prop_map(|(recorder, places, living, epochs, dead, checkpoints)| {
            let caller = |i: usize, at: Option<prop::sample::Index>| at.map(|at| at.index(i + 1) as u32);
            let places = places
                .into_iter()
                .enumerate()
                .map(|(i, (file, function, line, at))| (file, function, line, caller(i, at)));
            let (places, living) = (places.collect(), living.into_iter().collect());
            Recorded { recorder, places, living, epochs, dead, checkpoints }
        })
}

/// What some of `objects` stand for; now and then one that is not there.
fn wrappers(objects: u32) -> impl Strategy<Value = Vec<Wrapper>> {
    let bool = || prop::option::of(any::<bool>());
    let known = (bool(), bool(), bool(), prop::option::of(amount()), prop::option::of(any::<u32>()));
    let system = prop::sample::select(WrapperSystem::ALL.to_vec());
    let node = prop_oneof![20 => 0..objects.max(1), 1 => Just(objects)];
    prop::collection::btree_map(node, (system, text(), amount(), known, text()), 0..6).prop_map(|rows| {
        let row =
            |(node, (system, native_type, address, known, file))| (node, system, native_type, address, known, file);
        rows.into_iter().map(row).collect()
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["x", "name", "__dict__", "a.b.C", "ключ", "鍵", "🗝\u{200d}", "e\u{301}", "\0", ""])
            .prop_map(String::from),
        1 => any::<String>(),
    ]
}

/// Small numbers, and the extremes of a column.
fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0u64..200,
        1 => any::<u64>(),
        1 => prop::sample::select(vec![u32::MAX as u64 - 1, u32::MAX as u64, 1 << 32, i64::MAX as u64, u64::MAX]),
    ]
}

fn link(objects: u32) -> impl Strategy<Value = Link> {
    let index = prop_oneof![3 => Just(None), 3 => (0u32..9).prop_map(Some), 1 => any::<u32>().prop_map(Some)];
    let kind = prop::sample::select(EdgeKind::ALL.to_vec());
    let certainty = prop::sample::select(Certainty::ALL.to_vec());
    // One past the end now and then: a reference to an object that never comes.
    let target = prop_oneof![20 => 0..objects, 1 => objects..objects + 2];
    (target, kind, certainty, prop::option::of(text()), index)
        .prop_map(|(target, kind, certainty, label, index)| Link { target, kind, certainty, label, index })
}

fn thing(objects: u32, types: u32) -> impl Strategy<Value = (u64, Thing)> {
    let links = prop::collection::vec(link(objects), 0..6);
    let untraversed = prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(link(objects), 1..3)];
    (amount(), 0..types, amount(), prop::option::of(amount()), any::<u8>(), links, untraversed).prop_map(
        |(step, type_id, shallow_bytes, refcount, flags, links, untraversed)| {
            let row = ObjectRow { address: 0, type_id: TypeId(type_id), shallow_bytes, refcount, flags: Flags(flags) };
            (step, Thing { row, links, untraversed })
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    (0u32..1 << 31, text(), any::<bool>(), prop::option::of(any::<bool>()), prop::collection::vec(any::<i64>(), 0..3))
        .prop_map(|(at, program, at_rest, gc_enabled, gc_counts)| Facts {
            captured_at: at as f64 + 0.25,
            paused_seconds: 0.5,
            python: "3.12.1".into(),
            program,
            at_rest,
            gc_enabled,
            gc_counts,
            defects: [("torn".to_string(), at as u64)].into(),
            ..Facts::default()
        })
}

fn region() -> impl Strategy<Value = RegionRow> {
    (any::<u64>(), any::<u64>(), text(), amount(), text(), prop::option::of(amount())).prop_map(
        |(start, end, path, offset, claim, resident_bytes)| RegionRow {
            start,
            end,
            permissions: "rw-p".into(),
            offset,
            path,
            resident_bytes,
            claim,
        },
    )
}

/// Any heap of at most `most` objects.
pub fn heap(most: u32) -> impl Strategy<Value = Heap> {
    (0..=most, 1u32..5).prop_flat_map(|(n, types)| {
        let ids = 0..n.max(1);
        let object = prop::option::of(0..n.max(1)).prop_map(move |o| o.filter(|_| n > 0));
        let origin = prop::sample::select(Origin::ALL.to_vec());
        let class = (text(), object, amount(), amount(), text(), origin, any::<bool>(), any::<bool>());
        let root = (ids.clone(), prop::sample::select(RootKind::ALL.to_vec()), text());
        let named = (ids, text(), text(), any::<u32>());
        let few = if n == 0 { 0 } else { 5 };
        (
            prop::collection::vec(thing(n.max(1), types), n as usize),
            prop::collection::vec(class, types as usize),
            prop::collection::vec(root, 0..=few),
            prop::collection::vec(named, 0..=few),
            prop::collection::vec(region(), 0..3),
            facts(),
            (prop::option::of(births(n, types)), wrappers(n)),
        )
            .prop_map(|(steps, types, roots, mut named, regions, facts, (births, wrappers))| {
                let mut at = 0u64;
                let things = steps.into_iter().map(|(step, mut thing)| {
                    at = at.saturating_add(step).saturating_add(16);
                    thing.row.address = at;
                    thing
                });
                let things = things.collect();
                named.sort_by_key(|n| n.0);
                named.dedup_by_key(|n| n.0);
                Heap { things, types, roots, named, regions, births, wrappers, facts }
            })
    })
}

/// A number that looks random, from one that does not.
pub fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ n >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ n >> 32
}

/// A heap of many pages and row groups, of every habit: long lists, runs of one
/// type, objects that hold nothing, values too many for a dictionary.
pub fn large(objects: u32) -> Heap {
    let label = |n: u64| format!("name{}", n % 70_000);
    let thing = |i: u32| {
        let r = mix(i as u64);
        let links = match (i, r % 4) {
            (7, _) => (0..200_000).collect(),
            (_, 0) => vec![],
            (_, many) => (0..many as u32).collect::<Vec<_>>(),
        };
        let links = links.into_iter().map(|k| {
            let r = mix(r ^ (k as u64) << 40);
            Link {
                target: (r >> 8) as u32 % objects,
                kind: EdgeKind::ALL[r as usize % EdgeKind::ALL.len()],
                certainty: if i < 90_000 { Certainty::Exact } else { Certainty::ALL[r as usize >> 4 & 1] },
                label: (r & 3 == 0 && i > 1000).then(|| label(r >> 20)),
                index: (r & 3 == 1).then_some(k),
            }
        });
        let row = ObjectRow {
            address: 0x7f00_0000_0000 + 16 * i as u64 + ((i as u64 / 50_000) << 33),
            type_id: TypeId((r >> 50) as u32 % 300),
            shallow_bytes: if i > 100_000 { r >> 30 } else { 64 },
            refcount: (r % 100 > 3 || i < 70_000).then_some(r >> 60),
            flags: Flags((r >> 33) as u8 & 3),
        };
        Thing { row, links: links.collect(), untraversed: vec![] }
    };
    let class = |i: u32| (format!("m.T{i}"), Some(i), 16, 0, String::new(), Origin::Program, true, false);
    let births = Recorded {
        recorder: Recorder::Every,
        places: (0..5000u32).map(|i| ("f.py".into(), format!("f{}", i / 9), i, i.checked_sub(1 + i % 7))).collect(),
        living: (0..objects).filter(|i| i % 20 != 3).map(|i| (i, mix(i as u64) as u32 % 5000)).collect(),
        epochs: true,
        dead: Vec::new(),
        checkpoints: Vec::new(),
    };
    let (things, types) = ((0..objects).map(thing).collect(), (0..300).map(class).collect());
    Heap { things, types, births: Some(births), ..Heap::default() }
}
