//! A frozen copy of a live process: survey and make room, stop, ask whether it is at
//! rest, copy, let go.  Everything that can be done before the stop is done before.

use std::time::Duration;

use crate::copy::copy;
use crate::resident::Residency;
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
    let device = m.path.starts_with("/dev/")
        && m.path_on_disk() != "/dev/zero"
        && !m.path.starts_with("/dev/shm/");
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

/// What the tries add up to.
#[derive(Default)]
struct Tally {
    paused: Duration,
    longest: Duration,
    stops: u32,
    busy: Option<&'static str>,
    room_before: u64,
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

impl Process {
    /// Copy the target while it stands still.  `at_rest` is asked first at each stop and
    /// should read little; where it says `Busy` the target goes on and is stopped again
    /// a little later, up to the plan's number of tries; the last try copies it as it is.
    ///
    /// While the target stands, signals that end this program (SIGINT, SIGTERM, SIGHUP,
    /// SIGQUIT) wait in the calling thread; one that came gives `Interrupted`.
    pub fn capture(
        &self,
        plan: &Plan,
        at_rest: &mut dyn FnMut(&dyn Memory) -> Rest,
    ) -> Result<Captured, CaptureError> {
        self.check_can_stop()?;
        let mut tally = Tally::default();
        let tries = plan.try_times.max(1);
        let mut wait = plan.wait;
        let mut residency = Residency::open(self);
        let mut room: Option<ImageBuilder> = None;
        for n in 1..=tries {
            let mut image = match room.take() {
                Some(room) => room,
                None => self.make_room(plan, &mut residency, &tally)?,
            };
            match self.attempt(
                plan,
                at_rest,
                n == tries,
                &mut residency,
                &mut image,
                &mut tally,
            )? {
                Try::Done(still) => return Ok(self.finish(image, still, tally)),
                Try::Busy(what) => {
                    tally.busy = Some(what);
                    room = Some(image);
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_millis(20));
                }
                Try::NoRoom(now) if n == tries => {
                    return Err(CaptureError::Grew {
                        before: image.room() as u64,
                        now,
                    });
                }
                Try::NoRoom(now) => tally.room_before = now,
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

    /// Room for what the target holds now and some growth; more where the last room was
    /// too small.
    fn make_room(
        &self,
        plan: &Plan,
        residency: &mut Residency,
        tally: &Tally,
    ) -> Result<ImageBuilder, CaptureError> {
        let (_, runs) = self.survey(plan, residency)?;
        let needed = length(&runs).max(tally.room_before);
        if needed > plan.max_bytes {
            return Err(CaptureError::OverLimit {
                needed,
                limit: plan.max_bytes,
            });
        }
        let spare = if tally.room_before > 0 {
            needed / 2
        } else {
            needed / 16
        } + (8 << 20);
        let (least, room) = (needed, needed.saturating_add(spare));
        // asking for more than there is may make the kernel end the target of all things
        let available = available_memory().unwrap_or(u64::MAX);
        if least > available {
            return Err(CaptureError::NoMemory {
                needed: least,
                available,
            });
        }
        Ok(ImageBuilder::with_room(room.min(available))?)
    }

    /// What to copy, as things are now.
    fn survey(
        &self,
        plan: &Plan,
        residency: &mut Residency,
    ) -> Result<(Mappings, Vec<(u64, u64)>), CaptureError> {
        let mappings = self.mappings()?;
        let mut runs = Vec::new();
        mappings
            .iter()
            .filter(|m| (plan.wanted)(m))
            .for_each(|m| residency.runs(m, &mut runs));
        Ok((mappings, runs))
    }

    /// One stop.
    fn attempt(
        &self,
        plan: &Plan,
        at_rest: &mut dyn FnMut(&dyn Memory) -> Rest,
        last: bool,
        residency: &mut Residency,
        image: &mut ImageBuilder,
        tally: &mut Tally,
    ) -> Result<Try, CaptureError> {
        let signals = SignalsHeld::hold();
        let mut stop = Stop::hold(self)?;
        let outcome = self.take(plan, at_rest, last, residency, image, &signals, &mut stop);
        let paused = stop.release();
        tally.paused += paused;
        tally.longest = tally.longest.max(paused);
        tally.stops += 1;
        outcome
    }

    #[allow(clippy::too_many_arguments)]
    fn take(
        &self,
        plan: &Plan,
        at_rest: &mut dyn FnMut(&dyn Memory) -> Rest,
        last: bool,
        residency: &mut Residency,
        image: &mut ImageBuilder,
        signals: &SignalsHeld,
        stop: &mut Stop,
    ) -> Result<Try, CaptureError> {
        let rest = at_rest(self);
        if let (Rest::Busy(what), false) = (rest, last) {
            return Ok(Try::Busy(what));
        }
        let (mappings, runs) = self.survey(plan, residency)?;
        let needed = length(&runs);
        if needed > plan.max_bytes {
            return Err(CaptureError::OverLimit {
                needed,
                limit: plan.max_bytes,
            });
        }
        let Some(done) = copy(self, &runs, image, readers(needed), &|| signals.waiting()) else {
            return Ok(Try::NoRoom(needed));
        };
        if done.stopped {
            return Err(CaptureError::Interrupted);
        }
        if done.copied == 0 && needed > 0 && !self.is_alive() {
            return Err(AttachError::Gone { pid: self.pid() }.into());
        }
        let mut threads = stop.take_threads();
        if !plan.thread_regs {
            threads
                .iter_mut()
                .for_each(|t| t.registers = Default::default());
        }
        let at_rest = rest == Rest::AtRest;
        let resident = self.resident_bytes();
        Ok(Try::Done(Still {
            mappings,
            threads,
            at_rest,
            copied: done.copied,
            faults: done.faults,
            resident,
        }))
    }

    fn finish(&self, image: ImageBuilder, still: Still, tally: Tally) -> Captured {
        let mut threads = still.threads;
        for t in &mut threads {
            let name = std::fs::read(self.thread_path(t.tid).join("comm")).unwrap_or_default();
            t.name = String::from_utf8_lossy(&name).trim_end().to_owned();
        }
        Captured {
            image: image.finish(),
            mappings: still.mappings,
            threads,
            paused: tally.paused,
            longest_pause: tally.longest,
            stops: tally.stops,
            at_rest: still.at_rest,
            busy: tally.busy,
            copied_bytes: still.copied,
            resident_bytes: still.resident,
            faults: still.faults,
        }
    }
}

fn length(runs: &[(u64, u64)]) -> u64 {
    runs.iter().map(|r| r.1 - r.0).sum()
}

/// How many threads copy: the target stands, so its processors are free.
fn readers(bytes: u64) -> usize {
    let most = std::thread::available_parallelism()
        .map_or(1, |n| n.get())
        .min(4);
    if bytes < 16 << 20 { 1 } else { most }
}

/// Memory that can be had without hurting anybody (proc(5), `MemAvailable`).
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}
