//! A program under recording is not changed by it: threads, signals, children, waits; and
//! afterwards it has no debug registers and nobody traces it.

#![allow(clippy::print_stderr)] // interpreters that were skipped are named

mod child;

use std::time::Duration;

use child::{Driver, pythons};
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use undying_recorder::{End, Limits, RecordError, record};

/// The debug register that says what is watched, of every thread of a process.
fn watched(pid: i32) -> Vec<i64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let tids = tasks.map(|t| t.file_name().to_str().unwrap().parse().unwrap());
    tids.map(|tid| {
        let tid = Pid::from_raw(tid);
        ptrace::seize(tid, Options::empty()).unwrap();
        ptrace::interrupt(tid).unwrap();
        waitpid(tid, Some(WaitPidFlag::__WALL)).unwrap();
        let control = std::mem::offset_of!(libc::user, u_debugreg) + 7 * 8;
        let value = ptrace::read_user(tid, control as ptrace::AddressType).unwrap();
        ptrace::detach(tid, None).unwrap();
        value
    })
    .collect()
}

fn tracer(pid: i32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|l| l.strip_prefix("TracerPid:")).unwrap().trim().to_owned()
}

#[test]
fn a_program_that_checks_itself_finds_nothing_wrong() {
    for python in pythons() {
        let mut driver = Driver::start(&python, "healthy.py");
        let name = python.program.display().to_string();
        driver.tell("at").unwrap();
        let address: u64 = driver.line().parse().unwrap();
        let pid = driver.child.id() as i32;
        let limits = Limits { events: usize::MAX, time: Duration::from_secs(300), frames: 16 };
        let mut answer = String::new();
        let recording = {
            let input = driver.child.stdin.as_mut().unwrap();
            let go = || std::io::Write::write_all(input, b"go\n");
            let done = || {
                driver.lines.try_recv().is_ok_and(|line| {
                    answer = line;
                    true
                })
            };
            record(pid, &[address], &limits, go, done).unwrap()
        };
        assert_eq!(answer, "all well", "{name}");
        assert!(recording.complete, "{name}: {:?}", recording.end);
        let threads: std::collections::BTreeSet<i32> = recording.changes.iter().map(|c| c.thread).collect();
        assert!(threads.len() >= 8 * 4, "{name}: {threads:?}");
        assert!(recording.changes.len() > 8 * 4 * 100, "{name}: {} changes", recording.changes.len());
        let net: i64 = recording.changes.iter().map(|c| c.delta()).sum();
        assert_eq!(net, recording.last[0].wrapping_sub(recording.first[0]) as i64, "{name}");
        assert!(recording.changes.iter().all(|c| !c.python.is_empty()), "{name}");
        assert_eq!(tracer(pid), "0");
        assert!(watched(pid).iter().all(|&control| control & 0xff == 0), "{name}");
        // with registers left behind this would end it
        driver.tell("go").unwrap();
        assert_eq!(driver.line(), "all well", "{name}");
    }
}

#[test]
fn every_end_lets_the_program_go() {
    let python = &pythons()[0];
    let mut driver = Driver::start(python, "driver.py");
    let pid = driver.child.id() as i32;
    driver.tell("at use_kept").unwrap();
    let address: u64 = driver.line().parse().unwrap();
    let ended = |limits: Limits, done: &mut dyn FnMut() -> bool, driver: &mut Driver| {
        let input = driver.child.stdin.as_mut().unwrap();
        let go = || std::io::Write::write_all(input, b"go use_kept 400\n");
        let recording = record(pid, &[address], &limits, go, done).unwrap();
        assert_eq!(driver.line(), "done", "it goes on by itself");
        assert_eq!(tracer(pid), "0");
        assert!(watched(pid).iter().all(|&control| control & 0xff == 0));
        assert!(!recording.complete);
        recording
    };
    let few = Limits { events: 10, ..Limits::default() };
    let recording = ended(few, &mut || false, &mut driver);
    assert_eq!((recording.end, recording.changes.len()), (End::Events, 10));
    let short = Limits { time: Duration::ZERO, ..Limits::default() };
    assert_eq!(ended(short, &mut || false, &mut driver).end, End::Time);
    let panicking = std::panic::catch_unwind(|| {
        let _ = record(pid, &[address], &Limits::default(), || Ok(()), || panic!("as planned"));
    });
    assert!(panicking.is_err());
    assert_eq!(tracer(pid), "0");
    assert!(watched(pid).iter().all(|&control| control & 0xff == 0));
    let failing = record(pid, &[address], &Limits::default(), || Err(std::io::ErrorKind::BrokenPipe.into()), || true);
    assert!(matches!(failing, Err(RecordError::Go(_))));
    assert_eq!(tracer(pid), "0");
    // and it can be recorded again
    assert!(driver.record("use_kept", 1).complete);
}

#[test]
fn the_end_of_the_program_is_the_end_of_the_recording() {
    let mut driver = Driver::start(&pythons()[0], "driver.py");
    driver.tell("at use_kept").unwrap();
    let address: u64 = driver.line().parse().unwrap();
    let pid = driver.child.id() as i32;
    let go = || {
        drop(driver.child.stdin.take());
        Ok(())
    };
    let recording = record(pid, &[address], &Limits::default(), go, || false).unwrap();
    assert_eq!((recording.end, recording.complete), (End::Gone, false));
    // its end is left for who waits for it
    assert!(driver.child.wait().unwrap().success());
}

#[test]
fn addresses_that_cannot_be_watched_are_refused() {
    let me = std::process::id() as i32;
    for addresses in [&[][..], &[4], &[8, 16, 24, 32, 40], &[1 << 60]] {
        let refused = record(me, addresses, &Limits::default(), || Ok(()), || true);
        assert!(matches!(refused, Err(RecordError::Addresses)), "{addresses:?}");
    }
}
