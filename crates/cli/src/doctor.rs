//! `undying doctor`: can a process be read, and if not, which rule stops us and
//! which one command helps.  Opens the target as a capture would and stops nothing.

use std::io::Write;

use serde::Serialize;
use undying_cpython::{OpenError, Target};
use undying_memory::AttachError;
use undying_report::{Cell, Fact, Report, Tone, address};

use crate::args::{Common, Doctor, Format};
use crate::failure::{Exit, Failure};
use crate::{output, source};

/// What was found.
#[derive(Serialize)]
struct Examined {
    schema: u32,
    command: &'static str,
    pid: i32,
    readable: bool,
    layout: Option<String>,
    runtime_address: Option<u64>,
    resident_bytes: Option<u64>,
    /// The rule that stops us, a sentence.
    obstacle: Option<String>,
    /// The one command that helps.
    command_that_helps: Option<String>,
}

/// Examines and says so.  A target that cannot be read ends with its exit code.
pub fn doctor(args: &Doctor, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
    let pid = source::pid(&args.pid)?;
    let opened = Target::open(pid);
    let examined = examine(pid, &opened);
    let written = match common.format {
        Format::Json => serde_json::to_writer_pretty(&mut *out, &examined)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out)),
        Format::Text => {
            let style = output::style(&std::io::stdout(), common, None);
            undying_report::write(&report(&examined), &style, out)
        }
    };
    written.and_then(|()| out.flush()).map_err(Failure::output)?;
    match opened {
        Ok(_) => Ok(()),
        // It has been said.
        Err(_) => Err(Failure::new(Exit::Target, "")),
    }
}

fn examine(pid: i32, opened: &Result<Target, OpenError>) -> Examined {
    let runtime = opened.as_ref().ok().map(Target::runtime);
    let resident = undying_memory::Process::open(pid).ok().map(|p| p.resident_bytes());
    Examined {
        schema: undying_snapshot::SCHEMA,
        command: "doctor",
        pid,
        readable: opened.is_ok(),
        layout: runtime.map(|r| r.found.clone()),
        runtime_address: runtime.map(|r| r.address),
        resident_bytes: resident,
        obstacle: opened.as_ref().err().map(ToString::to_string),
        command_that_helps: opened.as_ref().err().and_then(|e| help(pid, e)),
    }
}

/// The command that takes the obstacle away, where one does.
fn help(pid: i32, e: &OpenError) -> Option<String> {
    match e {
        OpenError::Attach(AttachError::NotPermitted { .. }) => Some(format!("sudo undying dump {pid}")),
        OpenError::Attach(AttachError::Traced { by, .. }) => Some(format!("kill {by}")),
        OpenError::Attach(AttachError::Gone { .. }) | OpenError::NotPython { .. } => Some("pgrep -a python".into()),
        OpenError::NotReady { .. } => Some(format!("undying doctor {pid}")),
        _ => None,
    }
}

fn report(e: &Examined) -> Report {
    let mut report = Report::default();
    match &e.obstacle {
        None => report.text(Tone::Good, format!("Process {} can be read.", e.pid)),
        Some(why) => report.text(Tone::Warning, format!("Process {} cannot be read: {why}.", e.pid)),
    };
    let text = |value: &Option<String>| value.clone().map_or(Cell::Empty, Cell::Text);
    report
        .facts(vec![
            Fact::new("layout", text(&e.layout)),
            Fact::new("runtime", e.runtime_address.map_or(Cell::Empty, |a| Cell::Text(address(a)))),
            Fact::new("resident", e.resident_bytes.map_or(Cell::Empty, Cell::Bytes)),
            Fact::new("try", text(&e.command_that_helps)),
        ])
        .clone()
}
