//! The walk over memory that was torn on purpose: whatever stands there, it ends, it
//! does not panic, and what it emits fits together.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use undying_graph::{Builder, Facts, Silent};
use undying_memory::{Image, ImageBuilder, Plan, Process, Rest, modules};

use super::{WalkError, walk};
use crate::data::DataRanges;
use crate::locate;

const PROGRAM: &str = "
import sys, collections, functools, asyncio, decimal, xml.etree.ElementTree as E, itertools
class A: __slots__ = ('x', 'y')
class B: pass
f = functools.lru_cache()(lambda x: [x])
keep = [A(), B(), collections.deque(range(500)), collections.OrderedDict(a=1), {1: 2}, {3}, E.fromstring('<a><b/></a>')]
keep += [f(i) for i in range(50)] + list(itertools.tee(iter('abc'))) + [list(range(99999)), tuple(range(99999))]
keep[1].me = keep; keep[0].x = keep
g = (i for i in keep); next(g)
print('READY', flush=True)
sys.stdin.read()
";

/// A small generator of numbers (xorshift), so that a failure can be run again.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// The same memory with `wounds` words replaced.
fn torn(image: &Image, numbers: &mut Numbers, wounds: u64) -> Image {
    let mut parts: Vec<(u64, Vec<u8>)> =
        image.segments().iter().map(|s| (s.start, image.segment_bytes(s).to_vec())).collect();
    let total: u64 = parts.iter().map(|p| p.1.len() as u64 / 8).sum();
    let spot = |mut n: u64, parts: &[(u64, Vec<u8>)]| {
        for (i, p) in parts.iter().enumerate() {
            let words = p.1.len() as u64 / 8;
            if n < words {
                return (i, n as usize * 8);
            }
            n -= words;
        }
        (0, 0)
    };
    for _ in 0..wounds {
        let (to, from) = (spot(numbers.next() % total, &parts), spot(numbers.next() % total, &parts));
        let word = match numbers.next() % 6 {
            0 => numbers.next(),
            1 => 0,
            2 => u64::MAX >> (numbers.next() % 40),
            3 => parts[from.0].0 + from.1 as u64,
            _ => u64::from_le_bytes(parts[from.0].1[from.1..from.1 + 8].try_into().expect("eight bytes")),
        };
        parts[to.0].1[to.1..to.1 + 8].copy_from_slice(&word.to_le_bytes());
    }
    let mut builder = ImageBuilder::with_room(parts.iter().map(|p| p.1.len() as u64).sum()).expect("memory");
    for (start, bytes) in &parts {
        builder.add(*start, start + bytes.len() as u64, |room| {
            room.copy_from_slice(bytes);
            bytes.len()
        });
    }
    builder.finish()
}

#[test]
fn torn_memory_neither_stops_nor_breaks_the_walk() {
    let python = std::env::var("UNDYING_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut child = Command::new(python)
        .args(["-X", "tracemalloc=5", "-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let process = Process::open(child.id() as i32).expect("a process");
    let runtime = locate::locate(&process, &process.mappings().expect("maps")).expect("a Python");
    let mut captured = process.capture(&Plan::default(), &mut |_| Rest::AtRest).expect("a copy");
    let data = DataRanges::new(modules(&process, &captured.mappings));
    let whole = std::mem::replace(&mut captured.image, ImageBuilder::with_room(0).expect("none").finish());
    let mut walked = 0;
    for round in 1..=40u64 {
        let mut numbers = Numbers(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        captured.image = torn(&whole, &mut numbers, 1 << (round % 16));
        let mut sink = Builder::new();
        match walk(&captured, &process, &runtime, &data, Facts::default(), &mut sink, &Silent) {
            Ok(()) => {
                let s = sink.build();
                assert!(s.graph.targets().iter().all(|&t| (t as usize) < s.graph.len()), "round {round}");
                assert!(s.types.len() < s.graph.len() || s.graph.is_empty(), "round {round}");
                walked += 1;
            }
            Err(WalkError::Misfit(_)) => {}
            Err(e) => panic!("round {round}: {e:?}"),
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(walked > 5, "only {walked} of 40 torn images got past the proof");
}
