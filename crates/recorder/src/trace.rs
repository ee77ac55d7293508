//! The thread that traces: seizes every thread of the target, sets their debug registers,
//! notes each write, and lets all go without any.  All that ptrace does happens here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use undying_cpython::Stacks;
use undying_memory::{Process, mend_call};

use crate::kernel::{self, News, On};
use crate::note::Notes;
use crate::unwind::Place;
use crate::{End, Limits, RecordError, Recording, registers};

/// New threads may be born while others are seized; each round finds fewer.
const ROUNDS: usize = 100;
/// After so long a thread that does not stop ends the attempt.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// So long it is tried to take the registers back from a thread in uninterruptible sleep.
const RELEASE_WITHIN: Duration = Duration::from_secs(30);
/// Spin so long before sleeping between looks; then sleep so long at most.
const SPIN: Duration = Duration::from_micros(300);
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

/// Where a thread of the target is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Seized, its registers not yet set.
    Fresh,
    /// It runs and tells of writes.
    Armed,
}

/// Trace until told to end.  `ready` is told when the target may go, and goes out of scope
/// at the end.
pub(crate) fn run(
    stacks: Stacks,
    addresses: &[u64],
    limits: &Limits,
    told: &AtomicU8,
    ready: Sender<()>,
) -> Result<Recording, RecordError> {
    // signals are for the other threads
    let _ = SigSet::all().thread_block();
    let process = stacks.process().clone();
    let mut notes = Notes::new(stacks, addresses, limits.frames);
    let end = trace(&process, addresses, limits, told, &ready, &mut notes)?;
    let recording = notes.finish(end, limits.events);
    if recording.writes == 0 && end == End::Done && recording.first != recording.last {
        return Err(RecordError::Mute);
    }
    Ok(recording)
}

/// Seize, note, let go.
fn trace(
    process: &Process,
    addresses: &[u64],
    limits: &Limits,
    told: &AtomicU8,
    ready: &Sender<()>,
    notes: &mut Notes,
) -> Result<End, RecordError> {
    let mut tracer = Tracer {
        process,
        addresses,
        threads: BTreeMap::new(),
        calls: BTreeMap::new(),
        notes,
        ending: false,
        gone: false,
    };
    tracer.seize_all()?;
    tracer.arm_all()?;
    tracer.notes.begin();
    let end = match ready.send(()) {
        Ok(()) => tracer.until_told(told, limits),
        Err(_) => End::Interrupted,
    };
    tracer.release();
    Ok(if tracer.gone { End::Gone } else { end })
}

/// A function outside of the interpreter that runs: where it will return to, and the
/// changes that happened within.
struct Call {
    back: Place,
    changes: Vec<usize>,
}

/// Calls within one another that are waited for.
const DEEPEST: usize = 256;

struct Tracer<'a> {
    process: &'a Process,
    addresses: &'a [u64],
    threads: BTreeMap<i32, State>,
    /// The calls of each thread, the innermost last.
    calls: BTreeMap<i32, Vec<Call>>,
    notes: &'a mut Notes,
    /// Whoever stops is let go.
    ending: bool,
    /// The process ended.
    gone: bool,
}

