//! A ledger laid out by hand beside the memory of a real interpreter: what was written is
//! what is read, and whatever is torn in it harms nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use undying_graph::{Builder, Facts, NodeId, Silent, Snapshot};
use undying_lives::format::*;
use undying_memory::{Captured, ImageBuilder, Plan, Process, Rest, modules};

use super::*;
use crate::data::DataRanges;
use crate::locate::{self, Runtime};
use crate::walk;

const PROGRAM: &str = "
import sys
class Thing: pass
class Bare: __slots__ = ()
kept = [Thing(), Thing(), Bare(), [1], Thing()]
print('READY', *[id(x) for x in kept], id(Thing), id(list), flush=True)
sys.stdin.read()
";

/// Where the hand-made ledger lies: no process has its memory there.
const HERE: u64 = 0x11_0000_0000;
const PID: u32 = 4242;

/// Memory that grows.
#[derive(Clone, Default)]
struct Memory(Vec<u8>);

impl Memory {
    fn put(&mut self, bytes: &[u8]) -> u64 {
        let at = HERE + self.0.len() as u64;
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(16), 0);
        at
    }

    fn table(&mut self, rows: &[Vec<u64>]) -> [u64; 4] {
        let row = rows.first().map_or(8, |r| r.len() * 8) as u64;
        let bytes: Vec<u8> = rows.iter().flatten().flat_map(|w| w.to_le_bytes()).collect();
        [self.put(&bytes), rows.len() as u64, rows.len() as u64, row]
    }
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Texts, and the words that name one.
struct Words(String);

impl Words {
    fn word(&mut self, text: &str) -> u64 {
        let start = self.0.len() as u32;
        self.0.push_str(text);
        pair(start, text.len() as u32)
    }
}

/// The ledger: births by block address, and the two classes.
fn ledger(mode: u32, births: &[(u64, Record)], thing: u64, list: u64) -> (Memory, u64) {
    let (mut m, mut t) = (Memory::default(), Words(String::new()));
    let code = |file: u64, name: u64, hidden: u32| vec![0, file, name, pair(1, hidden)];
    let codes = [
        code(0, 0, 1),
        code(t.word("/srv/app.py"), t.word("main"), 0),
        code(t.word("/srv/pkg/mod.py"), t.word("Maker.make"), 0),
        code(t.word("<shim>"), t.word("<shim>"), 1),
    ];
    let place = |parent: u32, code: u32, line: u32| vec![pair(parent, code), 0, pair(line, NONE), pair(NONE, 0)];
    // nowhere, main, a frame nobody wrote below it, make below that, and one of no code
    let places = [place(NONE, 0, 0), place(0, 1, 10), place(1, 3, 0), place(2, 2, 41), place(1, 99, 3)];
    let class = |address: u64, name: u64, flags: u32, dead: [u64; 2]| {
        vec![address, name, pair(16, flags), dead[0], dead[1], 16]
    };
    let classes = [
        class(thing, t.word("__main__.Thing"), HEAP_TYPE, [7, 2]),
        class(list, t.word("list"), FREE_LIST, [0, 0]),
        class(0, t.word("app.Gone"), HEAP_TYPE, [1, 0]),
    ];
    let tallies = [vec![pair(3, 0), 4, 2, pair(NONE, 0)], vec![pair(1, 0), 1, 0, pair(NONE, 0)]];
    let checkpoints = [vec![pair(2, 0), t.word("warm"), 1.5f64.to_bits()]];
    let word = |r: &Record| pair(r.place, r.epoch_and_size);
    let mut chunks = vec![vec![0, 0]; 8];
    for (i, key) in
        births.iter().map(|b| b.0 / CHUNK_BYTES).collect::<std::collections::BTreeSet<_>>().into_iter().enumerate()
    {
        let mut records = vec![0u64; CHUNK_RECORDS as usize];
        for (block, record) in births.iter().filter(|b| b.0 / CHUNK_BYTES == key) {
            records[(block % CHUNK_BYTES / GRANULE) as usize] = word(record);
        }
        let bytes: Vec<u8> = records.iter().flat_map(|w| w.to_le_bytes()).collect();
        chunks[i + 1] = vec![key + 1, m.put(&bytes)];
    }
    let samples: Vec<Vec<u64>> = births.iter().map(|(block, r)| vec![*block, 48, word(r)]).collect();
    let text = [m.put(t.0.as_bytes()), t.0.len() as u64, t.0.len() as u64, 1];
    let tables = [
        m.table(&places),
        m.table(&codes),
        m.table(&classes),
        m.table(&tallies),
        text,
        m.table(&chunks),
        m.table(&samples),
        m.table(&checkpoints),
    ];
    let head = [MAGIC, pair(VERSION, size_of::<Anchor>() as u32), pair(PID, mode), pair(25, 3), 1 << 19, 5];
    let anchor: Vec<u8> = head.iter().chain(tables.iter().flatten()).flat_map(|w| w.to_le_bytes()).collect();
    assert_eq!(anchor.len(), size_of::<Anchor>());
    let at = m.put(&anchor);
    (m, at)
}

