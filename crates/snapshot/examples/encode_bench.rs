//! What it costs to write and to read a snapshot: a synthetic heap in the manner
//! of a service, CPU seconds of the whole process and bytes an object.
//!
//!     cargo run --release -p undying-snapshot --example encode_bench [OBJECTS] [DIRECTORY]

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use undying_graph::*;
use undying_snapshot::{Writer, read};

/// Objects that everybody refers to: classes, interned names, small numbers.
const HOT: u32 = 20_000;
/// Objects of one pattern.
const UNIT: u32 = 16;
const LABELS: u32 = 9_000;

/// A number that looks random, from one that does not.
fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ n >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ n >> 32
}

/// Makes one object after the other, in address order.
struct Heap {
    objects: u32,
    address: u64,
    edges: Vec<Edge>,
    labels: Vec<LabelId>,
}

impl Heap {
    fn new(objects: u32, sink: &mut dyn Sink) -> Heap {
        let labels = (0..LABELS).map(|i| sink.label(&format!("attribute_{i}"))).collect();
        Heap { objects, address: 0x7f12_3400_0000, edges: Vec::new(), labels }
    }

    fn hold(&mut self, target: u32, kind: EdgeKind, detail: Detail) {
        let target = NodeId(target % self.objects);
        self.edges.push(Edge { target, kind, certainty: Certainty::Exact, detail });
    }

    /// An instance: its class, attributes close by, one reference far back.
    fn instance(&mut self, i: u32, r: u64) {
        let class = (r % 100) as u32;
        self.hold(class, EdgeKind::Type, Detail::None);
        for k in 0..5 {
            let label = Detail::Label(self.labels[(class * 7 + k) as usize]);
            self.hold(i + k + 1, EdgeKind::Attr, label);
        }
        let label = Detail::Label(self.labels[(class * 7 + 5) as usize]);
        let far = i.saturating_sub((r >> 20) as u32 % 100_000 * UNIT);
        self.hold(far, EdgeKind::Attr, label);
    }

    /// A dictionary: interned keys, values close by.
    fn dictionary(&mut self, i: u32, r: u64) {
        for k in 0..4 + (r % 3) as u32 {
            let key = 1000 + ((r >> 10) as u32 % 50 * 20 + k);
            self.hold(key, EdgeKind::Key, Detail::Index(k));
            let label = Detail::Label(self.labels[key as usize]);
            self.hold(i + k + 2, EdgeKind::Value, label);
        }
    }

    fn next(&mut self, i: u32) -> ObjectRow {
        let r = mix(i as u64);
        self.edges.clear();
        let (type_id, bytes, tracked) = match i % UNIT {
            0 | 8 => {
                self.instance(i, r);
                ((r % 100) as u32, 56, true)
            }
            1 | 9 => {
                self.dictionary(i, r);
                (101, 184, true)
            }
            2 => {
                (0..(r % 8) as u32).for_each(|k| self.hold(i + k * UNIT, EdgeKind::Item, Detail::Index(k)));
                (102, 56 + 8 * (r % 8), true)
            }
            3 => {
                (0..3).for_each(|k| self.hold(i + k, EdgeKind::Item, Detail::Index(k)));
                (103, 64, false)
            }
            4..=10 => (104, 50 + (r >> 5) % 60, false),
            _ => (105 + i % 2, 28, false),
        };
        let gap = if i.is_multiple_of(300) { 4096 } else { (r >> 40) % 3 * 16 };
        self.address += bytes.next_multiple_of(16) + gap;
        let flags = Flags::default().with(Flags::GC_TRACKED, tracked);
        let refcount = if i < HOT { (i > 1000).then_some(r >> 50) } else { Some(1 + u64::from(r.is_multiple_of(5))) };
        ObjectRow { address: self.address, type_id: TypeId(type_id), shallow_bytes: bytes, refcount, flags }
    }
}

/// Tells the whole heap; gives the number of references.
fn tell(objects: u32, sink: &mut impl Sink) -> io::Result<u64> {
    sink.begin(objects as usize)?;
    let mut heap = Heap::new(objects, sink);
    let mut references = 0;
    for i in 0..objects {
        let row = heap.next(i);
        references += heap.edges.len() as u64;
        sink.object(&row, &heap.edges)?;
    }
    let class = |i: usize| TypeRow {
        name: heap.labels[i],
        object: Some(NodeId(i as u32 % objects)),
        basic_bytes: 16,
        item_bytes: 0,
        module_file: LabelId::NONE,
        origin: Origin::Program,
        has_gc: true,
        has_del: false,
    };
    sink.finish(Tail { types: (0..107).map(class).collect(), ..Tail::default() })?;
    Ok(references)
}

/// Takes everything and keeps nothing: what making the heap costs.
struct Nowhere(u64);

impl Sink for Nowhere {
    fn label(&mut self, _: &str) -> LabelId {
        LabelId(1)
    }
    fn begin(&mut self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn object(&mut self, row: &ObjectRow, edges: &[Edge]) -> io::Result<()> {
        self.0 ^= row.address ^ edges.iter().map(|e| e.target.0 as u64 + e.pack().1 as u64).sum::<u64>();
        Ok(())
    }
    fn finish(&mut self, _: Tail) -> io::Result<()> {
        Ok(())
    }
}

/// CPU seconds of this process, all threads (Linux counts them in hundredths).
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or("");
    let fields: Vec<f64> = after.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // The state before them is a letter, so utime and stime are the 11th and 12th number.
    fields.get(10).zip(fields.get(11)).map_or(0.0, |(user, system)| (user + system) / 100.0)
}

/// Runs it and gives its CPU and wall seconds.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (before, start) = (cpu(), Instant::now());
    let result = work();
    (result, cpu() - before, start.elapsed().as_secs_f64())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let objects = arguments.next().map_or(Ok(9e6), |n| n.parse::<f64>())? as u32;
    let place = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let dest = place.join(format!("undying-bench-{}", std::process::id()));
    let mut out = io::stdout();
    let (references, feed, _) = timed(|| tell(objects, &mut Nowhere(0)));
    let (n, m) = (objects as f64, references? as f64);
    writeln!(out, "{objects} objects, {m} references; making them: {feed:.2} CPU s, taken off below")?;
    for _ in 0..3 {
        let (summary, used, wall) = timed(|| -> Result<_, Box<dyn std::error::Error>> {
            let mut writer = Writer::create(&dest, true, "bench")?;
            tell(objects, &mut writer)?;
            Ok(writer.commit()?)
        });
        let (used, bytes) = (used - feed, summary?.bytes as f64);
        let (per_object, per_reference) = (used * 1e9 / n, used * 1e9 / m);
        write!(out, "write {used:.2} CPU s ({per_object:.0} ns an object, or {per_reference:.0} ns a reference), ")?;
        writeln!(out, "{wall:.2} s; {:.2} bytes an object", bytes / n)?;
        let (snapshot, used, wall) = timed(|| read(&dest, &Silent));
        assert_eq!(snapshot?.graph.len(), objects as usize);
        writeln!(out, "read  {used:.2} CPU s, {wall:.2} s")?;
    }
    std::fs::remove_dir_all(&dest)?;
    Ok(())
}
