//! What Python asks of the tracer.

use pyo3::prelude::*;
use undying_lives::format::{EVERY, FREE_LIST, HEAP_TYPE, Record, SAMPLE};
use undying_lives::{Ledger, Mode};

use super::classes::{FLAGS, Telling};
use super::frames::DEEPEST;
use super::hooks::{self, ask};
use super::interpreter::Functions;
use super::tracer::{Event, Plan, Tracer};
use crate::error::{misused, raised};
use crate::own;

/// Frames of a stack that are kept where nothing else is asked for.
const DEPTH: u32 = 128;
/// Mean bytes from one sample to the next.
const SAMPLE_BYTES: u64 = 512 << 10;

/// Begins to keep births and deaths: of every object, or of a sample by bytes.
#[pyfunction]
#[pyo3(signature = (*, sample=None, depth=None, follow=vec![]))]
pub fn trace_start(py: Python<'_>, sample: Option<u64>, depth: Option<u32>, follow: Vec<String>) -> PyResult<()> {
    let failed = |sentence: String| raised(py, &misused(sentence));
    let depth = depth.unwrap_or(DEPTH);
    if depth == 0 || depth as usize > DEEPEST {
        return Err(failed(format!("depth={depth} is no depth; give 1 to {DEEPEST} frames")));
    }
    let mode = match sample {
        None => Mode::Every,
        Some(0) => Mode::Sample(SAMPLE_BYTES),
        Some(bytes) => Mode::Sample(bytes),
    };
    let mut tracer = new_tracer(py)?;
    if mode != Mode::Every {
        if !follow.is_empty() {
            return Err(failed(
                "a sample cannot follow a class, since most births are not seen; leave sample out".into(),
            ));
        }
        if !tracer.functions.has_pymalloc() {
            return Err(failed(
                "a sample needs the interpreter's own allocator, and another one is in its place (PYTHONMALLOC, \
                 -X dev, tracemalloc); keep every birth instead"
                    .into(),
            ));
        }
    }
    tracer.classes.followed = follow;
    hooks::start(*tracer, Plan { mode, depth }).map_err(|why| failed(why.into()))
}

fn new_tracer(py: Python<'_>) -> PyResult<Box<Tracer>> {
    let failed = |sentence: String| raised(py, &misused(sentence));
    let functions =
        Functions::find().map_err(|name| failed(format!("this interpreter has no {name}, which the tracer needs")))?;
    let target = own::target().map_err(|failure| raised(py, &failure))?;
    let runtime = target.runtime();
    if runtime.layout.type_.flags != FLAGS {
        return Err(failed("this interpreter keeps a class's flags where none does; please report its version".into()));
    }
    let (interpreter, collector) = target.main_interpreter();
    Ok(Box::new(Tracer::new(functions, &runtime.layout, interpreter, collector)))
}

/// Ends it.  Counts stay, birthplaces are forgotten.
#[pyfunction]
pub fn trace_stop() {
    hooks::stop();
}

/// What is kept: "every", "sample" or "off"; and whether births still reach the tracer,
/// whether those from the interpreter's own lists do, how many were lost, the epoch.
#[pyfunction]
pub fn trace_state() -> (&'static str, bool, bool, u64, u32) {
    let mode = match hooks::mode() {
        EVERY => "every",
        SAMPLE => "sample",
        _ => "off",
    };
    let (lost, epoch) = ask(|_, ledger, _| (ledger.lost(), ledger.epoch())).unwrap_or_default();
    (mode, hooks::is_in_place(), hooks::is_told(), lost, epoch)
}

/// Begins a new epoch; its number, by which births after this moment are known.
#[pyfunction]
#[pyo3(signature = (name=None))]
pub fn trace_checkpoint(name: Option<&str>) -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let begun = ask(|_, ledger, _| match name {
        Some(name) => ledger.checkpoint(name, now.as_secs_f64()).unwrap_or_else(|_| ledger.advance()),
        None => ledger.advance(),
    });
    begun.unwrap_or(0)
}