/// A real interpreter, copied.
struct Target {
    child: Child,
    process: Process,
    runtime: Runtime,
    captured: Captured,
    ids: Vec<u64>,
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Target {
    fn start() -> Target {
        let python = std::env::var("UNDYING_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let mut child = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let ids = line.split_whitespace().skip(1).map(|w| w.parse().expect("an id")).collect();
        let process = Process::open(child.id() as i32).expect("a process");
        let runtime = locate::locate(&process, &process.mappings().expect("maps")).expect("a Python");
        let captured = process.capture(&Plan::default(), &mut |_| Rest::AtRest).expect("a copy");
        Target { child, process, runtime, captured, ids }
    }

    /// The heap, with this memory beside it.
    fn walk(&mut self, memory: &Memory, anchor: u64) -> Snapshot {
        let image = &self.captured.image;
        let mut b = ImageBuilder::with_room(image.len() + memory.0.len() as u64).expect("memory");
        let mut add = |start: u64, bytes: &[u8]| {
            b.add(start, start + bytes.len() as u64, |room| {
                room.copy_from_slice(bytes);
                bytes.len()
            });
        };
        for s in image.segments() {
            add(s.start, image.segment_bytes(s));
        }
        add(HERE, &memory.0);
        let whole = std::mem::replace(&mut self.captured.image, b.finish());
        let data = DataRanges::new(modules(&self.process, &self.captured.mappings)).with_ledger(anchor).of_process(PID);
        let mut sink = Builder::new();
        walk::walk(&self.captured, &self.process, &self.runtime, &data, Facts::default(), &mut sink, &Silent)
            .expect("a walk");
        self.captured.image = whole;
        sink.build()
    }

    /// Where the blocks of the objects begin, by their class's flags as the test knows them.
    fn blocks(&self, s: &Snapshot) -> Vec<u64> {
        let class = |id: u64| s.graph.find(id).map(|n| s.type_name(n).to_owned()).unwrap_or_default();
        let new = self.runtime.layout.version >= (3, 11);
        let before = |id: u64| match class(id).as_str() {
            "__main__.Thing" if new => 32,
            _ => 16,
        };
        self.ids[..5].iter().map(|&id| id - before(id)).collect()
    }
}

fn stack(s: &Snapshot, births: &Births, n: NodeId) -> Option<Vec<(String, String, u32)>> {
    let row = |p: &PlaceRow| (s.text(p.file).to_owned(), s.text(p.function).to_owned(), p.line);
    Some(births.stack(births.place_of(n)?).map(row).collect())
}

#[test]
fn what_the_ledger_says_is_read() {
    let mut target = Target::start();
    let plain = target.walk(&Memory::default(), HERE);
    assert_eq!(plain.births, None);
    let blocks = target.blocks(&plain);
    let (made, main) = (Record::new(3, 2, 64), Record::new(1, 1, 500));
    // two that are right; of too small a block; of a list, which may be another's; of no place
    let small = Record::new(3, 2, 0);
    let births = [
        (blocks[0], made),
        (blocks[2], main),
        (blocks[1], small),
        (blocks[3], made),
        (blocks[4], Record::new(77, 1, 64)),
    ];
    for (mode, recorder) in [(EVERY, Recorder::Every), (SAMPLE, Recorder::Sample)] {
        let (memory, anchor) = ledger(mode, &births, target.ids[5], target.ids[6]);
        let s = target.walk(&memory, anchor);
        let told = s.births.as_ref().expect("births");
        assert_eq!((told.recorder, told.lost, told.epoch), (recorder, 5, 3));
        assert_eq!(told.sample_bytes, if mode == SAMPLE { 1 << 19 } else { 0 });
        let node = |i: usize| s.graph.find(target.ids[i]).expect("an object");
        let outer = ("/srv/app.py".to_owned(), "main".to_owned(), 10);
        let inner = ("/srv/pkg/mod.py".to_owned(), "Maker.make".to_owned(), 41);
        assert_eq!(stack(&s, told, node(0)), Some(vec![inner, outer.clone()]), "a frame nobody wrote is left out");
        assert_eq!(stack(&s, told, node(2)), Some(vec![outer]));
        assert_eq!(told.of(node(0)).and_then(|b| b.epoch), Some(2));
        assert_eq!([1, 3, 4].map(|i| told.of(node(i))), [None; 3]);
        assert_eq!(told.len(), 2);
        assert_eq!(s.facts.defects.get("birth-of-nothing"), Some(&2), "a place of no code, a birth of no place");
        let dead: Vec<_> = told
            .deaths
            .iter()
            .map(|d| {
                let line = d.place.map(|p| told.places[p as usize].line);
                (s.text(d.class), d.type_id.is_some(), line, d.by_count, d.by_collector)
            })
            .collect();
        let expected = [
            ("__main__.Thing", true, Some(41), 4, 2),
            ("__main__.Thing", true, Some(10), 1, 0),
            ("__main__.Thing", true, None, 2, 0),
            ("app.Gone", false, None, 1, 0),
        ];
        assert_eq!(dead, expected);
        let [moment] = told.checkpoints[..] else { panic!("{:?}", told.checkpoints) };
        assert_eq!((s.text(moment.name), moment.epoch, moment.at), ("warm", 2, 1.5));
    }
}

#[test]
fn a_ledger_of_another_process_or_form_is_none() {
    let mut target = Target::start();
    let (memory, anchor) = ledger(EVERY, &[], 0, 0);
    for (at, word) in [
        (0, MAGIC + 1),
        (8, pair(VERSION + 1, 1 << 10)),
        (8, pair(VERSION, 8)),
        (16, pair(PID, OFF)),
        (16, pair(PID + 1, EVERY)),
    ] {
        let mut other = memory.clone();
        let start = (anchor - HERE) as usize + at;
        other.0[start..start + 8].copy_from_slice(&word.to_le_bytes());
        assert_eq!(target.walk(&other, anchor).births, None, "{at} {word:#x}");
    }
}

#[test]
fn a_torn_ledger_is_survived() {
    let mut target = Target::start();
    let plain = target.walk(&Memory::default(), HERE);
    let births: Vec<(u64, Record)> = target.blocks(&plain).iter().map(|&b| (b, Record::new(3, 1, 64))).collect();
    let (memory, anchor) = ledger(EVERY, &births, target.ids[5], target.ids[6]);
    let head = (anchor - HERE) as usize + 24;
    let mut n = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
        n
    };
    for _ in 0..25 {
        let mut torn = memory.clone();
        for _ in 0..next() % 12 + 1 {
            // the tables' descriptions, or the small tables before them
            let words = (torn.0.len() - head) / 8;
            let at = head.saturating_sub((next() % 2 * 1200) as usize) / 8 * 8 + next() as usize % words * 8;
            let word = [next(), 0, u64::MAX, HERE + next() % (1 << 20), pair(next() as u32 % 9, next() as u32 % 9)];
            let word = word[next() as usize % 5];
            if let Some(there) = torn.0.get_mut(at..at + 8) {
                there.copy_from_slice(&word.to_le_bytes());
            }
        }
        let s = target.walk(&torn, anchor);
        let told = s.births.iter().flat_map(|b| b.iter().map(move |one| b.stack(one.place).count()));
        assert!(told.into_iter().all(|frames| frames > 0));
    }
}
