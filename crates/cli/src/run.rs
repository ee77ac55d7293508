//! `undying run`: a program of the user's, untouched, and a report at its end.
//!
//! The interpreter runs the program itself, as it always does: arguments, module
//! `__main__`, tracebacks and exit status are Python's own.  All we add is a
//! function that is called last of all at exit and waits there until the heap
//! has been looked at from outside, and, where this Python has the module undying,
//! its tracer, which starts before the program's first line.

mod births;
mod child;
pub mod python;

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::rc::Rc;

use undying_analysis::Query;
use undying_analysis::render::Limits;
use undying_graph::{Builder, Snapshot};
use undying_snapshot::Writer;

use self::births::Unrecorded;
use self::child::{Ended, Onlooker, Program};
use crate::args::{Common, Format, Run};
use crate::ask::Asked;
use crate::failure::{Exit, Failure};
use crate::progress::Bars;
use crate::signals::{Inbox, Received};
use crate::{Outcome, VERSION, output, source};

/// Runs the program and reports on standard error, or to the file named.
pub fn run(args: &Run, common: &Common) -> Result<Outcome, Failure> {
    let python = python::find(args.python.as_deref())?;
    for path in [&args.output, &args.save].into_iter().flatten() {
        check_free(path, common.force)?;
    }
    let colour = output::style(&std::io::stderr(), common, None).colour;
    let wishes = births::wishes(args, colour);
    let program = Program::start(&python, &interpreter_arguments(args), wishes.as_deref());
    let program = program.map_err(|e| python::cannot_start(&python, e))?;
    // After the start: the program would inherit what is blocked here.
    let inbox = Rc::new(Inbox::open().map_err(|e| python::cannot_start(&python, e.into()))?);
    let mut looking = Looking { args, common, inbox: &inbox, found: None, refused: None };
    let ended = program.wait(&inbox, &mut looking).map_err(|e| python::cannot_start(&python, e))?;
    if let Some(failure) = looking.refused {
        return Err(failure);
    }
    let snapshot = match looking.found {
        Some(Ok(snapshot)) => snapshot,
        Some(Err(failure)) => return Ok(without_report(&failure.sentence, &ended, args)),
        None => return Ok(without_report(why_not(&ended), &ended, args)),
    };
    report(&snapshot, args, common, &ended)
}

/// What is done along the program's way, and what came of it.
struct Looking<'a> {
    args: &'a Run,
    common: &'a Common,
    inbox: &'a Rc<Inbox>,
    found: Option<Result<Snapshot, Failure>>,
    /// Why the program was not run after all.
    refused: Option<Failure>,
}

impl Onlooker for Looking<'_> {
    fn look(&mut self, pid: i32) {
        self.found = Some(look(pid, self.args, self.common, self.inbox));
    }

    fn goes_on_without_births(&mut self, why: &Unrecorded) -> bool {
        let needed_by = births::needed_by(self.args);
        let sentence = why.sentence(needed_by);
        if needed_by.is_some() {
            self.refused = Some(Failure::new(Exit::Usage, sentence));
        } else if why.is_worth_a_word() && !self.common.quiet {
            crate::say(&sentence);
        }
        needed_by.is_none()
    }
}

fn interpreter_arguments(args: &Run) -> Vec<OsString> {
    let program = if args.module { Some("-m") } else { args.code.then_some("-c") };
    let switches = args.interactive.then_some("-i").into_iter().chain(program);
    switches.map(OsString::from).chain(args.program.iter().cloned()).collect()
}

fn check_free(path: &Path, force: bool) -> Result<(), Failure> {
    if force || path.symlink_metadata().is_err() {
        return Ok(());
    }
    let sentence = format!("{} exists already; choose another place, or replace it with --force", path.display());
    Err(Failure::new(Exit::Usage, sentence))
}

/// Captures the program as it waits; an interrupt ends the looking.  Signals
/// that come meanwhile are the program's and are handed on.
fn look(pid: i32, args: &Run, common: &Common, inbox: &Rc<Inbox>) -> Result<Snapshot, Failure> {
    let kept: Rc<RefCell<Vec<Received>>> = Rc::default();
    let stopped = Rc::new(Cell::new(0));
    let stop = {
        let (inbox, kept, stopped) = (Rc::clone(inbox), Rc::clone(&kept), Rc::clone(&stopped));
        move || {
            while let Some(received) = inbox.next() {
                if received.asks_to_stop() {
                    stopped.set(received.signal as i32);
                }
                kept.borrow_mut().push(received);
            }
            stopped.get() != 0
        }
    };
    let bars = Bars::stopped_by(common.quiet, Box::new(stop));
    let captured = capture(pid, args, common, &bars);
    kept.borrow().iter().for_each(|received| received.hand_on(pid));
    match captured {
        Err(_) if stopped.get() != 0 => Err(Failure::interrupted(stopped.get())),
        other => other,
    }
}

fn capture(pid: i32, args: &Run, common: &Common, bars: &Bars) -> Result<Snapshot, Failure> {
    let Some(dir) = &args.save else {
        let mut builder = Builder::new();
        source::capture(pid, bars, &mut builder)?;
        return Ok(builder.build());
    };
    let mut writer = Writer::create(dir, common.force, VERSION)?;
    source::capture(pid, bars, &mut writer)?;
    let summary = writer.commit()?;
    Ok(undying_snapshot::read(&summary.path, bars)?)
}

fn why_not(ended: &Ended) -> &'static str {
    if !ended.started {
        return "Python never read our start-up file, as under -S, -I or -E; take these away to get a report";
    }
    if ended.status.signal().is_some() {
        return "the program was killed before its end; dump it while it runs to look into it";
    }
    "the program left without running its exit handlers (os._exit or exec); dump it while it runs to look into it"
}

/// The program's own end, and one line that there is no report and why.
fn without_report(why: &str, ended: &Ended, args: &Run) -> Outcome {
    crate::say(&format!("no report: {why}"));
    // What was to be checked could not be: that must not look like a pass.
    if args.judging.fail_on.is_empty() { outcome(ended.status) } else { Outcome::Code(Exit::Target.code()) }
}

fn report(snapshot: &Snapshot, args: &Run, common: &Common, ended: &Ended) -> Result<Outcome, Failure> {
    let bars = Bars::stopped_by(common.quiet, Box::new(|| false));
    let mut asked = Asked::of(snapshot, Query::Report, &bars)?;
    asked.sift(&args.judging)?;
    bars.clear();
    let target = args.save.as_ref().map(|dir| dir.display().to_string());
    // A blank line after the program's own words.
    let apart = common.format == Format::Text && args.output.is_none();
    let mut text = if apart { vec![b'\n'] } else { Vec::new() };
    let style = match &args.output {
        None => output::style(&std::io::stderr(), common, target),
        Some(_) => output::plain(target),
    };
    asked.write(&mut text, common.format, &style, Limits::default()).map_err(Failure::output)?;
    match &args.output {
        Some(path) => std::fs::write(path, &text).map_err(Failure::output)?,
        None => std::io::stderr().write_all(&text).map_err(Failure::output)?,
    }
    if asked.is_named(&args.judging) {
        return Ok(Outcome::Code(Exit::Found.code()));
    }
    Ok(outcome(ended.status))
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(code), _) => Outcome::Code(code as u8),
        (None, Some(signal)) => Outcome::Killed(signal),
        (None, None) => Outcome::Code(Exit::Target.code()),
    }
}
