//! The thread that traces: stops every thread of a process, mends the system calls that
//! the stop cut short, and lets go.  Writes nothing into the target but those registers;
//! reads no memory for anybody.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

use crate::process::threads_of;
use crate::status::{Status, stat};
use crate::stop::{detach, news_of, no_registers};
use crate::thread::{Registers, Thread};
use crate::{AttachError, CaptureError, Process, attach, mend};

/// After so long a thread in uninterruptible sleep counts as standing: it cannot run
/// the program's code before it meets our stop.  (A parent in vfork sleeps so until its
/// child is another program.)
const ASLEEP_AFTER: Duration = Duration::from_millis(3);
/// After so long a thread that does not stop ends the attempt.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Threads may be born while others are stopped; each round finds fewer.
const ROUNDS: usize = 100;
/// So many threads at most are stopped one by one.
const ONE_BY_ONE: usize = 64;
/// read poll select nanosleep connect wait4 futex clock_nanosleep waitid pselect6 ppoll
/// restart_syscall: what the kernel begins again after a stop.
const RESTARTING: [i64; 12] = [0, 7, 23, 35, 42, 61, 202, 230, 247, 270, 271, 219];
/// Spin so long before sleeping between looks.
const SPIN: Duration = Duration::from_millis(1);

/// Where a thread of the target is, as its tracer knows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum State {
    /// Traced, not told to stop.
    Loose,
    /// Told to stop, not seen to.
    Running,
    /// In a stop.  `deliver` is the signal whose delivery the stop came before: it has
    /// to go on with the release or it is lost.
    Stopped {
        deliver: i32,
    },
    /// In uninterruptible sleep.
    Asleep,
    Gone,
    /// The kernel gives no news of it to us.
    Unknown,
}

struct Held {
    tid: i32,
    state: State,
    registers: Option<libc::user_regs_struct>,
    /// The system call was set to begin again.
    repaired: bool,
}

/// The side of a stop that lives in the tracing thread.
pub(crate) struct Tracer {
    process: Process,
    held: Vec<Held>,
}

impl Tracer {
    pub fn new(process: Process) -> Tracer {
        Tracer { process, held: Vec::new() }
    }

    /// Stop every thread; on an error some are stopped, until this is dropped.
    ///
    /// New threads come from threads that still run: when all known ones stand and no
    /// unknown one is listed, all stand.  (So no clone events are asked for, whose stops
    /// would also catch new processes.)
    pub fn stop_all(&mut self) -> Result<(), CaptureError> {
        let mut known = BTreeSet::new();
        for _ in 0..ROUNDS {
            let first = self.held.len();
            let mut listed = threads_of(self.process.pid());
            listed.sort_by_key(|&t| (t != self.process.pid(), t));
            for tid in listed.into_iter().filter(|&t| known.insert(t)) {
                self.seize(tid)?;
            }
            if first == self.held.len() {
                let any = self.held.iter().any(|h| h.state != State::Gone);
                return if any { Ok(()) } else { Err(AttachError::Gone { pid: self.process.pid() }.into()) };
            }
            self.interrupt_from(first)?;
        }
        Err(CaptureError::WouldNotStop { tid: self.process.pid() })
    }

    /// Stop the threads from `first` on: together, but those in a system call that the
    /// stop would make fail one by one and last.  Should this process be killed between
    /// such a call's end and its mending, the call fails; so that span is kept short.
    fn interrupt_from(&mut self, first: usize) -> Result<(), CaptureError> {
        let all = first..self.held.len();
        let mut delicate: Vec<usize> = all.clone().filter(|&i| self.is_delicate(i)).collect();
        delicate.truncate(ONE_BY_ONE);
        for i in all.filter(|i| delicate.binary_search(i).is_err()) {
            self.interrupt(i);
        }
        self.settle()?;
        for i in delicate {
            self.interrupt(i);
            self.settle()?;
        }
        Ok(())
    }

    fn interrupt(&mut self, i: usize) {
        self.held[i].state = State::Running;
        // an error here means that it ended; the wait will tell
        let _ = ptrace::interrupt(Pid::from_raw(self.held[i].tid));
    }

    /// Whether a thread sleeps in a system call other than those known to begin again by
    /// themselves.
    fn is_delicate(&self, i: usize) -> bool {
        let text = std::fs::read_to_string(self.process.thread_path(self.held[i].tid).join("syscall"));
        let number = text.ok().and_then(|t| t.split_whitespace().next()?.parse().ok());
        number.is_some_and(|n: i64| n >= 0 && !RESTARTING.contains(&n))
    }

    fn seize(&mut self, tid: i32) -> Result<(), CaptureError> {
        let error = match ptrace::seize(Pid::from_raw(tid), Options::empty()) {
            Ok(()) => {
                self.held.push(Held { tid, state: State::Loose, registers: None, repaired: false });
                return Ok(());
            }
            Err(e) => e,
        };
        let status = Status::read(&self.process.thread_path(tid));
        match (error, status) {
            (Errno::ESRCH, _) | (_, None) => Ok(()),
            // a main thread that ended before the others stays listed
            (_, Some(s)) if s.is_dead() => Ok(()),
            (_, Some(s)) => {
                self.process.check_tracer_in(&s)?;
                Err(attach::refusal(self.process.pid(), &s).into())
            }
        }
    }

