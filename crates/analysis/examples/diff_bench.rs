//! CPU of each step of a diff of two closed snapshots:
//! `cargo run --release -p undying-analysis --example diff_bench -- DIR DIR`.
#![allow(clippy::print_stdout)] // a bench speaks

use std::path::Path;

use undying_analysis::{History, Intermediates, diff, paths, survival};
use undying_graph::Silent;

/// CPU seconds of this process so far (/proc/self/stat counts hundredths).
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Does it, says how much CPU it took, in all and for an object of both heaps.
fn timed<T>(what: &str, objects: usize, f: impl FnOnce() -> T) -> T {
    let began = cpu();
    let out = f();
    let took = cpu() - began;
    println!("{what:24} {took:8.2} s {:8.1} ns/object", took * 1e9 / objects.max(1) as f64);
    out
}

fn main() {
    let dirs: Vec<String> = std::env::args().skip(1).collect();
    let [a, b] = dirs.as_slice() else {
        println!("two snapshots, please");
        return;
    };
    let read = |dir: &str| undying_snapshot::read(Path::new(dir), &Silent).expect("a snapshot");
    let before = timed("load", usize::MAX, || read(a));
    let after = timed("load", usize::MAX, || read(b));
    let n = before.graph.len() + after.graph.len();
    println!("{n} objects in both, {} references", before.graph.edge_count() + after.graph.edge_count());
    let same = timed("survival", n, || survival(&before, &after, &Silent)).expect("not cancelled");
    let counts = timed("refcounts", n, || undying_analysis::refcounts(&after, &Silent)).expect("not cancelled");
    let dead = timed("garbage", n, || undying_analysis::garbage(&after, &counts, &Silent)).expect("not cancelled");
    let forest = timed("forest", n, || paths::forest(&after, &counts, &Silent)).expect("not cancelled");
    let alive = |o| forest.reaches(o) && !dead.dead.contains(o);
    let grown =
        timed("growth", n, || undying_analysis::growth::growth(&before, &after, &same, &forest, alive, &Silent));
    println!("{} gains", grown.expect("not cancelled").len());
    timed("class changes", n, || undying_analysis::class_changes(&before, &after, &same));
    timed("histogram", n, || undying_analysis::histogram(&after));
    let answer = timed("diff, all of it", n, || {
        diff(&before, &after, &mut History::default(), &mut Intermediates::default(), &Silent)
    });
    println!("{} suspects", answer.expect("not cancelled").suspects.len());
}
