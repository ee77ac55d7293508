//! What each analysis costs.  `analysis_bench [OBJECTS | SHAPE:OBJECTS | DIR]...`
//! prints seconds of processor time, nanoseconds a reference and an object, and the
//! most memory in bytes an object for each step.  SHAPE is `service` (the default),
//! `list`, `star` or `random`, which are made here; DIR is a snapshot's directory.
//! With `--dominators` in front, only dominators and what they need.  Build with
//! `--release`.
#![allow(missing_docs, clippy::print_stdout)]

mod heaps;
mod service;

use std::path::Path;
use std::time::Instant;

use undying_analysis::paths::{ChainLimits, chains, forest};
use undying_analysis::{Answer, CycleLimits, Intermediates, Query, answer};
use undying_analysis::{components, components_within, cycles, dominators, garbage, histogram, refcounts};
use undying_graph::{NodeId, Silent, Snapshot, TypeId};

/// Nanoseconds of processor time so far; of wall time where the system does not say.
fn now() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let spent = told.as_deref().and_then(|t| t.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_nanos() as f64)
}

/// The most memory that was resident since the mark was last wiped, in bytes.
fn peak() -> f64 {
    let told = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = told.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.unwrap_or(0.0) * 1024.0
}

fn timed<T>(snapshot: &Snapshot, name: &str, work: impl FnOnce() -> T) -> T {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let start = now();
    let made = work();
    let ns = now() - start;
    let per = |n: usize| ns / n.max(1) as f64;
    let (edges, nodes) = (per(snapshot.graph.edge_count()), per(snapshot.graph.len()));
    let bytes = peak() / snapshot.graph.len().max(1) as f64;
    println!("{name:<22} {:>8.3} s {edges:>8.1} ns/edge {nodes:>8.1} ns/object {bytes:>7.1} B/object", ns / 1e9);
    made
}

/// The heap that the argument names.
fn heap(argument: &str) -> Snapshot {
    if Path::new(argument).is_dir() {
        return undying_snapshot::read(Path::new(argument), &Silent).expect("a snapshot");
    }
    let (shape, objects) = argument.split_once(':').unwrap_or(("service", argument));
    let objects: f64 = objects.parse().expect("a directory, or a number of objects");
    let objects = objects as usize;
    match shape {
        "list" => heaps::list(objects),
        "star" => heaps::star(objects),
        "random" => heaps::random(objects),
        _ => service::service(objects),
    }
}

fn tree(s: &Snapshot) {
    let counts = timed(s, "refcounts", || refcounts(s, &Silent).expect("never cancelled"));
    let doms = timed(s, "dominators", || dominators(s, &counts, &Silent).expect("never cancelled"));
    let most = s.graph.nodes().filter(|&n| doms.idom(n).is_some()).count();
    println!("{most} objects with a dominator, {} bytes in all", doms.total_bytes());
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let only_tree = arguments.first().is_some_and(|a| a == "--dominators");
    arguments.drain(..only_tree as usize);
    if arguments.is_empty() {
        arguments.push("1000000".to_owned());
    }
    for argument in arguments {
        let s = &heap(&argument);
        println!("{argument}: {} objects, {} references", s.graph.len(), s.graph.edge_count());
        if only_tree { tree(s) } else { every_step(s) }
    }
}

fn every_step(s: &Snapshot) {
    let told = "never cancelled";
    timed(s, "histogram", || histogram(s));
    let counts = timed(s, "refcounts", || refcounts(s, &Silent).expect(told));
    let dead = timed(s, "garbage", || garbage(s, &counts, &Silent).expect(told));
    let knots = timed(s, "garbage components", || components_within(s, &dead.dead, &Silent).expect(told));
    timed(s, "garbage shapes", || cycles(s, &dead, &knots, None, CycleLimits::default(), &Silent).expect(told));
    let all = timed(s, "components", || components(s, &Silent).expect(told));
    timed(s, "all shapes", || cycles(s, &dead, &knots, Some(&all), CycleLimits::default(), &Silent).expect(told));
    let grown = timed(s, "forest", || forest(s, &counts, &Silent).expect(told));
    let referrers = timed(s, "referrers", || s.graph.transpose());
    let orders: Vec<NodeId> = s.graph.nodes().filter(|&n| s.graph.type_id(n) == TypeId(4)).collect();
    let limits = ChainLimits::default();
    timed(s, "chains of all orders", || {
        chains(s, &grown, Some(&referrers), &dead, &orders, limits, &Silent).expect(told)
    });
    println!("{} dead objects in {} knots, {} held knots", dead.objects, knots.count, all.count - knots.count);
    drop((all, referrers, grown, knots, dead, counts));
    let report = timed(s, "whole report", || answer(s, &Query::Report, &mut Intermediates::default(), &Silent));
    if let Ok(Answer::Report(report)) = report {
        println!("{} suspects", report.suspects.len());
    }
}
