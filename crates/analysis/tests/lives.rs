//! The ledger of lives against a count by hand: each object is alive once, each death
//! counted once, by class and by the line it was born at.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use undying_analysis::render::{Limits, render, told};
use undying_analysis::{Answer, Intermediates, LivesAnswer, Query, answer, garbage, ledgers, lives, refcounts};
use undying_graph::{Births, CheckpointRow, DeathRow, LabelId, NodeId, PlaceRow, Recorder, Silent, Snapshot};
use undying_report::{Style, write};
use world::{Form, World, any_snapshot};

/// Births of some objects at five places on three lines, in four epochs; some deaths.
fn recorded(s: &mut Snapshot, recorder: Recorder, choices: &[u8], dead: &[(u8, u8, u8, u8)]) {
    let mut births = Births::new(recorder);
    let file = s.labels.intern("/srv/app.py");
    for (line, parent) in [(1, None), (2, Some(0)), (3, Some(0)), (2, Some(2)), (3, None)] {
        births.places.push(PlaceRow { file, function: LabelId::NONE, line, parent });
    }
    for (n, choice) in s.graph.nodes().zip(choices).filter(|(_, c)| **c % 6 < 5) {
        births.push(n, u32::from(choice % 6), Some(u32::from(choice / 6 % 4)));
    }
    let names = [s.types.first().map_or(LabelId::NONE, |t| t.name), s.labels.intern("app.Gone")];
    for &(class, place, by_count, by_collector) in dead {
        births.deaths.push(DeathRow {
            class: names[usize::from(class % 2)],
            type_id: None,
            place: (place < 5).then_some(u32::from(place)),
            by_count: u64::from(by_count),
            by_collector: u64::from(by_collector),
        });
    }
    let name = s.labels.intern("warm");
    births.checkpoints = vec![CheckpointRow { name, epoch: 1, at: 0.0 }, CheckpointRow { name, epoch: 3, at: 1.0 }];
    s.births = Some(births);
}

fn find(s: &Snapshot) -> LivesAnswer {
    let counts = refcounts(s, &Silent).unwrap();
    lives(s, &garbage(s, &counts, &Silent).unwrap())
}

/// Born, dead by count, dead by the collector, alive, garbage: by class and line.
type Twin = BTreeMap<(String, Option<u32>), [u64; 5]>;

fn twin(s: &Snapshot) -> (Twin, BTreeMap<String, [u64; 5]>) {
    let counts = refcounts(s, &Silent).unwrap();
    let dead = garbage(s, &counts, &Silent).unwrap().dead;
    let births = s.births.as_ref().unwrap();
    let (mut lines, mut classes) = (Twin::new(), BTreeMap::new());
    for n in s.graph.nodes() {
        let name = s.type_name(n).to_owned();
        let all: &mut [u64; 5] = classes.entry(name.clone()).or_default();
        (all[3], all[4]) = (all[3] + 1, all[4] + u64::from(dead.contains(n)));
        if let Some(place) = births.place_of(n) {
            all[0] += 1;
            let row = lines.entry((name, Some(births.places[place as usize].line))).or_default();
            (row[0], row[3], row[4]) = (row[0] + 1, row[3] + 1, row[4] + u64::from(dead.contains(n)));
        }
    }
    for d in &births.deaths {
        let line = d.place.map(|p| births.places[p as usize].line);
        let name = s.text(d.class).to_owned();
        for row in [classes.entry(name.clone()).or_default(), lines.entry((name, line)).or_default()] {
            let add = [d.by_count + d.by_collector, d.by_count, d.by_collector, 0, 0];
            row.iter_mut().zip(add).for_each(|(r, a)| *r += a);
        }
    }
    classes.retain(|_, row| *row != [0; 5]);
    (lines, classes)
}

proptest! {
    #[test]
    fn every_life_is_counted_once(
        snapshot in any_snapshot(30),
        choices in prop::collection::vec(any::<u8>(), 60),
        dead in prop::collection::vec((0u8..2, 0u8..6, 0u8..9, 0u8..9), 0..6),
    ) {
        let mut s = snapshot;
        recorded(&mut s, Recorder::Every, &choices, &dead);
        let (mut lines, classes) = twin(&s);
        lines.retain(|_, row| *row != [0; 5]);
        let numbers = |c: &undying_analysis::LifeCounts| {
            [c.born.unwrap(), c.dead_by_count.unwrap(), c.dead_by_collector.unwrap(), c.alive, c.garbage]
        };
        let answer = find(&s);
        let births = s.births.as_ref().unwrap();
        let mut found = Twin::new();
        for class in &answer.classes {
            for p in &class.places {
                let line = p.place.map(|p| births.places[p as usize].line);
                let before = found.insert((s.text(class.name).to_owned(), line), numbers(&p.counts));
                prop_assert_eq!(before, None);
            }
            let seen: u64 = class.intervals.iter().sum();
            prop_assert_eq!(class.counts.alive - class.unwitnessed.unwrap(), seen);
        }
        found.retain(|_, row| *row != [0; 5]);
        prop_assert_eq!(found, lines);
        let found: BTreeMap<String, [u64; 5]> =
            answer.classes.iter().map(|c| (s.text(c.name).to_owned(), numbers(&c.counts))).collect();
        prop_assert_eq!(found, classes);
    }
}

