//! Everything that continuous integration does, by name: `cargo xtask TASK`.

mod check;
mod ci;
mod layouts;

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
}

fn main() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().context("xtask has no parent directory")?;
    match Arguments::parse().task {
        Task::Layouts(arguments) => layouts::run(root, &arguments),
        Task::Check => check::run(root),
        Task::Ci => ci::run(root),
    }
}