    /// Wait until every thread stands, sleeps uninterruptibly or is gone.
    fn settle(&mut self) -> Result<(), CaptureError> {
        let began = Instant::now();
        loop {
            let late = began.elapsed() > ASLEEP_AFTER;
            for i in 0..self.held.len() {
                if self.held[i].state == State::Running {
                    self.look(i, late);
                }
            }
            let running = self.held.iter().find(|h| h.state == State::Running);
            let Some(&Held { tid, .. }) = running else {
                return Ok(());
            };
            match began.elapsed() {
                t if t > STOP_WITHIN => return Err(CaptureError::WouldNotStop { tid }),
                t if t > SPIN => std::thread::sleep(Duration::from_micros(100)),
                _ => std::thread::yield_now(),
            }
        }
    }

    /// See whether a thread stopped; if so, mend its system call at once, so that even
    /// if this process is killed now the call goes on.
    fn look(&mut self, i: usize, late: bool) {
        let tid = self.held[i].tid;
        let state = match news_of(tid) {
            State::Unknown => self.look_closer(tid),
            State::Running if late => self.look_closer(tid),
            state => state,
        };
        self.held[i].state = state;
        match state {
            State::Stopped { deliver } => self.mend(i, deliver),
            State::Asleep => self.held[i].registers = self.sleeping_registers(tid),
            _ => {}
        }
    }

    /// What `/proc` tells of a thread of which `waitpid` tells nothing.
    fn look_closer(&self, tid: i32) -> State {
        match stat(&self.process.thread_path(tid)) {
            None => State::Gone,
            Some((b'D', ..)) => State::Asleep,
            Some((b'Z' | b'X', ..)) => State::Gone,
            // stopped, but another thread of this process took the news from waitpid
            Some((b't', ..)) => match ptrace::getsiginfo(Pid::from_raw(tid)) {
                Ok(info) if info.si_code >> 8 == libc::PTRACE_EVENT_STOP => State::Stopped { deliver: 0 },
                Ok(info) => State::Stopped { deliver: info.si_signo },
                Err(_) => State::Running,
            },
            Some(_) => State::Running,
        }
    }

    /// A system call that gave up with EINTR because of our stop alone begins again.
    fn mend(&mut self, i: usize, deliver: i32) {
        let Ok(registers) = ptrace::getregs(Pid::from_raw(self.held[i].tid)) else {
            return;
        };
        self.held[i].registers = Some(registers);
        self.held[i].repaired = mend::begin_again(&self.process, self.held[i].tid, &registers);
        self.unmend(i, deliver);
    }

    /// Where a signal waits that would have cut the system call short without us, let it
    /// fail as it would have.
    fn unmend(&mut self, i: usize, deliver: i32) {
        let Held { tid, registers: Some(registers), repaired: true, .. } = self.held[i] else { return };
        if mend::feels(&self.process, tid, deliver) {
            self.held[i].repaired = ptrace::setregs(Pid::from_raw(tid), registers).is_err();
        }
    }

    /// The kernel tells the system call, stack and instruction of a sleeping thread.
    fn sleeping_registers(&self, tid: i32) -> Option<libc::user_regs_struct> {
        let text = std::fs::read_to_string(self.process.thread_path(tid).join("syscall")).ok()?;
        let mut words = text.split_whitespace();
        let number: i64 = words.next()?.parse().ok()?;
        let last: Vec<u64> = words.filter_map(|w| u64::from_str_radix(w.trim_start_matches("0x"), 16).ok()).collect();
        let [.., rsp, rip] = last[..] else {
            return None;
        };
        Some(libc::user_regs_struct { rsp, rip, orig_rax: number as u64, ..no_registers() })
    }

    /// The threads that stand, without their names.
    pub fn threads(&self) -> Vec<Thread> {
        self.held.iter().filter(|h| h.state != State::Gone).map(|h| thread(h.tid, h.registers)).collect()
    }

    /// Let every thread go that stands; the others go when this thread ends.
    pub fn let_go(&mut self) {
        for i in 0..self.held.len() {
            if self.held[i].state == State::Asleep {
                // it may have woken and met our stop by now
                self.look(i, false);
            }
            if let State::Stopped { deliver } = self.held[i].state {
                // a signal may have come while the target stood
                self.unmend(i, deliver);
                self.held[i].state = State::Gone;
                detach(self.held[i].tid, deliver);
            }
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn thread(tid: i32, registers: Option<libc::user_regs_struct>) -> Thread {
    let r = registers.map(|r| Registers {
        rip: r.rip,
        rsp: r.rsp,
        rbp: r.rbp,
        fs_base: r.fs_base,
        rax: r.rax,
        orig_rax: r.orig_rax,
        general: [
            r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
            r.r15,
        ],
    });
    let number = r.map(|r| r.orig_rax as i64).filter(|&n| n >= 0);
    Thread { tid, name: String::new(), registers: r.unwrap_or_default(), in_syscall: number }
}