impl Tracer<'_> {
    /// Seize every thread.  New ones of those that are seized come by themselves.
    fn seize_all(&mut self) -> Result<(), RecordError> {
        let pid = self.process.pid();
        for _ in 0..ROUNDS {
            let listed = self.process.threads();
            let fresh: Vec<i32> = listed.into_iter().filter(|t| !self.threads.contains_key(t)).collect();
            if fresh.is_empty() {
                break;
            }
            for tid in fresh {
                match ptrace::seize(Pid::from_raw(tid), Options::PTRACE_O_TRACECLONE) {
                    Ok(()) => drop(self.threads.insert(tid, State::Fresh)),
                    Err(Errno::ESRCH) => {}
                    // one that was born of a seized thread since the list was read
                    Err(Errno::EPERM) if !self.threads.is_empty() => {}
                    Err(e) => return Err(RecordError::Trace { pid, why: e.into() }),
                }
            }
        }
        match self.threads.is_empty() {
            true => Err(RecordError::Trace { pid, why: Errno::ESRCH.into() }),
            false => Ok(()),
        }
    }

    /// Stop every thread once, to set its registers.
    fn arm_all(&mut self) -> Result<(), RecordError> {
        self.interrupt_all();
        let began = Instant::now();
        let mut pause = Pause::new();
        while let Some((&tid, _)) = self.threads.iter().find(|t| *t.1 == State::Fresh) {
            if began.elapsed() > STOP_WITHIN {
                return Err(RecordError::WouldNotStop { tid });
            }
            match self.next()? {
                true => pause.reset(),
                false => pause.wait(),
            }
            if self.gone {
                return Err(RecordError::Trace { pid: self.process.pid(), why: Errno::ESRCH.into() });
            }
        }
        Ok(())
    }

    fn interrupt_all(&self) {
        for &tid in self.threads.keys() {
            // an error means that it ended; the wait will tell
            let _ = ptrace::interrupt(Pid::from_raw(tid));
        }
    }

    /// Note what happens until somebody or a limit ends it.
    fn until_told(&mut self, told: &AtomicU8, limits: &Limits) -> End {
        let began = Instant::now();
        let mut pause = Pause::new();
        loop {
            match self.next() {
                Ok(true) => pause.reset(),
                // registers that a new thread was refused are told of by what is missing
                Ok(false) | Err(_) => pause.wait(),
            }
            if self.gone {
                return End::Gone;
            }
            if self.notes.len() >= limits.events {
                return End::Events;
            }
            match told.load(Ordering::Acquire) {
                0 if began.elapsed() > limits.time => return End::Time,
                0 => {}
                said if said == End::Done as u8 => return End::Done,
                _ => return End::Interrupted,
            }
        }
    }

    /// Act upon one piece of news; whether there was one.
    fn next(&mut self) -> Result<bool, RecordError> {
        match kernel::next() {
            News::None => return Ok(false),
            News::Nobody => self.gone = true,
            News::Ended { tid } if tid == self.process.pid() => {
                // its end is for who waits for the process
                self.threads.remove(&tid);
                self.gone = true;
            }
            News::Ended { tid } => {
                kernel::take(tid);
                self.threads.remove(&tid);
                self.calls.remove(&tid);
            }
            News::Stopped { tid, event, signal } => {
                if self.is_ours(tid) {
                    self.stopped(tid, event, signal)?;
                } else {
                    kernel::go_on(tid, On::Free(0));
                }
            }
        }
        Ok(true)
    }

    /// A thread that is not known was just born, or it is a process: that is let go.
    fn is_ours(&mut self, tid: i32) -> bool {
        if !self.threads.contains_key(&tid) && self.process.threads().contains(&tid) {
            self.threads.insert(tid, State::Fresh);
        }
        self.threads.contains_key(&tid)
    }

    /// A thread stands.
    fn stopped(&mut self, tid: i32, event: i32, signal: i32) -> Result<(), RecordError> {
        match event {
            0 => {
                let told = if signal == libc::SIGTRAP { registers::told(tid) } else { 0 };
                if told == 0 {
                    return self.on(tid, On::Run(signal));
                }
                // taken, so that the kernel forgets the signal even if we die now
                kernel::take(tid);
                self.told(tid, told);
                registers::clear(tid);
                self.on(tid, On::Run(self.theirs(tid)))
            }
            libc::PTRACE_EVENT_STOP => {
                let grouped = matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
                mend_call(self.process, tid, 0);
                self.on(tid, if grouped { On::Listen } else { On::Run(0) })
            }
            _ => self.on(tid, On::Run(0)),
        }
    }

    /// Words were written, or a call came back.
    fn told(&mut self, tid: i32, told: u64) {
        let words = self.addresses.len();
        if told >> words != 0 {
            self.came_back(tid);
        }
        let written = told & ((1 << words) - 1);
        let noted = if written != 0 { self.notes.written(tid, written) } else { None };
        if let Some((back, changes)) = noted {
            let calls = self.calls.entry(tid).or_default();
            if calls.last().is_none_or(|c| c.back != back) && calls.len() < DEEPEST {
                calls.push(Call { back, changes: Vec::new() });
            }
            if let Some(call) = calls.last_mut().filter(|c| c.back == back) {
                call.changes.extend(changes);
            }
        }
        if !self.ending {
            let next = self.calls.get(&tid).and_then(|c| c.last()).map(|c| c.back.pc);
            registers::halt_at(tid, words, next);
        }
    }

    /// A thread is at an instruction that it was to come back to: what it returned is in
    /// rax.  The same instruction may be met further in, by a call within the call.
    fn came_back(&mut self, tid: i32) {
        let (Ok(at), Some(calls)) = (ptrace::getregs(Pid::from_raw(tid)), self.calls.get_mut(&tid)) else { return };
        // one that was left in another way lies beyond the end of the stack
        while let Some(call) = calls.pop_if(|c| c.back.stack <= at.rsp) {
            if call.back == (Place { pc: at.rip, stack: at.rsp }) {
                self.notes.returned(&call.changes, at.rax);
            }
        }
    }

    /// SIGTRAP, where somebody sent it at the very time that a write was told of.
    fn theirs(&self, tid: i32) -> i32 {
        let info = ptrace::getsiginfo(Pid::from_raw(tid));
        if info.is_ok_and(|i| i.si_code <= 0) { libc::SIGTRAP } else { 0 }
    }

    /// Have a thread that stands go on: with its registers set, or for good without.
    fn on(&mut self, tid: i32, how: On) -> Result<(), RecordError> {
        if self.ending {
            self.free(tid, how);
            return Ok(());
        }
        if self.threads.get(&tid) == Some(&State::Fresh) {
            let armed = registers::arm(tid, self.addresses);
            if !matches!(armed, Ok(()) | Err(Errno::ESRCH)) {
                let _ = registers::disarm(tid);
                kernel::go_on(tid, how);
                return armed.map_err(|e| RecordError::NoRegisters { why: e.into() });
            }
            self.threads.insert(tid, State::Armed);
        }
        kernel::go_on(tid, how);
        Ok(())
    }

    /// Take the registers back and let go.  A write whose signal is still to come would end
    /// the thread once nobody traces it: that is met first.
    fn free(&mut self, tid: i32, how: On) {
        let waiting = registers::told(tid) != 0;
        if !waiting {
            let _ = registers::disarm(tid);
        }
        let signal = if let On::Run(signal) = how { signal } else { 0 };
        if waiting {
            kernel::go_on(tid, On::Run(signal));
        } else if kernel::go_on(tid, On::Free(signal)) {
            self.threads.remove(&tid);
        }
    }

    /// Let every thread go.
    fn release(&mut self) {
        self.ending = true;
        let began = Instant::now();
        let mut pause = Pause::new();
        self.interrupt_all();
        while !self.threads.is_empty() && !self.gone && began.elapsed() < RELEASE_WITHIN {
            match self.next() {
                Ok(true) => pause.reset(),
                Ok(false) | Err(_) => pause.wait(),
            }
        }
    }
}

impl Drop for Tracer<'_> {
    fn drop(&mut self) {
        if !self.ending {
            self.release();
        }
    }
}

/// Waits between looks: shortly while things happen.
struct Pause {
    since: Instant,
    next: Duration,
}

impl Pause {
    fn new() -> Pause {
        Pause { since: Instant::now(), next: Duration::from_micros(50) }
    }

    fn reset(&mut self) {
        *self = Pause::new();
    }

    fn wait(&mut self) {
        if self.since.elapsed() < SPIN {
            return std::thread::yield_now();
        }
        std::thread::sleep(self.next);
        self.next = (self.next * 2).min(LONGEST_SLEEP);
    }
}
