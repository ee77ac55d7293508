//! A live Python process as a target: opened, stopped for as long as a copy takes,
//! walked afterwards.

use std::time::{Duration, SystemTime};

use undying_graph::{Facts, Progress, Sink};
use undying_memory::{Captured, Memory, Plan, Process, Rest, modules, private_writable};

use crate::allocator::Allocator;
use crate::blocks;
use crate::data::DataRanges;
use crate::locate::{self, OpenError, Runtime};
use crate::space::Space;
use crate::walk::{self, WalkError};
use crate::{collector, select};

/// How often a copy is taken anew when a thread was caught inside the allocator, or
/// between two links of the collector's lists.
const COPIES: u32 = 3;

/// How to capture.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often the target may be stopped to find it outside of the collector.
    pub tries: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { tries: 20 }
    }
}

/// Why there is no capture.  The target runs on in every case.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It could not be stopped or copied.
    #[error("process {pid} could not be copied: {source}")]
    Copy {
        /// The process.
        pid: i32,
        /// Why.
        source: undying_memory::CaptureError,
    },
    /// Its structures are not what any layout says.
    #[error(
        "process {pid} was copied, but its heap could not be made sense of ({why}); please report this with its Python version"
    )]
    Misfit {
        /// The process.
        pid: i32,
        /// What did not fit.
        why: String,
    },
    /// The sink could not take more.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Told to stop.
    #[error("interrupted; nothing was written")]
    Cancelled,
}

/// The memory of a target as it stood, not yet looked into.
#[derive(Debug)]
pub struct Copied {
    captured: Captured,
    /// Pools of the allocator that somebody was in the middle of.
    torn: u64,
    /// When it was copied.
    at: SystemTime,
}

/// A live Python process.
#[derive(Debug)]
pub struct Target {
    process: Process,
    runtime: Runtime,
}

impl Target {
    /// Find the interpreter in a process.  Nothing is stopped.
    pub fn open(pid: i32) -> Result<Target, OpenError> {
        let process = Process::open(pid)?;
        let mappings = process.mappings().map_err(|source| OpenError::Io { pid, source })?;
        let runtime = locate::locate(&process, &mappings)?;
        Ok(Target { process, runtime })
    }

    /// Find the interpreter of the process that asks.  Needs no right.
    pub fn open_itself() -> Result<Target, OpenError> {
        let process = Process::itself()?;
        let mappings = process.mappings().map_err(|source| OpenError::Io { pid: process.pid(), source })?;
        let runtime = locate::locate(&process, &mappings)?;
        Ok(Target { process, runtime })
    }

    /// The interpreter that was found.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Where the main interpreter's state lies, and its collector's.  The list of
    /// interpreters begins with the newest.
    pub fn main_interpreter(&self) -> (u64, u64) {
        let at = self.runtime.address.wrapping_add(u64::from(self.runtime.layout.runtime.interpreters_main));
        let main = self.process.word(at).unwrap_or(0);
        (main, collector::state_address(&self.runtime.layout, self.runtime.address, main))
    }

    /// Stop, copy, let go; then walk the copy into the sink.
    pub fn capture<S: Sink + ?Sized>(
        &self,
        options: &Options,
        progress: &dyn Progress,
        sink: &mut S,
    ) -> Result<(), CaptureError> {
        progress.phase("copying memory", 0);
        self.walk(&self.copy(options)?, progress, sink)
    }

    /// Copy the process that asks ([`Target::open_itself`]), which nobody stops: the caller
    /// holds the interpreter's lock, so that no object changes, and may let it go after.
    /// Interpreters with a lock of their own run on.
    pub fn copy_itself(&self) -> Result<Copied, CaptureError> {
        let at_rest = self.at_rest(&self.process) == Rest::AtRest;
        let at = SystemTime::now();
        let captured = self.process.capture_itself(private_writable);
        let captured = captured.map_err(|source| CaptureError::Copy { pid: self.process.pid(), source })?;
        let captured = Captured { at_rest, ..captured };
        Ok(Copied { torn: self.torn_pools(&captured), captured, at })
    }

