//! A snapshot at a moment that was named beforehand: a signal, memory that could not be
//! had, a size.  The process forks; the child, which needs no right to read itself, writes
//! down its own copy and ends, and the parent goes on at once.

mod child;
mod failing;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::error::{misused, raised};

/// How often the process's size is looked at.
const PATIENCE: Duration = Duration::from_millis(100);

/// Memory that is wanting again so soon is the same want.
const SAME_WANT: Duration = Duration::from_secs(5);

/// What is armed.
static ARMED: Mutex<Option<Armed>> = Mutex::new(None);

struct Armed {
    to: PathBuf,
    /// Snapshots that may still be written.
    left: u32,
    /// Which arming this is: what was begun for an earlier one ends.
    number: u64,
    /// When memory was last wanting: the allocator says so first, then an exception.
    starved: Option<Instant>,
}

/// Arms: snapshots go to `to`, the next ones beside it; at most `limit` of them.
#[pyfunction]
pub fn arm_begin(to: PathBuf, limit: u32) -> PyResult<()> {
    let to = std::path::absolute(to)?;
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    let number = armed.as_ref().map_or(1, |a| a.number + 1);
    *armed = Some(Armed { to, left: limit, number, starved: None });
    Ok(())
}

/// Nothing is written any more.
#[pyfunction]
pub fn arm_end() {
    if let Some(armed) = ARMED.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        armed.left = 0;
        armed.number += 1;
    }
}

/// Writes a snapshot now, if armed; where it will be.
#[pyfunction]
pub fn arm_now(_py: Python<'_>, why: &str) -> Option<PathBuf> {
    now(why, false)
}

/// The same for want of memory, which is told once though it is met by several.
#[pyfunction]
pub fn arm_starved(_py: Python<'_>) -> Option<PathBuf> {
    now("MemoryError", true)
}

/// Writes a snapshot whenever an allocator of the interpreter has no memory.
#[pyfunction]
pub fn arm_memory(py: Python<'_>) -> PyResult<()> {
    failing::hook().map_err(|name| {
        raised(py, &misused(format!("this interpreter has no {name}, by which a failing allocator would be seen")))
    })
}

/// Writes a snapshot when the resident size passes so many bytes, and again when it does
/// so after having been a tenth below.
#[pyfunction]
pub fn arm_resident(limit: u64) {
    let number = ARMED.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |a| a.number);
    let watch = move || {
        let mut above = false;
        while armed_as(number) {
            let resident = resident_bytes();
            if resident > limit && !above {
                // with the lock no object changes; at the interpreter's end there is none
                Python::try_attach(|_| now("its size", false));
            }
            above = resident > if above { limit - limit / 10 } else { limit };
            std::thread::sleep(PATIENCE);
        }
    };
    // without threads there is no watch: what cannot be had is not needed for the rest
    let _ = std::thread::Builder::new().name("undying-arm".into()).stack_size(256 << 10).spawn(watch);
}

fn armed_as(number: u64) -> bool {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|a| a.number == number)
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0);
    pages * 4096
}

/// The interpreter's lock is held.  Not waited for: it may be asked in the middle of itself.
fn now(why: &str, starved: bool) -> Option<PathBuf> {
    let to = {
        let mut armed = ARMED.try_lock().ok()?;
        let armed = armed.as_mut().filter(|a| a.left > 0)?;
        if starved && armed.starved.replace(Instant::now()).is_some_and(|last| last.elapsed() < SAME_WANT) {
            return None;
        }
        let to = free_place(&armed.to)?;
        armed.left -= 1;
        to
    };
    child::write(&to, why).then_some(to)
}

/// The place itself, or the first free one of `PLACE.2`, `PLACE.3`…
fn free_place(to: &std::path::Path) -> Option<PathBuf> {
    /// More snapshots of one name are nobody's wish.
    const MOST: u32 = 10_000;
    let numbered = |n: u32| {
        let mut name = to.as_os_str().to_owned();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    };
    let places = std::iter::once(to.to_path_buf()).chain((2..MOST).map(numbered));
    let mut free = places.filter(|p| p.symlink_metadata().is_err() && !taken(p));
    let place = free.next()?;
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).push(place.clone());
    Some(place)
}

/// Places that children write to, which appear when they are done.
static TAKEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn taken(place: &std::path::Path) -> bool {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|t| t == place)
}
