//! What an interactive session (`undying run -i`) says before each prompt: what was born,
//! what died and what has become garbage since the last.  It makes next to no Python
//! objects: a collection must not come earlier because we counted.

mod prompt;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};
use undying_analysis::{garbage, naming, refcounts};
use undying_cli::Failure;
use undying_graph::{Builder, Progress};

use crate::interrupts::unlocked;
use crate::own;
use crate::trace::trace_lives;

pub use prompt::session_begin;

/// A look at the heap that takes longer is the last before a prompt.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many classes are named.
const NAMED: usize = 3;

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

/// One session.
#[derive(Default)]
struct Session {
    /// A child of a fork says nothing.
    pid: u32,
    colour: bool,
    /// What was told last.
    lives: BTreeMap<String, Counts>,
    garbage: BTreeMap<String, u64>,
    /// Which classes are the program's, as far as asked.
    judged: HashMap<String, bool>,
    /// The heap is too big to be looked at before each prompt.
    big: bool,
}

/// Of one class: objects that died by their count, by the collector, that live.
#[derive(Clone, Copy, Default, PartialEq)]
struct Counts {
    by_count: u64,
    by_collector: u64,
    alive: u64,
}

impl Counts {
    fn born(&self) -> u64 {
        self.by_count + self.by_collector + self.alive
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins: all that lived and died before is told before the first prompt.
fn begin(colour: bool) {
    *locked(&SESSION) = Some(Session { pid: std::process::id(), colour, ..Session::default() });
}

/// Says what changed since it was last said, if anything.
#[pyfunction]
pub fn session_say(py: Python<'_>) {
    // Not kept locked: the interpreter's lock is let go meanwhile.
    let Some(mut session) = locked(&SESSION).take() else { return };
    if session.pid == std::process::id() {
        let line = session.line(py);
        if !line.is_empty() {
            let (on, off) = if session.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            // standard error may be closed; the session goes on all the same
            let _ = std::io::stderr().write_all(format!("{on}[undying: {line}]{off}\n").as_bytes());
        }
    }
    *locked(&SESSION) = Some(session);
}

impl Session {
    fn line(&mut self, py: Python<'_>) -> String {
        let lives = self.lives_of_the_program(py);
        let alive = lives.values().any(|counts| counts.alive > 0);
        let began = Instant::now();
        let mut parts = Vec::new();
        self.tell_lives(&lives, &mut parts);
        let garbage = match alive && !self.big {
            true => self.garbage_of_the_program(py, &lives),
            false => BTreeMap::new(),
        };
        if garbage != self.garbage && !garbage.is_empty() {
            let all: Vec<(&str, u64)> = garbage.iter().map(|(name, &n)| (name.as_str(), n)).collect();
            parts.push(format!("garbage {}", listed(&all)));
        }
        if began.elapsed() > PATIENCE {
            self.big = true;
            parts.push("the heap is big, so garbage is told by undying.cycles() only from now on".into());
        }
        (self.lives, self.garbage) = (lives, garbage);
        parts.join(", ")
    }

    fn tell_lives(&self, now: &BTreeMap<String, Counts>, parts: &mut Vec<String>) {
        let before = |name: &String| self.lives.get(name).copied().unwrap_or_default();
        let more = |count: &dyn Fn(&Counts) -> u64| -> Vec<(&str, u64)> {
            let each = now.iter().map(|(name, c)| (name.as_str(), count(c).saturating_sub(count(&before(name)))));
            each.filter(|(_, n)| *n > 0).collect()
        };
        let (born, dead, found) = (more(&Counts::born), more(&|c| c.by_count), more(&|c| c.by_collector));
        for (what, how, classes) in [("born", "", born), ("dead", "", dead), ("dead", " by the collector", found)] {
            if !classes.is_empty() {
                parts.push(format!("{what} {}{how}", listed(&classes)));
            }
        }
    }

    /// Of classes that the program made, or a library of its.
    fn lives_of_the_program(&mut self, py: Python<'_>) -> BTreeMap<String, Counts> {
        let mut lives: BTreeMap<String, Counts> = BTreeMap::new();
        for (name, at_run_time, _, by_count, by_collector, alive) in trace_lives() {
            if at_run_time && self.is_of_the_program(py, &name) {
                // a class that was made anew has the same name
                let counts = lives.entry(name).or_default();
                counts.by_count += by_count;
                counts.by_collector += by_collector;
                counts.alive += alive;
            }
        }
        lives
    }

    fn is_of_the_program(&mut self, py: Python<'_>, class: &str) -> bool {
        if let Some(&judged) = self.judged.get(class) {
            return judged;
        }
        let judged = is_of_the_program(py, class).unwrap_or(true);
        self.judged.insert(class.to_owned(), judged);
        judged
    }

    /// Objects of these classes that only the collector can free, by class.
    fn garbage_of_the_program(&self, py: Python<'_>, lives: &BTreeMap<String, Counts>) -> BTreeMap<String, u64> {
        let copied = own::copy();
        let counted = unlocked(py, |_| {
            let (target, copied) = copied?;
            let mut builder = Builder::new();
            target.walk(&copied, &Unstopped, &mut builder)?;
            let snapshot = builder.build();
            let counts = refcounts(&snapshot, &Unstopped)?;
            let mut by_class: BTreeMap<String, u64> = BTreeMap::new();
            for n in garbage(&snapshot, &counts, &Unstopped)?.dead.iter() {
                let name = naming::type_name(&snapshot, snapshot.graph.type_id(n));
                if lives.contains_key(name) {
                    *by_class.entry(name.to_owned()).or_default() += 1;
                }
            }
            Ok::<_, Failure>(by_class)
        });
        // a look that fails is made again before the next prompt
        counted.unwrap_or_else(|_| self.garbage.clone())
    }
}

/// A few classes by name, many by their number.
fn listed(classes: &[(&str, u64)]) -> String {
    if classes.len() > NAMED {
        let all: u64 = classes.iter().map(|(_, n)| n).sum();
        return format!("{all} of {} classes", classes.len());
    }
    let each = |(name, n): &(&str, u64)| format!("{n} {}", name.strip_prefix("__main__.").unwrap_or(name));
    classes.iter().map(each).collect::<Vec<_>>().join(" and ")
}

/// An interrupt is the next statement's.
struct Unstopped;

impl Progress for Unstopped {
    fn phase(&self, _name: &str, _total: u64) {}

    fn done(&self, _steps: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// Whether a class is neither the standard library's nor ours: by the file of the module
/// that it names.  Runs no code of the module.
fn is_of_the_program(py: Python<'_>, class: &str) -> PyResult<bool> {
    let top = class.split('.').next().unwrap_or_default();
    if top == "__main__" {
        return Ok(true);
    }
    let sys = py.import("sys")?;
    let among = |list: &str| sys.getattr(list).and_then(|names| names.contains(top)).unwrap_or(false);
    // a bare name is a builtin's; 3.9 does not list what its library is made of
    let frozen = top.starts_with("_frozen_importlib") || top == "zipimport";
    if frozen
        || top == "undying"
        || !class.contains('.')
        || among("builtin_module_names")
        || among("stdlib_module_names")
    {
        return Ok(false);
    }
    let modules = sys.getattr("modules")?.cast_into::<PyDict>()?;
    let file = |module: &str| -> Option<String> {
        let module = modules.get_item(module).ok()??.cast_into::<PyModule>().ok()?;
        module.dict().get_item("__file__").ok()??.extract().ok()
    };
    let library = file("os").and_then(|os| Some(os.rsplit_once('/')?.0.to_owned() + "/"));
    let mut module = class;
    while let Some((outer, _)) = module.rsplit_once('.') {
        module = outer;
        if let (Some(file), Some(library)) = (file(module), &library) {
            let inside = file.strip_prefix(library.as_str());
            return Ok(inside.is_none_or(|path| path.starts_with("site-packages/")));
        }
    }
    Ok(true)
}
