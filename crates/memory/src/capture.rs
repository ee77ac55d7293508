//! A frozen copy of a live process: survey and make room, stop, ask whether it is at
//! rest, copy, let go.  Everything that can be done before the stop is done before.

use std::time::Duration;

use crate::copy::copy;
use crate::resident::{Range, Residency};
use crate::signals::SignalsHeld;
use crate::stop::Stop;
use crate::{AttachError, Image, ImageBuilder, Mapping, Mappings, Memory, Process, Thread};

/// What to copy, and how often to try.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which mappings.  Never touched pages of large ones are left out.
    pub wanted: fn(&Mapping) -> bool,
    /// How often the target may be stopped to find it at rest, at least 1.
    pub try_times: u32,
    /// The pause after the first try; it doubles with each.
    pub wait: Duration,
    /// Whether to tell the registers of its threads.
    pub thread_regs: bool,
    /// Copy no more than so many bytes.
    pub max_bytes: u64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            wanted: private_writable,
            try_times: 20,
            wait: Duration::from_millis(1),
            thread_regs: true,
            max_bytes: u64::MAX,
        }
    }
}

/// Private, readable and writable memory: what the program alone can have changed.
/// Shared memory, devices and what the kernel lends (`[vvar]`, `[vdso]`) are not.
pub fn private_writable(m: &Mapping) -> bool {
    let p = m.perms;
    let device = m.path.starts_with("/dev/") && m.path_on_disk() != "/dev/zero" && !m.path.starts_with("/dev/shm/");
    p.r && p.w && p.private && !device && !m.path.starts_with("[v")
}

/// Whether the target may be copied as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Yes.
    AtRest,
    /// No: in the middle of this.
    Busy(&'static str),
}

/// Why there is no copy.  The target runs on in every case.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It cannot be looked into.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// More bytes than the plan allows.
    #[error("{needed} bytes would have to be copied, and the limit is {limit}")]
    OverLimit {
        /// Bytes the target holds.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// Less memory is free on this machine.
    #[error("a copy takes {needed} bytes of memory, and {available} are free")]
    NoMemory {
        /// Bytes the copy takes.
        needed: u64,
        /// Bytes free.
        available: u64,
    },
    /// It grew faster than room was made.
    #[error("the process grew from {before} to {now} bytes while it was being looked at")]
    Grew {
        /// Bytes there was room for.
        before: u64,
        /// Bytes it then had.
        now: u64,
    },
    /// A thread kept running.
    #[error("thread {tid} would not stop")]
    WouldNotStop {
        /// That thread.
        tid: i32,
    },
    /// A signal to end came for this program.
    #[error("interrupted")]
    Interrupted,
    /// The thread that holds the target ended by itself.
    #[error("the tracing thread ended")]
    Lost,
    /// The kernel refused something else.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A frozen copy, and what it took.
#[derive(Debug)]
pub struct Captured {
    /// The bytes.
    pub image: Image,
    /// The whole map, as at the stop.
    pub mappings: Mappings,
    /// The threads, the main one first where it lives.
    pub threads: Vec<Thread>,
    /// How long the target stood still, all tries together.
    pub paused: Duration,
    /// The longest of these pauses.
    pub longest_pause: Duration,
    /// How often it was stopped.
    pub stops: u32,
    /// Whether it was at rest when the copy was made.
    pub at_rest: bool,
    /// What it was in the middle of at the last try that found it busy.
    pub busy: Option<&'static str>,
    /// Bytes copied.
    pub copied_bytes: u64,
    /// Bytes of the target in memory at the stop.
    pub resident_bytes: u64,
    /// Stretches that could not be read.
    pub faults: u64,
}

impl Process {
    /// Copy the target while it stands still.  `at_rest` is asked first at each stop and
    /// should read little; where it says `Busy` the target goes on and is stopped again
    /// a little later, up to the plan's number of tries; the last try copies it as it is.
    ///
    /// While the target stands, signals that end this program (SIGINT, SIGTERM, SIGHUP,
    /// SIGQUIT) wait in the calling thread; one that came gives `Interrupted`.
    pub fn capture(&self, plan: &Plan, at_rest: &mut dyn FnMut(&dyn Memory) -> Rest) -> Result<Captured, CaptureError> {
        self.check_can_stop()?;
        let mut session = Session::new(self, plan)?;
        let mut wait = plan.wait;
        for left in (0..plan.try_times.max(1)).rev() {
            match session.attempt(at_rest, left == 0)? {
                Try::Done(still) => return Ok(session.finish(still)),
                Try::NoRoom(now) if left == 0 => {
                    let before = session.image.room() as u64;
                    return Err(CaptureError::Grew { before, now });
                }
                Try::NoRoom(now) => session.make_room(now)?,
                Try::Busy(what) => {
                    session.busy = Some(what);
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_millis(20));
                }
            }
        }
        Err(CaptureError::Lost)
    }

    fn check_can_stop(&self) -> Result<(), CaptureError> {
        let pid = self.pid();
        if pid == std::process::id() as i32 {
            return Err(AttachError::Itself { pid }.into());
        }
        if !self.is_alive() {
            return Err(AttachError::Gone { pid }.into());
        }
        Ok(self.check_tracer()?)
    }
}