/// One class: its name; whether it was made at run time; whether its numbers are exact;
/// dead by count, dead by the collector, alive, of those whose birth was seen.
type Counted = (String, bool, bool, u64, u64, u64);

/// All classes of which an object was born or died.
#[pyfunction]
pub fn trace_lives() -> Vec<Counted> {
    let told = hooks::is_told();
    ask(|tracer, ledger, event| {
        let mut alive: Vec<u64> = Vec::new();
        each_living(tracer, ledger, event, |_, class, _, _| {
            let class = class as usize;
            alive.resize(alive.len().max(class + 1), 0);
            alive[class] += 1;
        });
        let (classes, _) = ledger.counted();
        let counted = classes.iter().enumerate().map(|(n, c)| {
            let exact = told || c.flags & FREE_LIST == 0;
            let name = ledger.words(c.name).to_owned();
            (name, c.flags & HEAP_TYPE != 0, exact, c.dead[0], c.dead[1], alive.get(n).copied().unwrap_or(0))
        });
        counted.filter(|c| c.3 + c.4 + c.5 > 0).collect()
    })
    .unwrap_or_default()
}

/// Calls with each living object whose birth was seen: ledger, class, address, birth.
fn each_living(
    tracer: &mut Tracer,
    ledger: &mut Ledger,
    event: Event,
    mut f: impl FnMut(&mut Ledger, u32, u64, Record),
) {
    let mut found = Vec::new();
    let mut stretch = 0;
    while ledger.alive(stretch, &mut found) {
        for (block, birth) in found.drain(..) {
            let of = Telling { living: event.living, offsets: &tracer.offsets, functions: &tracer.functions };
            if let Some(class) = tracer.classes.of_living(&of, ledger, block, birth) {
                f(ledger, class.number, block + u64::from(class.before), birth);
            }
        }
        stretch += 1;
    }
}

/// One living object: class, whether that was made at run time, address, epoch of its
/// birth, place (a number for `trace_stack`).
type Alive = (String, bool, u64, u32, u32);

/// Living objects born in these epochs, the last not included; of classes made at run time
/// only, unless all are asked for.
#[pyfunction]
#[pyo3(signature = (first, last=u32::MAX, *, builtin=false))]
pub fn trace_alive(first: u32, last: u32, builtin: bool) -> Vec<Alive> {
    ask(|tracer, ledger, event| {
        let mut alive = Vec::new();
        each_living(tracer, ledger, event, |ledger, class, object, birth| {
            let Some(row) = ledger.class_row(class) else { return };
            let heap = row.flags & HEAP_TYPE != 0;
            if (first..last).contains(&birth.epoch()) && (heap || builtin) {
                alive.push((ledger.words(row.name).to_owned(), heap, object, birth.epoch(), birth.place - 1));
            }
        });
        alive
    })
    .unwrap_or_default()
}

/// One frame: file, line, function.
type FrameTold = (String, u32, String);

/// The stack of a place, innermost frame first.
#[pyfunction]
pub fn trace_stack(place: u32) -> Vec<FrameTold> {
    ask(|_, ledger, _| stack(ledger, place)).unwrap_or_default()
}

fn stack(ledger: &Ledger, place: u32) -> Vec<FrameTold> {
    let mut frames = Vec::new();
    let mut at = place;
    while let Some(row) = ledger.place_row(at).filter(|_| at != 0) {
        if let Some(code) = ledger.code_row(row.code) {
            frames.push((ledger.words(code.file).to_owned(), row.line, ledger.words(code.name).to_owned()));
        }
        at = row.parent;
    }
    frames
}

/// Where an object was born, innermost frame first; `None` where that was not seen.
#[pyfunction]
pub fn trace_born(object: &Bound<'_, PyAny>) -> Option<Vec<FrameTold>> {
    let object = object.as_ptr() as u64;
    ask(|tracer, ledger, event| {
        let of = Telling { living: event.living, offsets: &tracer.offsets, functions: &tracer.functions };
        let class = tracer.classes.at(&of, ledger, event.living.word(object, 8))?;
        let birth = ledger.record(object - u64::from(class.before))?;
        Some(stack(ledger, birth.place - 1))
    })
    .flatten()
}
