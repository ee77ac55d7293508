//! `dump PID -o DIR`: the capture and the writer alone, for measuring.
#![allow(clippy::print_stdout)]

use undying_cpython::{Options, Target};
use undying_graph::Silent;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let pid: i32 = args[2].parse()?;
    let target = Target::open(pid)?;
    println!("{:?}", target.runtime().found);
    if args.len() < 5 {
        let mut sink = undying_graph::Builder::new();
        target.capture(&Options::default(), &Silent, &mut sink)?;
        let s = sink.build();
        println!("{} objects {} edges {:#?}", s.graph.len(), s.graph.edge_count(), s.facts);
        return Ok(());
    }
    let mut sink = undying_snapshot::Writer::create(args[4].as_ref(), true, "0")?;
    target.capture(&Options::default(), &Silent, &mut sink)?;
    sink.commit()?;
    Ok(())
}