/// One capture: what is kept between its stops.
struct Session<'a> {
    process: &'a Process,
    plan: &'a Plan,
    residency: Residency,
    /// Stretches that a look before the stop found.
    known: Vec<Range>,
    image: ImageBuilder,
    /// Threads that copy.
    readers: usize,
    paused: Duration,
    longest: Duration,
    stops: u32,
    busy: Option<&'static str>,
}

/// What one stop gave.
enum Try {
    Busy(&'static str),
    NoRoom(u64),
    Done(Still),
}

/// What was taken while the target stood.
struct Still {
    mappings: Mappings,
    threads: Vec<Thread>,
    at_rest: bool,
    copied: u64,
    faults: u64,
    resident: u64,
}

impl<'a> Session<'a> {
    fn new(process: &'a Process, plan: &'a Plan) -> Result<Session<'a>, CaptureError> {
        let mut session = Session {
            process,
            plan,
            residency: Residency::open(process),
            known: Vec::new(),
            image: ImageBuilder::with_room(0)?,
            readers: 1,
            paused: Duration::ZERO,
            longest: Duration::ZERO,
            stops: 0,
            busy: None,
        };
        session.make_room(0)?;
        Ok(session)
    }

    /// Room for what the target holds now and some growth; for more where the last room
    /// was too small for `wanted` bytes.
    fn make_room(&mut self, wanted: u64) -> Result<(), CaptureError> {
        self.known = Vec::new();
        let (_, runs) = self.survey()?;
        let needed = length(&runs).max(wanted);
        self.check_limit(needed)?;
        let growth = if wanted > 0 { needed / 2 } else { needed / 16 };
        let room = needed.saturating_add(growth).saturating_add(8 << 20);
        // asking for more than there is may make the kernel end the target of all things
        let available = available_memory().unwrap_or(u64::MAX);
        if needed > available {
            return Err(CaptureError::NoMemory { needed, available });
        }
        // the old room is given back first
        self.image = ImageBuilder::with_room(0)?;
        self.image = ImageBuilder::with_room(room.min(available))?;
        self.known = runs;
        // the target stands, so its processors are free
        let most = std::thread::available_parallelism().map_or(1, |n| n.get());
        self.readers = if needed < 16 << 20 { 1 } else { most.min(4) };
        Ok(())
    }

    fn check_limit(&self, needed: u64) -> Result<(), CaptureError> {
        let limit = self.plan.max_bytes;
        if needed > limit { Err(CaptureError::OverLimit { needed, limit }) } else { Ok(()) }
    }

    /// What to copy, as things are now.
    fn survey(&mut self) -> Result<(Mappings, Vec<Range>), CaptureError> {
        let mappings = self.process.mappings()?;
        let mut runs = Vec::new();
        for m in mappings.iter().filter(|m| (self.plan.wanted)(m)) {
            self.residency.runs(m, &self.known, &mut runs);
        }
        Ok((mappings, runs))
    }

    /// One stop.
    fn attempt(&mut self, at_rest: &mut dyn FnMut(&dyn Memory) -> Rest, last: bool) -> Result<Try, CaptureError> {
        let signals = SignalsHeld::hold();
        let mut stop = Stop::hold(self.process)?;
        let outcome = match at_rest(self.process) {
            Rest::Busy(what) if !last => Ok(Try::Busy(what)),
            rest => self.take(rest == Rest::AtRest, &signals, stop.take_threads()),
        };
        let paused = stop.release();
        self.paused += paused;
        self.longest = self.longest.max(paused);
        self.stops += 1;
        outcome
    }

    /// Copy while the target stands.
    fn take(&mut self, at_rest: bool, signals: &SignalsHeld, threads: Vec<Thread>) -> Result<Try, CaptureError> {
        let (mappings, runs) = self.survey()?;
        let needed = length(&runs);
        self.check_limit(needed)?;
        let done = copy(self.process, &runs, &mut self.image, self.readers, &|| signals.waiting());
        let Some(done) = done else {
            return Ok(Try::NoRoom(needed));
        };
        if done.stopped {
            return Err(CaptureError::Interrupted);
        }
        if !self.process.is_alive() {
            return Err(AttachError::Gone { pid: self.process.pid() }.into());
        }
        let resident = self.process.resident_bytes();
        Ok(Try::Done(Still { mappings, threads, at_rest, copied: done.copied, faults: done.faults, resident }))
    }

    fn finish(self, still: Still) -> Captured {
        let mut threads = still.threads;
        for t in &mut threads {
            let name = std::fs::read(self.process.thread_path(t.tid).join("comm")).unwrap_or_default();
            t.name = String::from_utf8_lossy(&name).trim_end().to_owned();
            if !self.plan.thread_regs {
                t.registers = Default::default();
            }
        }
        Captured {
            image: self.image.finish(),
            mappings: still.mappings,
            threads,
            paused: self.paused,
            longest_pause: self.longest,
            stops: self.stops,
            at_rest: still.at_rest,
            busy: self.busy,
            copied_bytes: still.copied,
            resident_bytes: still.resident,
            faults: still.faults,
        }
    }
}

pub(crate) fn length(runs: &[Range]) -> u64 {
    runs.iter().map(|r| r.1 - r.0).sum()
}

/// Memory that can be had without hurting anybody (proc(5), `MemAvailable`).
pub(crate) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}