/// Twenty nodes alive, ten pairs of dead ones.
fn heap() -> Snapshot {
    let mut w = World::new(Form::Inline);
    let (module, list) = (w.module("app"), w.new_object("list"));
    w.attr(module, "kept", list);
    for i in 0..20 {
        let node = w.new_object("app.Node");
        w.item(list, i, node);
    }
    for _ in 0..10 {
        let (a, b) = (w.new_object("app.Node"), w.new_object("app.Node"));
        w.attr(a, "b", b);
        w.attr(b, "a", a);
    }
    w.snapshot()
}

fn ask(s: &Snapshot) -> (String, serde_json::Value) {
    let query = Query::Lives;
    let answer: Answer = answer(s, &query, &mut Intermediates::default(), &Silent).unwrap();
    let mut text = Vec::new();
    let style = Style { width: 200, ..Style::default() };
    write(&render(s, &query, &answer, Limits::default()), &style, &mut text).unwrap();
    (String::from_utf8(text).unwrap(), serde_json::to_value(told(s, &answer)).unwrap())
}

#[test]
fn without_a_recorder_the_living_are_counted_and_the_way_is_said() {
    let (text, json) = ask(&heap());
    let node = &json["types"][0];
    assert_eq!((&node["type"], &node["alive"], &node["garbage"]), (&"app.Node".into(), &40.into(), &20.into()));
    for unknown in ["born", "dead_by_count", "dead_by_collector", "birth_unseen"] {
        assert!(node[unknown].is_null(), "{unknown}");
    }
    assert!(json["recorder"].is_null() && json["how"].as_str().unwrap().contains("undying run"));
    assert!(text.contains("PYTHONTRACEMALLOC=1") && !text.contains("born"), "{text}");
}

#[test]
fn tracemalloc_knows_places_and_no_deaths() {
    let mut s = heap();
    recorded(&mut s, Recorder::Tracemalloc, &[7; 43], &[]);
    s.births.as_mut().unwrap().checkpoints.clear();
    let (text, json) = ask(&s);
    let node = &json["types"][0];
    assert_eq!((&node["alive"], &node["birth_unseen"]), (&40.into(), &0.into()));
    assert!(node["born"].is_null() && node["dead_by_count"].is_null());
    assert_eq!(node["places"][0]["place"], "/srv/app.py:2");
    assert!(text.contains("tracemalloc") && text.contains("/srv/app.py:2"), "{text}");
}

#[test]
fn a_sample_is_said_to_be_one_and_stands_for_more() {
    let mut s = heap();
    recorded(&mut s, Recorder::Sample, &[12; 43], &[(1, 0, 100, 20)]);
    s.births.as_mut().unwrap().sample_bytes = 640;
    let (text, json) = ask(&s);
    assert_eq!((&json["estimates"], &json["sample_bytes"]), (&true.into(), &640.into()));
    let node = json["types"].as_array().unwrap().iter().find(|t| t["type"] == "app.Node").unwrap();
    // one of 64 bytes is in the sample with the chance 1 - exp(-1/10)
    assert_eq!(node["born"], serde_json::json!((40.0 / (1.0 - (-0.1f64).exp())).round() as u64));
    assert_eq!((&node["alive"], &node["birth_unseen"]), (&40.into(), &serde_json::Value::Null));
    assert!(text.contains("estimates") && text.contains("app.Gone"), "{text}");
}

#[test]
fn the_living_are_told_by_the_interval_they_were_born_in() {
    let mut s = heap();
    let choices: Vec<u8> = (0..43).map(|i| if i < 13 { 0 } else { 6 * 3 }).collect();
    recorded(&mut s, Recorder::Every, &choices, &[]);
    let (text, json) = ask(&s);
    assert_eq!(json["types"][0]["alive_by_interval"], serde_json::json!([10, 0, 30]));
    assert!(text.contains("before warm") && text.contains("since warm"), "{text}");
}

#[test]
fn the_report_tells_the_born_and_the_dead_where_they_are_known() {
    let row = |s: &Snapshot| {
        let counts = refcounts(s, &Silent).unwrap();
        let dead = garbage(s, &counts, &Silent).unwrap();
        let all = ledgers(s, &undying_analysis::histogram(s), &counts, &dead);
        let json = serde_json::to_value(all.lives).unwrap();
        json["by_type"].as_array().unwrap().iter().find(|r| r["type"] == "app.Node").unwrap().clone()
    };
    let mut s = heap();
    assert!(row(&s)["born"].is_null());
    recorded(&mut s, Recorder::Every, &[0; 43], &[]);
    let class = s.labels.find("app.Node").unwrap();
    let death = DeathRow { class, type_id: None, place: Some(1), by_count: 5, by_collector: 2 };
    s.births.as_mut().unwrap().deaths.push(death);
    let row = row(&s);
    assert_eq!((&row["born"], &row["dead_by_count"], &row["dead_by_collector"]), (&47.into(), &5.into(), &2.into()));
    assert_eq!(s.births.as_ref().unwrap().place_of(NodeId(0)), Some(0));
}