    /// Walk a copy into the sink.
    pub fn walk<S: Sink + ?Sized>(
        &self,
        copied: &Copied,
        progress: &dyn Progress,
        sink: &mut S,
    ) -> Result<(), CaptureError> {
        let pid = self.process.pid();
        let captured = &copied.captured;
        let data = DataRanges::new(modules(&self.process, &captured.mappings));
        let data = data.of_process(self.process.pid_inside());
        let facts = self.facts(copied);
        let walked = walk::walk(captured, &self.process, &self.runtime, &data, facts, sink, progress);
        walked.map_err(|e| match e {
            WalkError::Misfit(why) => CaptureError::Misfit { pid, why },
            WalkError::Io(e) => CaptureError::Io(e),
            WalkError::Cancelled => CaptureError::Cancelled,
        })
    }

    /// A copy with nobody inside the collector or the allocator, if that can be had.
    fn copy(&self, options: &Options) -> Result<Copied, CaptureError> {
        let pid = self.process.pid();
        let plan = Plan { try_times: options.tries.max(1), ..Plan::default() };
        let (mut paused, mut stops, mut left) = (Duration::ZERO, 0, COPIES);
        loop {
            let at = SystemTime::now();
            let captured = self.process.capture(&plan, &mut |memory| self.at_rest(memory));
            let mut captured = captured.map_err(|source| CaptureError::Copy { pid, source })?;
            paused += captured.paused;
            stops += captured.stops;
            let torn = self.torn_pools(&captured);
            left -= 1;
            if left == 0 || (torn == 0 && self.lists_are_linked(&captured)) {
                (captured.paused, captured.stops) = (paused, stops);
                return Ok(Copied { captured, torn, at });
            }
        }
    }

    /// Whether no thread was caught between the two ends of a link that it makes or
    /// undoes: only the ends of the lists are looked at.
    fn lists_are_linked(&self, captured: &Captured) -> bool {
        let space = Space::new(&captured.image, &self.process);
        self.collectors(&captured.image).all(|state| {
            let found = collector::read(&space, &self.runtime.layout, state);
            found.is_some_and(|c| c.torn_heads == 0)
        })
    }

    /// The states of the interpreters' collectors.
    fn collectors<'m>(&self, memory: &'m dyn Memory) -> impl Iterator<Item = u64> + use<'m, '_> {
        const MOST: usize = 256; // a list that is torn may be a ring
        let (l, runtime) = (&self.runtime.layout, self.runtime.address);
        let word = |a: u64, o: u32| memory.word(a.wrapping_add(u64::from(o))).unwrap_or(0);
        let first = word(runtime, l.runtime.interpreters_head);
        let interpreters = std::iter::successors(Some(first), move |&i| Some(word(i, l.interp.next)));
        let interpreters = interpreters.take_while(|&i| i != 0).take(MOST);
        interpreters.map(move |i| collector::state_address(l, runtime, i))
    }

    /// Whether a collection is under way: it keeps counts of its own in the lists.
    fn at_rest(&self, memory: &dyn Memory) -> Rest {
        let collecting = |state: u64| {
            let flag = state.wrapping_add(u64::from(self.runtime.layout.gc_state.collecting));
            memory.half(flag).is_ok_and(|c| c != 0)
        };
        if self.collectors(memory).any(collecting) {
            return Rest::Busy("a collection");
        }
        Rest::AtRest
    }

    /// Pools of the small-object allocator whose counts do not add up.
    fn torn_pools(&self, captured: &Captured) -> u64 {
        let space = Space::new(&captured.image, &self.process);
        let pool_bytes = select::pool_bytes(&self.runtime.layout);
        let allocator = Allocator::new(&space, &self.runtime.layout, pool_bytes);
        allocator.torn_pools(blocks::memory(&captured.mappings, &captured.image)).0
    }

    fn facts(&self, copied: &Copied) -> Facts {
        let Copied { captured, torn, at } = copied;
        let torn = *torn;
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut facts = Facts {
            captured_at: at.as_secs_f64(),
            flavour: self.runtime.layout.flavour.to_owned(),
            layout: self.runtime.found.clone(),
            pid: i64::from(self.process.pid()),
            program: self.process.program(),
            host: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
            paused_seconds: captured.paused.as_secs_f64(),
            stops: captured.stops,
            at_rest: captured.at_rest && torn == 0,
            copied_bytes: captured.copied_bytes,
            resident_bytes: captured.resident_bytes,
            ..Facts::default()
        };
        for (kind, count) in [("unreadable-memory", captured.faults), ("torn-pool", torn)] {
            if count > 0 {
                facts.defects.insert(kind.into(), count);
            }
        }
        facts
    }
}
