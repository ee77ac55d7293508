//! TARGET to snapshot: a pid or a directory, and the one place where either is
//! opened.  What comes out is the same; nobody after this knows which it was.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use undying_cpython::Options;
use undying_graph::{Builder, Progress, Sink, Snapshot};

use crate::failure::{Exit, Failure};

/// Where a heap is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A running process.
    Live(i32),
    /// A snapshot's directory.
    Saved(PathBuf),
}

/// What is meant, and what should be said about it.
pub struct Resolved {
    /// The target.
    pub target: Target,
    /// Said to people when the text could have meant another thing.
    pub note: Option<String>,
}

/// A number is a pid, unless a snapshot's directory has that name.
pub fn resolve(text: &OsStr) -> Resolved {
    let pid = text.to_str().and_then(|t| t.parse::<i32>().ok());
    let path = Path::new(text);
    let snapshot = path.join("meta.json").is_file();
    match pid {
        Some(pid) if !snapshot => Resolved { target: Target::Live(pid), note: None },
        Some(pid) => {
            let note = format!("{pid} is a snapshot here, so process {pid} was not looked at");
            Resolved { target: Target::Saved(path.into()), note: Some(note) }
        }
        None => Resolved { target: Target::Saved(path.into()), note: None },
    }
}

/// A process's number from the command line.
pub fn pid(text: &str) -> Result<i32, Failure> {
    text.parse().ok().filter(|&p| p > 0).ok_or_else(|| {
        let sentence = format!("{text:?} is no process id; give the number that ps or pgrep shows");
        Failure::new(Exit::Usage, sentence)
    })
}

/// The heap, in memory.
pub fn load(target: &Target, progress: &dyn Progress) -> Result<Snapshot, Failure> {
    match target {
        Target::Saved(dir) => Ok(undying_snapshot::read(dir, progress)?),
        Target::Live(pid) => {
            let mut builder = Builder::new();
            capture(*pid, progress, &mut builder)?;
            Ok(builder.build())
        }
    }
}

/// Looks into a running process.
pub fn capture(pid: i32, progress: &dyn Progress, sink: &mut dyn Sink) -> Result<(), Failure> {
    let target = undying_cpython::Target::open(pid)?;
    Ok(target.capture(&Options::default(), progress, sink)?)
}
