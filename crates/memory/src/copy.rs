//! Moves stretches of a target into an image, as fast as the kernel allows, by as many
//! threads as pay.  Knows neither who holds the target still nor why.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::uio::RemoteIoVec;

use crate::resident::{PAGE, Range};
use crate::{ImageBuilder, Process};

/// Bytes moved by one call, and between two looks at the signals.
const UNIT: u64 = 8 << 20;
/// Stretches the kernel takes in one call (`UIO_MAXIOV`).
const PARTS: usize = 1024;

/// What a copy came to.
pub(crate) struct Outcome {
    pub copied: u64,
    /// Stretches that could not be read.
    pub faults: u64,
    /// `stop` said so.
    pub stopped: bool,
}

/// A part of the work: stretches, and where their bytes go.
struct Unit<'a> {
    parts: Vec<Range>,
    room: &'a mut [u8],
}

/// Copy `runs` (sorted, apart) into `image` by `threads` threads, the calling one among
/// them, which asks `stop` now and then.  `None` if the image has no room for them.
pub(crate) fn copy(
    process: &Process,
    runs: &[Range],
    image: &mut ImageBuilder,
    threads: usize,
    stop: &dyn Fn() -> bool,
) -> Option<Outcome> {
    let stopped = AtomicBool::new(false);
    let mut faults = 0;
    let copied = image.add_all(runs, |room| {
        let missing = Mutex::new(Vec::new());
        let units = Mutex::new(units(runs, room).into_iter());
        let work = |ask: &dyn Fn() -> bool| {
            while !stopped.load(Ordering::Relaxed) {
                if ask() {
                    stopped.store(true, Ordering::Relaxed);
                    break;
                }
                let Some(unit) = units.lock().ok().and_then(|mut u| u.next()) else {
                    break;
                };
                let bad = read_unit(process, unit);
                if !bad.is_empty() {
                    missing.lock().map(|mut m| m.extend(bad)).ok();
                }
            }
        };
        std::thread::scope(|s| {
            for _ in 1..threads {
                // where no thread can be had this one does all
                let _ = std::thread::Builder::new().stack_size(128 << 10).spawn_scoped(s, || work(&|| false));
            }
            work(stop);
        });
        let mut missing = missing.into_inner().unwrap_or_default();
        missing.sort_unstable();
        faults = missing.len() as u64;
        missing
    })?;
    Some(Outcome { copied, faults, stopped: stopped.into_inner() })
}

/// Cut the runs into units of at most [`UNIT`] bytes and [`PARTS`] stretches.
fn units<'a>(runs: &[Range], mut room: &'a mut [u8]) -> Vec<Unit<'a>> {
    let mut out = Vec::new();
    let mut parts = Vec::new();
    let mut bytes = 0;
    let mut close = |parts: &mut Vec<Range>, bytes: &mut u64| {
        let (mine, rest) = std::mem::take(&mut room).split_at_mut(*bytes as usize);
        room = rest;
        *bytes = 0;
        out.push(Unit { parts: std::mem::take(parts), room: mine });
    };
    for &(start, end) in runs {
        let mut at = start;
        while at < end {
            let to = end.min(at + (UNIT - bytes));
            parts.push((at, to));
            bytes += to - at;
            at = to;
            if bytes == UNIT || parts.len() == PARTS {
                close(&mut parts, &mut bytes);
            }
        }
    }
    if !parts.is_empty() {
        close(&mut parts, &mut bytes);
    }
    out
}

/// Read one unit; the stretches that could not be read come back.
fn read_unit(process: &Process, unit: Unit<'_>) -> Vec<Range> {
    let Unit { parts, room } = unit;
    let mut missing: Vec<Range> = Vec::new();
    let mut parts = &parts[..];
    let mut inside = 0; // bytes of parts[0] that are done
    let mut done = 0;
    while let Some(&(start, end)) = parts.first() {
        let remote: Vec<RemoteIoVec> = parts.iter().map(|p| vec_of((p.0, p.1))).collect();
        let mut remote = remote;
        remote[0] = vec_of((start + inside, end));
        let got = process.readv(&mut room[done..], &remote);
        let mut n = match got {
            Ok(n) => n as u64,
            Err(Errno::EFAULT) => 0,
            // gone, or no longer ours: no page of it will come
            Err(_) => {
                missing.push((start + inside, end));
                missing.extend(&parts[1..]);
                return missing;
            }
        };
        if n == 0 {
            n = skip_page(process, (start + inside, end), &mut room[done..], &mut missing);
        }
        done += n as usize;
        inside += n;
        while let Some(p) = parts.first().filter(|p| inside >= p.1 - p.0) {
            inside -= p.1 - p.0;
            parts = &parts[1..];
        }
    }
    missing
}

/// Try the first page of a stretch alone; if it does not come it is missing.  How many
/// bytes were dealt with.
fn skip_page(process: &Process, (start, end): Range, room: &mut [u8], missing: &mut Vec<Range>) -> u64 {
    let to = end.min((start / PAGE + 1) * PAGE);
    let length = to - start;
    let got = process.readv(&mut room[..length as usize], &[vec_of((start, to))]);
    if got != Ok(length as usize) {
        match missing.last_mut() {
            Some(m) if m.1 == start => m.1 = to,
            _ => missing.push((start, to)),
        }
    }
    length
}

fn vec_of((start, end): Range) -> RemoteIoVec {
    RemoteIoVec { base: start as usize, len: (end - start) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn units_hold_every_byte_once_and_in_order(
            sizes in prop::collection::vec((0u64..3, 1u64..(3 * UNIT / PAGE)), 0..12),
            small in 0usize..3000,
        ) {
            let mut at = 0x10000;
            let mut runs = Vec::new();
            let tiny = (0..small).map(|_| (1, 1));
            for (gap, pages) in sizes.into_iter().chain(tiny) {
                at += gap * PAGE;
                runs.push((at, at + pages * PAGE));
                at += (pages + 1) * PAGE;
            }
            // room that is never touched costs nothing
            let total: u64 = runs.iter().map(|r| r.1 - r.0).sum();
            let mut room = memmap2::MmapMut::map_anon(total.max(1) as usize).unwrap();
            let base = room.as_ptr() as usize;
            let mut offset = 0;
            let mut joined: Vec<Range> = Vec::new();
            for u in units(&runs, &mut room) {
                let bytes: u64 = u.parts.iter().map(|p| p.1 - p.0).sum();
                prop_assert!(bytes <= UNIT && u.parts.len() <= PARTS && bytes == u.room.len() as u64);
                prop_assert_eq!(u.room.as_ptr() as usize - base, offset);
                offset += u.room.len();
                for p in u.parts {
                    match joined.last_mut() {
                        Some(last) if last.1 == p.0 => last.1 = p.1,
                        _ => joined.push(p),
                    }
                }
            }
            prop_assert_eq!(offset as u64, total);
            prop_assert_eq!(joined, runs);
        }
    }
}
