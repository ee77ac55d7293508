//! The command: arguments → source → question → writer.  It holds no algorithm
//! and no layout; each file is one step, each command one function.

mod args;
mod ask;
mod diff;
mod doctor;
mod dump;
mod fail_on;
mod failure;
mod hunt;
mod judge;
mod output;
mod progress;
mod refs;
mod run;
mod signals;
mod source;
mod usage;

use std::ffi::OsString;
use std::io::{self, Write};

use crate::args::{Arguments, Command};

// For the Python module, which has the same questions and says the same sentences.
pub use ask::check_named;
pub use diff::check as check_pair;
pub use failure::{Exit, Failure};
pub use source::capture;

/// This version, as it is written into snapshots.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How the process is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// With this exit status.
    Code(u8),
    /// As the program that was run: of this signal.
    Killed(i32),
}

/// Does what the command line says.
pub fn main(arguments: impl Iterator<Item = OsString>) -> Outcome {
    let done = match usage::parse(arguments) {
        Ok(usage::Parsed::Arguments(arguments)) => command(&arguments),
        Ok(usage::Parsed::Help(text)) => print(&text).map(|()| Outcome::Code(0)),
        Err(failure) => Err(failure),
    };
    done.unwrap_or_else(|failure| {
        if !failure.sentence.is_empty() {
            say(&failure.sentence);
        }
        Outcome::Code(failure.exit.code())
    })
}

fn command(arguments: &Arguments) -> Result<Outcome, Failure> {
    let common = &arguments.common;
    if let Command::Run(run) = &arguments.command {
        // It meets signals in its own way.
        return self::run::run(run, common);
    }
    if let Command::Hunt(hunt) = &arguments.command {
        // It starts a program before it watches for signals.
        return hunt::hunt(hunt, common, &mut io::stdout().lock()).map(outcome);
    }
    signals::watch().map_err(|e| Failure::new(Exit::Target, format!("cannot listen for signals: {e}")))?;
    let mut out = io::stdout().lock();
    let found = match &arguments.command {
        Command::Dump(dump) => dump::dump(dump, common, &mut out).map(|()| false)?,
        Command::Report(report) => ask::report(report, common, &mut out)?,
        Command::Diff(diff) => diff::diff_command(diff, common, &mut out)?,
        Command::Why(why) => ask::why(why, common, &mut out).map(|()| false)?,
        Command::Cycles(cycles) => ask::cycles(cycles, common, &mut out).map(|()| false)?,
        Command::Lives(lives) => ask::lives(lives, common, &mut out).map(|()| false)?,
        Command::Refs(args) => refs::refs(args, common, &mut out)?,
        Command::Top(top) => ask::top(top, common, &mut out).map(|()| false)?,
        Command::Doctor(doctor) => doctor::doctor(doctor, common, &mut out).map(|()| false)?,
        Command::Run(_) | Command::Hunt(_) => false,
    };
    Ok(outcome(found))
}

fn outcome(found: bool) -> Outcome {
    Outcome::Code(if found { Exit::Found } else { Exit::Done }.code())
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}

/// One line on standard error.  Nobody is left to be told if that fails.
fn say(sentence: &str) {
    let _ = writeln!(io::stderr(), "undying: {sentence}");
}
