//! Everything that continuous integration does, by name: `cargo xtask TASK`.

mod check;
mod ci;
mod layouts;
mod test;
mod wheel;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Derive the layout tables from the reference builds
    Layouts(layouts::Arguments),
    /// Hold the rules the compiler cannot: imports, unsafe code, lengths, names
    Check,
    /// Run every gate
    Ci,
    /// Set up what the tests want and run them all
    Test(test::Arguments),
    /// Renew the golden reports and what docs/rules quotes, to be read in review
    Golden,
    /// Build the Python wheel and test it on each interpreter
    Wheel,
}

fn main() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().context("xtask has no parent directory")?;
    match Arguments::parse().task {
        Task::Layouts(arguments) => layouts::run(root, &arguments),
        Task::Check => check::run(root),
        Task::Ci => ci::run(root),
        Task::Test(arguments) => test::run(root, &arguments),
        Task::Golden => test::golden(root),
        Task::Wheel => wheel::run(root),
    }
}
